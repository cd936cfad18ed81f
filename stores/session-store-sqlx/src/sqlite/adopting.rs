//! An adoption, step by step, while nobody else writes.

use session_core::Timestamp;
use session_core::store::{Adopted, Adoption, Create, SessionRecord, StoreError};
use sqlx::{Connection as _, Error, Sqlite, SqliteConnection};

use crate::adopt::{self, Adopting};
use crate::engine::Engine as _;
use crate::error::store_error;
use crate::login::{self, Login};
use crate::store::Store;

/// A session of another system, for the caller who writes.
pub(super) struct Foreign {
    pub(super) realm: String,
    pub(super) record: SessionRecord,
    pub(super) adoption: Adoption,
    pub(super) now: Timestamp,
}

impl Foreign {
    pub(super) async fn adopt(
        &self,
        store: &Store<Sqlite>,
        login: &login::Statements,
        sql: &adopt::Statements,
    ) -> Result<Adopted, StoreError> {
        let Self { realm, record, adoption, now } = self;
        let options = Create::new(None, adoption.limit);
        let login = Login { store, sql: login, realm, record, options, now: *now };
        let adopting = &Adopting { login, sql, adoption: *adoption };
        let adopted = store.connections.write(|mut db| async move {
            let adopted = transact(&mut db, adopting).await;
            db.finish(adopted)
        });
        adopted.await.map_err(store_error)
    }
}

async fn transact(db: &mut SqliteConnection, adopting: &Adopting<'_, Sqlite>) -> Result<Adopted, Error> {
    let mut transaction = db.begin_with(Sqlite::BEGIN).await?;
    let adopted = adopting.adopt(&mut transaction).await?;
    match adopted {
        Adopted::Done { .. } => transaction.commit().await?,
        _ => transaction.rollback().await?,
    }
    Ok(adopted)
}

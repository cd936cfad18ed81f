//! The functions of an adoption: how they are called, and what they answer.

use session_core::Timestamp;
use session_core::store::{Adopted, Adoption, Bar, Created, SessionRecord, StoreError};
use sqlx::postgres::PgRow;
use sqlx::{Error, Postgres, SqlStr};

use super::functions::{answer, created, room};
use crate::adoption::Barred;
use crate::key;
use crate::lock::Lock;
use crate::record;
use crate::schema::Tables;
use crate::statement::Statement;

pub(super) struct Adopting {
    table: String,
    adopt: SqlStr,
    bar: SqlStr,
}

impl Adopting {
    pub(super) fn new(tables: &Tables) -> Self {
        let sql = |template: &str| tables.sql::<Postgres>(template);
        Self {
            table: tables.name.clone(),
            adopt: sql(r#"SELECT "{table}_adopt_v{version}"(
                       $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)"#),
            bar: sql(r#"SELECT FROM "{table}_bar_v{version}"($1, $2, $3, $4, $5)"#),
        }
    }

    pub(super) fn adopt<'a>(
        &'a self,
        realm: &'a str,
        record: &'a SessionRecord,
        adoption: Adoption,
        now: Timestamp,
    ) -> Statement<'a> {
        let (limit, refuse) = room(adoption.limit);
        let account = record.subject.as_deref().map(Barred::Account);
        let statement = Statement::new(&self.adopt)
            .bind(Lock::Realm(realm).key(&self.table))
            .bind(Lock::of_adoption(realm, record).key(&self.table))
            .bind(now)
            .bind(limit)
            .bind(refuse)
            .bind(adoption.proven_at)
            .bind(adoption.once_until)
            .bind(Some(Barred::Realm.name()))
            .bind(account.map(Barred::name))
            .bind(Some(Barred::Session(record.id).name()))
            .bind(key::realm(realm));
        record::bind(statement, record)
    }

    pub(super) fn bar<'a>(
        &'a self,
        realm: &'a str,
        subject: Option<&'a str>,
        bar: Bar,
    ) -> Result<Statement<'a>, StoreError> {
        let barred = Barred::of(subject)?;
        let lock = subject.map_or(Lock::Realm(realm), |subject| Lock::Account(realm, subject));
        Ok(Statement::new(&self.bar)
            .bind(lock.key(&self.table))
            .bind(key::realm(realm))
            .bind(Some(barred.name()))
            .bind(bar.at)
            .bind(bar.until))
    }
}

/// What an adoption did.
pub(super) fn adopted(rows: Vec<PgRow>) -> Result<Adopted, Error> {
    let answer = answer(rows)?;
    if let [6, ..] = answer.as_slice() {
        return Ok(Adopted::Barred);
    }
    match created(&answer)?.0 {
        Created::Done { evicted } => Ok(Adopted::Done { evicted }),
        Created::IdTaken => Ok(Adopted::IdTaken),
        Created::LimitReached => Ok(Adopted::LimitReached),
        _ => Err(Error::Decode("the function that adopts sessions has an unknown outcome".into())),
    }
}

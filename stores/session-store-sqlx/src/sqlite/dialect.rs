//! How SQLite spells the statements, and those that are its own.

use sqlx::{Connection as _, Error, SqlStr, Sqlite};

use crate::connections::Connections;
use crate::dialect::{Dialect, Found};
use crate::engine::{Engine, driver, prepares};
use crate::login::{self, LoginDialect};
use crate::schema::{self, Tables};
use crate::statement::Statement;

impl Engine for Sqlite {
    /// A transaction that would write must lock at once: one that began reading cannot wait for a writer.
    const BEGIN: &'static str = "BEGIN IMMEDIATE";
    /// A file has no other server in its place.
    const IS_READ_ONLY: &'static str = "SELECT 1";
    const CLOSES_AFTER_ERRORS: bool = false;

    driver!(Sqlite);
    prepares!(Sqlite);
}

impl Dialect for Sqlite {
    const SCHEMA: &'static str = include_str!("schema.sql");
    const UNLIMITED: &'static str = "LIMIT -1";

    async fn migrate(
        connections: &Connections<Self>,
        (): &(),
        table: &str,
        version: &Statement<'_>,
    ) -> Result<Found, Error> {
        let schema = &schema::sql(Self::SCHEMA, table);
        let migrated = connections.write(|mut db| async move {
            let mut transaction = db.begin_with(Self::BEGIN).await?;
            sqlx::raw_sql(schema.clone()).execute(&mut *transaction).await?;
            let found = Self::found(&Self::fetch(&mut transaction, version, &()).await?, connections)?;
            transaction.commit().await?;
            Ok(db.done(found))
        });
        migrated.await
    }
}

impl LoginDialect for Sqlite {
    const OR_NOTHING: &'static str = "ON CONFLICT DO NOTHING";
    /// `$1` is the first value once more. It cannot be `?1`: sqlx would count the others from there on.
    const EVICT: Option<&'static str> =
        Some(r#"DELETE FROM "{table}" WHERE realm = $1 AND id IN ({excess}) RETURNING id"#);
}

/// The statements that are its own.
pub(super) struct Statements {
    pub(super) login: login::Statements,
    pub(super) delete_account: SqlStr,
    pub(super) delete_realm: SqlStr,
    pub(super) delete_expired: SqlStr,
}

impl Statements {
    pub(super) fn new(tables: &Tables) -> Self {
        let sql = |template: &str| tables.sql::<Sqlite>(template);
        Self {
            login: login::Statements::new::<Sqlite>(tables),
            delete_account: sql(
                r#"DELETE FROM "{table}" WHERE realm = ? AND subject = ? AND id IS NOT ? RETURNING id, ends_at"#,
            ),
            delete_realm: sql(r#"DELETE FROM "{table}" WHERE realm = ?"#),
            delete_expired: sql(r#"DELETE FROM "{table}" WHERE rowid IN (
                       SELECT rowid FROM "{table}" WHERE ends_at <= ? ORDER BY ends_at LIMIT ?)"#),
        }
    }
}

//! How SQLite spells the statements, and those that are its own.

use sqlx::{Connection as _, Error, SqlStr, Sqlite};

use crate::adopt::{self, AdoptDialect};
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

/// SQLite has no condition for a `DROP TABLE`.
const IS_OLD: &str =
    "SELECT sum(name IN ('generation', 'first_used_at')) = 2 FROM pragma_table_info('{table}')";
const DROP: &str = r#"DROP TABLE "{table}""#;

impl Dialect for Sqlite {
    const SCHEMA: &'static str = include_str!("schema.sql");
    const UNLIMITED: &'static str = "LIMIT -1";

    async fn migrate(
        connections: &Connections<Self>,
        (): &(),
        table: &str,
        version: &Statement<'_>,
    ) -> Result<Found, Error> {
        let sql = |template| schema::sql(template, table);
        let (is_old, drop, schema) = &(sql(IS_OLD), sql(DROP), sql(Self::SCHEMA));
        let migrated = connections.write(|mut db| async move {
            let mut transaction = db.begin_with(Self::BEGIN).await?;
            let is_old = sqlx::query(is_old.clone()).fetch_one(&mut *transaction).await?;
            if Self::int(&is_old, 0)? == Some(1) {
                sqlx::raw_sql(drop.clone()).execute(&mut *transaction).await?;
            }
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
    const OR_RENEW: &'static str =
        "ON CONFLICT (realm, subject) DO UPDATE SET mark = excluded.mark, kept_until = excluded.kept_until";
    const TIDY_MARKS: &'static str = r#"DELETE FROM "{table}_marks" WHERE (realm, subject) IN (
        SELECT realm, subject FROM "{table}_marks" WHERE kept_until <= ? ORDER BY kept_until LIMIT ?)"#;
    const EVICT: Option<&'static str> =
        Some(r#"DELETE FROM "{table}" WHERE rowid IN ({excess}) RETURNING id"#);
}

impl AdoptDialect for Sqlite {
    const OR_RAISE: &'static str = "ON CONFLICT (realm, name) DO UPDATE SET
        proven_until = max(proven_until, excluded.proven_until), kept_until = max(kept_until, excluded.kept_until)";
    const TIDY_ADOPTIONS: &'static str = r#"DELETE FROM "{table}_adoptions" WHERE (realm, name) IN (
        SELECT realm, name FROM "{table}_adoptions" WHERE kept_until <= ? ORDER BY kept_until LIMIT ?)"#;
}

/// The statements that are its own.
pub(super) struct Statements {
    pub(super) login: login::Statements,
    pub(super) adopt: adopt::Statements,
    pub(super) login_at_once: super::login::Statements,
    pub(super) delete_account: SqlStr,
    pub(super) delete_realm: SqlStr,
    pub(super) delete_expired: SqlStr,
}

impl Statements {
    pub(super) fn new(tables: &Tables) -> Self {
        let sql = |template: &str| tables.sql::<Sqlite>(template);
        Self {
            login: login::Statements::new::<Sqlite>(tables),
            adopt: adopt::Statements::new::<Sqlite>(tables),
            login_at_once: super::login::Statements::new(tables),
            delete_account: sql(
                r#"DELETE FROM "{table}" WHERE {by_account} AND id IS NOT ? RETURNING id, ends_at"#,
            ),
            delete_realm: sql(r#"DELETE FROM "{table}" WHERE realm = ?"#),
            delete_expired: sql(r#"DELETE FROM "{table}" WHERE rowid IN (
                       SELECT rowid FROM "{table}" WHERE ends_at <= ? ORDER BY ends_at LIMIT ?)"#),
        }
    }
}

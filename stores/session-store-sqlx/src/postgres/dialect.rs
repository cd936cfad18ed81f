//! PostgreSQL's words.

use std::fmt::Write as _;

use session_core::store::SessionRecord;
use sqlx::postgres::PgRow;
use sqlx::{Error, PgConnection, Postgres, Row as _};

use super::sending::Sending;
use crate::connections::Connections;
use crate::connections::lease::Doubt;
use crate::dialect::{Dialect, Found};
use crate::engine::{Engine, Later, driver};
use crate::key;
use crate::lock::Lock;
use crate::schema;
use crate::statement::Statement;

impl Engine for Postgres {
    /// Whether it may write is left to the server: `default_transaction_read_only` is how primaries are fenced off.
    const BEGIN: &'static str = "BEGIN ISOLATION LEVEL READ COMMITTED";
    const IS_READ_ONLY: &'static str =
        "SELECT (current_setting('transaction_read_only') = 'on')::int::bigint";

    type Sending = Sending;

    fn execute<'a>(
        db: &'a mut PgConnection,
        statement: &'a Statement<'_>,
        sending: &'a Sending,
    ) -> Later<'a, u64> {
        Box::pin(async move { Ok(sending.run(db, statement).await?.affected) })
    }

    fn fetch<'a>(
        db: &'a mut PgConnection,
        statement: &'a Statement<'_>,
        sending: &'a Sending,
    ) -> Later<'a, Vec<PgRow>> {
        Box::pin(async move { Ok(sending.run(db, statement).await?.rows) })
    }

    driver!(Postgres);
}

impl Dialect for Postgres {
    const SCHEMA: &'static str = include_str!("schema.sql");

    /// The version of the tables, and the schema that they are in, ready to be put before a name.
    /// The isolation level of a bare statement comes last.
    const VERSION: &'static str = r#"SELECT (SELECT max(version) FROM "{table}_schema"), relnamespace::regnamespace::text,
            current_setting('transaction_isolation') = 'read committed'
        FROM pg_class WHERE oid = '"{table}_schema"'::regclass"#;

    const FROM: &'static str = r#", read_only FROM (SELECT current_setting('transaction_read_only') = 'on' AS read_only)
        AS server LEFT JOIN "{what}" ON"#;

    /// Makes the transaction that changes something wait for the disk, if `synchronous_commit` says that it need not: a
    /// logout that was acknowledged must not be undone by a crash.
    const DURABLE: &'static str = "RETURNING CASE WHEN current_setting('synchronous_commit') = 'off'
        THEN set_config('synchronous_commit', 'on', true) END";

    /// The hash is not kept in the rows: the index has it. The function is the one that finds partitions, so servers do not
    /// change it.
    const HASHES: &'static str = "";
    const BY_ID: &'static str = "hashtextextended(encode(id, 'hex'), realm) = hashtextextended(encode(?, 'hex'), ?) AND realm = ? AND id = ?";
    const HASH_OF_ID: (&'static str, &'static str) =
        ("hashtextextended(encode(id, 'hex'), realm)", "hashtextextended(encode(?, 'hex'), ?)");
    const BY_ACCOUNT: &'static str = "hashtextextended(encode(subject, 'hex'), realm) = hashtextextended(encode(?, 'hex'), ?) AND realm = ? AND subject = ?";

    fn bind_account<'a>(statement: Statement<'a>, realm: &str, subject: &'a str) -> Statement<'a> {
        statement.bind(subject).bind(key::realm(realm))
    }

    fn bind_hash<'a>(statement: Statement<'a>, realm: &str, name: &[u8]) -> Statement<'a> {
        statement.bind(Some(name.to_vec())).bind(key::realm(realm))
    }

    fn bind_hashes<'a>(statement: Statement<'a>, _: &str, _: &SessionRecord) -> Statement<'a> {
        statement
    }

    /// Values are `$1`, `$2` and so on; `{found}` is what reads have in common: a row even when the session is absent,
    /// since the server has something to say in any case.
    fn spelled(sql: String) -> String {
        let mut parts = sql.split('?');
        let mut spelled = parts.next().unwrap_or_default().to_owned();
        for (part, number) in parts.zip(1..) {
            // Writing to a string cannot fail.
            let _ = write!(spelled, "${number}{part}");
        }
        spelled.replace(
            "{found}",
            r#"FROM (SELECT current_setting('transaction_read_only') = 'on' AS read_only) AS server
               LEFT JOIN "{table}" ON"#,
        )
    }

    async fn migrate(
        connections: &Connections<Self>,
        sending: &Sending,
        table: &str,
        version: &Statement<'_>,
    ) -> Result<Found, Error> {
        // One message is one transaction: the lock is held until all of it is done.
        let message = format!(
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({}); {}",
            Lock::Schema.key(table),
            Self::SCHEMA,
        );
        let message = &schema::sql(&message, table);
        let migrated = connections.write(|mut db| async move {
            sqlx::raw_sql(message.clone()).execute(&mut *db).await?;
            Ok(db.done(()))
        });
        migrated.await?;
        schema::look(connections, sending, version).await
    }

    fn found(rows: &[PgRow], connections: &Connections<Self>) -> Result<Found, Error> {
        let row = rows.first().ok_or(Error::RowNotFound)?;
        if !row.try_get::<bool, _>(2)? {
            connections.write_in_transactions();
        }
        let schema: String = row.try_get(1)?;
        Ok(Found { version: row.try_get(0)?, schema: format!("{schema}.") })
    }

    fn doubt(row: &PgRow, at: usize) -> Result<Doubt, Error> {
        Ok(Doubt { read_only: row.try_get(at)?, settings: false })
    }
}

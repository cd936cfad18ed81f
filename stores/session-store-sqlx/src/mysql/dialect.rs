//! How MySQL and MariaDB spell the statements, and those that are their own.

use sqlx::mysql::MySqlRow;
use sqlx::{Error, MySql, Row as _, SqlStr};

use crate::adopt::{self, AdoptDialect};
use crate::connections::Connections;
use crate::connections::lease::Doubt;
use crate::dialect::{Dialect, Found};
use crate::engine::{Engine, driver, prepares};
use crate::login::{self, LoginDialect};
use crate::record;
use crate::schema::{self, Tables};
use crate::statement::Statement;

impl Engine for MySql {
    /// The session's own variables, wherever they come from: the server, `init_connect`, a role. Without `autocommit` an
    /// `Ok` is no commit; with `sql_select_limit` a revocation misses sessions; a lax `sql_mode` cuts values short.
    const SET_UP: &'static str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE;
        SET SESSION autocommit = 1, completion_type = 0, unique_checks = 1, sql_auto_is_null = 0, sql_big_selects = 1,
            sql_safe_updates = 0, sql_select_limit = 18446744073709551615,
            sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'";
    /// Each statement sees what was committed before it, so what is counted after taking one's turn is what there is;
    /// and no locks on gaps between rows, over which logins of neighbouring accounts would trip.
    ///
    /// A connection of the user's pool may be in a transaction already, because it has no `autocommit`.
    const BEGIN: &'static str = "ROLLBACK AND NO CHAIN NO RELEASE;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE; START TRANSACTION";
    /// Whatever `completion_type` says.
    const COMMIT: &'static str = "COMMIT AND NO CHAIN NO RELEASE";
    const ROLLBACK: &'static str = "ROLLBACK AND NO CHAIN NO RELEASE";
    const IS_READ_ONLY: &'static str =
        "SELECT CAST(@@GLOBAL.read_only AS CHAR) NOT IN ('0', 'OFF') OR @@GLOBAL.innodb_read_only";
    const BARE_WRITES_ARE_SAFE: bool = false;

    driver!(MySql);
    prepares!(MySql);
}

/// Names of locks are the server's, not the database's, and 64 characters long at most.
const LOCK_SCHEMA: &str = "SELECT GET_LOCK(LEFT(SHA2(CONCAT(DATABASE(), '.{table}'), 256), 60), 30)";
const UNLOCK_SCHEMA: &str = "DO RELEASE_LOCK(LEFT(SHA2(CONCAT(DATABASE(), '.{table}'), 256), 60))";

impl Dialect for MySql {
    const SCHEMA: &'static str = include_str!("schema.sql");
    /// A row even when the session is absent, since the server has something to say in any case: whether it takes no writes
    /// (MariaDB 12 has more answers than on and off), and whether a bare `SELECT` stays in a transaction, and so sees for
    /// ever what it saw first, or sees what nobody committed. The two know the isolation level by two names, and each reads
    /// a comment that the other skips.
    const FROM: &'static str = ", read_only, settings FROM
        (SELECT (CAST(@@GLOBAL.read_only AS CHAR) NOT IN ('0', 'OFF') OR @@GLOBAL.innodb_read_only) AS read_only,
            (@@autocommit = 0 OR /*!50720 @@transaction_isolation */ /*M!100000 @@tx_isolation */ = 'READ-UNCOMMITTED')
                AS settings) AS server
        LEFT JOIN `{what}` ON ";
    const OR_KEEP: &'static str = "ON DUPLICATE KEY UPDATE mark = mark";
    /// A limit that limits nothing takes the place of `sql_select_limit`, and is what `sql_safe_updates` asks for.
    const UNLIMITED: &'static str = "LIMIT 18446744073709551615";
    const LONGEST_PAYLOAD: usize = (1 << 24) - 1;

    fn spelled(sql: String) -> String {
        sql.replace('"', "`")
    }

    /// MySQL commits each change of a table by itself, so a named lock keeps others out, and every step can be taken
    /// again. The lock ends with the connection, at the latest.
    async fn migrate(
        connections: &Connections<Self>,
        (): &(),
        table: &str,
        version: &Statement<'_>,
    ) -> Result<Found, Error> {
        let sql = |template| schema::sql(template, table);
        let (lock, schema, unlock) = &(sql(LOCK_SCHEMA), sql(Self::SCHEMA), sql(UNLOCK_SCHEMA));
        let migrated = connections.read(|mut db| async move {
            db.never_reuse();
            Self::raw(&mut db, Self::SET_UP).await?;
            let locked = sqlx::query(lock.clone()).fetch_one(&mut *db).await?;
            if locked.try_get::<Option<i64>, _>(0)? != Some(1) {
                return Err(Error::PoolTimedOut);
            }
            sqlx::raw_sql(schema.clone()).execute(&mut *db).await?;
            let found = Self::found(&Self::fetch(&mut db, version, &()).await?, connections)?;
            // One of the store's own would keep the lock as well.
            sqlx::query(unlock.clone()).execute(&mut *db).await?;
            Ok(db.done(found))
        });
        migrated.await
    }

    fn doubt(row: &MySqlRow, at: usize) -> Result<Doubt, Error> {
        let is = |column| record::int::<Self>(row, column).map(|is| is != 0);
        Ok(Doubt { read_only: is(at)?, settings: is(at + 1)? })
    }
}

impl LoginDialect for MySql {
    const LOCKED: &'static str = "FOR UPDATE";
    const OR_RENEW: &'static str =
        "ON DUPLICATE KEY UPDATE mark = VALUES(mark), kept_until = VALUES(kept_until)";
    const TIDY_MARKS: &'static str =
        r#"DELETE FROM "{table}_marks" WHERE kept_until <= ? ORDER BY kept_until LIMIT ?"#;
}

impl AdoptDialect for MySql {
    const OR_RAISE: &'static str =
        "ON DUPLICATE KEY UPDATE proven_until = GREATEST(proven_until, VALUES(proven_until)),
        kept_until = GREATEST(kept_until, VALUES(kept_until))";
    const TIDY_ADOPTIONS: &'static str =
        r#"DELETE FROM "{table}_adoptions" WHERE kept_until <= ? ORDER BY kept_until LIMIT ?"#;
}

/// The statements that are its own.
pub(super) struct Statements {
    pub(super) login: login::Statements,
    pub(super) adopt: adopt::Statements,
    pub(super) take_turn: SqlStr,
    pub(super) share_realm: SqlStr,
    pub(super) account: SqlStr,
    pub(super) delete_realm: SqlStr,
    pub(super) expired: SqlStr,
}

impl Statements {
    pub(super) fn new(tables: &Tables) -> Self {
        let sql = |template: &str| tables.sql::<MySql>(template);
        Self {
            login: login::Statements::new::<MySql>(tables),
            adopt: adopt::Statements::new::<MySql>(tables),
            take_turn: sql("SELECT slot FROM `{table}_locks` WHERE slot = ? FOR UPDATE"),
            // MySQL has a newer word for it, which MariaDB has not.
            share_realm: sql("SELECT slot FROM `{table}_locks` WHERE slot = ? LOCK IN SHARE MODE"),
            account: sql("SELECT id, lookup, ends_at FROM `{table}` WHERE {by_account} {unlimited}"),
            delete_realm: sql(
                // There is no index by realm, which sql_safe_updates allows if there is a limit below the highest.
                "DELETE FROM `{table}` WHERE realm = ? LIMIT 9223372036854775807",
            ),
            expired: sql(
                "SELECT id, lookup FROM `{table}` WHERE end_piece <= ? AND ends_at <= ? ORDER BY end_piece LIMIT ?",
            ),
        }
    }
}

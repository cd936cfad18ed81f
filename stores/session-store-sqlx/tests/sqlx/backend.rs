//! The three databases as the tests see them.

use std::sync::Arc;
#[cfg(any(feature = "postgres", feature = "mysql"))]
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use session_core::store::{SessionRecord, SessionStore, StoreError};
use session_core::{RandomSource as _, SessionId, SystemRandom, Timestamp};
use session_store_sqlx::StoreOptions;

/// A database and a way in beside the store.
pub(crate) trait Backend: Sized {
    /// `None`: its server is not installed.
    fn start() -> Option<Self>;
    /// A store with connections of its own.
    async fn connect(&self, options: StoreOptions) -> Result<Arc<dyn SessionStore>, StoreError>;
    /// A store on a pool of sqlx.
    async fn on_a_pool(&self, options: StoreOptions) -> Result<Arc<dyn SessionStore>, StoreError>;
    /// What the store prints.
    fn schema_sql(options: &StoreOptions) -> String;
    /// What version 1 of the store printed, with `{table}` for the table's name.
    const VERSION_1: &'static str;
    /// Bytes as a literal.
    fn literal(bytes: &[u8]) -> String {
        format!("x'{}'", hex(bytes))
    }
    /// Runs statements as somebody who may do everything.
    async fn run(&self, sql: &str);
    /// The one number that a query answers.
    async fn number(&self, sql: &str) -> i64;
    /// A table name that no other test has.
    fn options(&self) -> (StoreOptions, String);
}

#[cfg(feature = "postgres")]
pub(crate) use postgres::Postgres;
#[cfg(feature = "postgres")]
mod postgres {
    use session_store_sqlx::PostgresStore;
    use session_test_servers::{Sql, SqlServer};

    use super::*;

    pub(crate) struct Postgres(pub(crate) &'static SqlServer);

    impl Backend for Postgres {
        const VERSION_1: &'static str = include_str!("version_1/postgres.sql");

        fn start() -> Option<Self> {
            SqlServer::shared(Sql::Postgres).map(Self)
        }

        async fn connect(&self, options: StoreOptions) -> Result<Arc<dyn SessionStore>, StoreError> {
            Ok(Arc::new(PostgresStore::connect_with(&self.0.url(), options).await?))
        }

        async fn on_a_pool(&self, options: StoreOptions) -> Result<Arc<dyn SessionStore>, StoreError> {
            let pool = sqlx::postgres::PgPoolOptions::new().max_connections(5).test_before_acquire(false);
            let pool = pool.connect(&self.0.url()).await.unwrap();
            Ok(Arc::new(PostgresStore::from_pool_with(pool, options).await?))
        }

        fn schema_sql(options: &StoreOptions) -> String {
            PostgresStore::schema_sql(options).unwrap()
        }

        fn literal(bytes: &[u8]) -> String {
            format!("'\\x{}'", hex(bytes))
        }

        async fn run(&self, sql: &str) {
            self.0.run(sql);
        }

        async fn number(&self, sql: &str) -> i64 {
            self.0.run(sql).trim().parse().unwrap()
        }

        fn options(&self) -> (StoreOptions, String) {
            let table = fresh_table();
            (StoreOptions::default().table(&table), table)
        }
    }
}

#[cfg(feature = "mysql")]
pub(crate) use mysql::MySql;
#[cfg(feature = "mysql")]
mod mysql {
    use session_store_sqlx::MySqlStore;
    use session_test_servers::{Sql, SqlServer};

    use super::*;

    pub(crate) struct MySql(pub(crate) &'static SqlServer);

    impl Backend for MySql {
        const VERSION_1: &'static str = include_str!("version_1/mysql.sql");

        fn start() -> Option<Self> {
            SqlServer::shared(Sql::MariaDb).map(Self)
        }

        async fn connect(&self, options: StoreOptions) -> Result<Arc<dyn SessionStore>, StoreError> {
            Ok(Arc::new(MySqlStore::connect_with(&self.0.url(), options).await?))
        }

        async fn on_a_pool(&self, options: StoreOptions) -> Result<Arc<dyn SessionStore>, StoreError> {
            let pool = sqlx::mysql::MySqlPoolOptions::new().max_connections(5).test_before_acquire(false);
            let pool = pool.connect(&self.0.url()).await.unwrap();
            Ok(Arc::new(MySqlStore::from_pool_with(pool, options).await?))
        }

        fn schema_sql(options: &StoreOptions) -> String {
            MySqlStore::schema_sql(options).unwrap()
        }

        async fn run(&self, sql: &str) {
            self.0.run(sql);
        }

        async fn number(&self, sql: &str) -> i64 {
            self.0.run(sql).trim().parse().unwrap()
        }

        fn options(&self) -> (StoreOptions, String) {
            let table = fresh_table();
            (StoreOptions::default().table(&table), table)
        }
    }
}

#[cfg(feature = "sqlite")]
pub(crate) use sqlite::Sqlite;
#[cfg(feature = "sqlite")]
mod sqlite {
    use session_store_sqlx::SqliteStore;
    use sqlx::Connection as _;
    use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions};
    use tempfile::TempDir;

    use super::*;

    pub(crate) struct Sqlite(TempDir);

    impl Sqlite {
        pub(crate) fn file(&self) -> SqliteConnectOptions {
            SqliteConnectOptions::new()
                .filename(self.0.path().join("sessions.sqlite"))
                .create_if_missing(true)
        }

        pub(crate) fn url(&self) -> String {
            format!("sqlite:{}/sessions.sqlite", self.0.path().display())
        }
    }

    impl Backend for Sqlite {
        const VERSION_1: &'static str = include_str!("version_1/sqlite.sql");

        fn start() -> Option<Self> {
            Some(Self(tempfile::tempdir().unwrap()))
        }

        async fn connect(&self, options: StoreOptions) -> Result<Arc<dyn SessionStore>, StoreError> {
            Ok(Arc::new(SqliteStore::connect_with(&self.url(), options).await?))
        }

        async fn on_a_pool(&self, options: StoreOptions) -> Result<Arc<dyn SessionStore>, StoreError> {
            let file = self.file().journal_mode(SqliteJournalMode::Wal);
            let pool = SqlitePoolOptions::new().max_connections(5).connect_with(file).await.unwrap();
            Ok(Arc::new(SqliteStore::from_pool_with(pool, options).await?))
        }

        fn schema_sql(options: &StoreOptions) -> String {
            SqliteStore::schema_sql(options).unwrap()
        }

        async fn run(&self, sql: &str) {
            let mut connection = SqliteConnection::connect_with(&self.file()).await.unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }

        async fn number(&self, sql: &str) -> i64 {
            let mut connection = SqliteConnection::connect_with(&self.file()).await.unwrap();
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap()
        }

        fn options(&self) -> (StoreOptions, String) {
            (StoreOptions::default().table("t"), "t".to_owned())
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A name that no other table has on the servers that tests share.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) fn fresh_table() -> String {
    static TABLES: AtomicU32 = AtomicU32::new(0);
    format!("t{}", TABLES.fetch_add(1, Ordering::Relaxed))
}

pub(crate) const REALM: &str = "__Host-session";

pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}

pub(crate) fn random_id() -> SessionId {
    let mut bytes = [0; SessionId::LEN];
    SystemRandom.fill(&mut bytes).unwrap();
    SessionId::from_bytes(bytes)
}

/// A session that has just begun and lasts a day.
pub(crate) fn login(subject: &str) -> SessionRecord {
    let now = now();
    let end = now.plus(std::time::Duration::from_secs(86_400));
    SessionRecord::new(random_id(), br#"{"count":0}"#.to_vec(), now, end).with(|record| {
        record.subject = Some(subject.to_owned());
        record.last_seen = now;
        record.issued_at = now;
        record.first_used_at = None;
        record.ends_at = end;
        record.user_agent = Some("Mozilla/5.0".to_owned());
        record.ip_address = Some([192, 0, 2, 1].into());
    })
}

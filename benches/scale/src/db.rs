//! A connection beside the store's, to fill its tables and to look at them.

use std::str::FromStr as _;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySqlConnection, PgConnection, Row as _};

pub enum Db {
    Postgres(PgConnection),
    MySql(MySqlConnection),
    Sqlite(SqliteConnection),
}

/// The same for each of the three.
macro_rules! on {
    ($db:expr, $connection:ident => $what:expr) => {
        match $db {
            Db::Postgres($connection) => $what,
            Db::MySql($connection) => $what,
            Db::Sqlite($connection) => $what,
        }
    };
}

impl Db {
    pub async fn connect(url: &str) -> Self {
        let connected = match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("postgres") => PgConnection::connect(url).await.map(Self::Postgres),
            Some("mysql") => MySqlConnection::connect(url).await.map(Self::MySql),
            _ => {
                let options = SqliteConnectOptions::from_str(url).expect("a URL");
                let options = options.journal_mode(SqliteJournalMode::Wal);
                SqliteConnection::connect_with(&options).await.map(Self::Sqlite)
            }
        };
        connected.expect("a connection")
    }

    pub async fn run(&mut self, sql: impl Into<String>) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.into()));
        let done = on!(self, db => db.execute(sql).await.map(|_| ()));
        done.expect("a statement that works");
    }

    /// A column of the answer, as text.
    pub async fn column(&mut self, sql: impl Into<String>, column: usize) -> Vec<String> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.into()));
        on!(self, db => {
            let rows = db.fetch_all(sql).await.expect("an answer");
            rows.iter().map(|row| row.get_unchecked::<String, _>(column)).collect()
        })
    }

    pub async fn number(&mut self, sql: impl Into<String>) -> u64 {
        let answer = self.column(sql, 0).await;
        answer.first().and_then(|text| text.split('.').next()?.trim().parse().ok()).expect("a number")
    }

    pub async fn analyze(&mut self, table: &str) {
        match self {
            Self::Postgres(_) => self.run(format!("VACUUM (ANALYZE) {table}")).await,
            Self::MySql(_) => drop(self.column(format!("ANALYZE TABLE {table}"), 0).await),
            Self::Sqlite(_) => self.run(format!("ANALYZE {table}")).await,
        }
    }

    /// Bytes of the table with its indexes.
    pub async fn bytes(&mut self, table: &str) -> u64 {
        match self {
            Self::Postgres(_) => self.number(format!("SELECT pg_total_relation_size('{table}')::text")).await,
            Self::MySql(_) => {
                let name =
                    if table.contains('.') { table.replace('.', "/") } else { format!("sessions/{table}") };
                let sql = "SELECT CAST(FILE_SIZE AS CHAR) FROM information_schema.INNODB_SYS_TABLESPACES WHERE NAME = ";
                self.number(format!("{sql}'{name}'")).await
            }
            Self::Sqlite(_) => {
                self.run("PRAGMA wal_checkpoint(TRUNCATE)").await;
                let pages =
                    "SELECT CAST(page_count * page_size AS TEXT) FROM pragma_page_count, pragma_page_size";
                self.number(pages).await
            }
        }
    }
}

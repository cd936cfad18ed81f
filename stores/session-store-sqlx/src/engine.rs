//! What the stores need of a driver, as one trait.
//!
//! Each method is short and the same to the reader, but not to the compiler: what sqlx's own traits promise of any
//! database does not make a future that is `Send`. So [`driver!`] writes them out for each.

use std::future::Future;
use std::pin::Pin;

use sqlx::{Database, Error};

use crate::statement::Statement;

/// What differs between the databases, whatever is in them.
pub(crate) trait Engine: Database {
    /// Said first on each connection of the store's own.
    const SET_UP: &'static str = "";
    /// Begins a transaction in which a write means the same whatever the defaults are.
    const BEGIN: &'static str;
    const COMMIT: &'static str = "COMMIT";
    const ROLLBACK: &'static str = "ROLLBACK";
    /// Answers one row of one number, which is not 0 when the server takes no writes.
    const IS_READ_ONLY: &'static str;
    /// Whether a connection of the user's pool is closed when a call on it fails. An in-memory database goes with it.
    const CLOSES_AFTER_ERRORS: bool = true;
    /// Whether a bare write on a connection of the user's pool is an error where it would not be what it seems.
    const BARE_WRITES_ARE_SAFE: bool = true;

    /// What is known of how statements have to be sent.
    type Sending: Send + Sync;

    /// Runs a statement, and answers how many rows it changed.
    fn execute<'a>(
        db: &'a mut Self::Connection,
        statement: &'a Statement<'_>,
        sending: &'a Self::Sending,
    ) -> Later<'a, u64>;

    /// Runs a statement, and answers its rows.
    fn fetch<'a>(
        db: &'a mut Self::Connection,
        statement: &'a Statement<'_>,
        sending: &'a Self::Sending,
    ) -> Later<'a, Vec<Self::Row>>;

    /// Runs what has no values, and may be several statements.
    fn raw<'a>(db: &'a mut Self::Connection, sql: &'static str) -> Later<'a, Vec<Self::Row>>;

    /// Whether the server takes no writes.
    fn is_read_only(db: &mut Self::Connection) -> impl Future<Output = Result<bool, Error>> + Send {
        async {
            let rows = Self::raw(db, Self::IS_READ_ONLY).await?;
            let answer = rows.first().ok_or(Error::RowNotFound)?;
            Ok(Self::int(answer, 0)? != Some(0))
        }
    }

    fn int(row: &Self::Row, column: usize) -> Result<Option<i64>, Error>;

    /// Owned: PostgreSQL without prepared statements writes bytes as text.
    fn bytes(row: &Self::Row, column: usize) -> Result<Option<Vec<u8>>, Error>;
}

pub(crate) type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// The methods of [`Engine`] that are the same for each.
macro_rules! driver {
    ($DB:ty) => {
        fn raw<'a>(
            db: &'a mut <$DB as sqlx::Database>::Connection,
            sql: &'static str,
        ) -> $crate::engine::Later<'a, Vec<<$DB as sqlx::Database>::Row>> {
            sqlx::Executor::fetch_all(db, sqlx::raw_sql(sql))
        }

        fn int(row: &<$DB as sqlx::Database>::Row, column: usize) -> Result<Option<i64>, sqlx::Error> {
            sqlx::Row::try_get(row, column)
        }

        fn bytes(row: &<$DB as sqlx::Database>::Row, column: usize) -> Result<Option<Vec<u8>>, sqlx::Error> {
            sqlx::Row::try_get(row, column)
        }
    };
}
pub(crate) use driver;

/// [`Engine::execute`] and [`Engine::fetch`], where a statement is always prepared.
#[cfg(any(feature = "sqlite", feature = "mysql"))]
macro_rules! prepares {
    ($DB:ty) => {
        type Sending = ();

        fn execute<'a>(
            db: &'a mut <$DB as sqlx::Database>::Connection,
            statement: &'a $crate::statement::Statement<'_>,
            (): &'a (),
        ) -> $crate::engine::Later<'a, u64> {
            Box::pin(async move { Ok(statement.prepared::<$DB>().execute(db).await?.rows_affected()) })
        }

        fn fetch<'a>(
            db: &'a mut <$DB as sqlx::Database>::Connection,
            statement: &'a $crate::statement::Statement<'_>,
            (): &'a (),
        ) -> $crate::engine::Later<'a, Vec<<$DB as sqlx::Database>::Row>> {
            sqlx::Executor::fetch_all(db, statement.prepared::<$DB>())
        }
    };
}
#[cfg(any(feature = "sqlite", feature = "mysql"))]
pub(crate) use prepares;

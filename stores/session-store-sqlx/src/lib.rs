//! Login sessions of [`session_core`] in SQL: `SqliteStore`, `PostgresStore` and `MySqlStore` (MySQL and MariaDB).
//!
//! Each is a feature of its own, and none is on by default: `sqlite`, `postgres`, `mysql`.
//!
#![cfg_attr(feature = "sqlite", doc = "```no_run")]
#![cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
//! use session_store_sqlx::SqliteStore;
//!
//! # async fn example() -> Result<(), session_core::store::StoreError> {
//! let store = SqliteStore::connect("sqlite:sessions.sqlite").await?;
//! // SessionManager::<User>::builder().keys(KeyRing::from_env()?).store(store).build()?
//! # drop(store);
//! # Ok(())
//! # }
//! ```
//!
//! All three are made from a URL, with connections of their own, or from your sqlx pool; make their tables themselves
//! unless told otherwise ([`StoreOptions::migrate`]); and keep the contract of
//! [`SessionStore`](session_core::store::SessionStore) clause by clause, with the tests of `session-store-conformance`.
//! They need a tokio runtime with time enabled.
//!
//! # What a call costs
//!
//! | | PostgreSQL | SQLite | MySQL, MariaDB |
//! |---|---|---|---|
//! | validate a session | 1 statement | 1 | 1 |
//! | and write down that it was seen, once per interval | the same one | 1 more | 1 more |
//! | update (compare and swap) | 1 | 1 | 1 |
//! | log in, with the limit and the end of the old session | 1 (a function) | a transaction of 3 to 6 | of 4 to 7 |
//! | log out | 1 | 1 | 1 |
//! | list an account | 1 | 1 | 1 |
//! | end all sessions of an account | 1 (a function) | 1 | a transaction of 5 |
//! | end everybody's | 1 (a function) | 1 | a transaction of 3 |
//! | clean up a batch | 1 (a function) | 1 | 1, with expired rows a transaction of 4 |
//! | tell other processes of sessions that ended | 1 in the background, shared | cannot | cannot |
//!
//! A statement is a round trip; the first of its kind on a connection prepares it and takes another one. A compare and
//! swap that lost asks once more why. All go through indexes on (realm, id), (realm, subject) and the end, so that none
//! grows with the table.
//!
//! A touch on PostgreSQL is a function that the read calls once per interval; in between, reading with a touch costs the
//! server what a plain read costs. (An `UPDATE` beside each read, which hardly ever finds something to do, took a quarter
//! more of its processor.)
//!
//! # Cleaning up
//!
//! An expired session is absent at once; its row is deleted by
//! [`SessionManager::maintain`](session_core::SessionManager::maintain), which you spawn once per process. Several may
//! do it at once.
//!
//! # Logouts that others hear of
//!
//! PostgreSQL carries the news of ended sessions to whoever listens ([`StoreOptions::announce`]). Nobody waits for it: it
//! leaves when the logout has happened, and logouts that come together share a statement. 64 clients that log in and
//! out at once do so as often with it as without: 877 and 797 times a second, medians of five runs that differed by more
//! than that, on a disk that syncs in 4 to 7 ms. A `NOTIFY` in the transaction that ends the session would take the
//! logouts of that server from 4800 to 360 a second, because PostgreSQL lets one such transaction commit at a time, disk
//! included.
//!
//! # Failures
//!
//! A read on a connection that turns out dead is repeated once, on another one. A write is repeated only when the
//! database says that it rolled it back (a deadlock): otherwise it may have happened. A connection from a URL that
//! failed, or whose call was given up, is closed; one that nobody used for a second is asked for a sign of life first.
//! So a restarted server needs no restart of yours.
//!
//! # TLS
//!
//! There is none by default. Switch one of sqlx's on in your own `Cargo.toml`, and ask for it in the URL
//! (`sslmode=verify-full` on PostgreSQL, `ssl-mode=VERIFY_IDENTITY` on MySQL):
//!
//! ```toml
//! sqlx = { version = "0.9", default-features = false, features = ["tls-rustls-ring-webpki"] }
//! ```
//!
//! # What is in the table
//!
//! Realms, subjects and user agents are bytes, so that they compare as bytes whatever the collation; times are seconds
//! since 1970 in UTC, so that no time zone matters; payloads are JSON as the manager writes it. Counters are unsigned 64
//! bits, kept as signed. Who can read the table reads the payloads, but no token: those are signed with a key that is
//! not in it.

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod connections;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod error;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod lock;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod options;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod record;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod schema;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "sqlite", feature = "mysql"))]
mod touch;

#[cfg(feature = "mysql")]
pub use mysql::MySqlStore;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub use options::StoreOptions;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;

#[cfg(any(feature = "sqlite", feature = "postgres"))]
fn count(rows: u64) -> usize {
    usize::try_from(rows).unwrap_or(usize::MAX)
}

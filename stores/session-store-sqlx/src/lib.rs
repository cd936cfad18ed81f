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
//! | log in, with the limit and the end of the old session | 1 (a function) | 1, or a transaction sent as 1 | 1 round trip: a transaction in one text |
//! | log out | 1 | 1 | 1 |
//! | list an account | 1 | 1 | 1 |
//! | end all sessions of an account | 1 (a function) | a transaction sent as 1 | a transaction of 5 |
//! | end everybody's | 1 (a function) | a transaction sent as 1 | a transaction of 3 |
//! | clean up a batch | 1 (a function) | a transaction sent as 1 | 3, with expired rows a transaction more |
//! | adopt a session of another system, with the limit | 1 (a function) | a transaction of 6 | a transaction of 8 |
//! | and refuse one that was adopted before | the same | 3 | 5 |
//! | bar an account's, or everybody's | 1 (a function) | 1 | a transaction of 4 |
//! | tell other processes of sessions that ended | 1 in the background, shared | cannot | cannot |
//!
//! A statement is a round trip; the first of its kind on a connection prepares it and takes another one. A compare and
//! swap that lost asks once more why. In a transaction, a change takes two more: on MySQL with a pool of your own, and on
//! PostgreSQL where `default_transaction_isolation` is not `read committed` (see *Settings*). All but two go through indexes by session, by account and by the end, so that
//! none grows with the table. To end everybody's sessions, and to count them, the table is read, those of other realms in it
//! included: half a second and four seconds for a million sessions on PostgreSQL. Ending and counting those of the only realm
//! would read them with an index as well, and every login would pay for that. Where several realms have millions, give each a
//! table of its own ([`StoreOptions::table`]).
//!
//! A touch on PostgreSQL is a function that the read calls once per interval; in between, reading with a touch costs the
//! server what a plain read costs. (An `UPDATE` beside each read, which hardly ever finds something to do, took a quarter
//! more of its processor.) Touches that arrive together are two statements for up to 32 of them, whoever is alone has one.
//!
//! On SQLite a login that has to end others, because its account is full or its cookie names an old session, is a transaction
//! that is sent as one. With a pool of your own a transaction is three round trips to sqlx's
//! thread. A login that is refused takes up to 7 more, to learn why. Writes that arrive together share a transaction: see
//! `SqliteStore`.
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
//! Errors while a store is made begin with its address or path, without the password.
//!
//! A server that takes no writes (a replica, `default_transaction_read_only`, `read_only`, a full disk, a missing right)
//! serves reads: whoever is logged in goes on, last-seen stays where it is, and what has to be written is an error that a
//! retry can help. A touch that fails, or takes longer than half a second, costs the read nothing; for a second after it
//! the store tries no other.
//!
//! # Switch-over
//!
//! An address moves to another server, and the old one stays up and takes no writes any more: connections that are open
//! still lead there. On PostgreSQL and MySQL each read says beside its answer whether its server takes writes
//! (`transaction_read_only`; `read_only`, `innodb_read_only`), and a write is refused there. Then a new connection is
//! made to the address, at most once a second. If that one leads to a server that takes writes, the connections from
//! before are closed, and the read, or the write that was refused, is made once more. So, where
//! connecting takes less than a second, no write fails because of a connection that is out of date, and **a demoted server is read for at most one second** after it takes no writes and the
//! address leads elsewhere, longer where connecting takes a second or more: a look goes on for five seconds even if whoever
//! began it gives up, and the call after it learns what it found. In hybrid mode the manager's bound comes on top. A server
//! that is read-only on purpose gets one connection a second for it.
//!
//! With a pool of your own the same is done: its idle connections are taken out and closed. Those that something else uses
//! at that moment are closed when a read of the store meets them.
//!
//! What nobody can notice: an old primary that still takes writes. Fence it off before the address moves, on MySQL with
//! `read_only` (which does not bind a user with `SUPER` or `READ ONLY ADMIN`: give the store another one).
//!
//! # Settings
//!
//! What a statement means depends on settings of the server, of the role, of `init_connect` and of your pool. The store
//! does not depend on them, and does not change those of a pool of yours:
//!
//! | setting | what is done |
//! |---|---|
//! | PostgreSQL: `default_transaction_isolation` | changes that need `read committed` refuse to run in another level, and are run in a transaction that has it |
//! | `synchronous_commit = off` | switched on for the transaction that changes a session (`local`, `remote_apply` and so on are left as they are); off for a touch, which nobody waits for |
//! | `search_path`, temporary tables | statements name the schema in which the tables were found, and functions the one in which they were made; a temporary table is looked for last |
//! | `default_transaction_read_only` | obeyed: that is how a primary is fenced off |
//! | `statement_timeout`, `lock_timeout`, `idle_in_transaction_session_timeout`, `transaction_timeout`, `row_security` | an error that says so, or a new connection; nothing is half done |
//! | `DateStyle`, `TimeZone`, `bytea_output`, `standard_conforming_strings`, `transform_null_equals`, `plan_cache_mode`, `plpgsql.*`, collations | without effect: numbers and bytes only, in binary or as literals that none of them changes, and no ambiguous names |
//! | MySQL, MariaDB: `autocommit`, `completion_type`, isolation level, `transaction_read_only` | set on connections of the store's own; with a pool of yours, each change is a transaction that names its characteristics and ends with `AND NO CHAIN NO RELEASE`, and a read that finds no `autocommit`, or `READ UNCOMMITTED`, is made once more in such a one |
//! | `sql_select_limit`, `sql_safe_updates` | statements have limits of their own |
//! | `sql_mode` (strictness, quotes), `sql_auto_is_null`, `sql_big_selects`, `unique_checks` | set on connections of the store's own; values are checked for their length before they are sent, and the statements mean the same |
//! | `time_zone`, character sets, collations | without effect: numbers and bytes only |
//! | `max_statement_time`, `max_execution_time`, `lock_wait_timeout`, `innodb_lock_wait_timeout`, `wait_timeout` | an error that a retry can help, or a new connection |
//! | `innodb_flush_log_at_trx_commit`, `sync_binlog`, `fsync` | yours: they say for the whole server whether a commit is on the disk |
//! | SQLite: `synchronous`, `journal_mode`, `busy_timeout` | set on connections of the store's own; with a pool of yours they are yours |
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
//! # What is in the tables
//!
//! Beside the sessions (`login_sessions`, or your name for it) there are tables with that name and an ending: `_marks` says where
//! accounts and realms stand, for logins that a revocation overtakes; `_adoptions` what keeps sessions of other systems from being
//! adopted again (a row for each that was, until that one would have ended; empty where nothing is adopted); `_schema` the
//! version; MySQL has `_locks`. With migrations off, the database user needs to read, insert, update and delete there.
//!
//! Subjects and user agents are bytes, so that they compare as bytes whatever the collation; a realm is 64 bits of a hash of
//! its name, which is in the table of marks; times are seconds since 1970 in UTC, so that no time zone matters; payloads are
//! JSON as the manager writes it. Counters are unsigned 64 bits, kept as signed. What SQL never reads is in one small column
//! of bytes (`details`). Beyond payload, user agent and address a session takes about 194 bytes in PostgreSQL, 284 in
//! MariaDB and 156 in SQLite, indexes included. Who can read the table reads the payloads, but no token: those are signed with a key that is
//! not in it.

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod address;
#[cfg(any(feature = "sqlite", feature = "mysql"))]
mod adopt;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod adoption;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod connections;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod details;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod dialect;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod engine;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod error;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod fence;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod key;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod lock;
#[cfg(any(feature = "sqlite", feature = "mysql"))]
mod login;
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
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod statement;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod store;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod touch;

#[cfg(feature = "mysql")]
pub use mysql::MySqlStore;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
pub use options::StoreOptions;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;

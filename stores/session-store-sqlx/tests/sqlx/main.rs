//! The stores against real servers, which the tests start themselves: see `session-test-servers`.

#![cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod adopting;
mod backend;
mod bytes;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod closing;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod faults;
mod last_seen;
#[cfg(feature = "mysql")]
mod mysql_round_trips;
#[cfg(feature = "postgres")]
mod news;
#[cfg(feature = "postgres")]
mod pooler;
#[cfg(feature = "postgres")]
mod postgres_touches;
mod races;
#[cfg(feature = "postgres")]
mod round_trips;
mod schema;
#[cfg(feature = "sqlite")]
mod sealed;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod settings;
#[cfg(feature = "sqlite")]
mod small_disk;
#[cfg(feature = "sqlite")]
mod sqlite_killed;
#[cfg(feature = "sqlite")]
mod sqlite_writes;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod switch_over;

/// The contract of the trait, clause by clause.
mod conformance {
    #[cfg(feature = "sqlite")]
    mod sqlite {
        use session_store_sqlx::SqliteStore;

        thread_local! {
            /// Removed when the thread of the test ends.
            static FOLDER: tempfile::TempDir = tempfile::tempdir().unwrap();
        }

        session_store_conformance::conformance_tests!({
            // A thread may run several tests.
            let name = crate::backend::random_id().to_text();
            let url = FOLDER.with(|folder| format!("sqlite:{}/{name}", folder.path().display()));
            SqliteStore::connect(&url).await.unwrap()
        });

        mod in_memory {
            session_store_conformance::conformance_tests!(
                super::SqliteStore::connect("sqlite::memory:").await.unwrap()
            );
        }
    }

    #[cfg(feature = "postgres")]
    mod postgres {
        use session_store_sqlx::{PostgresStore, StoreOptions};
        use session_test_servers::{Sql, SqlServer};

        use crate::backend::fresh_table;

        session_store_conformance::conformance_tests!({
            let Some(server) = SqlServer::shared(Sql::Postgres) else { return };
            let options = StoreOptions::default().table(fresh_table());
            PostgresStore::connect_with(&server.url(), options).await.unwrap()
        });
    }

    #[cfg(feature = "mysql")]
    mod mysql {
        use session_store_sqlx::{MySqlStore, StoreOptions};
        use session_test_servers::{Sql, SqlServer};

        use crate::backend::fresh_table;

        session_store_conformance::conformance_tests!({
            let Some(server) = SqlServer::shared(Sql::MariaDb) else { return };
            let options = StoreOptions::default().table(fresh_table());
            MySqlStore::connect_with(&server.url(), options).await.unwrap()
        });
    }
}

/// A mark for a revocation that no login races with.
const MARK: session_core::store::Mark = session_core::store::Mark::from_bytes([7; 16]);

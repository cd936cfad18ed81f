//! The stores against real servers, which the tests start themselves: see `servers`.

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod backend;
mod conformance;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod faults;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod races;
#[cfg(feature = "postgres")]
mod round_trips;
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod schema;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod servers;

#[cfg(feature = "postgres")]
mod postgres {
    use std::sync::Arc;

    use session_core::store::SessionStore;
    use session_store_sqlx::{PostgresStore, StoreOptions};

    use crate::servers::{Kind, Server};

    async fn with_store<F: Future<Output = ()>>(test: impl FnOnce(Arc<dyn SessionStore>) -> F) {
        let Some(server) = Server::shared(Kind::Postgres) else { return };
        let options = StoreOptions::default().table(server.fresh_name("t"));
        let store = PostgresStore::connect_with(&server.url(), options).await.unwrap();
        test(Arc::new(store)).await;
    }
    crate::conformance::conformance_tests!(with_store);
}

#[cfg(feature = "mysql")]
mod mysql {
    use std::sync::Arc;

    use session_core::store::SessionStore;
    use session_store_sqlx::{MySqlStore, StoreOptions};

    use crate::servers::{Kind, Server};

    async fn with_store<F: Future<Output = ()>>(test: impl FnOnce(Arc<dyn SessionStore>) -> F) {
        let Some(server) = Server::shared(Kind::MariaDb) else { return };
        let options = StoreOptions::default().table(server.fresh_name("t"));
        let store = MySqlStore::connect_with(&server.url(), options).await.unwrap();
        test(Arc::new(store)).await;
    }
    crate::conformance::conformance_tests!(with_store);
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use std::sync::Arc;

    use session_core::store::SessionStore;
    use session_store_sqlx::SqliteStore;

    async fn with_store<F: Future<Output = ()>>(test: impl FnOnce(Arc<dyn SessionStore>) -> F) {
        let folder = tempfile::tempdir().unwrap();
        let store =
            SqliteStore::connect(&format!("sqlite:{}/s.sqlite", folder.path().display())).await.unwrap();
        test(Arc::new(store)).await;
    }
    crate::conformance::conformance_tests!(with_store);

    mod in_memory {
        use std::sync::Arc;

        use session_core::store::SessionStore;
        use session_store_sqlx::SqliteStore;

        async fn with_store<F: Future<Output = ()>>(test: impl FnOnce(Arc<dyn SessionStore>) -> F) {
            test(Arc::new(SqliteStore::connect("sqlite::memory:").await.unwrap())).await;
        }
        crate::conformance::conformance_tests!(with_store);
    }
}

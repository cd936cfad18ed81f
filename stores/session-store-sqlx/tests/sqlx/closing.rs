//! A store that is closed refuses calls, and leaves a pool of the user's to its user.

use session_core::store::{Create, RecordKey, SessionStore};

use crate::backend::{REALM, login, now};

/// Calls of a store with connections of its own, which fail from its end on.
async fn is_closed(store: &impl SessionStore) -> bool {
    let record = login("ann");
    let read = store.read(RecordKey { realm: REALM, id: record.id }, now()).await;
    let login = store.create(REALM, &record, Create::default(), now()).await;
    assert_eq!(read.is_err(), login.is_err());
    read.is_err_and(|error| {
        assert!(!error.is_retryable() && error.to_string().contains("was closed"), "{error}");
        true
    })
}

macro_rules! closing {
    ($name:ident, $store:ident, $pool:ty, $sql:ident) => {
        #[tokio::test]
        async fn $name() {
            let Some(server) = session_test_servers::SqlServer::shared(session_test_servers::Sql::$sql)
            else {
                return;
            };
            let options = || session_store_sqlx::StoreOptions::default().table(crate::backend::fresh_table());
            let store = session_store_sqlx::$store::connect_with(&server.url(), options()).await.unwrap();
            assert!(!is_closed(&store).await);
            store.close().await;
            assert!(is_closed(&store).await);

            let pool = <$pool>::connect(&server.url()).await.unwrap();
            let store = session_store_sqlx::$store::from_pool_with(pool.clone(), options()).await.unwrap();
            store.close().await;
            assert!(!pool.is_closed());
            sqlx::query("SELECT 1").execute(&pool).await.unwrap();
        }
    };
}

#[cfg(feature = "postgres")]
closing!(postgres, PostgresStore, sqlx::PgPool, Postgres);
#[cfg(feature = "mysql")]
closing!(mysql, MySqlStore, sqlx::MySqlPool, MariaDb);

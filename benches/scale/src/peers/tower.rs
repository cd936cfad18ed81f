//! The stores of tower-sessions.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use time::{Duration, OffsetDateTime};
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{ClientLike as _, Config, Pool};
use tower_sessions_sqlx_store::sqlx::mysql::MySqlPoolOptions;
use tower_sessions_sqlx_store::sqlx::postgres::PgPoolOptions;
use tower_sessions_sqlx_store::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use tower_sessions_sqlx_store::{MySqlStore, PostgresStore, SqliteStore};

use super::{READ, Subject, user};

/// Connections of a pool, as many as ours has by default.
const CONNECTIONS: u32 = 10;

#[must_use]
pub fn subject(name: &'static str, store: impl SessionStore + Clone) -> Subject {
    let (next, ids) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::<Id>::new())));
    let login = {
        let (store, ids) = (store.clone(), Arc::clone(&ids));
        move || {
            let (store, ids) = (store.clone(), Arc::clone(&ids));
            let number = next.fetch_add(1, Ordering::Relaxed);
            async move {
                let user = serde_json::to_value(user(number)).expect("plain data");
                let data = HashMap::from([("user".to_owned(), user)]);
                let mut record = Record {
                    id: Id::default(),
                    data,
                    expiry_date: OffsetDateTime::now_utc() + Duration::DAY,
                };
                store.create(&mut record).await.expect("an answer");
                if number < READ {
                    ids.lock().unwrap_or_else(PoisonError::into_inner).push(record.id);
                }
            }
        }
    };
    let load = move |nth| {
        let store = store.clone();
        let id = ids.lock().unwrap_or_else(PoisonError::into_inner)[nth as usize];
        async move {
            let mut record = store.load(&id).await.expect("an answer").expect("a session");
            // A typed user, as ours, is part of no store of theirs: the value is what the store gives.
            assert!(record.data.remove("user").is_some());
        }
    };
    Subject::new(name, load, login)
}

pub async fn filled(name: &'static str, store: impl SessionStore + Clone) -> Subject {
    let subject = subject(name, store);
    subject.fill(READ).await;
    subject
}

/// As its documentation shows it: a pool of six.
pub async fn redis(url: &str) -> RedisStore<Pool> {
    let pool = Pool::new(Config::from_url(url).expect("a URL"), None, None, None, 6).expect("a pool");
    pool.init().await.expect("a connection");
    RedisStore::new(pool)
}

pub async fn postgres(url: &str) -> PostgresStore {
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(url).await.expect("a connection");
    let store = PostgresStore::new(pool);
    store.migrate().await.expect("a table");
    store
}

pub async fn mysql(url: &str) -> MySqlStore {
    let pool = MySqlPoolOptions::new().max_connections(CONNECTIONS).connect(url).await.expect("a connection");
    let store = MySqlStore::new(pool);
    store.migrate().await.expect("a table");
    store
}

/// With the settings that ours makes.
pub async fn sqlite(path: &str) -> SqliteStore {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(std::time::Duration::from_secs(30));
    let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await;
    let store = SqliteStore::new(pool.expect("a connection"));
    store.migrate().await.expect("a table");
    store
}

//! The drivers alone, on the data of our stores: one command or statement, its answer looked at and no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::Row as _;
use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqlitePoolOptions;

use super::Subject;
use super::ours::id_of;
use crate::sample::{REALM, payload};

/// `GET` of one key and `SET` with a time to live, on one multiplexed connection.
pub async fn redis(url: &str) -> Subject {
    let client = redis::Client::open(url).expect("a URL");
    let connection = client.get_multiplexed_async_connection().await.expect("a connection");
    let (to_read, next) = (connection.clone(), Arc::new(AtomicU64::new(1 << 50)));
    let load = move |nth| {
        let mut connection = to_read.clone();
        async move {
            let [shard, rest @ ..] = *id_of(nth).as_bytes();
            let letters = [b'@' | shard >> 4, b'@' | shard & 15];
            let key = [b"session:{", REALM.as_bytes(), b"/", &letters, b"}", &rest].concat();
            let found: Option<Vec<u8>> =
                redis::cmd("GET").arg(key).query_async(&mut connection).await.expect("an answer");
            assert!(found.is_some());
        }
    };
    let login = move || {
        let (mut connection, number) = (connection.clone(), next.fetch_add(1, Ordering::Relaxed));
        async move {
            let mut set = redis::cmd("SET");
            set.arg(id_of(number).as_bytes()).arg(payload()).arg("NX").arg("EX").arg(86_400);
            set.exec_async(&mut connection).await.expect("an answer");
        }
    };
    Subject::new("raw redis 1.8, GET / SET", load, login)
}

macro_rules! sql {
    ($name:ident, $title:literal, $options:ident, $select:literal) => {
        pub async fn $name(url: &str) -> Subject {
            let pool = $options::new().max_connections(10).connect(url).await.expect("a connection");
            Subject::reading($title, move |nth| {
                let pool = pool.clone();
                async move {
                    let query =
                        sqlx::query($select).bind(REALM.as_bytes()).bind(id_of(nth).as_bytes().to_vec());
                    let row = query.fetch_optional(&pool).await.expect("an answer").expect("a session");
                    assert!(!row.get::<Vec<u8>, _>(3).is_empty());
                }
            })
        }
    };
}

sql!(
    postgres,
    "raw sqlx 0.9, its pool of 10",
    PgPoolOptions,
    "SELECT realm, id, subject, payload, ends_at FROM login_sessions WHERE realm = $1 AND id = $2"
);
sql!(
    mysql,
    "raw sqlx 0.9, its pool of 10",
    MySqlPoolOptions,
    "SELECT realm, id, subject, payload, ends_at FROM login_sessions WHERE realm = ? AND id = ?"
);
sql!(
    sqlite,
    "raw sqlx 0.9, its pool of 10",
    SqlitePoolOptions,
    "SELECT realm, id, subject, payload, ends_at FROM login_sessions WHERE realm = ? AND id = ?"
);

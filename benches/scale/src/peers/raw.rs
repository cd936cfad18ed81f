//! The drivers alone, on the data of our stores: one command or statement, its answer looked at and no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::Row as _;
use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqlitePoolOptions;

use super::ours::id_of;
use super::{READ, Subject};
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

/// One row of a table by its primary key.
macro_rules! sql {
    ($name:ident, $options:ident, $columns:literal, $values:literal, $select:literal) => {
        pub async fn $name(url: &str) -> Subject {
            let pool = $options::new().max_connections(10).connect(url).await.expect("a connection");
            let create = concat!("CREATE TABLE raw_sessions (", $columns, ", ends_at BIGINT NOT NULL)");
            sqlx::query(create).execute(&pool).await.expect("a table");
            let mut filling = pool.begin().await.expect("a transaction");
            for nth in 0..READ {
                let row = sqlx::query(concat!("INSERT INTO raw_sessions VALUES ", $values));
                let row = row.bind(id_of(nth).as_bytes().to_vec()).bind(payload()).bind(i64::MAX);
                row.execute(&mut *filling).await.expect("a row");
            }
            filling.commit().await.expect("rows");
            Subject::reading("raw sqlx 0.9, its pool of 10", move |nth| {
                let pool = pool.clone();
                async move {
                    let query = sqlx::query($select).bind(id_of(nth).as_bytes().to_vec());
                    let row = query.fetch_optional(&pool).await.expect("an answer").expect("a session");
                    assert!(!row.get::<Vec<u8>, _>(1).is_empty());
                }
            })
        }
    };
}

sql!(
    postgres,
    PgPoolOptions,
    "id bytea PRIMARY KEY, payload bytea NOT NULL",
    "($1, $2, $3)",
    "SELECT id, payload, ends_at FROM raw_sessions WHERE id = $1"
);
sql!(
    mysql,
    MySqlPoolOptions,
    "id BINARY(18) PRIMARY KEY, payload BLOB NOT NULL",
    "(?, ?, ?)",
    "SELECT id, payload, ends_at FROM raw_sessions WHERE id = ?"
);
sql!(
    sqlite,
    SqlitePoolOptions,
    "id BLOB PRIMARY KEY, payload BLOB NOT NULL",
    "(?, ?, ?)",
    "SELECT id, payload, ends_at FROM raw_sessions WHERE id = ?"
);

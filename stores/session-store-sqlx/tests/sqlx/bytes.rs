//! What a session costs a database beyond its payload, user agent and address, indexes included.
//!
//! Copies of a session that the store wrote, each with an id and an account of its own, in no order, as logins come;
//! nothing is rebuilt afterwards. Times are spread over a day.

use std::time::Duration;

use session_core::store::{Create, SessionRecord};

use crate::backend::{Backend, REALM, login, now};

#[cfg(any(feature = "sqlite", feature = "postgres"))]
const MANY: u64 = 20_000;
/// InnoDB takes pages in pieces of 64 to 256.
#[cfg(feature = "mysql")]
const VERY_MANY: u64 = 100_000;

/// A session of a month, with a browser as long as they are.
fn usual() -> SessionRecord {
    login("user-0000000").with(|record| {
        record.payload = vec![b'x'; 105];
        record.user_agent = Some("u".repeat(101));
        record.first_used_at = Some(now());
        record.expires_at = now().plus(Duration::from_secs(30 * 86_400));
    })
}

/// Payload, user agent and address.
const OF_THE_USERS: u64 = 105 + 101 + 4;

/// A table of copies, by a statement with `{table}` for its name and `{many}` for their number.
async fn filled<B: Backend>(many: u64, copies: &str) -> Option<(B, String)> {
    let backend = B::start()?;
    let (options, table) = backend.options();
    let store = backend.connect(options).await.unwrap();
    store.create(REALM, &usual(), Create::default(), now()).await.unwrap();
    backend.run(&copies.replace("{table}", &table).replace("{many}", &many.to_string())).await;
    Some((backend, table))
}

fn assert_at_most(bound: u64, bytes: u64, many: u64) {
    let beyond = bytes / many - OF_THE_USERS;
    println!("{beyond} bytes a session");
    assert!(beyond <= bound, "{beyond} bytes a session, and no more than {bound} are fine");
    assert!(beyond > bound - 20, "{beyond} bytes a session: lower the bound of {bound}");
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_session_in_postgresql() {
    let copies = "INSERT INTO {table}
        SELECT t.realm, 0, t.last_seen - age, t.ends_at - age, decode(md5(n::text) || '0a0b', 'hex'),
            convert_to('user-' || lpad(n::text, 7, '0'), 'UTF8'), t.details, t.ip_address, t.payload, t.user_agent
        FROM {table} t, generate_series(1, {many}) AS n, LATERAL (SELECT abs(hashint4(n) % 86400) AS age) AS ages";
    let Some((backend, table)) = filled::<crate::backend::Postgres>(MANY, copies).await else { return };
    let bytes = backend.0.run(&format!("SELECT pg_total_relation_size('{table}')"));
    assert_at_most(200, bytes.trim().parse().unwrap(), MANY);
}

#[cfg(feature = "mysql")]
#[tokio::test]
async fn a_session_in_mariadb() {
    let copies = "INSERT INTO {table} (lookup, realm, account, version, last_seen, ends_at, id, subject, details,
            ip_address, payload, user_agent)
        SELECT CAST(CONV(LEFT(MD5(seq), 15), 16, 10) AS SIGNED), t.realm,
            CAST(CONV(RIGHT(MD5(seq), 7), 16, 10) AS SIGNED), 0, t.last_seen - CRC32(seq) % 86400,
            t.ends_at - CRC32(seq) % 86400, UNHEX(CONCAT(MD5(seq), '0a0b')), CONCAT('user-', LPAD(seq, 7, '0')), t.details,
            t.ip_address, t.payload, t.user_agent
        FROM {table} t, seq_1_to_{many}; ANALYZE TABLE {table}";
    let Some((backend, table)) = filled::<crate::backend::MySql>(VERY_MANY, copies).await else { return };
    let bytes = backend.0.run(&format!(
        "SELECT sum(stat_value) * 16384 FROM mysql.innodb_index_stats WHERE table_name = '{table}' AND stat_name = 'size'"
    ));
    assert_at_most(285, bytes.trim().parse().unwrap(), VERY_MANY);
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_session_in_sqlite() {
    let copies = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {many})
        INSERT INTO {table} SELECT random(), t.realm, random() >> 32, 0, t.last_seen - abs(random() % 86400),
            t.ends_at - abs(random() % 86400), randomblob(18), CAST(printf('user-%07d', n) AS BLOB), t.details, t.ip_address,
            t.payload, t.user_agent
        FROM numbers, (SELECT * FROM {table} LIMIT 1) t; PRAGMA wal_checkpoint(TRUNCATE)";
    let Some((backend, _)) = filled::<crate::backend::Sqlite>(MANY, copies).await else { return };
    let bytes = std::fs::metadata(backend.file().get_filename()).unwrap().len();
    assert_at_most(165, bytes, MANY);
}

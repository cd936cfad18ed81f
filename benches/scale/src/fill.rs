//! Filling a store.

use std::ops::Range;
use std::sync::Arc;

use session_core::store::{Create, Created, SessionStore};

use crate::db::Db;
use crate::sample::{REALM, Sample};

const CLIENTS: u64 = 64;
/// Rows of one statement.
const TOGETHER: usize = 400;

/// Through the store's own `create`.
pub async fn through(store: &Arc<dyn SessionStore>, sample: Sample, numbers: Range<u64>) {
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (store, numbers) = (Arc::clone(store), numbers.clone());
            tokio::spawn(async move {
                for number in numbers.skip(client as usize).step_by(CLIENTS as usize) {
                    let record = sample.record(number);
                    let created = store.create(REALM, &record, Create::default(), sample.now).await;
                    assert_eq!(created.expect("an answer"), Created::Done { evicted: Vec::new() });
                }
            })
        })
        .collect();
    for client in clients {
        client.await.expect("a client");
    }
}

/// In bulk: copies of a row that the store wrote, each with an id, a subject and times of its own.
pub async fn in_bulk(db: &mut Db, table: &str, sample: Sample, numbers: Range<u64>) {
    let template = db.literal(sample.id(TEMPLATE).as_bytes());
    let numbers: Vec<u64> = numbers.collect();
    db.run("BEGIN").await;
    for numbers in numbers.chunks(TOGETHER) {
        let rows: Vec<String> = numbers
            .iter()
            .map(|&number| {
                let (id, subject) =
                    (db.literal(sample.id(number).as_bytes()), db.literal(sample.subject(number).as_bytes()));
                format!(
                    "({id}, {subject}, {})",
                    sample.age(number).cast_signed() - sample.age(TEMPLATE).cast_signed()
                )
            })
            .collect();
        db.run(format!(
            "INSERT INTO {table} (realm, id, subject, version, payload, authenticated_at, last_seen, generation,
                 issued_at, expires_at, first_used_at, ends_at, user_agent, ip_address)
             WITH fresh (id, subject, age) AS (VALUES {})
             SELECT t.realm, fresh.id, fresh.subject, t.version, t.payload, t.authenticated_at - fresh.age,
                 t.last_seen - fresh.age, t.generation, t.issued_at - fresh.age, t.expires_at - fresh.age,
                 t.first_used_at - fresh.age, t.ends_at - fresh.age, t.user_agent, t.ip_address
             FROM fresh, {table} t WHERE t.realm = {} AND t.id = {template}",
            rows.join(", "),
            db.literal(REALM.as_bytes()),
        ))
        .await;
    }
    db.run("COMMIT").await;
}

/// The session that the others are copied from.
pub const TEMPLATE: u64 = 0;

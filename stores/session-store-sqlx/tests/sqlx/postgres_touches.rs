//! Touches that arrive together in PostgreSQL: one statement for many sessions, and an answer for each caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use session_core::Timestamp;
use session_core::store::{Create, RecordKey, SessionRecord, SessionStore as _, Touch};
use session_store_sqlx::{PostgresStore, StoreOptions};
use session_test_servers::{Sql, SqlServer};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::backend::{REALM, fresh_table, login, now};
use crate::round_trips::proxy;

const INTERVAL: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(60);
const TOUCH: Touch = touch_of(5);

const fn touch_of(generation: u64) -> Touch {
    Touch::new(INTERVAL, Some(Duration::from_secs(3600)), generation, Duration::ZERO)
}

/// Sessions of generation 5 whose time has come at the moment in the answer.
async fn due(store: &PostgresStore, count: usize) -> (Vec<SessionRecord>, Timestamp) {
    let begin = now();
    let mut records = Vec::new();
    for _ in 0..count {
        let record = login("ann").with(|record| {
            record.generation = 5;
            record.first_used_at = Some(begin);
            record.last_seen = begin;
        });
        store.create(REALM, &record, Create::default(), begin).await.unwrap();
        records.push(record);
    }
    (records, begin.plus(INTERVAL))
}

type Reading = JoinHandle<Option<SessionRecord>>;

fn touch(store: &Arc<PostgresStore>, record: &SessionRecord, generation: u64, at: Timestamp) -> Reading {
    let (store, id) = (Arc::clone(store), record.id);
    let touch = touch_of(generation);
    tokio::spawn(
        async move { store.read_and_touch(RecordKey { realm: REALM, id }, touch, at).await.unwrap() },
    )
}

async fn connect(server: &SqlServer, table: &str) -> Arc<PostgresStore> {
    let options = StoreOptions::default().table(table);
    Arc::new(PostgresStore::connect_with(&server.url(), options).await.unwrap())
}

/// On a loaded machine a touch may take too long, and the next ones pause: then it is tried again with other sessions.
async fn until_nothing_was_late(mut attempt: impl AsyncFnMut() -> bool) {
    for _ in 0..20 {
        if attempt().await {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("touches are late again and again");
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_touches_at_once_are_few_statements_and_each_caller_has_its_own_answer() {
    let Some(server) = SqlServer::shared(Sql::Postgres) else { return };
    let folder = tempfile::tempdir().unwrap();
    let asked: Arc<AtomicUsize> = proxy(&server.socket(), &folder.path().join(".s.PGSQL.5432"));
    let url = format!("postgres://postgres@localhost/sessions?host={}", folder.path().display());
    let (table, mut fewest) = (fresh_table(), usize::MAX);
    let options = StoreOptions::default().table(&table).max_connections(1).announce(false);
    let store = Arc::new(PostgresStore::connect_with(&url, options).await.unwrap());
    let other = connect(server, &table).await;
    until_nothing_was_late(async || {
        let (records, later) = due(&store, 64).await;
        let [gone, stale, early] = [0, 1, 2];
        store.delete(RecordKey { realm: REALM, id: records[gone].id }).await.unwrap();
        let before = asked.load(Ordering::SeqCst);
        let readings = records.iter().enumerate().map(|(at, record)| {
            let generation = if at == stale { 3 } else { 5 };
            let now = if at == early { later.minus(Duration::from_secs(1)) } else { later };
            touch(&store, record, generation, now)
        });
        let found: Vec<_> = join_all(readings).await.into_iter().map(Result::unwrap).collect();
        fewest = fewest.min(asked.load(Ordering::SeqCst) - before);
        let moved = found.iter().flatten().filter(|found| found.last_seen == later).count();
        if moved != 61 {
            return false;
        }
        for (at, (found, record)) in found.iter().zip(&records).enumerate() {
            let wanted = match at {
                _ if at == gone => None,
                _ if at == stale || at == early => Some(record.clone()),
                _ => Some(TOUCH.apply(record, later).unwrap()),
            };
            assert_eq!(*found, wanted, "{at}");
            // What was answered is committed.
            let key = RecordKey { realm: REALM, id: record.id };
            assert_eq!(other.read(key, later).await.unwrap(), wanted, "{at}");
        }
        fewest <= 16
    })
    .await;
    println!("{fewest} statements for 64 touches");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gives_up_a_touch_costs_the_others_nothing() {
    let Some(server) = SqlServer::shared(Sql::Postgres) else { return };
    let store = connect(server, &fresh_table()).await;
    until_nothing_was_late(async || {
        let (records, later) = due(&store, 64).await;
        let mut readings: Vec<_> = records.iter().map(|record| touch(&store, record, 5, later)).collect();
        tokio::task::yield_now().await;
        let stay = readings.split_off(32);
        readings.iter().for_each(JoinHandle::abort);
        let found: Vec<_> = join_all(stay).await.into_iter().map(|found| found.unwrap().unwrap()).collect();
        found.iter().all(|found| found.last_seen == later)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_that_touch_the_same_sessions_in_other_orders_do_not_wait_for_each_other() {
    let Some(server) = SqlServer::shared(Sql::Postgres) else { return };
    let table = fresh_table();
    let stores = [connect(server, &table).await, connect(server, &table).await];
    until_nothing_was_late(async || {
        let (records, later) = due(&stores[0], 64).await;
        let here = records.iter().map(|record| touch(&stores[0], record, 5, later));
        let there = records.iter().rev().map(|record| touch(&stores[1], record, 5, later));
        let readings: Vec<_> = here.chain(there).collect();
        let found = timeout(PATIENCE, join_all(readings)).await.expect("they wait for each other");
        assert!(found.into_iter().all(|found| found.unwrap().is_some()));
        let mut all = true;
        for record in &records {
            let found =
                stores[0].read(RecordKey { realm: REALM, id: record.id }, later).await.unwrap().unwrap();
            all &= found.last_seen == later;
            assert!(found.version <= record.version + 1, "it was touched twice");
        }
        all
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_server_refuses_to_touch_costs_the_others_no_touch() {
    let Some(server) = SqlServer::shared(Sql::Postgres) else { return };
    let table = fresh_table();
    let store = connect(server, &table).await;
    server.run(&format!(
        "CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.subject = 'refused' THEN RAISE EXCEPTION 'as told'; END IF; RETURN NEW; END $$;
         CREATE TRIGGER refuse BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_refuse()"
    ));
    until_nothing_was_late(async || {
        let (mut records, later) = due(&store, 31).await;
        let refused = login("refused").with(|record| record.last_seen = records[0].last_seen);
        store.create(REALM, &refused, Create::default(), now()).await.unwrap();
        records.insert(7, refused.clone());
        let readings: Vec<_> = records.iter().map(|record| touch(&store, record, 5, later)).collect();
        let found: Vec<_> =
            join_all(readings).await.into_iter().map(|found| found.unwrap().unwrap()).collect();
        assert_eq!(found[7], refused);
        found.iter().filter(|found| found.last_seen == later).count() == 31
    })
    .await;
}

//! Servers that die, hang and come back.

use std::time::Duration;

use session_core::store::{Create, Created, RecordKey, SessionLimit, SessionStore};
use session_store_sqlx::StoreOptions;
use session_test_servers::{Sql, SqlServer};
use tokio::time::timeout;

use crate::backend::{REALM, fresh_table, login, now};

macro_rules! on_servers {
    ($($test:ident)*) => {
        #[cfg(feature = "postgres")]
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")] async fn $test() {
                let connect = async |url: String, options| session_store_sqlx::PostgresStore::connect_with(&url, options).await.unwrap();
                super::$test(session_test_servers::Sql::Postgres, connect).await;
            })*
        }
        #[cfg(feature = "mysql")]
        mod mysql {
            $(#[tokio::test(flavor = "multi_thread")] async fn $test() {
                let connect = async |url: String, options| session_store_sqlx::MySqlStore::connect_with(&url, options).await.unwrap();
                super::$test(session_test_servers::Sql::MariaDb, connect).await;
            })*
        }
    };
}

on_servers! {
    a_killed_and_restarted_server_loses_nothing_that_was_acknowledged
    a_server_that_hangs_costs_no_connection
    connections_that_the_server_closed_are_noticed
    a_login_that_was_given_up_holds_no_lock
}

async fn a_killed_and_restarted_server_loses_nothing_that_was_acknowledged<S: SessionStore>(
    kind: Sql,
    connect: impl AsyncFn(String, StoreOptions) -> S,
) {
    let Some(mut server) = SqlServer::start(kind) else { return };
    let store = connect(server.url(), StoreOptions::default()).await;
    let mut records = Vec::new();
    for _ in 0..10 {
        let record = login("ann");
        store.create(REALM, &record, Create::default(), now()).await.unwrap();
        records.push(record);
    }
    let ended = records.pop().unwrap();
    assert!(store.delete(RecordKey { realm: REALM, id: ended.id }).await.unwrap());
    server.kill();
    for _ in 0..2 {
        let error = store.read(RecordKey { realm: REALM, id: ended.id }, now()).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        let error = store.delete(RecordKey { realm: REALM, id: ended.id }).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
    }
    server.restart();
    for record in &records {
        let read = store.read(RecordKey { realm: REALM, id: record.id }, now()).await.unwrap();
        assert_eq!(read.as_ref(), Some(record));
    }
    assert_eq!(store.read(RecordKey { realm: REALM, id: ended.id }, now()).await.unwrap(), None);
    store.create(REALM, &login("ann"), Create::default(), now()).await.unwrap();
}

async fn a_server_that_hangs_costs_no_connection<S: SessionStore>(
    kind: Sql,
    connect: impl AsyncFn(String, StoreOptions) -> S,
) {
    let Some(server) = SqlServer::start(kind) else { return };
    let store = connect(server.url(), StoreOptions::default().max_connections(2)).await;
    let record = login("ann");
    let key = RecordKey { realm: REALM, id: record.id };
    store.create(REALM, &record, Create::default(), now()).await.unwrap();
    server.pause();
    for _ in 0..6 {
        let read = timeout(Duration::from_millis(100), store.read(key, now())).await;
        assert!(read.is_err(), "nobody answers");
    }
    server.resume();
    let read = timeout(Duration::from_secs(10), store.read(key, now())).await.unwrap();
    assert_eq!(read.unwrap(), Some(record));
}

async fn connections_that_the_server_closed_are_noticed<S: SessionStore>(
    kind: Sql,
    connect: impl AsyncFn(String, StoreOptions) -> S,
) {
    let Some(server) = SqlServer::start(kind) else { return };
    let store = connect(server.url(), StoreOptions::default()).await;
    let record = login("ann");
    let key = RecordKey { realm: REALM, id: record.id };
    store.create(REALM, &record, Create::default(), now()).await.unwrap();
    for round in 0..6 {
        // Several idle connections.
        futures_util::future::join_all((0..8).map(|_| store.read(key, now()))).await;
        close_all_connections(&server, kind);
        let read = store.read(key, now()).await.unwrap();
        assert_eq!(read.as_ref(), Some(&record), "round {round}: a read is tried again");
        store.create(REALM, &login("bob"), Create::default(), now()).await.unwrap();
    }
    close_all_connections(&server, kind);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    store.delete(key).await.expect("after a pause a connection is asked before it is trusted with a write");
}

fn close_all_connections(server: &SqlServer, kind: Sql) {
    let list = match kind {
        Sql::Postgres => {
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        }
        Sql::MariaDb => {
            "SELECT id FROM information_schema.processlist WHERE user = 'root' AND id <> connection_id()"
        }
    };
    for id in server.run(list).lines().filter(|_| kind == Sql::MariaDb) {
        // Among them is the client that ran the last statement, if it has not left yet.
        let is_closed = server.tries(&format!("KILL CONNECTION {id}"));
        assert!(is_closed || !server.run(list).lines().any(|listed| listed == id), "{id}");
    }
}

async fn a_login_that_was_given_up_holds_no_lock<S: SessionStore>(
    kind: Sql,
    connect: impl AsyncFn(String, StoreOptions) -> S,
) {
    let Some(server) = SqlServer::shared(kind) else { return };
    let options = StoreOptions::default().table(fresh_table());
    let store = connect(server.url(), options).await;
    let limit = Some(SessionLimit::EvictLeastRecentlySeen(3));
    let options = Create::new(None, limit);
    for micros in (0..4000).step_by(40) {
        // Given up at every stage.
        let login = login("ann");
        let _ = timeout(Duration::from_micros(micros), store.create(REALM, &login, options, now())).await;
    }
    let login = login("ann");
    let create = timeout(Duration::from_secs(5), store.create(REALM, &login, options, now())).await;
    assert!(matches!(create.unwrap().unwrap(), Created::Done { .. }));
    let account = session_core::store::Account { realm: REALM, subject: "ann" };
    assert!(store.list(account, now()).await.unwrap().len() <= 3);
}

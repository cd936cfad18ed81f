//! A server that dies, stops, restarts, or is replaced.

use std::time::Duration;

use session_core::store::{Create, SessionStore};

use crate::load::Load;
use crate::support::{Bench, Server, done, needs_redis, run};

/// Everything acknowledged is on the disk.
const DURABLE: &[&str] = &["--appendonly", "yes", "--appendfsync", "always", "--save", ""];

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_loses_nothing_that_was_acknowledged() {
    needs_redis!();
    let mut server = Server::start(DURABLE);
    let bench = Bench::new(server.store().await);
    let load = Load::on(&bench);
    for round in 1..=3 {
        load.succeeds(20).await;
        server.kill();
        load.fails(round * 100).await;
        server.run();
        println!("recovered {:?} after the server took connections again", load.succeeds(1).await);
    }
    let log = load.stop("kill -9 and restart, three times", &bench).await;
    assert_eq!(log.lost, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_ends_calls_at_the_deadline_and_goes_on() {
    needs_redis!();
    let server = Server::start(&["--save", ""]);
    let bench = Bench::new(server.store().await);
    let load = Load::on(&bench);
    load.succeeds(20).await;
    server.signal("STOP");
    load.fails(1).await;
    server.signal("CONT");
    println!("recovered {:?} after the server went on", load.succeeds(1).await);
    load.succeeds(20).await;
    let log = load.stop("stopped and continued", &bench).await;
    assert_eq!(log.lost, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_killed_under_load_fail_some_writes_and_no_read() {
    needs_redis!();
    let server = Server::start(&["--save", ""]);
    let bench = Bench::new(server.store().await);
    let load = Load::on(&bench);
    for _ in 0..20 {
        load.succeeds(5).await;
        run(&mut server.admin(), &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    }
    println!("recovered in {:?}", load.succeeds(1).await);
    let log = load.stop("all connections killed, twenty times", &bench).await;
    assert_eq!((log.lost, log.failed_reads), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_flushed_under_load_fail_no_call() {
    needs_redis!();
    let server = Server::start(&["--save", ""]);
    let bench = Bench::new(server.store().await);
    let load = Load::on(&bench);
    for _ in 0..100 {
        load.succeeds(1).await;
        run(&mut server.admin(), &["SCRIPT", "FLUSH"]);
    }
    let log = load.stop("scripts flushed, a hundred times", &bench).await;
    assert_eq!((log.lost, log.failed), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_fails_calls_at_once() {
    needs_redis!();
    let mut server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let record = bench.stored("ann").await;
    server.kill();
    for _ in 0..3 {
        let start = std::time::Instant::now();
        let error = bench.store.read(bench.key(record.id), bench.now).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_work_again_after_a_restart() {
    needs_redis!();
    let mut server = Server::start(DURABLE);
    let bench = Bench::new(server.store().await);
    let record = bench.stored("ann").await;
    for _ in 0..3 {
        server.kill();
        server.run();
        recovered(&bench).await;
        assert_eq!(bench.read(record.id).await, Some(record.clone()));
        bench.stored("ann").await;
    }
    assert_eq!(bench.list("ann").await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_connection_is_not_noticed_by_reads() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let record = bench.stored("ann").await;
    for _ in 0..20 {
        run(&mut server.admin(), &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        assert_eq!(bench.read(record.id).await, Some(record.clone()));
        assert_eq!(bench.list("ann").await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_answers_when_it_goes_on() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let record = bench.stored("ann").await;
    server.signal("STOP");
    let waiting = tokio::time::timeout(Duration::from_millis(300), bench.read(record.id)).await;
    assert!(waiting.is_err(), "it waits, and core's deadline ends that");
    server.signal("CONT");
    assert_eq!(bench.read(record.id).await, Some(record));
}

#[tokio::test]
async fn what_is_never_answered_keeps_no_read_waiting_once_the_server_goes_on() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let record = bench.stored("ann").await;
    server.signal("STOP");
    // From here on time passes as fast as somebody waits for it.
    tokio::time::pause();
    let read = || bench.store.read(bench.key(record.id), bench.now);
    // More than can be under way at once.
    for answer in futures_util::future::join_all((0..8).map(|_| read())).await {
        assert!(answer.unwrap_err().is_retryable());
    }
    tokio::time::resume();
    server.signal("CONT");
    assert_eq!(bench.read(record.id).await, Some(record));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_became_a_replica_is_unavailable_until_it_is_primary_again() {
    needs_redis!();
    let server = Server::start(&["--replica-serve-stale-data", "yes"]);
    let bench = Bench::new(server.store().await);
    let record = bench.stored("ann").await;
    let mut admin = server.admin();
    run(&mut admin, &["REPLICAOF", "127.0.0.1", "1"]);
    let error = bench.store.create(&bench.realm, &bench.login("ann"), Create::default(), bench.now).await;
    assert!(error.is_err_and(|error| error.is_retryable() && error.to_string().contains("replica")));
    run(&mut admin, &["REPLICAOF", "NO", "ONE"]);
    assert_eq!(bench.create(&bench.login("ann"), Create::default()).await, done());
    assert!(bench.store.delete(bench.key(record.id)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_the_users_own_connection_recovers_too() {
    needs_redis!();
    let mut server = Server::start(DURABLE);
    let manager = redis::Client::open(server.url()).unwrap().get_connection_manager().await.unwrap();
    let bench = Bench::new(manager.into());
    let record = bench.stored("ann").await;
    server.kill();
    server.run();
    recovered(&bench).await;
    assert_eq!(bench.read(record.id).await, Some(record));
}

/// Waits until writes succeed again; until then every error must be one that passes.
async fn recovered(bench: &Bench) {
    for _ in 0..300 {
        match bench.store.delete(bench.key(crate::support::random_id())).await {
            Ok(_) => return,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the store did not recover");
}

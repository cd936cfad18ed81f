//! A server that dies, stops, restarts, or is replaced.

use std::time::Duration;

use session_core::store::{Create, Created, SessionStore};

use crate::support::{Bench, Server, done, needs_redis, run};

/// Everything acknowledged is on the disk.
const DURABLE: &[&str] = &["--appendonly", "yes", "--appendfsync", "always", "--save", ""];

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_loses_nothing_that_was_acknowledged() {
    needs_redis!();
    let mut server = Server::start(DURABLE);
    let bench = Bench::new(server.store().await);
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let bench = bench.clone();
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                loop {
                    let record = bench.login("ann");
                    match bench.store.create(&bench.realm, &record, Create::default(), bench.now).await {
                        Ok(Created::Done { .. }) => acknowledged.push(record),
                        Ok(other) => panic!("{other:?}"),
                        Err(error) => {
                            assert!(error.is_retryable(), "{error}");
                            return acknowledged;
                        }
                    }
                }
            })
        })
        .collect();
    while bench.list("ann").await.len() < 50 {
        tokio::task::yield_now().await;
    }
    server.kill();
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    let record = acknowledged.first().unwrap();
    for _ in 0..3 {
        let start = std::time::Instant::now();
        let error = bench.store.read(bench.key(record.id), bench.now).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert!(start.elapsed() < Duration::from_secs(1), "fails at once: {:?}", start.elapsed());
    }
    server.run();
    // Loading is one more passing error.
    recovered(&bench).await;
    let there = bench.list("ann").await;
    assert!(acknowledged.len() >= 50);
    assert!(acknowledged.iter().all(|record| there.contains(record)));
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

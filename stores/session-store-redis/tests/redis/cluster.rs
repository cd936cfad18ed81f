//! Three nodes that share the slots.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::Value;
use session_core::store::{Create, Replaces, SessionStore};
use session_store_redis::RedisStore;

use crate::load::Load;
use crate::support::{Bench, Cluster, Server, ask, done, evicting, needs_redis, replacing, run, wait_for};

/// How many sessions, indexes and epochs of a realm each node holds.
fn spread(cluster: &Cluster, bench: &Bench) -> BTreeMap<u16, usize> {
    let count = |node: &Server| {
        let keys: Vec<Vec<u8>> =
            redis::cmd("KEYS").arg(format!("{}*", bench.base())).query(&mut node.admin()).unwrap();
        (node.port, keys.len())
    };
    cluster.nodes.iter().map(count).filter(|(_, keys)| *keys > 0).collect()
}

/// The place of the node that has the realm.
fn home(cluster: &Cluster, bench: &Bench) -> usize {
    let port = *spread(cluster, bench).keys().next().unwrap();
    cluster.nodes.iter().position(|node| node.port == port).unwrap()
}

pub(crate) async fn bench_on(cluster: &Cluster, store: &RedisStore, place: usize) -> Bench {
    loop {
        let bench = Bench::new(store.clone());
        bench.stored("ann").await;
        if home(cluster, &bench) == place {
            return bench;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_realm_is_in_one_slot_and_realms_spread() {
    needs_redis!();
    let cluster = Cluster::shared();
    let store = cluster.store().await;
    let mut used = BTreeMap::new();
    for _ in 0..30 {
        let bench = Bench::new(store.clone());
        let first = bench.stored("ann").await;
        for subject in ["ann", "bob", "carl"] {
            bench.create(&bench.login(subject), evicting(2)).await;
        }
        bench.create(&bench.login("carl"), replacing(Replaces::IfPresent(first.id))).await;
        let spread = spread(cluster, &bench);
        assert_eq!(spread.len(), 1, "one node has them all");
        let slot: u16 = ask(&mut cluster.nodes[0].admin(), &["CLUSTER", "KEYSLOT", &bench.base()]);
        let keys: usize = ask(
            &mut cluster.nodes[home(cluster, &bench)].admin(),
            &["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()],
        );
        // A realm of another test may share the slot.
        assert!(keys >= spread.values().sum::<usize>());
        used.extend(spread);
    }
    assert_eq!(used.len(), 3, "every node has some realm");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_ended_on_the_node_that_has_them() {
    needs_redis!();
    let cluster = Cluster::shared();
    let bench = Bench::new(cluster.store().await);
    for place in 0..1_500 {
        bench.stored(&format!("user-{}", place % 300)).await;
    }
    assert_eq!(bench.store.delete_realm(&bench.realm, crate::MARK).await.unwrap(), 1_500);
    assert_eq!(spread(cluster, &bench).values().sum::<usize>(), 1, "the epoch stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flushed_script_cache_is_noticed_by_nobody() {
    needs_redis!();
    let cluster = Cluster::start();
    let bench = Bench::new(cluster.store().await);
    for _ in 0..5 {
        for node in &cluster.nodes {
            run(&mut node.admin(), &["SCRIPT", "FLUSH"]);
        }
        let record = bench.stored("ann").await;
        assert!(bench.store.delete(bench.key(record.id)).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_the_wrong_kind_is_told() {
    needs_redis!();
    let error = RedisStore::connect(&Cluster::shared().nodes[0].url()).await.unwrap_err();
    assert!(!error.is_retryable() && error.to_string().contains("redis-cluster://"), "{error}");
    let single = Server::shared().url().replace("redis://", "redis-cluster://");
    let error = RedisStore::connect(&single).await.unwrap_err();
    assert!(!error.is_retryable() && error.to_string().contains("redis:// or rediss://"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told() {
    needs_redis!();
    let cluster = Cluster::start();
    for node in &cluster.nodes {
        run(&mut node.admin(), &["ACL", "SETUSER", "app", "on", ">correct", "~session:*", "+@all"]);
    }
    let url = |credentials: &str| cluster.url().replace("://", &format!("://{credentials}@"));
    for credentials in ["app:secret", "nobody:secret"] {
        let error = RedisStore::connect(&url(credentials)).await.unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(!error.is_retryable() && error.to_string().contains("password"), "{error}");
    }
    let bench = Bench::new(RedisStore::connect(&url("app:correct")).await.unwrap());
    bench.stored("ann").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_node_takes_its_realms_only_and_they_come_back() {
    needs_redis!();
    let mut cluster = Cluster::start();
    for node in &cluster.nodes {
        run(&mut node.admin(), &["CONFIG", "SET", "appendonly", "yes"]);
        run(&mut node.admin(), &["CONFIG", "SET", "appendfsync", "always"]);
        run(&mut node.admin(), &["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    }
    let store = cluster.store().await;
    let (here, there) = (bench_on(&cluster, &store, 0).await, bench_on(&cluster, &store, 1).await);
    let record = here.stored("bob").await;
    wait_for("the append-only file", || {
        let info: String = ask(&mut cluster.nodes[0].admin(), &["INFO", "persistence"]);
        info.contains("aof_rewrite_in_progress:0") && info.contains("aof_enabled:1")
    });
    cluster.nodes[0].kill();
    let error =
        here.store.create(&here.realm, &here.login("ann"), Create::default(), here.now).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let login = there.login("carl");
    let other = eventually(|| there.store.create(&there.realm, &login, Create::default(), there.now)).await;
    assert_eq!(other, done(), "the other node's realm works");
    cluster.nodes[0].enable_append_only();
    cluster.nodes[0].run();
    cluster.wait_until_ok();
    let found = eventually(|| here.store.read(here.key(record.id), here.now)).await;
    assert_eq!(found, Some(record));
    assert_eq!(eventually(|| here.store.list(here.account("ann"), here.now)).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_moved_is_found() {
    needs_redis!();
    let cluster = Cluster::start();
    let bench = bench_on(&cluster, &cluster.store().await, 0).await;
    run(&mut cluster.nodes[0].admin(), &["FLUSHALL"]);
    let slot: u16 = ask(&mut cluster.nodes[0].admin(), &["CLUSTER", "KEYSLOT", &bench.base()]);
    let target: String = ask(&mut cluster.nodes[2].admin(), &["CLUSTER", "MYID"]);
    // The new owner first, as the cluster specification has it.
    for place in [2, 0, 1] {
        run(
            &mut cluster.nodes[place].admin(),
            &["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", target.trim()],
        );
    }
    let record = bench.stored("ann").await;
    assert_eq!(bench.read(record.id).await, Some(record));
    assert_eq!(home(&cluster, &bench), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_takes_over() {
    needs_redis!();
    let mut cluster = Cluster::start();
    let store = cluster.store().await;
    let bench = bench_on(&cluster, &store, 0).await;
    let record = bench.stored("bob").await;
    let _replica = cluster.replica_of(0);
    cluster.nodes[0].kill();
    let found = eventually(|| bench.store.read(bench.key(record.id), bench.now)).await;
    assert_eq!(found, Some(record.clone()));
    assert!(eventually(|| bench.store.delete(bench.key(record.id))).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_flushed_and_connections_killed_under_load_fail_no_read() {
    needs_redis!();
    let cluster = Cluster::start();
    let bench = bench_on(&cluster, &cluster.store().await, 0).await;
    let load = Load::on(&bench);
    for _ in 0..50 {
        load.succeeds(1).await;
        run(&mut cluster.nodes[0].admin(), &["SCRIPT", "FLUSH"]);
    }
    assert_eq!(load.failed(), 0);
    for _ in 0..20 {
        load.succeeds(5).await;
        run(&mut cluster.nodes[0].admin(), &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    }
    println!("recovered in {:?}", load.succeeds(1).await);
    let log = load.stop("connections to a node of a cluster killed, twenty times", &bench).await;
    assert_eq!((log.lost, log.failed_reads), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graceful_failover_under_load_loses_nothing() {
    needs_redis!();
    let cluster = Cluster::start();
    let bench = bench_on(&cluster, &cluster.store().await, 0).await;
    let replica = cluster.replica_of(0);
    let load = Load::on(&bench);
    load.succeeds(20).await;
    run(&mut replica.admin(), &["CLUSTER", "FAILOVER"]);
    let start = std::time::Instant::now();
    wait_for("the failover", || {
        ask::<Vec<Value>>(&mut replica.admin(), &["ROLE"]).first() == Some(&bulk("master"))
    });
    load.succeeds(1).await;
    println!("recovered {:?} after the command", start.elapsed());
    load.succeeds(20).await;
    let log = load.stop("CLUSTER FAILOVER", &bench).await;
    assert_eq!(log.lost, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_killed_under_load_is_replaced_by_its_replica() {
    needs_redis!();
    let mut cluster = Cluster::start();
    let bench = bench_on(&cluster, &cluster.store().await, 0).await;
    let record = bench.stored("bob").await;
    let replica = cluster.replica_of(0);
    let load = Load::on(&bench);
    load.succeeds(20).await;
    cluster.nodes[0].kill();
    load.fails(1).await;
    println!("recovered {:?} after the first failure", load.succeeds(1).await);
    assert_eq!(ask::<Vec<Value>>(&mut replica.admin(), &["ROLE"]).first(), Some(&bulk("master")));
    load.succeeds(20).await;
    // What the primary acknowledged last and had not passed on can be lost: replication is asynchronous.
    load.stop("kill -9 of a primary with a replica", &bench).await;
    assert_eq!(bench.read(record.id).await, Some(record));
}

fn bulk(text: &str) -> Value {
    Value::BulkString(text.into())
}

/// Tries until it succeeds; every error on the way must be one that passes.
async fn eventually<T, F: Future<Output = Result<T, session_core::store::StoreError>>>(
    call: impl Fn() -> F,
) -> T {
    for _ in 0..600 {
        match tokio::time::timeout(Duration::from_secs(2), call()).await {
            Ok(Ok(answer)) => return answer,
            Ok(Err(error)) => assert!(error.is_retryable(), "{error}"),
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the store did not recover");
}

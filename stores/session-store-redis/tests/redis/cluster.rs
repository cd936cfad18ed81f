//! Three primaries that share the slots, each with a replica.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use redis::Value;
use session_core::store::{Create, RecordKey, Replaces, SessionStore};
use session_store_redis::RedisStore;

use crate::load::Load;
use crate::support::{Bench, Cluster, Server, ask, done, evicting, needs_redis, replacing, run, wait_for};

/// How many sessions, indexes and epochs of a realm each node holds.
fn spread(cluster: &Cluster, bench: &Bench) -> BTreeMap<u16, usize> {
    let count = |node: &Server| {
        let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg(bench.all()).query(&mut node.admin()).unwrap();
        (node.port, keys.len())
    };
    cluster.nodes.iter().map(count).filter(|(_, keys)| *keys > 0).collect()
}

/// The slot of Ann's shard.
fn slot_of(cluster: &Cluster, bench: &Bench) -> u16 {
    ask(&mut cluster.nodes[0].admin(), &["CLUSTER", "KEYSLOT", &bench.base()])
}

/// A realm of which Ann is on this node, as the slots were given out, and logged in.
pub(crate) async fn bench_on(cluster: &Cluster, store: &RedisStore, place: usize) -> Bench {
    loop {
        let bench = Bench::new(store.clone());
        if usize::from(slot_of(cluster, &bench)) / 5_462 == place {
            bench.stored("ann").await;
            return bench;
        }
    }
}

/// How many commands each node has run on keys, in scripts and outside.
fn commands(cluster: &Cluster) -> Vec<u64> {
    let count = |node: &Server| {
        let stats: String = ask(&mut node.admin(), &["INFO", "commandstats"]);
        let calls = |line: &str| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let counts = ["get", "set", "mget", "hset", "hmget", "evalsha", "eval"].contains(&name);
            rest.split(',').next()?.parse::<u64>().ok().filter(|_| counts)
        };
        stats.lines().filter_map(calls).sum()
    };
    cluster.nodes.iter().map(count).collect()
}

/// Whether no node has done more than a tenth above or below the mean.
fn are_even(counts: &[u64]) -> bool {
    let mean = counts.iter().sum::<u64>() / counts.len() as u64;
    counts.iter().all(|count| count.abs_diff(mean) <= mean / 10)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_realm_is_spread_over_all_nodes_and_so_are_its_logins_and_reads() {
    needs_redis!();
    let cluster = Cluster::start();
    let bench = Bench { realm: "__Host-session".into(), ..Bench::new(cluster.store().await) };
    let since = |before: &[u64]| -> Vec<u64> {
        commands(&cluster).iter().zip(before).map(|(after, before)| after - before).collect()
    };
    let (mut ids, before) = (Vec::new(), commands(&cluster));
    for number in 0..6_000 {
        ids.push(bench.stored(&format!("user-{number}")).await.id);
    }
    let (logins, before) = (since(&before), commands(&cluster));
    for id in &ids {
        assert!(bench.read(*id).await.is_some());
    }
    let reads = since(&before);
    println!("commands on each node: {logins:?} for 6,000 logins, {reads:?} for 6,000 reads");
    assert!(are_even(&logins) && are_even(&reads));
    assert_eq!(spread(&cluster, &bench).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_in_one_slot() {
    needs_redis!();
    let cluster = Cluster::shared();
    let bench = Bench::new(cluster.store().await);
    let first = bench.stored("ann").await;
    bench.create(&bench.login("ann"), evicting(1)).await;
    bench.create(&bench.login("ann"), replacing(Replaces::IfPresent(first.id))).await;
    bench.store.delete_account(bench.account("ann"), None, crate::MARK, bench.now).await.unwrap();
    bench.stored("ann").await;
    assert_eq!(spread(cluster, &bench).len(), 1, "one node has them all");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_ended_and_counted_on_every_node() {
    needs_redis!();
    let cluster = Cluster::shared();
    let bench = Bench::new(cluster.store().await);
    for place in 0..1_500 {
        bench.stored(&format!("user-{}", place % 300)).await;
    }
    assert_eq!(bench.store.count(&bench.realm, bench.now).await.unwrap(), 1_500);
    assert_eq!(bench.store.delete_realm(&bench.realm, crate::MARK).await.unwrap(), 1_500);
    assert_eq!(bench.store.count(&bench.realm, bench.now).await.unwrap(), 0);
    assert!(spread(cluster, &bench).values().sum::<usize>() <= 256, "the epochs stay");
    assert_eq!(bench.list("user-1").await, []);
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
async fn a_dead_node_takes_its_accounts_only_and_they_come_back() {
    needs_redis!();
    let mut cluster = Cluster::without_replicas();
    for node in &cluster.nodes {
        run(&mut node.admin(), &["CONFIG", "SET", "appendonly", "yes"]);
        run(&mut node.admin(), &["CONFIG", "SET", "appendfsync", "always"]);
        run(&mut node.admin(), &["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    }
    let store = cluster.store().await;
    let (here, there) = (bench_on(&cluster, &store, 0).await, bench_on(&cluster, &store, 1).await);
    let record = here.stored("ann").await;
    wait_for("the append-only file", || {
        let info: String = ask(&mut cluster.nodes[0].admin(), &["INFO", "persistence"]);
        info.contains("aof_rewrite_in_progress:0") && info.contains("aof_enabled:1")
    });
    cluster.nodes[0].kill();
    let error =
        here.store.create(&here.realm, &here.login("ann"), Create::default(), here.now).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let login = there.login("ann");
    let other = eventually(|| there.store.create(&there.realm, &login, Create::default(), there.now)).await;
    assert_eq!(other, done(), "the other node's accounts work");
    cluster.nodes[0].enable_append_only();
    cluster.nodes[0].run();
    cluster.wait_until_ok();
    let found = eventually(|| here.store.read(here.key(record.id), here.now)).await;
    assert_eq!(found, Some(record));
    assert_eq!(eventually(|| here.store.list(here.account("ann"), here.now)).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_moved_is_found() {
    needs_redis!();
    let cluster = Cluster::start();
    let bench = bench_on(&cluster, &cluster.store().await, 0).await;
    run(&mut cluster.nodes[0].admin(), &["FLUSHALL"]);
    let slot = slot_of(&cluster, &bench);
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
    assert_eq!(spread(&cluster, &bench).into_keys().collect::<Vec<_>>(), [cluster.nodes[2].port]);
}

/// As when all of them start again: whoever asks them in between is led nowhere, and must ask the addresses again.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_were_all_lost_are_found_again() {
    needs_redis!();
    let cluster = Cluster::without_replicas();
    let bench = bench_on(&cluster, &cluster.store().await, 0).await;
    let mut reads = tokio::task::JoinSet::new();
    let left = Arc::new(AtomicBool::new(false));
    let failed = Arc::new(AtomicUsize::new(0));
    for _ in 0..64 {
        let (store, realm, now) = (bench.store.clone(), bench.realm.clone(), bench.now);
        let (left, failed, id) = (Arc::clone(&left), Arc::clone(&failed), bench.login("ann").id);
        reads.spawn(async move {
            while !left.load(Ordering::SeqCst) {
                let key = RecordKey { realm: &realm, id };
                failed.fetch_add(usize::from(store.read(key, now).await.is_err()), Ordering::SeqCst);
            }
        });
    }
    run(&mut cluster.nodes[0].admin(), &["FLUSHALL"]);
    announce(&cluster, |_| 1);
    let (slot, target) = (slot_of(&cluster, &bench), &cluster.nodes[2]);
    let target: String = ask(&mut target.admin(), &["CLUSTER", "MYID"]);
    for place in [2, 0, 1] {
        let words = ["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", target.trim()];
        run(&mut cluster.nodes[place].admin(), &words);
    }
    wait_for("reads that fail", || failed.load(Ordering::SeqCst) > 1_000);
    announce(&cluster, |node| node.port);
    eventually(|| bench.store.read(bench.key(bench.login("ann").id), bench.now)).await;
    let record = bench.login("ann");
    eventually(|| bench.store.create(&bench.realm, &record, evicting(9), bench.now)).await;
    left.store(true, Ordering::SeqCst);
    while let Some(read) = reads.join_next().await {
        read.unwrap();
    }
}

/// Lets all nodes say that they are at other ports, and waits until they have told each other.
fn announce(cluster: &Cluster, port: impl Fn(&Server) -> u16) {
    for node in &cluster.nodes {
        run(&mut node.admin(), &["CONFIG", "SET", "cluster-announce-port", &port(node).to_string()]);
    }
    let wanted: BTreeSet<u16> = cluster.nodes.iter().map(port).collect();
    for node in &cluster.nodes {
        wait_for("the nodes to tell each other", || {
            let known: String = ask(&mut node.admin(), &["CLUSTER", "NODES"]);
            let port_of = |line: &str| line.split(['@', ' ']).nth(1)?.rsplit(':').next()?.parse().ok();
            known.lines().filter_map(port_of).collect::<BTreeSet<u16>>() == wanted
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_takes_over() {
    needs_redis!();
    let mut cluster = Cluster::start();
    let store = cluster.store().await;
    let bench = bench_on(&cluster, &store, 0).await;
    let record = bench.stored("ann").await;
    cluster.is_in_sync(0);
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
    let replica = &cluster.replicas[0];
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
    let record = bench.stored("ann").await;
    cluster.is_in_sync(0);
    let load = Load::on(&bench);
    load.succeeds(20).await;
    cluster.nodes[0].kill();
    load.fails(1).await;
    println!("recovered {:?} after the first failure", load.succeeds(1).await);
    assert_eq!(ask::<Vec<Value>>(&mut cluster.replicas[0].admin(), &["ROLE"]).first(), Some(&bulk("master")));
    load.succeeds(20).await;
    // What the primary acknowledged last and had not passed on can be lost: replication is asynchronous.
    load.stop("kill -9 of a primary with a replica", &bench).await;
    assert_eq!(bench.read(record.id).await, Some(record));
}

/// Whoever is on the node that died gets an error that passes; the others notice nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_primary_costs_its_third_a_pause_and_the_others_nothing() {
    needs_redis!();
    let mut cluster = Cluster::start();
    for node in &cluster.nodes {
        run(&mut node.admin(), &["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    }
    let bench = Bench::new(cluster.store().await);
    let mut records = Vec::new();
    for number in 0..300 {
        records.push(bench.stored(&format!("user-{number}")).await);
    }
    let own: Vec<Vec<u8>> = redis::cmd("KEYS").arg(bench.all()).query(&mut cluster.nodes[0].admin()).unwrap();
    let (gone, here): (Vec<_>, Vec<_>) =
        records.into_iter().partition(|record| own.contains(&bench.session_key(record.id)));
    println!("{} sessions of 300 are on the node that dies", gone.len());
    assert!((70..=130).contains(&gone.len()));
    cluster.is_in_sync(0);
    cluster.nodes[0].kill();
    let error = bench.store.read(bench.key(gone[0].id), bench.now).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    for record in &here {
        let found = bench.store.read(bench.key(record.id), bench.now).await;
        assert_eq!(found.unwrap().as_ref(), Some(record), "the others are served");
    }
    for record in &gone {
        let found = eventually(|| bench.store.read(bench.key(record.id), bench.now)).await;
        assert_eq!(found.as_ref(), Some(record), "its replica serves them");
    }
}

/// Moves a slot as `redis-cli --cluster reshard` does: key by key, the longest-lived one last.
fn move_slot(cluster: &Cluster, slot: u16, from: usize, to: usize, mut meanwhile: impl FnMut()) {
    let id = |place: usize| ask::<String>(&mut cluster.nodes[place].admin(), &["CLUSTER", "MYID"]);
    let set = |place: usize, what: &str, other: &str| {
        let words = ["CLUSTER", "SETSLOT", &slot.to_string(), what, other.trim()];
        run(&mut cluster.nodes[place].admin(), &words);
    };
    let (source, target) = (id(from), id(to));
    set(to, "IMPORTING", &source);
    set(from, "MIGRATING", &target);
    let mut admin = cluster.nodes[from].admin();
    loop {
        let mut some = redis::cmd("CLUSTER");
        some.arg("GETKEYSINSLOT").arg(slot).arg(1);
        let keys: Vec<Vec<u8>> = some.query(&mut admin).unwrap();
        let Some(key) = keys.first() else { break };
        let mut migrate = redis::cmd("MIGRATE");
        migrate.arg("127.0.0.1").arg(cluster.nodes[to].port).arg(key).arg(0).arg(5_000);
        migrate.exec(&mut admin).unwrap();
        meanwhile();
    }
    for place in [to, from, 3 - to - from] {
        set(place, "NODE", &target);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_moves_under_load_loses_nothing_and_is_read_all_the_while() {
    needs_redis!();
    let cluster = Cluster::start();
    let bench = bench_on(&cluster, &cluster.store().await, 0).await;
    let mut records = Vec::new();
    for _ in 0..50 {
        records.push(bench.stored("ann").await);
    }
    let load = Load::of_subjects(&bench, &["ann"]);
    load.succeeds(5).await;
    let slot = slot_of(&cluster, &bench);
    let runtime = tokio::runtime::Handle::current();
    let reads = tokio::task::block_in_place(|| {
        let mut reads = 0;
        move_slot(&cluster, slot, 0, 1, || {
            let record = &records[reads % records.len()];
            let found = runtime.block_on(bench.store.read(bench.key(record.id), bench.now));
            assert_eq!(found.unwrap().as_ref(), Some(record), "read {reads}");
            reads += 1;
        });
        reads
    });
    println!("{reads} reads while {reads} keys moved");
    load.succeeds(5).await;
    let log = load.stop("a slot that moves", &bench).await;
    assert_eq!(log.lost, 0);
    assert_eq!(slot_of(&cluster, &bench), slot);
    assert_eq!(spread(&cluster, &bench).into_keys().collect::<Vec<_>>(), [cluster.nodes[1].port]);
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

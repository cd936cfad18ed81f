//! A Redis that takes no changes, for whatever reason, is read all the same: a lost touch costs nothing.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use session_core::store::{Create, Created, Replaced, Replaces, SessionLimit, SessionStore, StoreError};
use session_store_redis::RedisStore;

#[cfg(feature = "cluster")]
use crate::cluster::bench_on;
#[cfg(feature = "cluster")]
use crate::support::Cluster;
use crate::support::{
    Bench, Server, Service, TOUCH, ask, done, needs_redis, next, random_id_of, replacing, run, wait_for,
};

/// Sessions whose last-seen is due are read as they are while `refuse` is in force, by a process that knows them, by one
/// that does not, and by a manager, again and again; nothing can be written; and `allow` brings all back.
async fn is_read(server: &Server, refuse: impl Fn(&Server), allow: impl Fn(&Server), error: &str) {
    let bench = Bench::new(server.store().await);
    let record = bench.stored("ann").await;
    let service = Service::on(&bench);
    let browser = service.login("bob").await;
    service.clock.advance(Duration::from_secs(61));
    refuse(server);
    for _ in 0..3 {
        for bench in [bench.clone(), Bench { store: server.store().await, ..bench.clone() }] {
            assert_eq!(bench.touch(record.id).await, Some(record.clone()));
        }
        assert!(service.knows(&browser).await);
    }
    let login = bench.login("ann");
    let refused = bench.store.create(&bench.realm, &login, Create::default(), bench.now).await.unwrap_err();
    assert!(refused.is_retryable() && refused.to_string().contains(error), "{refused}");
    allow(server);
    wait_for("Redis to take changes", || {
        redis::cmd("SET").arg("other").arg(1).exec(&mut server.admin()).is_ok()
    });
    assert_eq!(bench.touch(record.id).await.map(|seen| seen.last_seen), Some(bench.at(60)));
}

fn set(server: &Server, name: &str, value: &str) {
    run(&mut server.admin(), &["CONFIG", "SET", name, value]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_memory_is_read() {
    needs_redis!();
    let server = Server::start(&[]);
    is_read(&server, |it| set(it, "maxmemory", "1"), |it| set(it, "maxmemory", "0"), "memory").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_its_replicas_is_read() {
    needs_redis!();
    let server = Server::start(&[]);
    let (name, what) = ("min-replicas-to-write", "too few replicas");
    is_read(&server, |it| set(it, name, "1"), |it| set(it, name, "0"), what).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_save_is_read() {
    needs_redis!();
    let server = Server::start(&[]);
    let lose_the_disk = |server: &Server| {
        let (_, folder): (String, String) = ask(&mut server.admin(), &["CONFIG", "GET", "dir"]);
        std::fs::remove_dir_all(folder).unwrap();
        run(&mut server.admin(), &["BGSAVE"]);
        wait_for("the failure", || {
            let info: String = ask(&mut server.admin(), &["INFO", "persistence"]);
            info.contains("rdb_last_bgsave_status:err")
        });
    };
    is_read(&server, lose_the_disk, |it| set(it, "stop-writes-on-bgsave-error", "no"), "disk").await;
}

/// As a failover or a shutdown does while replicas catch up.
const PAUSE: [&str; 4] = ["CLIENT", "PAUSE", "120000", "WRITE"];

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_holds_back_changes_is_read() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let record = bench.stored("ann").await;
    let service = Service::on(&bench);
    let browser = service.login("bob").await;
    service.clock.advance(Duration::from_secs(61));
    run(&mut server.admin(), &PAUSE);
    let waiting = tokio::spawn({
        let bench = bench.clone();
        async move { bench.stored("ann").await }
    });
    assert_eq!(bench.touch(record.id).await, Some(record.clone()));
    assert!(service.knows(&browser).await, "within the manager's deadline");
    assert_eq!(bench.read(record.id).await, Some(record.clone()), "nothing waits behind what is held back");
    run(&mut server.admin(), &["CLIENT", "UNPAUSE"]);
    waiting.await.unwrap();
    assert_eq!(bench.list("ann").await.len(), 2);
}

#[cfg(feature = "cluster")]
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_holds_back_changes_is_read() {
    needs_redis!();
    let cluster = Cluster::start();
    let bench = bench_on(&cluster, &cluster.store().await, 0).await;
    let record = bench.stored("ann").await;
    run(&mut cluster.nodes[0].admin(), &PAUSE);
    assert_eq!(bench.touch(record.id).await, Some(record.clone()));
    assert_eq!(bench.read(record.id).await, Some(record.clone()));
    run(&mut cluster.nodes[0].admin(), &["CLIENT", "UNPAUSE"]);
    assert!(bench.store.delete(bench.key(record.id)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_became_a_replica_is_read() {
    needs_redis!();
    let server = Server::start(&[]);
    let follow = |words: [&'static str; 3]| move |server: &Server| run(&mut server.admin(), &words);
    let (demote, promote) = (follow(["REPLICAOF", "127.0.0.1", "1"]), follow(["REPLICAOF", "NO", "ONE"]));
    is_read(&server, demote, promote, "replica").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_refuses_old_data_is_unavailable_until_it_is_primary() {
    needs_redis!();
    let server = Server::start(&["--replica-serve-stale-data", "no"]);
    let bench = Bench::new(server.store().await);
    let record = bench.stored("ann").await;
    run(&mut server.admin(), &["REPLICAOF", "127.0.0.1", "1"]);
    let login = bench.login("ann");
    let errors = [
        bench.store.read(bench.key(record.id), bench.now).await.map(|_| ()),
        bench.store.read_and_touch(bench.key(record.id), TOUCH, bench.at(60)).await.map(|_| ()),
        bench.store.create(&bench.realm, &login, Create::default(), bench.now).await.map(|_| ()),
        bench.store.delete(bench.key(record.id)).await.map(|_| ()),
    ];
    for error in errors.map(Result::unwrap_err) {
        assert!(error.is_retryable() && error.to_string().contains("lost its primary"), "{error}");
    }
    // Administration is refused, too, but for this.
    let mut admin = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    run(&mut admin, &["REPLICAOF", "NO", "ONE"]);
    assert_eq!(bench.read(record.id).await, Some(record));
    assert_eq!(bench.create(&login, Create::default()).await, done());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_not_write_reads() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let record = bench.stored("ann").await;
    for (user, without) in
        [("scripts", "-eval -evalsha"), ("set", "-set"), ("index", "-hget"), ("ttl", "-pttl")]
    {
        let acl = format!("ACL SETUSER {user} on >pw ~session:* &* +@all {without}");
        run(&mut server.admin(), &acl.split(' ').collect::<Vec<_>>());
        let url = format!("redis://{user}:pw@127.0.0.1:{}", server.port);
        let poor = Bench { store: RedisStore::connect(&url).await.unwrap(), ..bench.clone() };
        let read = poor.touch(record.id).await;
        // What is checked last has been written by then.
        assert_eq!(
            read.map(|read| (read.id, read.payload)),
            Some((record.id, record.payload.clone())),
            "{user}"
        );
        let service = Service::on(&poor);
        let browser = Service::on(&bench).login("bob").await;
        service.clock.advance(Duration::from_secs(61));
        assert!(service.knows(&browser).await, "{user}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_on_a_server_that_takes_no_changes_is_an_error() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    run(&mut server.admin(), &["REPLICAOF", "127.0.0.1", "1"]);
    // Nothing is there: a replica must not say so, since it may not know.
    let answers = [
        bench.store.delete(bench.key(bench.login("ann").id)).await.map(|_| ()),
        bench.store.delete_account(bench.account("ann"), None, crate::MARK, bench.now).await.map(|_| ()),
        bench.store.delete_realm(&bench.realm, crate::MARK).await.map(|_| ()),
    ];
    for answer in answers {
        assert!(answer.is_err_and(|error| error.is_retryable() && error.to_string().contains("replica")));
    }
}

/// It may not know what happened since: what it answers about a login or a change would be believed.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_changes_refuses_no_login_and_no_change_by_itself() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let ann = bench.stored("ann").await;
    let changed = bench.stored("ann").await;
    bench.store.replace(&bench.realm, &next(&changed), bench.now).await.unwrap();
    run(&mut server.admin(), &["REPLICAOF", "127.0.0.1", "1"]);
    let new = bench.login("ann");
    let limit = Create::new(None, Some(SessionLimit::Refuse(1)));
    let after = |id, version| replacing(Replaces::MustExist { id, version });
    for (what, record, options) in [
        ("the id is taken", &ann, Create::default()),
        ("the limit is reached", &new, limit),
        ("the predecessor is gone", &new, after(random_id_of("ann"), 0)),
        ("the predecessor was changed", &new, after(changed.id, 0)),
    ] {
        let answer = bench.store.create(&bench.realm, record, options, bench.now).await;
        assert!(is_by_a_replica(answer), "{what}");
    }
    for (what, record) in [("changed", next(&changed)), ("gone", next(&new))] {
        assert!(is_by_a_replica(bench.store.replace(&bench.realm, &record, bench.now).await), "{what}");
    }
    // As soon as it is primary its answers count.
    run(&mut server.admin(), &["REPLICAOF", "NO", "ONE"]);
    assert_eq!(bench.create(&new, limit).await, Created::LimitReached);
    assert_eq!(bench.create(&ann, Create::default()).await, Created::IdTaken);
    assert_eq!(bench.create(&new, after(random_id_of("ann"), 0)).await, Created::PredecessorGone);
    assert_eq!(bench.create(&new, after(changed.id, 0)).await, Created::PredecessorChanged);
    let replaced = bench.store.replace(&bench.realm, &next(&changed), bench.now).await;
    assert_eq!(replaced.unwrap(), Replaced::Conflict);
    assert_eq!(bench.read(new.id).await, None);
}

fn is_by_a_replica<T>(answer: Result<T, StoreError>) -> bool {
    answer.is_err_and(|error| error.is_retryable() && error.to_string().contains("replica"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lasting_replica_is_connected_to_at_most_once_a_second() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let record = bench.stored("ann").await;
    let mut admin = server.admin();
    run(&mut admin, &["REPLICAOF", "127.0.0.1", "1"]);
    let mut connections = || -> u64 {
        let info: String = ask(&mut admin, &["INFO", "stats"]);
        let made = info.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        made.unwrap().parse().unwrap()
    };
    let (before, start) = (connections(), Instant::now());
    while start.elapsed() < Duration::from_secs(3) {
        assert_eq!(bench.touch(record.id).await.as_ref(), Some(&record));
        let login = bench.login("bob");
        assert!(is_by_a_replica(
            bench.store.create(&bench.realm, &login, Create::default(), bench.now).await
        ));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let made = connections() - before;
    println!("{made} connections in {:?}", start.elapsed());
    // One for reads and one for changes, at the beginning and once a second.
    assert!(made <= 2 * (start.elapsed().as_secs() + 1), "{made} connections in {:?}", start.elapsed());
}

/// An address that leads to one server, and then to another one for those who connect anew.
struct Address {
    port: u16,
    target: Arc<AtomicU16>,
}

impl Address {
    fn of(server: &Server) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = Arc::new(AtomicU16::new(server.port));
        let leads_to = target.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", leads_to.load(Ordering::SeqCst))) else {
                    continue;
                };
                for (mut from, mut to) in
                    [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)]
                {
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(std::net::Shutdown::Both);
                    });
                }
            }
        });
        Self { port, target }
    }

    fn moves_to(&self, server: &Server) {
        self.target.store(server.port, Ordering::SeqCst);
    }

    async fn store(&self) -> RedisStore {
        RedisStore::connect(&format!("redis://127.0.0.1:{}", self.port)).await.unwrap()
    }
}

/// Two servers, of which the second has what the first has, behind the address of the first.
fn pair() -> (Server, Server, Address) {
    let (one, two) = (Server::start(&[]), Server::start(&[]));
    run(&mut two.admin(), &["REPLICAOF", "127.0.0.1", &one.port.to_string()]);
    let address = Address::of(&one);
    (one, two, address)
}

/// The second takes over, and the address moves. The first stays up as a replica that is cut off.
fn switch_over(one: &Server, two: &Server, address: &Address) {
    let offset = |server: &Server| -> String {
        let info: String = ask(&mut server.admin(), &["INFO", "replication"]);
        info.lines().find_map(|line| line.strip_prefix("master_repl_offset:")).unwrap().to_owned()
    };
    wait_for("replication", || {
        let info: String = ask(&mut two.admin(), &["INFO", "replication"]);
        info.contains("master_link_status:up") && offset(one) == offset(two)
    });
    run(&mut two.admin(), &["REPLICAOF", "NO", "ONE"]);
    run(&mut one.admin(), &["REPLICAOF", "127.0.0.1", "1"]);
    address.moves_to(two);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_only_reads_leaves_a_replica_within_a_second() {
    needs_redis!();
    let (one, two, address) = pair();
    let bench = Bench::new(address.store().await);
    let record = bench.stored("ann").await;
    assert_eq!(bench.read(record.id).await, Some(record.clone()));
    switch_over(&one, &two, &address);
    let elsewhere = Bench { store: two.store().await, ..bench.clone() };
    assert!(elsewhere.store.delete(bench.key(record.id)).await.unwrap());
    let start = Instant::now();
    while bench.read(record.id).await.is_some() {
        // One second by the store's clock; the rest is for a machine with other work to do.
        assert!(start.elapsed() < Duration::from_secs(20), "the replica is still read");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("a session that ended elsewhere was read for {:?}", start.elapsed());
    assert_eq!(bench.create(&bench.login("ann"), Create::default()).await, done(), "no write fails");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_touch_that_meets_a_replica_is_a_read_and_follows_the_address() {
    needs_redis!();
    let (one, two, address) = pair();
    let bench = Bench::new(address.store().await);
    let record = bench.stored("ann").await;
    switch_over(&one, &two, &address);
    let elsewhere = Bench { store: two.store().await, ..bench.clone() };
    let start = Instant::now();
    // A connection that took another's place is kept for a second.
    while elsewhere.read(record.id).await.unwrap().last_seen != bench.at(60) {
        assert!(start.elapsed() < Duration::from_secs(20), "the new primary is not written");
        assert_eq!(bench.touch(record.id).await.map(|read| read.id), Some(record.id));
    }
    assert_eq!(bench.create(&bench.login("ann"), Create::default()).await, done());
}

#[cfg(feature = "cluster")]
#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_is_being_moved_is_read_while_its_sessions_are_in_place() {
    needs_redis!();
    let cluster = Cluster::start();
    let bench = bench_on(&cluster, &cluster.store().await, 0).await;
    let record = bench.stored("ann").await;
    let slot: u16 = ask(&mut cluster.nodes[0].admin(), &["CLUSTER", "KEYSLOT", &bench.base()]);
    let id = |place: usize| ask::<String>(&mut cluster.nodes[place].admin(), &["CLUSTER", "MYID"]);
    let set_slot = |place: usize, what: &str, other: usize| {
        let (slot, other) = (slot.to_string(), id(other));
        let words = ["CLUSTER", "SETSLOT", &slot, what, other.trim()];
        run(&mut cluster.nodes[place].admin(), &words);
    };
    set_slot(1, "IMPORTING", 0);
    set_slot(0, "MIGRATING", 1);
    // The indexes go first.
    let mut admin = cluster.nodes[0].admin();
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg(format!("{}#*", bench.base())).query(&mut admin).unwrap();
    for key in &keys {
        let mut migrate = redis::cmd("MIGRATE");
        migrate.arg("127.0.0.1").arg(cluster.nodes[1].port).arg(key).arg(0).arg(5_000);
        migrate.exec(&mut admin).unwrap();
    }
    let read = bench.touch(record.id).await;
    assert_eq!(read.map(|read| read.id), Some(record.id));
}

#[cfg(feature = "cluster")]
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_down_for_changes_is_read() {
    needs_redis!();
    let cluster = Cluster::start();
    let bench = bench_on(&cluster, &cluster.store().await, 2).await;
    let record = bench.stored("ann").await;
    let mut admin = cluster.nodes[2].admin();
    run(&mut admin, &["CONFIG", "SET", "cluster-allow-reads-when-down", "yes"]);
    let own: u16 = ask(&mut admin, &["CLUSTER", "KEYSLOT", &bench.base()]);
    let lost = if own == 16_383 { 16_382 } else { 16_383 };
    run(&mut admin, &["CLUSTER", "DELSLOTS", &lost.to_string()]);
    wait_for("the cluster to be down", || {
        ask::<String>(&mut admin, &["CLUSTER", "INFO"]).contains("cluster_state:fail")
    });
    for _ in 0..3 {
        let read = bench.store.read_and_touch(bench.key(record.id), TOUCH, bench.at(60)).await.unwrap();
        assert_eq!(read.as_ref(), Some(&record));
    }
    let error = bench.store.delete(bench.key(record.id)).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("cluster"), "{error}");
}

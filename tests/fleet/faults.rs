//! The store of a busy fleet fails, in every way that servers and networks have. Nothing that was acknowledged is lost,
//! nobody's cookie is touched, what needs no session goes on, whoever needs one is told to come back within the
//! deadline, and when the store is well again so is the fleet, with the same three processes.

use std::sync::Arc;
use std::time::Duration;

use session_test_servers::{Redis, RedisCluster, Sql, SqlServer};
use tokio::sync::Mutex;

use super::around_a_login::Acknowledged;
use super::backend::Mortal;
use super::fleet::{Fleet, Options};
use super::history::Judged;
use super::load::{Compared, Figures, Load, compare};
use super::proxy::{Proxy, Target};

/// For one call of the store. Far below its default, so that the tests do not take longer than they must.
const DEADLINE: Duration = Duration::from_millis(500);
/// So much happens before each fault: acknowledged writes.
const STEADY: u64 = 100;
/// A fault that lasts, lasts until so many were told that the store is not available.
const AFFECTED: u64 = 40;

#[tokio::test]
async fn a_failing_postgres_loses_nothing_and_is_outlived() {
    if let Some(server) = SqlServer::start(Sql::Postgres) {
        fail("PostgreSQL", server).await;
    }
}

#[tokio::test]
async fn a_failing_mariadb_loses_nothing_and_is_outlived() {
    if let Some(server) = SqlServer::start(Sql::MariaDb) {
        fail("MariaDB", server).await;
    }
}

#[tokio::test]
async fn a_failing_redis_loses_nothing_and_is_outlived() {
    if let Some(server) = Redis::start(Redis::DURABLE) {
        fail("Redis", server).await;
    }
}

#[tokio::test]
async fn a_failing_redis_cluster_loses_nothing_and_is_outlived() {
    // All fail together. A replica that came back first and took over could lack what its primary acknowledged last.
    let stay = ["--cluster-replica-no-failover", "yes"];
    if let Some(cluster) = RedisCluster::start(&[Redis::DURABLE, &stay].concat()) {
        fail("Redis cluster", cluster).await;
    }
}

#[tokio::test]
async fn a_postgres_that_only_reads_serves_whoever_is_logged_in() {
    let Some(server) = SqlServer::start(Sql::Postgres) else { return };
    only_reads(&server.url(), || {
        server.run("ALTER SYSTEM SET default_transaction_read_only = on");
        server.run("SELECT pg_reload_conf()");
    })
    .await;
}

#[tokio::test]
async fn a_mariadb_that_only_reads_serves_whoever_is_logged_in() {
    let Some(server) = SqlServer::start(Sql::MariaDb) else { return };
    // Its administrator may write all the same.
    server.run("CREATE USER app@localhost IDENTIFIED BY 'x'; GRANT ALL ON sessions.* TO app@localhost");
    only_reads(&server.url_of("app:x", "sessions"), || drop(server.run("SET GLOBAL read_only = 1"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_fails_between_fleet_and_postgres_is_outlived() {
    let Some(server) = SqlServer::shared(Sql::Postgres) else { return };
    let proxy = Proxy::start(Target::Socket(server.socket())).await;
    cut_off("PostgreSQL", &proxy, &server.url_through(proxy.port)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_fails_between_fleet_and_mariadb_is_outlived() {
    let Some(server) = SqlServer::shared(Sql::MariaDb) else { return };
    let proxy = Proxy::start(Target::Socket(server.socket())).await;
    cut_off("MariaDB", &proxy, &server.url_through(proxy.port)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_fails_between_fleet_and_redis_is_outlived() {
    let Some(server) = Redis::shared() else { return };
    let proxy = Proxy::start(Target::Port(server.port)).await;
    cut_off("Redis", &proxy, &server.url_through(proxy.port)).await;
}

/// As in a failover: for a while nothing can be written, not even that somebody was seen.
async fn only_reads(url: &str, stop_writes: impl Fn()) {
    let fleet = Fleet::start(url, Options::default());
    let mut browser = fleet.logged_in("reader", 0).await;
    stop_writes();
    // A server tells its processes in the course of time.
    let mut writes = 0;
    while fleet.visit(&mut browser, 0).post("/visits").await.status != 503 {
        writes += 1;
        assert!(writes < 10_000, "it still writes");
    }
    for _ in 0..3 {
        fleet.advance(Duration::from_secs(120));
        for node in 0..3 {
            fleet.visit(&mut browser, node).get("/me").await.expect(200).expect_no_cookie();
        }
    }
}

async fn fail(store: &str, server: impl Mortal) {
    let fleet = Fleet::start(&server.url(), Options { deadline: DEADLINE, ..Options::default() });
    let server = Arc::new(Mutex::new(server));
    let mut test = Test::start(store, &fleet);
    test.steady().await;
    let acknowledged = Acknowledged::by(&fleet).await;
    during(&server, Mortal::kill).await;
    test.affected().await;
    during(&server, Mortal::restart).await;
    test.recovered("kill -9").await;
    acknowledged.holds(&fleet).await;

    test.steady().await;
    during(&server, Mortal::pause).await;
    test.affected().await;
    during(&server, Mortal::resume).await;
    test.recovered("SIGSTOP").await;

    test.steady().await;
    during(&server, Mortal::stop).await;
    during(&server, Mortal::restart).await;
    test.recovered("restart").await;
    test.end(&fleet).await;
}

async fn cut_off(store: &str, proxy: &Proxy, url: &str) {
    let fleet = Fleet::start(url, Options { deadline: DEADLINE, ..Options::default() });
    let mut test = Test::start(store, &fleet);
    for _ in 0..3 {
        test.steady().await;
        proxy.reset();
        test.recovered("reset").await;
    }
    test.steady().await;
    proxy.fall_silent();
    test.affected().await;
    proxy.heal();
    test.recovered("silence").await;
    test.end(&fleet).await;
}

/// Does something to the server, and lets the load go on while it takes its time.
async fn during<S: Mortal>(server: &Arc<Mutex<S>>, act: fn(&mut S)) {
    let server = Arc::clone(server);
    tokio::task::spawn_blocking(move || act(&mut server.blocking_lock())).await.unwrap();
}

/// A fleet under load.
struct Test {
    store: String,
    load: Load,
}

impl Test {
    fn start(store: &str, fleet: &Fleet) -> Self {
        Self { store: store.to_owned(), load: Load::start(fleet.addresses(), DEADLINE) }
    }

    /// All is well for a while.
    async fn steady(&mut self) {
        self.load.begin();
        self.load.until("all is well", |figures| figures.written >= STEADY).await;
        self.load.begin();
    }

    /// People notice.
    async fn affected(&mut self) {
        self.load.until("people are affected", |figures| figures.unavailable >= AFFECTED).await;
    }

    async fn recovered(&mut self, fault: &str) {
        let after = self.load.recovered().await;
        let Figures { requests, unavailable, longest_unavailable, longest, open, longest_open, .. } =
            self.load.figures();
        println!(
            "{:<13} {fault:<8} {requests:>5} requests, {unavailable:>4} times 503 within {} ms, longest answer {} ms; \
             {open:>4} without session, longest {} ms; recovered after {} ms",
            self.store,
            longest_unavailable.as_millis(),
            longest.as_millis(),
            longest_open.as_millis(),
            after.as_millis(),
        );
    }

    async fn end(mut self, fleet: &Fleet) {
        self.steady().await;
        let (remembered, judged) = self.load.end().await;
        let Judged { sessions, answers, unknown } = judged.unwrap_or_else(|story| panic!("{story}"));
        let Compared { open, counted, ended } = compare(fleet.addresses(), &remembered).await;
        println!(
            "{:<13} as everybody was told: {open} sessions open with {counted} updates, {ended} ended; \
             {sessions} shared ones, in some order: {answers} answers, {unknown} of them unknown",
            self.store
        );
        assert!(open > 0 && counted > 0 && ended > 0);
        assert!(sessions > 10 && answers > 5 * sessions && unknown > 0);
    }
}

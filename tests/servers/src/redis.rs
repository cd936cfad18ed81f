//! Redis, alone or as a cluster of three primaries with a replica each, on free ports of the loopback address.

use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{LazyLock, OnceLock};

use redis::{Connection, FromRedisValue};

use crate::kept::Kept;
use crate::requirements::program;
use crate::wait_for;

/// A server that is stopped, and whose data is removed, when it is dropped.
pub struct Redis {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    program: PathBuf,
    options: Vec<String>,
    kept: Kept,
}

/// Three primaries that share the slots, and a replica of each.
pub struct RedisCluster {
    /// The primaries in the order of their slots, then their replicas in the same order.
    pub nodes: Vec<Redis>,
}

const PRIMARIES: usize = 3;

impl Redis {
    /// What makes it keep whatever it acknowledged.
    pub const DURABLE: &[&str] = &["--appendonly", "yes", "--appendfsync", "always", "--save", ""];

    /// The one that all tests of this process share. `None`: it is not installed, and that was said.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Redis>> = OnceLock::new();
        // Asked each time: each test that is left out says so.
        program("redis-server", "redis-server")?;
        SHARED.get_or_init(|| Self::start(&["--save", ""])).as_ref()
    }

    /// One with these options, for a test that does harm to it.
    pub fn start(options: &[&str]) -> Option<Self> {
        let [port, ..] = free_ports(1)[..] else { return None };
        let mut server = Self::on(port, options)?;
        server.restart();
        Some(server)
    }

    /// One that is not started yet.
    fn on(port: u16, options: &[&str]) -> Option<Self> {
        let program = program("redis-server", "redis-server")?;
        let options = options.iter().map(|&option| option.to_owned()).collect();
        Some(Self { port, program, options, kept: Kept::new() })
    }

    /// `redis://127.0.0.1:` and the port.
    pub fn url(&self) -> String {
        self.url_through(self.port)
    }

    /// The same through another port that leads to it.
    pub fn url_through(&self, port: u16) -> String {
        format!("redis://127.0.0.1:{port}")
    }

    /// Starts it on the data that it has; returns when it answers, all data loaded.
    pub fn restart(&mut self) {
        self.launch();
        self.wait();
    }

    fn launch(&mut self) {
        let folder = self.kept.folder().display().to_string();
        let mut words = vec![self.program.display().to_string()];
        words.extend(["--bind", "127.0.0.1", "--loglevel", "warning", "--dir"].map(str::to_owned));
        words.extend([folder, "--port".to_owned(), self.port.to_string()]);
        words.extend(self.options.iter().cloned());
        self.kept.start(&words, "KILL");
    }

    fn wait(&self) {
        self.wait_for("Redis", || self.connect().is_some());
    }

    fn wait_for(&self, what: &str, ready: impl FnMut() -> bool) {
        wait_for(what, || self.kept.log(), ready);
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        self.kept.end("KILL");
    }

    /// Ends it in good order.
    pub fn stop(&mut self) {
        self.kept.end("TERM");
    }

    /// Makes it stand still.
    pub fn pause(&self) {
        self.kept.signal("STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.kept.signal("CONT");
    }

    /// Runs a command.
    pub fn run<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let (name, arguments) = words.split_first().expect("a command");
        redis::cmd(name).arg(arguments).query(&mut self.connect().expect("a running Redis")).unwrap()
    }

    fn connect(&self) -> Option<Connection> {
        let mut connection = redis::Client::open(self.url()).unwrap().get_connection().ok()?;
        redis::cmd("PING").exec(&mut connection).ok().map(|()| connection)
    }
}

impl RedisCluster {
    /// The one that all tests of this process share. `None`: it is not installed, and that was said.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<RedisCluster>> = OnceLock::new();
        // Asked each time: each test that is left out says so.
        program("redis-server", "redis-server")?;
        SHARED.get_or_init(|| Self::start(&["--save", ""])).as_ref()
    }

    /// One whose nodes have these options, for a test that does harm to it.
    pub fn start(options: &[&str]) -> Option<Self> {
        // A node has two.
        let ports = free_ports(4 * PRIMARIES);
        let ports: Vec<&[u16]> = ports.chunks(2).collect();
        let nodes = ports.iter().map(|ports| Self::node(ports, options)).collect::<Option<_>>()?;
        let mut cluster = Self { nodes };
        cluster.launch();
        cluster.introduce(&ports);
        cluster.replicate();
        Some(cluster)
    }

    /// One that gives a replica what it has without waiting for others.
    fn node(ports: &[u16], options: &[&str]) -> Option<Redis> {
        let [port, bus] = *ports else { return None };
        let own = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1500"];
        let more = ["--repl-diskless-sync-delay", "0", "--cluster-port", &bus.to_string()];
        Redis::on(port, &[&own, &more, options].concat())
    }

    fn launch(&mut self) {
        self.nodes.iter_mut().for_each(Redis::launch);
        self.nodes.iter().for_each(Redis::wait);
    }

    /// Gives out the slots, and introduces each to all before it: quicker than to let it be told of them.
    fn introduce(&self, ports: &[&[u16]]) {
        let ranges = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
        for (place, node) in self.nodes.iter().enumerate() {
            node.run::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(place + 1).to_string()]);
            if let Some((first, last)) = ranges.get(place) {
                node.run::<()>(&["CLUSTER", "ADDSLOTSRANGE", first, last]);
            }
            for other in &ports[..place] {
                let [port, bus] = [other[0], other[1]].map(|port| port.to_string());
                node.run::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
            }
        }
        self.agree();
    }

    fn replicate(&self) {
        let (primaries, replicas) = self.nodes.split_at(PRIMARIES);
        for (primary, replica) in primaries.iter().zip(replicas) {
            let primary: String = primary.run(&["CLUSTER", "MYID"]);
            replica.run::<()>(&["CLUSTER", "REPLICATE", primary.trim()]);
        }
        self.are_linked();
    }

    /// `redis-cluster://` and all nodes.
    pub fn url(&self) -> String {
        let nodes: Vec<_> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis-cluster://{}", nodes.join(","))
    }

    /// Starts all nodes on the data that they have; returns when they agree that all is well.
    pub fn restart(&mut self) {
        self.launch();
        self.agree();
        self.are_linked();
    }

    /// Ends all nodes at once, as a power failure would.
    pub fn kill(&mut self) {
        self.nodes.iter_mut().for_each(Redis::kill);
    }

    /// Ends all nodes in good order.
    pub fn stop(&mut self) {
        self.nodes.iter_mut().for_each(Redis::stop);
    }

    /// Makes all nodes stand still.
    pub fn pause(&self) {
        self.nodes.iter().for_each(Redis::pause);
    }

    /// Lets them go on.
    pub fn resume(&self) {
        self.nodes.iter().for_each(Redis::resume);
    }

    /// Waits until every node knows every other, and all is well.
    fn agree(&self) {
        for node in &self.nodes {
            node.wait_for("the Redis cluster", || {
                let (info, known): (String, String) =
                    (node.run(&["CLUSTER", "INFO"]), node.run(&["CLUSTER", "NODES"]));
                let all_are_known = known.lines().count() == self.nodes.len() && !known.contains("handshake");
                info.contains("cluster_state:ok") && all_are_known
            });
        }
    }

    /// Waits until every replica has its primary's data, and every node knows of it and would vote for it.
    fn are_linked(&self) {
        for node in &self.nodes {
            node.wait_for("the replicas of the Redis cluster", || {
                let (info, known): (String, String) =
                    (node.run(&["INFO", "replication"]), node.run(&["CLUSTER", "NODES"]));
                let is_linked =
                    info.contains("master_link_status:up") || info.contains("state=online,offset=");
                is_linked && known.lines().filter(|line| line.contains("slave")).count() == PRIMARIES
            });
        }
    }
}

/// So many, and different ones. Below those that the system gives to connections: nobody takes one in between.
fn free_ports(count: usize) -> Vec<u16> {
    const FROM: u16 = 10_000;
    const COUNT: u16 = 22_000;
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| {
        let anywhere = RandomState::new().hash_one(std::process::id()) % u64::from(COUNT);
        AtomicU16::new(anywhere as u16)
    });
    let next = || FROM + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(next).filter(is_free).take(count).collect()
}

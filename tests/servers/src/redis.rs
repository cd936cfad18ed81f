//! Redis, alone or as a cluster of three, on free ports of the loopback address.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::OnceLock;

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

/// Three servers that share the slots.
pub struct RedisCluster {
    /// In the order of their slots.
    pub nodes: Vec<Redis>,
}

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
        let program = program("redis-server", "redis-server")?;
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let mut server = Self { port: free_port(), program, options, kept: Kept::new() };
        server.restart();
        Some(server)
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
        let folder = self.kept.folder().display().to_string();
        let mut words = vec![self.program.display().to_string()];
        words.extend(["--bind", "127.0.0.1", "--loglevel", "warning", "--dir"].map(str::to_owned));
        words.extend([folder, "--port".to_owned(), self.port.to_string()]);
        words.extend(self.options.iter().cloned());
        self.kept.start(&words, "KILL");
        wait_for("Redis", || self.kept.log(), || self.connect().is_some());
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
        let nodes: Vec<Redis> = (0..3).map(|_| Self::node(options)).collect::<Option<_>>()?;
        let ranges = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
        for (place, (node, (first, last))) in nodes.iter().zip(ranges).enumerate() {
            node.run::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(place + 1).to_string()]);
            node.run::<()>(&["CLUSTER", "ADDSLOTSRANGE", first, last]);
        }
        let first = &nodes[0];
        let known: String = first.run(&["CLUSTER", "NODES"]);
        let bus = known.split_once('@').unwrap().1.split([' ', ',']).next().unwrap().to_owned();
        for node in &nodes[1..] {
            node.run::<()>(&["CLUSTER", "MEET", "127.0.0.1", &first.port.to_string(), &bus]);
        }
        let cluster = Self { nodes };
        cluster.wait();
        Some(cluster)
    }

    /// A node that belongs to no cluster yet.
    pub fn node(options: &[&str]) -> Option<Redis> {
        let bus = free_port().to_string();
        let own = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1500", "--cluster-port", &bus];
        Redis::start(&[&own, options].concat())
    }

    /// `redis-cluster://` and all nodes.
    pub fn url(&self) -> String {
        let nodes: Vec<_> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis-cluster://{}", nodes.join(","))
    }

    /// Starts all nodes on the data that they have; returns when they agree that all is well.
    pub fn restart(&mut self) {
        self.nodes.iter_mut().for_each(Redis::restart);
        self.wait();
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

    fn wait(&self) {
        for node in &self.nodes {
            wait_for(
                "the Redis cluster",
                || node.kept.log(),
                || {
                    let info: String = node.run(&["CLUSTER", "INFO"]);
                    info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
                },
            );
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

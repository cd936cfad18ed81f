//! Real servers for the tests: started on free ports, with throw-away data, gone when the test process is gone.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, Instant};

use redis::{Connection, Value};
use serde::{Deserialize, Serialize};
use session_core::store::{
    Account, Create, Created, RecordKey, Replaces, SessionLimit, SessionRecord, SessionStore, Touch,
};
use session_core::testing::{ManualClock, TestRequest, logged_in_cookie};
use session_core::{
    KeyRing, Place, RandomSource, SessionId, SessionManager, SessionPayload, SystemRandom, Timestamp,
};
use session_store_redis::RedisStore;
use tempfile::TempDir;

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the server given as arguments and prints its process id. Ends it when standard input ends, which it does
/// with the test process, however that ends; then its data is removed too, unless it was told to `keep` it.
const WATCH: &str = r#"
folder=$1; shift
"$@" > "$folder/log" 2>&1 &
server=$!
echo $server
word=$(cat)
kill -9 $server 2> /dev/null
wait
[ "$word" = keep ] || rm -rf "$folder"
"#;

/// Whether there is a redis-server.
pub(crate) fn available() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| has("redis-server", "--version", "every test that needs a server"))
}

/// Whether there is such a program. Says loudly what is left out when there is none, and fails where all must run.
pub(crate) fn has(program: &str, argument: &str, left_out: &str) -> bool {
    if Command::new(program).arg(argument).output().is_ok_and(|out| out.status.success()) {
        return true;
    }
    let is_set = |name: &str| std::env::var(name).is_ok_and(|value| matches!(value.as_str(), "1" | "true"));
    let required = is_set("CI") || is_set("SESSION_TESTS_REQUIRE_ALL");
    assert!(!required, "{program} is not installed, and every test is required");
    // Past the capture of the test runner.
    let told =
        format!("\n*** SKIPPED: {left_out} of session-store-redis: {program} is not installed ***\n\n");
    let _ = std::io::stderr().write_all(told.as_bytes());
    false
}

/// Leaves a test that needs a server where there is none.
macro_rules! needs_redis {
    () => {
        if !$crate::support::available() {
            return;
        }
    };
}
pub(crate) use needs_redis;

/// One redis-server.
pub(crate) struct Server {
    pub(crate) port: u16,
    options: Vec<String>,
    folder: TempDir,
    running: Option<(Child, u32)>,
}

impl Server {
    /// One of its own, for a test that disturbs it.
    pub(crate) fn start(options: &[&str]) -> Self {
        let mut server = Self::on(free_port(), options);
        server.run();
        server
    }

    /// One that is not started yet.
    fn on(port: u16, options: &[&str]) -> Self {
        let options = options.iter().map(|&option| option.to_owned()).collect();
        Self { port, options, folder: TempDir::with_prefix("session-redis-").unwrap(), running: None }
    }

    /// One that tests share; each uses realms of its own.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&["--save", ""]))
    }

    pub(crate) fn run(&mut self) {
        self.launch();
        self.wait();
    }

    /// Starts it, and does not wait until it answers.
    fn launch(&mut self) {
        let mut child = Command::new("sh")
            .args(["-c", WATCH, "sh"])
            .arg(self.folder.path())
            .args(["redis-server", "--bind", "127.0.0.1", "--loglevel", "warning", "--dir"])
            .arg(self.folder.path())
            .args(["--port", &self.port.to_string()])
            .args(&self.options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        self.running = Some((child, line.trim().parse().unwrap()));
    }

    #[cfg(feature = "cluster")]
    pub(crate) fn enable_append_only(&mut self) {
        self.options.extend(["--appendonly".to_owned(), "yes".to_owned()]);
    }

    fn wait(&self) {
        let port = self.port;
        wait_for("redis-server", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    }

    /// Sends a signal: `KILL`, `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let (_, pid) = self.running.as_ref().unwrap();
        let status = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().unwrap();
        assert!(status.success());
    }

    /// Kills it and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.signal("KILL");
        self.reap();
    }

    fn reap(&mut self) {
        if let Some((mut child, _)) = self.running.take() {
            if let Some(mut stdin) = child.stdin.take() {
                let _ = stdin.write_all(b"keep");
            }
            let _ = child.wait();
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) async fn store(&self) -> RedisStore {
        RedisStore::connect(&self.url()).await.unwrap()
    }

    /// A connection beside the store's, to look and to disturb.
    pub(crate) fn admin(&self) -> Connection {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = None;
        wait_for("a connection", || {
            connection = client.get_connection().ok().filter(|_| true);
            // Its data is loaded. PING would say so, too, but a server that cannot save refuses it.
            let answers = |connection: &mut Connection| redis::cmd("DBSIZE").exec(connection).is_ok();
            connection.as_mut().is_some_and(answers)
        });
        connection.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.reap();
    }
}

/// Three primaries that share the slots, each with a replica.
#[cfg(feature = "cluster")]
pub(crate) struct Cluster {
    /// The primaries, in the order of their slots.
    pub(crate) nodes: Vec<Server>,
    /// The replica of each, in the same order.
    pub(crate) replicas: Vec<Server>,
}

#[cfg(feature = "cluster")]
impl Cluster {
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    pub(crate) fn start() -> Self {
        let mut cluster = Self::meet(6);
        let replicas = cluster.nodes.split_off(3);
        for (replica, primary) in replicas.iter().zip(&cluster.nodes) {
            let primary: String = ask(&mut primary.admin(), &["CLUSTER", "MYID"]);
            run(&mut replica.admin(), &["CLUSTER", "REPLICATE", primary.trim()]);
        }
        cluster.replicas = replicas;
        cluster.wait_for_replicas();
        cluster
    }

    /// Where nobody takes the place of a node that fails.
    pub(crate) fn without_replicas() -> Self {
        Self::meet(3)
    }

    /// So many nodes, of which the first three have the slots.
    fn meet(count: usize) -> Self {
        // A node has two.
        let ports = free_ports(2 * count);
        let mut nodes: Vec<_> = ports.chunks(2).map(|ports| Self::node(ports[0], ports[1])).collect();
        nodes.iter_mut().for_each(Server::launch);
        nodes.iter().for_each(Server::wait);
        for (place, node) in nodes.iter().enumerate() {
            let mut admin = node.admin();
            run(&mut admin, &["CLUSTER", "SET-CONFIG-EPOCH", &(place + 1).to_string()]);
            if let Some((first, last)) = SLOTS.get(place) {
                run(&mut admin, &["CLUSTER", "ADDSLOTSRANGE", first, last]);
            }
            // Each all others before it: quicker than to be told of them.
            for ports in ports.chunks(2).take(place) {
                run(
                    &mut admin,
                    &["CLUSTER", "MEET", "127.0.0.1", &ports[0].to_string(), &ports[1].to_string()],
                );
            }
        }
        let cluster = Self { nodes, replicas: Vec::new() };
        cluster.wait_until_ok();
        cluster
    }

    /// A node that belongs to no cluster yet, and gives a replica what it has without waiting for others.
    fn node(port: u16, bus: u16) -> Server {
        let options = ["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"];
        let own = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1500", "--cluster-port"];
        Server::on(port, &[&options[..], &own, &[&bus.to_string()]].concat())
    }

    pub(crate) fn wait_until_ok(&self) {
        let count = self.nodes.len() + self.replicas.len();
        for node in self.nodes.iter().chain(&self.replicas) {
            let mut admin = node.admin();
            wait_for("the cluster", || {
                let info: String = ask(&mut admin, &["CLUSTER", "INFO"]);
                let known: String = ask(&mut admin, &["CLUSTER", "NODES"]);
                let all_are_known = known.lines().count() == count && !known.contains("handshake");
                info.contains("cluster_state:ok") && all_are_known
            });
        }
    }

    /// Every node must know of the replicas, or nobody votes for them; and each must have its primary's data.
    fn wait_for_replicas(&self) {
        for node in self.nodes.iter().chain(&self.replicas) {
            let mut admin = node.admin();
            wait_for("all to know the replicas", || {
                let known: String = ask(&mut admin, &["CLUSTER", "NODES"]);
                known.lines().filter(|line| line.contains("slave")).count() == self.replicas.len()
            });
        }
        (0..self.replicas.len()).for_each(|place| self.is_in_sync(place));
    }

    /// Waits until the replica at this place has all that its primary has acknowledged.
    pub(crate) fn is_in_sync(&self, place: usize) {
        let (mut primary, mut replica) = (self.nodes[place].admin(), self.replicas[place].admin());
        let field = |admin: &mut Connection, name: &str| -> String {
            let info: String = ask(admin, &["INFO", "replication"]);
            let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.unwrap_or_default().to_owned()
        };
        wait_for("the replica to have what its primary has", || {
            let offset = field(&mut primary, "master_repl_offset");
            field(&mut primary, "slave0").contains("state=online")
                && field(&mut replica, "master_link_status") == "up"
                && field(&mut replica, "slave_repl_offset") == offset
        });
    }

    pub(crate) fn url(&self) -> String {
        let nodes: Vec<_> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis-cluster://{}", nodes.join(","))
    }

    pub(crate) async fn store(&self) -> RedisStore {
        RedisStore::connect(&self.url()).await.unwrap()
    }
}

#[cfg(feature = "cluster")]
const SLOTS: [(&str, &str); 3] = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];

pub(crate) fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < PATIENCE, "{what} did not come up");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn free_port() -> u16 {
    free_ports(1)[0]
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

pub(crate) fn ask<T: redis::FromRedisValue>(connection: &mut Connection, words: &[&str]) -> T {
    let (name, rest) = words.split_first().unwrap();
    redis::cmd(name).arg(rest).query(connection).unwrap()
}

pub(crate) fn run(connection: &mut Connection, words: &[&str]) {
    ask::<Value>(connection, words);
}

/// At most once a minute; idle after an hour.
pub(crate) const TOUCH: Touch =
    Touch::new(Duration::from_secs(60), Some(Duration::from_secs(3_600)), 0, Duration::ZERO);

/// A store, a realm that nobody else uses, and the time.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) store: RedisStore,
    pub(crate) realm: String,
    pub(crate) now: Timestamp,
}

impl Bench {
    pub(crate) fn new(store: RedisStore) -> Self {
        Self { store, realm: random_id().to_text(), now: std::time::SystemTime::now().into() }
    }

    pub(crate) fn at(&self, seconds: u64) -> Timestamp {
        self.now.plus(Duration::from_secs(seconds))
    }

    pub(crate) fn key(&self, id: SessionId) -> RecordKey<'_> {
        RecordKey { realm: &self.realm, id }
    }

    pub(crate) fn account<'a>(&'a self, subject: &'a str) -> Account<'a> {
        Account { realm: &self.realm, subject }
    }

    /// The key of the epoch of the shard that has Ann, and the beginning of all others there.
    pub(crate) fn base(&self) -> String {
        let [shard, _] = *Place::of("ann").as_bytes();
        self.base_at(shard)
    }

    fn base_at(&self, shard: u8) -> String {
        let [high, low] = [shard >> 4, shard & 15].map(|bits| char::from(b'@' + bits));
        format!("session:{{{}/{high}{low}}}", self.realm)
    }

    /// The pattern of all keys of the realm.
    pub(crate) fn all(&self) -> String {
        format!("session:{{{}/*", self.realm)
    }

    pub(crate) fn session_key(&self, id: SessionId) -> Vec<u8> {
        let [shard, rest @ ..] = *id.as_bytes();
        [self.base_at(shard).as_bytes(), &rest].concat()
    }

    pub(crate) fn login(&self, subject: &str) -> SessionRecord {
        SessionRecord::new(random_id_of(subject), b"{}".to_vec(), self.now, self.at(86_400)).with(|record| {
            record.subject = Some(subject.into());
            record.last_seen = self.now;
            record.issued_at = self.now;
            record.first_used_at = Some(self.now);
            record.ends_at = self.at(86_400);
        })
    }

    pub(crate) async fn create(&self, record: &SessionRecord, options: Create) -> Created {
        self.store.create(&self.realm, record, options, self.now).await.unwrap()
    }

    pub(crate) async fn stored(&self, subject: &str) -> SessionRecord {
        let record = self.login(subject);
        assert_eq!(self.create(&record, Create::default()).await, done());
        record
    }

    pub(crate) async fn read(&self, id: SessionId) -> Option<SessionRecord> {
        self.store.read(self.key(id), self.now).await.unwrap()
    }

    pub(crate) async fn list(&self, subject: &str) -> Vec<SessionRecord> {
        self.store.list(self.account(subject), self.now).await.unwrap()
    }

    /// What a request reads that comes a minute later, when last-seen is due.
    pub(crate) async fn touch(&self, id: SessionId) -> Option<SessionRecord> {
        self.store.read_and_touch(self.key(id), TOUCH, self.at(60)).await.unwrap()
    }
}

/// What a manager stores of somebody who logged in.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct User {
    id: String,
}

impl User {
    pub(crate) fn named(id: &str) -> Self {
        Self { id: id.into() }
    }
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.id).into())
    }
}

/// A manager on the store of a bench, with a clock of its own.
pub(crate) struct Service {
    pub(crate) sessions: SessionManager<User>,
    pub(crate) clock: ManualClock,
}

impl Service {
    pub(crate) fn on(bench: &Bench) -> Self {
        let clock = ManualClock::at(bench.now);
        let keys = KeyRing::from_secret("a secret of the tests of the Redis store").unwrap();
        let sessions = SessionManager::builder()
            .keys(keys)
            .realm(&bench.realm)
            .clock(clock.clone())
            .store(bench.store.clone())
            .build()
            .unwrap();
        Self { sessions, clock }
    }

    /// The request of a browser that has just logged in.
    pub(crate) async fn login(&self, id: &str) -> TestRequest {
        let cookie = logged_in_cookie(&self.sessions, User::named(id)).await.unwrap();
        TestRequest::new("POST", "/").cookie(&cookie)
    }

    pub(crate) async fn knows(&self, browser: &TestRequest) -> bool {
        self.sessions.get_session(browser).await.unwrap().is_some()
    }
}

pub(crate) fn next(record: &SessionRecord) -> SessionRecord {
    record.clone().with(|record| record.version += 1)
}

pub(crate) fn done() -> Created {
    Created::Done { evicted: Vec::new() }
}

pub(crate) fn replacing(replaces: Replaces) -> Create {
    Create::new(Some(replaces), None)
}

pub(crate) fn evicting(most: u32) -> Create {
    Create::new(None, Some(SessionLimit::EvictLeastRecentlySeen(most)))
}

pub(crate) fn random_id() -> SessionId {
    let mut bytes = [0; SessionId::LEN];
    SystemRandom.fill(&mut bytes).unwrap();
    SessionId::from_bytes(bytes)
}

/// Accounts in the shard of Ann.
pub(crate) fn neighbours() -> impl Iterator<Item = String> {
    let [shard, _] = *Place::of("ann").as_bytes();
    let names = (0..).map(|number| format!("neighbour-{number}"));
    names.filter(move |name| Place::of(name).as_bytes().first() == Some(&shard))
}

/// An id that a session of this account could have.
pub(crate) fn random_id_of(subject: &str) -> SessionId {
    let [_, _, random @ ..] = *random_id().as_bytes();
    SessionId::new(Place::of(subject), random)
}

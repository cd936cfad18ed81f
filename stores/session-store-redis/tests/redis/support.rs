//! Real servers for the tests: started on free ports, with throw-away data, gone when the test process is gone.

use std::borrow::Cow;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
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
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let folder = TempDir::with_prefix("session-redis-").unwrap();
        let mut server = Self { port: free_port(), options, folder, running: None };
        server.run();
        server
    }

    /// One that tests share; each uses realms of its own.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&["--save", ""]))
    }

    pub(crate) fn run(&mut self) {
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
        self.wait();
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

    /// Waits until this replica has what its primary had.
    #[cfg(feature = "cluster")]
    pub(crate) fn is_in_sync(&self) {
        let mut admin = self.admin();
        wait_for("replication", || {
            let info: String = ask(&mut admin, &["INFO", "replication"]);
            info.contains("master_link_status:up") && info.contains("master_sync_in_progress:0")
        });
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

/// Three nodes that share the slots.
#[cfg(feature = "cluster")]
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Server>,
}

#[cfg(feature = "cluster")]
impl Cluster {
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    pub(crate) fn start() -> Self {
        let nodes: Vec<Server> = (0..3).map(|_| Self::node()).collect();
        let ranges = [(0, 5_460), (5_461, 10_922), (10_923, 16_383)];
        for (place, (node, (first, last))) in nodes.iter().zip(ranges).enumerate() {
            let mut admin = node.admin();
            run(&mut admin, &["CLUSTER", "SET-CONFIG-EPOCH", &(place + 1).to_string()]);
            run(&mut admin, &["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]);
        }
        for node in &nodes[1..] {
            node.meet(&nodes[0]);
        }
        let cluster = Self { nodes };
        cluster.wait_until_ok();
        cluster
    }

    /// A node that belongs to no cluster yet.
    pub(crate) fn node() -> Server {
        let bus = free_port().to_string();
        let options =
            ["--save", "", "--cluster-enabled", "yes", "--cluster-node-timeout", "1500", "--cluster-port"];
        Server::start(&[&options[..], &[&bus]].concat())
    }

    pub(crate) fn wait_until_ok(&self) {
        for node in &self.nodes {
            let mut admin = node.admin();
            wait_for("the cluster", || {
                let info: String = ask(&mut admin, &["CLUSTER", "INFO"]);
                info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
            });
        }
    }

    /// One more node, that has everything one of these has, and could take its place.
    pub(crate) fn replica_of(&self, place: usize) -> Server {
        let replica = Self::node();
        replica.meet(&self.nodes[place]);
        let mut admin = replica.admin();
        let primary: String = ask(&mut self.nodes[place].admin(), &["CLUSTER", "MYID"]);
        wait_for("the replica to know the primary", || {
            let known: String = ask(&mut admin, &["CLUSTER", "NODES"]);
            known.contains(primary.trim()) && !known.contains("handshake")
        });
        run(&mut admin, &["CLUSTER", "REPLICATE", primary.trim()]);
        replica.is_in_sync();
        let mut admin_of_primary = self.nodes[place].admin();
        wait_for("the primary to pass on what it writes", || {
            let info: String = ask(&mut admin_of_primary, &["INFO", "replication"]);
            info.lines().any(|line| line.contains("state=online") && !line.contains("offset=0,"))
        });
        // Every node must know of the replica, or nobody votes for it.
        let id: String = ask(&mut admin, &["CLUSTER", "MYID"]);
        for node in &self.nodes {
            wait_for("the others to know the replica", || {
                let known: String = ask(&mut node.admin(), &["CLUSTER", "NODES"]);
                known.lines().any(|line| line.contains(id.trim()) && line.contains("slave"))
            });
        }
        replica
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
impl Server {
    pub(crate) fn meet(&self, other: &Self) {
        let info: String = ask(&mut other.admin(), &["CLUSTER", "NODES"]);
        let bus = info.split_once('@').unwrap().1.split([' ', ',']).next().unwrap().to_owned();
        run(&mut self.admin(), &["CLUSTER", "MEET", "127.0.0.1", &other.port.to_string(), &bus]);
    }
}

pub(crate) fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < PATIENCE, "{what} did not come up");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
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

//! One process of a fleet.
//!
//! It is this test binary, started again for one test only: a program of its own would link the three frameworks once
//! more. Without settings in its environment, which is how everybody else runs it, that test has nothing to do.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use session_core::testing::ManualClock;
use session_core::{Clock as _, Timestamp};
use session_demo::{options::Store, sessions};

use crate::harness::{Actix, App, Axum, Framework, Rocket, Server, World};

const SETTINGS: &str = "SESSION_TESTS_NODE";
/// Goes before the address.
const LISTENS: &str = "a node listens at ";
/// Goes before what its clock shows after it was told to move on.
const SHOWS: &str = "its clock shows ";

/// What a node is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Settings {
    /// As its [`Framework::NAME`].
    pub(super) framework: String,
    /// The URL of the store.
    pub(super) store: String,
    pub(super) realm: String,
    /// What its clock shows, in seconds since 1970.
    pub(super) now: i64,
    /// For each call of the store.
    pub(super) deadline: Duration,
    pub(super) hybrid: Option<Duration>,
    pub(super) maintained: bool,
}

/// A running node. Ends when it is dropped, and with this process.
pub(super) struct Node {
    pub(super) address: SocketAddr,
    line: Mutex<Line>,
    process: Child,
}

/// What a node is told, and what it says.
struct Line {
    to: ChildStdin,
    from: Lines<BufReader<ChildStdout>>,
}

impl Node {
    /// Starts a process; [`Self::ready`] waits for it.
    pub(super) fn start(settings: &Settings) -> Starting {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "fleet::node::serves_when_a_fleet_starts_it", "--nocapture"]);
        command.env(SETTINGS, serde_json::to_string(settings).unwrap());
        Starting(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
    }

    /// Moves its clock on.
    pub(super) fn advance(&self, by: Duration) {
        let mut line = self.line.lock().unwrap();
        writeln!(line.to, "{}", by.as_secs()).unwrap();
        line.heard(SHOWS).expect("a node that is told the time");
    }
}

impl Line {
    /// What comes behind the mark. The test runner of the node says this and that before.
    fn heard(&mut self, mark: &str) -> Option<String> {
        let said = self.from.by_ref().map_while(Result::ok);
        said.filter_map(|line| Some(line.split_once(mark)?.1.to_owned())).next()
    }
}

/// A node whose address is not known yet.
pub(super) struct Starting(Child);

impl Starting {
    pub(super) fn ready(mut self) -> Node {
        let to = self.0.stdin.take().unwrap();
        let from = BufReader::new(self.0.stdout.take().unwrap()).lines();
        let mut line = Line { to, from };
        let Some(address) = line.heard(LISTENS) else {
            panic!("a node did not start: {}", self.0.wait().unwrap());
        };
        Node { address: address.parse().unwrap(), line: Mutex::new(line), process: self.0 }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serves_when_a_fleet_starts_it() {
    let Ok(settings) = std::env::var(SETTINGS) else { return };
    let world = World::new();
    let server = serve(serde_json::from_str(&settings).unwrap(), &world).await;
    println!("{LISTENS}{}", server.address);
    tokio::task::spawn_blocking(move || obey(&world.clock)).await.unwrap();
    // At once, as a process ends that is killed: nothing in it is waited for.
    std::process::exit(0);
}

/// Moves the clock on by as many seconds as each line says, until the standard input ends.
fn obey(clock: &ManualClock) {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        clock.advance(Duration::from_secs(line.parse().unwrap()));
        println!("{SHOWS}{}", clock.now().unix_seconds());
    }
}

async fn serve(settings: Settings, world: &World) -> Server {
    world.clock.set(Timestamp::from_unix_seconds(settings.now));
    let store = sessions::open(&Store::Url(settings.store), Path::new("")).await.unwrap();
    let users = world.stateless().store(store.expect("a store")).realm(settings.realm);
    let users = users.store_deadline(settings.deadline);
    let users = if let Some(bound) = settings.hybrid { users.hybrid(bound) } else { users };
    let users = users.build().unwrap();
    if settings.maintained {
        let users = users.clone();
        tokio::spawn(async move { users.maintain(std::future::pending()).await });
    }
    let app = App { users, admins: None, world: world.clone() };
    match settings.framework.as_str() {
        Axum::NAME => Axum::serve(app).await,
        Actix::NAME => Actix::serve(app).await,
        Rocket::NAME => Rocket::serve(app).await,
        other => panic!("no framework is called {other}"),
    }
}

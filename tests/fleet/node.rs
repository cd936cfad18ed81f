//! One process of a fleet.
//!
//! It is this test binary, started again for one test only: a program of its own would link the three frameworks once
//! more. Without settings in its environment, which is how everybody else runs it, that test has nothing to do.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use session_core::Timestamp;
use session_demo::{options::Store, sessions};

use crate::harness::{Actix, App, Axum, Framework, Rocket, Server, World};

const SETTINGS: &str = "SESSION_TESTS_NODE";
/// Goes before the address.
const LISTENS: &str = "a node listens at ";

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
}

/// A running node. Ends when it is dropped, and with this process.
pub(super) struct Node {
    pub(super) address: SocketAddr,
    process: Child,
}

impl Node {
    /// Starts a process; [`Self::ready`] waits for it.
    pub(super) fn start(settings: &Settings) -> Starting {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "fleet::node::serves_when_a_fleet_starts_it", "--nocapture"]);
        command.env(SETTINGS, serde_json::to_string(settings).unwrap());
        // An address on the standard output, and an end with the standard input.
        Starting(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
    }
}

/// A node whose address is not known yet.
pub(super) struct Starting(Child);

impl Starting {
    pub(super) fn ready(mut self) -> Node {
        let lines = BufReader::new(self.0.stdout.take().unwrap()).lines();
        let address = lines.map_while(Result::ok).find_map(|line| {
            let (_, address) = line.split_once(LISTENS)?;
            address.parse().ok()
        });
        let Some(address) = address else { panic!("a node did not start: {}", self.0.wait().unwrap()) };
        Node { address, process: self.0 }
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
    let server = serve(serde_json::from_str(&settings).unwrap()).await;
    println!("{LISTENS}{}", server.address);
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
    // At once, as a process ends that is killed: nothing in it is waited for.
    std::process::exit(0);
}

async fn serve(settings: Settings) -> Server {
    let world = World::new();
    world.clock.set(Timestamp::from_unix_seconds(settings.now));
    let store = sessions::open(&Store::Url(settings.store), Path::new("")).await.unwrap();
    let users = world.stateless().store(store.expect("a store")).realm(settings.realm);
    let users = users.store_deadline(settings.deadline).build().unwrap();
    let app = App { users, admins: None, world };
    match settings.framework.as_str() {
        Axum::NAME => Axum::serve(app).await,
        Actix::NAME => Actix::serve(app).await,
        Rocket::NAME => Rocket::serve(app).await,
        other => panic!("no framework is called {other}"),
    }
}

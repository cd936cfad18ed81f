//! The demo as its `main` runs it, on three free ports.

mod admin;
mod login;
mod pages;
mod person;
mod stores;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

pub(crate) use person::{Person, code};
use serde_json::json;
use session_core::KeyRing;
use session_demo::app::Shared;
pub(crate) use session_demo::options::Store;
use session_demo::serve::{self, Shutdown, Stop};
use session_demo::{Options, sessions};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::harness::World;
use crate::wire::{Connection, Request, Response};

/// The running demo. Stopped when it is dropped, and by then it is gone.
pub(crate) struct Demo {
    port: u16,
    stop: Option<Stop>,
    running: Option<JoinHandle<anyhow::Result<()>>>,
}

/// What the other device says it is.
const ELSEWHERE: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
/// How often other ports are tried: what is free now may be somebody else's a moment later.
const TRIES: usize = 10;

impl Demo {
    pub(crate) async fn in_memory() -> Self {
        Self::start(&Store::Memory, Path::new("")).await
    }

    /// On the clock and the store of the test.
    pub(crate) async fn of(world: &World) -> Self {
        Self::start_in(Some(world), &Store::Memory, Path::new("")).await
    }

    pub(crate) async fn start(store: &Store, data_dir: &Path) -> Self {
        Self::start_in(None, store, data_dir).await
    }

    async fn start_in(world: Option<&World>, store: &Store, data_dir: &Path) -> Self {
        for _ in 0..TRIES {
            let (store, data_dir) = (store.clone(), data_dir.to_owned());
            let options = Options { port: three_free_ports(), store, data_dir };
            match Self::start_with(options, world.cloned()).await {
                Ok(demo) => return demo,
                Err(error) => eprintln!("{error:#}"),
            }
        }
        panic!("the demo did not start");
    }

    /// On a runtime of its own. Not as a process: to build that, cargo would compile everything a second time, with
    /// fewer features.
    async fn start_with(options: Options, world: Option<World>) -> anyhow::Result<Self> {
        let port = options.port;
        let (stop, shutdown) = serve::shutdown();
        let (ready, is_ready) = oneshot::channel();
        let running =
            std::thread::spawn(move || Runtime::new()?.block_on(run(options, world, shutdown, ready)));
        match is_ready.await {
            Ok(()) => Ok(Self { port, stop: Some(stop), running: Some(running) }),
            Err(_) => Err(running.join().expect("a demo that does not panic").expect_err("it ended early")),
        }
    }

    pub(crate) fn url(&self, framework: usize) -> String {
        format!("http://localhost:{}/", self.port + u16::try_from(framework).unwrap())
    }

    pub(crate) fn address(&self, framework: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port + framework))
    }

    /// Sends a request that is no browser's to one of the three.
    pub(crate) async fn send(&self, framework: u16, request: Request) -> Response {
        Connection::open(self.address(framework)).await.unwrap().exchange(&request).await.unwrap()
    }

    /// Logs alice in from another device; the answer is its cookie.
    pub(crate) async fn log_in_elsewhere(&self, framework: u16) -> String {
        let body = json!({ "username": "alice", "password": "wonderland" }).to_string();
        let login = Request::post("/login").header("Content-Type", "application/json");
        let response =
            self.send(framework, login.header("User-Agent", ELSEWHERE).body(body)).await.expect(200);
        let line = response.header("set-cookie").expect("a cookie");
        line.split(';').next().unwrap_or_default().to_owned()
    }

    /// Ends one other session of the account, from the device with this cookie.
    pub(crate) async fn revoke_another(&self, framework: u16, cookie: &str) {
        let list =
            self.send(framework, Request::get("/session/list").cookie(cookie)).await.expect(200).json();
        let other = list.as_array().unwrap().iter().find(|device| device["current"] == false);
        let target = format!("/session/list/{}", other.expect("another device")["id"].as_str().unwrap());
        let request = Request::delete(&target).cookie(cookie).header("User-Agent", ELSEWHERE);
        self.send(framework, request).await.expect(204);
    }

    pub(crate) async fn is_logged_in(&self, cookie: &str) -> bool {
        self.send(0, Request::get("/api/me").cookie(cookie)).await.status == 200
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.stop.take();
        let stopped = self.running.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(stopped, Some(Ok(Ok(())))), "{stopped:?}");
    }
}

async fn run(
    options: Options,
    world: Option<World>,
    shutdown: Shutdown,
    ready: oneshot::Sender<()>,
) -> anyhow::Result<()> {
    let mut shared = Shared::new(options.ports())?;
    if let Some(world) = &world {
        shared.clock = Box::new(world.clock.clone());
    }
    let shared = Arc::new(shared);
    let keys = KeyRing::from_secret(crate::harness::SECRET)?;
    let sessions = match world {
        Some(World { clock, store }) => sessions::builder(keys, Some(Arc::new(store)), &shared).clock(clock),
        None => sessions::builder(keys, sessions::open(&options.store, &options.data_dir).await?, &shared),
    };
    let sessions = sessions.build()?;
    serve::run(&options, shared, sessions, shutdown, move || _ = ready.send(())).await
}

/// A port that is free, as are the two after it.
fn three_free_ports() -> u16 {
    let bind = |port: u16| TcpListener::bind(("127.0.0.1", port)).ok();
    for _ in 0..100 {
        let first = bind(0).unwrap();
        let port = first.local_addr().unwrap().port();
        if port < u16::MAX - 2 && bind(port + 1).is_some() && bind(port + 2).is_some() {
            return port;
        }
    }
    panic!("no three free ports in a row");
}

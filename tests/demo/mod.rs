//! The demo as its `main` runs it, on three free ports.

mod stores;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use serde_json::json;
use session_core::KeyRing;
use session_demo::app::Shared;
pub(crate) use session_demo::options::Store;
use session_demo::serve::{self, Shutdown, Stop};
use session_demo::{Options, sessions};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::wire::{Connection, Request, Response};

/// The running demo. Stopped when it is dropped, and by then it is gone.
pub(crate) struct Demo {
    port: u16,
    stop: Option<Stop>,
    running: Option<JoinHandle<anyhow::Result<()>>>,
}

/// How often other ports are tried: what is free now may be somebody else's a moment later.
const TRIES: usize = 10;

impl Demo {
    pub(crate) async fn in_memory() -> Self {
        Self::start(&Store::Memory, Path::new("")).await
    }

    pub(crate) async fn start(store: &Store, data_dir: &Path) -> Self {
        for _ in 0..TRIES {
            let (store, data_dir) = (store.clone(), data_dir.to_owned());
            match Self::start_with(Options { port: three_free_ports(), store, data_dir }).await {
                Ok(demo) => return demo,
                Err(error) => eprintln!("{error:#}"),
            }
        }
        panic!("the demo did not start");
    }

    /// On a runtime of its own. Not as a process: to build that, cargo would compile everything a second time, with
    /// fewer features.
    async fn start_with(options: Options) -> anyhow::Result<Self> {
        let port = options.port;
        let (stop, shutdown) = serve::shutdown();
        let (ready, is_ready) = oneshot::channel();
        let running = std::thread::spawn(move || Runtime::new()?.block_on(run(options, shutdown, ready)));
        match is_ready.await {
            Ok(()) => Ok(Self { port, stop: Some(stop), running: Some(running) }),
            Err(_) => Err(running.join().expect("a demo that does not panic").expect_err("it ended early")),
        }
    }

    pub(crate) fn url(&self, framework: usize) -> String {
        format!("http://localhost:{}/", self.port + u16::try_from(framework).unwrap())
    }

    /// Sends a request that is no browser's to one of the three.
    pub(crate) async fn send(&self, framework: u16, request: Request) -> Response {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port + framework));
        Connection::open(address).await.unwrap().exchange(&request).await.unwrap()
    }

    /// Logs alice in from another device; the answer is its cookie.
    pub(crate) async fn log_in_elsewhere(&self, framework: u16) -> String {
        let body = json!({ "username": "alice", "password": "wonderland" }).to_string();
        let login = Request::post("/login")
            .header("Content-Type", "application/json")
            .header("User-Agent", "Elsewhere");
        let response = self.send(framework, login.body(body)).await.expect(200);
        let line = response.header("set-cookie").expect("a cookie");
        line.split(';').next().unwrap_or_default().to_owned()
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

async fn run(options: Options, shutdown: Shutdown, ready: oneshot::Sender<()>) -> anyhow::Result<()> {
    let shared = Arc::new(Shared::new(options.ports())?);
    let store = sessions::open(&options.store, &options.data_dir).await?;
    let keys = KeyRing::from_secret(crate::harness::SECRET)?;
    let sessions = sessions::build(keys, store, Arc::clone(&shared.events))?;
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

//! The demo, as a person uses it: one login, three frameworks.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use session_core::KeyRing;
use session_demo::app::Shared;
use session_demo::options::Store;
use session_demo::serve::{self, Stop};
use session_demo::{Options, sessions};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::Chromium;
use crate::wire::{Connection, Request, Response};

/// The running demo, stopped when it is dropped.
struct Demo {
    port: u16,
    _stop: Stop,
}

/// How often other ports are tried: what is free now may be somebody else's a moment later.
const TRIES: usize = 10;

impl Demo {
    async fn start() -> Self {
        for _ in 0..TRIES {
            match Self::start_on(three_free_ports()).await {
                Ok(demo) => return demo,
                Err(error) => eprintln!("{error:#}"),
            }
        }
        panic!("the demo did not start");
    }

    /// The demo as its `main` runs it, on a runtime of its own. Not as a process: to build that, cargo would compile
    /// everything a second time, with fewer features.
    async fn start_on(port: u16) -> anyhow::Result<Self> {
        let options = Options { port, store: Store::Memory, data_dir: PathBuf::new() };
        let shared = Arc::new(Shared::new(options.ports())?);
        let keys = KeyRing::from_secret(crate::harness::SECRET)?;
        let store = sessions::open(&options.store, &options.data_dir).await?;
        let sessions = sessions::build(keys, store, Arc::clone(&shared.events))?;
        let (stop, shutdown) = serve::shutdown();
        let (ready, is_ready) = oneshot::channel();
        let running = std::thread::spawn(move || {
            let answers = move || _ = ready.send(());
            Runtime::new()?.block_on(serve::run(&options, shared, sessions, shutdown, answers))
        });
        match is_ready.await {
            Ok(()) => Ok(Self { port, _stop: stop }),
            Err(_) => Err(running.join().expect("a demo that does not panic").expect_err("it ended early")),
        }
    }

    fn url(&self, framework: usize) -> String {
        format!("http://localhost:{}/", self.port + u16::try_from(framework).unwrap())
    }

    /// Sends a request that is no browser's to one of the three.
    async fn send(&self, framework: u16, request: Request) -> Response {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port + framework));
        Connection::open(address).await.unwrap().exchange(&request).await.unwrap()
    }

    /// Logs alice in from another device; the answer is its cookie.
    async fn log_in_elsewhere(&self, framework: u16) -> String {
        let body = json!({ "username": "alice", "password": "wonderland" }).to_string();
        let login = Request::post("/login")
            .header("Content-Type", "application/json")
            .header("User-Agent", "Elsewhere");
        let response = self.send(framework, login.body(body)).await.expect(200);
        let line = response.header("set-cookie").expect("a cookie");
        line.split(';').next().unwrap_or_default().to_owned()
    }

    async fn is_logged_in(&self, cookie: &str) -> bool {
        self.send(0, Request::get("/api/me").cookie(cookie)).await.status == 200
    }
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

const FRAMEWORKS: [&str; 3] = ["axum", "actix-web", "Rocket"];
const SECONDS: &str = "Number(document.querySelector('#countdown').dataset.seconds)";
const DEVICES: &str = "document.querySelectorAll('#devices li[data-id]').length";

async fn log_in(browser: &Chromium) {
    browser.fill("#username", "alice").await;
    browser.fill("#password", "wonderland").await;
    browser.click("#login-form button[type=submit]").await;
}

#[tokio::test]
async fn one_login_three_frameworks() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::start().await;
    for first in 0..3 {
        browser.go(&demo.url(first)).await;
        log_in(&browser).await;
        for framework in (first..first + 3).map(|framework| framework % 3) {
            browser.go(&demo.url(framework)).await;
            assert_eq!(browser.text("#framework").await, FRAMEWORKS[framework]);
            assert_eq!(browser.text("#who").await, "alice", "on {}", FRAMEWORKS[framework]);
        }
        browser.click("#logout").await;
        for framework in 0..3 {
            browser.go(&demo.url(framework)).await;
            browser.find("#login-form").await;
        }
    }
    browser.stop().await;
}

#[tokio::test]
async fn a_wrong_password_stays_on_the_form() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::start().await;
    for framework in 0..3 {
        browser.go(&demo.url(framework)).await;
        browser.fill("#username", "alice").await;
        browser.fill("#password", "looking-glass").await;
        browser.click("#login-form button[type=submit]").await;
        browser.find("#login-error").await;
        assert_eq!(browser.count("#who").await, 0);
    }
    browser.stop().await;
}

#[tokio::test]
async fn the_countdown_moves_and_a_refresh_winds_it_up() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::start().await;
    browser.go(&demo.url(0)).await;
    log_in(&browser).await;
    for framework in 0..3 {
        browser.go(&demo.url(framework)).await;
        browser.find("#countdown").await;
        let start = browser.evaluate(SECONDS).await.as_u64().expect("seconds");
        assert!((86_000..=86_400).contains(&start), "{start} seconds");
        browser.until(&format!("{SECONDS} <= {start} - 2")).await;
        if framework == 0 {
            // The other two are within the grace after this one's successor was first used.
            browser.click("#refresh").await;
            browser.until(&format!("{SECONDS} >= {start} - 1")).await;
        }
        browser.until("document.querySelector('#events li[data-kind]') !== null").await;
    }
    browser.stop().await;
}

#[tokio::test]
async fn the_counter_is_one_number() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::start().await;
    browser.go(&demo.url(1)).await;
    log_in(&browser).await;
    for framework in 0..3 {
        browser.go(&demo.url(framework)).await;
        assert_eq!(browser.text("#visits").await, framework.to_string());
        browser.click("#visit").await;
        browser
            .until(&format!("document.querySelector('#visits').textContent === '{}'", framework + 1))
            .await;
    }
    browser.stop().await;
}

#[tokio::test]
async fn another_device_can_be_logged_out() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::start().await;
    browser.go(&demo.url(0)).await;
    log_in(&browser).await;
    for (framework, name) in FRAMEWORKS.into_iter().enumerate() {
        let elsewhere = demo.log_in_elsewhere(2).await;
        assert!(demo.is_logged_in(&elsewhere).await);
        browser.go(&demo.url(framework)).await;
        browser.until(&format!("{DEVICES} === 2")).await;
        browser.click("#devices button[data-revoke]").await;
        browser.until(&format!("{DEVICES} === 1")).await;
        assert!(!demo.is_logged_in(&elsewhere).await, "on {name}");
        assert_eq!(browser.text("#who").await, "alice");
    }
    browser.stop().await;
}

#[tokio::test]
async fn log_out_everywhere() {
    let Some(browser) = Chromium::start().await else { return };
    let demo = Demo::start().await;
    browser.go(&demo.url(0)).await;
    log_in(&browser).await;
    for (framework, name) in FRAMEWORKS.into_iter().enumerate() {
        let elsewhere = [demo.log_in_elsewhere(0).await, demo.log_in_elsewhere(1).await];
        browser.go(&demo.url(framework)).await;
        browser.until(&format!("{DEVICES} === 3")).await;
        browser.click("#revoke-others").await;
        browser.until(&format!("{DEVICES} === 1")).await;
        for cookie in &elsewhere {
            assert!(!demo.is_logged_in(cookie).await, "on {name}");
        }
    }
    browser.click("#logout").await;
    for framework in 0..3 {
        browser.go(&demo.url(framework)).await;
        browser.find("#login-form").await;
    }
    browser.stop().await;
}

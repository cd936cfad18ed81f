//! The demo, as a person uses it: one login, three frameworks.

use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::Chromium;
use crate::wire::{Connection, Request, Response};

/// The running demo: a process of its own, ended when it is dropped.
struct Demo {
    _process: Child,
    _data: TempDir,
    port: u16,
}

/// Building it may come first.
const START: Duration = Duration::from_secs(60);

impl Demo {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let port = three_free_ports();
        let mut process = Command::new(executable().await)
            .args(["--store", "memory", "--port", &port.to_string()])
            .arg("--data-dir")
            .arg(data.path())
            .env("JWT_SECRET", crate::harness::SECRET)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the demo to start");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let last = format!("http://localhost:{}", port + 2);
        // It says where it is once all three answer.
        let ready = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.contains(&last) {
                    return;
                }
            }
            panic!("the demo ended before it said where it is");
        };
        tokio::time::timeout(START, ready).await.expect("the demo to say where it is");
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { _process: process, _data: data, port }
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

/// Builds the demo, which is quick when it is built, and says where it is.
async fn executable() -> String {
    let build = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "session-demo", "--message-format", "json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .await
        .expect("cargo");
    assert!(build.status.success(), "the demo does not build");
    let messages = String::from_utf8(build.stdout).unwrap();
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let paths = messages.filter(|message| message["target"]["name"] == "session-demo");
    paths
        .filter_map(|message| message["executable"].as_str().map(str::to_owned))
        .next_back()
        .expect("an executable")
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

//! A headless Chromium behind its WebDriver, both ended when the test ends.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::json;
use session_test_servers::requirements::program;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::wire::{Connection, Request};

/// A browser with an empty profile.
pub(crate) struct Chromium {
    pub(crate) page: Client,
    port: u16,
    driver: Driver,
    _profile: TempDir,
}

/// chromedriver, in a process group of its own together with the browsers that it starts.
struct Driver(Child);

const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    // A container often has no room for shared memory.
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];
/// Starting a browser on a busy machine takes its time.
const START: Duration = Duration::from_secs(60);
/// Scripts of the page may take so long to do what a click asks for.
const PATIENCE: Duration = Duration::from_secs(20);

impl Chromium {
    /// Starts one, or says why the test is left out.
    pub(crate) async fn start() -> Option<Self> {
        let browser = program("chromium", "chromium")?;
        let driver = program("chromedriver", "chromium-driver")?;
        let profile = tempfile::tempdir().unwrap();
        let port = free_port();
        let driver = Driver::start(&driver, port).await;
        let page = ClientBuilder::new(hyper_util_connector())
            .capabilities(capabilities(&browser, &profile))
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("a session of chromedriver");
        Some(Self { page, port, driver, _profile: profile })
    }

    /// Ends browser and driver in good order. Dropping ends them, too.
    pub(crate) async fn stop(mut self) {
        self.page.clone().close().await.expect("the browser to close");
        self.driver.0.kill().await.expect("chromedriver to end");
    }

    pub(crate) async fn go(&self, url: &str) {
        self.page.goto(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Waits for an element.
    pub(crate) async fn find(&self, css: &str) -> fantoccini::elements::Element {
        let found = self.page.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await;
        found.unwrap_or_else(|error| panic!("no {css}: {error}"))
    }

    pub(crate) async fn text(&self, css: &str) -> String {
        self.find(css).await.text().await.unwrap()
    }

    pub(crate) async fn click(&self, css: &str) {
        self.find(css).await.click().await.unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let field = self.find(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// How many elements there are right now.
    pub(crate) async fn count(&self, css: &str) -> usize {
        self.page.find_all(Locator::Css(css)).await.unwrap().len()
    }

    /// Waits until this expression is true in the page. The driver asks again by itself: nobody sleeps.
    pub(crate) async fn until(&self, expression: &str) {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             const end = Date.now() + {};
             (function ask() {{
                 let seen = false;
                 try {{ seen = !!({expression}); }} catch (_) {{}}
                 if (seen || Date.now() > end) done(seen); else requestAnimationFrame(ask);
             }})();",
            PATIENCE.as_millis()
        );
        let seen = self.page.execute_async(&script, Vec::new()).await;
        let seen = seen.unwrap_or_else(|error| panic!("{expression}: {error}"));
        if seen != json!(true) {
            let body = self.page.source().await.unwrap_or_default();
            panic!("never true in the page: {expression}\n{body}");
        }
    }

    /// A command of the DevTools protocol, for what WebDriver has no word for.
    pub(crate) async fn devtools(&self, command: &str, parameters: serde_json::Value) {
        let session = self.page.session_id().await.unwrap().expect("a session of chromedriver");
        let body = json!({ "cmd": command, "params": parameters }).to_string();
        let request = Request::post(&format!("/session/{session}/goog/cdp/execute"));
        let request = request.header("Content-Type", "application/json").body(body);
        let driver = SocketAddr::from(([127, 0, 0, 1], self.port));
        Connection::open(driver).await.unwrap().exchange(&request).await.unwrap().expect(200);
    }

    /// Evaluates an expression in the page.
    pub(crate) async fn evaluate(&self, expression: &str) -> serde_json::Value {
        self.page.execute(&format!("return ({expression});"), Vec::new()).await.unwrap()
    }
}

impl Driver {
    async fn start(path: &PathBuf, port: u16) -> Self {
        let mut command = Command::new(path);
        command
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        #[cfg(unix)]
        command.process_group(0);
        let mut child =
            command.kill_on_drop(true).spawn().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let driver = Self(child);
        let ready = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.contains("started successfully") {
                    return;
                }
            }
            panic!("chromedriver ended before it was ready");
        };
        tokio::time::timeout(START, ready).await.expect("chromedriver to start");
        // It goes on writing: nobody may close its output.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        driver
    }
}

impl Drop for Driver {
    /// Kills the group: a browser whose test failed is in it.
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(id) = self.0.id() {
            // The shell's own `kill`: a small machine has no such program.
            let kill = format!("kill -s KILL -- -{id}");
            let _ = std::process::Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status();
        }
    }
}

fn capabilities(browser: &std::path::Path, profile: &TempDir) -> Capabilities {
    let mut flags: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
    flags.push(format!("--user-data-dir={}", profile.path().display()));
    let options = json!({ "binary": browser, "args": flags });
    [
        ("goog:chromeOptions".to_owned(), options),
        ("timeouts".to_owned(), json!({ "script": 2 * PATIENCE.as_millis() as u64 })),
    ]
    .into_iter()
    .collect()
}

fn hyper_util_connector() -> hyper_util::client::legacy::connect::HttpConnector {
    hyper_util::client::legacy::connect::HttpConnector::new()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

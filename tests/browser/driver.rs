use std::{
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use fantoccini::{Client, ClientBuilder, wd::Capabilities};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tempfile::TempDir;

use crate::requirements;

/// Chromium and its driver. Dropping it stops both, and removes the profile.
pub(super) struct Browser {
    client: Client,
    _driver: Driver,
}

impl Browser {
    /// `None`, said loudly, if Chromium or its driver is missing.
    pub(super) async fn start() -> Option<Self> {
        let chromium = requirements::program("chromium", "chromium")?;
        let chromedriver = requirements::program("chromedriver", "chromium-driver")?;
        let driver = Driver::start(&chromedriver);
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities(&chromium, driver.profile.path()));
        let client = builder.connect(&driver.url).await.expect("a browser session");
        Some(Self { client, _driver: driver })
    }

    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }
}

fn capabilities(chromium: &Path, profile: &Path) -> Capabilities {
    let profile = format!("--user-data-dir={}", profile.display());
    let arguments = [
        profile.as_str(),
        "--headless",
        // root has no sandbox, and a container often has no room for shared memory.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--window-size=1200,900",
        // Nothing but the page under test is asked for over the network.
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-breakpad",
    ];
    let options = json!({ "binary": chromium, "args": arguments });
    Capabilities::from_iter([("goog:chromeOptions".to_owned(), options)])
}

/// A `chromedriver` on a free port, in a process group of its own that the browser joins.
struct Driver {
    process: Child,
    profile: TempDir,
    url: String,
}

impl Driver {
    fn start(program: &Path) -> Self {
        let profile =
            tempfile::Builder::new().prefix("session-tests-browser-").tempdir().expect("a temporary folder");
        let mut command = Command::new(program);
        command
            .arg("--port=0")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = command.spawn().expect("a chromedriver that starts");
        let mut lines =
            BufReader::new(process.stdout.take().expect("a piped output")).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let port = line.split_once("successfully on port ")?.1.trim_end_matches('.');
            port.parse::<u16>().ok()
        });
        // What it says later is read and dropped, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let mut this = Self { process, profile, url: String::new() };
        this.url = format!("http://127.0.0.1:{}", port.expect("a port that chromedriver says it is on"));
        this
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The shell's own `kill`: not every machine has the program.
        let kill = format!("kill -s KILL -- -{}", self.process.id());
        _ = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status();
        _ = self.process.wait();
        // Processes that are about to end may still write to the profile.
        for _ in 0..20 {
            if std::fs::remove_dir_all(self.profile.path()).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

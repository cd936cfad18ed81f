//! The example with passkeys, and Chromium's virtual authenticator. A build of its own, since nothing else here wants
//! `webauthn-rs`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::Chromium;
use crate::harness::SECRET;

/// The example, listening. It ends when this is dropped.
struct Example {
    url: String,
    _process: Child,
}

impl Example {
    async fn start() -> Self {
        let mut process = Command::new(build().await)
            // Any free port.
            .arg("0")
            .env("JWT_SECRET", SECRET)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the example to start");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = lines.next_line().await.unwrap().expect("where the example listens");
        Self { url, _process: process }
    }
}

/// The program, built now unless it is there.
async fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let target = root.join("target/passkeys");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--locked", "--manifest-path"])
        .arg(root.join("examples/passkeys/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join("debug/session-passkeys")
}

/// What the page says of the visitor becomes this.
async fn until_it_is(browser: &Chromium, who: &str) {
    browser.until(&format!("document.querySelector('#who').textContent === '{who}'")).await;
}

/// Sends the last answer of a ceremony once more.
async fn send_again(browser: &Chromium) -> Value {
    let script = "const done = arguments[arguments.length - 1];
        fetch(...sent.at(-1)).then(async answer => done([answer.status, (await answer.json()).code]));";
    browser.page.execute_async(script, Vec::new()).await.unwrap()
}

const REMEMBER: &str = "(() => {
    window.sent = [];
    const real = fetch;
    window.fetch = (...request) => {
        if (request[0].endsWith('/finish')) sent.push(request);
        return real(...request);
    };
})()";

#[tokio::test]
async fn a_passkey_logs_in_and_its_answer_is_good_once() {
    let Some(browser) = Chromium::start().await else { return };
    let example = Example::start().await;
    browser.devtools("WebAuthn.enable", json!({})).await;
    let authenticator = json!({
        "protocol": "ctap2", "transport": "internal", "hasUserVerification": true, "isUserVerified": true,
        "automaticPresenceSimulation": true,
    });
    browser.devtools("WebAuthn.addVirtualAuthenticator", json!({ "options": authenticator })).await;
    browser.go(&example.url).await;
    until_it_is(&browser, "nobody").await;
    browser.evaluate(REMEMBER).await;

    for ceremony in ["#register", "#login"] {
        browser.click(ceremony).await;
        until_it_is(&browser, "alice, who showed hwk").await;
        browser.click("#logout").await;
        until_it_is(&browser, "nobody").await;
        assert_eq!(send_again(&browser).await, json!([400, "FLOW_NOT_FOUND"]), "after {ceremony}");
    }

    // The name is taken, and nobody has a passkey of bob.
    browser.click("#register").await;
    browser.until("document.querySelector('#problem').textContent === 'That name is taken.'").await;
    browser.fill("#name", "bob").await;
    browser.click("#login").await;
    browser.until("document.querySelector('#problem').textContent === 'No such passkey.'").await;
    browser.stop().await;
}

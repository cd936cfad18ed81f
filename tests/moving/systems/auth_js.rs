//! Auth.js in a Next.js application.

use serde::Deserialize;
use session_core::{Clock as _, SystemClock};
use session_import::{AuthJs, Cookies, ImportError};
use session_test_servers::requirements::program;
use tokio::process::Command;

use super::application::{Application, NPM_CI, SECRET, installed, run};
use super::takeover::{Takeover, log_in};
use crate::browser::Chromium;
use crate::harness::User;

/// Without TLS the cookie has no prefix.
const COOKIE: &str = "authjs.session-token";
/// `next start` on a free port.
const START: &str = "process.stdin.on('end', () => process.exit()).resume();
    process.argv.splice(1, process.argv.length, 'next', 'start', '--port', '0', '--hostname', '127.0.0.1');
    require('next/dist/bin/next');";

#[derive(Deserialize)]
struct Token {
    name: String,
}

#[tokio::test]
async fn a_browser_of_auth_js_stays_logged_in() {
    let Some(browser) = Chromium::start().await else { return };
    let (Some(node), Some(npm)) = (program("node", "nodejs"), program("npm", "npm")) else { return };
    let install = |place: &std::path::Path| {
        run(&npm, place, &NPM_CI)?;
        run(&npm, place, &["run", "build"])
    };
    let Some(folder) = installed("auth-js", install) else { return };
    let mut command = Command::new(node);
    let command = command.args(["--eval", START]).current_dir(folder).env("NEXT_TELEMETRY_DISABLED", "1");
    let application = Application::start(command, "http://127.0.0.1:").await;
    log_in(&browser, &application, "/api/auth/signin?callbackUrl=/").await;

    let takeover = Takeover::begin(browser, application, |users| {
        let reader = AuthJs::new(SECRET).cookie_name(COOKIE);
        users.adopt_from(move |cookies| {
            let found = reader.read::<Token>(&Cookies::from_header(cookies.as_bytes()), SystemClock.now());
            async move {
                let old = match found {
                    Err(ImportError::Ambiguous) => None,
                    found => found?,
                };
                Ok(old.map(|old| (User::named(&old.payload.name), old.foreign().allow_any_name())))
            }
        })
    });
    // There is no id in its cookie: each request may make one, and those that nobody keeps idle out.
    takeover.await.goes_well(8).await;
}

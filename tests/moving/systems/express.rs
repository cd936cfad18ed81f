//! express-session on Redis.

use serde::Deserialize;
use session_core::{Clock as _, Foreign, ForeignCookies, SystemClock};
use session_import::{Cookies, ExpressSession, ImportError};
use session_test_servers::Redis;
use session_test_servers::requirements::program;
use tokio::process::Command;

use super::application::{Application, NPM_CI, SECRET, installed, run};
use super::takeover::{Takeover, log_in};
use crate::browser::Chromium;
use crate::harness::User;

/// What the application keeps beside `cookie`.
#[derive(Deserialize)]
struct Kept {
    name: Option<String>,
}

#[tokio::test]
async fn a_browser_of_express_session_stays_logged_in() {
    let (Some(redis), Some(browser)) = (Redis::shared(), Chromium::start().await) else { return };
    let (Some(node), Some(npm)) = (program("node", "nodejs"), program("npm", "npm")) else { return };
    let Some(folder) = installed("express", |place| run(&npm, place, &NPM_CI)) else { return };
    let mut command = Command::new(node);
    let command = command.arg("app.mjs").current_dir(folder).env("REDIS_URL", redis.url());
    let application = Application::start(command, "").await;
    log_in(&browser, &application, "/login").await;

    let client = redis::Client::open(redis.url()).unwrap();
    let takeover = Takeover::begin(browser, application, |users| {
        let (reader, client) = (ExpressSession::new(SECRET), client.clone());
        users.adopt_from(move |cookies| look_up(reader.clone(), client.clone(), cookies))
    });
    takeover.await.goes_well(1).await;
}

async fn look_up(
    reader: ExpressSession,
    client: redis::Client,
    cookies: ForeignCookies,
) -> Result<Option<(User, Foreign)>, Box<dyn std::error::Error + Send + Sync>> {
    let reference = match reader.reference(&Cookies::from_header(cookies.as_bytes())) {
        Err(ImportError::Ambiguous) => return Ok(None),
        reference => reference?,
    };
    let Some(reference) = reference else { return Ok(None) };
    let mut connection = client.get_multiplexed_async_connection().await?;
    let json: Option<Vec<u8>> =
        redis::cmd("GET").arg(format!("sess:{}", reference.id)).query_async(&mut connection).await?;
    let Some(json) = json else { return Ok(None) };
    let Some(old) = reader.record::<Kept>(reference, &json, SystemClock.now())? else { return Ok(None) };
    let foreign = old.foreign().allow_any_name();
    Ok(old.payload.name.map(|name| (User::named(&name), foreign)))
}

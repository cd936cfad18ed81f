//! Django's sessions in its own table.

use serde::Deserialize;
use session_core::{Clock as _, Foreign, ForeignCookies, SystemClock, Timestamp};
use session_import::{Cookies, Django, ImportError};
use session_test_servers::requirements::program;
use sqlx::SqlitePool;
use tokio::process::Command;

use super::application::{Application, SECRET, installed, run};
use super::takeover::{Takeover, log_in};
use crate::browser::Chromium;
use crate::harness::User;

#[derive(Deserialize)]
struct Kept {
    #[serde(rename = "_auth_user_id")]
    id: Option<String>,
    #[serde(rename = "_auth_user_hash", default)]
    hash: String,
}

#[tokio::test]
async fn a_browser_of_django_stays_logged_in() {
    let (Some(browser), Some(python)) = (Chromium::start().await, program("python3", "python3")) else {
        return;
    };
    let install = ["-m", "pip", "install", "--quiet", "--require-hashes", "--target", "packages", "-r"];
    let install =
        |place: &std::path::Path| run(&python, place, &[&install[..], &["requirements.txt"]].concat());
    let Some(folder) = installed("django", install) else { return };
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("django.sqlite");
    let mut command = Command::new(&python);
    let command = command.arg("app.py").current_dir(&folder).env("DATABASE", &file);
    let application = Application::start(command.env("PYTHONPATH", folder.join("packages")), "").await;
    log_in(&browser, &application, "/login").await;

    let database = SqlitePool::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    let takeover = Takeover::begin(browser, application, |users| {
        let (reader, database) = (Django::new(SECRET), database.clone());
        users.adopt_from(move |cookies| look_up(reader.clone(), database.clone(), cookies))
    });
    takeover.await.goes_well(1).await;
    database.close().await;
}

async fn look_up(
    reader: Django,
    database: SqlitePool,
    cookies: ForeignCookies,
) -> Result<Option<(User, Foreign)>, Box<dyn std::error::Error + Send + Sync>> {
    let reference = match reader.reference(&Cookies::from_header(cookies.as_bytes())) {
        Err(ImportError::Ambiguous) => return Ok(None),
        reference => reference?,
    };
    let Some(reference) = reference else { return Ok(None) };
    let row: Option<(String, i64)> = sqlx::query_as(
        "SELECT session_data, CAST(strftime('%s', expire_date) AS INTEGER) FROM django_session WHERE session_key = ?",
    )
    .bind(&reference.id)
    .fetch_optional(&database)
    .await?;
    let Some((data, expires)) = row else { return Ok(None) };
    let expires = Timestamp::from_unix_seconds(expires);
    let Some(old) = reader.record::<Kept>(reference, &data, expires, SystemClock.now())? else {
        return Ok(None);
    };
    let Some(id) = &old.payload.id else { return Ok(None) };
    let user: Option<(String, String)> =
        sqlx::query_as("SELECT username, password FROM auth_user WHERE id = ? AND is_active")
            .bind(id.parse::<i64>()?)
            .fetch_optional(&database)
            .await?;
    let Some((name, password)) = user else { return Ok(None) };
    // Who has another password since then was logged out there.
    let knows = reader.knows_password(&old.payload.hash, &password)?;
    Ok(knows.then(|| (User::named(&name), old.foreign().allow_any_name())))
}

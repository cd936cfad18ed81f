//! What a session adds to a request, in allocations, on each framework. Each number may fall, and must not grow.

mod actix;
mod axum;
mod rocket;

use std::borrow::Cow;
use std::future::Future;

use serde::{Deserialize, Serialize};
use session_core::testing::logged_in_cookie;
use session_core::{KeyRing, SessionManager, SessionPayload};

/// Over the same route without sessions.
const UNUSED_ON_AXUM: i64 = 4;
const UNUSED_ON_ACTIX: i64 = 2;
const UNUSED_ON_ROCKET: i64 = 3;
/// The same, five of them for the user's five strings.
const READ_ON_AXUM: i64 = 10;
const READ_ON_ACTIX: i64 = 9;
const READ_ON_ROCKET: i64 = 13;

#[derive(Clone, Serialize, Deserialize)]
struct User {
    user_id: String,
    username: String,
    email: String,
    role: String,
    last_login: String,
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.user_id).into())
    }
}

fn alice() -> User {
    let [user_id, username, email, role, last_login] =
        ["42", "alice", "a@example.com", "admin", "2026-11-24T05:00Z"].map(str::to_owned);
    User { user_id, username, email, role, last_login }
}

/// Without a store.
fn sessions() -> SessionManager<User> {
    let keys = KeyRing::from_secret("the secret of this test, 32 bytes or more").unwrap();
    SessionManager::builder().keys(keys).build().unwrap()
}

/// What a browser sends: the session's cookie between two others.
async fn headers(sessions: &SessionManager<User>) -> [(&'static str, String); 4] {
    let cookie = logged_in_cookie(sessions, alice()).await.unwrap();
    let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
    [
        ("host", "example.com".to_owned()),
        ("user-agent", agent.to_owned()),
        ("sec-fetch-site", "same-origin".to_owned()),
        ("cookie", format!("theme=dark; {cookie}; lang=en")),
    ]
}

/// How many allocations the cheapest of several requests makes: the first ones make what is made once, and now and then one
/// does something for the framework besides.
fn counted<F: Future>(runtime: &tokio::runtime::Runtime, mut request: impl FnMut() -> F) -> i64 {
    let counts = (0..25).map(|_| {
        let request = request();
        allocation_counter::measure(|| drop(runtime.block_on(request))).count_total
    });
    i64::try_from(counts.min().unwrap()).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

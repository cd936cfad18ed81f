//! One login for this library and for a Next.js application with the same `JWT_SECRET`, proven with `jose` itself.
//! Needs `node` and `npm`; what is left out without them is said, and fails where everything is required.

mod jose;
mod plain;
mod refused;
mod sealed;
mod typed;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use session_core::testing::{TestRequest, logged_in_cookie};
use session_core::{
    Clock as _, ErrorKind, KeyRing, Session, SessionError, SessionManager, SessionManagerBuilder,
    SessionPayload, SystemClock, Timestamp, TokenForm,
};

use self::jose::Jose;
use crate::harness::{SECRET, World};

const COOKIE: &str = "__Host-session";
const DAY: i64 = 24 * 3600;

/// The user of the Next.js module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Member {
    user_id: String,
    username: String,
    email: String,
    role: String,
    last_login: Option<String>,
}

impl SessionPayload for Member {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.user_id).into())
    }
}

fn zoe() -> Member {
    Member {
        user_id: "42".to_owned(),
        username: "Zoë \"☕\" 渡辺".to_owned(),
        email: "zoe@example.com".to_owned(),
        role: "editor".to_owned(),
        last_login: Some("2026-01-01T08:00:00.000Z".to_owned()),
    }
}

/// What JavaScript has for [`zoe`].
fn zoe_in_json() -> Value {
    json!({
        "userId": "42",
        "username": "Zoë \"☕\" 渡辺",
        "email": "zoe@example.com",
        "role": "editor",
        "lastLogin": "2026-01-01T08:00:00.000Z",
    })
}

/// A world whose time is the real one, which `jose` reads as well. It stands still there.
fn present() -> World {
    let world = World::new();
    world.clock.set(SystemClock.now());
    world
}

/// Members whose tokens `keys` sign, in a world.
fn members(world: &World, keys: KeyRing) -> SessionManagerBuilder<Member> {
    SessionManager::builder().keys(keys).clock(world.clock.clone())
}

/// Members as a Next.js application has them.
fn plain_members(world: &World) -> SessionManager<Member> {
    members(world, secret_keys()).token_form(TokenForm::Plain).build().unwrap()
}

fn secret_keys() -> KeyRing {
    KeyRing::from_secret(SECRET).unwrap()
}

/// The token of a new login.
async fn token_of<U: SessionPayload>(sessions: &SessionManager<U>, user: U) -> String {
    let cookie = logged_in_cookie(sessions, user).await.unwrap();
    cookie.strip_prefix(&format!("{}=", sessions.cookie_name())).unwrap().to_owned()
}

fn request(token: &str) -> TestRequest {
    TestRequest::new("GET", "/").cookie(&format!("{COOKIE}={token}"))
}

/// The session that a token opens.
async fn open<U: SessionPayload>(
    sessions: &SessionManager<U>,
    token: &str,
) -> Result<Session<U>, SessionError> {
    let incoming = sessions.slot().receive(&request(token));
    incoming.open().await?;
    Ok(incoming.session())
}

async fn refusal<U: SessionPayload>(sessions: &SessionManager<U>, token: &str) -> Option<ErrorKind> {
    open(sessions, token).await.err().map(|error| error.kind())
}

#[track_caller]
fn time(claims: &Value, name: &str) -> Timestamp {
    let seconds = claims[name].as_i64().unwrap_or_else(|| panic!("no {name} in {claims}"));
    Timestamp::from_unix_seconds(seconds)
}

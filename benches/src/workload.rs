//! What every subject works on: one user, one token, one request.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use session_core::store::MemoryStore;
use session_core::{
    KeyRing, SessionManager, SessionPayload,
    adapter::{Headers, RequestHead},
};

use crate::limit::Limit;
use crate::measure::wait;

pub const SECRET: &str = "a secret of the benches, of no use to anybody";
pub const COOKIE: &str = "__Host-session";
const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 \
                          Safari/537.36";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    pub user_id: String,
    pub username: String,
    pub email: String,
    pub role: String,
    pub last_login: String,
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.user_id).into())
    }
}

impl User {
    #[must_use]
    pub fn alice() -> Self {
        let [user_id, username, email, role, last_login] =
            ["42", "alice", "a@example.com", "admin", "2026-11-24T05:00Z"].map(str::to_owned);
        Self { user_id, username, email, role, last_login }
    }

    /// The change of every subject that writes. Allocates nothing.
    pub fn change(&mut self) {
        self.last_login.clear();
        self.last_login.push_str("2026-11-24T06:00Z");
    }
}

fn keys() -> KeyRing {
    KeyRing::from_secret(SECRET).expect("long enough")
}

/// Sessions that live in the cookie.
#[must_use]
pub fn stateless() -> SessionManager<User> {
    SessionManager::builder().keys(keys()).build().expect("the defaults")
}

/// Sessions in memory.
#[must_use]
pub fn tracked() -> SessionManager<User> {
    SessionManager::builder().keys(keys()).store(MemoryStore::new()).build().expect("the defaults")
}

/// The limit, with the key of the managers.
pub static LIMIT: LazyLock<Limit> = LazyLock::new(|| Limit::new(SECRET, &keys().signing_kid()));

/// The token of a login.
#[must_use]
pub fn token(sessions: &SessionManager<User>) -> String {
    let login = wait(sessions.create_session(User::alice(), &Head::new("")));
    login.expect("a login").token.expect("a token").expose().to_owned()
}

/// The Cookie line of a browser that is logged in: ours between two others.
#[must_use]
pub fn cookie(sessions: &SessionManager<User>) -> String {
    among_others(&format!("{COOKIE}={}", token(sessions)))
}

#[must_use]
pub fn among_others(pair: &str) -> String {
    format!("theme=dark; {pair}; _ga=GA1.1.1234567890.1234567890")
}

/// The header lines of every request.
#[must_use]
pub fn headers(cookie: &str) -> [(&'static str, String); 4] {
    [
        ("host", "example.com".to_owned()),
        ("user-agent", USER_AGENT.to_owned()),
        ("accept", "application/json".to_owned()),
        ("cookie", cookie.to_owned()),
    ]
}

/// A request in plain data, for what needs no framework.
pub struct Head([(&'static str, String); 4]);

impl Head {
    #[must_use]
    pub fn new(cookie: &str) -> Self {
        Self(headers(cookie))
    }
}

impl Headers for Head {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value.as_bytes())
    }
}

impl RequestHead for Head {
    fn method(&self) -> &str {
        "GET"
    }

    fn target(&self) -> &str {
        "/"
    }

    fn authority(&self) -> Option<&str> {
        None
    }

    fn peer(&self) -> Option<IpAddr> {
        None
    }
}

//! What is sealed and what is compared, through the public door: a request with a cookie, and whether it has a session.

use std::borrow::Cow;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use serde::{Deserialize, Serialize};
use session_core::testing::{TestRequest, logged_in_cookie};
use session_core::{Key, KeyRing, SessionManager, SessionPayload, TokenForm};

/// Five strings, as in the other benches.
#[derive(Clone, Serialize, Deserialize)]
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
        Self {
            user_id: "5f0c1a8e-7d55-4f3b-9c7e-2b1f6f0a9d11".to_owned(),
            username: "alice".to_owned(),
            email: "alice@example.com".to_owned(),
            role: "editor".to_owned(),
            last_login: "2026-11-20T08:15:30.000Z".to_owned(),
        }
    }
}

/// Sessions whose tokens have this form, by a key of this byte under the name `k`.
#[must_use]
pub fn sessions(form: TokenForm, key: u8) -> SessionManager<User> {
    let key = Key::hs256([key; 32]).and_then(|key| key.with_kid("k")).expect("a key");
    SessionManager::builder()
        .keys(KeyRing::new(key).expect("a ring"))
        .token_form(form)
        .build()
        .expect("a manager")
}

/// The cookie of a new login.
#[must_use]
pub fn cookie(sessions: &SessionManager<User>) -> String {
    done(logged_in_cookie(sessions, User::alice())).expect("a login")
}

#[must_use]
pub fn request(cookie: &str) -> TestRequest {
    TestRequest::new("GET", "/").cookie(cookie)
}

/// Whether the request has a session.
#[must_use]
pub fn opens(sessions: &SessionManager<User>, request: &TestRequest) -> bool {
    done(sessions.get_session(request)).expect("an answer").is_some()
}

/// Without a store nothing waits.
///
/// # Panics
/// When something waits all the same.
pub fn done<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("stateless sessions do not wait"),
    }
}

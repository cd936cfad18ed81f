//! For the tests of applications: a clock that they own, requests in plain data, minted logins, and a store that fails
//! when told to.

mod fault;
mod faulty;
mod stop;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

pub use fault::{Fault, StoreMethod};
pub use faulty::FaultyStore;
pub use stop::Stop;

use crate::clock::Clock;
use crate::error::SessionError;
use crate::manager::SessionManager;
use crate::payload::SessionPayload;
use crate::request::{Headers, RequestHead};
use crate::time::Timestamp;

/// A clock that moves when told. Clones show the same time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Hands>);

#[derive(Debug)]
struct Hands {
    wall: AtomicI64,
    steady: AtomicU64,
}

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(Hands { wall: AtomicI64::new(now.unix_seconds()), steady: AtomicU64::new(0) }))
    }

    /// Moves it on, by whole seconds.
    pub fn advance(&self, by: Duration) {
        self.0.steady.fetch_add(by.as_secs(), Ordering::SeqCst);
        self.set(self.now().plus(by));
    }

    /// Sets it, as an administrator sets the wall clock: [`Clock::steady`] does not move.
    pub fn set(&self, now: Timestamp) {
        self.0.wall.store(now.unix_seconds(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.0.wall.load(Ordering::SeqCst))
    }

    fn steady(&self) -> Duration {
        Duration::from_secs(self.0.steady.load(Ordering::SeqCst))
    }
}

/// A request in plain data.
#[derive(Clone, Debug)]
pub struct TestRequest {
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    peer: Option<IpAddr>,
}

impl TestRequest {
    /// A request with a `Host` header and no other.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        let request = Self { method: method.into(), target: target.into(), headers: Vec::new(), peer: None };
        request.header("host", "example.test")
    }

    /// Adds a header line.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.as_ref().to_vec()));
        self
    }

    /// Adds a `Cookie` line.
    #[must_use]
    pub fn cookie(self, cookie: &str) -> Self {
        self.header("cookie", cookie)
    }

    /// Says where the connection comes from.
    #[must_use]
    pub fn from_peer(mut self, peer: IpAddr) -> Self {
        self.peer = Some(peer);
        self
    }
}

impl Headers for TestRequest {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_slice())
    }
}

impl RequestHead for TestRequest {
    fn method(&self) -> &str {
        &self.method
    }

    fn target(&self) -> &str {
        &self.target
    }

    fn authority(&self) -> Option<&str> {
        None
    }

    fn peer(&self) -> Option<IpAddr> {
        self.peer
    }
}

/// Logs `user` in and answers the `Cookie` header (`name=token`) of a browser that is logged in.
///
/// # Errors
/// As [`Session::create`](crate::Session::create).
pub async fn logged_in_cookie<U: SessionPayload>(
    sessions: &SessionManager<U>,
    user: U,
) -> Result<String, SessionError> {
    let outcome = sessions.create_session(user, &TestRequest::new("POST", "/login")).await?;
    let token = outcome.token.as_ref().map_or("", |token| token.expose());
    Ok(format!("{}={token}", sessions.cookie_name()))
}

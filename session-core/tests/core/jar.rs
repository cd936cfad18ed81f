//! A browser that keeps every cookie, and what one request of it gets done.

use std::collections::BTreeMap;

use session_core::adapter::ResponseChanges;
use session_core::testing::TestRequest;
use session_core::{Guard, SessionManager};

use crate::support::{Trip, User};

#[derive(Clone, Debug, Default)]
pub(crate) struct Jar(BTreeMap<String, String>);

impl Jar {
    pub(crate) fn request(&self, method: &str, target: &str) -> TestRequest {
        let request = TestRequest::new(method, target);
        let pairs: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if pairs.is_empty() { request } else { request.cookie(&pairs.join("; ")) }
    }

    pub(crate) fn get(&self, target: &str) -> TestRequest {
        self.request("GET", target).header("sec-fetch-site", "same-origin")
    }

    pub(crate) fn post(&self, target: &str) -> TestRequest {
        self.request("POST", target).header("sec-fetch-site", "same-origin")
    }

    pub(crate) fn keep(&mut self, changes: &ResponseChanges) {
        for line in changes.set_cookies() {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            self.0.remove(name);
            if !line.contains("Max-Age=0") {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// The names of the cookies with `part` in them.
    pub(crate) fn names(&self, part: &str) -> Vec<&str> {
        self.0.keys().map(String::as_str).filter(|name| name.contains(part)).collect()
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn bytes(&self, part: &str) -> usize {
        let cookies = self.0.iter().filter(|(name, _)| name.contains(part));
        cookies.map(|(name, value)| name.len() + value.len()).sum()
    }

    /// Changes what the browser holds, as an attacker's program may.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut BTreeMap<String, String>)) {
        change(&mut self.0);
    }

    pub(crate) async fn log_in(&mut self, sessions: &SessionManager<User>, user: User) {
        let outcome = sessions.create_session(user, &self.post("/login")).await.unwrap();
        self.keep(&outcome.changes);
    }
}

/// A request that has reached its handler, with what the handler asked for.
pub(crate) async fn arrive<G: Guard<Payload = User>>(
    sessions: &SessionManager<User>,
    request: &TestRequest,
) -> (Trip, G) {
    let trip = Trip::of(sessions);
    trip.receive(request);
    let guard = trip.extract::<G>().await.unwrap();
    (trip, guard)
}

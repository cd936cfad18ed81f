//! What the tests share: a user, a clock, managers in both modes, and a browser that keeps one cookie.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use session_core::adapter::{Headers, Incoming, RequestHead, ResponseChanges, Slot};
use session_core::store::{Account, MemoryStore, SessionRecord, SessionStore};
use session_core::testing::{ManualClock, TestRequest};
use session_core::{
    Clock as _, Guard, KeyRing, Lifetimes, Session, SessionError, SessionEvent, SessionManager,
    SessionManagerBuilder, SessionPayload, Timestamp, TokenForm,
};

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const START: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    pub(crate) user_id: String,
    pub(crate) visits: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) notes: BTreeMap<String, String>,
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        (self.user_id != "guest").then(|| (&self.user_id).into())
    }
}

pub(crate) fn user(name: &str) -> User {
    User { user_id: name.to_owned(), visits: 0, notes: BTreeMap::new() }
}

pub(crate) fn big_user(name: &str, bytes: usize) -> User {
    User { notes: BTreeMap::from([("note".to_owned(), "x".repeat(bytes))]), ..user(name) }
}

pub(crate) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A manager under test, with everything that the test turns.
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) store: MemoryStore,
    pub(crate) events: Arc<Mutex<Vec<SessionEvent>>>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { clock: ManualClock::at(START), store: MemoryStore::new(), events: Arc::default() }
    }

    pub(crate) fn builder(&self) -> SessionManagerBuilder<User> {
        let events = Arc::clone(&self.events);
        SessionManager::builder()
            .keys(KeyRing::from_secret(SECRET).unwrap())
            .clock(self.clock.clone())
            .observer(move |event: &SessionEvent| events.lock().unwrap().push(event.clone()))
    }

    pub(crate) fn stateless(&self) -> SessionManager<User> {
        self.builder().build().unwrap()
    }

    pub(crate) fn tracked(&self) -> SessionManager<User> {
        self.builder().store(self.store.clone()).build().unwrap()
    }

    /// Stateless, in a cookie that nobody else reads.
    pub(crate) fn sealed(&self) -> SessionManager<User> {
        self.builder().token_form(TokenForm::Sealed).build().unwrap()
    }

    /// Tracked, in records that nobody else reads.
    pub(crate) fn sealed_records(&self) -> SessionManager<User> {
        self.builder().store(self.store.clone()).seal_records(true).build().unwrap()
    }

    /// Tracked, and served from memory for 30 s.
    pub(crate) fn hybrid(&self) -> SessionManager<User> {
        self.builder().store(self.store.clone()).hybrid(seconds(30)).build().unwrap()
    }

    /// Every mode, for what must hold in each.
    pub(crate) fn all(&self) -> [SessionManager<User>; 3] {
        [self.stateless(), self.tracked(), self.hybrid()]
    }

    pub(crate) fn tracked_on(&self, store: impl SessionStore) -> SessionManager<User> {
        self.builder().store(store).build().unwrap()
    }

    pub(crate) fn idle(&self, timeout: u64) -> SessionManager<User> {
        let lifetimes = Lifetimes::default().idle_timeout(seconds(timeout));
        self.builder().lifetimes(lifetimes).store(self.store.clone()).build().unwrap()
    }

    /// What the store has of an account.
    pub(crate) async fn records<U: SessionPayload>(
        &self,
        sessions: &SessionManager<U>,
        subject: &str,
    ) -> Vec<SessionRecord> {
        let account = Account { realm: sessions.realm(), subject };
        self.store.list(account, self.now()).await.unwrap()
    }

    pub(crate) fn advance(&self, by: u64) {
        self.clock.advance(seconds(by));
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn event_names(&self) -> Vec<&'static str> {
        self.events.lock().unwrap().iter().map(|event| event.kind.as_str()).collect()
    }
}

/// A request on its way through a server: what its layer holds, and what its handler does.
#[derive(Clone, Debug)]
pub(crate) struct Trip<U: SessionPayload = User> {
    slot: Slot<U>,
    received: OnceLock<(Incoming<U>, Session<U>)>,
}

impl<U: SessionPayload> Trip<U> {
    pub(crate) fn of(sessions: &SessionManager<U>) -> Self {
        Self { slot: sessions.slot(), received: OnceLock::new() }
    }

    pub(crate) fn receive(&self, head: &impl RequestHead) {
        let incoming = self.slot.receive(head);
        let session = incoming.session();
        drop(self.received.set((incoming, session)));
    }

    pub(crate) async fn open(&self) -> Result<(), SessionError> {
        self.incoming().open().await
    }

    pub(crate) async fn peek(&self) -> Result<(), SessionError> {
        self.incoming().peek().await
    }

    pub(crate) async fn extract<G: Guard<Payload = U>>(&self) -> Result<G, SessionError> {
        self.incoming().clone().extract().await
    }

    pub(crate) fn close(&self, response: &impl Headers) -> ResponseChanges {
        self.slot.close(response)
    }

    pub(crate) fn incoming(&self) -> &Incoming<U> {
        &self.received.get().unwrap().0
    }
}

impl<U: SessionPayload> Deref for Trip<U> {
    type Target = Session<U>;

    fn deref(&self) -> &Session<U> {
        &self.received.get().unwrap().1
    }
}

/// Keeps the session cookie as a browser does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Browser {
    cookie: Option<String>,
}

impl Browser {
    pub(crate) fn holding(cookie: &str) -> Self {
        Self { cookie: Some(cookie.to_owned()) }
    }

    pub(crate) fn cookie(&self) -> &str {
        self.cookie.as_deref().unwrap_or_default()
    }

    pub(crate) fn get(&self, target: &str) -> TestRequest {
        self.request("GET", target)
    }

    pub(crate) fn post(&self, target: &str) -> TestRequest {
        self.request("POST", target)
    }

    pub(crate) fn request(&self, method: &str, target: &str) -> TestRequest {
        let request = TestRequest::new(method, target);
        match &self.cookie {
            Some(cookie) => request.cookie(cookie),
            None => request,
        }
    }

    /// Takes in the answer's Set-Cookie.
    pub(crate) fn take(&mut self, changes: &ResponseChanges) -> bool {
        let Some(line) = changes.set_cookie() else { return false };
        let pair = line.split(';').next().unwrap_or_default();
        self.cookie = (!line.contains("Max-Age=0")).then(|| pair.to_owned());
        true
    }

    pub(crate) async fn login(sessions: &SessionManager<User>, user: User) -> Self {
        let mut browser = Self::default();
        let outcome = sessions.create_session(user, &browser.post("/login")).await.unwrap();
        assert!(browser.take(&outcome.changes));
        browser
    }

    /// Keeps the cookie, as a thief would.
    pub(crate) async fn log_out(&self, sessions: &SessionManager<User>) {
        let changes = sessions.destroy_session(&self.post("/logout")).await.unwrap();
        assert!(changes.set_cookie().is_some_and(|cookie| cookie.contains("Max-Age=0")));
    }

    /// Who the manager says we are; takes in a refreshed cookie.
    pub(crate) async fn who(&mut self, sessions: &SessionManager<User>) -> Option<String> {
        let outcome = sessions.get_session(&self.get("/")).await.unwrap()?;
        self.take(&outcome.changes);
        outcome.user().map(|user| user.user_id.clone())
    }
}

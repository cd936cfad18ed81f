//! A service with one user type, one clock, and as many nodes as a case needs.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use session_core::store::{Account, Create, Created, RecordKey, SessionRecord, SessionStore};
use session_core::testing::{ManualClock, TestRequest, logged_in_cookie};
use session_core::{
    Clock, KeyRing, SessionId, SessionManager, SessionManagerBuilder, SessionPayload, Timestamp,
    adapter::ResponseChanges,
};

use crate::bench::random_id;

/// The account of every session of a service, which has a realm of its own.
pub(crate) const ANN: &str = "ann";
const SECRET: &str = "a secret of the conformance tests";
/// Calls wait for the test, and for each other: this ends only what hangs.
const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) visits: u64,
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.id).into())
    }
}

pub(crate) fn ann() -> User {
    User { id: ANN.to_owned(), visits: 0 }
}

/// A store, a realm that nobody else uses, and the time.
pub(crate) struct Service {
    pub(crate) clock: ManualClock,
    store: Arc<dyn SessionStore>,
    realm: String,
}

impl Service {
    pub(crate) fn new(store: Arc<dyn SessionStore>) -> Self {
        Self { clock: ManualClock::at(SystemTime::now().into()), store, realm: random_id().to_text() }
    }

    /// A process of the service.
    pub(crate) fn node(&self) -> SessionManager<User> {
        self.node_on(self.store.clone())
    }

    /// A process that sees the store through another one.
    pub(crate) fn node_on(&self, store: impl SessionStore) -> SessionManager<User> {
        self.settings().store(store).build().unwrap()
    }

    /// A process of another version of the program, whose payload is `U`.
    pub(crate) fn settings<U: SessionPayload>(&self) -> SessionManagerBuilder<U> {
        SessionManager::builder()
            .keys(KeyRing::from_secret(SECRET).unwrap())
            .realm(&self.realm)
            .clock(self.clock.clone())
            .store(self.store.clone())
            .store_deadline(DEADLINE)
    }

    /// The `Cookie` header of a browser that has just logged in.
    pub(crate) async fn login(&self) -> String {
        logged_in_cookie(&self.node(), ann()).await.unwrap()
    }

    pub(crate) async fn is_logged_in(&self, cookie: &str) -> bool {
        is_logged_in(&self.node(), cookie).await
    }

    /// What the store lists of the account.
    pub(crate) async fn records(&self) -> Vec<SessionRecord> {
        let account = Account { realm: &self.realm, subject: ANN };
        self.store.list(account, self.now()).await.unwrap()
    }

    pub(crate) async fn only_record(&self) -> SessionRecord {
        let records = self.records().await;
        assert_eq!(records.len(), 1, "{records:?}");
        records[0].clone()
    }

    /// Whether the store has anything under this id, whatever its state: asked by deleting it.
    pub(crate) async fn holds(&self, id: SessionId) -> bool {
        self.store.delete(RecordKey { realm: &self.realm, id }).await.unwrap()
    }

    /// Writes a record as it is, whatever the store has of that id.
    pub(crate) async fn put(&self, record: &SessionRecord) {
        self.holds(record.id).await;
        let created = self.store.create(&self.realm, record, Create::default(), self.now()).await.unwrap();
        assert_eq!(created, Created::Done { evicted: Vec::new() });
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

pub(crate) async fn is_logged_in(node: &SessionManager<User>, cookie: &str) -> bool {
    node.get_session(&request(cookie)).await.unwrap().is_some()
}

/// A request of a browser of the same site.
pub(crate) fn request(cookie: &str) -> TestRequest {
    TestRequest::new("POST", "/").cookie(cookie)
}

/// The `Cookie` header that a browser sends after this answer, if the answer sets one.
pub(crate) fn cookie_in(answer: &ResponseChanges) -> Option<String> {
    let line = answer.set_cookie()?;
    line.split(';').next().map(str::to_owned)
}

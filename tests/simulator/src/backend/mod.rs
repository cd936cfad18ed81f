//! The store behind the network: the real `MemoryStore`, what it really did, and the faults that are planted in it.
//!
//! Each call happens at once and as a whole; what comes before and after it is the network's.

mod adopting;
mod calls;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use session_core::store::{
    Invalidation, MemoryStore, RecordKey, SessionRecord, SessionStore as _, StoreError,
};
use session_core::{SessionId, Timestamp};

use crate::happened::Happened;
use crate::news::{Mailbox, News};
use crate::node::REALM;
use crate::planted::Planted;
use crate::stage::{Millis, Stage, lock, ready};
use crate::weather::Weather;

/// How far a replica is behind that answers in the place of the primary.
const LAG: Millis = 4_000;

pub(crate) type Outcome<T> = Result<T, StoreError>;

/// Why a session is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Deleted,
    Replaced,
    Evicted,
    Account,
    Realm,
}

pub(crate) struct Backend {
    stage: Stage,
    inner: MemoryStore,
    planted: Option<Planted>,
    truth: Mutex<Truth>,
    news: News,
    calls: AtomicU64,
    /// What was before each change, for reads that are stale.
    history: Mutex<VecDeque<(Millis, SessionId, Option<SessionRecord>)>>,
    last_read: Mutex<Option<SessionRecord>>,
}

/// What really happened to the sessions of [`REALM`].
#[derive(Default)]
struct Truth {
    living: BTreeSet<SessionId>,
    gone: BTreeMap<SessionId, (Millis, Why)>,
}

impl Backend {
    pub(crate) fn new(stage: &Stage, weather: &Weather, planted: Option<Planted>) -> Self {
        Self {
            stage: stage.clone(),
            inner: MemoryStore::new(),
            planted,
            truth: Mutex::default(),
            news: News::new(stage, weather),
            calls: AtomicU64::new(0),
            history: Mutex::default(),
            last_read: Mutex::default(),
        }
    }

    pub(crate) fn gone(&self, id: SessionId) -> Option<(Millis, Why)> {
        lock(&self.truth).gone.get(&id).copied()
    }

    /// How often somebody called, whatever became of it.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(crate) fn called(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn subscribe(&self) -> Arc<Mailbox> {
        self.news.subscribe()
    }

    fn has(&self, planted: Planted) -> bool {
        self.planted == Some(planted)
    }

    /// A session has ended: now it is known, and told.
    fn ended(&self, realm: &str, id: SessionId, why: Why) {
        if realm != REALM {
            return;
        }
        let mut truth = lock(&self.truth);
        if truth.living.remove(&id) {
            truth.gone.insert(id, (self.stage.now(), why));
            drop(truth);
            if why == Why::Evicted {
                self.stage.count(Happened::Evicted);
            }
            self.stage.note(|| format!("store: {id:?} is gone: {why:?}"));
            self.news.tell(Invalidation::Ended(id));
        }
    }

    fn written(&self, record: &SessionRecord) {
        if record.payload.starts_with(b"ey") {
            self.stage.count(Happened::RecordSealed);
        }
    }

    fn before_a_change(&self, realm: &str, id: SessionId) {
        if self.has(Planted::ReadsAreStale) {
            let before = self.inspect(realm, id);
            lock(&self.history).push_back((self.stage.now(), id, before));
        }
    }

    /// What is there, expired or not.
    fn inspect(&self, realm: &str, id: SessionId) -> Option<SessionRecord> {
        at_once(self.inner.read(RecordKey { realm, id }, Timestamp::EPOCH)).ok().flatten()
    }

    /// What a replica may say in the place of the primary, if there is one.
    fn stale(&self, id: SessionId) -> Option<Option<SessionRecord>> {
        if !self.has(Planted::ReadsAreStale) || !self.stage.random().chance(500) {
            return None;
        }
        let since = self.stage.now().saturating_sub(LAG);
        let history = lock(&self.history);
        let first = history.iter().find(|(at, changed, _)| *at > since && *changed == id);
        first.map(|(_, _, before)| before.clone())
    }

    fn read_by(
        &self,
        id: SessionId,
        now: Timestamp,
        read: impl Future<Output = Outcome<Option<SessionRecord>>>,
    ) -> Outcome<Option<SessionRecord>> {
        if let Some(stale) = self.stale(id) {
            return Ok(stale.filter(|record| now < record.ends_at));
        }
        let record = at_once(read)?;
        if self.has(Planted::ReadsMixSessions) {
            let before = std::mem::replace(&mut *lock(&self.last_read), record.clone());
            if let (Some(before), Some(_), true) = (before, &record, self.stage.random().chance(50)) {
                return Ok(Some(before.with(|record| record.id = id)));
            }
        }
        Ok(record)
    }
}

/// A store in memory is ready at once.
fn at_once<T>(call: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    ready(call).unwrap_or_else(|| Err(StoreError::permanent("a store in memory is ready at once")))
}

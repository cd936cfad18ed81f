//! The store behind the network: the real `MemoryStore`, what it really did, and the faults that are planted in it.
//!
//! Each call happens at once and as a whole; what comes before and after it is the network's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use session_core::store::{
    Account, Create, Created, Fence, Invalidation, Mark, MemoryStore, RecordKey, Replaced, Replaces,
    SessionRecord, SessionStore as _, StoreError, Touch,
};
use session_core::{SessionId, Timestamp};

use crate::happened::Happened;
use crate::news::{Mailbox, News};
use crate::node::REALM;
use crate::planted::Planted;
use crate::settings::Weather;
use crate::stage::{Millis, Stage, lock};

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

/// The calls.
impl Backend {
    pub(crate) fn read(&self, realm: &str, id: SessionId, now: Timestamp) -> Outcome<Option<SessionRecord>> {
        self.read_by(id, now, self.inner.read(RecordKey { realm, id }, now))
    }

    pub(crate) fn read_and_touch(
        &self,
        realm: &str,
        id: SessionId,
        touch: Touch,
        now: Timestamp,
    ) -> Outcome<Option<SessionRecord>> {
        if self.has(Planted::TouchWritesNothing) {
            return self.read(realm, id, now);
        }
        self.read_by(id, now, self.inner.read_and_touch(RecordKey { realm, id }, touch, now))
    }

    pub(crate) fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        mut options: Create,
        now: Timestamp,
    ) -> Outcome<Created> {
        match self.planted {
            Some(Planted::CreateWritesNothing) => return Ok(Created::Done { evicted: Vec::new() }),
            Some(Planted::CreateForgetsTheFence) => options.fence = None,
            Some(Planted::CreateForgetsTheLimit) => options.limit = None,
            Some(Planted::CreateKeepsTheReplaced) => options.replaces = None,
            Some(Planted::CreateForgetsThePredecessor) => {
                options.replaces = options.replaces.map(|replaces| Replaces::IfPresent(replaces.id()));
            }
            _ => {}
        }
        if let Some(replaces) = options.replaces {
            self.before_a_change(realm, replaces.id());
        }
        let created = at_once(self.inner.create(realm, record, options, now))?;
        if let (Created::Done { evicted }, REALM) = (&created, realm) {
            self.written(record);
            lock(&self.truth).living.insert(record.id);
            evicted.iter().for_each(|&id| self.ended(realm, id, Why::Evicted));
            if let Some(replaces) = options.replaces {
                self.ended(realm, replaces.id(), Why::Replaced);
            }
        }
        Ok(created)
    }

    pub(crate) fn replace(&self, realm: &str, record: &SessionRecord, now: Timestamp) -> Outcome<Replaced> {
        self.before_a_change(realm, record.id);
        match self.planted {
            Some(Planted::ReplaceWritesNothing) if self.stage.random().chance(200) => {
                return Ok(Replaced::Done);
            }
            Some(Planted::ReplaceComparesNothing) => {
                if let Some(there) = self.inspect(realm, record.id) {
                    let forced = record.clone().with(|record| record.version = there.version + 1);
                    return at_once(self.inner.replace(realm, &forced, now));
                }
            }
            Some(Planted::ReplaceBringsBack) if self.inspect(realm, record.id).is_none() => {
                at_once(self.inner.create(realm, record, Create::default(), now))?;
                return Ok(Replaced::Done);
            }
            _ => {}
        }
        self.written(record);
        at_once(self.inner.replace(realm, record, now))
    }

    pub(crate) fn delete(&self, realm: &str, id: SessionId) -> Outcome<bool> {
        self.before_a_change(realm, id);
        if self.has(Planted::DeleteDeletesNothing) {
            return Ok(true);
        }
        let deleted = at_once(self.inner.delete(RecordKey { realm, id }))?;
        if deleted {
            self.ended(realm, id, Why::Deleted);
        }
        Ok(deleted)
    }

    pub(crate) fn list(&self, realm: &str, subject: &str, now: Timestamp) -> Outcome<Vec<SessionRecord>> {
        at_once(self.inner.list(Account { realm, subject }, now))
    }

    pub(crate) fn fence(&self, realm: &str, subject: &str, fresh: Mark, now: Timestamp) -> Outcome<Fence> {
        at_once(self.inner.fence(Account { realm, subject }, fresh, now))
    }

    pub(crate) fn delete_account(
        &self,
        realm: &str,
        subject: &str,
        mut keep: Option<SessionId>,
        fresh: Mark,
        now: Timestamp,
    ) -> Outcome<Vec<SessionId>> {
        let account = Account { realm, subject };
        let mut there = at_once(self.inner.list(account, Timestamp::EPOCH))?;
        there.sort_by_key(|record| record.id);
        there.iter().for_each(|record| self.before_a_change(realm, record.id));
        match self.planted {
            Some(Planted::AccountKeepsNobody) => keep = None,
            Some(Planted::AccountIndexLosesOne) => keep = keep.or(there.first().map(|record| record.id)),
            Some(Planted::AccountSetsNoMark) => {
                let leaving = there.iter().map(|record| record.id).filter(|id| Some(*id) != keep);
                return leaving.map(|id| self.delete(realm, id).map(|_| id)).collect();
            }
            _ => {}
        }
        let deleted = at_once(self.inner.delete_account(account, keep, fresh, now))?;
        for record in there.iter().filter(|record| Some(record.id) != keep) {
            self.ended(realm, record.id, Why::Account);
        }
        Ok(deleted)
    }

    pub(crate) fn delete_realm(&self, realm: &str, fresh: Mark) -> Outcome<u64> {
        if self.has(Planted::RealmDeletesNothing) {
            return Ok(3);
        }
        if realm != REALM {
            self.stage.count(Happened::NeighbourEnded);
        }
        if self.has(Planted::RealmsAreOne) && realm != REALM {
            return self.delete_realm(REALM, fresh);
        }
        let deleted = at_once(self.inner.delete_realm(realm, fresh))?;
        let living: Vec<SessionId> = lock(&self.truth).living.iter().copied().collect();
        if realm == REALM {
            living.into_iter().for_each(|id| self.ended(realm, id, Why::Realm));
            self.news.tell(Invalidation::EveryoneEnded);
        }
        Ok(deleted)
    }

    pub(crate) fn count(&self, realm: &str, now: Timestamp) -> Outcome<u64> {
        at_once(self.inner.count(realm, now))
    }

    pub(crate) fn delete_expired(&self, now: Timestamp, limit: usize) -> Outcome<usize> {
        self.stage.count(Happened::CleanedUp);
        let early = std::time::Duration::from_secs(100);
        let now = if self.has(Planted::CleanupTakesTheLiving) { now.plus(early) } else { now };
        at_once(self.inner.delete_expired(now, limit))
    }
}

/// A store in memory is ready at once.
fn at_once<T>(call: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => Err(StoreError::permanent("a store in memory is ready at once")),
    }
}

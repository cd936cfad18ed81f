//! Sessions in this process's memory: for one node, and for tests. A restart logs everybody out.

use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use async_trait::async_trait;

use super::{
    Account, Create, Created, Key, Replaced, Replaces, SessionLimit, SessionRecord, SessionStore, StoreError,
};
use crate::{SessionId, Timestamp};

/// Every login clears away so many expired sessions, so that memory follows the living.
const SWEEP: usize = 4;

/// A [`SessionStore`] in memory. Clones share the sessions.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<RwLock<Realms>>);

type Realms = HashMap<Box<str>, Realm>;

/// One manager's sessions. Every change keeps the three in step.
#[derive(Debug, Default)]
struct Realm {
    records: HashMap<SessionId, SessionRecord>,
    accounts: HashMap<Box<str>, BTreeSet<SessionId>>,
    by_end: BTreeSet<(Timestamp, SessionId)>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many records there are, expired ones that nobody cleared away included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.realms().values().map(|realm| realm.records.len()).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn realms(&self) -> RwLockReadGuard<'_, Realms> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn realms_mut(&self) -> RwLockWriteGuard<'_, Realms> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn read(&self, key: Key<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        Ok(self.realms().get(key.realm).and_then(|realm| realm.live(key.id, now)).cloned())
    }

    async fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let mut realms = self.realms_mut();
        if !realms.contains_key(realm) {
            realms.insert(realm.into(), Realm::default());
        }
        let Some(realm) = realms.get_mut(realm) else {
            return Err(StoreError::permanent("the memory store lost a realm"));
        };
        realm.delete_expired(now, SWEEP);
        Ok(realm.create(record, options, now))
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let mut realms = self.realms_mut();
        let Some(realm) = realms.get_mut(realm) else { return Ok(Replaced::Gone) };
        Ok(match realm.live(record.id, now) {
            None => Replaced::Gone,
            Some(known) if known.version.checked_add(1) != Some(record.version) => Replaced::Conflict,
            Some(_) => {
                realm.remove(record.id);
                realm.insert(record.clone());
                Replaced::Done
            }
        })
    }

    async fn delete(&self, key: Key<'_>) -> Result<bool, StoreError> {
        Ok(self.realms_mut().get_mut(key.realm).is_some_and(|realm| realm.remove(key.id).is_some()))
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        let realms = self.realms();
        let realm = realms.get(account.realm);
        Ok(realm.map(|realm| realm.of(account.subject, now).cloned().collect()).unwrap_or_default())
    }

    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut realms = self.realms_mut();
        let Some(realm) = realms.get_mut(account.realm) else { return Ok(Vec::new()) };
        let live: Vec<SessionId> =
            realm.of(account.subject, now).map(|record| record.id).filter(|&id| Some(id) != keep).collect();
        for id in &live {
            realm.remove(*id);
        }
        Ok(live)
    }

    async fn delete_realm(&self, realm: &str) -> Result<u64, StoreError> {
        Ok(self.realms_mut().remove(realm).map_or(0, |realm| realm.records.len() as u64))
    }

    async fn delete_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut deleted = 0;
        for realm in self.realms_mut().values_mut() {
            deleted += realm.delete_expired(now, limit - deleted);
        }
        Ok(deleted)
    }

    /// Never needed: every call is ready at once.
    fn sleep(&self, _duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }
}

impl Realm {
    fn live(&self, id: SessionId, now: Timestamp) -> Option<&SessionRecord> {
        self.records.get(&id).filter(|record| now < record.ends_at)
    }

    /// The live sessions of an account.
    fn of(&self, subject: &str, now: Timestamp) -> impl Iterator<Item = &SessionRecord> {
        self.accounts.get(subject).into_iter().flatten().filter_map(move |&id| self.live(id, now))
    }

    fn create(&mut self, record: &SessionRecord, options: Create, now: Timestamp) -> Created {
        if self.records.contains_key(&record.id) {
            return Created::IdTaken;
        }
        if let Some(Replaces::MustExist { id, version }) = options.replaces {
            match self.live(id, now) {
                None => return Created::PredecessorGone,
                Some(known) if known.version != version => return Created::PredecessorChanged,
                Some(_) => {}
            }
        }
        let replaced = options.replaces.map(Replaces::id);
        let Some(evicted) = self.make_room(record.subject(), replaced, options.limit, now) else {
            return Created::LimitReached;
        };
        for &id in replaced.iter().chain(&evicted) {
            self.remove(id);
        }
        self.insert(record.clone());
        Created::Done { evicted }
    }

    /// Who has to go for one more session of the account; `None` when it may not have one more.
    fn make_room(
        &self,
        subject: Option<&str>,
        replaced: Option<SessionId>,
        limit: Option<SessionLimit>,
        now: Timestamp,
    ) -> Option<Vec<SessionId>> {
        let (Some(subject), Some(limit)) = (subject, limit) else { return Some(Vec::new()) };
        let mut others: Vec<&SessionRecord> =
            self.of(subject, now).filter(|record| Some(record.id) != replaced).collect();
        let (most, evicts) = match limit {
            SessionLimit::EvictOldest(most) => (most as usize, true),
            SessionLimit::Refuse(most) => (most as usize, false),
        };
        let excess = (others.len() + 1).saturating_sub(most);
        if excess == 0 {
            return Some(Vec::new());
        }
        others.sort_by_key(|record| (record.last_seen, record.authenticated_at, record.id));
        evicts.then(|| others.iter().take(excess).map(|record| record.id).collect())
    }

    fn insert(&mut self, record: SessionRecord) {
        self.by_end.insert((record.ends_at, record.id));
        if let Some(subject) = record.subject() {
            match self.accounts.get_mut(subject) {
                Some(ids) => ids.insert(record.id),
                None => self.accounts.entry(subject.into()).or_default().insert(record.id),
            };
        }
        self.records.insert(record.id, record);
    }

    fn remove(&mut self, id: SessionId) -> Option<SessionRecord> {
        let record = self.records.remove(&id)?;
        self.by_end.remove(&(record.ends_at, id));
        if let Some(subject) = record.subject()
            && let Some(ids) = self.accounts.get_mut(subject)
        {
            ids.remove(&id);
            if ids.is_empty() {
                self.accounts.remove(subject);
            }
        }
        Some(record)
    }

    fn delete_expired(&mut self, now: Timestamp, limit: usize) -> usize {
        let mut deleted = 0;
        while deleted < limit
            && let Some(&(ends_at, id)) = self.by_end.first()
            && ends_at <= now
        {
            self.remove(id);
            deleted += 1;
        }
        deleted
    }
}

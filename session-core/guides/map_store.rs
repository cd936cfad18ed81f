use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use session_core::store::{
    Account, Create, Created, Fence, Mark, RecordKey, Replaced, Replaces, SessionLimit, SessionRecord,
    SessionStore, StoreError,
};
use session_core::{SessionId, Timestamp};

/// One lock around everything: each call is one atomic step.
#[derive(Default)]
pub struct MapStore {
    realms: Mutex<HashMap<String, Realm>>, // realms are apart (clause 1)
}

#[derive(Default)]
struct Realm {
    records: HashMap<SessionId, SessionRecord>,
    /// The index by account (clause 11). A `String` compares as bytes (clause 6); guests are not in it.
    accounts: HashMap<String, BTreeSet<SessionId>>,
    mark: Option<Mark>,
    marks: HashMap<String, Mark>,
}

#[async_trait]
impl SessionStore for MapStore {
    async fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        Ok(self.lock().get(key.realm).and_then(|realm| realm.live(key.id, now)).cloned())
    }

    async fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let mut realms = self.lock();
        let realm = realms.entry(realm.to_owned()).or_default();
        // Never overwrites, not even what has expired; of several reasons this is the first (clause 2).
        if realm.records.contains_key(&record.id) {
            return Ok(Created::IdTaken);
        }
        // A login that began before a revocation does not happen (clause 15).
        let mark = record.subject.as_ref().and_then(|subject| realm.marks.get(subject)).copied();
        if options.fence.is_some_and(|fence| !fence.holds(realm.mark, mark)) {
            return Ok(Created::Overtaken);
        }
        // A rotation needs its predecessor, as it was (clause 9).
        if let Some(Replaces::MustExist { id, version }) = options.replaces {
            match realm.live(id, now) {
                None => return Ok(Created::PredecessorGone),
                Some(old) if old.version != version => return Ok(Created::PredecessorChanged),
                Some(_) => {}
            }
        }
        let Some(evicted) = realm.make_room(record, options, now) else { return Ok(Created::LimitReached) };
        // The new one first: a store that can fail here still has the old one (clause 8).
        realm.insert(record.clone());
        let replaced = options.replaces.map(Replaces::id).filter(|id| *id != record.id);
        for id in evicted.iter().copied().chain(replaced) {
            realm.remove(id);
        }
        Ok(Created::Done { evicted })
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let mut realms = self.lock();
        // Only `create` makes records, so a logout wins (clause 4).
        let Some(realm) = realms.get_mut(realm) else { return Ok(Replaced::Gone) };
        let Some(old) = realm.live(record.id, now) else { return Ok(Replaced::Gone) };
        // Compare and swap (clause 3).
        if old.version.checked_add(1) != Some(record.version) {
            return Ok(Replaced::Conflict);
        }
        if old.subject != record.subject {
            return Err(StoreError::permanent("a replace never changes the subject"));
        }
        realm.records.insert(record.id, record.clone());
        Ok(Replaced::Done)
    }

    /// Says whether it was this call that deleted (clause 10).
    async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        Ok(self.lock().get_mut(key.realm).is_some_and(|realm| realm.remove(key.id)))
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        let realms = self.lock();
        let Some(realm) = realms.get(account.realm) else { return Ok(Vec::new()) };
        Ok(realm.ids(account.subject).filter_map(|id| realm.live(id, now)).cloned().collect())
    }

    async fn count(&self, realm: &str, now: Timestamp) -> Result<u64, StoreError> {
        let realms = self.lock();
        let open =
            realms.get(realm).map_or(0, |realm| realm.records.values().filter(|it| now < it.ends_at).count());
        Ok(u64::try_from(open).unwrap_or(u64::MAX))
    }

    /// Makes the realm's mark if there is none (clause 15).
    async fn fence(&self, account: Account<'_>, fresh: Mark, _now: Timestamp) -> Result<Fence, StoreError> {
        let mut realms = self.lock();
        let realm = realms.entry(account.realm.to_owned()).or_default();
        Ok(Fence::new(*realm.mark.get_or_insert(fresh), realm.marks.get(account.subject).copied()))
    }

    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        fresh: Mark,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut realms = self.lock();
        let realm = realms.entry(account.realm.to_owned()).or_default();
        // In the same step, and also where there is nobody to end (clause 15). A real store forgets it after a day.
        realm.marks.insert(account.subject.to_owned(), fresh);
        let leaving: Vec<_> = realm.ids(account.subject).filter(|id| Some(*id) != keep).collect();
        let deleted = leaving.iter().copied().filter(|id| realm.live(*id, now).is_some()).collect();
        for id in leaving {
            realm.remove(id);
        }
        Ok(deleted)
    }

    async fn delete_realm(&self, realm: &str, fresh: Mark) -> Result<u64, StoreError> {
        let ended = Realm { mark: Some(fresh), ..Realm::default() };
        let deleted = self.lock().insert(realm.to_owned(), ended).map_or(0, |realm| realm.records.len());
        Ok(u64::try_from(deleted).unwrap_or(u64::MAX))
    }

    /// At most `limit`, and never a live one (clause 12). A database has an index on `ends_at` for this.
    async fn delete_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut left = limit;
        for realm in self.lock().values_mut() {
            let expired = realm.records.values().filter(|record| record.ends_at <= now);
            let expired: Vec<_> = expired.map(|record| record.id).take(left).collect();
            left -= expired.len();
            for id in expired {
                realm.remove(id);
            }
        }
        Ok(limit - left)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }

    // `read_and_touch` is the default, a read and at times a replace; `listen` is the default, too: no news (clause 14).
}

impl MapStore {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Realm>> {
        self.realms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Realm {
    /// Expired is absent (clause 5).
    fn live(&self, id: SessionId, now: Timestamp) -> Option<&SessionRecord> {
        self.records.get(&id).filter(|record| now < record.ends_at)
    }

    fn ids(&self, subject: &str) -> impl Iterator<Item = SessionId> + use<'_> {
        self.accounts.get(subject).into_iter().flatten().copied()
    }

    fn insert(&mut self, record: SessionRecord) {
        if let Some(subject) = &record.subject {
            self.accounts.entry(subject.clone()).or_default().insert(record.id);
        }
        self.records.insert(record.id, record);
    }

    fn remove(&mut self, id: SessionId) -> bool {
        let Some(record) = self.records.remove(&id) else { return false };
        if let Some(subject) = record.subject
            && let Some(ids) = self.accounts.get_mut(&subject)
        {
            ids.remove(&id);
            if ids.is_empty() {
                self.accounts.remove(&subject);
            }
        }
        true
    }

    /// Which sessions to evict so that the limit holds, or `None` to refuse the login (clause 7). Guests have no limit;
    /// expired records and the one that is replaced do not count.
    fn make_room(&self, record: &SessionRecord, options: Create, now: Timestamp) -> Option<Vec<SessionId>> {
        let (Some(subject), Some(limit), false) = (&record.subject, options.limit, record.uncounted) else {
            return Some(Vec::new());
        };
        let replaced = options.replaces.map(Replaces::id);
        let others = self.ids(subject).filter(|id| Some(*id) != replaced);
        let mut others: Vec<_> =
            others.filter_map(|id| self.live(id, now)).filter(|record| !record.uncounted).collect();
        let (SessionLimit::Refuse(most) | SessionLimit::EvictLeastRecentlySeen(most)) = limit;
        let surplus = (others.len() + 1).saturating_sub(usize::try_from(most).unwrap_or(usize::MAX));
        if surplus > 0 && matches!(limit, SessionLimit::Refuse(_)) {
            return None;
        }
        others.sort_by_key(|record| (record.last_seen, record.authenticated_at));
        Some(others.into_iter().take(surplus).map(|record| record.id).collect())
    }
}

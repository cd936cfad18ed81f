//! A store in the memory of this process.

mod adoptions;
mod expiry;
mod marks;
mod packed;
mod realm;
mod realms;
mod roster;
mod shard;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::realms::Realms;
use super::{
    Account, Adopted, Adoption, Bar, Create, Created, Fence, Mark, RecordKey, Replaced, SessionRecord,
    SessionStore, StoreError, Touch,
};
use crate::id::SessionId;
use crate::time::Timestamp;

/// Sessions in the memory of this process: for one process, for development and for tests. A restart ends them all.
///
/// Clones share the sessions. Reads and changes of different sessions hardly ever wait for each other, nor do logins
/// and logouts of different accounts; those of one account take turns of a microsecond or so. Expired records are absent
/// at once and keep their memory until later logins take them, two each, or [`delete_expired`](SessionStore::delete_expired) does.
///
/// # Errors
/// Only for a record that no store has to take, with a subject or user agent above 65,535 bytes, and for a `replace`
/// that would move a session to another account. Both are permanent.
#[derive(Clone, Default)]
pub struct MemoryStore {
    realms: Arc<Realms>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many sessions it holds, of all realms, expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.realms.iter().map(|realm| realm.len()).sum()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Shows how many sessions there are and nothing of what is in them.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("len", &self.len()).finish()
    }
}

#[async_trait]
impl SessionStore for MemoryStore {
    async fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        Ok(self.realms.get(key.realm).and_then(|realm| realm.read(key.id, now)))
    }

    async fn read_and_touch(
        &self,
        key: RecordKey<'_>,
        touch: Touch,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        Ok(self.realms.get(key.realm).and_then(|realm| realm.read_and_touch(key.id, touch, now)))
    }

    async fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let realm = self.realms.get_or_add(realm);
        let created = realm.create(record, options, now)?;
        realm.delete_expired_beside(record.id, now);
        Ok(created)
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.realms.get(realm).map_or(Ok(Replaced::Gone), |realm| realm.replace(record, now))
    }

    async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        Ok(self.realms.get(key.realm).is_some_and(|realm| realm.delete(key.id)))
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        let realm = self.realms.get(account.realm);
        Ok(realm.map(|realm| realm.list(account.subject, now)).unwrap_or_default())
    }

    async fn count(&self, realm: &str, now: Timestamp) -> Result<u64, StoreError> {
        let count = self.realms.get(realm).map_or(0, |realm| realm.count(now));
        Ok(u64::try_from(count).unwrap_or(u64::MAX))
    }

    async fn fence(&self, account: Account<'_>, fresh: Mark, _now: Timestamp) -> Result<Fence, StoreError> {
        Ok(self.realms.get_or_add(account.realm).fence(account.subject, fresh))
    }

    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        fresh: Mark,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        // Where there is no realm, nobody has asked where the account stands.
        let realm = self.realms.get(account.realm);
        Ok(realm.map(|realm| realm.delete_account(account.subject, keep, fresh, now)).unwrap_or_default())
    }

    async fn delete_realm(&self, realm: &str, fresh: Mark) -> Result<u64, StoreError> {
        let deleted = self.realms.get(realm).map_or(0, |realm| realm.delete_all(fresh));
        Ok(u64::try_from(deleted).unwrap_or(u64::MAX))
    }

    async fn delete_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let mut left = limit;
        for realm in self.realms.iter() {
            left -= realm.delete_expired(now, left);
        }
        Ok(limit - left)
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(
        &self,
        realm: &str,
        record: &SessionRecord,
        adoption: Adoption,
        now: Timestamp,
    ) -> Result<Adopted, StoreError> {
        self.realms.get_or_add(realm).adopt(record, adoption, now)
    }

    async fn bar(
        &self,
        realm: &str,
        subject: Option<&str>,
        bar: Bar,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.realms.get_or_add(realm).bar(subject, bar, now);
        Ok(())
    }

    /// Never ends: no call is ever pending (each is done when it is polled first), so nobody waits for this timer,
    /// and the store needs no runtime.
    fn sleep(&self, _duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }
}

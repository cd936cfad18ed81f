//! A store as hybrid mode sees it: uses of a session are remembered, and changes made here forget.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::recent::{Moment, RecentRecords, Whose};
use super::{
    Account, Adopted, Adoption, Bar, Create, Created, Fence, Invalidation, Mark, RecordKey, Replaced,
    Replaces, SessionRecord, SessionStore, StoreError, Touch,
};
use crate::clock::Clock;
use crate::id::SessionId;
use crate::time::Timestamp;

/// Goes to the store with every call; who wants a recent record asks [`RecentRecords`] first.
pub(crate) struct Hybrid {
    pub(crate) store: Box<dyn SessionStore>,
    pub(crate) recent: Arc<RecentRecords>,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl SessionStore for Hybrid {
    /// Not remembered: it was no use of the session, and uses that are served from memory are not written down. A page
    /// that asks for the status all the time would make an active user look idle.
    async fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        let answer = self.store.read(key, now).await?;
        self.recent.compare(key.id, answer.as_ref());
        Ok(answer)
    }

    async fn read_and_touch(
        &self,
        key: RecordKey<'_>,
        touch: Touch,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let ticket = self.recent.begin(key.id, Moment::now(&*self.clock, now));
        let answer = self.store.read_and_touch(key, touch, now).await?;
        self.recent.keep(key.id, answer.as_ref(), ticket);
        Ok(answer)
    }

    async fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let _replaced = options.replaces.map(Replaces::id).map(|id| self.recent.changing(Whose::Session(id)));
        let created = self.store.create(realm, record, options, now).await?;
        if let Created::Done { evicted } = &created {
            evicted.iter().for_each(|&id| self.recent.forget(Whose::Session(id)));
        }
        Ok(created)
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let _changing = self.recent.changing(Whose::Session(record.id));
        self.store.replace(realm, record, now).await
    }

    async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        let _changing = self.recent.changing(Whose::Session(key.id));
        self.store.delete(key).await
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        self.store.list(account, now).await
    }

    async fn count(&self, realm: &str, now: Timestamp) -> Result<u64, StoreError> {
        self.store.count(realm, now).await
    }

    async fn fence(&self, account: Account<'_>, fresh: Mark, now: Timestamp) -> Result<Fence, StoreError> {
        self.store.fence(account, fresh, now).await
    }

    /// All that are remembered of the account go, those included that another process has ended before.
    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        fresh: Mark,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let _changing = self.recent.changing(Whose::Account(account.subject));
        self.store.delete_account(account, keep, fresh, now).await
    }

    async fn delete_realm(&self, realm: &str, fresh: Mark) -> Result<u64, StoreError> {
        let _changing = self.recent.changing(Whose::Everyone);
        self.store.delete_realm(realm, fresh).await
    }

    async fn delete_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.store.delete_expired(now, limit).await
    }

    fn can_adopt(&self) -> bool {
        self.store.can_adopt()
    }

    async fn adopt(
        &self,
        realm: &str,
        record: &SessionRecord,
        adoption: Adoption,
        now: Timestamp,
    ) -> Result<Adopted, StoreError> {
        let adopted = self.store.adopt(realm, record, adoption, now).await?;
        if let Adopted::Done { evicted } = &adopted {
            evicted.iter().for_each(|&id| self.recent.forget(Whose::Session(id)));
        }
        Ok(adopted)
    }

    async fn bar(
        &self,
        realm: &str,
        subject: Option<&str>,
        bar: Bar,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.store.bar(realm, subject, bar, now).await
    }

    async fn listen(
        &self,
        realm: &str,
        heard: &(dyn Fn(Invalidation) + Send + Sync),
    ) -> Result<(), StoreError> {
        let forget = |invalidation| {
            self.recent.heard(invalidation);
            heard(invalidation);
        };
        self.store.listen(realm, &forget).await
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.store.sleep(duration)
    }
}

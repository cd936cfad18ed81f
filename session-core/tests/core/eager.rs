//! A store that is always ready: every call, every pause, and the loss of the news.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use session_core::store::{
    Account, Create, Created, Key, MemoryStore, News, Replaced, SessionRecord, SessionStore, StoreError,
};
use session_core::{SessionId, Timestamp};

#[derive(Clone, Default)]
pub(crate) struct Eager {
    inner: MemoryStore,
    pub(crate) cleanups: Arc<AtomicUsize>,
}

#[async_trait]
impl SessionStore for Eager {
    async fn read(&self, key: Key<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        self.inner.read(key, now).await
    }

    async fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.inner.create(realm, record, options, now).await
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.inner.replace(realm, record, now).await
    }

    async fn delete(&self, key: Key<'_>) -> Result<bool, StoreError> {
        self.inner.delete(key).await
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        self.inner.list(account, now).await
    }

    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        self.inner.delete_account(account, keep, now).await
    }

    async fn delete_realm(&self, realm: &str) -> Result<u64, StoreError> {
        self.inner.delete_realm(realm).await
    }

    /// Says that there is more.
    async fn delete_expired(&self, _now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.cleanups.fetch_add(1, Ordering::SeqCst);
        Ok(limit)
    }

    async fn listen(&self, _realm: &str, _heard: &(dyn Fn(News) + Send + Sync)) -> Result<(), StoreError> {
        Err(StoreError::unavailable("there is no connection"))
    }

    fn sleep(&self, _duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(ready(()))
    }
}

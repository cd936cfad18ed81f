//! A store whose caller can be stopped at each step, without a clock.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use session_core::store::{
    Account, Adopted, Adoption, Bar, Create, Created, Fence, Invalidation, Mark, RecordKey, Replaced,
    SessionRecord, SessionStore, StoreError, Touch,
};
use session_core::{SessionId, Timestamp};
use tokio::sync::Semaphore;

/// Passes every call on, and stops its caller at one step: a call has two, before it is sent, and after it was
/// answered but before the caller sees the answer.
#[derive(Clone)]
pub(crate) struct Paused(Arc<Inner>);

struct Inner {
    store: Arc<dyn SessionStore>,
    touch: TouchBy,
    stop_at: usize,
    journal: Mutex<Journal>,
    stopped: Semaphore,
    released: Semaphore,
}

/// How a touch reaches the store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TouchBy {
    /// As the store does it.
    Store,
    /// As the default of the trait does it: a read and a replace, so that there are steps in between.
    TwoCalls,
}

/// What happened so far.
#[derive(Default)]
struct Journal {
    steps: usize,
    is_released: bool,
    stopped_at: String,
    calls: Vec<Call>,
}

/// A call that was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    /// It read a session, or changed one.
    pub(crate) found: bool,
    /// It was sent after the stop.
    pub(crate) is_late: bool,
}

impl Paused {
    pub(crate) fn at(store: Arc<dyn SessionStore>, stop_at: usize, touch: TouchBy) -> Self {
        Self(Arc::new(Inner {
            store,
            touch,
            stop_at,
            journal: Mutex::default(),
            stopped: Semaphore::new(0),
            released: Semaphore::new(0),
        }))
    }

    /// Ends when the caller was stopped.
    pub(crate) async fn stopped(&self) {
        self.0.stopped.acquire().await.unwrap().forget();
    }

    pub(crate) fn release(&self) {
        self.0.journal.lock().unwrap().is_released = true;
        self.0.released.add_permits(1);
    }

    /// Where the caller was stopped, in words.
    pub(crate) fn place(&self) -> String {
        self.0.journal.lock().unwrap().stopped_at.clone()
    }

    /// Whether such a call was answered, and found something.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.calls().iter().any(|call| call.name == name && call.found)
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.0.journal.lock().unwrap().calls.clone()
    }

    async fn call<T>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T, StoreError>> + Send,
        found: impl Fn(&T) -> bool + Send,
    ) -> Result<T, StoreError> {
        self.step("before", name).await;
        let answer = call.await;
        self.note(name, answer.as_ref().is_ok_and(found));
        self.step("after", name).await;
        answer
    }

    async fn step(&self, when: &str, name: &str) {
        if self.stops_here(when, name) {
            self.0.stopped.add_permits(1);
            self.0.released.acquire().await.unwrap().forget();
        }
    }

    fn stops_here(&self, when: &str, name: &str) -> bool {
        let mut journal = self.0.journal.lock().unwrap();
        let step = journal.steps;
        journal.steps += 1;
        if step == self.0.stop_at {
            journal.stopped_at = format!("{when} call {} ({name})", step / 2 + 1);
        }
        step == self.0.stop_at
    }

    fn note(&self, name: &'static str, found: bool) {
        let mut journal = self.0.journal.lock().unwrap();
        let is_late = journal.is_released;
        journal.calls.push(Call { name, found, is_late });
    }
}

#[async_trait]
impl SessionStore for Paused {
    async fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        self.call("read", self.0.store.read(key, now), Option::is_some).await
    }

    async fn read_and_touch(
        &self,
        key: RecordKey<'_>,
        touch: Touch,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        if self.0.touch == TouchBy::Store {
            let call = self.0.store.read_and_touch(key, touch, now);
            return self.call("read_and_touch", call, Option::is_some).await;
        }
        let Some(record) = self.read(key, now).await? else { return Ok(None) };
        let Some(seen) = touch.apply(&record, now) else { return Ok(Some(record)) };
        Ok(match self.replace(key.realm, &seen, now).await? {
            Replaced::Done => Some(seen),
            Replaced::Conflict => Some(record),
            Replaced::Gone => None,
        })
    }

    async fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let is_done = |answer: &Created| matches!(answer, Created::Done { .. });
        self.call("create", self.0.store.create(realm, record, options, now), is_done).await
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        // A conflict is with something that is there.
        let found = |answer: &Replaced| *answer != Replaced::Gone;
        self.call("replace", self.0.store.replace(realm, record, now), found).await
    }

    async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        self.call("delete", self.0.store.delete(key), |deleted| *deleted).await
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        self.call("list", self.0.store.list(account, now), |found| !found.is_empty()).await
    }

    async fn count(&self, realm: &str, now: Timestamp) -> Result<u64, StoreError> {
        self.call("count", self.0.store.count(realm, now), |count| *count > 0).await
    }

    async fn fence(&self, account: Account<'_>, fresh: Mark, now: Timestamp) -> Result<Fence, StoreError> {
        self.call("fence", self.0.store.fence(account, fresh, now), |_| true).await
    }

    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        fresh: Mark,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let call = self.0.store.delete_account(account, keep, fresh, now);
        self.call("delete_account", call, |deleted| !deleted.is_empty()).await
    }

    async fn delete_realm(&self, realm: &str, fresh: Mark) -> Result<u64, StoreError> {
        self.call("delete_realm", self.0.store.delete_realm(realm, fresh), |deleted| *deleted > 0).await
    }

    async fn delete_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.call("delete_expired", self.0.store.delete_expired(now, limit), |deleted| *deleted > 0).await
    }

    fn can_adopt(&self) -> bool {
        self.0.store.can_adopt()
    }

    async fn adopt(
        &self,
        realm: &str,
        record: &SessionRecord,
        adoption: Adoption,
        now: Timestamp,
    ) -> Result<Adopted, StoreError> {
        let is_done = |answer: &Adopted| matches!(answer, Adopted::Done { .. });
        self.call("adopt", self.0.store.adopt(realm, record, adoption, now), is_done).await
    }

    async fn bar(
        &self,
        realm: &str,
        subject: Option<&str>,
        bar: Bar,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.call("bar", self.0.store.bar(realm, subject, bar, now), |()| true).await
    }

    async fn listen(
        &self,
        realm: &str,
        heard: &(dyn Fn(Invalidation) + Send + Sync),
    ) -> Result<(), StoreError> {
        self.0.store.listen(realm, heard).await
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.0.store.sleep(duration)
    }
}

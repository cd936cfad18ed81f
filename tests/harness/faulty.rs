//! A store that fails when told to.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use session_core::store::{
    Account, Create, Created, MemoryStore, RecordKey, Replaced, SessionRecord, SessionStore, StoreError,
    Touch,
};
use session_core::{SessionId, Timestamp};
use tokio::sync::watch;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Every call fails, and changes nothing.
    Fail,
    /// Every call that would change something fails, and changes nothing.
    FailWrites,
    /// Every call waits, before it does anything, until the fault is another one.
    Hang,
    /// The calls of this method wait so.
    HangAt(&'static str),
    /// The calls of this method take effect and then wait so: the outcome of a call that times out is unknown.
    HangAfter(&'static str),
}

/// A [`MemoryStore`] with faults. Clones are the same store.
///
/// Its timer stands still: a call that hangs runs into its deadline when the test says
/// [`let_deadlines_pass`](Self::let_deadlines_pass).
#[derive(Clone)]
pub(crate) struct FaultyStore(Arc<Inner>);

struct Inner {
    memory: MemoryStore,
    fault: watch::Sender<Fault>,
    /// How many calls have begun to hang.
    hanging: watch::Sender<usize>,
    /// How often deadlines have passed.
    deadlines: watch::Sender<usize>,
    calls: Mutex<BTreeMap<&'static str, usize>>,
}

const READS: [&str; 2] = ["read", "list"];

impl FaultyStore {
    pub(crate) fn new(memory: MemoryStore) -> Self {
        Self(Arc::new(Inner {
            memory,
            fault: watch::Sender::new(Fault::None),
            hanging: watch::Sender::new(0),
            deadlines: watch::Sender::new(0),
            calls: Mutex::default(),
        }))
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.0.fault.send_replace(fault);
    }

    /// Works again; hanging calls go on.
    pub(crate) fn recover(&self) {
        self.set(Fault::None);
    }

    /// Returns once `count` calls hang, or have hung, since the store was made.
    pub(crate) async fn until_hanging(&self, count: usize) {
        let mut hanging = self.0.hanging.subscribe();
        let waited = hanging.wait_for(|now| *now >= count).await;
        assert!(waited.is_ok(), "the store is gone");
    }

    /// The deadline of every call that waits right now passes.
    pub(crate) fn let_deadlines_pass(&self) {
        self.0.deadlines.send_modify(|count| *count += 1);
    }

    /// How often this method was called; `read_and_touch` counts as `read`.
    pub(crate) fn calls(&self, method: &str) -> usize {
        self.0.calls.lock().unwrap().get(method).copied().unwrap_or(0)
    }

    /// How many calls there were of all methods.
    pub(crate) fn all_calls(&self) -> usize {
        self.0.calls.lock().unwrap().values().sum()
    }

    /// How many sessions it holds, expired ones included.
    pub(crate) fn len(&self) -> usize {
        self.0.memory.len()
    }

    async fn call<T>(
        &self,
        method: &'static str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        *self.0.calls.lock().unwrap().entry(method).or_default() += 1;
        self.wait_while(|fault| fault == Fault::Hang || fault == Fault::HangAt(method)).await;
        let fault = *self.0.fault.borrow();
        if fault == Fault::Fail || (fault == Fault::FailWrites && !READS.contains(&method)) {
            return Err(StoreError::unavailable("the test has switched the store off"));
        }
        let answer = call.await;
        self.wait_while(|fault| fault == Fault::HangAfter(method)).await;
        answer
    }

    async fn wait_while(&self, hangs: impl Fn(Fault) -> bool) {
        let mut fault = self.0.fault.subscribe();
        if hangs(*fault.borrow()) {
            self.0.hanging.send_modify(|count| *count += 1);
            let _ = fault.wait_for(|now| !hangs(*now)).await;
        }
    }
}

#[async_trait]
impl SessionStore for FaultyStore {
    async fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        self.call("read", self.0.memory.read(key, now)).await
    }

    /// A write only when there is something to touch, as in a real store: a replica that only reads still reads.
    async fn read_and_touch(
        &self,
        key: RecordKey<'_>,
        touch: Touch,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        if *self.0.fault.borrow() == Fault::FailWrites {
            return self.call("read", self.0.memory.read(key, now)).await;
        }
        self.call("read", self.0.memory.read_and_touch(key, touch, now)).await
    }

    async fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.call("create", self.0.memory.create(realm, record, options, now)).await
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.call("replace", self.0.memory.replace(realm, record, now)).await
    }

    async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        self.call("delete", self.0.memory.delete(key)).await
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        self.call("list", self.0.memory.list(account, now)).await
    }

    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        self.call("delete_account", self.0.memory.delete_account(account, keep, now)).await
    }

    async fn delete_realm(&self, realm: &str) -> Result<u64, StoreError> {
        self.call("delete_realm", self.0.memory.delete_realm(realm)).await
    }

    async fn delete_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.call("delete_expired", self.0.memory.delete_expired(now, limit)).await
    }

    fn sleep(&self, _duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut deadlines = self.0.deadlines.subscribe();
        let start = *deadlines.borrow();
        Box::pin(async move {
            if deadlines.wait_for(|now| *now != start).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

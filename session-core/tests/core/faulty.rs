//! The kit's faulty store with switches that can be on together, and with what is no outage: others who are faster,
//! news, a timer that the test turns.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use session_core::store::{
    Account, Adopted, Adoption, Bar, Create, Created, Fence, Invalidation, Mark, MemoryStore, RecordKey,
    Replaced, SessionRecord, SessionStore, StoreError,
};
use session_core::testing::{Fault, FaultyStore, ManualClock, Stop, StoreMethod};
use session_core::{SessionId, Timestamp};
use tokio::sync::{Mutex, mpsc};

/// A memory store with switches.
#[derive(Clone)]
pub(crate) struct Faulty {
    store: FaultyStore,
    pub(crate) inner: MemoryStore,
    pub(crate) down: Arc<AtomicBool>,
    pub(crate) read_only: Arc<AtomicBool>,
    pub(crate) hangs: Arc<AtomicBool>,
    /// Lists nobody and ends no account's sessions, as a store whose index was evicted.
    pub(crate) lost_index: Arc<AtomicBool>,
    /// Every pause is over at once, there is always more to clean up, and no news.
    pub(crate) never_waits: Arc<AtomicBool>,
    /// No call is ready at once, as if the store were elsewhere; a short pause is over after one turn of the others.
    pub(crate) is_remote: Arc<AtomicBool>,
    /// Somebody else is always faster.
    pub(crate) conflicts: Arc<AtomicBool>,
    /// What a call takes, by this clock.
    pub(crate) takes: Arc<std::sync::Mutex<Option<(ManualClock, Duration)>>>,
    pub(crate) calls: Arc<AtomicUsize>,
    /// How long each short pause was to be.
    pub(crate) pauses: Arc<std::sync::Mutex<Vec<Duration>>>,
    /// What others end; `None` cuts the connection that brings the news.
    pub(crate) news: Channel<Option<Invalidation>>,
    /// Each ends a pause.
    pub(crate) ticks: Channel<()>,
}

/// A queue that the test fills while a store waits for it.
#[derive(Clone)]
pub(crate) struct Channel<T>(mpsc::UnboundedSender<T>, Arc<Mutex<mpsc::UnboundedReceiver<T>>>);

impl<T> Default for Channel<T> {
    fn default() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self(sender, Arc::new(Mutex::new(receiver)))
    }
}

impl<T> Channel<T> {
    pub(crate) fn send(&self, what: T) {
        assert!(self.0.send(what).is_ok(), "the receiver lives as long");
    }

    async fn next(&self) -> T {
        self.1.lock().await.recv().await.unwrap()
    }
}

impl Default for Faulty {
    fn default() -> Self {
        let inner = MemoryStore::new();
        let faulty = Self {
            store: FaultyStore::new(inner.clone()),
            inner,
            down: Arc::default(),
            read_only: Arc::default(),
            hangs: Arc::default(),
            lost_index: Arc::default(),
            never_waits: Arc::default(),
            is_remote: Arc::default(),
            conflicts: Arc::default(),
            takes: Arc::default(),
            calls: Arc::default(),
            pauses: Arc::default(),
            news: Channel::default(),
            ticks: Channel::default(),
        };
        let switches = [
            (faulty.hangs.clone(), Fault::Hang),
            (faulty.down.clone(), Fault::Fail),
            (faulty.read_only.clone(), Fault::FailWrites),
        ];
        faulty.store.inject_by(move |_| {
            let on = switches.iter().find(|(switch, _)| is_on(switch));
            on.map_or(Fault::None, |(_, fault)| *fault)
        });
        faulty
    }
}

impl Faulty {
    /// The next read waits with its answer.
    pub(crate) fn pause_after_read(&self) -> Stop {
        self.store.stop_after(StoreMethod::Read)
    }

    /// The next replace waits before it begins.
    pub(crate) fn pause_before_replace(&self) -> Stop {
        self.store.stop_before(StoreMethod::Replace)
    }

    /// The next cleanup waits before it begins.
    pub(crate) fn pause_before_cleanup(&self) -> Stop {
        self.store.stop_before(StoreMethod::DeleteExpired)
    }

    /// The store, when the way to it is behind the caller.
    async fn reach(&self) -> &FaultyStore {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if is_on(&self.is_remote) {
            tokio::task::yield_now().await;
        }
        if let Some((clock, time)) = self.takes.lock().unwrap().as_ref() {
            clock.advance(*time);
        }
        &self.store
    }
}

fn is_on(switch: &AtomicBool) -> bool {
    switch.load(Ordering::SeqCst)
}

/// A touch is the two calls of the trait's default.
#[async_trait]
impl SessionStore for Faulty {
    async fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        self.reach().await.read(key, now).await
    }

    async fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let store = self.reach().await;
        match is_on(&self.conflicts) {
            true => Ok(Created::PredecessorChanged),
            false => store.create(realm, record, options, now).await,
        }
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let store = self.reach().await;
        match is_on(&self.conflicts) {
            true => Ok(Replaced::Conflict),
            false => store.replace(realm, record, now).await,
        }
    }

    async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        self.reach().await.delete(key).await
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        let found = self.reach().await.list(account, now).await?;
        Ok(if is_on(&self.lost_index) { Vec::new() } else { found })
    }

    async fn count(&self, realm: &str, now: Timestamp) -> Result<u64, StoreError> {
        self.reach().await.count(realm, now).await
    }

    async fn fence(&self, account: Account<'_>, fresh: Mark, now: Timestamp) -> Result<Fence, StoreError> {
        self.reach().await.fence(account, fresh, now).await
    }

    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        fresh: Mark,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let store = self.reach().await;
        match is_on(&self.lost_index) {
            true => Ok(Vec::new()),
            false => store.delete_account(account, keep, fresh, now).await,
        }
    }

    async fn delete_realm(&self, realm: &str, fresh: Mark) -> Result<u64, StoreError> {
        self.reach().await.delete_realm(realm, fresh).await
    }

    async fn delete_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let deleted = self.reach().await.delete_expired(now, limit).await?;
        Ok(if is_on(&self.never_waits) { limit } else { deleted })
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
        self.reach().await.adopt(realm, record, adoption, now).await
    }

    async fn bar(
        &self,
        realm: &str,
        subject: Option<&str>,
        bar: Bar,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.reach().await.bar(realm, subject, bar, now).await
    }

    async fn listen(
        &self,
        _realm: &str,
        heard: &(dyn Fn(Invalidation) + Send + Sync),
    ) -> Result<(), StoreError> {
        while !is_on(&self.never_waits) {
            let Some(news) = self.news.next().await else { break };
            heard(news);
        }
        Err(StoreError::unavailable("the test cut it"))
    }

    /// The deadline is over at once when the store hangs, and never otherwise; a pause when the test says so.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        if is_on(&self.never_waits) {
            return Box::pin(std::future::ready(()));
        }
        if is_on(&self.is_remote) && duration < Duration::from_millis(100) {
            self.pauses.lock().unwrap().push(duration);
            return Box::pin(tokio::task::yield_now());
        }
        if duration != Duration::from_secs(2) {
            let ticks = self.ticks.clone();
            return Box::pin(async move { ticks.next().await });
        }
        match is_on(&self.hangs) {
            true => Box::pin(std::future::ready(())),
            false => Box::pin(std::future::pending()),
        }
    }
}

//! A store that fails when told.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use session_core::store::{
    Account, Create, Created, Invalidation, MemoryStore, RecordKey, Replaced, SessionRecord, SessionStore,
    StoreError,
};
use session_core::testing::ManualClock;
use session_core::{SessionId, Timestamp};
use tokio::sync::{Mutex, Notify, mpsc};

/// A memory store with switches.
#[derive(Clone, Default)]
pub(crate) struct Faulty {
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
    reads: Stops,
    replaces: Stops,
    cleanups: Stops,
}

/// Where the next call waits for the test.
type Stops = Arc<std::sync::Mutex<Option<Stop>>>;

/// A call that waits, or will.
#[derive(Clone, Default)]
pub(crate) struct Stop {
    reached: Arc<Notify>,
    go_on: Arc<Notify>,
}

impl Stop {
    pub(crate) async fn reached(&self) {
        self.reached.notified().await;
    }

    pub(crate) fn go_on(&self) {
        self.go_on.notify_one();
    }

    fn at(stops: &Stops) -> Self {
        let stop = Self::default();
        *stops.lock().unwrap() = Some(stop.clone());
        stop
    }

    async fn wait_at(stops: &Stops) {
        let stop = stops.lock().unwrap().take();
        if let Some(stop) = stop {
            stop.reached.notify_one();
            stop.go_on.notified().await;
        }
    }
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

impl Faulty {
    /// The next read waits with its answer.
    pub(crate) fn pause_after_read(&self) -> Stop {
        Stop::at(&self.reads)
    }

    /// The next replace waits before it begins.
    pub(crate) fn pause_before_replace(&self) -> Stop {
        Stop::at(&self.replaces)
    }

    /// The next cleanup waits before it begins.
    pub(crate) fn pause_before_cleanup(&self) -> Stop {
        Stop::at(&self.cleanups)
    }

    async fn gate(&self, is_write: bool) -> Result<(), StoreError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.is_remote.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        if let Some((clock, time)) = self.takes.lock().unwrap().as_ref() {
            clock.advance(*time);
        }
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let fails = self.down.load(Ordering::SeqCst) || (is_write && self.read_only.load(Ordering::SeqCst));
        if fails { Err(StoreError::unavailable("the test switched it off")) } else { Ok(()) }
    }
}

#[async_trait]
impl SessionStore for Faulty {
    async fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        self.gate(false).await?;
        let answer = self.inner.read(key, now).await;
        Stop::wait_at(&self.reads).await;
        answer
    }

    async fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.gate(true).await?;
        if self.conflicts.load(Ordering::SeqCst) {
            return Ok(Created::PredecessorChanged);
        }
        self.inner.create(realm, record, options, now).await
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.gate(true).await?;
        Stop::wait_at(&self.replaces).await;
        if self.conflicts.load(Ordering::SeqCst) {
            return Ok(Replaced::Conflict);
        }
        self.inner.replace(realm, record, now).await
    }

    async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        self.gate(true).await?;
        self.inner.delete(key).await
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        self.gate(false).await?;
        if self.lost_index.load(Ordering::SeqCst) {
            return Ok(Vec::new());
        }
        self.inner.list(account, now).await
    }

    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        self.gate(true).await?;
        if self.lost_index.load(Ordering::SeqCst) {
            return Ok(Vec::new());
        }
        self.inner.delete_account(account, keep, now).await
    }

    async fn delete_realm(&self, realm: &str) -> Result<u64, StoreError> {
        self.gate(true).await?;
        self.inner.delete_realm(realm).await
    }

    async fn delete_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.gate(true).await?;
        Stop::wait_at(&self.cleanups).await;
        if self.never_waits.load(Ordering::SeqCst) {
            return Ok(limit);
        }
        self.inner.delete_expired(now, limit).await
    }

    async fn listen(
        &self,
        _realm: &str,
        heard: &(dyn Fn(Invalidation) + Send + Sync),
    ) -> Result<(), StoreError> {
        while !self.never_waits.load(Ordering::SeqCst) {
            let Some(news) = self.news.next().await else { break };
            heard(news);
        }
        Err(StoreError::unavailable("the test cut it"))
    }

    /// The deadline is over at once when the store hangs, and never otherwise; a pause when the test says so.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        if self.never_waits.load(Ordering::SeqCst) {
            return Box::pin(std::future::ready(()));
        }
        if self.is_remote.load(Ordering::SeqCst) && duration < Duration::from_millis(100) {
            self.pauses.lock().unwrap().push(duration);
            return Box::pin(tokio::task::yield_now());
        }
        if duration != Duration::from_secs(2) {
            let ticks = self.ticks.clone();
            return Box::pin(async move { ticks.next().await });
        }
        match self.hangs.load(Ordering::SeqCst) {
            true => Box::pin(std::future::ready(())),
            false => Box::pin(std::future::pending()),
        }
    }
}

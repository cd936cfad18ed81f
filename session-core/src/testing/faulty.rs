//! A store that fails when a test says so.

use std::fmt;
use std::future::{Future, pending, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::fault::{Fault, StoreMethod};
use super::stop::{Moment, Stop, Stops, lock};
use crate::id::SessionId;
use crate::store::{
    Account, Adopted, Adoption, Bar, Create, Created, Fence, Invalidation, Mark, MemoryStore, RecordKey,
    Replaced, SessionRecord, SessionStore, StoreError, Touch,
};
use crate::time::Timestamp;

/// Any store, with outages that a test switches on and off. Clones are the same store with the same faults.
///
/// What an application does while its store is down is tested in a few lines: it answers 503, and nobody is logged out.
///
/// ```
/// use session_core::store::MemoryStore;
/// use session_core::testing::{Fault, FaultyStore, TestRequest, logged_in_cookie};
/// # use session_core::{KeyRing, SessionManager, SessionPayload};
/// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// # struct User { id: String }
/// # impl SessionPayload for User {
/// #     fn subject(&self) -> Option<std::borrow::Cow<'_, str>> { Some((&self.id).into()) }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = KeyRing::from_secret("0123456789abcdef0123456789abcdef")?;
/// let store = FaultyStore::new(MemoryStore::new());
/// let sessions = SessionManager::builder().keys(keys).store(store.clone()).build()?;
/// let cookie = logged_in_cookie(&sessions, User { id: "ann".to_owned() }).await?;
/// let request = TestRequest::new("GET", "/").cookie(&cookie);
///
/// store.inject(Fault::Fail);
/// let error = sessions.get_session(&request).await.map(drop).unwrap_err();
/// assert_eq!((error.status(), error.is_retryable()), (503, true));
///
/// store.recover();
/// assert!(sessions.get_session(&request).await?.is_some(), "she is still logged in");
/// # Ok(())
/// # }
/// ```
///
/// Two requests meet where a test wants them to with [`stop_before`](Self::stop_before) and
/// [`stop_after`](Self::stop_after); what a request costs is in [`calls`](Self::calls).
///
/// Listening is passed on as it is, and counts as no call.
pub struct FaultyStore<S = MemoryStore>(Arc<Inner<S>>);

struct Inner<S> {
    store: S,
    timer: Option<Timer>,
    script: Mutex<Script>,
    stops: Stops,
    calls: Mutex<Vec<StoreMethod>>,
    /// Calls that hang, and whose deadline is still to pass.
    hanging: AtomicUsize,
}

type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;
type Timer = Box<dyn Fn(Duration) -> Sleep + Send + Sync>;
/// Says what goes wrong with a call.
type Script = Arc<dyn Fn(StoreMethod) -> Fault + Send + Sync>;

impl<S: SessionStore> FaultyStore<S> {
    /// This store, without a fault so far.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self::make(store, None)
    }

    /// The same with a timer of a runtime, for a store that has none:
    /// `FaultyStore::with_timer(MemoryStore::new(), tokio::time::sleep)`. Deadlines go by it, too.
    #[must_use]
    pub fn with_timer<F>(store: S, sleep: impl Fn(Duration) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::make(store, Some(Box::new(move |duration| Box::pin(sleep(duration)))))
    }

    fn make(store: S, timer: Option<Timer>) -> Self {
        Self(Arc::new(Inner {
            store,
            timer,
            script: Mutex::new(Arc::new(|_| Fault::None)),
            stops: Stops::default(),
            calls: Mutex::default(),
            hanging: AtomicUsize::new(0),
        }))
    }

    /// The store without its faults.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.0.store
    }

    /// From now on this goes wrong with every call.
    pub fn inject(&self, fault: Fault) {
        self.inject_by(move |_| fault);
    }

    /// From now on this goes wrong with the calls: `script` is asked before each is sent.
    ///
    /// ```
    /// # use session_core::testing::{Fault, FaultyStore, StoreMethod};
    /// # let store = FaultyStore::new(session_core::store::MemoryStore::new());
    /// store.inject_by(|method| match method {
    ///     StoreMethod::Create => Fault::LoseAnswers,
    ///     _ => Fault::None,
    /// });
    /// ```
    pub fn inject_by(&self, script: impl Fn(StoreMethod) -> Fault + Send + Sync + 'static) {
        *lock(&self.0.script) = Arc::new(script);
    }

    /// From now on nothing goes wrong. A call that hangs is lost all the same, and one that a [`Stop`] holds waits for
    /// its [`go_on`](Stop::go_on).
    pub fn recover(&self) {
        self.inject(Fault::None);
    }

    /// Holds the next call of this method before it is sent.
    pub fn stop_before(&self, method: StoreMethod) -> Stop {
        self.0.stops.plan(Moment::Before, method)
    }

    /// Holds the next call of this method when it has happened, before its caller has the answer.
    pub fn stop_after(&self, method: StoreMethod) -> Stop {
        self.0.stops.plan(Moment::After, method)
    }

    /// The calls so far, in the order in which they began, whatever became of them.
    #[must_use]
    pub fn calls(&self) -> Vec<StoreMethod> {
        lock(&self.0.calls).clone()
    }

    async fn call<T>(
        &self,
        method: StoreMethod,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let fault = self.send(method).await?;
        let answer = call.await;
        self.answer(method, fault, answer).await
    }

    /// What comes before a call, and what goes wrong with it.
    async fn send(&self, method: StoreMethod) -> Result<Fault, StoreError> {
        lock(&self.0.calls).push(method);
        self.0.stops.pass(Moment::Before, method).await;
        let script = Arc::clone(&lock(&self.0.script));
        let fault = script(method);
        match fault {
            Fault::Slow(by) => self.timer(by).await,
            Fault::Hang => {
                self.0.hanging.fetch_add(1, Ordering::SeqCst);
                pending::<()>().await;
            }
            _ => {}
        }
        let fails = fault == Fault::Fail || (fault == Fault::FailWrites && method.is_write());
        if fails { Err(StoreError::unavailable("the test has switched the store off")) } else { Ok(fault) }
    }

    /// What comes after a call.
    async fn answer<T>(
        &self,
        method: StoreMethod,
        fault: Fault,
        answer: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.0.stops.pass(Moment::After, method).await;
        let is_lost = fault == Fault::LoseAnswers && method.is_write();
        if is_lost { Err(StoreError::unavailable("the test has lost the answer")) } else { answer }
    }

    fn timer(&self, duration: Duration) -> Sleep {
        match &self.0.timer {
            Some(timer) => timer(duration),
            None => self.0.store.sleep(duration),
        }
    }
}

#[async_trait]
impl<S: SessionStore> SessionStore for FaultyStore<S> {
    async fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        self.call(StoreMethod::Read, self.0.store.read(key, now)).await
    }

    async fn read_and_touch(
        &self,
        key: RecordKey<'_>,
        touch: Touch,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let fault = self.send(StoreMethod::ReadAndTouch).await?;
        let answer = match fault {
            Fault::FailWrites => self.0.store.read(key, now).await,
            _ => self.0.store.read_and_touch(key, touch, now).await,
        };
        self.answer(StoreMethod::ReadAndTouch, fault, answer).await
    }

    async fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.call(StoreMethod::Create, self.0.store.create(realm, record, options, now)).await
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.call(StoreMethod::Replace, self.0.store.replace(realm, record, now)).await
    }

    async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        self.call(StoreMethod::Delete, self.0.store.delete(key)).await
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        self.call(StoreMethod::List, self.0.store.list(account, now)).await
    }

    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        fresh: Mark,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        self.call(StoreMethod::DeleteAccount, self.0.store.delete_account(account, keep, fresh, now)).await
    }

    async fn delete_realm(&self, realm: &str, fresh: Mark) -> Result<u64, StoreError> {
        self.call(StoreMethod::DeleteRealm, self.0.store.delete_realm(realm, fresh)).await
    }

    async fn count(&self, realm: &str, now: Timestamp) -> Result<u64, StoreError> {
        self.call(StoreMethod::Count, self.0.store.count(realm, now)).await
    }

    async fn fence(&self, account: Account<'_>, fresh: Mark, now: Timestamp) -> Result<Fence, StoreError> {
        self.call(StoreMethod::Fence, self.0.store.fence(account, fresh, now)).await
    }

    async fn delete_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.call(StoreMethod::DeleteExpired, self.0.store.delete_expired(now, limit)).await
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
        self.call(StoreMethod::Adopt, self.0.store.adopt(realm, record, adoption, now)).await
    }

    async fn bar(
        &self,
        realm: &str,
        subject: Option<&str>,
        bar: Bar,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.call(StoreMethod::Bar, self.0.store.bar(realm, subject, bar, now)).await
    }

    async fn listen(
        &self,
        realm: &str,
        heard: &(dyn Fn(Invalidation) + Send + Sync),
    ) -> Result<(), StoreError> {
        self.0.store.listen(realm, heard).await
    }

    /// Whoever has called the store asks for a timer when the call is pending: for a call that hangs it is over.
    fn sleep(&self, duration: Duration) -> Sleep {
        let take_one = |hanging: usize| hanging.checked_sub(1);
        match self.0.hanging.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_one) {
            Ok(_) => Box::pin(ready(())),
            Err(_) => self.timer(duration),
        }
    }
}

impl<S> Clone for FaultyStore<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: SessionStore + Default> Default for FaultyStore<S> {
    fn default() -> Self {
        Self::new(S::default())
    }
}

impl<S: fmt::Debug> fmt::Debug for FaultyStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FaultyStore").field(&self.0.store).finish()
    }
}

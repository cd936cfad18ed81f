//! The way between a node and the store: slow, broken, overtaken. A `SessionStore` for the core.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use session_core::store::{
    Account, Adopted, Adoption, Bar, Create, Created, Fence, Invalidation, Mark, RecordKey, Replaced,
    SessionRecord, SessionStore, StoreError, Touch,
};
use session_core::{SessionId, Timestamp};

use crate::backend::{Backend, Outcome};
use crate::happened::Happened;
use crate::stage::{Millis, Promise, Stage};
use crate::weather::{DEADLINE, Weather};

/// A node's connection.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) stage: Stage,
    pub(crate) weather: Weather,
    pub(crate) backend: Arc<Backend>,
    /// No payload is to be read by whoever reads the store.
    pub(crate) must_seal: bool,
}

/// What becomes of one call.
struct Fate {
    out: Millis,
    back: Millis,
    is_sent: bool,
    is_answered: bool,
    hangs: bool,
    /// Once on its way it arrives, whatever becomes of the caller.
    is_on_its_own: bool,
}

impl Network {
    fn fate(&self) -> Fate {
        let weather = &self.weather;
        let mut random = self.stage.random();
        let (out, back) = (random.within(0..=weather.latency), random.within(0..=weather.latency));
        let is_on_its_own = random.chance(300);
        let mut fate = Fate { out, back, is_sent: true, is_answered: true, hangs: false, is_on_its_own };
        if weather.store_is_well() {
            return fate;
        }
        if random.chance(weather.call_fails) {
            self.stage.count(Happened::CallFailed);
            fate.is_sent = false;
        } else if random.chance(weather.answer_is_lost) {
            self.stage.count(Happened::AnswerLost);
            fate.is_answered = false;
        } else if random.chance(weather.call_is_slow) {
            self.stage.count(Happened::CallSlow);
            (fate.out, fate.back) = (random.within(0..=1_500), random.within(0..=400));
        } else if random.chance(weather.call_hangs) {
            self.stage.count(Happened::CallHung);
            fate.hangs = true;
        } else if random.chance(weather.call_is_late) {
            self.stage.count(Happened::CallLate);
            fate.out = DEADLINE + random.within(1..=6_000);
            fate.is_on_its_own = true;
        }
        fate
    }

    fn is_written(&self, record: &SessionRecord) {
        if self.must_seal && !record.payload.starts_with(b"ey") {
            self.stage.fail(|| format!("anybody can read the payload of {:?}", record.id));
        }
    }

    async fn call<T, F>(&self, what: &'static str, apply: F) -> Outcome<T>
    where
        T: Send + 'static,
        F: FnOnce(&Backend) -> Outcome<T> + Send + 'static,
    {
        self.backend.called();
        let fate = self.fate();
        if fate.hangs {
            self.stage.note(|| format!("store: {what} hangs"));
            pending::<()>().await;
        }
        let Self { stage, backend, .. } = self.clone();
        let work = async move {
            stage.sleep(fate.out).await;
            if !fate.is_sent {
                return Err(StoreError::unavailable("the simulator cut the connection"));
            }
            let answer = apply(&backend);
            stage.note(|| match &answer {
                Ok(_) => format!("store: {what}"),
                Err(error) => format!("store: {what}: {error}"),
            });
            stage.sleep(fate.back).await;
            if fate.is_answered {
                answer
            } else {
                Err(StoreError::unavailable("the simulator lost the answer"))
            }
        };
        if !fate.is_on_its_own {
            return work.await;
        }
        let promise = Promise::new();
        let answer = promise.clone();
        self.stage.spawn(async move { promise.keep(work.await) });
        answer.await
    }
}

#[async_trait]
impl SessionStore for Network {
    async fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        let (realm, id) = (key.realm.to_owned(), key.id);
        self.call("read", move |backend| backend.read(&realm, id, now)).await
    }

    async fn read_and_touch(
        &self,
        key: RecordKey<'_>,
        touch: Touch,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let (realm, id) = (key.realm.to_owned(), key.id);
        self.call("read_and_touch", move |backend| backend.read_and_touch(&realm, id, touch, now)).await
    }

    async fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.is_written(record);
        let (realm, record) = (realm.to_owned(), record.clone());
        self.call("create", move |backend| backend.create(&realm, &record, options, now)).await
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.is_written(record);
        let (realm, record) = (realm.to_owned(), record.clone());
        self.call("replace", move |backend| backend.replace(&realm, &record, now)).await
    }

    async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        let (realm, id) = (key.realm.to_owned(), key.id);
        self.call("delete", move |backend| backend.delete(&realm, id)).await
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        let (realm, subject) = owned(account);
        self.call("list", move |backend| backend.list(&realm, &subject, now)).await
    }

    async fn count(&self, realm: &str, now: Timestamp) -> Result<u64, StoreError> {
        let realm = realm.to_owned();
        self.call("count", move |backend| backend.count(&realm, now)).await
    }

    async fn fence(&self, account: Account<'_>, fresh: Mark, now: Timestamp) -> Result<Fence, StoreError> {
        let (realm, subject) = owned(account);
        self.call("fence", move |backend| backend.fence(&realm, &subject, fresh, now)).await
    }

    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        fresh: Mark,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let (realm, subject) = owned(account);
        self.call("delete_account", move |backend| backend.delete_account(&realm, &subject, keep, fresh, now))
            .await
    }

    async fn delete_realm(&self, realm: &str, fresh: Mark) -> Result<u64, StoreError> {
        let realm = realm.to_owned();
        self.call("delete_realm", move |backend| backend.delete_realm(&realm, fresh)).await
    }

    async fn delete_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.call("delete_expired", move |backend| backend.delete_expired(now, limit)).await
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
        self.is_written(record);
        let (realm, record) = (realm.to_owned(), record.clone());
        self.call("adopt", move |backend| backend.adopt(&realm, &record, adoption, now)).await
    }

    async fn bar(
        &self,
        realm: &str,
        subject: Option<&str>,
        bar: Bar,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (realm, subject) = (realm.to_owned(), subject.map(str::to_owned));
        self.call("bar", move |backend| backend.bar(&realm, subject.as_deref(), bar, now)).await
    }

    /// Now and then the line breaks, and whoever listens must ask again.
    async fn listen(
        &self,
        _realm: &str,
        heard: &(dyn Fn(Invalidation) + Send + Sync),
    ) -> Result<(), StoreError> {
        let mailbox = self.backend.subscribe();
        loop {
            heard(mailbox.next().await);
            if self.stage.random().chance(self.weather.news_is_lost / 10) {
                self.stage.count(Happened::LineCut);
                return Err(StoreError::unavailable("the simulator cut the line"));
            }
        }
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.stage.sleep(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
}

fn owned(account: Account<'_>) -> (String, String) {
    (account.realm.to_owned(), account.subject.to_owned())
}

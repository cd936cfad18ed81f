//! The store under test at one point in time, and the records that a case puts into it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use session_core::store::{
    Account, Create, Created, Fence, Mark, RecordKey, Replaced, Replaces, SessionLimit, SessionRecord,
    SessionStore, Touch,
};
use session_core::{Place, RandomSource, SessionId, SystemRandom, Timestamp};

/// At most once a minute; idle after an hour.
pub(crate) const TOUCH: Touch =
    Touch::new(Duration::from_secs(60), Some(Duration::from_secs(3600)), 0, Duration::ZERO);

/// The store, a realm that nobody else uses, and the time.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) realm: String,
    pub(crate) now: Timestamp,
}

impl Bench {
    pub(crate) fn new(store: Arc<dyn SessionStore>) -> Self {
        Self { store, realm: random_id().to_text(), now: SystemTime::now().into() }
    }

    pub(crate) fn at(&self, seconds: u64) -> Timestamp {
        self.now.plus(Duration::from_secs(seconds))
    }

    pub(crate) fn later(&self, seconds: u64) -> Self {
        Self { now: self.at(seconds), ..self.clone() }
    }

    pub(crate) fn key(&self, id: SessionId) -> RecordKey<'_> {
        RecordKey { realm: &self.realm, id }
    }

    pub(crate) fn account<'a>(&'a self, subject: &'a str) -> Account<'a> {
        Account { realm: &self.realm, subject }
    }

    pub(crate) fn guest(&self) -> SessionRecord {
        SessionRecord::new(random_id(), br#"{"role":"guest"}"#.to_vec(), self.now, self.at(86_400)).with(
            |record| {
                record.last_seen = self.now;
                record.issued_at = self.now;
                record.first_used_at = None;
                record.ends_at = self.at(86_400);
            },
        )
    }

    pub(crate) fn login(&self, subject: &str) -> SessionRecord {
        self.guest().with(|record| {
            record.id = random_id_of(subject);
            record.subject = Some(subject.into());
        })
    }

    pub(crate) async fn stored(&self, subject: &str) -> SessionRecord {
        let record = self.login(subject);
        assert_eq!(self.create(&record).await, done());
        record
    }

    pub(crate) async fn create(&self, record: &SessionRecord) -> Created {
        self.create_with(record, Create::default()).await
    }

    pub(crate) async fn create_with(&self, record: &SessionRecord, options: Create) -> Created {
        self.store.create(&self.realm, record, options, self.now).await.unwrap()
    }

    pub(crate) async fn create_owned(self, subject: &str, options: Create) -> Created {
        self.create_with(&self.login(subject), options).await
    }

    pub(crate) async fn read(&self, id: SessionId) -> Option<SessionRecord> {
        self.store.read(self.key(id), self.now).await.unwrap()
    }

    /// As [`TOUCH`] says.
    pub(crate) async fn touch(&self, id: SessionId) -> Option<SessionRecord> {
        self.touch_with(id, TOUCH).await
    }

    pub(crate) async fn touch_with(&self, id: SessionId, touch: Touch) -> Option<SessionRecord> {
        self.store.read_and_touch(self.key(id), touch, self.now).await.unwrap()
    }

    pub(crate) async fn replace(&self, record: &SessionRecord) -> Replaced {
        self.store.replace(&self.realm, record, self.now).await.unwrap()
    }

    pub(crate) async fn delete(&self, id: SessionId) -> bool {
        self.store.delete(self.key(id)).await.unwrap()
    }

    pub(crate) async fn list(&self, subject: &str) -> Vec<SessionRecord> {
        self.store.list(self.account(subject), self.now).await.unwrap()
    }

    pub(crate) async fn delete_account(&self, subject: &str, keep: Option<SessionId>) -> Vec<SessionId> {
        self.store.delete_account(self.account(subject), keep, random_mark(), self.now).await.unwrap()
    }

    pub(crate) async fn delete_realm(&self) -> u64 {
        self.store.delete_realm(&self.realm, random_mark()).await.unwrap()
    }

    pub(crate) async fn count(&self) -> u64 {
        self.store.count(&self.realm, self.now).await.unwrap()
    }

    pub(crate) async fn fence(&self, subject: &str) -> Fence {
        self.store.fence(self.account(subject), random_mark(), self.now).await.unwrap()
    }

    pub(crate) async fn delete_expired(&self, limit: usize) -> usize {
        self.store.delete_expired(self.now, limit).await.unwrap()
    }
}

pub(crate) fn next(record: &SessionRecord) -> SessionRecord {
    record.clone().with(|record| record.version += 1)
}

pub(crate) fn must(old: &SessionRecord) -> Replaces {
    Replaces::MustExist { id: old.id, version: old.version }
}

pub(crate) fn done() -> Created {
    evicted([])
}

pub(crate) fn evicted<const N: usize>(ids: [SessionId; N]) -> Created {
    Created::Done { evicted: ids.to_vec() }
}

pub(crate) fn evict(limit: u32) -> SessionLimit {
    SessionLimit::EvictLeastRecentlySeen(limit)
}

pub(crate) fn ids(records: &[SessionRecord]) -> BTreeSet<SessionId> {
    records.iter().map(|record| record.id).collect()
}

pub(crate) fn random_id() -> SessionId {
    let mut bytes = [0; SessionId::LEN];
    SystemRandom.fill(&mut bytes).unwrap();
    SessionId::from_bytes(bytes)
}

/// An id that a session of this account could have.
pub(crate) fn random_id_of(subject: &str) -> SessionId {
    let [_, _, random @ ..] = *random_id().as_bytes();
    SessionId::new(Place::of(subject), random)
}

pub(crate) fn random_mark() -> Mark {
    Mark::random(&SystemRandom).unwrap()
}

//! Stores with one defect each.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use session_core::store::{
    Account, Adopted, Adoption, Bar, Create, Created, Fence, Invalidation, Mark, MemoryStore, RecordKey,
    Replaced, Replaces, SessionLimit, SessionRecord, SessionStore, StoreError, Touch,
};
use session_core::{SessionId, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// None: to show that the rest is sound.
    Nothing,
    /// `replace` writes whatever is there, or not there.
    ReplaceUpserts,
    /// `replace` does not look at the version.
    ReplaceIgnoresVersions,
    /// `replace` moves a session to another account, and the index stays.
    ReplaceForgetsTheIndex,
    /// What was read once is read again, whatever became of it.
    ReadsAreCached,
    /// `create` takes `MustExist` for `IfPresent`.
    RotationIsUnchecked,
    /// A rotation's new session is not in the index of its account.
    RotationIsNotListed,
    /// `create` answers that the limit is reached before it looks at anything else.
    LimitComesFirst,
    /// `create` counts, and stores later.
    LimitIsCountedBefore,
    /// Subjects have room for 255 bytes, and no more is stored.
    SubjectsAreCut,
    /// `delete` does nothing and says so.
    DeleteIsLost,
    /// `adopt` is a login.
    AdoptionsAreNotMarked,
    /// `adopt` marks for ever.
    MarksAreKeptForEver,
    /// `adopt` looks at no bar.
    BarsAreIgnored,
    /// `bar` knows accounts only.
    RealmsHaveNoBar,
    /// `delete_account` looks whom to end, and ends them later.
    AccountIsEndedInTwoSteps,
    /// `delete_realm` looks whom to end, and ends them later.
    RealmIsEndedInTwoSteps,
    /// Last-seen moves on whoever asks.
    AnyTokenTouches,
    /// A predecessor in its grace does not move last-seen on.
    TouchesKnowNoGrace,
    /// `listen` hears of sessions that were only changed.
    NewsOfTheLiving,
    /// `create` does not look at the fence.
    FenceIsIgnored,
    /// `delete_account` sets no mark where there is nobody to end.
    NobodyIsNotMarked,
    /// `create` looks at the fence, and stores later.
    FenceIsCheckedBefore,
    /// Who acts as the user counts as the user does.
    EverybodyCounts,
}

/// A store in memory with a defect.
pub(crate) struct Broken {
    defect: Defect,
    sound: MemoryStore,
    /// What was read, what is unlisted, and who has what where: for the defects that need it.
    cache: Mutex<BTreeMap<SessionId, SessionRecord>>,
    unlisted: Mutex<BTreeSet<SessionId>>,
    created: Mutex<Vec<(String, SessionId)>>,
    creations: AtomicUsize,
    replaced: tokio::sync::watch::Sender<Option<SessionId>>,
}

impl Broken {
    pub(crate) fn by(defect: Defect) -> Self {
        Self {
            defect,
            sound: MemoryStore::new(),
            cache: Mutex::default(),
            unlisted: Mutex::default(),
            created: Mutex::default(),
            creations: AtomicUsize::new(0),
            replaced: tokio::sync::watch::Sender::new(None),
        }
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    /// Opens the window of a race: until somebody creates a session, for a moment.
    fn dawdle(&self) {
        let before = self.creations.load(Ordering::SeqCst);
        for _ in 0..1_000 {
            if self.creations.load(Ordering::SeqCst) != before {
                return;
            }
            std::thread::yield_now();
        }
    }

    fn cached(&self, key: RecordKey<'_>, read: Option<SessionRecord>) -> Option<SessionRecord> {
        if !self.has(Defect::ReadsAreCached) {
            return read;
        }
        let mut cache = self.cache.lock().unwrap();
        if let Some(record) = read {
            cache.insert(key.id, record);
        }
        cache.get(&key.id).cloned()
    }

    /// The options of a create, as a defect sees them.
    fn options(&self, options: Create) -> Create {
        let mut seen = options;
        if let (Defect::RotationIsUnchecked, Some(replaces)) = (self.defect, options.replaces) {
            seen.replaces = Some(Replaces::IfPresent(replaces.id()));
        }
        if self.has(Defect::LimitIsCountedBefore) {
            seen.limit = None;
        }
        if [Defect::FenceIsIgnored, Defect::FenceIsCheckedBefore].contains(&self.defect) {
            seen.fence = None;
        }
        seen
    }

    async fn is_full(&self, realm: &str, record: &SessionRecord, options: Create, now: Timestamp) -> bool {
        let (Some(subject), Some(SessionLimit::Refuse(most))) = (&record.subject, options.limit) else {
            return false;
        };
        self.sound.list(Account { realm, subject }, now).await.unwrap().len() >= most as usize
    }

    /// Ends these sessions, one after the other.
    async fn end(&self, realm: &str, ids: Vec<SessionId>) -> Vec<SessionId> {
        let mut ended = Vec::new();
        for id in ids {
            if self.sound.delete(RecordKey { realm, id }).await.unwrap() {
                ended.push(id);
            }
        }
        ended
    }
}

#[async_trait::async_trait]
impl SessionStore for Broken {
    async fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        Ok(self.cached(key, self.sound.read(key, now).await?))
    }

    async fn read_and_touch(
        &self,
        key: RecordKey<'_>,
        mut touch: Touch,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        match self.defect {
            Defect::AnyTokenTouches => touch.generation = u64::MAX,
            Defect::TouchesKnowNoGrace => touch.grace = Duration::ZERO,
            _ => {}
        }
        Ok(self.cached(key, self.sound.read_and_touch(key, touch, now).await?))
    }

    async fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let counts_first = [Defect::LimitComesFirst, Defect::LimitIsCountedBefore].contains(&self.defect);
        if counts_first && self.is_full(realm, record, options, now).await {
            return Ok(Created::LimitReached);
        }
        if self.has(Defect::LimitIsCountedBefore) {
            self.dawdle();
        }
        if let (Defect::FenceIsCheckedBefore, Some(subject), Some(fence)) =
            (self.defect, &record.subject, options.fence)
        {
            if self.sound.fence(Account { realm, subject }, fence.realm(), now).await? != fence {
                return Ok(Created::Overtaken);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut stored = record.clone();
        stored.uncounted &= !self.has(Defect::EverybodyCounts);
        if let (Defect::SubjectsAreCut, Some(subject)) = (self.defect, &mut stored.subject) {
            subject.truncate(255);
        }
        let created = self.sound.create(realm, &stored, self.options(options), now).await?;
        if matches!(created, Created::Done { .. }) {
            self.creations.fetch_add(1, Ordering::SeqCst);
            self.created.lock().unwrap().push((realm.to_owned(), record.id));
            if matches!(options.replaces, Some(Replaces::MustExist { .. })) {
                self.unlisted.lock().unwrap().insert(record.id);
            }
        }
        Ok(created)
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let key = RecordKey { realm, id: record.id };
        match self.defect {
            Defect::ReplaceUpserts if self.sound.read(key, now).await?.is_none() => {
                self.sound.create(realm, record, Create::default(), now).await?;
                Ok(Replaced::Done)
            }
            Defect::ReplaceIgnoresVersions => {
                let Some(found) = self.sound.read(key, now).await? else { return Ok(Replaced::Gone) };
                let forced = record.clone().with(|record| record.version = found.version + 1);
                self.sound.replace(realm, &forced, now).await
            }
            Defect::ReplaceForgetsTheIndex => {
                let Some(found) = self.sound.read(key, now).await? else { return Ok(Replaced::Gone) };
                let same = record.clone().with(|record| record.subject = found.subject.clone());
                if record.subject != found.subject {
                    self.unlisted.lock().unwrap().insert(record.id);
                }
                self.sound.replace(realm, &same, now).await
            }
            _ => {
                let replaced = self.sound.replace(realm, record, now).await;
                self.replaced.send_replace(Some(record.id));
                replaced
            }
        }
    }

    async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        if self.has(Defect::DeleteIsLost) { Ok(false) } else { self.sound.delete(key).await }
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        let mut found = self.sound.list(account, now).await?;
        if [Defect::RotationIsNotListed, Defect::ReplaceForgetsTheIndex].contains(&self.defect) {
            found.retain(|record| !self.unlisted.lock().unwrap().contains(&record.id));
        }
        Ok(found)
    }

    async fn count(&self, realm: &str, now: Timestamp) -> Result<u64, StoreError> {
        self.sound.count(realm, now).await
    }

    async fn fence(&self, account: Account<'_>, fresh: Mark, now: Timestamp) -> Result<Fence, StoreError> {
        self.sound.fence(account, fresh, now).await
    }

    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        fresh: Mark,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        if self.has(Defect::NobodyIsNotMarked) && self.list(account, now).await?.is_empty() {
            return Ok(Vec::new());
        }
        if ![Defect::RotationIsNotListed, Defect::AccountIsEndedInTwoSteps].contains(&self.defect) {
            return self.sound.delete_account(account, keep, fresh, now).await;
        }
        let mut ids: Vec<_> = self.list(account, now).await?.iter().map(|record| record.id).collect();
        ids.retain(|id| Some(*id) != keep);
        if self.has(Defect::AccountIsEndedInTwoSteps) {
            self.dawdle();
        }
        Ok(self.end(account.realm, ids).await)
    }

    async fn delete_realm(&self, realm: &str, fresh: Mark) -> Result<u64, StoreError> {
        if !self.has(Defect::RealmIsEndedInTwoSteps) {
            return self.sound.delete_realm(realm, fresh).await;
        }
        let created = self.created.lock().unwrap().clone();
        let ids = created.into_iter().filter(|(of, _)| of == realm).map(|(_, id)| id).collect();
        self.dawdle();
        Ok(self.end(realm, ids).await.len() as u64)
    }

    async fn delete_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.sound.delete_expired(now, limit).await
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(
        &self,
        realm: &str,
        record: &SessionRecord,
        mut adoption: Adoption,
        now: Timestamp,
    ) -> Result<Adopted, StoreError> {
        match self.defect {
            Defect::AdoptionsAreNotMarked => adoption.once_until = None,
            Defect::MarksAreKeptForEver => adoption.once_until = Some(Timestamp::from_unix_seconds(i64::MAX)),
            Defect::BarsAreIgnored => adoption.proven_at = Timestamp::from_unix_seconds(i64::MAX),
            _ => {}
        }
        self.sound.adopt(realm, record, adoption, now).await
    }

    async fn bar(
        &self,
        realm: &str,
        subject: Option<&str>,
        bar: Bar,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if subject.is_none() && self.has(Defect::RealmsHaveNoBar) {
            return Ok(());
        }
        self.sound.bar(realm, subject, bar, now).await
    }

    async fn listen(
        &self,
        _realm: &str,
        heard: &(dyn Fn(Invalidation) + Send + Sync),
    ) -> Result<(), StoreError> {
        let mut replaced = self.replaced.subscribe();
        while self.has(Defect::NewsOfTheLiving) && replaced.changed().await.is_ok() {
            let changed = *replaced.borrow();
            changed.into_iter().for_each(|id| heard(Invalidation::Ended(id)));
        }
        Ok(())
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.sound.sleep(duration)
    }
}

//! The calls, and the faults that are planted in them.

use session_core::store::{
    Account, Create, Created, Fence, Invalidation, Mark, RecordKey, Replaced, Replaces, SessionRecord,
    SessionStore as _, Touch,
};
use session_core::{SessionId, Timestamp};

use super::{Backend, Outcome, Why, at_once};
use crate::happened::Happened;
use crate::node::REALM;
use crate::planted::Planted;
use crate::stage::lock;

impl Backend {
    pub(crate) fn read(&self, realm: &str, id: SessionId, now: Timestamp) -> Outcome<Option<SessionRecord>> {
        self.read_by(id, now, self.inner.read(RecordKey { realm, id }, now))
    }

    pub(crate) fn read_and_touch(
        &self,
        realm: &str,
        id: SessionId,
        touch: Touch,
        now: Timestamp,
    ) -> Outcome<Option<SessionRecord>> {
        if self.has(Planted::TouchWritesNothing) {
            return self.read(realm, id, now);
        }
        self.read_by(id, now, self.inner.read_and_touch(RecordKey { realm, id }, touch, now))
    }

    pub(crate) fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        mut options: Create,
        now: Timestamp,
    ) -> Outcome<Created> {
        match self.planted {
            Some(Planted::CreateWritesNothing) => return Ok(Created::Done { evicted: Vec::new() }),
            Some(Planted::CreateForgetsTheFence) => options.fence = None,
            Some(Planted::CreateForgetsTheLimit) => options.limit = None,
            Some(Planted::CreateKeepsTheReplaced) => options.replaces = None,
            Some(Planted::CreateForgetsThePredecessor) => {
                options.replaces = options.replaces.map(|replaces| Replaces::IfPresent(replaces.id()));
            }
            _ => {}
        }
        if let Some(replaces) = options.replaces {
            self.before_a_change(realm, replaces.id());
        }
        let created = at_once(self.inner.create(realm, record, options, now))?;
        if let (Created::Done { evicted }, REALM) = (&created, realm) {
            self.written(record);
            lock(&self.truth).living.insert(record.id);
            evicted.iter().for_each(|&id| self.ended(realm, id, Why::Evicted));
            if let Some(replaces) = options.replaces {
                self.ended(realm, replaces.id(), Why::Replaced);
            }
        }
        Ok(created)
    }

    pub(crate) fn replace(&self, realm: &str, record: &SessionRecord, now: Timestamp) -> Outcome<Replaced> {
        self.before_a_change(realm, record.id);
        match self.planted {
            Some(Planted::ReplaceWritesNothing) if self.stage.random().chance(200) => {
                return Ok(Replaced::Done);
            }
            Some(Planted::ReplaceComparesNothing) => {
                if let Some(there) = self.inspect(realm, record.id) {
                    let forced = record.clone().with(|record| record.version = there.version + 1);
                    return at_once(self.inner.replace(realm, &forced, now));
                }
            }
            Some(Planted::ReplaceBringsBack) if self.inspect(realm, record.id).is_none() => {
                at_once(self.inner.create(realm, record, Create::default(), now))?;
                return Ok(Replaced::Done);
            }
            _ => {}
        }
        self.written(record);
        at_once(self.inner.replace(realm, record, now))
    }

    pub(crate) fn delete(&self, realm: &str, id: SessionId) -> Outcome<bool> {
        self.before_a_change(realm, id);
        if self.has(Planted::DeleteDeletesNothing) {
            return Ok(true);
        }
        let deleted = at_once(self.inner.delete(RecordKey { realm, id }))?;
        if deleted {
            self.ended(realm, id, Why::Deleted);
        }
        Ok(deleted)
    }

    pub(crate) fn list(&self, realm: &str, subject: &str, now: Timestamp) -> Outcome<Vec<SessionRecord>> {
        at_once(self.inner.list(Account { realm, subject }, now))
    }

    pub(crate) fn fence(&self, realm: &str, subject: &str, fresh: Mark, now: Timestamp) -> Outcome<Fence> {
        at_once(self.inner.fence(Account { realm, subject }, fresh, now))
    }

    pub(crate) fn delete_account(
        &self,
        realm: &str,
        subject: &str,
        mut keep: Option<SessionId>,
        fresh: Mark,
        now: Timestamp,
    ) -> Outcome<Vec<SessionId>> {
        let account = Account { realm, subject };
        let mut there = at_once(self.inner.list(account, Timestamp::EPOCH))?;
        there.sort_by_key(|record| record.id);
        there.iter().for_each(|record| self.before_a_change(realm, record.id));
        match self.planted {
            Some(Planted::AccountKeepsNobody) => keep = None,
            Some(Planted::AccountIndexLosesOne) => keep = keep.or(there.first().map(|record| record.id)),
            Some(Planted::AccountSetsNoMark) => {
                let leaving = there.iter().map(|record| record.id).filter(|id| Some(*id) != keep);
                return leaving.map(|id| self.delete(realm, id).map(|_| id)).collect();
            }
            _ => {}
        }
        let deleted = at_once(self.inner.delete_account(account, keep, fresh, now))?;
        for record in there.iter().filter(|record| Some(record.id) != keep) {
            self.ended(realm, record.id, Why::Account);
        }
        Ok(deleted)
    }

    pub(crate) fn delete_realm(&self, realm: &str, fresh: Mark) -> Outcome<u64> {
        if self.has(Planted::RealmDeletesNothing) {
            return Ok(3);
        }
        if realm != REALM {
            self.stage.count(Happened::NeighbourEnded);
        }
        if self.has(Planted::RealmsAreOne) && realm != REALM {
            return self.delete_realm(REALM, fresh);
        }
        let deleted = at_once(self.inner.delete_realm(realm, fresh))?;
        let living: Vec<SessionId> = lock(&self.truth).living.iter().copied().collect();
        if realm == REALM {
            living.into_iter().for_each(|id| self.ended(realm, id, Why::Realm));
            self.news.tell(Invalidation::EveryoneEnded);
        }
        Ok(deleted)
    }

    pub(crate) fn count(&self, realm: &str, now: Timestamp) -> Outcome<u64> {
        at_once(self.inner.count(realm, now))
    }

    pub(crate) fn delete_expired(&self, now: Timestamp, limit: usize) -> Outcome<usize> {
        self.stage.count(Happened::CleanedUp);
        let early = std::time::Duration::from_secs(100);
        let now = if self.has(Planted::CleanupTakesTheLiving) { now.plus(early) } else { now };
        at_once(self.inner.delete_expired(now, limit))
    }
}

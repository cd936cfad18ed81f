//! One realm: its records in shards, its accounts in a roster.
//!
//! Whoever adds or removes records holds the roster for writing and then takes shards, one at a time; reads and
//! replaces take a single shard and nothing else. So the members of an account stand still while a login counts
//! them, and nothing can deadlock. Only cleanup takes its records, which are expired, before it takes the roster: for
//! a moment the roster names sessions that are not there, and everybody passes over them.

use std::array;
use std::mem;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::packed::Packed;
use super::roster::Roster;
use super::shard::Shard;
use crate::id::SessionId;
use crate::store::{
    Create, Created, Fence, Mark, Replaced, Replaces, SessionLimit, SessionRecord, StoreError, Touch,
};
use crate::time::Timestamp;

const SHARDS: usize = 64;

/// So many records cleanup deletes under one lock: well below a millisecond.
const BATCH: usize = 256;

pub(super) struct Realm {
    roster: RwLock<Roster>,
    shards: [RwLock<Shard>; SHARDS],
}

impl Default for Realm {
    fn default() -> Self {
        Self { roster: RwLock::default(), shards: array::from_fn(|_| RwLock::default()) }
    }
}

/// One shard each.
impl Realm {
    pub(super) fn read(&self, id: SessionId, now: Timestamp) -> Option<SessionRecord> {
        read(self.shard(id)).live(id, now).map(|packed| packed.unpack(id))
    }

    pub(super) fn read_and_touch(
        &self,
        id: SessionId,
        touch: Touch,
        now: Timestamp,
    ) -> Option<SessionRecord> {
        let record = self.read(id, now)?;
        if touch.apply(&record, now).is_none() {
            return Some(record);
        }
        write(self.shard(id)).touch(id, touch, now)
    }

    pub(super) fn replace(&self, record: &SessionRecord, now: Timestamp) -> Result<Replaced, StoreError> {
        let packed = Packed::new(record)?;
        write(self.shard(record.id)).replace(record.id, packed, now)
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| read(shard).len()).sum()
    }

    pub(super) fn count(&self, now: Timestamp) -> usize {
        self.shards.iter().map(|shard| read(shard).count(now)).sum()
    }
}

/// The roster, then shards.
impl Realm {
    pub(super) fn create(
        &self,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let packed = Packed::new(record)?;
        let mut roster = write(&self.roster);
        if read(self.shard(record.id)).contains(record.id) {
            return Ok(Created::IdTaken);
        }
        if !roster.marks.hold(options.fence, record.subject()) {
            return Ok(Created::Overtaken);
        }
        if let Err(refused) = self.check_predecessor(options.replaces, now) {
            return Ok(refused);
        }
        let Some(evicted) = self.make_room(&roster, record, options, now) else {
            return Ok(Created::LimitReached);
        };
        if let Err(refused) = self.take_predecessor(&mut roster, options.replaces) {
            return Ok(refused);
        }
        self.insert(&mut roster, record.id, packed);
        let replaced = options.replaces.map(Replaces::id).filter(|id| *id != record.id);
        for id in evicted.iter().copied().chain(replaced) {
            self.remove(&mut roster, id);
        }
        Ok(Created::Done { evicted })
    }

    pub(super) fn delete(&self, id: SessionId) -> bool {
        self.remove(&mut write(&self.roster), id).is_some()
    }

    pub(super) fn list(&self, subject: &str, now: Timestamp) -> Vec<SessionRecord> {
        let roster = read(&self.roster);
        self.members(&roster, subject, |id, packed| packed.is_live(now).then(|| packed.unpack(id)))
    }

    pub(super) fn fence(&self, subject: &str, fresh: Mark) -> Fence {
        write(&self.roster).marks.fence(subject, fresh)
    }

    pub(super) fn delete_account(
        &self,
        subject: &str,
        keep: Option<SessionId>,
        fresh: Mark,
        now: Timestamp,
    ) -> Vec<SessionId> {
        let mut roster = write(&self.roster);
        roster.marks.set_account(subject, fresh, now);
        let mut leaving = self
            .members(&roster, subject, |id, packed| (Some(id) != keep).then(|| (id, packed.is_live(now))));
        for (id, _) in &leaving {
            self.remove(&mut roster, *id);
        }
        leaving.retain(|(_, was_live)| *was_live);
        leaving.into_iter().map(|(id, _)| id).collect()
    }

    /// Answers how many there were.
    pub(super) fn delete_all(&self, fresh: Mark) -> usize {
        let mut roster = write(&self.roster);
        roster.marks.set_realm(fresh);
        let shards: Vec<Shard> = self.shards.iter().map(|shard| mem::take(&mut *write(shard))).collect();
        let entries = roster.take();
        // Giving back the memory takes longest: nobody has to wait for it.
        drop(roster);
        drop(entries);
        shards.iter().map(Shard::len).sum()
    }

    /// Deletes at most `limit`. It goes around the shards, a batch each, and never holds two locks for long: whoever
    /// waits for one of them gets it while this works under the other.
    pub(super) fn delete_expired(&self, now: Timestamp, limit: usize) -> usize {
        let mut left = limit;
        loop {
            let before = left;
            for shard in &self.shards {
                left -= self.delete_expired_batch(shard, now, left.min(BATCH));
            }
            if left == 0 || left == before {
                return limit - left;
            }
        }
    }

    /// Two for each that is added: so memory holds no more expired records than living ones, and nobody has to clean up.
    pub(super) fn delete_expired_beside(&self, added: SessionId, now: Timestamp) {
        self.delete_expired_batch(self.shard(added), now, 2);
    }

    fn delete_expired_batch(&self, shard: &RwLock<Shard>, now: Timestamp, limit: usize) -> usize {
        if limit == 0 || !read(shard).has_expired(now) {
            return 0;
        }
        let expired = write(shard).take_expired(now, limit);
        let mut roster = write(&self.roster);
        for (id, packed) in &expired {
            roster.remove(packed.subject(), *id);
            // Between the locks somebody may have used the id again.
            if let Some(packed) = read(shard).get(*id) {
                roster.insert(packed.subject(), *id);
            }
        }
        drop(roster);
        expired.len()
    }
}

/// Steps of the above, under the caller's lock.
impl Realm {
    fn check_predecessor(&self, replaces: Option<Replaces>, now: Timestamp) -> Result<(), Created> {
        let Some(Replaces::MustExist { id, version }) = replaces else { return Ok(()) };
        match read(self.shard(id)).live(id, now) {
            None => Err(Created::PredecessorGone),
            Some(packed) if packed.version() != version => Err(Created::PredecessorChanged),
            Some(_) => Ok(()),
        }
    }

    /// Removes the predecessor of a rotation, unless somebody has changed it since it was looked at: replaces do not
    /// wait for the roster.
    fn take_predecessor(&self, roster: &mut Roster, replaces: Option<Replaces>) -> Result<(), Created> {
        let Some(Replaces::MustExist { id, version }) = replaces else { return Ok(()) };
        let taken = write(self.shard(id)).remove_version(id, version).ok_or(Created::PredecessorChanged)?;
        roster.remove(taken.subject(), id);
        Ok(())
    }

    /// Which sessions to evict so that `record` keeps the limit, or `None` when it is to be refused. For a guest none.
    ///
    /// A touch that comes while this looks may be missed: it was not before this login.
    fn make_room(
        &self,
        roster: &Roster,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Option<Vec<SessionId>> {
        let (Some(subject), Some(limit), false) = (record.subject(), options.limit, record.uncounted) else {
            return Some(Vec::new());
        };
        let replaced = options.replaces.map(Replaces::id);
        let mut others = self.members(roster, subject, |id, packed| {
            (packed.counts(now) && Some(id) != replaced).then(|| (packed.seniority(), id))
        });
        match limit {
            SessionLimit::Refuse(limit) => (others.len() < most(limit)).then(Vec::new),
            SessionLimit::EvictLeastRecentlySeen(limit) => {
                others.sort_unstable();
                let surplus = (others.len() + 1).saturating_sub(most(limit));
                Some(others.into_iter().take(surplus).map(|(_, id)| id).collect())
            }
        }
    }

    /// What `view` makes of the records of an account, expired ones included.
    fn members<T>(
        &self,
        roster: &Roster,
        subject: &str,
        view: impl Fn(SessionId, &Packed) -> Option<T>,
    ) -> Vec<T> {
        let view_own = |id| {
            let shard = read(self.shard(id));
            let packed = shard.get(id).filter(|packed| packed.subject() == Some(subject.as_bytes()))?;
            view(id, packed)
        };
        roster.ids(subject).filter_map(view_own).collect()
    }

    fn insert(&self, roster: &mut Roster, id: SessionId, packed: Packed) {
        roster.insert(packed.subject(), id);
        write(self.shard(id)).insert(id, packed);
    }

    fn remove(&self, roster: &mut Roster, id: SessionId) -> Option<Box<Packed>> {
        let packed = write(self.shard(id)).remove(id)?;
        roster.remove(packed.subject(), id);
        Some(packed)
    }

    /// Ids are random, so any byte of them spreads evenly.
    fn shard(&self, id: SessionId) -> &RwLock<Shard> {
        let [.., last] = *id.as_bytes();
        &self.shards[usize::from(last) % SHARDS]
    }
}

fn most(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// A panic elsewhere does not spoil the data: nothing here can panic between two steps that belong together.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
impl Realm {
    /// Panics unless the roster and the orders of expiry name exactly the records that are there.
    pub(super) fn check(&self) {
        let roster = read(&self.roster);
        let mut expected = Roster::like(&roster);
        for shard in &self.shards {
            read(shard).check(|id, packed| expected.insert(packed.subject(), id));
        }
        assert_eq!(*roster, expected);
    }

    /// Leaves every lock as a thread that panicked would.
    pub(super) fn poison(&self) {
        std::thread::scope(|scope| {
            let panicking = scope.spawn(|| {
                let _roster = write(&self.roster);
                let _shards: Vec<_> = self.shards.iter().map(write).collect();
                panic!("on purpose");
            });
            assert!(panicking.join().is_err());
        });
        assert!(self.roster.is_poisoned() && self.shards.iter().all(RwLock::is_poisoned));
    }
}

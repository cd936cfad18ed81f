//! One realm: its records in shards by their id, its accounts in rosters by a hash of their subject.
//!
//! Records are added only under the roster of their account, so nobody joins an account while a login counts its
//! members or somebody ends them all. Records are taken away under their shard alone; the roster is told afterwards.
//! For a moment it then names sessions that are not there, and everybody passes over them.
//!
//! Nothing can deadlock: rosters come before shards, a shard is the last lock that anybody takes, and only the end of
//! everybody takes several rosters, in their order.

use std::array;
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::adoptions::Adoptions;
use super::packed::Packed;
use super::roster::Roster;
use super::shard::Shard;
use crate::id::SessionId;
use crate::store::{
    Adopted, Adoption, Bar, Create, Created, Fence, Mark, Replaced, Replaces, SessionLimit, SessionRecord,
    StoreError, Touch,
};
use crate::time::Timestamp;

const SHARDS: usize = 64;

/// A record that has left its shard.
type Taken = (SessionId, Box<Packed>);

/// Who left for a login: those evicted, and the predecessor.
type Gone = (Vec<Taken>, Option<Taken>);

/// So many records cleanup deletes under one lock: well below a millisecond.
const BATCH: usize = 256;

pub(super) struct Realm {
    hasher: RandomState,
    /// The realm's mark until its end is set in every roster.
    first_mark: OnceLock<Mark>,
    rosters: [RwLock<Roster>; SHARDS],
    shards: [RwLock<Shard>; SHARDS],
}

impl Default for Realm {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            first_mark: OnceLock::new(),
            rosters: array::from_fn(|_| RwLock::default()),
            shards: array::from_fn(|_| RwLock::default()),
        }
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

/// A roster, then shards.
impl Realm {
    pub(super) fn create(
        &self,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let packed = Packed::new(record)?;
        let account = self.hash(record);
        let mut roster = write(self.roster(account));
        let (created, gone) = self.create_under(&mut roster, account, record, packed, options, now);
        drop(roster);
        self.forget_all(&gone);
        Ok(created)
    }

    pub(super) fn adopt(
        &self,
        record: &SessionRecord,
        adoption: Adoption,
        now: Timestamp,
    ) -> Result<Adopted, StoreError> {
        let packed = Packed::new(record)?;
        let account = self.hash(record);
        let mut roster = write(self.roster(account));
        let refuse = |known: &Adoptions| known.refuse(record.id, record.subject(), adoption, now);
        if roster.adoptions.as_deref().is_some_and(refuse) {
            let is_taken = read(self.shard(record.id)).get(record.id).is_some();
            return Ok(if is_taken { Adopted::IdTaken } else { Adopted::Barred });
        }
        let options = Create::new(None, adoption.limit);
        let (created, gone) = self.create_under(&mut roster, account, record, packed, options, now);
        if let (Created::Done { .. }, Some(until)) = (&created, adoption.once_until) {
            roster.adoptions.get_or_insert_default().mark(record.id, until, now);
        }
        drop(roster);
        self.forget_all(&gone);
        Ok(match created {
            Created::Done { evicted } => Adopted::Done { evicted },
            Created::IdTaken => Adopted::IdTaken,
            // It replaces nothing, and is behind no fence.
            _ => Adopted::LimitReached,
        })
    }

    pub(super) fn bar(&self, subject: Option<&str>, bar: Bar, now: Timestamp) {
        let adoptions = |roster: &RwLock<Roster>, set: &dyn Fn(&mut Adoptions)| {
            set(write(roster).adoptions.get_or_insert_default());
        };
        match subject {
            Some(subject) => {
                let roster = self.roster(self.hasher.hash_one(subject.as_bytes()));
                adoptions(roster, &|known| known.bar_account(subject, bar, now));
            }
            None => {
                self.rosters.iter().for_each(|roster| adoptions(roster, &|known| known.bar_realm(bar)));
            }
        }
    }

    pub(super) fn delete(&self, id: SessionId) -> bool {
        let taken = self.take(id);
        taken.iter().for_each(|taken| self.forget(taken));
        taken.is_some()
    }

    pub(super) fn list(&self, subject: &str, now: Timestamp) -> Vec<SessionRecord> {
        let account = self.hasher.hash_one(subject.as_bytes());
        let roster = read(self.roster(account));
        self.members(&roster, account, subject, |id, packed| packed.is_live(now).then(|| packed.unpack(id)))
    }

    pub(super) fn fence(&self, subject: &str, fresh: Mark) -> Fence {
        let roster = read(self.roster(self.hasher.hash_one(subject.as_bytes())));
        roster.marks.fence(subject, *self.first_mark.get_or_init(|| fresh))
    }

    /// Answers those that this call took: a logout that came first has said so.
    pub(super) fn delete_account(
        &self,
        subject: &str,
        keep: Option<SessionId>,
        fresh: Mark,
        now: Timestamp,
    ) -> Vec<SessionId> {
        let account = self.hasher.hash_one(subject.as_bytes());
        let mut roster = write(self.roster(account));
        roster.marks.set_account(subject, fresh, now);
        let leaving = self.members(&roster, account, subject, |id, _| (Some(id) != keep).then_some(id));
        let taken = self.take_members(leaving, Some(subject));
        for (id, _) in &taken {
            roster.remove(account, *id);
        }
        drop(roster);
        taken.into_iter().filter(|(_, packed)| packed.is_live(now)).map(|(id, _)| id).collect()
    }

    /// Answers how many there were.
    pub(super) fn delete_all(&self, fresh: Mark) -> usize {
        let mut rosters: Vec<_> = self.rosters.iter().map(write).collect();
        let entries: Vec<_> = rosters.iter_mut().map(|roster| roster.take(fresh)).collect();
        let shards: Vec<Shard> = self.shards.iter().map(|shard| mem::take(&mut *write(shard))).collect();
        // Giving back the memory takes longest: nobody has to wait for it.
        drop(rosters);
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
        expired.iter().for_each(|taken| self.forget(taken));
        expired.len()
    }
}

/// Steps of the above, under the caller's roster.
impl Realm {
    /// What came of it, and the records that left their shards.
    fn create_under(
        &self,
        roster: &mut Roster,
        account: u64,
        record: &SessionRecord,
        packed: Packed,
        options: Create,
        now: Timestamp,
    ) -> (Created, Gone) {
        let refused = |refused| (refused, Gone::default());
        let leaving = match self.admit(roster, account, record, options, now) {
            Ok(leaving) => leaving,
            // A taken id is answered first, and looked for where it is not about to be found anyway.
            Err(_) if read(self.shard(record.id)).get(record.id).is_some() => {
                return refused(Created::IdTaken);
            }
            Err(reason) => return refused(reason),
        };
        if !write(self.shard(record.id)).insert_new(record.id, packed) {
            return refused(Created::IdTaken);
        }
        let predecessor = match self.take_predecessor(record.id, options.replaces) {
            Ok(predecessor) => predecessor,
            Err(reason) => {
                // Nobody has heard of the new id, and no list shows it while the roster is held.
                write(self.shard(record.id)).remove(record.id);
                return refused(reason);
            }
        };
        if record.subject.is_some() {
            roster.insert(account, record.id);
        }
        let evicted = self.take_members(leaving, record.subject());
        let ids = evicted.iter().map(|(id, _)| *id).collect();
        (Created::Done { evicted: ids }, (evicted, predecessor))
    }

    /// The sessions to evict for a login, or why there is none.
    fn admit(
        &self,
        roster: &Roster,
        account: u64,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, Created> {
        if !roster.marks.hold(options.fence, self.first_mark.get().copied(), record.subject()) {
            return Err(Created::Overtaken);
        }
        if let Some(Replaces::MustExist { id, version }) = options.replaces {
            predecessor(read(self.shard(id)).live(id, now), version)?;
        }
        self.make_room(roster, account, record, options, now).ok_or(Created::LimitReached)
    }

    /// Removes the record that `added` takes the place of. Logouts and replaces do not wait for a roster: the one that a
    /// rotation needs may have gone or changed since it was looked at.
    fn take_predecessor(
        &self,
        added: SessionId,
        replaces: Option<Replaces>,
    ) -> Result<Option<Taken>, Created> {
        match replaces {
            Some(Replaces::MustExist { id, version }) => {
                let mut shard = write(self.shard(id));
                predecessor(shard.get(id), version)?;
                Ok(shard.remove(id).map(|packed| (id, packed)))
            }
            Some(Replaces::IfPresent(id)) if id != added => Ok(self.take(id)),
            _ => Ok(None),
        }
    }

    /// Which sessions to evict so that `record` keeps the limit, or `None` when it is to be refused. For a guest none.
    ///
    /// A touch that comes while this looks may be missed: it was not before this login.
    fn make_room(
        &self,
        roster: &Roster,
        account: u64,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Option<Vec<SessionId>> {
        let (Some(subject), Some(limit), false) = (record.subject(), options.limit, record.uncounted) else {
            return Some(Vec::new());
        };
        let replaced = options.replaces.map(Replaces::id);
        let mut others = self.members(roster, account, subject, |id, packed| {
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
        account: u64,
        subject: &str,
        view: impl Fn(SessionId, &Packed) -> Option<T>,
    ) -> Vec<T> {
        let view_own = |id| {
            let shard = read(self.shard(id));
            let packed = shard.get(id).filter(|packed| packed.subject() == Some(subject.as_bytes()))?;
            view(id, packed)
        };
        roster.ids(account).filter_map(view_own).collect()
    }
}

/// Records leave, and then the rosters hear of it. Whoever calls `forget` holds no lock.
impl Realm {
    /// Those of `ids` that are still there and this account's.
    fn take_members(&self, ids: Vec<SessionId>, subject: Option<&str>) -> Vec<Taken> {
        let subject = subject.map(str::as_bytes);
        let take = |id| write(self.shard(id)).remove_of(id, subject).map(|packed| (id, packed));
        ids.into_iter().filter_map(take).collect()
    }

    fn take(&self, id: SessionId) -> Option<Taken> {
        write(self.shard(id)).remove(id).map(|packed| (id, packed))
    }

    fn forget_all(&self, (evicted, predecessor): &Gone) {
        evicted.iter().chain(predecessor).for_each(|taken| self.forget(taken));
    }

    /// Takes the roster's entry away, unless somebody has used the id again.
    fn forget(&self, (id, packed): &Taken) {
        let Some(subject) = packed.subject() else { return };
        let account = self.hasher.hash_one(subject);
        let mut roster = write(self.roster(account));
        if read(self.shard(*id)).get(*id).is_none_or(|newer| newer.subject() != Some(subject)) {
            roster.remove(account, *id);
        }
    }

    /// A guest has no account, and takes its turn anywhere: so that the end of everybody is before or after it.
    fn hash(&self, record: &SessionRecord) -> u64 {
        match record.subject() {
            Some(subject) => self.hasher.hash_one(subject.as_bytes()),
            None => self.hasher.hash_one(record.id),
        }
    }

    fn roster(&self, account: u64) -> &RwLock<Roster> {
        &self.rosters[place(account)]
    }

    /// Ids are random, so any byte of them spreads evenly.
    fn shard(&self, id: SessionId) -> &RwLock<Shard> {
        let [.., last] = *id.as_bytes();
        &self.shards[usize::from(last) % SHARDS]
    }
}

/// The hash is keyed: nobody can choose subjects that meet in one roster.
fn place(account: u64) -> usize {
    let [_, place, ..] = account.to_le_bytes();
    usize::from(place) % SHARDS
}

/// Whether a rotation finds what it needs.
fn predecessor(found: Option<&Packed>, version: u64) -> Result<(), Created> {
    match found {
        None => Err(Created::PredecessorGone),
        Some(packed) if packed.version() != version => Err(Created::PredecessorChanged),
        Some(_) => Ok(()),
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
    /// Logs somebody in while the roster of `account` is held; whoever needed it would wait for ever.
    pub(super) fn log_in_beside(
        &self,
        account: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Option<Created> {
        let held = self.hasher.hash_one(account.as_bytes());
        let _held = write(self.roster(held));
        let is_beside = place(self.hash(record)) != place(held);
        is_beside.then(|| self.create(record, Create::default(), now).ok()).flatten()
    }

    /// Panics unless the rosters and the orders of expiry name exactly the records that are there.
    pub(super) fn check(&self) {
        let mut expected: [Roster; SHARDS] = array::from_fn(|_| Roster::default());
        for shard in &self.shards {
            read(shard).check(|id, packed| {
                let Some(subject) = packed.subject() else { return };
                let account = self.hasher.hash_one(subject);
                expected[place(account)].insert(account, id);
            });
        }
        for (roster, expected) in self.rosters.iter().zip(&expected) {
            assert_eq!(read(roster).entries(), expected.entries());
        }
    }

    /// Leaves every lock as a thread that panicked would.
    pub(super) fn poison(&self) {
        std::thread::scope(|scope| {
            let panicking = scope.spawn(|| {
                let _rosters: Vec<_> = self.rosters.iter().map(write).collect();
                let _shards: Vec<_> = self.shards.iter().map(write).collect();
                panic!("on purpose");
            });
            assert!(panicking.join().is_err());
        });
        assert!(self.rosters.iter().all(RwLock::is_poisoned) && self.shards.iter().all(RwLock::is_poisoned));
    }
}

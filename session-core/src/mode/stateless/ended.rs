//! The ids that ended in this process while their tokens are still good: what makes a logout stick without a store.
//!
//! An id is forgotten when no token of it can be good any more, by two clocks. One is the wall clock, by which tokens
//! are judged. The other one cannot be set: what has ended stays so while a wrong time is put right. Every entry is kept
//! for the same time of the steady clock, so they leave in the order in which they came, a few with each that comes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use crate::clock::Clock;
use crate::id::SessionId;
use crate::time::Timestamp;

/// So many entries are looked at with each insertion: more than come in, so that a list that was long gets short.
const LOOKED_AT: usize = 4;

/// The ended ids.
#[derive(Debug)]
pub(crate) struct EndedList {
    capacity: usize,
    /// For so long after a session has ended a token of it can be good.
    keep: Duration,
    /// Lets the usual case, an empty list, pass without the lock.
    len: AtomicUsize,
    ids: RwLock<Ids>,
}

/// Trees, since a hash table that grows holds up everybody for as long as it takes to move a million entries.
#[derive(Debug, Default)]
struct Ids {
    entries: BTreeMap<SessionId, Entry>,
    /// By the steady clock's end.
    order: BTreeMap<u64, SessionId>,
    next_place: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// No token of it is good from then on by the wall clock ..
    until: Timestamp,
    /// .. and by the steady one.
    steady: Duration,
    place: u64,
}

/// There is no room: the id was not remembered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl EndedList {
    /// For `capacity` ids, about 100 bytes each. `keep` is how long a token can be good that was issued just now.
    pub(crate) fn new(capacity: usize, keep: Duration) -> Self {
        Self { capacity, keep, len: AtomicUsize::new(0), ids: RwLock::default() }
    }

    /// Whether `id` has ended here. Never forgets one whose tokens could still be good.
    pub(crate) fn contains(&self, id: SessionId) -> bool {
        self.len.load(Ordering::Acquire) != 0 && self.read().entries.contains_key(&id)
    }

    /// The same for a token of it that was shown. One that outlives the entry was made by a process that does not know of
    /// the end, and goes on making them: what ended here stays ended here as long as they come.
    pub(crate) fn refuses(&self, id: SessionId, expires_at: Timestamp, clock: &dyn Clock) -> bool {
        if self.len.load(Ordering::Acquire) == 0 {
            return false;
        }
        let Some(until) = self.read().entries.get(&id).map(|entry| entry.until) else { return false };
        if until < expires_at {
            // It has a place already.
            let _ = self.insert(id, expires_at, clock);
        }
        true
    }

    /// Remembers `id`, of which a token that expires at `expires_at` was shown. The clock is read while nobody else
    /// can ask: whoever was told that the session lives had read it before, so that no token of theirs outlives the
    /// entry.
    pub(crate) fn insert(&self, id: SessionId, expires_at: Timestamp, clock: &dyn Clock) -> Result<(), Full> {
        self.insert_in(&mut self.write(), id, expires_at, clock)
    }

    /// The same, and whether it was this call that ended it.
    pub(crate) fn insert_new(
        &self,
        id: SessionId,
        expires_at: Timestamp,
        clock: &dyn Clock,
    ) -> Result<bool, Full> {
        let mut ids = self.write();
        if ids.entries.contains_key(&id) {
            return Ok(false);
        }
        self.insert_in(&mut ids, id, expires_at, clock).map(|()| true)
    }

    fn insert_in(
        &self,
        ids: &mut Ids,
        id: SessionId,
        expires_at: Timestamp,
        clock: &dyn Clock,
    ) -> Result<(), Full> {
        let (now, steady) = (clock.now(), clock.steady());
        ids.forget_some(now, steady);
        let until = now.plus(self.keep).max(expires_at);
        let outcome = ids.insert(id, until, steady.saturating_add(self.keep), self.capacity);
        self.len.store(ids.entries.len(), Ordering::Release);
        outcome
    }

    fn read(&self) -> RwLockReadGuard<'_, Ids> {
        self.ids.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Ids> {
        self.ids.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ids {
    /// One that ended before keeps the later times.
    fn insert(
        &mut self,
        id: SessionId,
        until: Timestamp,
        steady: Duration,
        capacity: usize,
    ) -> Result<(), Full> {
        let known = self.entries.get(&id).copied();
        if known.is_none() && self.entries.len() >= capacity {
            return Err(Full);
        }
        if let Some(known) = known {
            self.order.remove(&known.place);
        }
        let until = known.map_or(until, |known| known.until.max(until));
        let steady = known.map_or(steady, |known| known.steady.max(steady));
        self.put(id, until, steady);
        Ok(())
    }

    /// At the end of the order.
    fn put(&mut self, id: SessionId, until: Timestamp, steady: Duration) {
        let place = self.next_place;
        self.next_place = place.wrapping_add(1);
        self.order.insert(place, id);
        self.entries.insert(id, Entry { until, steady, place });
    }

    /// Looks at the oldest few. One that is over by the steady clock alone makes way for those behind it.
    fn forget_some(&mut self, now: Timestamp, steady: Duration) {
        for _ in 0..LOOKED_AT {
            let Some((_, &id)) = self.order.first_key_value() else { return };
            let Some(&entry) = self.entries.get(&id) else { return };
            if entry.steady > steady {
                return;
            }
            self.order.pop_first();
            if entry.until <= now {
                self.entries.remove(&id);
            } else {
                self.put(id, entry.until, entry.steady);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::ManualClock;

    const KEEP: Duration = Duration::from_secs(100);

    fn id(n: u16) -> SessionId {
        let [high, low] = n.to_be_bytes();
        SessionId::from_bytes([high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    struct Bench {
        clock: ManualClock,
        list: EndedList,
    }

    impl Bench {
        fn with_capacity(capacity: usize) -> Self {
            Self { clock: ManualClock::at(at(1_000)), list: EndedList::new(capacity, KEEP) }
        }

        /// Ends a session whose token expires so many seconds from now.
        fn end(&self, n: u16, expires_in: u64) -> Result<(), Full> {
            self.list.insert(id(n), self.clock.now().plus(seconds(expires_in)), &self.clock)
        }

        fn knows(&self, n: u16) -> bool {
            self.list.contains(id(n))
        }
    }

    #[test]
    fn an_entry_is_kept_until_its_time_and_not_longer() {
        let bench = Bench::with_capacity(10);
        bench.end(1, 50).unwrap();
        bench.clock.advance(seconds(99));
        bench.end(2, 50).unwrap();
        assert!(bench.knows(1), "a token that was issued just before it ended is good");
        bench.clock.advance(seconds(1));
        bench.end(3, 50).unwrap();
        assert!(!bench.knows(1) && bench.knows(2));
    }

    #[test]
    fn ending_twice_keeps_the_later_time() {
        let bench = Bench::with_capacity(10);
        bench.end(1, 50).unwrap();
        bench.clock.advance(seconds(60));
        bench.end(1, 50).unwrap();
        bench.clock.advance(seconds(60));
        bench.end(2, 50).unwrap();
        assert!(bench.knows(1));
        bench.clock.advance(seconds(40));
        bench.end(3, 50).unwrap();
        assert!(!bench.knows(1));
    }

    #[test]
    fn a_full_list_says_so_and_forgets_nobody() {
        let bench = Bench::with_capacity(2);
        bench.end(1, 50).unwrap();
        bench.clock.advance(seconds(10));
        bench.end(2, 50).unwrap();
        assert_eq!(bench.end(3, 50), Err(Full));
        assert!(bench.knows(1) && bench.knows(2) && !bench.knows(3));
        bench.clock.advance(seconds(90));
        assert_eq!(bench.end(3, 50), Ok(()));
    }

    #[test]
    fn a_clock_that_jumps_ahead_and_is_corrected_brings_nobody_back() {
        let bench = Bench::with_capacity(10);
        bench.end(1, 50).unwrap();
        bench.clock.set(at(1_000_000));
        bench.end(2, 0).unwrap();
        assert!(bench.knows(1), "forgotten by a wrong clock");
        bench.clock.set(at(1_000));
        // What ended while the clock was wrong is kept for as long, too.
        bench.clock.advance(seconds(99));
        bench.end(3, 50).unwrap();
        assert!(bench.knows(1) && bench.knows(2));
    }

    #[test]
    fn an_entry_that_outlasts_the_others_holds_up_none_of_them() {
        let bench = Bench::with_capacity(10);
        bench.end(1, 10_000).unwrap();
        bench.end(2, 50).unwrap();
        bench.clock.advance(KEEP);
        bench.end(3, 50).unwrap();
        assert!(bench.knows(1) && !bench.knows(2));
    }

    #[test]
    fn however_many_are_over_an_insertion_looks_at_a_few() {
        let bench = Bench::with_capacity(10_000);
        (0..10_000).for_each(|n| bench.end(n, 50).unwrap());
        bench.clock.advance(KEEP);
        for n in 0..1_000 {
            let before = bench.list.len.load(Ordering::Acquire);
            bench.end(20_000 + n, 50).unwrap();
            assert_eq!(bench.list.len.load(Ordering::Acquire), before + 1 - LOOKED_AT);
        }
    }
}

//! The ids that ended in this process while their tokens are still good: what makes a logout stick without a store.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::{SessionId, Timestamp};

/// How many ids are remembered at most: about 100 MB.
const ROOM: usize = 1_000_000;

/// The ended ids, each with the time from which on no token of it can be good.
#[derive(Debug)]
pub(crate) struct EndedList {
    room: usize,
    /// Lets the usual case, an empty list, pass without the lock.
    len: AtomicUsize,
    ids: RwLock<Ids>,
}

#[derive(Debug, Default)]
struct Ids {
    until: HashMap<SessionId, Timestamp>,
    by_time: BTreeSet<(Timestamp, SessionId)>,
}

/// There is no room: the id was not remembered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Default for EndedList {
    fn default() -> Self {
        Self::with_room(ROOM)
    }
}

impl EndedList {
    pub(crate) fn with_room(room: usize) -> Self {
        Self { room, len: AtomicUsize::new(0), ids: RwLock::default() }
    }

    /// Whether `id` has ended here. Never forgets one whose tokens could still be good.
    pub(crate) fn contains(&self, id: SessionId) -> bool {
        self.len.load(Ordering::Acquire) > 0 && self.read().until.contains_key(&id)
    }

    /// Remembers `id` until `until`. An id that ended before keeps the later time.
    pub(crate) fn insert(&self, id: SessionId, until: Timestamp, now: Timestamp) -> Result<(), Full> {
        let mut ids = self.write();
        ids.forget_before(now);
        let outcome = ids.insert(id, until, self.room);
        self.len.store(ids.until.len(), Ordering::Release);
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
    fn insert(&mut self, id: SessionId, until: Timestamp, room: usize) -> Result<(), Full> {
        let known = self.until.get(&id).copied();
        if known.is_some_and(|known| known >= until) {
            return Ok(());
        }
        if known.is_none() && self.until.len() >= room {
            return Err(Full);
        }
        if let Some(earlier) = self.until.insert(id, until) {
            self.by_time.remove(&(earlier, id));
        }
        self.by_time.insert((until, id));
        Ok(())
    }

    fn forget_before(&mut self, now: Timestamp) {
        while let Some(&(until, id)) = self.by_time.first() {
            if until > now {
                return;
            }
            self.by_time.pop_first();
            self.until.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> SessionId {
        SessionId::from_bytes([n; 16])
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn an_entry_is_kept_until_its_time_and_not_longer() {
        let list = EndedList::default();
        assert_eq!(list.insert(id(1), at(100), at(0)), Ok(()));
        assert_eq!(list.insert(id(2), at(300), at(99)), Ok(()));
        assert!(list.contains(id(1)));
        assert_eq!(list.insert(id(3), at(300), at(100)), Ok(()));
        assert!(!list.contains(id(1)));
        assert!(list.contains(id(2)));
    }

    #[test]
    fn ending_twice_keeps_the_later_time() {
        let list = EndedList::default();
        assert_eq!(list.insert(id(1), at(200), at(0)), Ok(()));
        assert_eq!(list.insert(id(1), at(100), at(0)), Ok(()));
        assert_eq!(list.insert(id(2), at(300), at(150)), Ok(()));
        assert!(list.contains(id(1)));
    }

    #[test]
    fn a_full_list_says_so_and_forgets_nobody() {
        let list = EndedList::with_room(2);
        assert_eq!(list.insert(id(1), at(100), at(0)), Ok(()));
        assert_eq!(list.insert(id(2), at(200), at(0)), Ok(()));
        assert_eq!(list.insert(id(3), at(300), at(0)), Err(Full));
        assert!(list.contains(id(1)) && list.contains(id(2)) && !list.contains(id(3)));
        assert_eq!(list.insert(id(3), at(300), at(100)), Ok(()));
    }
}

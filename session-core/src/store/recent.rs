//! The records that this process read lately: what hybrid mode serves without asking the store.
//!
//! Age is counted from before the read began. A record is kept only if nothing in its shard was changed or ended here
//! since then: a read that overtakes a logout, or that a logout overtakes, leaves nothing behind. That a change of
//! another session of the shard has the same effect costs a read more now and then, and spares remembering who left.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Invalidation, SessionRecord};
use crate::clock::Clock;
use crate::id::SessionId;
use crate::time::Timestamp;

const SHARDS: usize = 64;
const ACCOUNTS: usize = 4096;

/// Two clocks: one that nobody can set, and one that goes on while the machine sleeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    steady: Duration,
    pub(crate) wall: Timestamp,
}

impl Moment {
    pub(crate) fn now(clock: &dyn Clock, wall: Timestamp) -> Self {
        Self { steady: clock.steady(), wall }
    }

    /// Whether `bound` has passed by either clock; the wall clock counts whole seconds and gets one more.
    fn is_past(self, bound: Duration, now: Self) -> bool {
        now.steady.saturating_sub(self.steady) >= bound
            || now.wall.remaining(self.wall) > bound.saturating_add(Duration::from_secs(1))
    }
}

/// At most so many records, each for at most so long.
pub(crate) struct RecentRecords {
    bound: Duration,
    capacity: usize,
    shards: [Mutex<Shard>; SHARDS],
    accounts: Accounts,
}

#[derive(Default)]
struct Shard {
    /// Counts what was changed or ended here.
    changes: u64,
    entries: HashMap<SessionId, Entry>,
    /// In the order of reading; what was read again is in it twice.
    order: VecDeque<(Duration, SessionId)>,
}

struct Entry {
    record: Arc<SessionRecord>,
    read: Moment,
    account: Option<usize>,
    turn: u64,
}

/// The last turn at which the sessions of an account were changed, by a hash of its name: whoever revokes an account
/// need not search all that is remembered. Accounts that share a place cost each other a read more now and then.
struct Accounts {
    turn: AtomicU64,
    changed: Box<[AtomicU64]>,
}

impl Accounts {
    fn new() -> Self {
        Self { turn: AtomicU64::new(0), changed: (0..ACCOUNTS).map(|_| AtomicU64::new(0)).collect() }
    }

    fn place(subject: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        subject.hash(&mut hasher);
        usize::try_from(hasher.finish() % ACCOUNTS as u64).unwrap_or_default()
    }

    fn turn(&self) -> u64 {
        self.turn.load(Ordering::SeqCst)
    }

    fn change(&self, subject: &str) {
        let turn = self.turn.fetch_add(1, Ordering::SeqCst) + 1;
        self.changed[Self::place(subject)].fetch_max(turn, Ordering::SeqCst);
    }

    /// Whether it was changed after `turn`. Guests have no account.
    fn changed(&self, account: Option<usize>, turn: u64) -> bool {
        account.is_some_and(|place| self.changed[place].load(Ordering::SeqCst) > turn)
    }
}

/// A read that has begun.
#[derive(Clone, Copy)]
pub(super) struct Ticket {
    changes: u64,
    turn: u64,
    read: Moment,
}

/// Which sessions change or end.
#[derive(Clone, Copy)]
pub(crate) enum Whose<'a> {
    Session(SessionId),
    Account(&'a str),
    Everyone,
}

impl RecentRecords {
    pub(crate) fn new(bound: Duration, capacity: usize) -> Self {
        let capacity = capacity.div_ceil(SHARDS);
        Self { bound, capacity, shards: std::array::from_fn(|_| Mutex::default()), accounts: Accounts::new() }
    }

    pub(crate) fn bound(&self) -> Duration {
        self.bound
    }

    /// The record, if it was read here less than the bound ago.
    pub(crate) fn get(&self, id: SessionId, now: Moment) -> Option<Arc<SessionRecord>> {
        let shard = self.shard(id);
        let entry = shard.entries.get(&id)?;
        let is_good =
            !entry.read.is_past(self.bound, now) && !self.accounts.changed(entry.account, entry.turn);
        is_good.then(|| Arc::clone(&entry.record))
    }

    /// To be called before the store is asked.
    pub(super) fn begin(&self, id: SessionId, now: Moment) -> Ticket {
        Ticket { changes: self.shard(id).changes, turn: self.accounts.turn(), read: now }
    }

    /// To be called with what the store answered.
    pub(super) fn keep(&self, id: SessionId, answer: Option<&SessionRecord>, ticket: Ticket) {
        let mut shard = self.shard(id);
        let Some(record) = answer else {
            shard.entries.remove(&id);
            return;
        };
        let overtaken = shard.entries.get(&id).is_some_and(|known| known.record.version > record.version);
        if shard.changes == ticket.changes && !overtaken {
            shard.make_room(self.capacity, self.bound, ticket.read);
            shard.order.push_back((ticket.read.steady, id));
            let Ticket { read, turn, .. } = ticket;
            let account = record.subject().map(Accounts::place);
            shard.entries.insert(id, Entry { record: Arc::new(record.clone()), read, account, turn });
        }
    }

    /// Drops what is known to be out of date.
    pub(super) fn compare(&self, id: SessionId, answer: Option<&SessionRecord>) {
        let mut shard = self.shard(id);
        let version = shard.entries.get(&id).map(|known| known.record.version);
        if version.is_some_and(|known| answer.is_none_or(|record| record.version > known)) {
            shard.entries.remove(&id);
        }
    }

    /// Drops what is about to change, and makes reads in flight come to nothing; the same again when the guard is
    /// dropped, for those that began meanwhile.
    pub(super) fn changing<'a>(&'a self, whose: Whose<'a>) -> Changing<'a> {
        self.forget(whose);
        Changing { recent: self, whose }
    }

    /// What is remembered of them is served no more.
    pub(crate) fn forget(&self, whose: Whose<'_>) {
        match whose {
            Whose::Session(id) => self.shard(id).forget(id),
            Whose::Account(subject) => self.accounts.change(subject),
            Whose::Everyone => self.shards.iter().for_each(|shard| lock(shard).forget_all()),
        }
    }

    /// Another process ended these.
    pub(crate) fn heard(&self, invalidation: Invalidation) {
        self.forget(match invalidation {
            Invalidation::Ended(id) => Whose::Session(id),
            Invalidation::EveryoneEnded => Whose::Everyone,
        });
    }

    fn shard(&self, id: SessionId) -> MutexGuard<'_, Shard> {
        // The end of an id is random.
        let [.., byte] = *id.as_bytes();
        lock(&self.shards[usize::from(byte) % SHARDS])
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    fn forget(&mut self, id: SessionId) {
        self.changes += 1;
        self.entries.remove(&id);
    }

    fn forget_all(&mut self) {
        self.changes += 1;
        self.entries.clear();
    }

    /// Removes whatever is too old, and the oldest until one more has room.
    fn make_room(&mut self, capacity: usize, bound: Duration, now: Moment) {
        while let Some(&(read, id)) = self.order.front() {
            let is_old = now.steady.saturating_sub(read) >= bound;
            if !is_old && self.entries.len() < capacity && self.order.len() < 2 * capacity {
                return;
            }
            self.order.pop_front();
            if self.entries.get(&id).is_some_and(|entry| entry.read.steady == read) {
                self.entries.remove(&id);
            }
        }
    }
}

/// A change under way.
pub(super) struct Changing<'a> {
    recent: &'a RecentRecords,
    whose: Whose<'a>,
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.recent.forget(self.whose);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::ManualClock;

    const BOUND: Duration = Duration::from_secs(30);

    fn id(n: u16) -> SessionId {
        let mut bytes = [0; SessionId::LEN];
        bytes[1..3].copy_from_slice(&n.to_be_bytes());
        SessionId::from_bytes(bytes)
    }

    fn record(n: u16, version: u64) -> SessionRecord {
        let at = Timestamp::from_unix_seconds(1_000);
        SessionRecord {
            id: id(n),
            subject: Some(format!("account {n}")),
            version,
            payload: b"{}".to_vec(),
            authenticated_at: at,
            last_seen: at,
            generation: 0,
            issued_at: at,
            expires_at: at.plus(BOUND * 100),
            first_used_at: Some(at),
            ends_at: at.plus(BOUND * 100),
            user_agent: None,
            ip_address: None,
            terms: None,
            uncounted: false,
        }
    }

    struct Bench {
        clock: ManualClock,
        recent: RecentRecords,
    }

    impl Bench {
        fn new(capacity: usize) -> Self {
            let clock = ManualClock::at(Timestamp::from_unix_seconds(1_000));
            Self { clock, recent: RecentRecords::new(BOUND, capacity) }
        }

        fn now(&self) -> Moment {
            Moment::now(&self.clock, self.clock.now())
        }

        fn begin(&self, n: u16) -> Ticket {
            self.recent.begin(id(n), self.now())
        }

        fn read(&self, n: u16) {
            self.recent.keep(id(n), Some(&record(n, 0)), self.begin(n));
        }

        fn knows(&self, n: u16) -> bool {
            self.recent.get(id(n), self.now()).is_some()
        }
    }

    #[test]
    fn a_record_is_served_until_the_bound_and_not_longer() {
        let bench = Bench::new(1_000);
        assert!(!bench.knows(1));
        bench.read(1);
        bench.clock.advance(BOUND - Duration::from_secs(1));
        assert!(bench.knows(1));
        bench.clock.advance(Duration::from_secs(1));
        assert!(!bench.knows(1));
    }

    #[test]
    fn age_counts_from_before_the_read() {
        let bench = Bench::new(1_000);
        let ticket = bench.begin(1);
        bench.clock.advance(BOUND);
        bench.recent.keep(id(1), Some(&record(1, 0)), ticket);
        assert!(!bench.knows(1));
    }

    #[test]
    fn a_wall_clock_set_back_makes_nothing_last_longer() {
        let bench = Bench::new(1_000);
        bench.read(1);
        bench.clock.advance(BOUND);
        bench.clock.set(Timestamp::from_unix_seconds(0));
        assert!(!bench.knows(1));
    }

    #[test]
    fn a_machine_that_slept_longer_than_the_bound_serves_nothing_it_knew() {
        let bench = Bench::new(1_000);
        bench.read(1);
        // The steady clock stands still meanwhile.
        bench.clock.set(Timestamp::from_unix_seconds(1_000 + 32));
        assert!(!bench.knows(1));
    }

    #[test]
    fn a_read_that_a_change_overtakes_is_not_kept() {
        let bench = Bench::new(1_000);
        for whose in [Whose::Session(id(1)), Whose::Account("account 1"), Whose::Everyone] {
            bench.read(1);
            let before = bench.begin(1);
            let change = bench.recent.changing(whose);
            assert!(!bench.knows(1), "dropped when the change begins");
            bench.recent.keep(id(1), Some(&record(1, 0)), before);
            assert!(!bench.knows(1), "it began before the change");
            let during = bench.begin(1);
            bench.read(1);
            drop(change);
            assert!(!bench.knows(1), "dropped once more when the change is done");
            bench.recent.keep(id(1), Some(&record(1, 0)), during);
            assert!(!bench.knows(1), "it began during the change");
        }
    }

    #[test]
    fn an_account_that_is_revoked_takes_no_other_along() {
        let bench = Bench::new(1_000);
        bench.read(1);
        bench.read(2);
        drop(bench.recent.changing(Whose::Account("account 1")));
        assert!(!bench.knows(1) && bench.knows(2));
    }

    #[test]
    fn whatever_was_read_before_its_account_was_revoked_is_not_served_and_what_is_read_after_it_is() {
        let bench = Bench::new(1_000);
        for _ in 0..3 {
            bench.read(1);
            drop(bench.recent.changing(Whose::Account("account 1")));
            assert!(!bench.knows(1));
            bench.read(1);
            assert!(bench.knows(1));
        }
    }

    #[test]
    fn a_slow_read_does_not_bring_back_an_older_version() {
        let bench = Bench::new(1_000);
        let slow = bench.begin(1);
        bench.recent.keep(id(1), Some(&record(1, 5)), bench.begin(1));
        bench.recent.keep(id(1), Some(&record(1, 4)), slow);
        assert_eq!(bench.recent.get(id(1), bench.now()).map(|record| record.version), Some(5));
    }

    #[test]
    fn an_absent_record_drops_what_was_known() {
        let bench = Bench::new(1_000);
        bench.read(1);
        bench.recent.keep(id(1), None, bench.begin(1));
        assert!(!bench.knows(1));
    }

    #[test]
    fn when_full_the_oldest_makes_room() {
        let bench = Bench::new(64 * 4);
        for n in 0..6 {
            bench.read(n);
            bench.clock.advance(Duration::from_secs(1));
        }
        let known: Vec<u16> = (0..6).filter(|&n| bench.knows(n)).collect();
        assert_eq!(known, [2, 3, 4, 5]);
    }

    #[test]
    fn reading_the_same_again_and_again_takes_no_more_memory() {
        let bench = Bench::new(64 * 4);
        for _ in 0..1_000 {
            bench.read(1);
        }
        assert!(bench.recent.shard(id(1)).order.len() <= 8);
        assert!(bench.knows(1));
    }
}

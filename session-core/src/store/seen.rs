//! Which sessions were touched not long ago.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::id::SessionId;
use crate::time::Timestamp;

/// 1 MB for the sessions that come back within an interval: about a hundred thousand. More than this cost the slower
/// command more often, and nothing else.
const SETS: usize = 1 << 14;
/// A session can be in any of the places of its set, which share a line of the processor's cache.
const WAYS: usize = 8;

/// For a store whose plain reads cost less than one that may write: when each of about a hundred thousand sessions was
/// last seen, in 1 MB. Only a hint: look at the record before you conclude anything. A wrong one costs a statement.
///
/// In each place 32 bits of a session's id, and 32 bits of the time.
pub struct Seen(Box<[Set]>);

#[derive(Default)]
#[repr(align(64))]
struct Set([AtomicU64; WAYS]);

impl Seen {
    /// Whether the session was seen less than `interval` before `now`.
    #[must_use]
    pub fn is_recent(&self, id: SessionId, now: Timestamp, interval: Duration) -> bool {
        let (place, tag) = place_of(id);
        let is_this = |known: &AtomicU64| {
            let known = known.load(Ordering::Relaxed);
            known >> 32 == tag && now < seen_at(known).plus(interval)
        };
        self.0.get(place).is_some_and(|set| set.0.iter().any(is_this))
    }

    /// Remembers when the session was seen, in the place of whoever of its set was seen least recently.
    pub fn note(&self, id: SessionId, last_seen: Timestamp) {
        let (place, tag) = place_of(id);
        let age = |known: &&AtomicU64| {
            let known = known.load(Ordering::Relaxed);
            (known >> 32 != tag, seen_at(known))
        };
        let known = self.0.get(place).and_then(|set| set.0.iter().min_by_key(age));
        if let (Some(known), Ok(seconds)) = (known, u32::try_from(last_seen.unix_seconds())) {
            known.store(tag << 32 | u64::from(seconds), Ordering::Relaxed);
        }
    }
}

impl Default for Seen {
    fn default() -> Self {
        Self((0..SETS).map(|_| Set::default()).collect())
    }
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seen")
    }
}

fn seen_at(known: u64) -> Timestamp {
    Timestamp::from_unix_seconds((known & u64::from(u32::MAX)).cast_signed())
}

/// All but the beginning of an id is random, so any bits of it are a hash.
fn place_of(id: SessionId) -> (usize, u64) {
    let [_, _, random @ ..] = *id.as_bytes();
    let bits = u128::from_be_bytes(random);
    (bits as usize % SETS, (bits >> 96) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn recent_ends_with_the_interval() {
        let (seen, id, minute) = (Seen::default(), SessionId::from_bytes([9; 18]), Duration::from_secs(60));
        assert!(!seen.is_recent(id, at(1_000), minute));
        seen.note(id, at(1_000));
        assert!(seen.is_recent(id, at(1_059), minute));
        assert!(!seen.is_recent(id, at(1_060), minute));
        assert!(!seen.is_recent(id, at(1_000), Duration::ZERO));
    }

    /// Ids that share a set.
    fn in_one_set(tag: u8) -> SessionId {
        let id = [[tag; 10].as_slice(), &[1; 8]].concat();
        SessionId::from_bytes(id.try_into().unwrap())
    }

    #[test]
    fn another_session_in_the_same_set_is_not_taken_for_it() {
        let seen = Seen::default();
        seen.note(in_one_set(1), at(1_000));
        assert!(!seen.is_recent(in_one_set(2), at(1_000), Duration::from_secs(60)));
    }

    #[test]
    fn a_full_set_forgets_who_was_seen_least_recently() {
        let (seen, minute) = (Seen::default(), Duration::from_secs(60));
        for second in 1..=8 {
            seen.note(in_one_set(second), at(1_000 + i64::from(second)));
        }
        seen.note(in_one_set(1), at(1_009));
        seen.note(in_one_set(9), at(1_010));
        for tag in 1..=9 {
            assert_eq!(seen.is_recent(in_one_set(tag), at(1_010), minute), tag != 2, "{tag}");
        }
    }

    #[test]
    fn a_time_beyond_the_room_is_not_noted() {
        let (seen, id) = (Seen::default(), SessionId::from_bytes([9; 18]));
        seen.note(id, Timestamp::MAX);
        assert!(!seen.is_recent(id, at(1_000), Duration::from_secs(60)));
    }
}

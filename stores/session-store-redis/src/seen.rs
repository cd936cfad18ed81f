//! Which sessions were touched not long ago: a hint that lets a read be a plain one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use session_core::{SessionId, Timestamp};

/// 128 KB. More sessions than this in one interval cost the slower command more often, and nothing else.
const PLACES: usize = 1 << 14;

/// For each place the last session that came there: 32 bits of its id, 32 bits of the time it was last seen.
/// A wrong hint costs a command: the record itself is looked at before anything is concluded.
pub(crate) struct Seen(Box<[AtomicU64]>);

impl Seen {
    /// Whether the session was seen less than `interval` before `now`.
    pub(crate) fn is_recent(&self, id: SessionId, now: Timestamp, interval: Duration) -> bool {
        let (place, tag) = place_of(id);
        let known = self.0.get(place).map_or(0, |known| known.load(Ordering::Relaxed));
        let seen = Timestamp::from_unix_seconds((known & u64::from(u32::MAX)).cast_signed());
        known >> 32 == tag && now < seen.plus(interval)
    }

    /// Remembers when the session was seen.
    pub(crate) fn note(&self, id: SessionId, last_seen: Timestamp) {
        let (place, tag) = place_of(id);
        if let (Some(known), Ok(seconds)) = (self.0.get(place), u32::try_from(last_seen.unix_seconds())) {
            known.store(tag << 32 | u64::from(seconds), Ordering::Relaxed);
        }
    }
}

impl Default for Seen {
    fn default() -> Self {
        Self((0..PLACES).map(|_| AtomicU64::new(0)).collect())
    }
}

/// Ids are random, so any bits of them are a hash.
fn place_of(id: SessionId) -> (usize, u64) {
    let bits = u128::from_be_bytes(*id.as_bytes());
    (bits as usize % PLACES, (bits >> 96) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn recent_ends_with_the_interval() {
        let (seen, id, minute) = (Seen::default(), SessionId::from_bytes([9; 16]), Duration::from_secs(60));
        assert!(!seen.is_recent(id, at(1_000), minute));
        seen.note(id, at(1_000));
        assert!(seen.is_recent(id, at(1_059), minute));
        assert!(!seen.is_recent(id, at(1_060), minute));
        assert!(!seen.is_recent(id, at(1_000), Duration::ZERO));
    }

    #[test]
    fn another_session_in_the_same_place_is_not_taken_for_it() {
        let seen = Seen::default();
        let (one, other) = (SessionId::from_bytes([1; 16]), [[2; 8], [1; 8]].concat());
        let other = SessionId::from_bytes(other.try_into().unwrap());
        seen.note(one, at(1_000));
        assert!(!seen.is_recent(other, at(1_000), Duration::from_secs(60)));
    }

    #[test]
    fn a_time_beyond_the_room_is_not_noted() {
        let (seen, id) = (Seen::default(), SessionId::from_bytes([9; 16]));
        seen.note(id, Timestamp::MAX);
        assert!(!seen.is_recent(id, at(1_000), Duration::from_secs(60)));
    }
}

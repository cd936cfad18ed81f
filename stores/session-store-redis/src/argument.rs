//! What the scripts are told, in the form that they read: numbers in digits, times in seconds.

use std::time::Duration;

use session_core::Timestamp;
use session_core::store::{Fence, Mark, SessionLimit};

/// Redis keeps a record so much longer than it is good: clocks may differ, and ours decides.
pub(crate) const KEPT_BEYOND_END: Duration = Duration::from_secs(60);

/// Milliseconds from now, by the clock that was passed in: the server's may be wrong.
pub(crate) fn time_to_live(until: Timestamp, now: Timestamp) -> Vec<u8> {
    number((until.remaining(now) + KEPT_BEYOND_END).as_millis())
}

pub(crate) fn seconds(time: Timestamp) -> Vec<u8> {
    number(time.unix_seconds())
}

/// Whole seconds, at most as many as time has.
pub(crate) fn duration(duration: Duration) -> Vec<u8> {
    seconds(Timestamp::EPOCH.plus(duration))
}

/// How many sessions an account may have, -1 for any number, and whether older ones make room.
pub(crate) fn limit(limit: Option<SessionLimit>) -> (Vec<u8>, &'static [u8]) {
    match limit {
        None => (number(-1), b"0"),
        Some(SessionLimit::Refuse(most)) => (number(most), b"0"),
        Some(SessionLimit::EvictLeastRecentlySeen(most)) => (number(most), b"1"),
    }
}

/// The marks that must still be the same, the realm's first; nothing without a fence.
pub(crate) fn marks(fence: Option<Fence>) -> Vec<u8> {
    let Some(fence) = fence else { return Vec::new() };
    let mut marks = fence.realm().as_bytes().to_vec();
    marks.extend(fence.account().iter().flat_map(Mark::as_bytes));
    marks
}

/// How long marks live, in milliseconds.
pub(crate) fn marks_live() -> Vec<u8> {
    number((Duration::from_secs(Fence::SECONDS) + KEPT_BEYOND_END).as_millis())
}

pub(crate) fn number(number: impl ToString) -> Vec<u8> {
    number.to_string().into_bytes()
}

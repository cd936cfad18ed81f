//! Warnings that any stranger can cause: so many a minute go to the log, and the rest is counted.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const WINDOW: Duration = Duration::from_secs(60);
/// A misconfigured proxy fails every request, so a few lines are enough to find it.
const LINES: u32 = 10;

/// Lets ten through in a minute.
#[derive(Default)]
pub(crate) struct Sparing(Mutex<Window>);

#[derive(Default)]
struct Window {
    /// By the steady clock; `None` before the first.
    began: Option<Duration>,
    written: u32,
    /// Since the last one that was written.
    left_out: u64,
}

impl Sparing {
    /// Whether to write this one, and then how many were left out since the last one.
    pub(crate) fn next(&self, now: Duration) -> Option<u64> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if window.began.is_none_or(|began| now.saturating_sub(began) >= WINDOW) {
            (window.began, window.written) = (Some(now), 0);
        }
        if window.written == LINES {
            window.left_out = window.left_out.saturating_add(1);
            return None;
        }
        window.written += 1;
        Some(std::mem::take(&mut window.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_a_minute_are_written_and_the_next_one_tells_of_the_rest() {
        let sparing = Sparing::default();
        let at = |seconds| sparing.next(Duration::from_secs(seconds));
        assert!((0..10).all(|_| at(5) == Some(0)));
        assert!((0..1000).all(|_| at(64).is_none()));
        assert_eq!((at(65), at(65)), (Some(1000), Some(0)));
    }
}

//! Whether the one server is still a primary, and there at all. A failover can leave a connection with a server that became a
//! replica: it refuses to be written, and goes on being read. Or with nobody, and no packet says so.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::info::Role;
use crate::patience::LOST;

/// How often a server is asked, at most, and so for how long a replica is taken for the primary.
const EVERY: Duration = Duration::from_secs(1);
/// How long a replica that has lost its primary is read: sessions end elsewhere, and it does not hear of it.
const ORPHANED: Duration = Duration::from_secs(30);

/// When the server was asked, and since when it has been of no use.
#[derive(Default)]
pub(crate) struct Watch(Mutex<Known>);

#[derive(Default)]
struct Known {
    asked: Option<Instant>,
    orphaned: Option<Instant>,
    /// Since when nothing that was asked is answered.
    silent: Option<Instant>,
}

impl Watch {
    /// Whether it is time to ask again; then the caller does, and nobody else.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let mut known = self.known();
        let is_due = known.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= EVERY);
        if is_due {
            known.asked = Some(now);
        }
        is_due
    }

    pub(crate) fn note(&self, role: Role, now: Instant) {
        let mut known = self.known();
        known.orphaned = match role {
            Role::Replica { hears_its_primary: false } => known.orphaned.or(Some(now)),
            Role::Replica { .. } | Role::Primary => None,
        };
    }

    /// The next connection may lead to another server, which is asked at once.
    pub(crate) fn starts_again(&self) {
        let mut known = self.known();
        (known.asked, known.silent) = (None, None);
    }

    /// Before something is asked: whether nothing was answered for so long that the server is lost. Whoever asks gives up
    /// sooner than that, so nobody else notices.
    pub(crate) fn is_silent(&self, now: Instant) -> bool {
        let since = *self.known().silent.get_or_insert(now);
        now.saturating_duration_since(since) >= LOST
    }

    pub(crate) fn hears(&self) {
        self.known().silent = None;
    }

    /// Whether what the server has is too old to be read.
    pub(crate) fn is_stale(&self, now: Instant) -> bool {
        self.known().orphaned.is_some_and(|since| now.saturating_duration_since(since) >= ORPHANED)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUT_OFF: Role = Role::Replica { hears_its_primary: false };

    #[test]
    fn a_server_is_asked_once_a_second_and_after_a_new_connection() {
        let (watch, start) = (Watch::default(), Instant::now());
        let after = |millis| start + Duration::from_millis(millis);
        assert!(watch.is_due(start));
        assert!(!watch.is_due(after(999)));
        assert!(watch.is_due(after(1_000)));
        assert!(!watch.is_due(after(1_999)));
        watch.starts_again();
        assert!(watch.is_due(after(1_999)) && !watch.is_due(after(1_999)));
    }

    #[test]
    fn a_server_that_answers_nothing_for_five_seconds_is_lost_and_one_answer_is_enough() {
        let (watch, start) = (Watch::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(!watch.is_silent(start) && !watch.is_silent(after(4)));
        assert!(watch.is_silent(after(5)));
        watch.hears();
        assert!(!watch.is_silent(after(6)) && !watch.is_silent(after(10)) && watch.is_silent(after(11)));
        watch.starts_again();
        assert!(!watch.is_silent(after(12)));
    }

    #[test]
    fn a_replica_without_a_primary_is_stale_after_thirty_seconds_until_it_has_one() {
        let (watch, start) = (Watch::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        watch.note(CUT_OFF, start);
        watch.note(CUT_OFF, after(20));
        assert!(!watch.is_stale(after(29)));
        assert!(watch.is_stale(after(30)));
        for role in [Role::Primary, Role::Replica { hears_its_primary: true }] {
            watch.note(role, after(40));
            assert!(!watch.is_stale(after(100)));
            watch.note(CUT_OFF, after(101));
            assert!(!watch.is_stale(after(130)) && watch.is_stale(after(131)));
        }
    }
}

//! What goes wrong, or happens to the fleet: counted, since a run in which nothing happens finds nothing.

use std::sync::atomic::{AtomicU64, Ordering};

/// One kind each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happening {
    /// A call of the store never got there.
    CallCut,
    /// It got there, and its answer was lost.
    AnswerLost,
    /// It is not answered at all.
    CallHung,
    /// It arrived when its caller had given up.
    CallLate,
    /// A browser did not get what was answered.
    ResponseLost,
    /// A browser went away before it was answered.
    RequestCut,
    /// A node did not hear of an end elsewhere.
    NewsLost,
    /// A node's clock was set.
    ClockSet,
    /// A node started again.
    Restarted,
    /// A node got the program with the new payload.
    Deployed,
    /// A key began to sign on a node.
    KeyPromoted,
    /// A key was taken away from a node.
    KeyRetired,
    /// Somebody else has a copy of a cookie.
    CookieStolen,
    /// An administrator ended sessions, or changed an account.
    Administered,
    /// Another application on the same store ended its sessions.
    NeighbourEnded,
    /// A fleet that seals its records.
    RecordsSealed,
}

impl Happening {
    /// Each of them.
    pub const ALL: [Self; 16] = [
        Self::CallCut,
        Self::AnswerLost,
        Self::CallHung,
        Self::CallLate,
        Self::ResponseLost,
        Self::RequestCut,
        Self::NewsLost,
        Self::ClockSet,
        Self::Restarted,
        Self::Deployed,
        Self::KeyPromoted,
        Self::KeyRetired,
        Self::CookieStolen,
        Self::Administered,
        Self::NeighbourEnded,
        Self::RecordsSealed,
    ];
}

/// How often each happened.
#[derive(Debug, Default)]
pub(crate) struct Happenings([AtomicU64; Happening::ALL.len()]);

impl Happenings {
    pub(crate) fn add(&self, what: Happening, times: u64) {
        if let Some(count) = self.0.get(what as usize) {
            count.fetch_add(times, Ordering::Relaxed);
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (Happening, u64)> {
        Happening::ALL.into_iter().zip(self.0.iter().map(|count| count.load(Ordering::Relaxed)))
    }
}

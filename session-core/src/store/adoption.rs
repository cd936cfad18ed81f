//! Taking over a session that another system began: what a store must know of it.

use super::SessionLimit;
use crate::id::SessionId;
use crate::time::Timestamp;

/// What goes with a session that is [adopted](super::SessionStore::adopt).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Adoption {
    /// When the other system proved who this is: what a [`Bar`] at or after it stops.
    pub proven_at: Timestamp,
    /// The record's id is that of the foreign session: it is adopted once, and a mark that says so is kept until then.
    /// `None` for a foreign session that has no id.
    pub once_until: Option<Timestamp>,
    /// How many sessions the account may have.
    pub limit: Option<SessionLimit>,
}

impl Adoption {
    /// Without a mark and a limit.
    #[must_use]
    pub const fn new(proven_at: Timestamp) -> Self {
        Self { proven_at, once_until: None, limit: None }
    }

    /// Once, remembered until then.
    #[must_use]
    pub const fn once_until(self, until: Option<Timestamp>) -> Self {
        Self { once_until: until, ..self }
    }

    /// Under a limit.
    #[must_use]
    pub const fn limit(self, limit: Option<SessionLimit>) -> Self {
        Self { limit, ..self }
    }
}

/// Nothing that was proven at or before `at` is adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "a bar has no more parts")]
pub struct Bar {
    /// The last time that it stops.
    pub at: Timestamp,
    /// How long a store must keep it.
    pub until: Timestamp,
}

impl Bar {
    /// Both of them: the later times.
    #[must_use]
    pub fn and(self, other: Option<Self>) -> Self {
        match other {
            Some(other) => Self { at: self.at.max(other.at), until: self.until.max(other.until) },
            None => self,
        }
    }
}

/// What [`SessionStore::adopt`](super::SessionStore::adopt) did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a store around another must tell them apart")]
pub enum Adopted {
    /// The record is stored, and marked where that was asked for; these were evicted for it.
    Done {
        /// Sessions of the same account that were ended to keep the limit.
        evicted: Vec<SessionId>,
    },
    /// A record with this id exists: the same foreign session was adopted before. Nothing changed.
    IdTaken,
    /// It was adopted before and is over, or it was proven before a bar. Nothing changed.
    Barred,
    /// The account is full. Nothing changed.
    LimitReached,
}

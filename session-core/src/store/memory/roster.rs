//! Which sessions an account has.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

use super::marks::Marks;
use crate::id::SessionId;

const FIRST: SessionId = SessionId::from_bytes([0; 18]);
const LAST: SessionId = SessionId::from_bytes([u8::MAX; 18]);

/// Session ids ordered by a keyed hash of their subject. Subjects whose hashes collide are told apart by their
/// records, which are looked at anyway; in exchange an entry is 24 bytes however long the subject is.
#[derive(Default)]
pub(super) struct Roster {
    hasher: RandomState,
    entries: BTreeSet<(u64, SessionId)>,
    /// Set and looked at under the same lock.
    pub(super) marks: Marks,
}

impl Roster {
    /// Guests are on no roster.
    pub(super) fn insert(&mut self, subject: Option<&[u8]>, id: SessionId) {
        if let Some(subject) = subject {
            self.entries.insert((self.hash(subject), id));
        }
    }

    pub(super) fn remove(&mut self, subject: Option<&[u8]>, id: SessionId) {
        if let Some(subject) = subject {
            self.entries.remove(&(self.hash(subject), id));
        }
    }

    /// The sessions of `subject`, and perhaps of a subject with the same hash.
    pub(super) fn ids(&self, subject: &str) -> impl Iterator<Item = SessionId> {
        let hash = self.hash(subject.as_bytes());
        self.entries.range((hash, FIRST)..=(hash, LAST)).map(|(_, id)| *id)
    }

    /// Names nobody any more. What there was.
    pub(super) fn take(&mut self) -> BTreeSet<(u64, SessionId)> {
        std::mem::take(&mut self.entries)
    }

    fn hash(&self, subject: &[u8]) -> u64 {
        self.hasher.hash_one(subject)
    }
}

#[cfg(test)]
impl Roster {
    /// An empty one that hashes alike.
    pub(super) fn like(other: &Self) -> Self {
        Self { hasher: other.hasher.clone(), ..Self::default() }
    }
}

#[cfg(test)]
impl PartialEq for Roster {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

#[cfg(test)]
impl std::fmt::Debug for Roster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.entries.fmt(f)
    }
}

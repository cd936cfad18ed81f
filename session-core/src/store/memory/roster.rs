//! Which sessions accounts have.

use std::collections::BTreeSet;

use super::adoptions::Adoptions;
use super::marks::Marks;
use crate::id::SessionId;
use crate::store::Mark;

const FIRST: SessionId = SessionId::from_bytes([0; 18]);
const LAST: SessionId = SessionId::from_bytes([u8::MAX; 18]);

/// Session ids ordered by a keyed hash of their subject, their account. Subjects whose hashes collide are told apart by
/// their records, which are looked at anyway; in exchange an entry is 32 bytes however long the subject is.
///
/// Aligned as a shard is.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Roster {
    entries: BTreeSet<(u64, SessionId)>,
    /// Set and looked at under the same lock.
    pub(super) marks: Marks,
    /// As these.
    pub(super) adoptions: Option<Box<Adoptions>>,
}

impl Roster {
    pub(super) fn insert(&mut self, account: u64, id: SessionId) {
        self.entries.insert((account, id));
    }

    pub(super) fn remove(&mut self, account: u64, id: SessionId) {
        self.entries.remove(&(account, id));
    }

    /// The sessions of an account, and perhaps of one with the same hash.
    pub(super) fn ids(&self, account: u64) -> impl Iterator<Item = SessionId> {
        self.entries.range((account, FIRST)..=(account, LAST)).map(|(_, id)| *id)
    }

    /// Names nobody any more, and keeps only the realm's mark and what was adopted. What there was.
    pub(super) fn take(&mut self, realm: Mark) -> Self {
        let adoptions = self.adoptions.take();
        std::mem::replace(self, Self { marks: Marks::of_realm(realm), adoptions, ..Self::default() })
    }
}

#[cfg(test)]
impl Roster {
    pub(super) fn entries(&self) -> &BTreeSet<(u64, SessionId)> {
        &self.entries
    }
}

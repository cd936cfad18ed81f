//! Which sessions accounts have.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::adoptions::Adoptions;
use super::marks::Marks;
use crate::few::Few;
use crate::id::SessionId;
use crate::store::Mark;

/// Session ids by a keyed hash of their subject, their account. Subjects whose hashes collide are told apart by their
/// records, which are looked at anyway; in exchange an entry is 40 bytes however long the subject is.
///
/// Aligned as a shard is.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Roster {
    entries: HashMap<u64, Few<SessionId, 1>>,
    /// Set and looked at under the same lock.
    pub(super) marks: Marks,
    /// As these.
    pub(super) adoptions: Option<Box<Adoptions>>,
}

impl Roster {
    /// Names it once.
    pub(super) fn insert(&mut self, account: u64, id: SessionId) {
        let ids = self.entries.entry(account).or_default();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }

    pub(super) fn remove(&mut self, account: u64, id: SessionId) {
        let Entry::Occupied(mut entry) = self.entries.entry(account) else { return };
        entry.get_mut().retain(|known| *known != id);
        match entry.get().len() {
            0 => drop(entry.remove()),
            1 => entry.get_mut().shrink_to_fit(),
            _ => {}
        }
    }

    /// The sessions of an account, and perhaps of one with the same hash.
    pub(super) fn ids(&self, account: u64) -> impl Iterator<Item = SessionId> {
        self.entries.get(&account).into_iter().flatten().copied()
    }

    /// Names nobody any more, and keeps only the realm's mark and what was adopted. What there was.
    pub(super) fn take(&mut self, realm: Mark) -> Self {
        let adoptions = self.adoptions.take();
        std::mem::replace(self, Self { marks: Marks::of_realm(realm), adoptions, ..Self::default() })
    }
}

#[cfg(test)]
impl Roster {
    /// In an order.
    pub(super) fn entries(&self) -> Vec<(u64, SessionId)> {
        let of = |(account, ids): (&u64, &Few<SessionId, 1>)| {
            ids.iter().map(|id| (*account, *id)).collect::<Vec<_>>()
        };
        let mut entries: Vec<_> = self.entries.iter().flat_map(of).collect();
        entries.sort_unstable();
        entries
    }
}

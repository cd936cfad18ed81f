//! Which sessions accounts have.

use std::collections::hash_map::{Entry, OccupiedEntry};
use std::collections::{HashMap, HashSet};

use super::adoptions::Adoptions;
use super::marks::Marks;
use crate::few::Few;
use crate::id::SessionId;
use crate::store::Mark;

/// An account with more sessions than this has a set of them: a list is looked through for each login and logout. Few in the
/// unit tests, whose random calls then meet both.
const LISTED: usize = if cfg!(test) { 2 } else { 128 };

/// Session ids by a keyed hash of their subject, their account. Subjects whose hashes collide are told apart by their
/// records, which are looked at anyway; in exchange an entry is 40 bytes however long the subject is.
///
/// Aligned as a shard is.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Roster {
    entries: HashMap<u64, Few<SessionId, 1>>,
    /// Those of accounts that have had more than `LISTED` at a time. Such an account has none in `entries`.
    crowds: HashMap<u64, HashSet<SessionId>>,
    /// Set and looked at under the same lock.
    pub(super) marks: Marks,
    /// As these.
    pub(super) adoptions: Option<Box<Adoptions>>,
}

impl Roster {
    /// Names it once.
    pub(super) fn insert(&mut self, account: u64, id: SessionId) {
        if let Some(crowd) = self.crowds.get_mut(&account) {
            crowd.insert(id);
            return;
        }
        let ids = self.entries.entry(account).or_default();
        if !ids.contains(&id) {
            ids.push(id);
        }
        if ids.len() > LISTED {
            self.crowds.insert(account, ids.drain(..).collect());
            self.entries.remove(&account);
        }
    }

    pub(super) fn remove(&mut self, account: u64, id: SessionId) {
        match self.entries.entry(account) {
            Entry::Occupied(entry) => remove_listed(entry, id),
            Entry::Vacant(_) => self.remove_from_crowd(account, id),
        }
    }

    fn remove_from_crowd(&mut self, account: u64, id: SessionId) {
        let Some(crowd) = self.crowds.get_mut(&account) else { return };
        crowd.remove(&id);
        if crowd.is_empty() {
            self.crowds.remove(&account);
        }
    }

    /// The sessions of an account, and perhaps of one with the same hash.
    pub(super) fn ids(&self, account: u64) -> impl Iterator<Item = SessionId> {
        let listed = self.entries.get(&account).into_iter().flatten();
        listed.chain(self.crowds.get(&account).into_iter().flatten()).copied()
    }

    /// Names nobody any more, and keeps only the realm's mark and what was adopted. What there was.
    pub(super) fn take(&mut self, realm: Mark) -> Self {
        let adoptions = self.adoptions.take();
        std::mem::replace(self, Self { marks: Marks::of_realm(realm), adoptions, ..Self::default() })
    }
}

fn remove_listed(mut entry: OccupiedEntry<'_, u64, Few<SessionId, 1>>, id: SessionId) {
    entry.get_mut().retain(|known| *known != id);
    match entry.get().len() {
        0 => drop(entry.remove()),
        1 => entry.get_mut().shrink_to_fit(),
        _ => {}
    }
}

#[cfg(test)]
impl Roster {
    /// In an order. Panics when a list is longer than it may be.
    pub(super) fn entries(&self) -> Vec<(u64, SessionId)> {
        assert!(self.entries.values().all(|ids| (1..=LISTED).contains(&ids.len())));
        let accounts: HashSet<_> = self.entries.keys().chain(self.crowds.keys()).copied().collect();
        let of = |account| self.ids(account).map(move |id| (account, id));
        let mut entries: Vec<_> = accounts.into_iter().flat_map(of).collect();
        entries.sort_unstable();
        entries
    }
}

//! Which records end when.

use std::collections::BTreeMap;

use crate::few::Few;
use crate::id::SessionId;
use crate::time::Timestamp;

/// Ids by the second in which their records end. Logins add to the latest, whose place is at hand, however many there are.
/// Of a thousand that end in one second each is found in a microsecond or two.
#[derive(Default)]
pub(super) struct Expiry(BTreeMap<Timestamp, Few<SessionId, 1>>);

impl Expiry {
    /// For an id that it does not have.
    pub(super) fn insert(&mut self, ends_at: Timestamp, id: SessionId) {
        self.0.entry(ends_at).or_default().push(id);
    }

    pub(super) fn remove(&mut self, ends_at: Timestamp, id: SessionId) {
        let Some(ids) = self.0.get_mut(&ends_at) else { return };
        // Those that came last leave first, as a rule: whoever logs out at once, and whoever evicts.
        if let Some(place) = ids.iter().rposition(|known| *known == id) {
            ids.swap_remove(place);
        }
        if ids.is_empty() {
            self.0.remove(&ends_at);
        }
    }

    pub(super) fn reorder(&mut self, id: SessionId, from: Timestamp, to: Timestamp) {
        if from != to {
            self.remove(from, id);
            self.insert(to, id);
        }
    }

    /// Whether there is one that has ended.
    pub(super) fn has(&self, now: Timestamp) -> bool {
        self.0.first_key_value().is_some_and(|(ends_at, _)| *ends_at <= now)
    }

    /// How many have ended.
    pub(super) fn count(&self, now: Timestamp) -> usize {
        self.0.range(..=now).map(|(_, ids)| ids.len()).sum()
    }

    /// Takes one of those that ended first.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<SessionId> {
        let mut first = self.0.first_entry().filter(|first| *first.key() <= now)?;
        let id = first.get_mut().pop();
        if first.get().is_empty() {
            first.remove();
        }
        id
    }
}

#[cfg(test)]
impl Expiry {
    /// In their order.
    pub(super) fn entries(&self) -> Vec<(Timestamp, SessionId)> {
        let of = |(ends_at, ids): (&Timestamp, &Few<SessionId, 1>)| {
            ids.iter().map(|id| (*ends_at, *id)).collect::<Vec<_>>()
        };
        let mut entries: Vec<_> = self.0.iter().flat_map(of).collect();
        entries.sort_unstable();
        entries
    }
}

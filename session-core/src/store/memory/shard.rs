//! A part of a realm's records, with the order in which they expire.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::expiry::Expiry;
use super::packed::Packed;
use crate::id::SessionId;
use crate::store::{Replaced, SessionRecord, StoreError, Touch};
use crate::time::Timestamp;

/// Aligned to a cache line or two, so that neighbours' locks do not slow each other down. Records are boxed: the
/// free places of the table then cost little, and growing it moves little.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Shard {
    records: HashMap<SessionId, Box<Packed>>,
    expiry: Expiry,
}

impl Shard {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn count(&self, now: Timestamp) -> usize {
        self.len() - self.expiry.count(now)
    }

    /// Expired or not.
    pub(super) fn get(&self, id: SessionId) -> Option<&Packed> {
        self.records.get(&id).map(|packed| &**packed)
    }

    pub(super) fn live(&self, id: SessionId, now: Timestamp) -> Option<&Packed> {
        self.get(id).filter(|packed| packed.is_live(now))
    }

    /// Whether the id was free.
    pub(super) fn insert_new(&mut self, id: SessionId, packed: Packed) -> bool {
        let Entry::Vacant(place) = self.records.entry(id) else { return false };
        self.expiry.insert(packed.ends_at(), id);
        place.insert(Box::new(packed));
        true
    }

    pub(super) fn remove(&mut self, id: SessionId) -> Option<Box<Packed>> {
        let packed = self.records.remove(&id)?;
        self.expiry.remove(packed.ends_at(), id);
        Some(packed)
    }

    pub(super) fn remove_of(&mut self, id: SessionId, subject: Option<&[u8]>) -> Option<Box<Packed>> {
        self.get(id).filter(|packed| packed.subject() == subject)?;
        self.remove(id)
    }

    pub(super) fn replace(
        &mut self,
        id: SessionId,
        newer: Packed,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let Some(packed) = self.records.get_mut(&id).filter(|packed| packed.is_live(now)) else {
            return Ok(Replaced::Gone);
        };
        if !newer.follows(packed) {
            return Ok(Replaced::Conflict);
        }
        if newer.subject() != packed.subject() {
            return Err(StoreError::permanent("a session cannot move to another account"));
        }
        self.expiry.reorder(id, packed.ends_at(), newer.ends_at());
        **packed = newer;
        Ok(Replaced::Done)
    }

    /// The record as it stands afterwards.
    pub(super) fn touch(&mut self, id: SessionId, touch: Touch, now: Timestamp) -> Option<SessionRecord> {
        let packed = self.records.get_mut(&id).filter(|packed| packed.is_live(now))?;
        let record = packed.unpack(id);
        let Some(seen) = touch.apply(&record, now) else { return Some(record) };
        self.expiry.reorder(id, record.ends_at, seen.ends_at);
        packed.set_fixed(&seen);
        Some(seen)
    }

    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        self.expiry.has(now)
    }

    /// Removes those that expired first.
    pub(super) fn take_expired(&mut self, now: Timestamp, limit: usize) -> Vec<(SessionId, Box<Packed>)> {
        let mut expired = Vec::new();
        while expired.len() < limit {
            let Some(id) = self.expiry.pop(now) else { break };
            expired.extend(self.records.remove(&id).map(|packed| (id, packed)));
        }
        expired
    }
}

#[cfg(test)]
use std::collections::BTreeSet;

#[cfg(test)]
impl Shard {
    /// Panics unless the order of expiry names exactly the records, which are shown to `visit`.
    pub(super) fn check(&self, mut visit: impl FnMut(SessionId, &Packed)) {
        let expected: BTreeSet<_> = self.records.iter().map(|(id, packed)| (packed.ends_at(), *id)).collect();
        assert_eq!(self.expiry.entries(), Vec::from_iter(expected));
        self.records.iter().for_each(|(id, packed)| visit(*id, packed));
    }
}

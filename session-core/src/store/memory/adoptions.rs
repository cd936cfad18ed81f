//! Which foreign sessions were adopted, and what stops others. Of most realms nothing.

use std::collections::{BTreeSet, HashMap};

use crate::id::SessionId;
use crate::store::{Adoption, Bar};
use crate::time::Timestamp;

/// So many entries that nobody needs any more are taken away with each new one.
const TIDIED: usize = 2;

#[derive(Default)]
pub(super) struct Adoptions {
    marks: HashMap<SessionId, Timestamp>,
    accounts: HashMap<Box<str>, Bar>,
    realm: Option<Bar>,
    /// What to forget when.
    ends: BTreeSet<(Timestamp, Entry)>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Entry {
    Mark(SessionId),
    Account(Box<str>),
}

impl Adoptions {
    /// Whether a mark or a bar stands against it.
    pub(super) fn refuse(
        &self,
        id: SessionId,
        subject: Option<&str>,
        adoption: Adoption,
        now: Timestamp,
    ) -> bool {
        let stops = |bar: &Bar| now < bar.until && adoption.proven_at <= bar.at;
        self.marks.get(&id).is_some_and(|until| now < *until)
            || self.realm.as_ref().is_some_and(stops)
            || subject.and_then(|subject| self.accounts.get(subject)).is_some_and(stops)
    }

    pub(super) fn mark(&mut self, id: SessionId, until: Timestamp, now: Timestamp) {
        self.tidy(now);
        if let Some(old) = self.marks.insert(id, until) {
            self.ends.remove(&(old, Entry::Mark(id)));
        }
        self.ends.insert((until, Entry::Mark(id)));
    }

    pub(super) fn bar_realm(&mut self, bar: Bar) {
        self.realm = Some(bar.and(self.realm));
    }

    pub(super) fn bar_account(&mut self, subject: &str, bar: Bar, now: Timestamp) {
        self.tidy(now);
        let old = self.accounts.get(subject).copied();
        if let Some(old) = old {
            self.ends.remove(&(old.until, Entry::Account(subject.into())));
        }
        let bar = bar.and(old);
        self.accounts.insert(subject.into(), bar);
        self.ends.insert((bar.until, Entry::Account(subject.into())));
    }

    fn tidy(&mut self, now: Timestamp) {
        for _ in 0..TIDIED {
            if self.ends.first().is_none_or(|(until, _)| now < *until) {
                return;
            }
            match self.ends.pop_first() {
                Some((_, Entry::Mark(id))) => drop(self.marks.remove(&id)),
                Some((_, Entry::Account(subject))) => drop(self.accounts.remove(&subject)),
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::EPOCH.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn what_is_over_is_forgotten_as_others_come() {
        let mut adoptions = Adoptions::default();
        for number in 0..9 {
            adoptions.mark(SessionId::from_bytes([number; 18]), at(10), at(0));
            adoptions.bar_account(&number.to_string(), Bar { at: at(0), until: at(10) }, at(0));
        }
        for number in 10..19 {
            adoptions.mark(SessionId::from_bytes([number; 18]), at(90), at(20));
        }
        assert_eq!((adoptions.marks.len(), adoptions.accounts.len(), adoptions.ends.len()), (9, 0, 9));
    }
}

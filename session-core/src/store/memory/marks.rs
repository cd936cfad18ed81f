//! Marks of a realm and its accounts: who was revoked of late, for logins that began before.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::store::{Fence, Mark};
use crate::time::Timestamp;

/// So many marks that nobody needs any more are taken away with each new one, so that there are never many.
const TIDIED: usize = 2;

#[derive(Default)]
pub(super) struct Marks {
    /// Since everybody was ended.
    realm: Option<Mark>,
    accounts: HashMap<Box<str>, Mark>,
    /// Until when each is kept, in the order in which they were set.
    kept: VecDeque<(Timestamp, Box<str>, Mark)>,
}

impl Marks {
    /// `first` is the realm's mark from before.
    pub(super) fn fence(&self, subject: &str, first: Mark) -> Fence {
        Fence::new(self.realm.unwrap_or(first), self.account(subject))
    }

    pub(super) fn hold(&self, fence: Option<Fence>, first: Option<Mark>, subject: Option<&str>) -> bool {
        let account = || subject.and_then(|subject| self.account(subject));
        fence.is_none_or(|fence| fence.holds(self.realm.or(first), account()))
    }

    /// Forgets those of the accounts: the realm's overtakes whoever they would.
    pub(super) fn of_realm(fresh: Mark) -> Self {
        Self { realm: Some(fresh), ..Self::default() }
    }

    pub(super) fn set_account(&mut self, subject: &str, fresh: Mark, now: Timestamp) {
        for _ in 0..TIDIED {
            self.tidy(now);
        }
        self.accounts.insert(subject.into(), fresh);
        self.kept.push_back((now.plus(Duration::from_secs(Fence::SECONDS)), subject.into(), fresh));
    }

    fn account(&self, subject: &str) -> Option<Mark> {
        self.accounts.get(subject).copied()
    }

    fn tidy(&mut self, now: Timestamp) {
        if self.kept.front().is_none_or(|(until, ..)| now < *until) {
            return;
        }
        let Some((_, subject, mark)) = self.kept.pop_front() else { return };
        // A newer one stays.
        if self.accounts.get(&subject) == Some(&mark) {
            self.accounts.remove(&subject);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::EPOCH.plus(Duration::from_secs(seconds))
    }

    fn mark(byte: u8) -> Mark {
        Mark::from_bytes([byte; 16])
    }

    #[test]
    fn marks_live_for_a_day_and_the_last_one_of_an_account_counts() {
        let mut marks = Marks::default();
        marks.set_account("ann", mark(1), at(0));
        marks.set_account("ann", mark(2), at(10));
        marks.set_account("bob", mark(3), at(Fence::SECONDS));
        assert_eq!(marks.account("ann"), Some(mark(2)));
        marks.set_account("bob", mark(4), at(Fence::SECONDS + 10));
        assert_eq!(marks.account("ann"), None);
        assert_eq!((marks.accounts.len(), marks.kept.len()), (1, 2));
    }
}

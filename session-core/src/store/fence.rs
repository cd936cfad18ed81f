//! What stands between a login that began before a revocation and its session.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use crate::clock::RandomSource;

const LEN: usize = 16;

/// A random mark, new with each revocation. Two that are equal were set by the same one. `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Mark([u8; LEN]);

impl Mark {
    /// A new one.
    ///
    /// # Errors
    /// When the source has no bytes.
    pub fn random(source: &(impl RandomSource + ?Sized)) -> io::Result<Self> {
        let mut bytes = [0; LEN];
        source.fill(&mut bytes).map(|()| Self(bytes))
    }

    /// The mark with these bytes, for stores that read one back.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; LEN]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes, for stores.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; LEN] {
        &self.0
    }
}

/// Where an account stood when a login began: the realm's mark, and the account's if it had one. See clause 15 of
/// [`SessionStore`](super::SessionStore).
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    realm: [u8; LEN],
    account: Option<[u8; LEN]>,
}

impl Fence {
    /// How long a store must keep the mark of an account: longer than any login takes. In seconds, a day.
    pub const SECONDS: u64 = 24 * 60 * 60;

    /// From the marks as they are now.
    #[must_use]
    pub const fn new(realm: Mark, account: Option<Mark>) -> Self {
        let account = match account {
            Some(mark) => Some(mark.0),
            None => None,
        };
        Self { realm: realm.0, account }
    }

    /// The realm's mark.
    #[must_use]
    pub const fn realm(&self) -> Mark {
        Mark(self.realm)
    }

    /// The account's mark, if it had one.
    #[must_use]
    pub const fn account(&self) -> Option<Mark> {
        match self.account {
            Some(bytes) => Some(Mark(bytes)),
            None => None,
        }
    }

    /// Whether a login that began at this fence may go on: the realm's mark is there, and neither has changed.
    #[must_use]
    pub fn holds(&self, realm: Option<Mark>, account: Option<Mark>) -> bool {
        realm == Some(self.realm()) && account == self.account()
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mark")
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fence")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_holds_while_the_realms_mark_is_there_and_neither_has_changed() {
        let [realm, account, other] = [1, 2, 3].map(|byte| Mark::from_bytes([byte; LEN]));
        let (without, with) = (Fence::new(realm, None), Fence::new(realm, Some(account)));
        assert!(without.holds(Some(realm), None) && with.holds(Some(realm), Some(account)));
        for fence in [without, with] {
            assert!(!fence.holds(None, None) && !fence.holds(Some(other), fence.account()));
            assert!(!fence.holds(Some(realm), Some(other)));
        }
        assert!(!with.holds(Some(realm), None), "a mark that is lost is no mark");
    }
}

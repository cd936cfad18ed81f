//! How many signatures one request may get wrong.

use std::cell::Cell;

use super::key::Key;

/// Checking an asymmetric signature takes hundreds of times as long as anything else that a stranger can ask for, and a
/// request has room for sixteen tokens.
const MOST: u8 = 4;

/// Of one request. HMAC is not counted: it takes no longer than reading the token does.
pub(crate) struct Tries(Cell<u8>);

impl Tries {
    pub(crate) fn new() -> Self {
        Self(Cell::new(MOST))
    }

    /// Whether no asymmetric signature is checked any more.
    pub(super) fn are_used_up(&self) -> bool {
        self.0.get() == 0
    }

    pub(super) fn verify(&self, key: &Key, message: &[u8], signature: &[u8]) -> bool {
        if key.algorithm().is_symmetric() {
            return key.verify(message, signature);
        }
        let Some(left) = self.0.get().checked_sub(1) else { return false };
        let is_good = key.verify(message, signature);
        if !is_good {
            self.0.set(left);
        }
        is_good
    }
}

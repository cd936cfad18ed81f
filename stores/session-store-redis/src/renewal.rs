//! Other connections in the place of those that are of no use.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// At most so often: what answers at the address can stay a replica, or nobody.
const RENEWAL: Duration = Duration::from_secs(1);

/// How to make other connections, and when that was last done.
pub(crate) struct Renewal<C> {
    client: C,
    last: Mutex<Option<Instant>>,
}

impl<C> Renewal<C> {
    pub(crate) fn with(client: C) -> Self {
        Self { client, last: Mutex::default() }
    }

    /// The client, if it is time to make others.
    pub(crate) fn begin(&self) -> Option<&C> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < RENEWAL) {
            return None;
        }
        *last = Some(Instant::now());
        Some(&self.client)
    }
}

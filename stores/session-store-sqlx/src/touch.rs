//! Moving last-seen on, which must cost a read neither its answer nor its connection.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

#[cfg(any(feature = "mysql", feature = "sqlite"))]
use session_core::store::{Replaced, SessionRecord};
use tokio::time::timeout;

/// A touch that takes longer is given up: it must not use up the deadline of a read that succeeded.
const PATIENCE: Duration = Duration::from_millis(500);
/// After one that failed, reads of the store do not try for so long: what kept this one from writing (a full disk, a
/// missing right, a server that hangs) keeps the next ones, too.
const PAUSE: Duration = Duration::from_secs(1);

/// What a store knows of its touches. One that is lost costs nothing but a later one.
#[derive(Default)]
pub(crate) struct Touches {
    failed: Mutex<Option<Instant>>,
}

impl Touches {
    pub(crate) fn are_worth_trying(&self) -> bool {
        let failed = *self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.is_none_or(|at| at.elapsed() >= PAUSE)
    }

    pub(crate) fn failed(&self) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// The record as it stands after a touch that wrote `seen` in its place.
    #[cfg(any(feature = "mysql", feature = "sqlite"))]
    pub(crate) async fn outcome<E>(
        &self,
        record: Option<SessionRecord>,
        seen: &SessionRecord,
        write: impl Future<Output = Result<Replaced, E>>,
    ) -> Option<SessionRecord> {
        match within_time(write).await {
            Some(Ok(Replaced::Done)) => Some(seen.clone()),
            Some(Ok(Replaced::Gone)) => None,
            Some(Ok(Replaced::Conflict)) => record,
            Some(Err(_)) | None => {
                self.failed();
                record
            }
        }
    }
}

/// `None`: it took too long.
pub(crate) async fn within_time<T>(call: impl Future<Output = T>) -> Option<T> {
    timeout(PATIENCE, call).await.ok()
}

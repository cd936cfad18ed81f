//! Reading with a touch, for databases that cannot do both in one statement.

use std::time::Duration;

use session_core::Timestamp;
use session_core::store::{Replaced, SessionRecord, SessionStore, Touch};
use tokio::time::timeout;

/// A touch that takes longer is given up: it must not use up the deadline of a read that succeeded.
const PATIENCE: Duration = Duration::from_millis(500);

/// Moves last-seen on, once per interval, in the record that was just read. A touch that fails costs nothing but a
/// later one.
pub(crate) async fn touch(
    store: &impl SessionStore,
    realm: &str,
    record: SessionRecord,
    touch: Touch,
    now: Timestamp,
) -> Option<SessionRecord> {
    let Some(seen) = touch.apply(&record, now) else { return Some(record) };
    match timeout(PATIENCE, store.replace(realm, &seen, now)).await {
        Ok(Ok(Replaced::Done)) => Some(seen),
        Ok(Ok(Replaced::Gone)) => None,
        Ok(Ok(Replaced::Conflict) | Err(_)) | Err(_) => Some(record),
    }
}

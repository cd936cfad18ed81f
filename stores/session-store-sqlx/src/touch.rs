//! Reading with a touch, for databases that cannot do both in one statement.

use std::time::Duration;

use session_core::Timestamp;
use session_core::store::{Key, Replaced, SessionRecord, SessionStore, StoreError, Touch};
use tokio::time::timeout;

/// A touch that takes longer is given up: it must not use up the deadline of a read that succeeded.
const PATIENCE: Duration = Duration::from_millis(500);

/// A read, followed once per interval by a write. A touch that fails costs nothing but a later one.
pub(crate) async fn read_and_touch(
    store: &impl SessionStore,
    key: Key<'_>,
    touch: Touch,
    now: Timestamp,
) -> Result<Option<SessionRecord>, StoreError> {
    let Some(record) = store.read(key, now).await? else { return Ok(None) };
    let Some(seen) = touch.apply(&record, now) else { return Ok(Some(record)) };
    match timeout(PATIENCE, store.replace(key.realm, &seen, now)).await {
        Ok(Ok(Replaced::Done)) => Ok(Some(seen)),
        Ok(Ok(Replaced::Gone)) => Ok(None),
        Ok(Ok(Replaced::Conflict) | Err(_)) | Err(_) => Ok(Some(record)),
    }
}

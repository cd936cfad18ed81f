//! Flows with a store: a record in a realm of their own, which no list, limit or count of sessions sees.

use base64_simd::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::Tracked;
use crate::error::{ErrorKind, SessionError};
use crate::id::SessionId;
use crate::payload::SessionPayload;
use crate::service::Operation;
use crate::store::{Create, Created, RecordKey, SessionRecord};
use crate::time::Timestamp;

/// As a store allows.
const MAX_REALM: usize = 255;
/// In bytes of JSON.
const MAX_DATA: usize = 16 * 1024;

impl Tracked {
    pub(in crate::mode) async fn begin_flow<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        id: SessionId,
        data: Vec<u8>,
        ends_at: Timestamp,
    ) -> Result<Vec<u8>, SessionError> {
        if data.len() > MAX_DATA {
            return Err(op.error(ErrorKind::PayloadTooLarge).detail(format!(
                "the flow has {} bytes as JSON, and {MAX_DATA} are allowed: put less into it",
                data.len()
            )));
        }
        let (now, realm) = (op.now(), realm(&op.realm));
        let record = SessionRecord::new(id, data, now, ends_at);
        match self.call(op, |store| store.create(&realm, &record, Create::default(), now)).await? {
            Created::Done { .. } => Ok(Vec::new()),
            _ => Err(op.error(ErrorKind::Randomness).detail("a flow's random state was taken already")),
        }
    }

    /// Reads and deletes. Of several at once, one has deleted it.
    pub(in crate::mode) async fn take_flow<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        id: SessionId,
    ) -> Result<Option<Vec<u8>>, SessionError> {
        let (now, realm) = (op.now(), realm(&op.realm));
        let key = RecordKey { realm: &realm, id };
        let Some(record) = self.call(op, |store| store.read(key, now)).await? else { return Ok(None) };
        let is_ours = self.call(op, |store| store.delete(key)).await?;
        Ok(is_ours.then_some(record.payload))
    }
}

/// The manager's realm with an ending. Where that would be too long, a hash stands for the realm.
fn realm(realm: &str) -> String {
    let named = format!("{realm}/flows");
    if named.len() <= MAX_REALM {
        return named;
    }
    format!("{}/flows", URL_SAFE_NO_PAD.encode_to_string(Sha256::digest(realm)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_have_a_realm_that_a_store_takes() {
        assert_eq!(realm("users"), "users/flows");
        let [one, other] = ["a", "b"].map(|end| realm(&format!("{}{end}", "r".repeat(250))));
        assert!(one != other && one.len() <= MAX_REALM);
    }
}

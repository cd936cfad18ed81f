//! Flows with a store: a record in a realm of their own, which no list, limit or count of sessions sees.

use std::borrow::Cow;

use base64_simd::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::Tracked;
use super::sealed::opened;
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
        let mut record = SessionRecord::new(id, data, now, ends_at);
        match self.insert(op, &realm, &mut record, Create::default()).await? {
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
        // What does not open is none of ours, as what does not decode.
        Ok(if is_ours { opened(op, &realm, &record).map(Cow::into_owned) } else { None })
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
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::manager::SessionManager;
    use crate::store::{MemoryStore, SessionStore};
    use crate::token::KeyRing;

    #[derive(Clone, Serialize, Deserialize)]
    struct Nobody {}

    impl SessionPayload for Nobody {
        fn subject(&self) -> Option<Cow<'_, str>> {
            None
        }
    }

    /// A store in memory has nothing to wait for.
    fn done<T>(future: impl Future<Output = T>) -> T {
        let Poll::Ready(answer) = pin!(future).poll(&mut Context::from_waker(Waker::noop())) else {
            unreachable!("nothing here waits for anything")
        };
        answer
    }

    #[test]
    fn what_a_flow_carries_is_sealed_with_the_records_and_opens_at_its_place_only() {
        let (store, keys) = (MemoryStore::new(), KeyRing::from_secret([1; 32]).unwrap());
        let builder = SessionManager::<Nobody>::builder().keys(keys).store(store.clone());
        let sessions = builder.seal_records(true).realm("users").build().unwrap();
        let engine = &sessions.0;
        let (op, tracked) = (Operation::new(&engine.service, None), engine.mode.tracked().unwrap());
        let [one, other] = [1, 2].map(|byte| SessionId::from_bytes([byte; SessionId::LEN]));
        let ends_at = op.now().plus(Duration::from_secs(600));
        let begin = |id, data: &[u8]| done(tracked.begin_flow(&op, id, data.to_vec(), ends_at)).unwrap();
        let kept = |id| done(store.read(RecordKey { realm: "users/flows", id }, op.now())).unwrap().unwrap();
        assert!(begin(one, b"\"verifier\"").is_empty() && begin(other, b"7").is_empty());
        assert!(kept(one).payload.starts_with(b"ey"));
        let moved = kept(other).with(|record| (record.payload, record.version) = (kept(one).payload, 1));
        done(store.replace("users/flows", &moved, op.now())).unwrap();
        assert_eq!(done(tracked.take_flow(&op, other)).unwrap(), None);
        assert_eq!(done(tracked.take_flow(&op, one)).unwrap().as_deref(), Some(&b"\"verifier\""[..]));
        assert_eq!(done(tracked.take_flow(&op, one)).unwrap(), None);
    }

    #[test]
    fn flows_have_a_realm_that_a_store_takes() {
        assert_eq!(realm("users"), "users/flows");
        let [one, other] = ["a", "b"].map(|end| realm(&format!("{}{end}", "r".repeat(250))));
        assert!(one != other && one.len() <= MAX_REALM);
    }
}

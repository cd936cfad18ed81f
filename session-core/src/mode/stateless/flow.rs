//! Flows without a store: the cookie holds what they carry, and that they are taken once is known in this process.

use super::Stateless;
use crate::error::{ErrorKind, SessionError};
use crate::event::{EventKind, Who};
use crate::id::SessionId;
use crate::payload::SessionPayload;
use crate::service::Operation;
use crate::time::Timestamp;

/// Of JSON: four of them fit into the 4 KiB that all may have.
const MAX_DATA: usize = 512;

impl Stateless {
    pub(in crate::mode) fn begin_flow<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, SessionError> {
        if data.len() <= MAX_DATA {
            return Ok(data);
        }
        Err(op.error(ErrorKind::PayloadTooLarge).detail(format!(
            "the flow has {} bytes as JSON, and without a store {MAX_DATA} are allowed: put less into it, or add a store",
            data.len()
        )))
    }

    /// `None` as well where what is taken can no longer be remembered: nothing is taken twice.
    pub(in crate::mode) fn take_flow<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        id: SessionId,
        held: Vec<u8>,
        ends_at: Timestamp,
    ) -> Option<Vec<u8>> {
        let is_first = self.taken.insert_new(id, ends_at, &*op.clock).unwrap_or_else(|_| {
            op.emit_because(
                EventKind::EndedListFull,
                Who::NOBODY,
                "no flow is taken: too many were, of late",
            );
            false
        });
        is_first.then_some(held)
    }
}

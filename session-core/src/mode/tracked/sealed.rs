//! Payloads that only this service can read, whoever reads the store: sealed before a record is written, opened before its
//! payload is decoded. In between, in the store and in the memory of hybrid mode, a record has what the store has.

use std::borrow::Cow;

use super::Tracked;
use crate::error::{ErrorKind, SessionError};
use crate::event::Who;
use crate::id::SessionId;
use crate::payload::SessionPayload;
use crate::service::Operation;
use crate::store::{Adopted, Adoption, Create, Created, Replaced, SessionRecord};
use crate::token::{Purpose, SealError, is_sealed};

impl Tracked {
    /// Writes the next version of a record, whose payload is brought to how the store should have it.
    pub(super) async fn replace<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        record: &mut SessionRecord,
    ) -> Result<Replaced, SessionError> {
        bring_to_the_setting(op, &op.realm, record)?;
        let (record, now) = (&*record, op.now());
        self.call(op, |store| store.replace(&op.realm, record, now)).await
    }

    /// Writes a new record, with its payload as the store should have it.
    pub(super) async fn insert<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        realm: &str,
        record: &mut SessionRecord,
        options: Create,
    ) -> Result<Created, SessionError> {
        bring_to_the_setting(op, realm, record)?;
        let (record, now) = (&*record, op.now());
        self.call(op, |store| store.create(realm, record, options, now)).await
    }

    /// The same of a session that another system began.
    pub(super) async fn insert_foreign<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        record: &mut SessionRecord,
        adoption: Adoption,
    ) -> Result<Adopted, SessionError> {
        bring_to_the_setting(op, &op.realm, record)?;
        let (record, now) = (&*record, op.now());
        self.call(op, |store| store.adopt(&op.realm, record, adoption, now)).await
    }
}

/// The payload of a session's record as JSON.
///
/// # Errors
/// `Invalid`, with an event: it was sealed for another place, or with a key that is not in the ring.
pub(super) fn in_clear<'r, U: SessionPayload>(
    op: &Operation<'_, U>,
    record: &'r SessionRecord,
) -> Result<Cow<'r, [u8]>, SessionError> {
    opened(op, &op.realm, record).ok_or_else(|| {
        let detail = "the stored payload is sealed with a key that is not in the ring, or for another record";
        op.unusable(Who::record(record), detail)
    })
}

/// Gives a new record another id, to which nothing is bound yet.
pub(super) fn rename<U: SessionPayload>(op: &Operation<'_, U>, record: &mut SessionRecord, id: SessionId) {
    if let Some(Cow::Owned(content)) = opened(op, &op.realm, record) {
        record.payload = content;
    }
    record.id = id;
}

/// What is not sealed is as it is. `None`: it does not open here.
pub(super) fn opened<'r, U: SessionPayload>(
    op: &Operation<'_, U>,
    realm: &str,
    record: &'r SessionRecord,
) -> Option<Cow<'r, [u8]>> {
    if !is_sealed(&record.payload) {
        return Some(Cow::Borrowed(&record.payload));
    }
    op.sealing.open_bound(Purpose::Record, &place(realm, record.id), &record.payload).map(Cow::Owned)
}

/// Seals what is not sealed, or not with the newest key; opens what need not be sealed any more.
fn bring_to_the_setting<U: SessionPayload>(
    op: &Operation<'_, U>,
    realm: &str,
    record: &mut SessionRecord,
) -> Result<(), SessionError> {
    let is_as_it_should_be = match is_sealed(&record.payload) {
        true => op.seals_records && op.sealing.is_newest(Purpose::Record, &record.payload),
        false => !op.seals_records,
    };
    if !is_as_it_should_be {
        rewrite(op, realm, record)?;
    }
    Ok(())
}

fn rewrite<U: SessionPayload>(
    op: &Operation<'_, U>,
    realm: &str,
    record: &mut SessionRecord,
) -> Result<(), SessionError> {
    // Nobody writes a record whose payload they have not read.
    let Some(content) = opened(op, realm, record).map(Cow::into_owned) else { return Ok(()) };
    record.payload = if op.seals_records { seal(op, realm, record.id, content)? } else { content };
    Ok(())
}

fn seal<U: SessionPayload>(
    op: &Operation<'_, U>,
    realm: &str,
    id: SessionId,
    content: Vec<u8>,
) -> Result<Vec<u8>, SessionError> {
    let sealed = op.sealing.seal_bound(Purpose::Record, &place(realm, id), &*op.random, content);
    sealed.map(String::into_bytes).map_err(|error| match error {
        SealError::NoKey => {
            op.error(ErrorKind::Misuse).detail("the manager's keys are key pairs, and seal nothing")
        }
        SealError::Randomness(error) => op.error(ErrorKind::Randomness).source_is(error),
    })
}

/// Where a payload belongs: a realm has no NUL, and an id has its length.
fn place(realm: &str, id: SessionId) -> Vec<u8> {
    [realm.as_bytes(), b"\0", id.as_bytes()].concat()
}

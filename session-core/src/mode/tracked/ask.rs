//! Asking whether an account may go on, every so often: of all requests of a session one asks, the others wait for the
//! answer.

use std::sync::Arc;

use super::decide::{Intent, Step};
use super::{Tracked, decode, payload_of};
use crate::error::SessionError;
use crate::event::{EventKind, Who};
use crate::payload::SessionPayload;
use crate::revalidation::Revalidation;
use crate::service::Operation;
use crate::store::{Patience, Replaced, SessionRecord};
use crate::terms::Terms;
use crate::time::Timestamp;
use crate::token::Claims;

/// So often the answer is written, and asked for, before others, who keep changing the session, are to ask anew.
const WRITES: usize = 8;

/// What asking came to.
pub(super) enum Asked {
    /// The session goes on like this: unchanged where nobody could tell.
    GoesOn(SessionRecord),
    /// It is over, and not served, even where that could not be written down.
    Ended(Option<SessionError>),
}

/// What became of an answer.
enum Written {
    Settled(Asked),
    /// It was about a payload that somebody has changed meanwhile, and would undo that: nothing was written.
    Overtaken(SessionRecord),
}

impl Tracked {
    /// Whether a session that is about to be used must be asked about first.
    pub(super) fn must_ask<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        record: &SessionRecord,
        step: &Step,
        wanted: Intent,
    ) -> bool {
        let opens = matches!(step, Step::Serve { .. } | Step::Write(..));
        opens && wanted != Intent::Peek && self.is_due(op, record)
    }

    /// Whether so much time has passed since the application was last asked, or since the login.
    pub(super) fn is_due<U: SessionPayload>(&self, op: &Operation<'_, U>, record: &SessionRecord) -> bool {
        op.revalidate_every.is_some_and(|every| {
            let asked = record.terms.as_ref().and_then(|terms| terms.revalidated_at);
            op.now() >= asked.unwrap_or(record.authenticated_at).max(record.authenticated_at).plus(every)
        })
    }

    /// Asks, and writes the answer down.
    pub(super) async fn ask<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        token: &Claims,
        record: SessionRecord,
    ) -> Result<Asked, SessionError> {
        // The application's answer may take as long as one of the store's, and costs nothing of that time.
        let patience = Patience::new(op.store_deadline);
        let place = self.asking.join(record.id);
        let line = async {
            Ok(match place {
                Some(place) => Some(place.turn().await),
                None => None,
            })
        };
        let turn = patience.within(&*self.store, &*op.clock, line).await;
        // Whoever was first in line has asked, and whoever waited in vain has waited for long.
        let Some(mut record) = self.read(op, token, Intent::Peek).await? else {
            return Ok(Asked::Ended(None));
        };
        if turn.is_err() {
            return Ok(Asked::GoesOn(record));
        }
        for _ in 0..WRITES {
            if !self.is_due(op, &record) {
                break;
            }
            let user = Arc::new(decode(op, &record)?);
            let answer = async { Ok(op.revalidate(|| user).await) };
            let answer = patience.within(&*self.store, &*op.clock, answer).await;
            match self.write_down(op, token, record, answer.unwrap_or(Revalidation::Defer)).await? {
                Written::Settled(asked) => return Ok(asked),
                Written::Overtaken(newest) => record = newest,
            }
        }
        Ok(Asked::GoesOn(record))
    }

    async fn write_down<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        token: &Claims,
        mut record: SessionRecord,
        answer: Revalidation<U>,
    ) -> Result<Written, SessionError> {
        let payload = match answer {
            Revalidation::Keep | Revalidation::Defer => None,
            Revalidation::Replace(user) => Some(self.replacement(op, &record, &user)?),
            Revalidation::End => {
                let ended = self.end_record(op, &record, "revalidation ended it").await;
                return Ok(Written::Settled(Asked::Ended(ended.err())));
            }
        };
        for _ in 0..WRITES {
            let mut next = asked_at(&record, payload.as_ref(), op.now());
            match self.replace(op, &mut next).await? {
                Replaced::Done => return Ok(Written::Settled(Asked::GoesOn(next))),
                Replaced::Gone => return Ok(Written::Settled(Asked::Ended(None))),
                Replaced::Conflict => {}
            }
            let Some(newest) = self.read(op, token, Intent::Peek).await? else {
                return Ok(Written::Settled(Asked::Ended(None)));
            };
            if payload.is_some() && newest.payload != record.payload {
                return Ok(Written::Overtaken(newest));
            }
            record = newest;
        }
        Ok(Written::Settled(Asked::GoesOn(record)))
    }

    /// The payload that the application answered, as it is stored.
    pub(super) fn replacement<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        record: &SessionRecord,
        user: &U,
    ) -> Result<Vec<u8>, SessionError> {
        payload_of(op, user, record.subject()).inspect_err(|error| {
            op.emit_failure(EventKind::Rejected, Who::record(record), error.kind(), error.to_string());
        })
    }
}

/// The next version of the record. Nothing of it lives longer.
fn asked_at(record: &SessionRecord, payload: Option<&Vec<u8>>, now: Timestamp) -> SessionRecord {
    let mut next = record.clone();
    next.version = next.version.saturating_add(1);
    if let Some(payload) = payload {
        next.payload.clone_from(payload);
    }
    let terms = next.terms.as_deref().cloned().unwrap_or_default();
    next.terms = Some(Arc::new(Terms { revalidated_at: Some(now), ..terms }));
    next
}

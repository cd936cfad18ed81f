//! Sessions whose truth is in a store.

mod actor;
mod adopt;
mod ask;
mod decide;
mod devices;
mod flow;
mod login;
mod logout;
#[cfg(test)]
mod model;
mod open;
mod race;
mod refresh;
mod sealed;
mod update;

use std::future::Future;
use std::sync::Arc;

pub(crate) use decide::{Intent, refreshable_in};
pub use logout::ReplayPolicy;

use super::current::{Current, Issued};
use crate::error::{ErrorKind, SessionError};
use crate::event::{EventKind, Who};
use crate::id::SessionId;
use crate::payload::SessionPayload;
use crate::service::Operation;
use crate::store::{
    Moment, RecentRecords, RecordKey, SessionLimit, SessionRecord, SessionStore, StoreError, Touch, Turns,
};
use crate::time::Timestamp;
use crate::token::{Claims, record_json};

pub(crate) struct Tracked {
    pub(crate) store: Box<dyn SessionStore>,
    /// In hybrid mode: what may be served without the store, which keeps it up to date.
    pub(crate) recent: Option<Arc<RecentRecords>>,
    pub(crate) turns: Turns,
    /// Requests that wait until one of them has asked about their session.
    pub(crate) asking: Turns,
    pub(crate) session_limit: Option<SessionLimit>,
    pub(crate) replay: ReplayPolicy,
    /// Sessions of other systems are adopted until then.
    pub(crate) adopt_until: Option<Timestamp>,
}

impl Tracked {
    /// One call of the store: within what is left of the operation's time, and never without a trace when it fails.
    pub(crate) async fn call<'s, U: SessionPayload, T, F>(
        &'s self,
        op: &Operation<'_, U>,
        call: impl FnOnce(&'s dyn SessionStore) -> F,
    ) -> Result<T, SessionError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let store = &*self.store;
        op.patience.within(store, &*op.clock, call(store)).await.map_err(|error| {
            let kind = ErrorKind::StoreUnavailable;
            op.emit_failure(EventKind::StoreFailed, Who::NOBODY, kind, error.to_string());
            let retryable = error.is_retryable();
            op.error(kind).detail(error.to_string()).source_is(error).retryable(retryable)
        })
    }

    /// Reads the session that a token names. As a use it moves last-seen on.
    async fn read<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        token: &Claims,
        intent: Intent,
    ) -> Result<Option<SessionRecord>, SessionError> {
        let (now, key) = (op.now(), key(op, token.sid));
        let record = match intent {
            Intent::Peek => self.call(op, |store| store.read(key, now)).await?,
            Intent::UseAsIs | Intent::Use | Intent::Refresh => {
                let touch = touch_by(op, token);
                self.call(op, |store| store.read_and_touch(key, touch, now)).await?
            }
        };
        let Some(record) = record else { return Ok(None) };
        can_change(op, &record)?;
        match record.actor().cloned() {
            None => Ok(Some(record)),
            Some(actor) => Box::pin(self.with_actor(op, record, &actor, intent)).await,
        }
    }

    /// The record as it is now, when it is still good.
    async fn live_record<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        claims: &Claims,
    ) -> Result<SessionRecord, SessionError> {
        let now = op.now();
        let record = self.read(op, claims, Intent::Peek).await?;
        let live = record.filter(|record| op.lifetimes.judge(&record.times(), now).is_live);
        live.ok_or_else(|| op.error(ErrorKind::NotFound))
    }

    pub(super) fn describe(&self) -> String {
        let limit = match self.session_limit {
            None => "An account may have any number of sessions.".to_owned(),
            Some(SessionLimit::EvictLeastRecentlySeen(most)) => {
                format!("An account may have {most} sessions; one more ends the least recently seen.")
            }
            Some(SessionLimit::Refuse(most)) => {
                format!("An account may have {most} sessions; one more login is refused.")
            }
        };
        let logout = match &self.recent {
            None => "A logout is effective everywhere at once.".to_owned(),
            Some(recent) => format!(
                "A logout is effective at once in the process that did it, and in others within {} s.",
                recent.bound().as_secs_f32()
            ),
        };
        let adopts = self.adopt_until.map(|until| {
            format!(" Until {until} whoever shows a session of another system gets one here without a proof.")
        });
        format!("{limit} {logout}{}", adopts.unwrap_or_default())
    }
}

fn key<'o, U: SessionPayload>(op: &'o Operation<'_, U>, id: SessionId) -> RecordKey<'o> {
    RecordKey { realm: &op.realm, id }
}

fn touch_by<U: SessionPayload>(op: &Operation<'_, U>, token: &Claims) -> Touch {
    let lifetimes = &op.lifetimes;
    Touch {
        interval: lifetimes.last_seen_interval,
        idle_timeout: lifetimes.idle_timeout,
        generation: token.generation.unwrap_or(0),
        grace: lifetimes.replay_grace,
    }
}

/// Whether there is a number for the record's next version. It is no session otherwise, and nothing overwrites it.
fn can_change<U: SessionPayload>(op: &Operation<'_, U>, record: &SessionRecord) -> Result<(), SessionError> {
    if record.is_at_an_end() {
        let detail = "the stored record's counters are full, so that it cannot change";
        return Err(op.unusable(Who::record(record), detail));
    }
    if record.terms.as_ref().is_some_and(|terms| !terms.are_known()) {
        let detail = "the stored record says of its login what a later version of this program wrote";
        return Err(op.unusable(Who::record(record), detail));
    }
    Ok(())
}

/// A record that does not decode (a deploy changed the type) is no session, and nothing overwrites it.
fn decode<U: SessionPayload>(op: &Operation<'_, U>, record: &SessionRecord) -> Result<U, SessionError> {
    can_change(op, record)?;
    let payload = sealed::in_clear(op, record)?;
    parsed(&payload).or_else(|error| upgrade(op, record, &payload, &error))
}

/// The texts of a payload are checked all at once, which costs less than one by one.
fn parsed<U: SessionPayload>(payload: &[u8]) -> serde_json::Result<U> {
    match str::from_utf8(payload) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(payload),
    }
}

/// What an earlier version of the program wrote, as the application reads it.
#[cold]
fn upgrade<U: SessionPayload>(
    op: &Operation<'_, U>,
    record: &SessionRecord,
    payload: &[u8],
    error: &serde_json::Error,
) -> Result<U, SessionError> {
    let who = || Who::record(record);
    match serde_json::from_slice(payload).ok().and_then(U::upgrade) {
        Some(user) if user.subject().as_deref() == record.subject() => Ok(user),
        Some(_) => Err(op.unusable(who(), "the stored payload was upgraded to one of another account")),
        None => {
            // The error of serde could quote the payload.
            let place = format!("line {}, column {}", error.line(), error.column());
            let error = op.unusable(who(), "the stored payload does not decode into this program's type");
            Err(error.source_is(std::io::Error::other(place)))
        }
    }
}

/// The payload as a record has it before that is written. Its subject names the account and never changes.
fn payload_of<U: SessionPayload>(
    op: &Operation<'_, U>,
    user: &U,
    subject: Option<&str>,
) -> Result<Vec<u8>, SessionError> {
    op.same_account(subject, user.subject().as_deref())?;
    record_json(user).map_err(|error| op.not_issued(&error))
}

/// The newest token of a session: the same bytes on every node.
fn issue<U: SessionPayload>(
    op: &Operation<'_, U>,
    record: &SessionRecord,
) -> Result<Box<Issued>, SessionError> {
    let claims = record.claims();
    issue_for(op, record, claims)
}

/// The token of a session that says this of it.
fn issue_for<U: SessionPayload>(
    op: &Operation<'_, U>,
    record: &SessionRecord,
    claims: Claims,
) -> Result<Box<Issued>, SessionError> {
    let is_remembered = record.terms.as_ref().is_none_or(|terms| terms.is_remembered);
    Ok(Box::new(Issued { token: op.token(op.codec.issue_reference(&claims))?, claims, is_remembered }))
}

/// A session that was just made.
fn opened<U: SessionPayload>(user: Arc<U>, record: SessionRecord) -> Current<U> {
    Current::tracked(user, record.claims(), Arc::new(record))
}

/// A session as a request is served it, with the newest token where the client should have that.
fn serve<U: SessionPayload>(
    op: &Operation<'_, U>,
    shown: &Claims,
    record: Arc<SessionRecord>,
    send_token: bool,
) -> Result<(Current<U>, Option<Box<Issued>>), SessionError> {
    let user = Arc::new(decode(op, &record)?);
    let issued = if send_token { Some(issue(op, &record)?) } else { None };
    Ok((Current::tracked(user, *shown, record), issued))
}

fn moment<U: SessionPayload>(op: &Operation<'_, U>) -> Moment {
    Moment::now(&*op.clock, op.now())
}

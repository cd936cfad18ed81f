//! Logging in: a new record under a new id, always.

use std::sync::Arc;

use super::super::current::{Current, Endable, Issued, LoggedIn, Present};
use super::sealed::{in_clear, rename};
use super::{Tracked, decode, issue, key, opened, payload_of};
use crate::error::{ErrorKind, SessionError};
use crate::event::{EventKind, Who};
use crate::id::Place;
use crate::login::LoginOptions;
use crate::payload::SessionPayload;
use crate::service::Operation;
use crate::store::{Create, Created, Fence, Replaces, SessionRecord};

/// Ids are random: a second one that is taken says that the source is not.
const IDS: usize = 3;

/// What became of a new record.
pub(super) enum Stored {
    Done(Box<SessionRecord>, Box<Issued>),
    /// The session that it was made from has another version by now.
    PredecessorChanged,
}

impl Tracked {
    pub(in crate::mode) async fn create<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        user: U,
        options: &LoginOptions,
        present: &mut Present<U>,
    ) -> Result<LoggedIn<U>, SessionError> {
        let subject = user.subject();
        let payload = payload_of(op, &user, subject.as_deref())?;
        let fence = fence_of(op, options, subject.as_deref())?;
        let record = new_record(op, subject.as_deref(), payload, options, None)?;
        let mut replaced = self.endable(op, present, subject.as_deref()).await?;
        drop(subject);
        for ended in &replaced {
            self.bar_if(op, ended.is_unmarked, ended.subject.as_deref()).await?;
        }
        // Another place may be on another machine: what is there is ended once the login stands.
        let beside = replaced.iter().position(|ended| ended.id.place() == record.id.place());
        let first = beside.map(|at| replaced.remove(at));
        let replaces = first.as_ref().map(|first| Replaces::IfPresent(first.id));
        let stored = self.store_new(op, record, replaces, fence).await?;
        // The predecessor of a login need not be as it was read.
        let Stored::Done(record, issued) = stored else { return Err(op.error(ErrorKind::NotFound)) };
        if let Some(first) = first.filter(|first| first.is_live) {
            tell_replaced(op, &first);
        }
        Ok(LoggedIn { current: opened(Arc::new(user), *record), issued, replaced })
    }

    pub(in crate::mode) async fn reauthenticate<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        options: &LoginOptions,
        present: &Present<U>,
    ) -> Result<LoggedIn<U>, SessionError> {
        let current = present.current.as_ref().ok_or_else(|| op.error(ErrorKind::NotFound))?;
        let sid = current.claims.sid;
        let mut race = self.race(op, sid).await?;
        loop {
            let old = self.live_record(op, &current.claims).await?;
            let user = Arc::new(decode(op, &old)?);
            let fence = fence_of(op, options, old.subject())?;
            let payload = in_clear(op, &old)?.into_owned();
            let record = new_record(op, old.subject(), payload, options, Some(&old))?;
            let replaces = Replaces::MustExist { id: old.id, version: old.version };
            self.bar_for(op, &old).await?;
            if let Stored::Done(record, issued) = self.store_new(op, record, Some(replaces), fence).await? {
                op.emit_because(EventKind::Revoked, Who::record(&old), super::super::REPLACED);
                return Ok(LoggedIn { current: opened(user, *record), issued, replaced: Vec::new() });
            }
            Box::pin(self.lost_race(op, &mut race, sid)).await?;
        }
    }

    /// Stores a new record under a fresh id, with the token that will open it. The token is made first: nothing is
    /// stored whose cookie could not be sent.
    pub(super) async fn store_new<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        mut record: SessionRecord,
        replaces: Option<Replaces>,
        fence: Option<Fence>,
    ) -> Result<Stored, SessionError> {
        let limit = self.session_limit.filter(|_| record.subject.is_some() && !record.uncounted);
        let options = Create::new(replaces, limit).behind(fence);
        for _ in 0..IDS {
            let issued = issue(op, &record)?;
            match self.insert(op, &op.realm, &mut record, options).await? {
                Created::Done { evicted } => {
                    op.emit(EventKind::Created, Who::record(&record));
                    self.evicted(op, record.subject(), &evicted).await;
                    return Ok(Stored::Done(Box::new(record), issued));
                }
                Created::IdTaken => {
                    let id = op.new_id(Some(record.id.place()))?;
                    rename(op, &mut record, id);
                }
                Created::LimitReached => return Err(op.error(ErrorKind::SessionLimit)),
                Created::PredecessorGone => return Err(op.error(ErrorKind::NotFound)),
                Created::PredecessorChanged => return Ok(Stored::PredecessorChanged),
                Created::Overtaken => return Err(op.error(ErrorKind::LoginOvertaken)),
            }
        }
        Err(op.error(ErrorKind::Randomness).detail("three new session ids in a row were taken"))
    }

    pub(in crate::mode) async fn settle<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        _login: &Current<U>,
        replaced: Vec<Endable>,
    ) {
        for replaced in &replaced {
            let key = key(op, replaced.id);
            // The login has happened; a failure is told by the event of `call`.
            if self.call(op, |store| store.delete(key)).await.unwrap_or(false) {
                tell_replaced(op, replaced);
            }
        }
    }

    pub(in crate::mode) async fn undo<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        login: &Current<U>,
    ) -> Result<(), SessionError> {
        let Some(record) = &login.record else { return Ok(()) };
        self.end_record(op, record, "the response had left without its cookie").await.map(drop)
    }
}

pub(super) fn new_record<U: SessionPayload>(
    op: &Operation<'_, U>,
    subject: Option<&str>,
    payload: Vec<u8>,
    options: &LoginOptions,
    before: Option<&SessionRecord>,
) -> Result<SessionRecord, SessionError> {
    let place = subject.map(Place::of).or(before.map(|old| old.id.place()));
    let before = before.and_then(|old| old.terms.as_deref());
    let (claims, terms) = op.begin(place, Some(0), subject.is_none(), options, before)?;
    let mut record = SessionRecord::new(claims.sid, payload, claims.authenticated_at, claims.expires_at);
    record.issued_at = claims.issued_at;
    record.first_used_at = Some(claims.issued_at);
    record.last_seen = claims.issued_at;
    record.uncounted = terms.as_ref().is_some_and(|terms| terms.level == 0 || terms.actor.is_some());
    record.terms = terms;
    record.subject = subject.map(str::to_owned);
    record.ends_at = op.lifetimes.ends_at(&record.times());
    if let Some(client) = op.client() {
        record.user_agent = client.user_agent.text();
        record.ip_address = client.ip_address;
    }
    Ok(record)
}

/// Where the account stood when the login began.
pub(super) fn fence_of<U: SessionPayload>(
    op: &Operation<'_, U>,
    options: &LoginOptions,
    subject: Option<&str>,
) -> Result<Option<Fence>, SessionError> {
    let Some(attempt) = &options.attempt else { return Ok(None) };
    let fence = attempt.fence(&op.realm, subject, op.now(), op.lifetimes.leeway);
    fence.map(Some).map_err(|(kind, detail)| op.error(kind).detail(detail))
}

fn tell_replaced<U: SessionPayload>(op: &Operation<'_, U>, replaced: &Endable) {
    op.emit_because(EventKind::Revoked, replaced.who(), super::super::REPLACED);
}

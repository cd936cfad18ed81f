//! Taking over a session that another system began, and keeping it out once ours has ended.
//!
//! With an id of its own it is adopted once: the store marks that when it makes the record, so nothing that ends a session
//! has to know of it. Without one, whatever ends the session first bars what was proven of the account until then.

use std::sync::Arc;
use std::time::Duration;

use super::super::current::{Current, Issued};
use super::login::new_record;
use super::{Tracked, issue, key, opened, payload_of, serve};
use crate::error::{ErrorKind, SessionError};
use crate::event::{EventKind, Who};
use crate::foreign::{ForeignCookies, Newcomer, ReadForeign};
use crate::id::SessionId;
use crate::login::LoginOptions;
use crate::payload::{SessionPayload, is_subject};
use crate::service::Operation;
use crate::store::{Adopted, Adoption, Bar, SessionRecord, StoreError, Touch};
use crate::terms::{Origin, Terms};
use crate::time::Timestamp;

/// A session, and the token that its client gets.
type Opened<U> = (Current<U>, Box<Issued>);

impl Tracked {
    /// Until when sessions of others are adopted, while they are.
    pub(crate) fn adopts_until<U: SessionPayload>(&self, op: &Operation<'_, U>) -> Option<Timestamp> {
        self.adopt_until.filter(|until| op.now() < *until)
    }

    /// Until when what ends here is kept out: where a clock is behind, sessions are adopted for a little longer.
    pub(crate) fn keeps_out_until<U: SessionPayload>(&self, op: &Operation<'_, U>) -> Option<Timestamp> {
        let until = self.adopt_until.map(|until| until.plus(op.lifetimes.leeway));
        until.filter(|until| op.now() < *until)
    }

    /// Asks the application whether these cookies hold a session of another system.
    pub(crate) async fn read_foreign<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        read: &ReadForeign<U>,
        cookies: ForeignCookies,
    ) -> Result<Option<Newcomer<U>>, SessionError> {
        let found = self
            .call(op, |_| async {
                let unanswered = |error| {
                    StoreError::unavailable("the sessions of the other system could not be read")
                        .with_source(error)
                };
                read(cookies).await.map_err(unanswered)
            })
            .await?;
        Ok(found.map(|(user, foreign)| Newcomer { user, foreign, options: LoginOptions::default() }))
    }

    /// A session for whoever comes with one of another system, or none: an event says why.
    pub(crate) async fn adopt<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        newcomer: Newcomer<U>,
    ) -> Result<Option<Opened<U>>, SessionError> {
        let Some(until) = self.adopts_until(op) else {
            return Ok(refuse(op, &newcomer, "nothing is adopted any more: see adopt_until"));
        };
        let ends_by = newcomer.options.ends_by.or(newcomer.foreign.end()).unwrap_or(until);
        let Some((mut record, adoption)) = self.record_of(op, &newcomer, ends_by)? else { return Ok(None) };
        let issued = issue(op, &record)?;
        match self.insert_foreign(op, &mut record, adoption).await? {
            Adopted::Done { evicted } => {
                op.emit(EventKind::Adopted, Who::record(&record));
                self.evicted(op, record.subject(), &evicted).await;
                Ok(Some((opened(Arc::new(newcomer.user), record), issued)))
            }
            Adopted::IdTaken => self.join(op, &record).await,
            Adopted::Barred => Ok(refuse(op, &newcomer, "it has ended here, or its account's sessions have")),
            Adopted::LimitReached => {
                Ok(refuse(op, &newcomer, "the account has as many sessions as it may have"))
            }
        }
    }

    /// A login or a logout here ends the foreign session that the request shows, too.
    pub(crate) async fn end_foreign<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        newcomer: &Newcomer<U>,
    ) -> Result<(), SessionError> {
        let (now, moment) = (op.now(), Duration::from_secs(1));
        let Some((mut record, adoption)) = self.record_of(op, newcomer, now.plus(moment))? else {
            return Ok(());
        };
        // Adopted by nobody, so that it cannot be any more. It is over when it is made, so nobody joins it before it is
        // deleted. Who comes with one that is barred already bars nothing more.
        (record.uncounted, record.expires_at, record.ends_at) = (true, now, now);
        let adopted = self.insert_foreign(op, &mut record, adoption.limit(None)).await?;
        if adopted != Adopted::Barred {
            self.bar_for(op, &record).await?;
            let key = key(op, record.id);
            self.call(op, |store| store.delete(key)).await?;
            op.emit_because(EventKind::Destroyed, Who::record(&record), "a session of another system");
        }
        Ok(())
    }

    /// The record of its session here, if there can be one.
    fn record_of<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        newcomer: &Newcomer<U>,
        ends_by: Timestamp,
    ) -> Result<Option<(SessionRecord, Adoption)>, SessionError> {
        let Newcomer { user, foreign, options } = newcomer;
        let (now, subject) = (op.now(), user.subject());
        let Some(kept) = self.keeps_out_until(op) else { return Ok(None) };
        if let Some(problem) = foreign.problem(now, now.plus(op.lifetimes.leeway)) {
            return Ok(refuse(op, newcomer, problem));
        }
        if !subject.as_deref().map_or(foreign.has_id(), is_subject) {
            return Ok(refuse(op, newcomer, "its payload names no account, or one that is no subject"));
        }
        let options = LoginOptions {
            authenticated_at: foreign.begun_at(),
            ends_by: Some(ends_by),
            origin: Some(if foreign.has_id() { Origin::Marked } else { Origin::Unmarked }),
            ..options.clone()
        };
        let payload = payload_of(op, user, subject.as_deref())?;
        let mut record = match new_record(op, subject.as_deref(), payload, &options, None) {
            Ok(record) => record,
            Err(error) if error.kind() == ErrorKind::Expired => {
                return Ok(refuse(op, newcomer, "its login is so old that its session here would be over"));
            }
            Err(error) => return Err(error),
        };
        let once_until = foreign.has_id().then(|| foreign.end().map_or(kept, |end| end.max(kept)));
        record.id = foreign.our_id(&op.realm, record.subject()).unwrap_or(record.id);
        let limit = self.session_limit.filter(|_| record.subject.is_some() && !record.uncounted);
        Ok(Some((record, Adoption::new(foreign.proven_at()).once_until(once_until).limit(limit))))
    }

    /// The session that another request made of the same foreign one, if it lives.
    async fn join<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        asked: &SessionRecord,
    ) -> Result<Option<Opened<U>>, SessionError> {
        let lifetimes = &op.lifetimes;
        let (interval, idle) = (lifetimes.last_seen_interval, lifetimes.idle_timeout);
        let touch = Touch::new(interval, idle, SessionRecord::LAST, lifetimes.replay_grace);
        let key = key(op, asked.id);
        let found = self.call(op, |store| store.read_and_touch(key, touch, op.now())).await?;
        // It is of the same account: the id says so.
        let is_live = |record: &SessionRecord| lifetimes.judge(&record.times(), op.now()).is_live;
        let Some(record) = found.filter(is_live) else { return Ok(None) };
        let shown = record.claims();
        let (current, issued) = serve(op, &shown, Arc::new(record), true)?;
        Ok(issued.map(|issued| (current, issued)))
    }
}

/// What keeps a foreign session out.
impl Tracked {
    /// From now on nothing is adopted that was proven until now: of an account, or of anybody.
    pub(super) async fn bar<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        subject: Option<&str>,
    ) -> Result<(), SessionError> {
        let Some(until) = self.keeps_out_until(op) else { return Ok(()) };
        let now = op.now();
        // By whatever clock it was proven.
        let bar = Bar { at: now.plus(op.lifetimes.leeway), until };
        Box::pin(self.call(op, |store| store.bar(&op.realm, subject, bar, now))).await
    }

    /// Before a session ends that a foreign cookie could make anew.
    pub(super) async fn bar_for<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        record: &SessionRecord,
    ) -> Result<(), SessionError> {
        self.bar_if(op, is_unmarked(record.terms.as_deref()), record.subject()).await
    }

    /// The same of a session of this account that is, or is not, [`Origin::Unmarked`].
    pub(super) async fn bar_if<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        is_unmarked: bool,
        subject: Option<&str>,
    ) -> Result<(), SessionError> {
        match subject {
            Some(_) if is_unmarked => self.bar(op, subject).await,
            _ => Ok(()),
        }
    }

    /// Tells who had to go for a login. They are not to come back by a foreign cookie: which of them could is not known.
    pub(super) async fn evicted<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        subject: Option<&str>,
        evicted: &[SessionId],
    ) {
        for &id in evicted {
            let who = Who::session(id, subject.map(Into::into));
            op.emit_because(EventKind::Revoked, who, "the account had as many sessions as it may have");
        }
        if !evicted.is_empty() && subject.is_some() {
            // The login has happened; a failure is told by the event of `call`.
            let _ = self.bar(op, subject).await;
        }
    }
}

pub(super) fn is_unmarked(terms: Option<&Terms>) -> bool {
    terms.is_some_and(|terms| terms.origin == Some(Origin::Unmarked))
}

/// Strangers can come with anything, so this is told as any token that is not accepted.
fn refuse<U: SessionPayload, T>(
    op: &Operation<'_, U>,
    newcomer: &Newcomer<U>,
    why: &'static str,
) -> Option<T> {
    let who = Who { sid: None, subject: newcomer.user.subject(), actor: None };
    op.emit_failure(
        EventKind::Rejected,
        who,
        ErrorKind::NotFound,
        format!("a session of another system is not adopted: {why}"),
    );
    None
}

//! Acting as somebody else: a session of theirs that is good only while that of whoever acts is.

use std::sync::Arc;

use super::super::current::{Current, Denied, Effect, Issued, LoggedIn};
use super::super::named::{Named, Shown};
use super::ask::Asked;
use super::login::{Stored, fence_of, new_record};
use super::{Intent, Tracked, issue_for, key, opened, payload_of};
use crate::error::SessionError;
use crate::event::{EventKind, Who};
use crate::login::LoginOptions;
use crate::payload::SessionPayload;
use crate::service::Operation;
use crate::store::{SessionRecord, Touch};
use crate::terms::{Actor, Terms, USUAL_LEVEL};
use crate::token::{Claims, Tries};

impl Tracked {
    /// A session of `user` for whoever has `own`, and the token of that, to be parked: no newer one than the client
    /// holds.
    pub(crate) async fn impersonate<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        user: U,
        mut options: LoginOptions,
        own: &SessionRecord,
        held: &Claims,
    ) -> Result<(LoggedIn<U>, Box<Issued>), SessionError> {
        let parked = self.parked(op, own, held)?;
        let subject = own.subject().unwrap_or_default().to_owned();
        options.actor = Some(Actor { sid: own.id, subject });
        options.ends_by = Some(held.expires_at);
        options.remember = Some(options.remember.unwrap_or(true) && parked.is_remembered);
        let subject = user.subject();
        let payload = payload_of(op, &user, subject.as_deref())?;
        let fence = fence_of(op, &options, subject.as_deref())?;
        let record = new_record(op, subject.as_deref(), payload, &options, None)?;
        drop(subject);
        match self.store_new(op, record, None, fence).await? {
            Stored::Done(record, issued) => {
                let current = opened(Arc::new(user), *record);
                Ok((LoggedIn { current, issued, replaced: Vec::new() }, parked))
            }
            // It has none.
            Stored::PredecessorChanged => Err(self.kept_changing(op)),
        }
    }

    /// A token that another request has replaced meanwhile would be a replay when it comes back.
    fn parked<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        own: &SessionRecord,
        held: &Claims,
    ) -> Result<Box<Issued>, SessionError> {
        if held.generation < Some(own.generation) {
            return Err(self.kept_changing(op));
        }
        issue_for(op, own, *held)
    }

    /// The record of a session, unless somebody acts as its user whose own session is over. Then it is deleted, but for
    /// one who only looks.
    pub(super) async fn with_actor<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        record: SessionRecord,
        actor: &Actor,
        intent: Intent,
    ) -> Result<Option<SessionRecord>, SessionError> {
        let (now, key) = (op.now(), key(op, actor.sid));
        let own = match intent {
            Intent::Peek => self.call(op, |store| store.read(key, now)).await?,
            // It is in use, whichever token its client has parked.
            Intent::UseAsIs | Intent::Use | Intent::Refresh => {
                let lifetimes = &op.lifetimes;
                let (interval, idle) = (lifetimes.last_seen_interval, lifetimes.idle_timeout);
                let touch = Touch::new(interval, idle, SessionRecord::LAST, lifetimes.replay_grace);
                self.call(op, |store| store.read_and_touch(key, touch, now)).await?
            }
        };
        if let Some(own) = own.filter(|own| may_act(op, actor, own))
            && self.may_go_on(op, own, intent).await
        {
            return Ok(Some(record));
        }
        if intent != Intent::Peek {
            self.end_record(op, &record, "the session of whoever acted as the user has ended").await?;
        }
        Ok(None)
    }

    /// Whether the account of whoever acts may go on: their session is in use, so it is asked about as any.
    async fn may_go_on<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        own: SessionRecord,
        intent: Intent,
    ) -> bool {
        if intent == Intent::Peek || !self.is_due(op, &own) {
            return true;
        }
        !matches!(self.ask(op, &own.claims(), own).await, Ok(Asked::Ended(_)))
    }

    /// Adds the sessions that parked tokens name.
    pub(crate) fn name_parked<'t, U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        tokens: impl Iterator<Item = &'t str>,
        named: &mut Named<U>,
    ) {
        let (now, tries) = (op.now(), Tries::new());
        for token in tokens {
            if let Ok(claims) = op.codec.verify_reference_in(token.as_bytes(), now, &tries) {
                named.also(claims);
            }
        }
    }

    /// The session of whoever acts as somebody, by a token that was parked, and the token that its client gets. The one
    /// in which they act is over then, if it was not yet. `None`: there is no such token, or its session is over.
    pub(crate) async fn restore<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        acted: Option<&Current<U>>,
        parked: Named<U>,
    ) -> Result<Option<(Current<U>, Box<Issued>)>, SessionError> {
        let actor = acted.and_then(Current::actor);
        let is_theirs = |shown: &Shown<U>| actor.is_none_or(|actor| actor.sid == shown.claims.sid);
        let Some(shown) = parked.newest_first().find(|shown| is_theirs(shown)) else { return Ok(None) };
        let (own, newer) = match self.use_at(op, op.now(), &shown.claims, Intent::Use).await {
            Ok(Effect::Show(own, issued)) => (own, issued),
            Ok(Effect::Send(own, issued)) => (own, Some(issued)),
            Err(Denied { error, .. }) if error.kind().is_unauthenticated() => return Ok(None),
            Err(denied) => return Err(denied.error),
        };
        let Some(own_record) = own.record.as_ref().filter(|record| is_whole(record)) else { return Ok(None) };
        let issued = match newer {
            Some(newer) => newer,
            None => issue_for(op, own_record, own.claims)?,
        };
        if let Some(record) = acted.and_then(|acted| acted.record.as_ref()) {
            let key = key(op, record.id);
            if self.call(op, |store| store.delete(key)).await? {
                op.emit_because(
                    EventKind::Destroyed,
                    Who::record(record),
                    "nobody acts as the user any more",
                );
            }
        }
        Ok(Some((own, issued)))
    }
}

/// A login of an account as itself that waits for nothing.
fn is_whole(record: &SessionRecord) -> bool {
    let is_own =
        |terms: &Arc<Terms>| terms.are_known() && terms.actor.is_none() && terms.level >= USUAL_LEVEL;
    record.subject().is_some() && record.terms.as_ref().is_none_or(is_own)
}

/// Whether a session is that of whoever acts, and still good.
fn may_act<U: SessionPayload>(op: &Operation<'_, U>, actor: &Actor, own: &SessionRecord) -> bool {
    is_whole(own)
        && own.subject() == Some(&*actor.subject)
        && op.lifetimes.judge(&own.times(), op.now()).is_live
}

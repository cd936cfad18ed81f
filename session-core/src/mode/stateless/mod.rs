//! Sessions that live in the cookie alone.

mod ended;
mod flow;

use std::sync::Arc;

pub(crate) use ended::EndedList;

use super::Destroyed;
use super::current::{Current, Denied, Effect, Endable, Issued, LoggedIn, Opened, Present};
use super::named::Shown;
use super::tracked::Intent;
use super::verified::{Verified, more_telling};
use crate::error::{ErrorKind, SessionError};
use crate::event::EventKind;
use crate::id::SessionId;
use crate::login::LoginOptions;
use crate::payload::SessionPayload;
use crate::revalidation::Revalidation;
use crate::service::{Operation, Service};
use crate::terms::Terms;
use crate::token::Claims;

/// A token says everything; what has ended before its time is remembered in this process.
pub(crate) struct Stateless {
    ended: EndedList,
    /// The flows that were taken.
    taken: EndedList,
}

impl Stateless {
    pub(crate) fn new(ended: EndedList, taken: EndedList) -> Self {
        Self { ended, taken }
    }

    pub(super) async fn open<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        shown: &Verified<U>,
        intent: Intent,
    ) -> Opened<U> {
        let mut failure = shown.refuse(op);
        for Shown { claims, user, terms } in shown.usable.newest_first() {
            let Some(user) = user else { continue };
            let current = Current::stateless(Arc::clone(user), *claims, terms.clone());
            match self.take(op, current, intent).await {
                Ok(effect) => return Opened { named: shown.named(), outcome: Ok(effect) },
                Err(error) => failure = more_telling(failure, error),
            }
        }
        let outcome = Err(failure.unwrap_or_else(|| op.error(ErrorKind::NotFound)));
        Opened { named: shown.named(), outcome }
    }

    /// As [`open`](Self::open) would, without what it has for every other case.
    pub(super) fn open_at_once<U: SessionPayload>(
        &self,
        service: &Service<U>,
        shown: &Verified<U>,
        intent: Intent,
    ) -> Option<Current<U>> {
        let Shown { claims, user, terms } = shown.only()?;
        if self.has_ended(claims.sid) {
            return None;
        }
        // Only now: when a token expires the list may forget that its session has ended.
        let standing = service.lifetimes.judge(&claims.times(), service.now());
        let renews = match intent {
            Intent::Peek | Intent::UseAsIs => false,
            Intent::Use => standing.refresh_due,
            Intent::Refresh => true,
        };
        if renews || !standing.is_live {
            return None;
        }
        Some(Current::stateless(Arc::clone(user.as_ref()?), *claims, terms.clone()))
    }

    /// Takes a verified token as the session, and refreshes it when due.
    async fn take<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        current: Current<U>,
        intent: Intent,
    ) -> Result<Effect<U>, SessionError> {
        self.not_ended(op, &current.claims)?;
        let standing = op.lifetimes.judge(&current.claims.times(), op.now());
        if !standing.is_live {
            return Err(op.expired(current.who()));
        }
        match intent {
            Intent::Peek | Intent::UseAsIs => Ok(Effect::Show(current, None)),
            Intent::Use if !standing.refresh_due => Ok(Effect::Show(current, None)),
            Intent::Use | Intent::Refresh => Box::pin(self.renew(op, current, intent)).await,
        }
    }

    pub(super) async fn refresh<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        current: Current<U>,
    ) -> Result<Effect<U>, Denied> {
        self.not_ended(op, &current.claims)?;
        Ok(self.renew(op, current, Intent::Refresh).await?)
    }

    /// A newer token for the same session, if it says anything new. Nobody is logged out by it: the older one stays good.
    async fn renew<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        current: Current<U>,
        intent: Intent,
    ) -> Result<Effect<U>, SessionError> {
        let user = match op.revalidate(|| Arc::clone(&current.user)).await {
            Revalidation::Keep => None,
            Revalidation::Replace(user) => Some(user),
            Revalidation::Defer => return Ok(Effect::Show(current, None)),
            Revalidation::End => return Err(self.end_disabled(op, &current)),
        };
        if op.now() >= current.claims.expires_at {
            return Err(op.expired(current.who()));
        }
        // A logout that came in between wins.
        self.not_ended(op, &current.claims)?;
        match self.renewed(op, &current, user) {
            Ok(Some(renewed)) => {
                op.emit(EventKind::Refreshed, renewed.current().who());
                Ok(renewed)
            }
            Ok(None) => Ok(Effect::Show(current, None)),
            // An automatic refresh never fails the request: the session goes on with the token that it has.
            Err(error) if intent == Intent::Use => {
                op.emit_failure(EventKind::Rejected, current.who(), error.kind(), error.to_string());
                Ok(Effect::Show(current, None))
            }
            Err(error) => Err(error),
        }
    }

    fn renewed<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        current: &Current<U>,
        user: Option<U>,
    ) -> Result<Option<Effect<U>>, SessionError> {
        let (now, claims) = (op.now(), current.claims);
        let expires_at = op.lifetimes.fresh_expiry(claims.start(), now);
        if user.is_none() && expires_at <= claims.expires_at {
            return Ok(None);
        }
        if let Some(user) = &user {
            op.same_account(current.user.subject().as_deref(), user.subject().as_deref())?;
        }
        let user = user.map_or_else(|| Arc::clone(&current.user), Arc::new);
        let expires_at = expires_at.max(claims.expires_at);
        let claims = Claims { issued_at: now, expires_at, ..claims };
        let renewed = Current::stateless(user, claims, current.terms().cloned());
        let issued = issue(op, &renewed)?;
        Ok(Some(Effect::Show(renewed, Some(issued))))
    }

    pub(super) async fn create<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        user: U,
        options: &LoginOptions,
        present: &mut Present<U>,
    ) -> Result<LoggedIn<U>, SessionError> {
        self.login(op, Arc::new(user), options, None, present)
    }

    pub(super) async fn reauthenticate<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        options: &LoginOptions,
        present: &Present<U>,
    ) -> Result<LoggedIn<U>, SessionError> {
        let current = present.current.as_ref().ok_or_else(|| op.error(ErrorKind::NotFound))?;
        self.not_ended(op, &current.claims)?;
        let before = current.terms().map(|terms| &**terms);
        self.login(op, Arc::clone(&current.user), options, before, present)
    }

    fn login<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        user: Arc<U>,
        options: &LoginOptions,
        before: Option<&Terms>,
        present: &Present<U>,
    ) -> Result<LoggedIn<U>, SessionError> {
        if options.attempt.is_some() {
            return Err(op.error(ErrorKind::StoreRequired));
        }
        let (claims, terms) = op.begin(None, None, user.subject().is_none(), options, before)?;
        let current = Current::stateless(user, claims, terms);
        let issued = issue(op, &current)?;
        Ok(LoggedIn { current, issued, replaced: self.endable(op, present) })
    }

    /// Only now: without a store a login is nothing but its cookie.
    pub(super) async fn settle<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        login: &Current<U>,
        replaced: Vec<Endable>,
    ) {
        for replaced in &replaced {
            if self.end(op, replaced) {
                op.emit_because(EventKind::Revoked, replaced.who(), super::REPLACED);
            }
        }
        op.emit(EventKind::Created, login.who());
    }

    /// The token keeps its expiry: changing the payload extends nothing.
    pub(super) async fn update<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        current: Current<U>,
        change: &mut (dyn FnMut(&mut U) + Send),
    ) -> Result<Effect<U>, SessionError> {
        self.not_ended(op, &current.claims)?;
        let mut user = U::clone(&current.user);
        change(&mut user);
        op.same_account(current.user.subject().as_deref(), user.subject().as_deref())?;
        let now = op.now().min(current.claims.expires_at);
        let claims = Claims { issued_at: now.max(current.claims.issued_at), ..current.claims };
        let updated = Current::stateless(Arc::new(user), claims, current.terms().cloned());
        let issued = issue(op, &updated)?;
        op.emit(EventKind::Updated, updated.who());
        Ok(Effect::Send(updated, issued))
    }

    /// Remembers every session that the request may end as ended. `CookieOnly` when the list has no place for one.
    pub(super) async fn destroy<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        present: &mut Present<U>,
    ) -> Result<Destroyed, SessionError> {
        let ended = self.endable(op, present);
        if ended.is_empty() {
            super::tell_of_no_session(op, present);
        }
        let mut destroyed = Destroyed::Session;
        for ended in &ended {
            if !self.end(op, ended) {
                destroyed = Destroyed::CookieOnly;
            }
            op.emit(EventKind::Destroyed, ended.who());
        }
        Ok(destroyed)
    }

    /// The current session and those that the request names with a token that is still good.
    ///
    /// Without generations every token of a session is as good as the newest until its own time is over. From then on
    /// it ends nothing: the session may have gone on with another one, and if it has not, it is over.
    fn endable<U: SessionPayload>(&self, op: &Operation<'_, U>, present: &Present<U>) -> Vec<Endable> {
        let now = op.now();
        let current = present.current.as_ref().map(|current| current.claims.sid);
        let may_end = |claims: &Claims| {
            (now < claims.expires_at || Some(claims.sid) == current) && !self.has_ended(claims.sid)
        };
        present.sessions().filter(|shown| may_end(&shown.claims)).map(|shown| endable(&shown)).collect()
    }

    fn end_disabled<U: SessionPayload>(&self, op: &Operation<'_, U>, current: &Current<U>) -> SessionError {
        self.end(op, &endable(&current.shown()));
        op.emit_because(EventKind::Revoked, current.who(), "revalidation ended it");
        op.error(ErrorKind::NotFound)
    }

    /// Until no token of this session can be good any more: not even one that is being issued right now. `false`, and
    /// an event, when the list is full.
    fn end<U: SessionPayload>(&self, op: &Operation<'_, U>, ended: &Endable) -> bool {
        let remembered = self.ended.insert(ended.id, ended.expires_at, &*op.clock).is_ok();
        if !remembered {
            op.emit(EventKind::EndedListFull, ended.who());
        }
        remembered
    }

    pub(super) fn newest<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        current: &Current<U>,
    ) -> Result<Current<U>, SessionError> {
        if op.now() >= current.claims.expires_at || self.has_ended(current.claims.sid) {
            return Err(op.error(ErrorKind::NotFound));
        }
        Ok(current.clone())
    }

    pub(super) fn has_ended(&self, sid: SessionId) -> bool {
        self.ended.contains(sid)
    }

    fn not_ended<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        claims: &Claims,
    ) -> Result<(), SessionError> {
        match self.ended.refuses(claims.sid, claims.expires_at, &*op.clock) {
            true => Err(op.error(ErrorKind::NotFound)),
            false => Ok(()),
        }
    }

    pub(super) fn describe(&self) -> String {
        "An account may have any number of sessions. Sessions live in the cookie alone: a logout is effective at once \
         in this process; other processes, and this one after a restart, accept a copied token, and refresh it up to its \
         absolute lifetime."
            .to_owned()
    }
}

fn endable<U: SessionPayload>(shown: &Shown<U>) -> Endable {
    let subject = shown.user.as_deref().and_then(U::subject).map(|subject| subject.into_owned());
    Endable {
        id: shown.claims.sid,
        subject,
        actor: None,
        expires_at: shown.claims.expires_at,
        is_live: true,
        is_unmarked: false,
    }
}

fn issue<U: SessionPayload>(
    op: &Operation<'_, U>,
    current: &Current<U>,
) -> Result<Box<Issued>, SessionError> {
    let terms = current.terms().map(|terms| &**terms);
    let token = op.token(op.codec.issue_for(&current.claims, terms, &*current.user, &*op.random))?;
    let is_remembered = terms.is_none_or(|terms| terms.is_remembered);
    Ok(Box::new(Issued { token, claims: current.claims, is_remembered }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

    use std::sync::{Mutex, PoisonError};

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::event::SessionEvent;
    use crate::manager::SessionManager;
    use crate::testing::{TestRequest, logged_in_cookie};
    use crate::token::KeyRing;

    #[derive(Clone, Serialize, Deserialize)]
    struct User {
        name: String,
    }

    impl SessionPayload for User {
        fn subject(&self) -> Option<std::borrow::Cow<'_, str>> {
            Some((&self.name).into())
        }
    }

    #[test]
    fn a_full_list_is_told_of_the_session_that_found_no_room() {
        let full = Arc::new(Mutex::new(Vec::new()));
        let trail = Arc::clone(&full);
        let observer = move |event: &SessionEvent| {
            if event.kind == EventKind::EndedListFull {
                trail.lock().unwrap_or_else(PoisonError::into_inner).push(event.subject.clone());
            }
        };
        let keys = KeyRing::from_secret("a secret of at least thirty-two bytes").unwrap();
        let builder = SessionManager::<User>::builder().keys(keys).observer(observer);
        let sessions = builder.ended_capacity(0).build().unwrap();
        let login = |name: &str| {
            let user = User { name: name.to_owned() };
            ready(logged_in_cookie(&sessions, user)).unwrap()
        };
        let cookies = format!("{}; {}", login("ann"), login("eve"));
        full.lock().unwrap().clear();
        let logout = TestRequest::new("POST", "/logout").cookie(&cookies);
        assert!(ready(sessions.destroy_session(&logout)).is_ok());
        let mut full = full.lock().unwrap().clone();
        full.sort();
        assert_eq!(full, [Some("ann".to_owned()), Some("eve".to_owned())]);
    }

    /// Without a store nothing is ever pending.
    fn ready<T>(future: impl Future<Output = T>) -> T {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::pin!(future).poll(&mut context) {
            std::task::Poll::Ready(value) => value,
            std::task::Poll::Pending => panic!("it waits"),
        }
    }
}

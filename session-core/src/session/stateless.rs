//! Sessions that live in the cookie alone.

use std::sync::Arc;

use super::ending::REPLACED;
use super::{Current, Intent, Outgoing, Session, Shown, Who};
use crate::manager::Revalidation;
use crate::token::Claims;
use crate::{ErrorKind, EventKind, SessionError, SessionPayload, SessionToken, Timestamp};

impl<U: SessionPayload> Session<U> {
    /// Takes a verified token as the session, and refreshes it when due.
    pub(super) async fn use_stateless(
        &self,
        claims: Claims,
        user: Arc<U>,
        intent: Intent,
    ) -> Result<(), SessionError> {
        let manager = &self.0.manager;
        let now = self.now();
        if manager.ended.contains(claims.sid) {
            return Err(self.error(ErrorKind::NotFound));
        }
        let standing = manager.lifetimes.judge(&claims.times(), now);
        if !standing.is_live {
            return Err(self.expired(&claims, user.subject().as_deref()));
        }
        self.state().current = Some(Current::stateless(user, claims));
        match intent {
            Intent::Peek | Intent::UseAsIs => Ok(()),
            Intent::Use if !standing.refresh_due => Ok(()),
            Intent::Use | Intent::Refresh => Box::pin(self.renew_stateless(intent)).await.map(drop),
        }
    }

    /// A newer token for the same session, if it says anything new. Nobody is logged out by it: the older one stays good.
    pub(super) async fn renew_stateless(&self, intent: Intent) -> Result<Option<SessionToken>, SessionError> {
        let Some(current) = self.current() else { return Err(self.refusal()) };
        let user = match self.revalidate(&current.user).await {
            Revalidation::Keep => Arc::clone(&current.user),
            Revalidation::Replace(user) => {
                match self.same_account(current.user.subject().as_deref(), user.subject().as_deref()) {
                    Ok(()) => Arc::new(user),
                    Err(error) => return self.not_renewed(intent, &current, error),
                }
            }
            Revalidation::Defer => return Ok(None),
            Revalidation::End => return Err(self.end_disabled_stateless(&current)),
        };
        let now = self.now();
        let expires_at = self.0.manager.lifetimes.fresh_expiry(current.claims.authenticated_at, now);
        if now >= current.claims.expires_at {
            return Err(self.expired(&current.claims, user.subject().as_deref()));
        }
        let is_the_same = Arc::ptr_eq(&user, &current.user);
        if is_the_same && expires_at <= current.claims.expires_at {
            return Ok(None);
        }
        let claims = Claims {
            issued_at: now,
            expires_at: expires_at.max(current.claims.expires_at),
            ..current.claims
        };
        let renewed = Current::stateless(user, claims);
        let issued = self.issue_stateless(&renewed);
        match issued.and_then(|token| self.check_size(&token).map(|()| token)) {
            Ok(token) => {
                self.send_stateless(renewed, token.clone())?;
                self.emit_about(EventKind::Refreshed, &claims);
                Ok(Some(token))
            }
            Err(error) => self.not_renewed(intent, &current, error),
        }
    }

    /// An automatic refresh never fails the request: the session goes on with the token that it has.
    fn not_renewed(
        &self,
        intent: Intent,
        current: &Current<U>,
        error: SessionError,
    ) -> Result<Option<SessionToken>, SessionError> {
        if intent != Intent::Use {
            return Err(error);
        }
        let subject = current.user.subject();
        let who = Who::session(&current.claims, subject.as_deref());
        self.emit(EventKind::Rejected, who, Some(error.kind()), Some(error.to_string()));
        Ok(None)
    }

    pub(super) fn create_stateless(&self, user: U) -> Result<SessionToken, SessionError> {
        let claims = self.new_claims(None)?;
        let created = Current::stateless(Arc::new(user), claims);
        let token = self.issue_stateless(&created)?;
        let replaced = self.endable_stateless();
        self.send_stateless(created, token.clone())?;
        self.end_replaced_stateless(&replaced);
        self.emit_about(EventKind::Created, &claims);
        Ok(token)
    }

    pub(super) fn reauthenticate_stateless(
        &self,
        current: &Current<U>,
    ) -> Result<SessionToken, SessionError> {
        let claims = self.new_claims(None)?;
        let renewed = Current::stateless(Arc::clone(&current.user), claims);
        let token = self.issue_stateless(&renewed)?;
        let replaced = self.endable_stateless();
        self.send_stateless(renewed, token.clone())?;
        self.end_replaced_stateless(&replaced);
        self.emit_about(EventKind::Created, &claims);
        Ok(token)
    }

    /// The token keeps its expiry: changing the payload extends nothing.
    pub(super) fn update_stateless(&self, current: &Current<U>, user: U) -> Result<Arc<U>, SessionError> {
        let user = Arc::new(user);
        let now = self.now().min(current.claims.expires_at);
        let claims = Claims { issued_at: now.max(current.claims.issued_at), ..current.claims };
        let updated = Current::stateless(Arc::clone(&user), claims);
        let token = self.issue_stateless(&updated)?;
        self.send_stateless(updated, token)?;
        self.emit_about(EventKind::Updated, &claims);
        Ok(user)
    }

    /// Remembers every session that the request may end as ended. `false` when one of them found no room.
    pub(super) fn destroy_stateless(&self) -> bool {
        let ended = self.endable_stateless();
        if ended.is_empty() {
            self.tell_of_no_session();
        }
        let mut remembered = true;
        for shown in &ended {
            remembered &= self.end_stateless(shown);
            self.emit(
                EventKind::Destroyed,
                Who::session(&shown.claims, shown.subject().as_deref()),
                None,
                None,
            );
        }
        remembered
    }

    fn end_replaced_stateless(&self, replaced: &[Shown<U>]) {
        for shown in replaced {
            if self.end_stateless(shown) {
                self.emit(
                    EventKind::Revoked,
                    Who::session(&shown.claims, shown.subject().as_deref()),
                    None,
                    Some(REPLACED.to_owned()),
                );
            }
        }
    }

    /// The current session and those that the request names with a token that is still good.
    ///
    /// Without generations every token of a session is as good as the newest until its own time is over. From then on
    /// it ends nothing: the session may have gone on with another one, and if it has not, it is over.
    fn endable_stateless(&self) -> Vec<Shown<U>> {
        let now = self.now();
        let current = self.current().map(|current| current.claims.sid);
        let mut shown = self.named_and_current();
        shown.retain(|Shown { claims, .. }| {
            (now < claims.expires_at || Some(claims.sid) == current)
                && !self.0.manager.ended.contains(claims.sid)
        });
        shown
    }

    fn end_disabled_stateless(&self, current: &Current<U>) -> SessionError {
        let ended = current.shown();
        self.end_stateless(&ended);
        self.state().lose();
        self.emit(
            EventKind::Revoked,
            Who::session(&ended.claims, ended.subject().as_deref()),
            None,
            Some("revalidation ended it".into()),
        );
        self.error(ErrorKind::NotFound)
    }

    /// Until no token of this session can be good any more: not even one that is being issued right now. `false`, and
    /// an event, when there is no room.
    fn end_stateless(&self, shown: &Shown<U>) -> bool {
        let (manager, claims) = (&self.0.manager, &shown.claims);
        let remembered = manager.ended.insert(claims.sid, claims.expires_at, &*manager.clock).is_ok();
        if !remembered {
            self.emit(
                EventKind::EndedListFull,
                Who::session(&shown.claims, shown.subject().as_deref()),
                None,
                None,
            );
        }
        remembered
    }

    fn issue_stateless(&self, current: &Current<U>) -> Result<SessionToken, SessionError> {
        let issued = self.0.manager.codec.issue_for(&current.claims, &*current.user);
        issued.map(SessionToken::new).map_err(|error| self.not_issued(&error))
    }

    /// A logout that came in between wins over what this request still wants. With a store the record says so.
    pub(super) fn not_ended(&self, claims: &Claims) -> Result<(), SessionError> {
        if self.0.manager.ended.contains(claims.sid) { Err(self.gone()) } else { Ok(()) }
    }

    fn send_stateless(&self, current: Current<U>, token: SessionToken) -> Result<(), SessionError> {
        self.check_size(&token)?;
        self.not_ended(&current.claims)?;
        let mut state = self.state();
        if state.closed {
            drop(state);
            return Err(self.error(ErrorKind::ResponseSent));
        }
        state.outgoing = Outgoing::Send { token, claims: current.claims };
        state.current = Some(current);
        Ok(())
    }

    /// Claims for a new login, good from now on.
    pub(super) fn new_claims(&self, generation: Option<u64>) -> Result<Claims, SessionError> {
        let now: Timestamp = self.now();
        let sid =
            self.0.manager.new_id().map_err(|error| self.error(ErrorKind::Randomness).source_is(error))?;
        let expires_at = self.0.manager.lifetimes.fresh_expiry(now, now);
        Ok(Claims { sid, generation, issued_at: now, expires_at, authenticated_at: now })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

    use std::sync::{Mutex, PoisonError};

    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::testing::{TestRequest, logged_in_cookie};
    use crate::{KeyRing, SessionEvent, SessionManager};

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

//! The manager's operations without a framework: a request in plain data, an answer in plain data.

use std::sync::Arc;

use super::SessionManager;
use crate::error::SessionError;
use crate::login::Login;
use crate::payload::SessionPayload;
use crate::request::RequestHead;
use crate::response::{ResponseChanges, SessionToken};
use crate::session::{Incoming, Session, Slot};
use crate::status::SessionStatus;

/// What an operation did: the session as it is now, and what the response must say of it.
#[derive(Debug)]
#[must_use = "its changes belong on the response"]
#[non_exhaustive]
pub struct Outcome<U: SessionPayload> {
    /// The session after the operation.
    pub session: Session<U>,
    /// A new token, for native clients; browsers get it as a cookie.
    pub token: Option<SessionToken>,
    /// The headers to put on the response.
    pub changes: ResponseChanges,
}

impl<U: SessionPayload> Outcome<U> {
    /// The user.
    #[must_use]
    pub fn user(&self) -> Option<Arc<U>> {
        self.session.user()
    }

    /// How the session stands.
    #[must_use]
    pub fn status(&self) -> SessionStatus {
        self.session.status()
    }

    fn of(slot: &Slot<U>, session: Session<U>, token: Option<SessionToken>) -> Self {
        Self { session, token, changes: slot.close(&()) }
    }
}

impl<U: SessionPayload> SessionManager<U> {
    /// Logs `user` in, as [`Session::create`](crate::Session::create) does.
    ///
    /// # Errors
    /// As [`Session::create`](crate::Session::create).
    pub fn create_session(&self, user: U, head: &impl RequestHead) -> Login<'static, Outcome<U>> {
        let (slot, incoming) = self.received(head);
        Login::new(move |options| async move {
            let session = incoming.session();
            let token = session.create_with(user, &options).await?;
            Ok(Outcome::of(&slot, session, Some(token)))
        })
    }

    /// The session of a request, or `None` when there is none, or its login waits for the second factor: where it is
    /// `Some`, so is its user. Refreshes it when that is due. A guest has a session, too:
    /// [`require_user`](crate::Session::require_user) tells one from a user who is logged in.
    ///
    /// For a login that waits, as for any other guard, open the request by hand:
    /// `manager.slot().receive(&head).extract::<Pending<User>>()`.
    ///
    /// # Errors
    /// `CrossOrigin`; `StoreUnavailable`, when the answer is not known.
    pub async fn get_session(&self, head: &impl RequestHead) -> Result<Option<Outcome<U>>, SessionError> {
        let (slot, incoming) = self.received(head);
        match incoming.open().await {
            Ok(()) => {
                let session = incoming.session();
                Ok(session.user().is_some().then(|| Outcome::of(&slot, session, None)))
            }
            Err(error) if error.kind().is_unauthenticated() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Refreshes the session of a request now.
    ///
    /// # Errors
    /// As [`Session::refresh`](crate::Session::refresh).
    pub async fn refresh_session(&self, head: &impl RequestHead) -> Result<Outcome<U>, SessionError> {
        let (slot, incoming) = self.received(head);
        let session = incoming.session();
        let token = session.refresh().await?;
        Ok(Outcome::of(&slot, session, token))
    }

    /// Logs out: the session is over, and the changes clear the cookie, also when there was no session.
    ///
    /// # Errors
    /// As [`Session::destroy`](crate::Session::destroy).
    pub async fn destroy_session(&self, head: &impl RequestHead) -> Result<ResponseChanges, SessionError> {
        let (slot, incoming) = self.received(head);
        incoming.session().destroy().await?;
        Ok(slot.close(&()))
    }

    /// How the session of a request stands. Never writes, never sets a cookie.
    ///
    /// # Errors
    /// `CrossOrigin`; `StoreUnavailable`, when the answer is not known.
    pub async fn check_session_status(&self, head: &impl RequestHead) -> Result<SessionStatus, SessionError> {
        let (_slot, incoming) = self.received(head);
        match incoming.peek().await {
            Err(error) if !error.kind().is_unauthenticated() => Err(error),
            _ => Ok(incoming.session().status()),
        }
    }

    fn received(&self, head: &impl RequestHead) -> (Slot<U>, Incoming<U>) {
        let slot = self.slot();
        let incoming = slot.receive(head);
        (slot, incoming)
    }
}

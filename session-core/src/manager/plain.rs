//! The manager's operations without a framework: a request in plain data, an answer in plain data.

use std::sync::Arc;

use crate::request::RequestHead;
use crate::response::ResponseChanges;
use crate::{Session, SessionError, SessionManager, SessionPayload, SessionStatus, SessionToken};

/// What an operation did: the session as it is now, and what the response must say of it.
#[derive(Debug)]
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

    fn of(session: Session<U>, token: Option<SessionToken>) -> Self {
        let changes = session.close(&());
        Self { session, token, changes }
    }
}

impl<U: SessionPayload> SessionManager<U> {
    /// Logs `user` in, as [`Session::create`] does.
    ///
    /// # Errors
    /// As [`Session::create`].
    pub async fn create_session(&self, user: U, head: &impl RequestHead) -> Result<Outcome<U>, SessionError> {
        let session = self.received(head);
        let token = session.create(user).await?;
        Ok(Outcome::of(session, Some(token)))
    }

    /// The session of a request, or `None` when nobody is logged in. Refreshes it when that is due.
    ///
    /// # Errors
    /// `CrossOrigin`; `StoreUnavailable`, when the answer is not known.
    pub async fn get_session(&self, head: &impl RequestHead) -> Result<Option<Outcome<U>>, SessionError> {
        let session = self.received(head);
        match session.open().await {
            Ok(()) => Ok(Some(Outcome::of(session, None))),
            Err(error) if error.kind().is_unauthenticated() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Refreshes the session of a request now.
    ///
    /// # Errors
    /// As [`Session::refresh`].
    pub async fn refresh_session(&self, head: &impl RequestHead) -> Result<Outcome<U>, SessionError> {
        let session = self.received(head);
        let token = session.refresh().await?;
        Ok(Outcome::of(session, token))
    }

    /// Logs out: the session is over, and the changes clear the cookie, also when there was no session.
    ///
    /// # Errors
    /// As [`Session::destroy`].
    pub async fn destroy_session(&self, head: &impl RequestHead) -> Result<ResponseChanges, SessionError> {
        let session = self.received(head);
        session.destroy().await?;
        Ok(session.close(&()))
    }

    /// How the session of a request stands. Never writes, never sets a cookie.
    ///
    /// # Errors
    /// `CrossOrigin`; `StoreUnavailable`, when the answer is not known.
    pub async fn check_session_status(&self, head: &impl RequestHead) -> Result<SessionStatus, SessionError> {
        let session = self.received(head);
        match session.peek().await {
            Err(error) if !error.kind().is_unauthenticated() => Err(error),
            _ => Ok(session.status()),
        }
    }

    fn received(&self, head: &impl RequestHead) -> Session<U> {
        let session = self.slot();
        session.receive(head);
        session
    }
}

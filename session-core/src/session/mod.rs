//! One request's session: received once, opened at most once, changed by the handler, closed with the response.

mod adopt;
mod close;
mod companions;
mod devices;
mod impersonation;
mod operations;
mod request;
mod slot;
mod state;

use std::any::type_name;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use impersonation::Stopped;
pub(crate) use request::Request;
pub use slot::{Incoming, Slot};

use crate::error::{ErrorKind, SessionError};
use crate::mode::{Intent, refreshable_in};
use crate::payload::SessionPayload;
use crate::status::{SessionMetadata, SessionStatus};

/// The session of one request, as a handler holds it.
///
/// A clone is another handle on the same session. Operations on one session run one after the other. An operation
/// has happened when it returns; one that fails, or whose future is dropped, leaves the session before it or
/// after it.
///
/// A handler that panics while it holds a handle sends no cookie: handles are dropped while it unwinds.
pub struct Session<U: SessionPayload>(pub(crate) Arc<Request<U>>);

impl<U: SessionPayload> Session<U> {
    /// The payload of whoever has a session, a guest included. For somebody who is logged in, ask
    /// [`require_user`](Self::require_user). `None` for a login that waits for its second factor: that is for
    /// [`Pending`](crate::Pending).
    #[must_use]
    pub fn user(&self) -> Option<Arc<U>> {
        let state = self.0.state();
        state
            .current
            .as_ref()
            .filter(|current| !current.is_pending())
            .map(|current| Arc::clone(&current.user))
    }

    /// The user whose login waits for its second factor.
    pub(crate) fn pending_user(&self) -> Option<Arc<U>> {
        let state = self.0.state();
        state.current.as_ref().filter(|current| current.is_pending()).map(|current| Arc::clone(&current.user))
    }

    /// The user who is logged in, or the error that says why there is none: 401, or for a browser navigation, when a
    /// [login page](crate::SessionManagerBuilder::login_page) is configured, a redirect to it.
    ///
    /// A guest, whose payload names no [subject](SessionPayload::subject), is not logged in, nor is a login that waits for
    /// its second factor.
    ///
    /// # Errors
    /// Why there is none; `NotFound` for a guest; `LoginIncomplete`.
    pub fn require_user(&self) -> Result<Arc<U>, SessionError> {
        self.logged_in().ok_or_else(|| self.0.refusal())
    }

    /// The user, unless it is a guest or the login waits for its second factor.
    pub(crate) fn logged_in(&self) -> Option<Arc<U>> {
        let state = self.0.state();
        let current = state.current.as_ref().filter(|current| !current.is_guest() && current.level() > 0)?;
        Some(Arc::clone(&current.user))
    }

    /// The subject of whoever acts as the user, by [`impersonate`](Self::impersonate): for a banner, and for your own log.
    #[must_use]
    pub fn actor(&self) -> Option<String> {
        let current = self.0.current()?;
        current.actor().map(|actor| actor.subject.clone())
    }

    /// Whether the store lists the session under an account, whatever its payload says.
    pub(crate) fn has_account(&self) -> bool {
        self.0.state().current.as_ref().is_some_and(|current| current.account().is_some())
    }

    /// How the session stands now, for the client as it is after this response: by the token that it showed, or by the
    /// one that it is sent. Writes nothing, extends nothing.
    #[must_use]
    pub fn status(&self) -> SessionStatus {
        let now = self.0.now();
        let state = self.0.state();
        let Some((times, current)) = state.times().zip(state.current.as_ref()) else {
            return SessionStatus::none(state.reason());
        };
        let standing = self.0.engine.service.lifetimes.judge(&times, now);
        SessionStatus::live(&standing, times.start.authenticated_at)
            .about(current.is_guest(), current.terms().map(|terms| &**terms))
    }

    /// How long a [`refresh`](Self::refresh) of the token that the client then holds will bring no longer one, at the
    /// earliest: with a store a new token must be some [`replay_grace`](crate::Lifetimes::replay_grace) old, unless it is
    /// about to expire, and no refresh passes the absolute lifetime. `None` when nothing forbids a refresh, and without a
    /// session.
    #[must_use]
    pub fn refreshable_in(&self) -> Option<Duration> {
        let now = self.0.now();
        let state = self.0.state();
        let record = state.current.as_ref()?.record.as_deref();
        refreshable_in(&self.0.engine.service.lifetimes, &state.held()?, record, now)
    }

    /// When and from where the session is used, when there is one.
    #[must_use]
    pub fn metadata(&self) -> Option<SessionMetadata> {
        let (current, times) = {
            let state = self.0.state();
            (state.current.clone()?, state.times()?)
        };
        let client = self.0.received().map(|received| &received.client);
        let (user_agent, ip_address) = match (&current.record, client) {
            (Some(record), _) => (record.user_agent.clone(), record.ip_address),
            (None, Some(client)) => (client.user_agent.text(), client.ip_address),
            (None, None) => (None, None),
        };
        Some(SessionMetadata {
            created_at: times.start.authenticated_at,
            last_seen: times.last_seen.unwrap_or(times.issued_at),
            expires_at: self.0.engine.service.lifetimes.judge(&times, self.0.now()).expires_at,
            user_agent,
            ip_address,
        })
    }

    /// Refuses unless the login is of at least this level. In hybrid mode it asks the store, too, as
    /// [`recheck`](Self::recheck) does.
    ///
    /// # Errors
    /// `StepUpRequired`; `Forbidden` while somebody [acts as the user](Self::impersonate); as [`require_user`](Self::require_user) when nobody is logged in; `StoreUnavailable`.
    pub async fn require_level(&self, level: u8) -> Result<(), SessionError> {
        self.recheck_login().await?;
        match self.0.current() {
            Some(current) if current.actor().is_some() => Err(self.0.acted()),
            Some(current) if current.level() >= level => Ok(()),
            _ => Err(self.0.error(ErrorKind::StepUpRequired).level(level)),
        }
    }

    /// Somebody is logged in, as the store has it.
    async fn recheck_login(&self) -> Result<(), SessionError> {
        match self.recheck().await {
            // An error of this request's own: a browser may be sent to the login page.
            Err(error) if error.kind().is_unauthenticated() => {}
            rechecked => rechecked?,
        }
        self.require_user().map(drop)
    }

    /// A 403 `FORBIDDEN`, for a [`Guard`](crate::Guard) of your own. `detail` goes to logs, not to the client.
    #[must_use]
    pub fn forbidden(&self, detail: impl Into<Cow<'static, str>>) -> SessionError {
        self.0.error(ErrorKind::Forbidden).detail(detail)
    }

    /// What the application gave its guards with [`data`](crate::SessionManagerBuilder::data): a database pool, settings.
    ///
    /// # Errors
    /// `Misuse` that names the type when there is none of it.
    pub fn data<T: Send + Sync + 'static>(&self) -> Result<&T, SessionError> {
        self.0.engine.data.get().ok_or_else(|| {
            let name = type_name::<T>();
            self.0.error(ErrorKind::Misuse).detail(format!(
                "a guard asks for application data of the type {name}, and there is none: give it to the manager with \
                 .data(..)"
            ))
        })
    }

    /// Makes sure that the session has not ended elsewhere. Only hybrid mode has more to do than to look at what is
    /// known: a session that was opened without asking the store is read from it now, once, and [`user`](Self::user) is
    /// from then on what the store has. For handlers that do what must not be done with a revoked session;
    /// [`Fresh`](crate::Fresh), the session routes and every operation do it themselves.
    ///
    /// # Errors
    /// As [`require_user`](Self::require_user), but without a redirect, and a guest passes; `CrossOrigin`;
    /// `StoreUnavailable`, when the answer is not known.
    pub async fn recheck(&self) -> Result<(), SessionError> {
        self.0.recheck(Intent::Use, Intent::Peek).await
    }

    /// The user as the session has it now, or `None` when it is over: for a WebSocket, an event stream or a long job, which
    /// outlives its request and asks again every so often. With a store it is the record that is asked, in hybrid mode,
    /// too, so that it does not matter that the browser has had newer tokens since; without one, the token of the request
    /// and this process's ended sessions. No use of the session: nothing is refreshed or sent. Where
    /// [`revalidate_every`](crate::SessionManagerBuilder::revalidate_every) is due, it asks and writes the answer down: a
    /// socket may be all that its browser still uses.
    ///
    /// With a store one round trip.
    ///
    /// # Errors
    /// `StoreUnavailable`, when the answer is not known: ask again before you hang up. `CrossOrigin`.
    pub async fn still_open(&self) -> Result<Option<Arc<U>>, SessionError> {
        let turn = self.0.turn().await;
        let newest = match self.0.opened_in(&turn, Intent::Peek).await {
            Ok(current) => self.0.engine.mode.newest(&turn.op, &current).await,
            Err(error) => Err(error),
        };
        match self.0.answer(newest) {
            Ok(newest) => self.0.state().current = Some(newest),
            Err(error) if error.kind().is_unauthenticated() => {}
            Err(error) => return Err(error),
        }
        Ok(self.user())
    }

    /// Refuses unless the login is less than `limit` ago. In hybrid mode it asks the store, too, as
    /// [`recheck`](Self::recheck) does.
    ///
    /// # Errors
    /// `ReauthenticationRequired`; `Forbidden` while somebody [acts as the user](Self::impersonate); as [`require_user`](Self::require_user) when nobody is logged in, or a guest asks;
    /// `StoreUnavailable`.
    pub async fn require_fresh(&self, limit: Duration) -> Result<(), SessionError> {
        self.recheck_login().await?;
        if self.actor().is_some() {
            return Err(self.0.acted());
        }
        // Another system's word is no proof, however young.
        let is_adopted = self.0.current().is_some_and(|current| current.is_adopted());
        match self.status().authenticated_at.filter(|_| !is_adopted) {
            Some(at) if self.0.now() < at.plus(limit) => Ok(()),
            _ => Err(self.0.error(ErrorKind::ReauthenticationRequired).max_age(limit)),
        }
    }
}

impl<U: SessionPayload> Request<U> {
    fn write(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct(name)
            .field("opened", &state.opened.is_some())
            .field("sid", &state.current.as_ref().map(|current| current.claims.sid))
            .finish_non_exhaustive()
    }
}

impl<U: SessionPayload> Clone for Session<U> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<U: SessionPayload> Drop for Session<U> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.state().panicked = true;
        }
    }
}

impl<U: SessionPayload> fmt::Debug for Session<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write("Session", f)
    }
}

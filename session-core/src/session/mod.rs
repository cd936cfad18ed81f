//! One request's session: received once, opened at most once, changed by the handler, closed with the response.

mod close;
mod decide;
mod ending;
mod named;
mod open;
mod operations;
mod race;
mod received;
mod stateless;
mod tracked;

#[cfg(test)]
mod model;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::error::Challenge;
use crate::lifetimes::Times;
use crate::manager::Manager;
use crate::request::RequestHead;
use crate::store::{Patience, SessionRecord};
use crate::token::Claims;
use crate::{
    ErrorKind, EventKind, SessionError, SessionManager, SessionMetadata, SessionPayload, SessionStatus,
    SessionToken, Timestamp,
};

pub(crate) use decide::Intent;
use named::{Named, Shown};
pub use operations::Destroyed;
pub(crate) use received::Received;

/// The session of one request.
///
/// Made empty by [`SessionManager::slot`] when the request arrives, filled by [`receive`](Self::receive) and
/// [`open`](Self::open) when somebody first asks, changed by the operations, and read out by
/// [`close`](Self::close) when the response leaves. Adapters call those four; a handler gets the session opened.
///
/// A clone is another handle on the same session. Operations on one session run one after the other. An operation
/// has happened when it returns; one that fails, or whose future is dropped, leaves the session before it or
/// after it.
pub struct Session<U: SessionPayload>(pub(crate) Arc<Inner<U>>);

pub(crate) struct Inner<U: SessionPayload> {
    pub(crate) manager: Arc<Manager<U>>,
    received: OnceLock<Received>,
    /// Held while opening and during every operation.
    turn: async_lock::Mutex<()>,
    /// Of the operation that has the turn.
    patience: Patience,
    state: Mutex<State<U>>,
}

struct State<U> {
    /// `None` until somebody asked.
    opened: Option<Result<(), SessionError>>,
    /// The sessions that the request names under our signature, usable or not.
    named: Named<U>,
    current: Option<Current<U>>,
    /// There was one, and it has ended meanwhile: the response can still hold what is its user's.
    found: bool,
    outgoing: Outgoing,
    closed: bool,
    panicked: bool,
}

/// The session as it stands in this request.
struct Current<U> {
    user: Arc<U>,
    /// What the client showed, or was just given.
    claims: Claims,
    /// With a store.
    record: Option<Arc<SessionRecord>>,
    /// In hybrid mode, when the store was not asked: since when it is served.
    recent_at: Option<Timestamp>,
}

impl<U> Clone for Current<U> {
    fn clone(&self) -> Self {
        Self { user: Arc::clone(&self.user), record: self.record.clone(), ..*self }
    }
}

/// What the response will do to the client's token.
#[derive(Clone)]
enum Outgoing {
    Nothing,
    Send { token: SessionToken, claims: Claims },
    Clear,
}

impl<U: SessionPayload> SessionManager<U> {
    /// An empty session for a request that has just arrived. Looks at nothing; costs one small allocation.
    #[must_use]
    pub fn slot(&self) -> Session<U> {
        Session(Arc::new(Inner {
            manager: Arc::clone(&self.0),
            received: OnceLock::new(),
            turn: async_lock::Mutex::new(()),
            patience: Patience::new(self.0.store_deadline),
            state: Mutex::new(State {
                opened: None,
                named: Named::NONE,
                current: None,
                found: false,
                outgoing: Outgoing::Nothing,
                closed: false,
                panicked: false,
            }),
        }))
    }
}

impl<U: SessionPayload> Session<U> {
    /// The payload of whoever has a session, a guest included. For somebody who is logged in, ask
    /// [`require_user`](Self::require_user).
    #[must_use]
    pub fn user(&self) -> Option<Arc<U>> {
        self.state().current.as_ref().map(|current| Arc::clone(&current.user))
    }

    /// The user who is logged in, or the error that says why there is none: 401, or for a browser navigation, when a
    /// [login page](crate::SessionManagerBuilder::login_page) is configured, a redirect to it.
    ///
    /// A guest, whose payload names no [subject](SessionPayload::subject), is not logged in.
    ///
    /// # Errors
    /// Whatever [`open`](Self::open) answered; `NotFound` for a guest.
    pub fn require_user(&self) -> Result<Arc<U>, SessionError> {
        self.logged_in().ok_or_else(|| self.refusal())
    }

    /// The user, unless it is a guest.
    pub(crate) fn logged_in(&self) -> Option<Arc<U>> {
        let state = self.state();
        let current = state.current.as_ref().filter(|current| !current.is_guest())?;
        Some(Arc::clone(&current.user))
    }

    /// Whether the store lists the session under an account, whatever its payload says.
    pub(crate) fn has_account(&self) -> bool {
        self.state().current.as_ref().is_some_and(|current| current.account().is_some())
    }

    /// How the session stands now, for the client as it is after this response: by the token that it showed, or by the
    /// one that it is sent. Writes nothing, extends nothing.
    #[must_use]
    pub fn status(&self) -> SessionStatus {
        let now = self.now();
        let state = self.state();
        match state.times() {
            Some(times) => {
                SessionStatus::live(&self.0.manager.lifetimes.judge(&times, now), times.authenticated_at)
            }
            None => SessionStatus::none(state.reason()),
        }
    }

    /// How long a [`refresh`](Self::refresh) of the token that the client then holds will bring no longer one, at the
    /// earliest: with a store a new token must be some [`replay_grace`](crate::Lifetimes::replay_grace) old, unless it is
    /// about to expire, and no refresh passes the absolute lifetime. `None` when nothing forbids a refresh, and without a
    /// session.
    #[must_use]
    pub fn refreshable_in(&self) -> Option<Duration> {
        let now = self.now();
        let state = self.state();
        let record = state.current.as_ref()?.record.as_deref();
        decide::refreshable_in(&self.0.manager.lifetimes, &state.held()?, record, now)
    }

    /// When and from where the session is used, when there is one.
    #[must_use]
    pub fn metadata(&self) -> Option<SessionMetadata> {
        let (current, times) = {
            let state = self.state();
            (state.current.clone()?, state.times()?)
        };
        let (user_agent, ip_address) = match (&current.record, self.0.received.get()) {
            (Some(record), _) => (record.user_agent.clone(), record.ip_address),
            (None, Some(received)) => (received.user_agent.clone(), received.ip_address),
            (None, None) => (None, None),
        };
        Some(SessionMetadata {
            created_at: times.authenticated_at,
            last_seen: times.last_seen.unwrap_or(times.issued_at),
            expires_at: self.0.manager.lifetimes.judge(&times, self.now()).expires_at,
            user_agent,
            ip_address,
        })
    }

    /// A 403 `FORBIDDEN`, for a [`Guard`](crate::Guard) of your own. `detail` goes to logs, not to the client.
    #[must_use]
    pub fn forbidden(&self, detail: impl Into<std::borrow::Cow<'static, str>>) -> SessionError {
        self.error(ErrorKind::Forbidden).detail(detail)
    }

    /// The manager that this session belongs to.
    #[must_use]
    pub fn manager(&self) -> SessionManager<U> {
        SessionManager(Arc::clone(&self.0.manager))
    }

    /// Takes from the request what the session needs. Does no I/O; a second call changes nothing.
    pub fn receive(&self, head: &impl RequestHead) {
        self.0.received.get_or_init(|| Received::of(&self.0.manager, head));
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.manager.clock.now()
    }

    pub(crate) fn error(&self, kind: ErrorKind) -> SessionError {
        SessionError::new(kind, self.now()).challenged(self.challenge())
    }

    /// What a refusal says of authentication: that depends on what the request shows.
    pub(crate) fn challenge(&self) -> Challenge {
        self.0.received.get().map_or(Challenge::None, |received| received.challenge(self.0.manager.bearer))
    }

    /// Why nobody is logged in, as the answer to a request that needs somebody.
    fn refusal(&self) -> SessionError {
        let (outcome, reason) = {
            let state = self.state();
            (state.opened.clone(), state.reason())
        };
        let error = match outcome {
            Some(Err(error)) => error,
            _ => self.error(reason),
        };
        match self.0.received.get().and_then(|received| received.login_redirect.clone()) {
            Some(location) if error.kind().is_unauthenticated() => error.redirect_to(location),
            _ => error,
        }
    }

    /// The turn for an operation, and the time that it may take.
    async fn take_turn(&self) -> async_lock::MutexGuard<'_, ()> {
        let turn = self.0.turn.lock().await;
        self.0.patience.restart();
        turn
    }

    fn current(&self) -> Option<Current<U>> {
        self.state().current.clone()
    }

    fn state(&self) -> MutexGuard<'_, State<U>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells observer and log. Costs nothing when neither listens.
    fn emit(&self, kind: EventKind, who: Who<'_>, reason: Option<ErrorKind>, detail: Option<String>) {
        self.0.manager.emit(kind, self.0.received.get(), who, reason, detail);
    }
}

/// Whose session an event is about.
#[derive(Clone, Copy, Default)]
pub(crate) struct Who<'a> {
    pub(crate) sid: Option<crate::SessionId>,
    pub(crate) subject: Option<&'a str>,
}

impl<'a> Who<'a> {
    fn session(claims: &Claims, subject: Option<&'a str>) -> Self {
        Self { sid: Some(claims.sid), subject }
    }
}

impl<U: SessionPayload> Shown<U> {
    fn subject(&self) -> Option<std::borrow::Cow<'_, str>> {
        self.user.as_deref().and_then(U::subject)
    }
}

impl<U> State<U> {
    /// The session is over, though not by an operation of this request.
    fn lose(&mut self) {
        self.found |= self.current.take().is_some();
    }

    fn reason(&self) -> ErrorKind {
        match &self.opened {
            Some(Err(error)) => error.kind(),
            _ => ErrorKind::NotFound,
        }
    }

    /// What the client holds after this response: the token that it is sent, or else the one that it showed.
    fn held(&self) -> Option<Claims> {
        let shown = self.current.as_ref()?.claims;
        match &self.outgoing {
            Outgoing::Send { claims, .. } if claims.sid == shown.sid => Some(*claims),
            _ => Some(shown),
        }
    }

    /// When the client's token was issued and expires, and when the session was last seen.
    fn times(&self) -> Option<Times> {
        let record = self.current.as_ref()?.record.as_ref();
        Some(Times { last_seen: record.map(|record| record.last_seen), ..self.held()?.times() })
    }
}

impl<U: SessionPayload> Current<U> {
    /// Without an account, by the payload or, after a deploy that names accounts in another way, by the store.
    fn is_guest(&self) -> bool {
        self.user.subject().is_none() || self.record.as_ref().is_some_and(|record| record.subject().is_none())
    }
}

impl<U> Current<U> {
    fn stateless(user: Arc<U>, claims: Claims) -> Self {
        Self { user, claims, record: None, recent_at: None }
    }

    fn shown(&self) -> Shown<U> {
        Shown { claims: self.claims, user: Some(Arc::clone(&self.user)) }
    }
}

impl Claims {
    pub(crate) fn times(&self) -> Times {
        Times {
            authenticated_at: self.authenticated_at,
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            last_seen: None,
        }
    }
}

impl<U: SessionPayload> Clone for Session<U> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A handler that panics sends no cookie, in every framework: its handles are dropped while it unwinds.
impl<U: SessionPayload> Drop for Session<U> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.state().panicked = true;
        }
    }
}

impl<U: SessionPayload> fmt::Debug for Session<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Session")
            .field("opened", &state.opened.is_some())
            .field("sid", &state.current.as_ref().map(|current| current.claims.sid))
            .finish_non_exhaustive()
    }
}

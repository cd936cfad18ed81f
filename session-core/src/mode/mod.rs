//! The two ways to keep a session, as two types: in the cookie alone, or in a store. Here alone is asked which it is.
//!
//! A verb takes plain data and has happened when it returns. What it did to the session of the request is an [`Effect`],
//! which the request takes over at once: nothing waits between the store's write and that.

mod current;
mod named;
mod stateless;
mod tracked;
mod verified;

pub(crate) use current::{Current, Denied, Effect, Endable, Issued, LoggedIn, Opened, Present};
pub(crate) use named::Named;
use named::Shown;
pub(crate) use stateless::{EndedList, Stateless};
pub use tracked::ReplayPolicy;
pub(crate) use tracked::{Intent, Tracked, refreshable_in};
pub(crate) use verified::Verified;

use crate::error::{ErrorKind, SessionError};
use crate::event::{EventKind, Who};
use crate::id::SessionId;
use crate::login::LoginOptions;
use crate::payload::SessionPayload;
use crate::service::{Operation, Service};
use crate::time::Timestamp;

pub(crate) enum Mode {
    Stateless(Stateless),
    Tracked(Tracked),
}

/// What a logout reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Destroyed {
    /// The session is over: its token is refused from now on.
    Session,
    /// Without a store, and [the list of ended sessions](crate::SessionManagerBuilder::ended_capacity) is full: the
    /// cookie is cleared, but a copy of the token stays good, and is refreshed, up to its absolute lifetime.
    CookieOnly,
}

/// Why a login ended a session.
const REPLACED: &str = "replaced by a login";

macro_rules! dispatch {
    ($mode:expr, $it:ident => $verb:expr) => {
        match $mode {
            Mode::Stateless($it) => $verb,
            Mode::Tracked($it) => $verb,
        }
    };
}

impl Mode {
    /// Reads the tokens that a request shows.
    pub(crate) fn verify<U: SessionPayload>(
        &self,
        service: &Service<U>,
        tokens: &mut dyn Iterator<Item = &[u8]>,
    ) -> Verified<U> {
        let (codec, now) = (&service.codec, service.now());
        match self {
            Self::Stateless(_) => {
                Verified::of(tokens, |token, tries| codec.verify_in(token, now, tries).map(Shown::with))
            }
            Self::Tracked(_) => Verified::of(tokens, |token, tries| {
                codec.verify_reference_in(token, now, tries).map(Shown::without)
            }),
        }
    }

    /// The session of a request whose one token is good, where that is all there is to say and do.
    pub(crate) fn open_at_once<U: SessionPayload>(
        &self,
        service: &Service<U>,
        shown: &Verified<U>,
        intent: Intent,
    ) -> Option<Current<U>> {
        match self {
            Self::Stateless(stateless) => stateless.open_at_once(service, shown, intent),
            Self::Tracked(_) => None,
        }
    }

    /// Finds the session of a request among them.
    pub(crate) async fn open<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        shown: &Verified<U>,
        intent: Intent,
    ) -> Opened<U> {
        dispatch!(self, mode => mode.open(op, shown, intent).await)
    }

    /// Asks the store for a session that was opened without it; `None` for any other.
    pub(crate) async fn recheck<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        current: &Current<U>,
        intent: Intent,
    ) -> Result<Option<Effect<U>>, Denied> {
        match self {
            Self::Stateless(_) => Ok(None),
            Self::Tracked(tracked) => tracked.recheck(op, current, intent).await,
        }
    }

    /// The session as it stands now, whatever has become of the token that opened it.
    pub(crate) async fn newest<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        current: &Current<U>,
    ) -> Result<Current<U>, SessionError> {
        match self {
            Self::Stateless(stateless) => stateless.newest(op, current),
            Self::Tracked(tracked) => tracked.newest_of(op, current).await,
        }
    }

    /// A newer token, if there is one to be had.
    pub(crate) async fn refresh<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        current: Current<U>,
    ) -> Result<Effect<U>, Denied> {
        dispatch!(self, mode => mode.refresh(op, current).await)
    }

    /// A new session for `user`. What it replaces and has not ended yet is for [`settle`](Self::settle).
    pub(crate) async fn create<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        user: U,
        options: &LoginOptions,
        present: &mut Present<U>,
    ) -> Result<LoggedIn<U>, SessionError> {
        dispatch!(self, mode => mode.create(op, user, options, present).await)
    }

    /// A new session for the user of this one.
    pub(crate) async fn reauthenticate<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        options: &LoginOptions,
        present: &Present<U>,
    ) -> Result<LoggedIn<U>, SessionError> {
        dispatch!(self, mode => mode.reauthenticate(op, options, present).await)
    }

    /// After a login whose cookie is on its way: ends what it replaces.
    pub(crate) async fn settle<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        login: &Current<U>,
        replaced: Vec<Endable>,
    ) {
        dispatch!(self, mode => mode.settle(op, login, replaced).await);
    }

    /// After a login whose cookie could not be sent.
    pub(crate) async fn undo<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        login: &Current<U>,
    ) -> Result<(), SessionError> {
        match self {
            // Nobody has seen its token.
            Self::Stateless(_) => Ok(()),
            Self::Tracked(tracked) => tracked.undo(op, login).await,
        }
    }

    /// Keeps what a flow has to carry until `ends_at`. The answer is what its cookie must hold.
    pub(crate) async fn begin_flow<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        id: SessionId,
        data: Vec<u8>,
        ends_at: Timestamp,
    ) -> Result<Vec<u8>, SessionError> {
        match self {
            Self::Stateless(stateless) => stateless.begin_flow(op, data),
            Self::Tracked(tracked) => tracked.begin_flow(op, id, data, ends_at).await,
        }
    }

    /// What a flow carries, for one who asks. `held` is what its cookie holds.
    pub(crate) async fn take_flow<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        id: SessionId,
        held: Vec<u8>,
        ends_at: Timestamp,
    ) -> Result<Option<Vec<u8>>, SessionError> {
        match self {
            Self::Stateless(stateless) => Ok(stateless.take_flow(op, id, held, ends_at)),
            Self::Tracked(tracked) => tracked.take_flow(op, id).await,
        }
    }

    /// Another payload for the same session.
    pub(crate) async fn update<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        current: Current<U>,
        change: &mut (dyn FnMut(&mut U) + Send),
    ) -> Result<Effect<U>, SessionError> {
        dispatch!(self, mode => mode.update(op, current, change).await)
    }

    /// Ends what the request may end.
    pub(crate) async fn destroy<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        present: &mut Present<U>,
    ) -> Result<Destroyed, SessionError> {
        dispatch!(self, mode => mode.destroy(op, present).await)
    }

    /// Whether a session has ended in this process, so that no token of it is sent any more. With a store the record
    /// says so.
    pub(crate) fn has_ended(&self, sid: SessionId) -> bool {
        match self {
            Self::Stateless(stateless) => stateless.has_ended(sid),
            Self::Tracked(_) => false,
        }
    }

    /// Whether `update` sends a new token, so that it needs a response that can carry it.
    pub(crate) fn update_needs_a_response(&self) -> bool {
        matches!(self, Self::Stateless(_))
    }

    /// What only a store can do.
    pub(crate) fn tracked(&self) -> Option<&Tracked> {
        match self {
            Self::Stateless(_) => None,
            Self::Tracked(tracked) => Some(tracked),
        }
    }

    /// What only a store can do.
    pub(crate) fn require_store<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
    ) -> Result<&Tracked, SessionError> {
        self.tracked().ok_or_else(|| op.error(ErrorKind::StoreRequired))
    }

    /// What a logout reaches, and how many sessions an account may have, for the auditor.
    pub(crate) fn describe(&self) -> String {
        dispatch!(self, mode => mode.describe())
    }
}

/// A logout that ended nothing: no session was named, or none that its token may end.
fn tell_of_no_session<U: SessionPayload>(op: &Operation<'_, U>, present: &Present<U>) {
    let sid = present.named.iter().next().map(|shown| shown.claims.sid);
    op.emit(EventKind::LogoutWithoutSession, Who::session_or_nobody(sid));
}

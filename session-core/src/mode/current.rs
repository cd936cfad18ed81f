//! What the verbs of both modes answer.

use std::sync::Arc;

use super::named::{Named, Shown};
use crate::error::SessionError;
use crate::event::Who;
use crate::id::SessionId;
use crate::payload::SessionPayload;
use crate::response::SessionToken;
use crate::store::SessionRecord;
use crate::terms::{Actor, Terms, USUAL_LEVEL};
use crate::time::Timestamp;
use crate::token::Claims;

/// A session as it stands in one request.
pub(crate) struct Current<U> {
    pub(crate) user: Arc<U>,
    /// What the client showed, or was just given.
    pub(crate) claims: Claims,
    /// What its login was given, without a store: see [`terms`](Self::terms).
    pub(super) carried: Option<Arc<Terms>>,
    /// With a store.
    pub(crate) record: Option<Arc<SessionRecord>>,
    /// In hybrid mode, when the store was not asked: since when it is served.
    pub(crate) recent_at: Option<Timestamp>,
}

/// A token for the client, and what it says. Most requests make none, so whoever may hold one holds a box.
#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) token: SessionToken,
    pub(crate) claims: Claims,
    /// Its cookie outlives the browser.
    pub(crate) is_remembered: bool,
}

/// What a verb did to the session of its request.
pub(crate) enum Effect<U> {
    /// It stands like this. Its newer token is sent if the response can still carry one.
    Show(Current<U>, Option<Box<Issued>>),
    /// It stands like this, and is lost without its token: that must be sent.
    Send(Current<U>, Box<Issued>),
}

/// What a request opened.
pub(crate) struct Opened<U> {
    /// The sessions that it names under our signature, usable or not.
    pub(crate) named: Named<U>,
    pub(crate) outcome: Result<Effect<U>, SessionError>,
}

/// What a login or a logout finds.
pub(crate) struct Present<U> {
    /// The session that the request has opened.
    pub(crate) current: Option<Current<U>>,
    /// Those that it names.
    pub(crate) named: Named<U>,
}

/// A new session, and those that it replaces but that have not been ended yet.
pub(crate) struct LoggedIn<U> {
    pub(crate) current: Current<U>,
    pub(crate) issued: Box<Issued>,
    pub(crate) replaced: Vec<Endable>,
}

/// A session that the request may end.
pub(crate) struct Endable {
    pub(crate) id: SessionId,
    /// Its account, if it is known to live.
    pub(crate) subject: Option<String>,
    /// Who acted as its user.
    pub(crate) actor: Option<String>,
    /// When the token expires that names it.
    pub(crate) expires_at: Timestamp,
    /// Whether it is known to live. What is over is ended all the same: the clock may be wrong.
    pub(crate) is_live: bool,
    /// Its end bars what was proven of its account until then.
    pub(crate) is_unmarked: bool,
}

/// A token does not open its session.
pub(crate) struct Denied {
    pub(crate) error: SessionError,
    /// It was told as a replay, and is settled: nothing in this request need judge it again.
    pub(crate) is_replay: bool,
}

impl<U> Present<U> {
    /// All of them, the current one first.
    pub(super) fn sessions(&self) -> impl Iterator<Item = Shown<U>> {
        let current = self.current.as_ref().map(Current::shown);
        let sid = current.as_ref().map(|current| current.claims.sid);
        let others = self.named.iter().filter(move |shown| Some(shown.claims.sid) != sid).cloned();
        current.into_iter().chain(others)
    }
}

impl<U> Effect<U> {
    pub(crate) fn current(&self) -> &Current<U> {
        match self {
            Self::Show(current, _) | Self::Send(current, _) => current,
        }
    }
}

impl From<SessionError> for Denied {
    fn from(error: SessionError) -> Self {
        Self { error, is_replay: false }
    }
}

impl Endable {
    pub(super) fn who(&self) -> Who<'_> {
        let who = Who::session(self.id, self.subject.as_deref().map(Into::into));
        Who { actor: self.actor.as_deref(), ..who }
    }
}

impl<U> Current<U> {
    pub(super) fn stateless(user: Arc<U>, claims: Claims, terms: Option<Arc<Terms>>) -> Self {
        Self { user, claims, carried: terms, record: None, recent_at: None }
    }

    pub(super) fn tracked(user: Arc<U>, shown: Claims, record: Arc<SessionRecord>) -> Self {
        Self { user, claims: shown, carried: None, record: Some(record), recent_at: None }
    }

    /// What its login was given beyond the usual.
    pub(crate) fn terms(&self) -> Option<&Arc<Terms>> {
        match &self.record {
            Some(record) => record.terms.as_ref(),
            None => self.carried.as_ref(),
        }
    }

    /// How sure it is who the user is.
    pub(crate) fn level(&self) -> u8 {
        self.terms().map_or(USUAL_LEVEL, |terms| terms.level)
    }

    /// Who acts as the user, if somebody does.
    pub(crate) fn actor(&self) -> Option<&Actor> {
        self.terms()?.actor.as_ref()
    }

    /// Whether another system began it, and nobody has proven who they are here.
    pub(crate) fn is_adopted(&self) -> bool {
        self.terms().is_some_and(|terms| terms.origin.is_some())
    }

    /// The account as the store knows it, which may differ from what the payload says after a deploy.
    pub(crate) fn account(&self) -> Option<&str> {
        self.record.as_ref()?.subject.as_deref()
    }

    pub(super) fn shown(&self) -> Shown<U> {
        Shown { claims: self.claims, user: Some(Arc::clone(&self.user)), terms: self.carried.clone() }
    }
}

impl<U: SessionPayload> Current<U> {
    /// Without an account, by the store or, after a deploy that names accounts in another way, by the payload.
    pub(crate) fn is_guest(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.subject.is_none()) || self.user.subject().is_none()
    }

    /// Whether it waits for its second factor.
    pub(crate) fn is_pending(&self) -> bool {
        self.level() == 0 && !self.is_guest()
    }

    pub(super) fn who(&self) -> Who<'_> {
        Who::session(self.claims.sid, self.user.subject()).acted_by(self.actor())
    }
}

impl<U> Clone for Current<U> {
    fn clone(&self) -> Self {
        let Self { user, claims, carried, record, recent_at } = self;
        Self {
            user: Arc::clone(user),
            claims: *claims,
            carried: carried.clone(),
            record: record.clone(),
            recent_at: *recent_at,
        }
    }
}

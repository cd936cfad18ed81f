//! The session manager: one per kind of user, shared by every request.

mod administration;
mod builder;
mod maintain;
mod plain;

use std::sync::Arc;

pub use builder::SessionManagerBuilder;
pub use plain::Outcome;

use crate::engine::Engine;
use crate::error::SessionError;
use crate::lifetimes::Lifetimes;
use crate::payload::SessionPayload;
use crate::request::RequestHead;
use crate::session::Slot;
use crate::token::KeyRing;

/// Manages the sessions of one kind of user. Cheap to clone; clones share everything.
///
/// In a web framework an adapter crate uses it for you. Without one, the five operations
/// [`create_session`](Self::create_session), [`get_session`](Self::get_session),
/// [`refresh_session`](Self::refresh_session), [`destroy_session`](Self::destroy_session) and
/// [`check_session_status`](Self::check_session_status) take a request in plain data and answer in plain data.
pub struct SessionManager<U: SessionPayload>(pub(crate) Arc<Engine<U>>);

impl<U: SessionPayload> SessionManager<U> {
    /// Starts a manager. The one thing it needs is [keys](SessionManagerBuilder::keys).
    pub fn builder() -> SessionManagerBuilder<U> {
        SessionManagerBuilder::new()
    }

    /// The place of a session in a request that has just arrived, for adapters. Looks at nothing; costs one small
    /// allocation.
    pub fn slot(&self) -> Slot<U> {
        Slot::new(&self.0)
    }

    /// Refuses a request from another origin, by the rules that every session, guard and session route applies: for
    /// handlers that never touch the session. A bearer token, where it is switched on, passes: no browser sends one for
    /// another origin.
    ///
    /// # Errors
    /// `CrossOrigin`.
    pub fn check_origin(&self, head: &impl RequestHead) -> Result<(), SessionError> {
        let received = self.0.rules.receive(head, |_| {});
        match &received.cross_origin {
            Some(refusal) => Err(self.0.service.refuse_origin(&received.client, refusal)),
            None => Ok(()),
        }
    }

    /// The key ring, for rotation at run time.
    #[must_use]
    pub fn keys(&self) -> &KeyRing {
        &self.0.keys
    }

    /// The lifetimes that sessions of this manager have.
    #[must_use]
    pub fn lifetimes(&self) -> &Lifetimes {
        &self.0.service.lifetimes
    }

    /// The realm: the `aud` of its tokens, and its part of the store.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.0.service.realm
    }

    /// The name of its cookie.
    #[must_use]
    pub fn cookie_name(&self) -> &str {
        &self.0.rules.cookie
    }

    /// Everything that decides over a session, in words, for the auditor (ASVS 7.1.1 to 7.1.3).
    #[must_use]
    pub fn describe(&self) -> String {
        let service = &self.0.service;
        let sealed = match self.0.mode.tracked() {
            None if service.codec.seals() => {
                " The cookie is sealed (A256GCM): browser and proxies cannot read it."
            }
            Some(_) if service.seals_records => {
                " Payloads are sealed in the store (A256GCM); accounts, times, browsers and addresses are not."
            }
            _ => "",
        };
        format!("{} {}{sealed}", service.lifetimes.describe(), self.0.mode.describe())
    }
}

impl<U: SessionPayload> Clone for SessionManager<U> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<U: SessionPayload> std::fmt::Debug for SessionManager<U> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionManager")
            .field("realm", &self.realm())
            .field("tracked", &self.0.mode.tracked().is_some())
            .finish_non_exhaustive()
    }
}

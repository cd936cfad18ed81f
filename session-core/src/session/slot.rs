//! The views that adapters have of a request: the slot of a layer, and what an extractor opens.

use std::fmt;
use std::sync::Arc;

use super::Session;
use super::request::Request;
use crate::engine::Engine;
use crate::error::SessionError;
use crate::guard::Guard;
use crate::mode::Intent;
use crate::payload::SessionPayload;
use crate::request::RequestHead;

/// The place of a session in a request that has just arrived: what a layer, a middleware or a fairing keeps.
///
/// Made by [`SessionManager::slot`](crate::SessionManager::slot); it looks at nothing. Whoever first asks for the session
/// gives it the request ([`receive`](Self::receive)); when the response leaves, [`close`](Self::close) says what
/// it must carry.
#[must_use = "the response must be closed, or the browser does not learn of a login"]
pub struct Slot<U: SessionPayload>(pub(crate) Arc<Request<U>>);

/// The session of a request whose head is known: what an extractor opens.
pub struct Incoming<U: SessionPayload>(pub(crate) Arc<Request<U>>);

impl<U: SessionPayload> Slot<U> {
    /// Costs one small allocation.
    pub(crate) fn new(engine: &Arc<Engine<U>>) -> Self {
        Self(Request::new(engine))
    }

    /// Takes from the request what the session needs, and verifies its tokens. Does no I/O; a second call changes nothing.
    pub fn receive(&self, head: &impl RequestHead) -> Incoming<U> {
        self.0.receive(head);
        Incoming(Arc::clone(&self.0))
    }

    /// The same, for whoever needs the slot no more.
    pub(crate) fn received(self, head: &impl RequestHead) -> Incoming<U> {
        self.0.receive(head);
        Incoming(self.0)
    }
}

impl<U: SessionPayload> Incoming<U> {
    /// Opens the session, if the guard wants that, and checks the guard: what every extractor does.
    ///
    /// # Errors
    /// The guard's answer.
    pub async fn extract<G: Guard<Payload = U>>(self) -> Result<G, SessionError> {
        if G::OPENS {
            // Guards ask for the outcome themselves.
            let _ = self.open().await;
        }
        let challenge = self.0.challenge();
        let checked = G::check(Session(self.0)).await;
        // A guard of the application may refuse with an error that knows nothing of the request.
        checked.map_err(|error| error.challenged(challenge))
    }

    /// Finds out who is logged in: verifies the token and, with a store, reads the record (one round trip). Only
    /// the first call does so; parallel ones wait for it. Refreshes the session when that is due.
    ///
    /// # Errors
    /// A kind with [`is_unauthenticated`](crate::ErrorKind::is_unauthenticated) when nobody is logged in; `CrossOrigin`;
    /// `StoreUnavailable`, when the answer is not known.
    pub async fn open(&self) -> Result<(), SessionError> {
        self.0.open_for(Intent::Use).await
    }

    /// [`open`](Self::open) that writes nothing, sets no cookie and ends nothing. Asks the store in hybrid mode, too.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn peek(&self) -> Result<(), SessionError> {
        self.0.recheck(Intent::Peek, Intent::Peek).await
    }

    /// [`open`](Self::open) as a use that the store learns of: hybrid mode writes down no last-seen of a session that it
    /// serves from memory.
    pub(crate) async fn open_in_store(&self) -> Result<(), SessionError> {
        self.0.recheck(Intent::Use, Intent::Use).await
    }

    /// The handle for a handler. Its operations open the session if nobody has.
    #[must_use]
    pub fn session(&self) -> Session<U> {
        Session(Arc::clone(&self.0))
    }
}

impl<U: SessionPayload> Clone for Slot<U> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<U: SessionPayload> Clone for Incoming<U> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<U: SessionPayload> fmt::Debug for Slot<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write("Slot", f)
    }
}

impl<U: SessionPayload> fmt::Debug for Incoming<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write("Incoming", f)
    }
}

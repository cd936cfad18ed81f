//! How the session of one request stands.

use std::time::Duration;

use crate::cookie::Companion;
use crate::error::{ErrorKind, SessionError};
use crate::lifetimes::Times;
use crate::mode::{Current, Denied, Effect, Issued, Named};
use crate::token::Claims;

pub(super) struct State<U> {
    /// `None` until somebody asked.
    pub(super) opened: Option<Result<(), SessionError>>,
    /// The sessions that the request names under our signature, usable or not.
    pub(super) named: Named<U>,
    pub(super) current: Option<Current<U>>,
    /// There was one, and it has ended meanwhile: the response can still hold what is its user's.
    pub(super) found: bool,
    pub(super) outgoing: Outgoing,
    /// What becomes of the token that waits while its user acts as another one.
    pub(super) parked: Outgoing,
    /// What becomes of the cookies beside the session's, and how long they live. An empty value clears one.
    pub(super) companions: Vec<(Companion, Duration)>,
    /// Lines that clear cookies of another system.
    pub(super) cleared: Vec<String>,
    /// Those that are read once and have been.
    pub(super) read: Vec<&'static str>,
    pub(super) closed: bool,
    pub(super) panicked: bool,
}

/// What the response will do to the client's token.
pub(super) enum Outgoing {
    Nothing,
    Send(Box<Issued>),
    Clear,
}

/// The response has left, and cannot carry what it must.
pub(super) struct ResponseLeft;

impl<U> State<U> {
    pub(super) fn new() -> Self {
        Self {
            opened: None,
            named: Named::NONE,
            current: None,
            found: false,
            outgoing: Outgoing::Nothing,
            parked: Outgoing::Nothing,
            companions: Vec::new(),
            cleared: Vec::new(),
            read: Vec::new(),
            closed: false,
            panicked: false,
        }
    }

    /// Takes over a session for which nothing was written.
    pub(super) fn opens(&mut self, named: Named<U>, current: Current<U>) {
        self.named = named;
        self.current = Some(current);
        self.opened = Some(Ok(()));
    }

    /// Takes over what a verb did.
    pub(super) fn apply(&mut self, effect: Effect<U>) -> Result<(), ResponseLeft> {
        let (current, issued) = match effect {
            Effect::Send(..) if self.closed => return Err(ResponseLeft),
            Effect::Send(current, issued) => (current, Some(issued)),
            Effect::Show(current, issued) => (current, issued.filter(|_| !self.closed)),
        };
        if let Some(issued) = issued {
            self.outgoing = Outgoing::Send(issued);
        }
        self.current = Some(current);
        Ok(())
    }

    /// Sets a cookie beside the session's, or clears it.
    pub(super) fn put(&mut self, cookie: Companion, lifetime: Duration) -> Result<(), ResponseLeft> {
        if self.closed {
            return Err(ResponseLeft);
        }
        self.companions.retain(|(known, _)| known.suffix != cookie.suffix);
        self.companions.push((cookie, lifetime));
        Ok(())
    }

    /// Whether a cookie that is read once is read for the first time.
    pub(super) fn reads(&mut self, suffix: &'static str) -> bool {
        let is_first = !self.read.contains(&suffix);
        if is_first {
            self.read.push(suffix);
        }
        is_first
    }

    /// A login: its token must reach the client.
    pub(super) fn install(
        &mut self,
        current: Current<U>,
        issued: Box<Issued>,
        parked: Outgoing,
    ) -> Result<(), ResponseLeft> {
        self.apply(Effect::Send(current, issued))?;
        if !matches!(parked, Outgoing::Nothing) {
            self.parked = parked;
        }
        self.opened = Some(Ok(()));
        Ok(())
    }

    /// A verb failed. Where the reason is that there is no session any more, there is none from now on.
    pub(super) fn failed(&mut self, error: &SessionError) {
        // A login that was overtaken leaves the session as it was.
        if error.kind().is_unauthenticated() && error.kind() != ErrorKind::LoginOvertaken {
            self.found |= self.current.take().is_some();
            self.opened = Some(Err(error.clone()));
        }
    }

    pub(super) fn denied(&mut self, denied: Denied) -> SessionError {
        if let Some(current) = self.current.as_ref().filter(|_| denied.is_replay) {
            self.named.forget(current.claims.sid);
        }
        self.failed(&denied.error);
        denied.error
    }

    /// A logout: the cookie is cleared, whatever was there.
    pub(super) fn clear(&mut self, over: SessionError, parked: Outgoing) {
        self.current = None;
        self.named = Named::NONE;
        self.outgoing = Outgoing::Clear;
        self.parked = parked;
        self.opened = Some(Err(over));
    }

    pub(super) fn reason(&self) -> ErrorKind {
        match &self.opened {
            Some(Err(error)) => error.kind(),
            _ => ErrorKind::NotFound,
        }
    }

    /// What the client holds after this response: the token that it is sent, or else the one that it showed.
    pub(super) fn held(&self) -> Option<Claims> {
        let shown = self.current.as_ref()?.claims;
        match &self.outgoing {
            Outgoing::Send(issued) if issued.claims.sid == shown.sid => Some(issued.claims),
            _ => Some(shown),
        }
    }

    /// When the client's token was issued and expires, and when the session was last seen.
    pub(super) fn times(&self) -> Option<Times> {
        let record = self.current.as_ref()?.record.as_ref();
        let times = self.held()?.times();
        Some(match record {
            Some(record) => Times { start: record.start(), last_seen: Some(record.last_seen), ..times },
            None => times,
        })
    }
}

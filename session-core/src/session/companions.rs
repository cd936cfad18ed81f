//! The cookies beside the session's: what flows and flashes keep in the browser.

use std::borrow::Cow;
use std::time::Duration;

use super::Session;
use super::request::Request;
use crate::cookie::Companion;
use crate::error::{ErrorKind, SessionError};
use crate::mode::Intent;
use crate::payload::SessionPayload;
use crate::request::Form;
use crate::token::{Purpose, SealError};

impl<U: SessionPayload> Session<U> {
    /// The account of whoever is logged in, whether somebody opened the session or not.
    pub(crate) async fn open_subject(&self) -> Result<Option<String>, SessionError> {
        match self.0.open_for(Intent::Use).await {
            Err(error) if !error.kind().is_unauthenticated() => return Err(error),
            _ => {}
        }
        let current = self.0.current();
        Ok(current.and_then(|current| current.user.subject().map(Cow::into_owned)))
    }
}

impl<U: SessionPayload> Request<U> {
    pub(crate) fn form(&self) -> Form {
        self.received().map_or_else(Form::default, |received| received.form)
    }

    /// Where a browser navigation goes that cannot go on here.
    pub(crate) fn login_page(&self) -> Option<String> {
        let received = self.received().filter(|received| received.login_redirect.is_some())?;
        let page = self.engine.rules.login_page.as_ref()?;
        Some(page.without_return(received.told_prefix.as_deref()))
    }

    /// Sets a cookie beside the session's, or clears it (an empty value).
    pub(crate) fn put_companion(&self, cookie: Companion, lifetime: Duration) -> Result<(), SessionError> {
        let put = self.state().put(cookie, lifetime);
        put.map_err(|_| self.response_left())
    }

    /// The cookies beside the session's, as the browser will have them after this response.
    pub(crate) fn companions(&self) -> Vec<Companion> {
        let state = self.state();
        let changed =
            |shown: &&Companion| !state.companions.iter().any(|(changed, _)| changed.suffix == shown.suffix);
        let shown = self.received().into_iter().flat_map(|received| received.companions.iter());
        let set = state.companions.iter().map(|(cookie, _)| cookie);
        shown.filter(changed).chain(set).filter(|cookie| !cookie.value.is_empty()).cloned().collect()
    }

    /// Whether this response sets or clears it.
    pub(crate) fn has_put(&self, suffix: &str) -> bool {
        self.state().companions.iter().any(|(put, _)| put.suffix == suffix)
    }

    /// The cookie as the request shows it, for the first who asks.
    pub(crate) fn shown_once(&self, suffix: &'static str) -> Option<Companion> {
        let shown = self.received()?.companions.iter().find(|cookie| cookie.suffix == suffix)?;
        self.state().reads(suffix).then(|| shown.clone())
    }

    /// Whether a response to this request can set one.
    pub(crate) fn require_browser(&self) -> Result<(), SessionError> {
        self.admit()?;
        self.not_closed()?;
        if self.is_bearer() {
            return Err(self.error(ErrorKind::Misuse).detail(
                "the request has a bearer token, and its client keeps no cookies: flows, flashes and \
                 adopted sessions are for browsers",
            ));
        }
        Ok(())
    }

    pub(crate) fn seal(&self, purpose: Purpose, content: Vec<u8>) -> Result<String, SessionError> {
        let service = &self.engine.service;
        let sealed = service.sealing.seal(purpose, &*service.random, content);
        sealed.map_err(|error| match error {
            SealError::NoKey => self.error(ErrorKind::Misuse).detail(
                "the manager's keys are key pairs, from which no key that seals is derived: give it secret ones with \
                 .sealing_keys(KeyRing::from_env()?)",
            ),
            SealError::Randomness(error) => self.error(ErrorKind::Randomness).source_is(error),
        })
    }

    pub(crate) fn open_sealed(&self, purpose: Purpose, cookie: &Companion) -> Option<Vec<u8>> {
        self.engine.service.sealing.open(purpose, cookie.value.as_bytes())
    }
}

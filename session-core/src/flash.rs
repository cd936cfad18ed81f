//! A message for the next page.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cookie::Companion;
use crate::error::{ErrorKind, SessionError};
use crate::guard::Guard;
use crate::payload::SessionPayload;
use crate::session::Session;
use crate::time::Timestamp;
use crate::token::Purpose;

const SUFFIX: &str = "flash";
/// Of JSON.
const MAX_MESSAGE: usize = 1024;
/// For so long a browser keeps a message that no page asks for.
const KEPT: Duration = Duration::from_secs(600);

/// A message for the next page: set on one response, read once on a later one, logged in or not ("Saved", after a
/// redirect). `U` is the payload of the manager; the message has a type of its own.
///
/// It travels in a cookie of its own, sealed, and is no part of the session: a login or a logout leaves it alone. A
/// request that uses neither [`set`](Self::set) nor [`take`](Self::take) costs nothing, and no store is ever asked.
///
/// ```
/// # use session_core::{Flash, SessionError, SessionPayload};
/// async fn save<U: SessionPayload>(flash: Flash<U>) -> Result<(), SessionError> {
///     flash.set("Saved.") // and redirect
/// }
///
/// async fn page<U: SessionPayload>(flash: Flash<U>) -> Result<Option<String>, SessionError> {
///     flash.take()
/// }
/// ```
pub struct Flash<U: SessionPayload>(Session<U>);

impl<U: SessionPayload> Flash<U> {
    /// Leaves a message, in place of one that is there: at most 1 KiB as JSON. It waits ten minutes for a page that takes it.
    ///
    /// # Errors
    /// `PayloadTooLarge`; `Misuse` for a message that is no JSON, for a manager
    /// [without secret keys](crate::SessionManagerBuilder::sealing_keys) and on a request with a bearer token;
    /// `CrossOrigin`; `ResponseSent`.
    pub fn set<T: Serialize + ?Sized>(&self, message: &T) -> Result<(), SessionError> {
        let request = &self.0.0;
        request.require_browser()?;
        // The error of serde could quote the message.
        let message = serde_json::to_vec(message)
            .map_err(|_| request.error(ErrorKind::Misuse).detail("a flash message is no JSON"))?;
        if message.len() > MAX_MESSAGE {
            return Err(request.error(ErrorKind::PayloadTooLarge).detail(format!(
                "a flash message has {} bytes as JSON, and {MAX_MESSAGE} are allowed: leave a name, and let the page \
                 have the text",
                message.len()
            )));
        }
        let ends_at = request.now().plus(KEPT).unix_seconds();
        let content = [&ends_at.to_be_bytes()[..], &message].concat();
        self.put(request.seal(Purpose::Flash, content)?)
    }

    /// The message that the request brings, once: this response clears it, unless it leaves another one. `None` without one,
    /// for one of another type, and for one that is older than ten minutes.
    ///
    /// # Errors
    /// `CrossOrigin`; `ResponseSent`.
    pub fn take<T: DeserializeOwned>(&self) -> Result<Option<T>, SessionError> {
        let request = &self.0.0;
        request.admit()?;
        request.not_closed()?;
        let Some(cookie) = request.shown_once(SUFFIX) else { return Ok(None) };
        if !request.has_put(SUFFIX) {
            self.put(String::new())?;
        }
        let content = request.open_sealed(Purpose::Flash, &cookie);
        Ok(content.and_then(|content| self.read(&content)))
    }

    fn read<T: DeserializeOwned>(&self, content: &[u8]) -> Option<T> {
        let (ends_at, message) = content.split_first_chunk()?;
        let is_over = Timestamp::from_unix_seconds(i64::from_be_bytes(*ends_at)) <= self.0.0.now();
        if is_over { None } else { serde_json::from_slice(message).ok() }
    }

    fn put(&self, value: String) -> Result<(), SessionError> {
        self.0.0.put_companion(Companion { suffix: SUFFIX.to_owned(), value }, KEPT)
    }
}

impl<U: SessionPayload> Guard for Flash<U> {
    type Payload = U;
    const OPENS: bool = false;

    async fn check(session: Session<U>) -> Result<Self, SessionError> {
        Ok(Self(session))
    }
}

impl<U: SessionPayload> Clone for Flash<U> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<U: SessionPayload> fmt::Debug for Flash<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flash")
    }
}

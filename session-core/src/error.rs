//! What can go wrong, and what to do about it.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::response::PlainResponse;
use crate::time::Timestamp;

/// A setting that cannot work, found while building: says what is wrong and what to change.
///
/// `Debug` prints the sentence, too: it is what a `main` that returns the error shows.
pub struct ConfigError {
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ConfigError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    pub(crate) fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_sentences(self, f)
    }
}

impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// The error and what caused it, each as the sentence that it is.
pub(crate) fn write_sentences(error: &dyn Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{error}")?;
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(f, ": {error}")?;
        cause = error.source();
    }
    Ok(())
}

/// Why there is no session, or why an operation did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No token, or one whose session is unknown or revoked. 401 `SESSION_NOT_FOUND`.
    NotFound,
    /// The session's time is over. 401 `SESSION_EXPIRED`.
    Expired,
    /// Well signed, but not usable here: a payload of another shape, a token of another mode. 401 `SESSION_INVALID`.
    Invalid,
    /// Malformed, badly signed, or for another audience. 401 `JWT_INVALID`.
    TokenInvalid,
    /// The account's sessions were ended after this login had begun. 401 `LOGIN_OVERTAKEN`.
    LoginOvertaken,
    /// The login waits for its second factor. 401 `LOGIN_INCOMPLETE`.
    LoginIncomplete,
    /// The login is too long ago for this. 403 `REAUTHENTICATION_REQUIRED`.
    ReauthenticationRequired,
    /// This needs a login that is surer of who the user is. 403 `STEP_UP_REQUIRED`.
    StepUpRequired,
    /// There is no such flow in this browser: it was never begun here, is over, or was taken. 400 `FLOW_NOT_FOUND`, or
    /// for a browser navigation, once, a 303 to the [login page](crate::SessionManagerBuilder::login_page).
    FlowNotFound,
    /// A request from another origin (ASVS 3.5.1). 403 `CROSS_ORIGIN`.
    CrossOrigin,
    /// A guard of the application refused. 403 `FORBIDDEN`.
    Forbidden,
    /// The cookie would be larger than browsers keep (4096 bytes, RFC 6265bis section 5.6). 500 `PAYLOAD_TOO_LARGE`.
    PayloadTooLarge,
    /// The account has as many sessions as it may. 409 `SESSION_LIMIT`.
    SessionLimit,
    /// The store failed or did not answer within its deadline. 503 `STORE_UNAVAILABLE`.
    StoreUnavailable,
    /// The operation needs a store and the manager has none. 501 `STORE_REQUIRED`.
    StoreRequired,
    /// The response is on its way: no cookie can follow it. 500 `INTERNAL_ERROR`.
    ResponseSent,
    /// A mistake in the program: a missing layer, a payload that is no JSON object, a changed subject.
    /// 500 `INTERNAL_ERROR`; the message says which.
    Misuse,
    /// The random source has no bytes. 500 `INTERNAL_ERROR`.
    Randomness,
}

impl ErrorKind {
    /// The machine-readable code in bodies and logs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.answer().1
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.answer().0
    }

    /// Whether this says "nobody is logged in" (401), as against "the answer is not known" or "not allowed".
    #[must_use]
    pub const fn is_unauthenticated(self) -> bool {
        self.status() == 401
    }

    /// Status, code, and the sentence for the client.
    pub(crate) const fn answer(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::NotFound => (401, "SESSION_NOT_FOUND", "There is no session. Log in first."),
            Self::Expired => (401, "SESSION_EXPIRED", "The session has expired. Log in again."),
            Self::Invalid => (401, "SESSION_INVALID", "The session cannot be used here. Log in again."),
            Self::TokenInvalid => {
                (401, "JWT_INVALID", "The session token is malformed or badly signed. Log in again.")
            }
            Self::LoginOvertaken => {
                (401, "LOGIN_OVERTAKEN", "The account's sessions were ended during this login. Log in again.")
            }
            Self::LoginIncomplete => {
                (401, "LOGIN_INCOMPLETE", "The login waits for its second step. Complete it first.")
            }
            Self::StepUpRequired => (
                403,
                "STEP_UP_REQUIRED",
                "This needs a stronger proof of who you are. Give it and try again.",
            ),
            Self::FlowNotFound => {
                (400, "FLOW_NOT_FOUND", "This step has expired or began in another browser. Begin again.")
            }
            Self::ReauthenticationRequired => (
                403,
                "REAUTHENTICATION_REQUIRED",
                "This needs a recent login. Confirm who you are and try again.",
            ),
            Self::CrossOrigin => {
                (403, "CROSS_ORIGIN", "The request comes from another origin and was refused.")
            }
            Self::Forbidden => (403, "FORBIDDEN", "This account is not allowed to do that."),
            Self::PayloadTooLarge => {
                (500, "PAYLOAD_TOO_LARGE", "The session data does not fit into a cookie.")
            }
            Self::SessionLimit => (
                409,
                "SESSION_LIMIT",
                "This account has as many sessions as it may have. End one of them and try again.",
            ),
            Self::StoreUnavailable => {
                (503, "STORE_UNAVAILABLE", "The session store does not answer. Try again shortly.")
            }
            Self::StoreRequired => {
                (501, "STORE_REQUIRED", "This needs a session store, and this service has none.")
            }
            Self::ResponseSent | Self::Misuse | Self::Randomness => {
                (500, "INTERNAL_ERROR", "The service made a mistake. Its log says which.")
            }
        }
    }
}

/// An operation on a session that did not happen, and why.
///
/// Cheap to clone. `Display` is for logs and may change; decide by [`kind`](Self::kind).
/// [`to_response`](Self::to_response) is the answer that every adapter gives.
#[derive(Clone)]
pub struct SessionError(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    detail: Option<Cow<'static, str>>,
    source: Option<Arc<dyn Error + Send + Sync>>,
    retryable: bool,
    at: Timestamp,
    redirect: Option<String>,
    challenge: Challenge,
    max_age: Option<Duration>,
    level: Option<u8>,
}

/// Whether a 401 or 403 says how to authenticate (RFC 9110 section 11.6.1): only to those who could use a bearer token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// The request shows a cookie, or bearer tokens are switched off.
    #[default]
    None,
    /// The request shows nothing: the scheme alone (RFC 6750 section 3.1, last paragraph).
    Scheme,
    /// The request shows a bearer token, and learns what is wrong with it.
    Token,
}

impl SessionError {
    pub(crate) fn new(kind: ErrorKind, at: Timestamp) -> Self {
        let retryable = kind == ErrorKind::StoreUnavailable;
        Self(Arc::new(Inner {
            kind,
            detail: None,
            source: None,
            retryable,
            at,
            redirect: None,
            challenge: Challenge::None,
            max_age: None,
            level: None,
        }))
    }

    /// Refuses with 403 `FORBIDDEN`, for a [`Guard`](crate::Guard) of your own. `detail` goes to logs, not to the client.
    ///
    /// In a handler take [`Session::forbidden`](crate::Session::forbidden), which knows the request: only then does the
    /// answer to a bearer token have its `WWW-Authenticate`. A guard's error gets it in any case.
    #[must_use]
    pub fn forbidden(detail: impl Into<Cow<'static, str>>, at: Timestamp) -> Self {
        Self::new(ErrorKind::Forbidden, at).detail(detail)
    }

    /// What happened.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The machine-readable code, as in the answer's body.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.kind.code()
    }

    /// The HTTP status of the answer: that of the kind, or 303 where a browser is sent to log in.
    #[must_use]
    pub fn status(&self) -> u16 {
        if self.0.redirect.is_some() { 303 } else { self.0.kind.status() }
    }

    /// Whether the same call can succeed later without a change.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// When it happened, by the manager's clock.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.0.at
    }

    /// The complete answer: status, headers and body (or, where a browser should log in first, a 303). A mistake of
    /// the program, which the client learns nothing about, goes to the log.
    ///
    /// A 401 or 403 to a bearer token has a `WWW-Authenticate: Bearer` with `error`: `invalid_token` with each 401, also
    /// for a malformed one (RFC 6750 section 3.1 counts it in, and pairs `invalid_request` with 400); `insufficient_scope`
    /// with 403; and where the login is too old or not sure enough, `insufficient_user_authentication` with `max_age` or
    /// `acr_values` (RFC 9470). A 401 to
    /// a request without credentials has the scheme alone, where bearer tokens are switched on. One to a cookie has none.
    #[must_use]
    pub fn to_response(&self) -> PlainResponse {
        if self.0.kind.status() == 500 {
            tracing::error!(target: "session", "{self}");
        }
        let response = match &self.0.redirect {
            Some(location) => PlainResponse::see_other(location),
            None => self.refusal(),
        };
        if self.0.kind == ErrorKind::FlowNotFound {
            // The address has the state of a flow in it, and perhaps a provider's code.
            return response.header("referrer-policy", "no-referrer");
        }
        response
    }

    fn refusal(&self) -> PlainResponse {
        let (status, code, message) = self.0.kind.answer();
        let mut response = PlainResponse::error(status, code, message, self.0.at);
        if self.0.kind == ErrorKind::StoreUnavailable {
            response = response.header("retry-after", "1");
        }
        match self.www_authenticate() {
            Some(challenge) => response.header("www-authenticate", challenge),
            None => response,
        }
    }

    fn www_authenticate(&self) -> Option<Cow<'static, str>> {
        let insufficient = |name: &str, value: u64| {
            format!("Bearer error=\"insufficient_user_authentication\", {name}=\"{value}\"").into()
        };
        Some(match (self.0.challenge, self.0.kind.status()) {
            (Challenge::Scheme, 401) => "Bearer".into(),
            (Challenge::Token, 401 | 403) => match (self.0.max_age, self.0.level) {
                (Some(limit), _) => insufficient("max_age", limit.as_secs()),
                (None, Some(level)) => insufficient("acr_values", level.into()),
                (None, None) if self.0.kind.status() == 401 => "Bearer error=\"invalid_token\"".into(),
                (None, None) => "Bearer error=\"insufficient_scope\"".into(),
            },
            _ => return None,
        })
    }

    pub(crate) fn detail(self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.with(|inner| inner.detail = Some(detail.into()))
    }

    pub(crate) fn source_is(self, source: impl Error + Send + Sync + 'static) -> Self {
        self.with(|inner| inner.source = Some(Arc::new(source)))
    }

    pub(crate) fn retryable(self, retryable: bool) -> Self {
        self.with(|inner| inner.retryable = retryable)
    }

    pub(crate) fn redirect_to(self, location: String) -> Self {
        self.with(|inner| inner.redirect = Some(location))
    }

    /// For an error that knows no request of its own.
    pub(crate) fn challenged(self, challenge: Challenge) -> Self {
        if self.0.challenge == challenge { self } else { self.with(|inner| inner.challenge = challenge) }
    }

    /// How long ago the login may be that would have been enough.
    pub(crate) fn max_age(self, limit: Duration) -> Self {
        self.with(|inner| inner.max_age = Some(limit))
    }

    /// How sure it would have to be who the user is.
    pub(crate) fn level(self, level: u8) -> Self {
        self.with(|inner| inner.level = Some(level))
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, code, message) = self.0.kind.answer();
        match &self.0.detail {
            Some(detail) => write!(f, "{code}: {detail}"),
            None => write!(f, "{code}: {message}"),
        }
    }
}

impl fmt::Debug for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionError")
            .field("kind", &self.0.kind)
            .field("detail", &self.0.detail)
            .field("source", &self.0.source)
            .field("at", &self.0.at)
            .finish()
    }
}

impl Error for SessionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

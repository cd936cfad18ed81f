//! What both modes and every operation use: the codec, the cookie's rules, clock, random source, events.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, RandomSource};
use crate::cookie::CookieWriter;
use crate::error::{Challenge, ErrorKind, SessionError};
use crate::event::{EventKind, SessionEvent, SessionObserver, Who, is_traced};
use crate::id::{Place, SessionId};
use crate::lifetimes::{Lifetimes, Start};
use crate::login::LoginOptions;
use crate::payload::SessionPayload;
use crate::request::{Client, CrossOriginRefusal, Received};
use crate::response::SessionToken;
use crate::revalidation::{Revalidate, Revalidation};
use crate::sparing::Sparing;
use crate::store::{Mark, Patience};
use crate::terms::Terms;
use crate::time::Timestamp;
use crate::token::{Claims, Codec, IssueError, Sealing};

pub(crate) struct Service<U> {
    pub(crate) codec: Codec,
    pub(crate) sealing: Arc<Sealing>,
    /// With a store: whether it gets payloads sealed.
    pub(crate) seals_records: bool,
    pub(crate) cookie: CookieWriter,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) realm: String,
    pub(crate) store_deadline: Duration,
    pub(crate) revalidate: Option<Revalidate<U>>,
    /// With a store: how long an answer holds. Otherwise each refresh asks.
    pub(crate) revalidate_every: Option<Duration>,
    pub(crate) observer: Option<Box<dyn SessionObserver>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Box<dyn RandomSource>,
    pub(crate) warnings: Warnings,
}

/// Warnings that requests cause, and that are therefore rationed.
#[derive(Default)]
pub(crate) struct Warnings {
    origin: Sparing,
    unusable: Sparing,
}

impl<U: SessionPayload> Service<U> {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// At this place, or at any.
    pub(crate) fn new_id(&self, place: Option<Place>) -> Result<SessionId, SessionError> {
        let mut bytes = [0; SessionId::LEN];
        let filled = self.random.fill(&mut bytes);
        filled.map_err(|error| SessionError::new(ErrorKind::Randomness, self.now()).source_is(error))?;
        let [_, _, random @ ..] = bytes;
        Ok(place.map_or(SessionId::from_bytes(bytes), |place| SessionId::new(place, random)))
    }

    /// Claims and terms for a login, good from now on. `before` are those of the session that it goes on with.
    pub(crate) fn begin(
        &self,
        place: Option<Place>,
        generation: Option<u64>,
        is_guest: bool,
        options: &LoginOptions,
        before: Option<&Terms>,
    ) -> Result<(Claims, Option<Arc<Terms>>), SessionError> {
        let now = self.now();
        let refuse = |kind, detail| Err(SessionError::new(kind, now).detail(detail));
        if let Some(mistake) = options.mistake {
            return refuse(ErrorKind::Misuse, mistake);
        }
        let authenticated_at = options.authenticated_at.map_or(now, |at| at.min(now));
        let terms = options.terms(before);
        let shortest = self.lifetimes.shortest(&terms, is_guest).map(|most| authenticated_at.plus(most));
        let ends_by = shortest.into_iter().chain(options.ends_by).min();
        let start = Start { authenticated_at, ends_by };
        let expires_at = self.lifetimes.fresh_expiry(start, now);
        if expires_at <= now {
            return refuse(ErrorKind::Expired, "the login is so old that its session would be over");
        }
        let claims = Claims {
            sid: self.new_id(place)?,
            generation,
            issued_at: now,
            expires_at,
            authenticated_at,
            ends_by,
        };
        Ok((claims, Terms { ends_by, ..terms }.unless_usual()))
    }

    pub(crate) fn new_mark(&self) -> Result<Mark, SessionError> {
        let mark = Mark::random(&*self.random);
        mark.map_err(|error| SessionError::new(ErrorKind::Randomness, self.now()).source_is(error))
    }

    /// Whether the account may go on.
    pub(crate) async fn revalidate(&self, user: impl FnOnce() -> Arc<U>) -> Revalidation<U> {
        match &self.revalidate {
            Some(revalidate) => revalidate(user()).await,
            None => Revalidation::Keep,
        }
    }

    /// Tells observer and log. Costs nothing when neither listens.
    pub(crate) fn emit(
        &self,
        kind: EventKind,
        client: Option<&Client>,
        who: Who<'_>,
        reason: Option<ErrorKind>,
        detail: Option<Cow<'_, str>>,
    ) {
        self.emit_at(kind.level(), kind, client, who, reason, detail);
    }

    fn emit_at(
        &self,
        level: tracing::Level,
        kind: EventKind,
        client: Option<&Client>,
        who: Who<'_>,
        reason: Option<ErrorKind>,
        detail: Option<Cow<'_, str>>,
    ) {
        if self.observer.is_none() && !is_traced(level) {
            return;
        }
        let event = SessionEvent {
            kind,
            at: self.now(),
            realm: self.realm.clone(),
            subject: who.subject.map(Cow::into_owned),
            actor: who.actor.map(str::to_owned),
            session: who.sid.map(|sid| sid.handle(&self.realm)),
            ip_address: client.and_then(|client| client.ip_address),
            user_agent: client.and_then(|client| client.user_agent.text()),
            reason,
            detail: detail.map(Cow::into_owned),
        };
        event.trace(level);
        if let Some(observer) = &self.observer {
            observer.event(&event);
        }
    }

    /// Tells of a request from another origin. Each is an event; as a warning in the log it is one of few a minute, since
    /// any stranger can cause it.
    pub(crate) fn refuse_origin(&self, client: &Client, refusal: &CrossOriginRefusal) -> SessionError {
        let reason = ErrorKind::CrossOrigin;
        let detail = refusal.to_string();
        self.warn_sparingly(&self.warnings.origin, client, Who::NOBODY, reason, &detail);
        SessionError::new(reason, self.now()).detail(detail)
    }

    fn warn_sparingly(
        &self,
        warnings: &Sparing,
        client: &Client,
        who: Who<'_>,
        reason: ErrorKind,
        detail: &str,
    ) {
        let kind = EventKind::Rejected;
        let (level, told) = match warnings.next(self.clock.steady()) {
            Some(0) => (tracing::Level::WARN, detail.into()),
            Some(others) => {
                (tracing::Level::WARN, format!("{detail}; {others} more since the last warning").into())
            }
            None => (kind.level(), detail.into()),
        };
        self.emit_at(level, kind, Some(client), who, Some(reason), Some(told));
    }
}

/// One operation: for whom, and what is left of its time.
pub(crate) struct Operation<'a, U> {
    service: &'a Service<U>,
    received: Option<&'a Received>,
    /// What it may still wait for the store.
    pub(crate) patience: Patience,
}

impl<'a, U: SessionPayload> Operation<'a, U> {
    /// For a request, or for nobody: an administrator, a timer.
    pub(crate) fn new(service: &'a Service<U>, received: Option<&'a Received>) -> Self {
        Self { service, received, patience: Patience::new(service.store_deadline) }
    }

    pub(crate) fn client(&self) -> Option<&'a Client> {
        self.received.map(|received| &received.client)
    }

    /// There is no cookie to carry a refresh that a native client did not ask for.
    pub(crate) fn is_bearer(&self) -> bool {
        self.received.is_some_and(|received| received.is_bearer)
    }

    /// What a refusal says of authentication depends on what the request shows.
    pub(crate) fn error(&self, kind: ErrorKind) -> SessionError {
        let challenge = self.received.map_or(Challenge::None, |received| received.challenge);
        SessionError::new(kind, self.now()).challenged(challenge)
    }

    pub(crate) fn emit(&self, kind: EventKind, who: Who<'_>) {
        self.service.emit(kind, self.client(), who, None, None);
    }

    pub(crate) fn emit_because<'d>(&self, kind: EventKind, who: Who<'_>, why: impl Into<Cow<'d, str>>) {
        self.service.emit(kind, self.client(), who, None, Some(why.into()));
    }

    /// Tells of something that did not go well, with what the client is answered.
    pub(crate) fn emit_failure<'d>(
        &self,
        kind: EventKind,
        who: Who<'_>,
        reason: ErrorKind,
        detail: impl Into<Cow<'d, str>>,
    ) {
        self.service.emit(kind, self.client(), who, Some(reason), Some(detail.into()));
    }

    /// A session that this program cannot read, though nothing is wrong with its token: a deploy changed the payload's
    /// type or the mode, and logs people out. That is worth a warning, a few times a minute.
    pub(crate) fn unusable(&self, who: Who<'_>, detail: &'static str) -> SessionError {
        let (kind, nobody) = (ErrorKind::Invalid, Client::default());
        let client = self.client().unwrap_or(&nobody);
        self.warn_sparingly(&self.warnings.unusable, client, who, kind, detail);
        self.error(kind).detail(detail)
    }

    pub(crate) fn expired(&self, who: Who<'_>) -> SessionError {
        self.service.emit(EventKind::Expired, self.client(), who, Some(ErrorKind::Expired), None);
        self.error(ErrorKind::Expired)
    }

    /// A change of the payload must leave the account alone.
    pub(crate) fn same_account(&self, before: Option<&str>, after: Option<&str>) -> Result<(), SessionError> {
        if before == after {
            return Ok(());
        }
        Err(self.error(ErrorKind::Misuse).detail(
            "the change gave the session to another account: log that one in with Session::create instead",
        ))
    }

    /// A token that was just made, unless browsers would drop its cookie.
    pub(crate) fn token(&self, issued: Result<String, IssueError>) -> Result<SessionToken, SessionError> {
        let token = issued.map_err(|error| self.not_issued(&error))?;
        self.cookie.check_size(token.len()).map_err(|too_large| self.too_large(too_large.size))?;
        Ok(SessionToken::new(token))
    }

    pub(crate) fn not_issued(&self, error: &IssueError) -> SessionError {
        match error {
            IssueError::TooLong(length) => self.too_large(self.cookie.name().len() + length),
            IssueError::Randomness(error) => self.error(ErrorKind::Randomness).detail(error.to_string()),
            _ => self.error(ErrorKind::Misuse).detail(error.to_string()),
        }
    }

    fn too_large(&self, size: usize) -> SessionError {
        self.error(ErrorKind::PayloadTooLarge).detail(format!(
            "the cookie would have {size} bytes of name and value, and browsers keep at most 4096: put less into the \
             payload, or add a store, which keeps the payload out of the cookie"
        ))
    }
}

impl<U> Deref for Operation<'_, U> {
    type Target = Service<U>;

    fn deref(&self) -> &Service<U> {
        self.service
    }
}

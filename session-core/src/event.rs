//! What happens to sessions, for the log and for an auditor.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::error::ErrorKind;
use crate::id::SessionId;
use crate::store::SessionRecord;
use crate::terms::Actor;
use crate::time::Timestamp;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A login.
    Created,
    /// A session of another system was taken over: a login without a proof here.
    Adopted,
    /// A newer token was issued.
    Refreshed,
    /// The payload changed.
    Updated,
    /// A logout.
    Destroyed,
    /// A logout that found no session: the request showed no token, or none that may end one. The cookie was cleared.
    /// Often the second click; where it is the rule, something between browser and service loses the cookie.
    LogoutWithoutSession,
    /// Ended by somebody else: another device, an administrator, the limit, a newer login, a disabled account.
    Revoked,
    /// A request brought a session whose time is over.
    Expired,
    /// A request brought a token that is not accepted, or came from another origin: the latter is a warning in the
    /// log, at most ten times a minute, as it is also how a proxy that changes `Host` is noticed.
    Rejected,
    /// A token was used long after its successor: somebody has a copy. The session was ended, unless
    /// [`ReplayPolicy`](crate::ReplayPolicy) says otherwise.
    ReplayDetected,
    /// The store failed or did not answer in time.
    StoreFailed,
    /// Without a store: the list of ended sessions is full. A logout, a login or a re-authentication took the browser's
    /// cookie away, but a copy of it stays good up to its absolute lifetime. Or that of the flows that were taken is: none is taken
    /// until some of them are over.
    EndedListFull,
}

impl EventKind {
    /// A word for logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Adopted => "adopted",
            Self::Refreshed => "refreshed",
            Self::Updated => "updated",
            Self::Destroyed => "destroyed",
            Self::LogoutWithoutSession => "logout_without_session",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Rejected => "rejected",
            Self::ReplayDetected => "replay_detected",
            Self::StoreFailed => "store_failed",
            Self::EndedListFull => "ended_list_full",
        }
    }
}

impl EventKind {
    pub(crate) const fn level(self) -> tracing::Level {
        match self {
            Self::StoreFailed => tracing::Level::ERROR,
            Self::ReplayDetected | Self::EndedListFull => tracing::Level::WARN,
            Self::Created | Self::Adopted | Self::Destroyed | Self::Revoked => tracing::Level::INFO,
            Self::Refreshed | Self::Updated | Self::LogoutWithoutSession | Self::Expired | Self::Rejected => {
                tracing::Level::DEBUG
            }
        }
    }
}

/// Whose session an event is about.
pub(crate) struct Who<'a> {
    pub(crate) sid: Option<SessionId>,
    pub(crate) subject: Option<Cow<'a, str>>,
    /// Who acts as the user.
    pub(crate) actor: Option<&'a str>,
}

impl<'a> Who<'a> {
    pub(crate) const NOBODY: Self = Self { sid: None, subject: None, actor: None };

    pub(crate) fn session(sid: SessionId, subject: Option<Cow<'a, str>>) -> Self {
        Self { sid: Some(sid), subject, actor: None }
    }

    pub(crate) fn session_or_nobody(sid: Option<SessionId>) -> Self {
        Self { sid, subject: None, actor: None }
    }

    pub(crate) fn record(record: &'a SessionRecord) -> Self {
        Self::session(record.id, record.subject.as_deref().map(Cow::Borrowed)).acted_by(record.actor())
    }

    pub(crate) fn acted_by(self, actor: Option<&'a Actor>) -> Self {
        Self { actor: actor.map(|actor| &*actor.subject), ..self }
    }
}

/// Whether a log may want this level: cheap to ask.
pub(crate) fn is_traced(level: tracing::Level) -> bool {
    level <= tracing::level_filters::LevelFilter::current()
}

/// One thing that happened to a session. Never holds a token or a session id.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionEvent {
    /// What.
    pub kind: EventKind,
    /// When, by the manager's clock.
    pub at: Timestamp,
    /// Which manager: its realm.
    pub realm: String,
    /// The account of the session that the event is about, when that is known: not of the request, which may show
    /// tokens of several.
    pub subject: Option<String>,
    /// Who acted as the user, by [`Session::impersonate`](crate::Session::impersonate). Not known where a whole account
    /// is ended, and for tokens whose session is gone.
    pub actor: Option<String>,
    /// The session's handle, as in the list of devices: a hash, useless as a credential.
    pub session: Option<String>,
    /// The client of this request.
    pub ip_address: Option<IpAddr>,
    /// The browser of this request.
    pub user_agent: Option<String>,
    /// Why, for the kinds that say no.
    pub reason: Option<ErrorKind>,
    /// More words, for people.
    pub detail: Option<String>,
}

/// Sees every event, in the task that caused it: hand it on if writing it down takes time. Strangers can cause events
/// without an account (`Rejected`, `LogoutWithoutSession`) with each request: an audit trail keeps counts of these, not rows.
///
/// Any `Fn(&SessionEvent)` is one.
pub trait SessionObserver: Send + Sync + 'static {
    /// Called once per event.
    fn event(&self, event: &SessionEvent);
}

impl<F: Fn(&SessionEvent) + Send + Sync + 'static> SessionObserver for F {
    fn event(&self, event: &SessionEvent) {
        self(event);
    }
}

impl SessionEvent {
    /// Writes the event to `tracing`, target `session`.
    pub(crate) fn trace(&self, level: tracing::Level) {
        let ip = self.ip_address.map(|ip| ip.to_string());
        macro_rules! write {
            ($level:ident) => {
                tracing::$level!(
                    target: "session",
                    event = self.kind.as_str(),
                    realm = self.realm,
                    subject = self.subject,
                    actor = self.actor,
                    session = self.session,
                    ip = ip,
                    user_agent = self.user_agent,
                    reason = self.reason.map(ErrorKind::code),
                    detail = self.detail,
                )
            };
        }
        match level {
            tracing::Level::ERROR => write!(error),
            tracing::Level::WARN => write!(warn),
            tracing::Level::INFO => write!(info),
            _ => write!(debug),
        }
    }
}

//! The session manager: one per kind of user, shared by every request.

mod builder;
mod maintain;
mod plain;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::cookie::CookieWriter;
use crate::ended::EndedList;
use crate::event::is_traced;
use crate::request::RequestHead;
use crate::request::{CrossOrigin, CrossOriginRefusal, LoginPage, TrustedProxies};
use crate::session::{Received, Who};
use crate::sparing::Sparing;
use crate::store::{Account, RecentRecords, SessionLimit, SessionStore, Turns, Whose};
use crate::token::Codec;
use crate::{
    Clock, Device, ErrorKind, EventKind, KeyRing, Lifetimes, RandomSource, SessionError, SessionEvent,
    SessionId, SessionObserver, SessionPayload,
};

pub use builder::SessionManagerBuilder;
pub use plain::Outcome;

/// Manages the sessions of one kind of user. Cheap to clone; clones share everything.
///
/// In a web framework an adapter crate uses it for you. Without one, the five operations
/// [`create_session`](Self::create_session), [`get_session`](Self::get_session),
/// [`refresh_session`](Self::refresh_session), [`destroy_session`](Self::destroy_session) and
/// [`check_session_status`](Self::check_session_status) take a request in plain data and answer in plain data.
pub struct SessionManager<U: SessionPayload>(pub(crate) Arc<Manager<U>>);

/// What a manager is made of.
pub(crate) struct Manager<U> {
    pub(crate) keys: KeyRing,
    pub(crate) codec: Codec,
    pub(crate) cookie: CookieWriter,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) realm: String,
    pub(crate) store: Option<Box<dyn SessionStore>>,
    /// In hybrid mode: what may be served without the store, which keeps it up to date.
    pub(crate) recent: Option<Arc<RecentRecords>>,
    pub(crate) store_deadline: Duration,
    pub(crate) turns: Turns,
    pub(crate) session_limit: Option<SessionLimit>,
    pub(crate) replay: ReplayPolicy,
    pub(crate) fresh_for_revocation: Option<Duration>,
    pub(crate) cross_origin: CrossOrigin,
    pub(crate) proxies: TrustedProxies,
    pub(crate) bearer: bool,
    pub(crate) login_page: Option<LoginPage>,
    pub(crate) revalidate: Option<Revalidate<U>>,
    pub(crate) observer: Option<Box<dyn SessionObserver>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Box<dyn RandomSource>,
    /// Without a store.
    pub(crate) ended: EndedList,
    pub(crate) origin_warnings: Sparing,
}

pub(crate) type Revalidate<U> =
    Box<dyn Fn(Arc<U>) -> Pin<Box<dyn Future<Output = Revalidation<U>> + Send>> + Send + Sync>;

/// What becomes of a session that is about to be refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revalidation<U> {
    /// The account is as the session knows it.
    Keep,
    /// The account has changed: the session goes on with this payload. The subject must be the same.
    Replace(U),
    /// Nobody can tell right now: no refresh this time, the next request asks again.
    Defer,
    /// The account is disabled: the session ends here.
    End,
}

/// What happens when a replaced token is used after its grace, be it to open the session or to end it, by a login or a
/// logout that shows it. Only with a store. [`EventKind::ReplayDetected`] tells of it either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplayPolicy {
    /// End the session, for the thief and for the user: one of the two has a stolen copy. The default.
    #[default]
    EndSession,
    /// Refuse the old token and leave the session alone.
    Refuse,
}

impl<U: SessionPayload> SessionManager<U> {
    /// Starts a manager. The one thing it needs is [keys](SessionManagerBuilder::keys).
    pub fn builder() -> SessionManagerBuilder<U> {
        SessionManagerBuilder::new()
    }

    /// Refuses a request from another origin, by the rules that every session, guard and session route applies: for
    /// handlers that never touch the session. A bearer token, where it is switched on, passes: no browser sends one for
    /// another origin.
    ///
    /// # Errors
    /// `CrossOrigin`.
    pub fn check_origin(&self, head: &impl RequestHead) -> Result<(), SessionError> {
        let received = Received::of(&self.0, head);
        match &received.cross_origin {
            Some(refusal) => Err(self.0.refuse_origin(&received, refusal)),
            None => Ok(()),
        }
    }

    /// The sessions of an account, newest first, for an administrator. None of them is
    /// [`current`](Device::current). One round trip.
    ///
    /// # Errors
    /// `StoreRequired` without a store; `StoreUnavailable`.
    pub async fn list_account(&self, subject: &str) -> Result<Vec<Device>, SessionError> {
        let slot = self.slot();
        Ok(slot.devices(&slot.records_of(subject).await?, None))
    }

    /// Ends one session of an account, by its [`Device::id`], for an administrator. `false` when the account has none of
    /// that name: it ended before, or is another account's. Two round trips.
    ///
    /// In hybrid mode the session is refused at once here, and elsewhere within the bound.
    ///
    /// # Errors
    /// `StoreRequired` without a store; `StoreUnavailable`.
    pub async fn revoke_session(&self, subject: &str, device: &str) -> Result<bool, SessionError> {
        let slot = self.slot();
        if let Some(recent) = &self.0.recent {
            // Of sessions that another process has ended the store's list knows nothing.
            recent.forget(Whose::Account(subject));
        }
        let records = slot.records_of(subject).await?;
        match slot.named_device(&records, device) {
            Some(record) => slot.end_record(record, "revoked by an administrator").await,
            None => Ok(false),
        }
    }

    /// Ends every session of an account (ASVS 7.4.2). Answers how many. A login racing with it is either ended or
    /// newer.
    ///
    /// # Errors
    /// `StoreRequired` without a store; `StoreUnavailable`.
    pub async fn revoke_account(&self, subject: &str) -> Result<u64, SessionError> {
        Ok(self.end_account(subject, None).await?.len() as u64)
    }

    /// Ends every session of this manager, guests included (ASVS 7.4.5). Answers how many.
    ///
    /// # Errors
    /// `StoreRequired` without a store; `StoreUnavailable`.
    pub async fn revoke_everyone(&self) -> Result<u64, SessionError> {
        let slot = self.slot();
        let ended = slot.call(|store| store.delete_realm(&self.0.realm)).await?;
        let detail = format!("every session was ended: {ended}");
        self.0.emit(EventKind::Revoked, None, Who::default(), None, Some(detail));
        Ok(ended)
    }

    /// Deletes at most `limit` expired records from the store. Answers how many there were.
    ///
    /// # Errors
    /// `StoreRequired` without a store; `StoreUnavailable`.
    pub async fn delete_expired(&self, limit: usize) -> Result<usize, SessionError> {
        let now = self.0.clock.now();
        self.slot().call(|store| store.delete_expired(now, limit)).await
    }

    /// Ends the sessions of an account, all but `keep`. Answers which.
    pub(crate) async fn end_account(
        &self,
        subject: &str,
        keep: Option<SessionId>,
    ) -> Result<Vec<SessionId>, SessionError> {
        let account = Account { realm: &self.0.realm, subject };
        let now = self.0.clock.now();
        let ended = self.slot().call(|store| store.delete_account(account, keep, now)).await?;
        for &sid in &ended {
            let who = Who { sid: Some(sid), subject: Some(subject) };
            self.0.emit(
                EventKind::Revoked,
                None,
                who,
                None,
                Some("the account's sessions were ended".to_owned()),
            );
        }
        Ok(ended)
    }

    /// The key ring, for rotation at run time.
    #[must_use]
    pub fn keys(&self) -> &KeyRing {
        &self.0.keys
    }

    /// The lifetimes that sessions of this manager have.
    #[must_use]
    pub fn lifetimes(&self) -> &Lifetimes {
        &self.0.lifetimes
    }

    /// The realm: the `aud` of its tokens, and its part of the store.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.0.realm
    }

    /// The name of its cookie.
    #[must_use]
    pub fn cookie_name(&self) -> &str {
        self.0.cookie.name()
    }

    /// Everything that decides over a session, in words, for the auditor (ASVS 7.1.1 to 7.1.3).
    #[must_use]
    pub fn describe(&self) -> String {
        let limit = match self.0.session_limit.filter(|_| self.0.store.is_some()) {
            None => "An account may have any number of sessions.".to_owned(),
            Some(SessionLimit::EvictLeastRecentlySeen(most)) => {
                format!("An account may have {most} sessions; one more ends the least recently used.")
            }
            Some(SessionLimit::Refuse(most)) => {
                format!("An account may have {most} sessions; one more login is refused.")
            }
        };
        let logout = match (&self.0.store, &self.0.recent) {
            (Some(_), None) => "A logout is effective everywhere at once.".to_owned(),
            (_, Some(recent)) => format!(
                "A logout is effective at once in the process that did it, and in others within {} s.",
                recent.bound().as_secs_f32()
            ),
            (None, None) => {
                "Sessions live in the cookie alone: a logout is effective at once in this process; other processes, \
                 and this one after a restart, accept a copied token until it expires."
                    .to_owned()
            }
        };
        format!("{} {limit} {logout}", self.0.lifetimes.describe())
    }
}

impl<U: SessionPayload> Manager<U> {
    pub(crate) fn new_id(&self) -> io::Result<SessionId> {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes)?;
        Ok(SessionId::from_bytes(bytes))
    }

    pub(crate) fn emit(
        &self,
        kind: EventKind,
        received: Option<&Received>,
        who: Who<'_>,
        reason: Option<ErrorKind>,
        detail: Option<String>,
    ) {
        self.emit_at(kind.level(), kind, received, who, reason, detail);
    }

    /// Tells of a request from another origin. Each is an event; as a warning in the log it is one of few a minute, since
    /// any stranger can cause it.
    pub(crate) fn refuse_origin(&self, received: &Received, refusal: &CrossOriginRefusal) -> SessionError {
        let (kind, reason) = (EventKind::Rejected, ErrorKind::CrossOrigin);
        let detail = refusal.to_string();
        let (level, told) = match self.origin_warnings.next(self.clock.steady()) {
            Some(0) => (tracing::Level::WARN, detail.clone()),
            Some(others) => (tracing::Level::WARN, format!("{detail}; {others} more since the last warning")),
            None => (kind.level(), detail.clone()),
        };
        self.emit_at(level, kind, Some(received), Who::default(), Some(reason), Some(told));
        SessionError::new(reason, self.clock.now()).detail(detail)
    }

    fn emit_at(
        &self,
        level: tracing::Level,
        kind: EventKind,
        received: Option<&Received>,
        who: Who<'_>,
        reason: Option<ErrorKind>,
        detail: Option<String>,
    ) {
        if self.observer.is_none() && !is_traced(level) {
            return;
        }
        let event = SessionEvent {
            kind,
            at: self.clock.now(),
            realm: self.realm.clone(),
            subject: who.subject.map(str::to_owned),
            session: who.sid.map(|sid| sid.handle(&self.realm)),
            ip_address: received.and_then(|received| received.ip_address),
            user_agent: received.and_then(|received| received.user_agent.clone()),
            reason,
            detail,
        };
        event.trace(level);
        if let Some(observer) = &self.observer {
            observer.event(&event);
        }
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
            .field("realm", &self.0.realm)
            .field("tracked", &self.0.store.is_some())
            .finish_non_exhaustive()
    }
}

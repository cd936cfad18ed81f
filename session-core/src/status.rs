//! How a session stands, for the application and for the browser.

use std::net::IpAddr;
use std::time::Duration;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::error::ErrorKind;
use crate::id::SessionId;
use crate::lifetimes::Standing;
use crate::store::SessionRecord;
use crate::terms::{Terms, USUAL_LEVEL};
use crate::time::Timestamp;

/// How a session stands at one moment. Asking never writes and never extends anything.
///
/// Serializes as the body of `GET /session` without the user: camelCase, whole seconds, RFC 3339 in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionStatus {
    /// There is a session and it is good; not one that waits for its second factor.
    pub is_valid: bool,
    /// The opposite of [`is_valid`](Self::is_valid): a session that never was counts as expired.
    pub is_expired: bool,
    /// Until [`expires_at`](Self::expires_at); zero without a session.
    pub remaining_time: Duration,
    /// When the session expires if nobody refreshes it.
    pub expires_at: Option<Timestamp>,
    /// When the user logged in.
    pub authenticated_at: Option<Timestamp>,
    /// The next use refreshes the session.
    pub refresh_due: bool,
    /// Until the idle timeout, when there is one.
    pub idle_remaining: Option<Duration>,
    /// Until the end of the absolute lifetime, which no refresh passes.
    pub absolute_remaining: Option<Duration>,
    /// Why there is no session.
    pub reason: Option<ErrorKind>,
    /// It is a guest's.
    pub is_guest: bool,
    /// How sure it is who the user is: 1 for a login, 0 while it waits for its second factor. `None` without a session.
    pub level: Option<u8>,
    /// How the user was verified (RFC 8176), as the login said.
    pub methods: Vec<String>,
    /// Who looks through this user's eyes: the subject of the administrator. `None` for the user's own session.
    pub actor: Option<String>,
}

impl SessionStatus {
    pub(crate) fn live(standing: &Standing, authenticated_at: Timestamp) -> Self {
        Self {
            is_valid: standing.is_live,
            is_expired: !standing.is_live,
            remaining_time: standing.remaining,
            expires_at: Some(standing.expires_at),
            authenticated_at: Some(authenticated_at),
            refresh_due: standing.refresh_due,
            idle_remaining: standing.idle_remaining,
            absolute_remaining: Some(standing.absolute_remaining),
            reason: (!standing.is_live).then_some(ErrorKind::Expired),
            is_guest: false,
            level: Some(USUAL_LEVEL),
            methods: Vec::new(),
            actor: None,
        }
    }

    /// With what is known of the login. One that waits for its second factor is no session yet for a front end.
    pub(crate) fn about(mut self, is_guest: bool, terms: Option<&Terms>) -> Self {
        self.is_guest = is_guest;
        let Some(terms) = terms else { return self };
        self.level = Some(terms.level);
        self.methods.clone_from(&terms.methods);
        self.actor = terms.actor.as_ref().map(|actor| actor.subject.clone());
        if terms.level == 0 && !is_guest {
            self.is_valid = false;
            self.is_expired = true;
            self.reason.get_or_insert(ErrorKind::LoginIncomplete);
        }
        self
    }

    pub(crate) fn none(reason: ErrorKind) -> Self {
        Self {
            is_valid: false,
            is_expired: true,
            remaining_time: Duration::ZERO,
            expires_at: None,
            authenticated_at: None,
            refresh_due: false,
            idle_remaining: None,
            absolute_remaining: None,
            reason: Some(reason),
            is_guest: false,
            level: None,
            methods: Vec::new(),
            actor: None,
        }
    }

    fn write_fields<S: SerializeStruct>(&self, fields: &mut S) -> Result<(), S::Error> {
        fields.serialize_field("isValid", &self.is_valid)?;
        fields.serialize_field("isExpired", &self.is_expired)?;
        fields.serialize_field("remainingTime", &self.remaining_time.as_secs())?;
        fields.serialize_field("expiresAt", &self.expires_at)?;
        fields.serialize_field("authenticatedAt", &self.authenticated_at)?;
        fields.serialize_field("refreshDue", &self.refresh_due)?;
        fields.serialize_field("idleRemaining", &self.idle_remaining.map(|left| left.as_secs()))?;
        fields.serialize_field("absoluteRemaining", &self.absolute_remaining.map(|left| left.as_secs()))?;
        fields.serialize_field("reason", &self.reason.map(ErrorKind::code))?;
        fields.serialize_field("isGuest", &self.is_guest)?;
        fields.serialize_field("level", &self.level)?;
        fields.serialize_field("methods", &self.methods)?;
        fields.serialize_field("actor", &self.actor)
    }
}

impl Serialize for SessionStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("SessionStatus", 13)?;
        self.write_fields(&mut fields)?;
        fields.end()
    }
}

/// The body of `GET /session`: the status, and the user last; after a refresh what came of it.
pub(crate) struct StatusBody<'a, U> {
    pub(crate) status: &'a SessionStatus,
    pub(crate) user: Option<&'a U>,
    pub(crate) refresh: Option<Refreshed>,
}

/// What came of a refresh.
#[derive(Clone, Copy)]
pub(crate) struct Refreshed {
    /// The client is sent a longer token.
    pub(crate) extended: bool,
    /// Until a refresh can bring the next one; `None` if nothing forbids it.
    pub(crate) refreshable_in: Option<Duration>,
}

impl<U: Serialize> Serialize for StatusBody<'_, U> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields =
            serializer.serialize_struct("StatusBody", if self.refresh.is_some() { 16 } else { 14 })?;
        self.status.write_fields(&mut fields)?;
        fields.serialize_field("user", &self.user)?;
        if let Some(refresh) = &self.refresh {
            fields.serialize_field("extended", &refresh.extended)?;
            fields.serialize_field("refreshableIn", &refresh.refreshable_in.map(|left| left.as_secs()))?;
        }
        fields.end()
    }
}

/// When and from where a session is used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionMetadata {
    /// When the user logged in.
    pub created_at: Timestamp,
    /// The last use that was written down (with a store at most once per
    /// [`last_seen_interval`](crate::Lifetimes::last_seen_interval)); without a store the last refresh.
    pub last_seen: Timestamp,
    /// When the session expires if nobody refreshes it.
    pub expires_at: Timestamp,
    /// The browser at login; without a store the one of this request.
    pub user_agent: Option<String>,
    /// The client's address at login; without a store the one of this request.
    pub ip_address: Option<IpAddr>,
}

/// One of an account's sessions, as a list of devices shows it (ASVS 7.5.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Device {
    /// Names the session for [`revoke`](crate::Session::revoke). A hash: useless as a credential.
    pub id: String,
    /// The session that asks.
    pub current: bool,
    /// When it was created, by a login.
    pub created_at: Timestamp,
    /// The last use that was written down; `lastAccessed` in JSON, as front ends know it.
    #[serde(rename = "lastAccessed")]
    pub last_seen: Timestamp,
    /// When it expires if nobody refreshes it.
    pub expires_at: Timestamp,
    /// The browser at login.
    pub user_agent: Option<String>,
    /// The client's address at login.
    pub ip_address: Option<IpAddr>,
    /// Who acts as the user there, by [`Session::impersonate`](crate::Session::impersonate). Left out of the JSON
    /// otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
}

impl Device {
    fn of(record: &SessionRecord, realm: &str, current: Option<SessionId>) -> Self {
        Self {
            id: record.id.handle(realm),
            current: Some(record.id) == current,
            created_at: record.authenticated_at,
            last_seen: record.last_seen,
            expires_at: record.expires_at,
            user_agent: record.user_agent.clone(),
            ip_address: record.ip_address,
            actor: record.actor().map(|actor| actor.subject.clone()),
        }
    }
}

/// Newest first.
pub(crate) fn devices(records: &[SessionRecord], realm: &str, current: Option<SessionId>) -> Vec<Device> {
    let mut devices: Vec<Device> = records.iter().map(|record| Device::of(record, realm, current)).collect();
    devices.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| a.id.cmp(&b.id)));
    devices
}

pub(crate) fn named_device<'r>(
    records: &'r [SessionRecord],
    realm: &str,
    device: &str,
) -> Option<&'r SessionRecord> {
    records.iter().find(|record| record.id.handle(realm) == device)
}

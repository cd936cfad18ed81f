//! What a store keeps of one session.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::id::SessionId;
use crate::lifetimes::{Lifetimes, Start, Times};
use crate::terms::{Actor, Terms};
use crate::time::Timestamp;
use crate::token::Claims;

/// One session as a store keeps it. Plain data: the store gives it no meaning beyond what
/// [`SessionStore`](super::SessionStore) says. It may get more fields: make one with [`new`](Self::new) and
/// [`with`](Self::with).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionRecord {
    /// Names the session within its realm.
    pub id: SessionId,
    /// The account, by which sessions are listed and revoked: 1 to 255 bytes, compared as bytes. `None` for a guest.
    pub subject: Option<String>,
    /// Counts the changes. A change is made only by somebody who read the newest.
    pub version: u64,
    /// The user's own data, as JSON, or sealed ([`seal_records`](crate::SessionManagerBuilder::seal_records)). A store
    /// keeps the bytes as they are.
    pub payload: Vec<u8>,
    /// When the user logged in; the session was created then.
    pub authenticated_at: Timestamp,
    /// The last use that was written down.
    pub last_seen: Timestamp,
    /// Counts the tokens issued for this session, from 0.
    pub generation: u64,
    /// When the token of this generation was issued.
    pub issued_at: Timestamp,
    /// When the token of this generation expires.
    pub expires_at: Timestamp,
    /// When the token of this generation was first used. `None` while nobody has shown it.
    pub first_used_at: Option<Timestamp>,
    /// From this point on the session is absent: the earlier of its expiry and its idle timeout.
    pub ends_at: Timestamp,
    /// The browser at login: at most 256 bytes without control characters.
    pub user_agent: Option<String>,
    /// The client's address at login.
    pub ip_address: Option<IpAddr>,
    /// What the login was given beyond the usual: bytes that a store keeps as they are.
    pub terms: Option<Arc<Terms>>,
    /// Does not count towards the account's limit, is not evicted for it, and evicts nobody: somebody else acts as the
    /// user, or the login waits for its second factor.
    pub uncounted: bool,
}

impl SessionRecord {
    /// The last version and the last generation that there can be: 2^63 - 1, since databases count with a sign. What
    /// has come so far was not counted there, at one change a nanosecond: somebody wrote it. No session opens with it.
    pub const LAST: u64 = i64::MAX.unsigned_abs();

    /// The record of a login: of a guest, without an idle timeout, of an unknown browser. Its token counts as used, since
    /// the first one has no predecessor that its first use could retire.
    #[must_use]
    pub fn new(id: SessionId, payload: Vec<u8>, authenticated_at: Timestamp, expires_at: Timestamp) -> Self {
        Self {
            id,
            subject: None,
            version: 0,
            payload,
            authenticated_at,
            last_seen: authenticated_at,
            generation: 0,
            issued_at: authenticated_at,
            expires_at,
            first_used_at: Some(authenticated_at),
            ends_at: expires_at,
            user_agent: None,
            ip_address: None,
            terms: None,
            uncounted: false,
        }
    }

    /// The record with a change, in one expression.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Whether another system began the session, and nobody has proven who they are here.
    pub(crate) fn is_adopted(&self) -> bool {
        self.terms.as_ref().is_some_and(|terms| terms.origin.is_some())
    }

    pub(crate) fn start(&self) -> Start {
        let ends_by = self.terms.as_ref().and_then(|terms| terms.ends_by);
        Start { authenticated_at: self.authenticated_at, ends_by }
    }

    pub(crate) fn times(&self) -> Times {
        Times {
            start: self.start(),
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            last_seen: Some(self.last_seen),
        }
    }

    /// What the newest token says: signed from the record alone, so that every node signs the same bytes.
    pub(crate) fn claims(&self) -> Claims {
        Claims {
            sid: self.id,
            generation: Some(self.generation),
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            authenticated_at: self.authenticated_at,
            ends_by: self.start().ends_by,
        }
    }

    /// The next version, seen at `now`. Clocks differ between nodes: last-seen never goes back.
    pub(crate) fn seen(&self, lifetimes: &Lifetimes, now: Timestamp) -> Self {
        let mut next = self.clone();
        next.version = next.version.saturating_add(1);
        next.last_seen = next.last_seen.max(now);
        next.ends_at = lifetimes.ends_at(&next.times());
        next
    }

    /// The account, `None` for a guest.
    pub(crate) fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// Who acts as the user, if somebody does.
    pub(crate) fn actor(&self) -> Option<&Actor> {
        self.terms.as_ref()?.actor.as_ref()
    }

    /// Whether the next change would have no number.
    pub(crate) fn is_at_an_end(&self) -> bool {
        self.version >= Self::LAST || self.generation >= Self::LAST
    }
}

/// When and how to move a record's last-seen on while reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Touch {
    /// Only when the last one is at least this old.
    pub interval: Duration,
    /// The session then ends so long after now, if it does not expire before.
    pub idle_timeout: Option<Duration>,
    /// The generation of the token that asks. A token that opens nothing keeps no session alive: see
    /// [`is_by_a_good_token`](Self::is_by_a_good_token).
    pub generation: u64,
    /// How long the predecessor of the newest generation stays good after that was first used.
    pub grace: Duration,
}

impl Touch {
    /// A touch by a token of `generation`; the other three are settings of the manager.
    #[must_use]
    pub const fn new(
        interval: Duration,
        idle_timeout: Option<Duration>,
        generation: u64,
        grace: Duration,
    ) -> Self {
        Self { interval, idle_timeout, generation, grace }
    }

    /// The record seen at `now`, or `None` when its last-seen is recent enough, the token opens nothing, or its version is the
    /// [last one](SessionRecord::LAST).
    #[must_use]
    pub fn apply(&self, record: &SessionRecord, now: Timestamp) -> Option<SessionRecord> {
        if now < record.last_seen.plus(self.interval) || !self.is_by_a_good_token(record, now) {
            return None;
        }
        let mut seen = record.clone();
        seen.last_seen = now;
        seen.ends_at = self.idle_timeout.map_or(seen.expires_at, |idle| now.plus(idle).min(seen.expires_at));
        seen.version = record.version.checked_add(1).filter(|next| *next <= SessionRecord::LAST)?;
        Some(seen)
    }

    /// Whether the token that asks opens the session: its generation is the newest, or the one before while the
    /// newest is unused or was first used less than the grace ago.
    #[must_use]
    pub fn is_by_a_good_token(&self, record: &SessionRecord, now: Timestamp) -> bool {
        match record.generation.checked_sub(self.generation) {
            None | Some(0) => true,
            Some(1) => record.first_used_at.is_none_or(|used| now < used.plus(self.grace)),
            Some(_) => false,
        }
    }
}

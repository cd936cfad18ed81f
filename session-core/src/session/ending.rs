//! What a token may end, at a login or a logout that shows it: what it could open, and nothing newer.

use super::{Session, Who};
use crate::store::{SessionRecord, Touch};
use crate::token::Claims;
use crate::{EventKind, SessionError, SessionId, SessionPayload, Timestamp};

/// Why a login ended a session.
pub(super) const REPLACED: &str = "replaced by a login";

/// A session that the request may end.
pub(super) struct Endable {
    pub(super) id: SessionId,
    /// Its account, if it is known to live.
    pub(super) subject: Option<String>,
    /// Whether it is known to live. What is over is deleted all the same: the clock may be wrong.
    pub(super) is_live: bool,
}

/// What a token may do to the session that it names.
#[derive(Debug, PartialEq, Eq)]
enum Reach {
    /// End it, as it opens it. The newest token may even when its time is over.
    Ends,
    /// Nothing: it was replaced or extended, and its time ran out before anybody could call that a replay.
    Over,
    /// Nothing but tell of a copy: it was replaced, and its successor has been in use for longer than the grace.
    Replay,
}

fn reach(token: &Claims, by: Touch, record: &SessionRecord, now: Timestamp) -> Reach {
    if !by.is_by_a_good_token(record, now) {
        Reach::Replay
    } else if now < token.expires_at || is_newest(token, record) {
        Reach::Ends
    } else {
        Reach::Over
    }
}

/// Neither replaced nor extended.
fn is_newest(token: &Claims, record: &SessionRecord) -> bool {
    (token.generation.unwrap_or(0), token.expires_at) >= (record.generation, record.expires_at)
}

impl<U: SessionPayload> Session<U> {
    /// The sessions that a login as `login`, or a logout, may end, the current one first. Replays go as the policy says.
    pub(super) async fn endable(&self, login: Option<&str>) -> Result<Vec<Endable>, SessionError> {
        let current = self.current();
        let mut endable = Vec::new();
        for shown in self.named_and_current() {
            match &current {
                // Opened by this request.
                Some(current) if current.claims.sid == shown.claims.sid => endable.push(Endable {
                    id: shown.claims.sid,
                    subject: current.account().map(str::to_owned),
                    is_live: true,
                }),
                _ => endable.extend(self.judged(&shown.claims, login).await?),
            }
        }
        Ok(endable)
    }

    /// Reads the session that a token names, and judges by it. In hybrid mode, too, it is the store that is asked.
    async fn judged(&self, token: &Claims, login: Option<&str>) -> Result<Option<Endable>, SessionError> {
        let Some(record) = self.read_to_end(token).await? else {
            return Ok(Some(Endable { id: token.sid, subject: None, is_live: false }));
        };
        let may_end = match reach(token, self.touch_by(token), &record, self.now()) {
            Reach::Ends => true,
            // The answer with the successor was lost, and the user logs in anew.
            Reach::Over => login.is_some() && login == record.subject(),
            Reach::Replay => {
                self.end_replayed(token, &record).await?;
                false
            }
        };
        Ok(may_end.then_some(Endable { id: record.id, subject: record.subject, is_live: true }))
    }

    /// A logout that ended nothing: no session was named, or none that its token may end.
    pub(super) fn tell_of_no_session(&self) {
        let sid = self.state().named.iter().next().map(|shown| shown.claims.sid);
        self.emit(EventKind::LogoutWithoutSession, Who { sid, subject: None }, None, None);
    }

    pub(super) fn tell_replaced(&self, replaced: &Endable) {
        let who = Who { sid: Some(replaced.id), subject: replaced.subject.as_deref() };
        self.emit(EventKind::Revoked, who, None, Some(REPLACED.to_owned()));
    }
}

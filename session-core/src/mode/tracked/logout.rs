//! What a token may end, at a login or a logout that shows it: what it could open, and nothing newer.

use super::super::Destroyed;
use super::super::current::{Endable, Present};
use super::adopt::is_unmarked;
use super::{Tracked, key, touch_by};
use crate::error::{ErrorKind, SessionError};
use crate::event::{EventKind, Who};
use crate::payload::SessionPayload;
use crate::service::Operation;
use crate::store::{SessionRecord, Touch, Whose};
use crate::time::Timestamp;
use crate::token::Claims;

/// What happens when a replaced token is used after its grace, be it to open the session or to end it, by a login or a
/// logout that shows it. Only with a store. [`EventKind::ReplayDetected`](crate::EventKind::ReplayDetected) tells of it
/// either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayPolicy {
    /// End the session, for the thief and for the user: one of the two has a stolen copy. The default.
    #[default]
    EndSession,
    /// Refuse the old token and leave the session alone.
    Refuse,
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

/// What a login or a logout does with a session that it names.
enum Judged {
    MayEnd(Endable),
    MayNot,
    /// A replay was told: nothing in this request need judge it again.
    Settled,
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

impl Tracked {
    pub(in crate::mode) async fn destroy<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        present: &mut Present<U>,
    ) -> Result<Destroyed, SessionError> {
        let mut found = false;
        for ended in self.endable(op, present, None).await? {
            // Somebody else may end it first, as "log out everywhere" has.
            found |= ended.is_live;
            self.bar_if(op, ended.is_unmarked, ended.subject.as_deref()).await?;
            let key = key(op, ended.id);
            if self.call(op, |store| store.delete(key)).await? {
                op.emit(EventKind::Destroyed, ended.who());
                found = true;
            }
        }
        if !found {
            super::super::tell_of_no_session(op, present);
        }
        Ok(Destroyed::Session)
    }

    /// The sessions that a login as `login`, or a logout, may end, the current one first. Replays go as the policy says.
    pub(super) async fn endable<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        present: &mut Present<U>,
        login: Option<&str>,
    ) -> Result<Vec<Endable>, SessionError> {
        let mut endable = Vec::new();
        for shown in present.sessions().collect::<Vec<_>>() {
            match present.current.as_ref().filter(|current| current.claims.sid == shown.claims.sid) {
                // Opened by this request.
                Some(current) => endable.push(Endable {
                    id: shown.claims.sid,
                    subject: current.account().map(str::to_owned),
                    actor: current.actor().map(|actor| actor.subject.clone()),
                    expires_at: shown.claims.expires_at,
                    is_live: true,
                    is_unmarked: is_unmarked(current.terms().map(|terms| &**terms)),
                }),
                None => match self.judged(op, &shown.claims, login).await? {
                    Judged::MayEnd(ended) => endable.push(ended),
                    Judged::MayNot => {}
                    Judged::Settled => present.named.forget(shown.claims.sid),
                },
            }
        }
        Ok(endable)
    }

    /// Reads the session that a token names, and judges by it. In hybrid mode, too, it is the store that is asked.
    async fn judged<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        token: &Claims,
        login: Option<&str>,
    ) -> Result<Judged, SessionError> {
        let (id, expires_at) = (token.sid, token.expires_at);
        let Some(record) = self.read_to_end(op, token).await? else {
            return Ok(Judged::MayEnd(Endable {
                id,
                subject: None,
                actor: None,
                expires_at,
                is_live: false,
                is_unmarked: false,
            }));
        };
        let may_end = match reach(token, touch_by(op, token), &record, op.now()) {
            Reach::Ends => true,
            // The answer with the successor was lost, and the user logs in anew.
            Reach::Over => login.is_some() && login == record.subject(),
            Reach::Replay => {
                self.end_replayed(op, &record).await?;
                return Ok(Judged::Settled);
            }
        };
        Ok(match may_end {
            true => {
                let actor = record.actor().map(|actor| actor.subject.clone());
                let is_unmarked = is_unmarked(record.terms.as_deref());
                let subject = record.subject;
                Judged::MayEnd(Endable { id, subject, actor, expires_at, is_live: true, is_unmarked })
            }
            false => Judged::MayNot,
        })
    }

    /// Reads for a login or a logout, which may end the session, whatever is in it. Whoever wants to leave is not served
    /// from memory any more, even if the store cannot be asked.
    async fn read_to_end<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        token: &Claims,
    ) -> Result<Option<SessionRecord>, SessionError> {
        if let Some(recent) = &self.recent {
            recent.forget(Whose::Session(token.sid));
        }
        let (now, key) = (op.now(), key(op, token.sid));
        self.call(op, |store| store.read(key, now)).await
    }

    /// Ends the session of a replayed token, if the policy says so, and tells.
    pub(super) async fn end_replayed<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        record: &SessionRecord,
    ) -> Result<(), SessionError> {
        if self.replay == ReplayPolicy::EndSession {
            self.bar_for(op, record).await?;
            let key = key(op, record.id);
            self.call(op, |store| store.delete(key)).await?;
        }
        let login = record.ip_address.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string());
        let detail = format!("a replaced token was used again; the session began at {login}");
        let who = Who::record(record);
        op.emit_failure(EventKind::ReplayDetected, who, ErrorKind::NotFound, detail);
        Ok(())
    }
}

//! What to do with a signed reference and the record it names: the refresh algorithm, as one pure function.
//!
//! The record holds the newest generation. While that is unused, its predecessor stays good and every answer to it
//! carries the same successor; after its first use the predecessor is served for a grace without a cookie, and
//! then it is a replay. So no honest client is logged out while flight time, clock difference and store deadline
//! together stay below the grace, whatever answers are lost or overtake each other. `model.rs` proves it for
//! three tabs.

use crate::Timestamp;
use crate::lifetimes::{Lifetimes, Times};
use crate::store::SessionRecord;
use crate::token::Claims;

/// What the request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Only to know: no write, no cookie, no end.
    Observe,
    /// To use the session, and to be told of no newer token: a native client asks for its refresh.
    UseAsIs,
    /// To use the session; a refresh when one is due.
    Use,
    /// A refresh now.
    Refresh,
}

/// The next step. After a write, won or lost, decide again with the record as it is then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    NotFound,
    Expired,
    Replay,
    Write(Change, Box<SessionRecord>),
    Serve {
        /// The answer carries the record's newest token.
        send_token: bool,
    },
}

/// Why the record is to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The store lost a write; our own signature is the proof that this generation was issued.
    CatchUp,
    /// The first use of the newest generation.
    Confirm,
    /// A new generation.
    Advance,
}

pub(crate) fn decide(
    lifetimes: &Lifetimes,
    token: &Claims,
    record: Option<&SessionRecord>,
    now: Timestamp,
    intent: Intent,
) -> Step {
    if now >= token.expires_at {
        return Step::Expired;
    }
    let Some(record) = record else { return Step::NotFound };
    if !lifetimes.judge(&record.times(), now).is_live {
        return Step::Expired;
    }
    let generation = token.generation.unwrap_or(0);
    if generation > record.generation {
        return behind(lifetimes, token, record, now, intent);
    }
    if generation.saturating_add(1) < record.generation {
        return Step::Replay;
    }
    if generation < record.generation {
        return predecessor(lifetimes, record, now);
    }
    newest(lifetimes, token, record, now, intent)
}

/// The store knows less than the token.
fn behind(
    lifetimes: &Lifetimes,
    token: &Claims,
    record: &SessionRecord,
    now: Timestamp,
    intent: Intent,
) -> Step {
    if intent == Intent::Observe {
        return Step::Serve { send_token: false };
    }
    let mut next = record.seen(lifetimes, now);
    next.generation = token.generation.unwrap_or(0);
    next.issued_at = token.issued_at;
    next.expires_at = token.expires_at;
    next.first_used_at = Some(now);
    write(lifetimes, Change::CatchUp, next)
}

/// The token's successor was issued already.
fn predecessor(lifetimes: &Lifetimes, record: &SessionRecord, now: Timestamp) -> Step {
    match record.first_used_at {
        None => Step::Serve { send_token: true },
        Some(used) if now < used.plus(lifetimes.replay_grace) => Step::Serve { send_token: false },
        Some(_) => Step::Replay,
    }
}

fn newest(
    lifetimes: &Lifetimes,
    token: &Claims,
    record: &SessionRecord,
    now: Timestamp,
    intent: Intent,
) -> Step {
    if intent == Intent::Observe {
        return Step::Serve { send_token: false };
    }
    let Some(used) = record.first_used_at else {
        let mut next = record.seen(lifetimes, now);
        next.first_used_at = Some(now);
        return write(lifetimes, Change::Confirm, next);
    };
    let wanted = match intent {
        Intent::Observe | Intent::UseAsIs => false,
        Intent::Use => token.expires_at.remaining(now) < lifetimes.refresh_threshold,
        Intent::Refresh => true,
    };
    let expires_at = lifetimes.fresh_expiry(record.authenticated_at, now);
    let grace_is_over = record.generation == 0 || now >= used.plus(lifetimes.replay_grace);
    if !(wanted && expires_at > record.expires_at && grace_is_over) {
        return Step::Serve { send_token: false };
    }
    let mut next = record.seen(lifetimes, now);
    next.generation += 1;
    next.issued_at = now;
    next.expires_at = expires_at;
    next.first_used_at = None;
    write(lifetimes, Change::Advance, next)
}

fn write(lifetimes: &Lifetimes, change: Change, mut next: SessionRecord) -> Step {
    next.ends_at = lifetimes.ends_at(&next.times());
    Step::Write(change, Box::new(next))
}

impl SessionRecord {
    pub(crate) fn times(&self) -> Times {
        Times {
            authenticated_at: self.authenticated_at,
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
        }
    }

    /// The next version, seen at `now`. Clocks differ between nodes: last-seen never goes back.
    pub(crate) fn seen(&self, lifetimes: &Lifetimes, now: Timestamp) -> Self {
        let mut next = self.clone();
        next.version += 1;
        next.last_seen = next.last_seen.max(now);
        next.ends_at = lifetimes.ends_at(&next.times());
        next
    }
}

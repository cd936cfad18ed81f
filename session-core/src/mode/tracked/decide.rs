//! What to do with a signed reference and the record it names: the refresh algorithm, as one pure function.
//!
//! The record holds the newest generation. While that is unused, its predecessor stays good and every answer to it
//! carries the same successor; after its first use the predecessor is served for a grace without a cookie, and
//! then it is a replay. So no honest client is logged out while flight time, clock difference and store deadline
//! together stay below the grace, whatever answers are lost or overtake each other.
//!
//! A new generation must wait for the *hold*: until a grace after the first use of the newest one, and after a cookie of
//! it was last sent. A client whose token would end meanwhile has the newest generation extended in place: the same
//! generation, a later expiry. Each extension moves the hold, but not the time in which there may be extensions, which
//! ends three graces after the first use. So a new generation comes at the latest `2 * max_age + 3 * grace` after
//! the last, and with it the chance to find a theft. Of two tokens of one generation the one that expires later is
//! the newer. `model` proves all this, and what obvious shorter rules do wrong.

use std::time::Duration;

use crate::lifetimes::Lifetimes;
use crate::store::SessionRecord;
use crate::time::Timestamp;
use crate::token::Claims;

/// What the request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Only to know: no write, no cookie, no end.
    Peek,
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
    /// The newest generation lives longer; or its token is sent once more to a holder of a shorter one.
    Extend,
}

impl Change {
    /// Whether the answer carries the record's newest token as soon as the change is made.
    pub(crate) fn sends_the_token(self) -> bool {
        matches!(self, Self::Advance | Self::Extend)
    }
}

pub(crate) fn decide(
    lifetimes: &Lifetimes,
    token: &Claims,
    record: &SessionRecord,
    now: Timestamp,
    intent: Intent,
) -> Step {
    if now >= token.expires_at || !lifetimes.judge(&record.times(), now).is_live {
        return Step::Expired;
    }
    let generation = token.generation.unwrap_or(0);
    if (generation, token.expires_at) > (record.generation, record.expires_at) {
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

/// The store knows less than the token: the generation is newer, or was extended.
fn behind(
    lifetimes: &Lifetimes,
    token: &Claims,
    record: &SessionRecord,
    now: Timestamp,
    intent: Intent,
) -> Step {
    if intent == Intent::Peek {
        return Step::Serve { send_token: false };
    }
    let generation = token.generation.unwrap_or(0);
    let mut next = record.seen(lifetimes, now);
    if generation > record.generation {
        next.first_used_at = Some(now);
    }
    next.generation = generation;
    next.issued_at = token.issued_at;
    next.expires_at = token.expires_at;
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
    if intent == Intent::Peek {
        return Step::Serve { send_token: false };
    }
    let Some(used) = record.first_used_at else {
        let mut next = record.seen(lifetimes, now);
        next.first_used_at = Some(now);
        return write(lifetimes, Change::Confirm, next);
    };
    let wanted = match intent {
        Intent::Peek | Intent::UseAsIs => false,
        Intent::Use => token.expires_at.remaining(now) < lifetimes.refresh_threshold,
        Intent::Refresh => true,
    };
    match wanted {
        true => refresh(lifetimes, token, record, used, now),
        false => Step::Serve { send_token: false },
    }
}

/// A refresh is wanted, by a token of the newest generation, which was first used at `used`.
fn refresh(
    lifetimes: &Lifetimes,
    token: &Claims,
    record: &SessionRecord,
    used: Timestamp,
    now: Timestamp,
) -> Step {
    let expires_at = lifetimes.fresh_expiry(record.start(), now);
    let mut next = record.seen(lifetimes, now);
    next.expires_at = expires_at.max(record.expires_at);
    if expires_at > token.expires_at && now >= hold(lifetimes, record, used) {
        next.generation = next.generation.saturating_add(1);
        next.issued_at = now;
        next.first_used_at = None;
        return write(lifetimes, Change::Advance, next);
    }
    if next.expires_at == token.expires_at || !may_extend(lifetimes, token, record, used, now) {
        return Step::Serve { send_token: false };
    }
    next.issued_at = now.max(record.issued_at);
    if (next.issued_at, next.expires_at) == (record.issued_at, record.expires_at) {
        // The record says already what a token sent now needs. Tabs that ask in the same second need not compete.
        return Step::Serve { send_token: true };
    }
    write(lifetimes, Change::Extend, next)
}

/// Until when there is no new generation: a cookie of this one may be under way. The first is that of a login, sent once, and
/// never extended; but of an adopted session each request gets it that comes with the foreign cookie.
fn hold(lifetimes: &Lifetimes, record: &SessionRecord, used: Timestamp) -> Timestamp {
    match record.generation {
        0 if !record.is_adopted() => used,
        _ => used.max(record.issued_at).plus(lifetimes.replay_grace),
    }
}

/// Whether a token is too close to its end to wait for the hold.
fn may_extend(
    lifetimes: &Lifetimes,
    token: &Claims,
    record: &SessionRecord,
    used: Timestamp,
    now: Timestamp,
) -> bool {
    let grace = lifetimes.replay_grace;
    record.generation > 0
        && now < used.plus(grace.saturating_mul(3))
        && token.expires_at <= hold(lifetimes, record, used).plus(grace.saturating_mul(2))
}

/// How long a refresh will change nothing for a client that holds `token`, at the earliest: a token that nobody has
/// used counts as used now. `None` when nothing forbids a refresh.
pub(crate) fn refreshable_in(
    lifetimes: &Lifetimes,
    token: &Claims,
    record: Option<&SessionRecord>,
    now: Timestamp,
) -> Option<Duration> {
    let absolute_end = lifetimes.absolute_end(record.map_or_else(|| token.start(), SessionRecord::start));
    if token.expires_at >= absolute_end {
        return Some(absolute_end.remaining(now));
    }
    let record = record?;
    let used = record.first_used_at.unwrap_or(now);
    let hold = hold(lifetimes, record, used);
    // Whoever holds a predecessor is about to get the newest.
    let is_newest = token.generation == Some(record.generation);
    let extends = is_newest && may_extend(lifetimes, token, record, used, now);
    (now < hold && !extends).then(|| hold.remaining(now))
}

fn write(lifetimes: &Lifetimes, change: Change, mut next: SessionRecord) -> Step {
    next.ends_at = lifetimes.ends_at(&next.times());
    Step::Write(change, Box::new(next))
}

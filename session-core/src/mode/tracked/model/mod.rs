//! The refresh algorithm against every order of events.
//!
//! * `tabs`: some tabs of one browser, one cookie jar, one store. Is an honest client ever refused while its cookie is
//!   good, and does a refresh near a cookie's end always bring a longer one?
//! * `theft`: two holders of one cookie. Are they ever left to go on side by side?
//! * `lifetime`: does anything pass the absolute lifetime?
//! * `traces`: what happened under rules that looked right, second by second.
//!
//! Each search runs under the rule that is built and under [wrong ones](Rule), which it must find out.

mod lifetime;
mod tabs;
mod theft;
mod traces;

use std::time::Duration;

use super::decide::{Change, Intent, Step, decide};
use crate::id::SessionId;
use crate::lifetimes::Lifetimes;
use crate::store::SessionRecord;
use crate::time::Timestamp;
use crate::token::Claims;

/// The settings of all searches, in seconds: the shortest `max_age` that goes with the grace, so that the most happens
/// in the least time.
const MAX_AGE: i64 = 180;
const GRACE: i64 = 30;

const START: Timestamp = Timestamp::from_unix_seconds(1_000_000_000);

fn lifetimes() -> Lifetimes {
    Lifetimes::default()
        .max_age(duration(MAX_AGE))
        .refresh_threshold(duration(2 * GRACE))
        .replay_grace(duration(GRACE))
        .absolute_lifetime(duration(1_000_000))
}

fn duration(seconds: i64) -> Duration {
    Duration::from_secs(seconds.unsigned_abs())
}

/// So many seconds after the start, or before it.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(START.unix_seconds() + seconds)
}

fn seconds(at: Timestamp) -> i64 {
    at.unix_seconds() - START.unix_seconds()
}

fn claims(generation: u64, expires_at: i64) -> Claims {
    Claims {
        sid: SessionId::from_bytes([1; 18]),
        generation: Some(generation),
        issued_at: at(expires_at - MAX_AGE),
        expires_at: at(expires_at),
        authenticated_at: at(-1000),
        ends_by: None,
    }
}

fn record(generation: u64, issued_at: i64, expires_at: i64, first_used_at: Option<i64>) -> SessionRecord {
    SessionRecord {
        id: SessionId::from_bytes([1; 18]),
        subject: None,
        version: 0,
        payload: Vec::new(),
        authenticated_at: at(-1000),
        last_seen: at(0),
        generation,
        issued_at: at(issued_at),
        expires_at: at(expires_at),
        first_used_at: first_used_at.map(at),
        ends_at: at(expires_at),
        user_agent: None,
        ip_address: None,
        terms: None,
        uncounted: false,
    }
}

/// What becomes of a refresh by the newest generation, after its first use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Rule {
    /// [`decide`].
    Built,
    /// Nothing is extended in place: a new generation once the grace is over, or nothing.
    NeverExtends,
    /// Extends during the grace after the first use, and makes a new generation from then on, however recently a cookie
    /// of the old one was sent.
    ForgetsWhatItSent,
    /// The same, and not only near the token's end.
    ExtendsAtEachRefresh,
    /// Extends only a token that ends before there may be a new generation.
    WaitsForTheHold,
    /// Extends only when the session gains by it: whoever missed the answer never gets it.
    NeverSendsAgain,
    /// Extends for as long as a new generation must wait, which each extension puts off.
    ExtendsWithoutEnd,
    /// Extends, and makes no new generation but the second: honest clients could wish for nothing more.
    ExtendsInsteadOfReplacing,
}

/// Does a new generation come, is the newest extended, or neither?
struct Outcome {
    advance: bool,
    extend: bool,
}

impl Rule {
    fn step(
        self,
        lifetimes: &Lifetimes,
        token: &Claims,
        record: &SessionRecord,
        now: Timestamp,
        intent: Intent,
    ) -> Step {
        let is_newest = token.generation == Some(record.generation) && token.expires_at <= record.expires_at;
        let is_good = now < token.expires_at && lifetimes.judge(&record.times(), now).is_live;
        match record.first_used_at {
            Some(used) if self != Self::Built && is_newest && is_good && intent == Intent::Refresh => {
                self.refresh(lifetimes, token, record, used, now)
            }
            _ => decide(lifetimes, token, record, now, intent),
        }
    }

    fn refresh(
        self,
        lifetimes: &Lifetimes,
        token: &Claims,
        record: &SessionRecord,
        used: Timestamp,
        now: Timestamp,
    ) -> Step {
        let expires_at = lifetimes.fresh_expiry(record.start(), now);
        let Outcome { advance, extend } = self.outcome(token, record, used, now, expires_at);
        let mut next = record.clone();
        next.expires_at = expires_at.max(record.expires_at);
        if advance {
            next.generation += 1;
            next.issued_at = now;
            next.first_used_at = None;
            Step::Write(Change::Advance, Box::new(next))
        } else if extend && record.generation > 0 {
            next.issued_at = now.max(record.issued_at);
            Step::Write(Change::Extend, Box::new(next))
        } else {
            Step::Serve { send_token: false }
        }
    }

    fn outcome(
        self,
        token: &Claims,
        record: &SessionRecord,
        used: Timestamp,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Outcome {
        let grace = duration(GRACE);
        let first = record.generation == 0;
        let hold = used.max(record.issued_at).plus(grace);
        let gains = expires_at > record.expires_at;
        let gains_or_missed = gains || token.expires_at < record.expires_at;
        let near_its_end = token.expires_at <= hold.plus(2 * grace);
        let in_time = now < used.plus(3 * grace);
        match self {
            Self::Built | Self::NeverExtends => {
                Outcome { advance: gains && (first || now >= used.plus(grace)), extend: false }
            }
            Self::ForgetsWhatItSent => {
                let advance = expires_at > token.expires_at && (first || now >= used.plus(grace));
                Outcome { advance, extend: token.expires_at <= used.plus(3 * grace) && gains_or_missed }
            }
            Self::ExtendsInsteadOfReplacing => Outcome { advance: first && gains, extend: gains_or_missed },
            Self::ExtendsAtEachRefresh => {
                let advance = expires_at > token.expires_at && (first || now >= used.plus(grace));
                Outcome { advance, extend: gains_or_missed }
            }
            Self::WaitsForTheHold | Self::NeverSendsAgain | Self::ExtendsWithoutEnd => {
                let extend = match self {
                    Self::WaitsForTheHold => in_time && token.expires_at <= hold && gains_or_missed,
                    Self::NeverSendsAgain => in_time && near_its_end && gains,
                    _ => near_its_end && gains_or_missed,
                };
                Outcome { advance: expires_at > token.expires_at && (first || now >= hold), extend }
            }
        }
    }
}

/// What a request was answered with: the record afterwards, and whether its newest token went with the answer.
#[derive(Debug)]
struct Served {
    record: SessionRecord,
    cookie: Option<Claims>,
}

/// The server's part: the driver's loop around the rule, with a store that never fails.
fn serve(
    rule: Rule,
    lifetimes: &Lifetimes,
    token: &Claims,
    mut record: SessionRecord,
    now: Timestamp,
    intent: Intent,
) -> Result<Served, Step> {
    for _ in 0..4 {
        match rule.step(lifetimes, token, &record, now, intent) {
            Step::Write(change, next) => {
                record = *next;
                if change.sends_the_token() {
                    let cookie = Some(record.claims());
                    return Ok(Served { record, cookie });
                }
            }
            Step::Serve { send_token } => {
                let cookie = send_token.then(|| record.claims());
                return Ok(Served { record, cookie });
            }
            refused => return Err(refused),
        }
    }
    panic!("{rule:?} does not come to an end: {token:?} {record:?}");
}

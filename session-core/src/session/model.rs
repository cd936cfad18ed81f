//! The refresh algorithm against every order of events: three tabs of one browser, one cookie jar, one store.
//!
//! A tab sends the cookie that the jar holds, the server answers at once or after others, the answer reaches the jar
//! late, out of order, or never. Time moves in steps. The search visits every reachable state once, and asks in
//! each: was an honest client logged out before its cookie expired? Flight time stays below the grace, as the
//! algorithm demands; a second search shows that the bound is tight.

use std::collections::HashSet;
use std::time::Duration;

use super::decide::{Change, Intent, Step, decide};
use crate::store::SessionRecord;
use crate::token::Claims;
use crate::{Lifetimes, SessionId, Timestamp};

const START: i64 = 1_000_000;
/// One step of the clock, in seconds.
const STEP: i64 = 10;
/// The model's settings, in seconds: small, so that several refreshes fit into a short life.
const MAX_AGE: u64 = 100;
const THRESHOLD: u64 = 60;
const GRACE: u64 = 30;

fn lifetimes() -> Lifetimes {
    Lifetimes::default()
        .max_age(Duration::from_secs(MAX_AGE))
        .refresh_threshold(Duration::from_secs(THRESHOLD))
        .replay_grace(Duration::from_secs(GRACE))
        .absolute_lifetime(Duration::from_secs(240))
}

/// A token by what distinguishes it: generation, issue and expiry in steps since the start.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
struct Token {
    generation: u8,
    issued: i16,
    expires: i16,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Tab {
    Idle,
    /// The request is under way to the server.
    Sent {
        token: Token,
        at: i16,
    },
    /// The answer is under way to the jar.
    Answered {
        cookie: Option<Token>,
        sent_at: i16,
    },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World<const TABS: usize> {
    now: i16,
    jar: Token,
    tabs: [Tab; TABS],
    record: Option<Record>,
    losses_left: u8,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Record {
    newest: Token,
    first_used: Option<i16>,
    last_seen: i16,
}

/// What the search is asked to do.
struct Search {
    lifetimes: Lifetimes,
    /// Between sending a request and its answer reaching the jar, in steps.
    most_flight: i16,
    losses: u8,
    end: i16,
}

/// An honest client was refused while its cookie was good.
#[derive(Debug, PartialEq, Eq)]
struct LoggedOut;

fn at(step: i16) -> Timestamp {
    Timestamp::from_unix_seconds(START + i64::from(step) * STEP)
}

fn step_of(at: Timestamp) -> i16 {
    i16::try_from((at.unix_seconds() - START) / STEP).unwrap()
}

impl Token {
    fn claims(self) -> Claims {
        Claims {
            sid: SessionId::from_bytes([1; 16]),
            generation: Some(self.generation.into()),
            issued_at: at(self.issued),
            expires_at: at(self.expires),
            authenticated_at: at(0),
        }
    }

    fn of(record: &SessionRecord) -> Self {
        Self {
            generation: u8::try_from(record.generation).unwrap(),
            issued: step_of(record.issued_at),
            expires: step_of(record.expires_at),
        }
    }
}

impl Record {
    fn to_store(self) -> SessionRecord {
        SessionRecord {
            id: SessionId::from_bytes([1; 16]),
            subject: None,
            version: 0,
            payload: Vec::new(),
            authenticated_at: at(0),
            last_seen: at(self.last_seen),
            generation: self.newest.generation.into(),
            issued_at: at(self.newest.issued),
            expires_at: at(self.newest.expires),
            first_used_at: self.first_used.map(at),
            ends_at: at(self.newest.expires),
            user_agent: None,
            ip_address: None,
        }
    }

    fn from_store(record: &SessionRecord) -> Self {
        Self {
            newest: Token::of(record),
            first_used: record.first_used_at.map(step_of),
            // Decides nothing without an idle timeout; one value keeps the states few.
            last_seen: 0,
        }
    }
}

impl<const TABS: usize> World<TABS> {
    fn start(search: &Search) -> Self {
        let expires = step_of(search.lifetimes.fresh_expiry(at(0), at(0)));
        let first = Token { generation: 0, issued: 0, expires };
        Self {
            now: 0,
            jar: first,
            tabs: [Tab::Idle; TABS],
            record: Some(Record { newest: first, first_used: Some(0), last_seen: 0 }),
            losses_left: search.losses,
        }
    }

    /// Everything that can happen next.
    fn successors(&self, search: &Search, next: &mut Vec<Self>) -> Result<(), LoggedOut> {
        if self.now < search.end && self.nobody_is_overdue(search) {
            next.push(Self { now: self.now + 1, ..self.clone() });
        }
        for (index, tab) in self.tabs.iter().enumerate() {
            match *tab {
                Tab::Idle if self.now < self.jar.expires => {
                    next.push(self.with(index, Tab::Sent { token: self.jar, at: self.now }));
                }
                Tab::Idle => {}
                Tab::Sent { token, at } => next.push(self.served(index, token, at, search)?),
                Tab::Answered { cookie, .. } => {
                    next.push(Self { jar: cookie.unwrap_or(self.jar), ..self.with(index, Tab::Idle) });
                    if self.losses_left > 0 && cookie.is_some() {
                        next.push(Self { losses_left: self.losses_left - 1, ..self.with(index, Tab::Idle) });
                    }
                }
            }
        }
        Ok(())
    }

    fn with(&self, index: usize, tab: Tab) -> Self {
        let mut world = self.clone();
        world.tabs[index] = tab;
        // Tabs are alike: one order of them stands for all.
        world.tabs.sort();
        world
    }

    fn nobody_is_overdue(&self, search: &Search) -> bool {
        self.tabs.iter().all(|tab| match *tab {
            Tab::Idle => true,
            Tab::Sent { at, .. } | Tab::Answered { sent_at: at, .. } => self.now - at < search.most_flight,
        })
    }

    /// The server's part: the driver's loop around [`decide`], with a store that never fails.
    fn served(&self, index: usize, token: Token, sent_at: i16, search: &Search) -> Result<Self, LoggedOut> {
        let claims = token.claims();
        let mut record = self.record.map(Record::to_store);
        loop {
            match decide(&search.lifetimes, &claims, record.as_ref(), at(self.now), Intent::Use) {
                Step::Write(change, next) => {
                    assert_eq!(change == Change::Advance, next.first_used_at.is_none());
                    record = Some(*next);
                }
                Step::Serve { send_token } => {
                    let record = record.unwrap();
                    let cookie = send_token.then(|| Token::of(&record));
                    let mut world = self.with(index, Tab::Answered { cookie, sent_at });
                    world.record = Some(Record::from_store(&record));
                    return Ok(world);
                }
                // The cookie ran out on the way: that is no logout.
                Step::Expired if self.now >= token.expires => return Ok(self.with(index, Tab::Idle)),
                Step::Expired | Step::NotFound | Step::Replay => return Err(LoggedOut),
            }
        }
    }
}

impl Search {
    /// Visits every reachable world. How many there were, or that somebody was logged out.
    fn run<const TABS: usize>(&self) -> Result<usize, LoggedOut> {
        let start = World::<TABS>::start(self);
        let mut seen = HashSet::from([start.clone()]);
        let (mut open, mut next) = (vec![start], Vec::new());
        while let Some(world) = open.pop() {
            world.successors(self, &mut next)?;
            open.extend(next.drain(..).filter(|world| seen.insert(world.clone())));
        }
        Ok(seen.len())
    }
}

#[test]
fn no_order_of_events_logs_an_honest_client_out() {
    let search = Search { lifetimes: lifetimes(), most_flight: 2, losses: 2, end: 25 };
    let worlds = search.run::<3>().expect("nobody is logged out");
    assert!(worlds > 10_000, "the search saw only {worlds} worlds");
}

#[test]
fn a_flight_longer_than_the_grace_is_found_out_so_the_search_can_fail() {
    let search = Search { lifetimes: lifetimes(), most_flight: 5, losses: 0, end: 25 };
    assert_eq!(search.run::<2>(), Err(LoggedOut));
}

#[test]
fn a_thief_and_the_user_cannot_both_go_on() {
    let lifetimes = lifetimes();
    let (mut user, mut now) = (Token { generation: 0, issued: 0, expires: 10 }, 5);
    let thief = user;
    let mut record = Record { newest: user, first_used: Some(0), last_seen: 0 };
    let mut use_at = |token: Token, now: i16| {
        let mut stored = record.to_store();
        loop {
            match decide(&lifetimes, &token.claims(), Some(&stored), at(now), Intent::Use) {
                Step::Write(_, next) => stored = *next,
                Step::Serve { send_token } => {
                    record = Record::from_store(&stored);
                    return Ok(send_token.then_some(record.newest));
                }
                refused => return Err(refused),
            }
        }
    };
    user = use_at(user, now).unwrap().expect("a refresh is due");
    now += 1;
    assert_eq!(use_at(user, now), Ok(None), "the successor is used");
    now += 3;
    assert_eq!(use_at(thief, now), Err(Step::Replay));
}

//! Tabs of one browser with one cookie jar.
//!
//! A tab sends the cookie that the jar holds, a server answers at once or after others, by a clock that may be behind;
//! the answer reaches the jar late, out of order, or never. What a request wants is open until it is served: a plain
//! use or a refresh. That covers every threshold, and every front end that refreshes so many seconds before the end.
//!
//! All times are counted from now, so the search has no horizon: it visits every world there can ever be.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use super::{GRACE, Intent, MAX_AGE, Rule, claims, duration, lifetimes, record, seconds, serve};
use crate::lifetimes::Lifetimes;
use crate::time::Timestamp;

/// A refresh in the last seconds of a token, at most these, brings a longer one.
const LEAD: i64 = 60;
/// Generations are told apart up to this one. The first is special, and a predecessor has a predecessor.
const MOST_GENERATIONS: u64 = 2;

/// What the search is asked to do.
#[derive(Clone, Copy, Debug)]
struct Search {
    rule: Rule,
    /// One step of the clock, in seconds.
    step: i64,
    /// Between sending a request and its answer reaching the jar, in steps.
    most_flight: u8,
    /// How far a server's clock may be behind another's, in steps.
    clock_difference: i8,
    /// From the login to the end of the absolute lifetime, in steps; `None` for a session that need not end.
    absolute: Option<i8>,
}

/// What must not happen to an honest client.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// It was refused while its cookie was good.
    LoggedOut,
    /// It asked for a refresh near the end, and neither the answer nor the jar has a longer token.
    NotExtended,
}

/// A token by what distinguishes it: how many generations it is behind the newest, and the steps until it expires.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Token {
    behind: u8,
    left: i8,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Tab {
    Idle,
    /// The request is under way to the server.
    Sent {
        token: Token,
        age: u8,
    },
    /// The answer is under way to the jar. One without a cookie changes nothing, and its tab is idle again.
    Answered {
        cookie: Token,
        age: u8,
    },
}

/// The record, in steps before and after now.
#[derive(Clone, Copy, Debug)]
struct Record {
    generation: u64,
    left: i8,
    issued: i8,
    used: Option<i8>,
}

#[derive(Clone, Copy, Debug)]
struct World<const TABS: usize> {
    jar: Option<Token>,
    tabs: [Tab; TABS],
    record: Record,
    absolute: Option<i8>,
}

impl Token {
    fn is_newer_than(self, other: Self) -> bool {
        (other.behind, self.left) > (self.behind, other.left)
    }

    fn code(self) -> u128 {
        u128::from(self.behind) << 6 | u128::from((self.left + 2).unsigned_abs())
    }
}

impl Tab {
    fn code(self) -> u128 {
        match self {
            Self::Idle => 0,
            Self::Sent { token, age } => 1 << 12 | u128::from(age) << 8 | token.code(),
            Self::Answered { cookie, age } => 2 << 12 | u128::from(age) << 8 | cookie.code(),
        }
    }

    fn age(self) -> u8 {
        match self {
            Self::Idle => 0,
            Self::Sent { age, .. } | Self::Answered { age, .. } => age,
        }
    }

    fn token(&mut self) -> Option<&mut Token> {
        match self {
            Self::Idle => None,
            Self::Sent { token, .. } | Self::Answered { cookie: token, .. } => Some(token),
        }
    }
}

impl<const TABS: usize> World<TABS> {
    fn start(search: &Search) -> Self {
        let life = i8::try_from(MAX_AGE / search.step).unwrap();
        let left = search.absolute.map_or(life, |absolute| absolute.min(life));
        Self {
            jar: Some(Token { behind: 0, left }),
            tabs: [Tab::Idle; TABS],
            record: Record { generation: 0, left, issued: 0, used: Some(0) },
            absolute: search.absolute,
        }
    }

    /// The whole world in one number. Tabs are alike: one order of them stands for all.
    fn code(&mut self) -> u128 {
        self.tabs.sort_unstable();
        let record = u128::from(self.record.generation) << 16
            | u128::from((self.record.left + 2).unsigned_abs()) << 10
            | u128::from(self.record.issued.unsigned_abs()) << 5
            | u128::from(self.record.used.map_or(31, i8::unsigned_abs));
        let jar = self.jar.map_or(0, Token::code);
        let absolute = u128::from(self.absolute.unwrap_or(0).unsigned_abs());
        let outer = record << 15 | jar << 7 | absolute;
        self.tabs.iter().fold(outer, |code, tab| code << 14 | tab.code())
    }

    /// Everything that can happen next.
    fn successors(&self, search: &Search, next: &mut Vec<Self>) -> Result<(), Fault> {
        if self.record.left <= -search.clock_difference {
            return Ok(());
        }
        if self.tabs.iter().all(|tab| matches!(tab, Tab::Idle) || tab.age() < search.most_flight) {
            next.push(self.later(search));
        }
        for (index, tab) in self.tabs.iter().enumerate() {
            match *tab {
                Tab::Idle => {
                    next.extend(self.jar.map(|token| self.with(index, Tab::Sent { token, age: 0 })));
                }
                Tab::Sent { token, age } => {
                    for intent in [Intent::UseAsIs, Intent::Refresh] {
                        for behind in 0..=search.clock_difference {
                            next.push(self.served(index, token, age, search, intent, behind)?);
                        }
                    }
                }
                Tab::Answered { cookie, .. } => {
                    let lost = self.with(index, Tab::Idle);
                    next.extend([lost, Self { jar: Some(cookie).filter(|token| token.left > 0), ..lost }]);
                }
            }
        }
        Ok(())
    }

    fn with(&self, index: usize, tab: Tab) -> Self {
        let mut world = *self;
        world.tabs[index] = tab;
        world
    }

    /// One step of the clock. What is over is over: times are told apart only as far as something depends on them.
    fn later(&self, search: &Search) -> Self {
        let oldest = i8::try_from(3 * GRACE / search.step).unwrap() + 2;
        let older = |age: i8| (age + 1).min(oldest);
        let shorter = |left: i8| (left - 1).max(-search.clock_difference);
        let mut world = *self;
        world.absolute = self.absolute.map(|left| shorter(left).max(0));
        world.record = Record {
            left: shorter(self.record.left),
            issued: older(self.record.issued),
            used: self.record.used.map(older),
            ..self.record
        };
        world.jar = self.jar.map(|token| Token { left: shorter(token.left), ..token });
        world.jar = world.jar.filter(|token| token.left > 0);
        for tab in &mut world.tabs {
            if let Some(token) = tab.token() {
                token.left = shorter(token.left);
            }
            if let Tab::Sent { age, .. } | Tab::Answered { age, .. } = tab {
                *age += 1;
            }
        }
        world
    }

    /// A server answers whose clock is `behind` by so many steps.
    fn served(
        &self,
        index: usize,
        token: Token,
        age: u8,
        search: &Search,
        intent: Intent,
        behind: i8,
    ) -> Result<Self, Fault> {
        let now = super::at(-i64::from(behind) * search.step);
        let shown =
            claims(self.record.generation - u64::from(token.behind), i64::from(token.left) * search.step);
        if now >= shown.expires_at {
            return Ok(self.with(index, Tab::Idle));
        }
        let served = serve(search.rule, &self.lifetimes(search), &shown, self.stored(search), now, intent)
            .map_err(|_| Fault::LoggedOut)?;
        let steps = |at: Timestamp| i8::try_from(seconds(at) / search.step).unwrap();
        let record = &served.record;
        let advanced = u8::try_from(record.generation - self.record.generation).unwrap();
        let mut world = self.aged(advanced);
        world.record = Record {
            generation: record.generation.min(MOST_GENERATIONS),
            left: steps(record.expires_at),
            issued: -steps(record.issued_at),
            used: record.first_used_at.map(|used| -steps(used)),
        };
        let cookie = served.cookie.map(|_| Token { behind: 0, left: world.record.left });
        world.tabs[index] = cookie.map_or(Tab::Idle, |cookie| Tab::Answered { cookie, age });
        let shown_now = Token { behind: token.behind + advanced, ..token };
        let near_its_end = seconds(shown.expires_at) - seconds(now) <= LEAD;
        let is_longer = |other: Option<Token>| other.is_some_and(|other| other.is_newer_than(shown_now));
        let at_the_end = self.absolute.is_some_and(|absolute| token.left >= absolute);
        let wanted = intent == Intent::Refresh && near_its_end && !at_the_end;
        if wanted && !is_longer(cookie) && !is_longer(world.jar) {
            return Err(Fault::NotExtended);
        }
        Ok(world)
    }

    /// Every token is so many generations older.
    fn aged(&self, by: u8) -> Self {
        let mut world = *self;
        let tokens = world.tabs.iter_mut().filter_map(Tab::token).chain(&mut world.jar);
        tokens.for_each(|token| token.behind = (token.behind + by).min(2));
        world
    }

    fn lifetimes(&self, search: &Search) -> Lifetimes {
        match self.absolute {
            None => lifetimes(),
            // The login was a thousand seconds ago, as `record` has it.
            Some(left) => lifetimes().absolute_lifetime(duration(1000 + i64::from(left) * search.step)),
        }
    }

    fn stored(&self, search: &Search) -> crate::store::SessionRecord {
        let seconds = |steps: i8| i64::from(steps) * search.step;
        let Record { generation, left, issued, used } = self.record;
        record(generation, -seconds(issued), seconds(left), used.map(|used| -seconds(used)))
    }
}

/// Numbers that are as good as random already.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("worlds are numbers");
    }

    fn write_u128(&mut self, code: u128) {
        let folded = (code as u64) ^ ((code >> 64) as u64).rotate_left(32);
        self.0 = folded.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 29;
        self.0 = self.0.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        self.0 ^= self.0 >> 32;
    }
}

impl Search {
    /// Flight time and clock difference stay below the grace, as the algorithm demands.
    const FINE: Self =
        Self { rule: Rule::Built, step: 5, most_flight: 4, clock_difference: 1, absolute: None };
    const COARSE: Self =
        Self { rule: Rule::Built, step: 10, most_flight: 2, clock_difference: 0, absolute: None };

    /// Visits every reachable world. How many there are, which `--nocapture` shows, or what went wrong in one.
    fn run<const TABS: usize>(&self) -> Result<usize, Fault> {
        let mut start = World::<TABS>::start(self);
        let mut seen: HashSet<u128, BuildHasherDefault<Mix>> = HashSet::default();
        seen.insert(start.code());
        let (mut open, mut next) = (vec![start], Vec::new());
        while let Some(world) = open.pop() {
            world.successors(self, &mut next)?;
            open.extend(next.drain(..).filter_map(|mut world| seen.insert(world.code()).then_some(world)));
        }
        println!("{TABS} tabs, {self:?}: {} worlds", seen.len());
        Ok(seen.len())
    }

    /// So many steps, each one of those that can be taken; from the login again whenever the session is over.
    fn wander<const TABS: usize>(&self, steps: usize) -> Result<(), Fault> {
        let (mut world, mut next, mut random) = (World::<TABS>::start(self), Vec::new(), 0x2545_f491_u64);
        for _ in 0..steps {
            world.successors(self, &mut next)?;
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let choice = usize::try_from(random >> 33).unwrap() % next.len().max(1);
            world = next.get(choice).copied().unwrap_or_else(|| World::start(self));
            next.clear();
        }
        Ok(())
    }
}

/// In a build for release, which has the time, by the finer clock.
fn two_tabs(rule: Rule) -> Search {
    Search { rule, ..if cfg!(debug_assertions) { Search::COARSE } else { Search::FINE } }
}

/// Three tabs, or a session with an end, have many more worlds: a step is half a grace.
const COARSER: Search = Search { step: 15, most_flight: 1, ..Search::COARSE };

#[test]
fn no_order_of_events_logs_an_honest_client_out() {
    let worlds = two_tabs(Rule::Built).run::<2>().expect("nobody is logged out");
    assert!(worlds > 40_000, "the search saw only {worlds} worlds");
}

#[test]
fn nor_does_one_of_three_tabs() {
    let search = if cfg!(debug_assertions) { COARSER } else { Search::FINE };
    let worlds = search.run::<3>().expect("nobody is logged out");
    assert!(worlds > 30_000, "the search saw only {worlds} worlds");
}

#[test]
fn nor_does_one_before_the_absolute_lifetime_ends() {
    for absolute in [17, 20, 24] {
        let worlds = Search { absolute: Some(absolute), ..COARSER }.run::<2>();
        assert!(worlds.expect("nobody is logged out") > 1_000, "{absolute}");
    }
}

#[test]
fn nor_does_a_walk_of_four_tabs() {
    let steps = if cfg!(debug_assertions) { 50_000 } else { 25_000_000 };
    assert_eq!(Search::FINE.wander::<4>(steps), Ok(()));
}

#[test]
fn every_wrong_rule_is_found_out() {
    let wrong = [
        (Rule::NeverExtends, Fault::NotExtended),
        (Rule::ForgetsWhatItSent, Fault::LoggedOut),
        (Rule::ExtendsAtEachRefresh, Fault::LoggedOut),
        (Rule::WaitsForTheHold, Fault::NotExtended),
        (Rule::NeverSendsAgain, Fault::NotExtended),
    ];
    for (rule, fault) in wrong {
        assert_eq!(two_tabs(rule).run::<2>(), Err(fault), "{rule:?}");
    }
}

#[test]
fn a_flight_as_long_as_the_grace_is_found_out_so_the_bound_is_tight() {
    let search = Search { most_flight: 3, ..Search::COARSE };
    assert_eq!(search.run::<2>(), Err(Fault::LoggedOut));
}

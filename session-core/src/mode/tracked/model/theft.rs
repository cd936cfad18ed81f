//! Two holders of one cookie: the user, and somebody who has copied it.
//!
//! What cannot be told apart is not a theft in here: two that always come within a grace of each other look like two
//! tabs. So from whatever state the two have reached, they come apart: each once refreshes and shows what it got,
//! a grace after the other. Then one of them must be refused, as it was before there were extensions.

use std::collections::HashSet;

use super::{GRACE, Intent, MAX_AGE, Rule, at, claims, lifetimes, record, seconds, serve};
use crate::store::SessionRecord;
use crate::token::Claims;

/// In seconds.
const STEP: i64 = 15;
/// From its issue on, a generation is replaced or over after this.
const LONGEST: i64 = 2 * MAX_AGE + 3 * GRACE;

/// The record and what everybody holds, in seconds from now.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World<const HOLDERS: usize> {
    generation: u64,
    issued: i64,
    expires: i64,
    used: Option<i64>,
    /// Generation and expiry.
    held: [(u64, i64); HOLDERS],
    /// How old the generation is.
    age: i64,
}

impl<const HOLDERS: usize> World<HOLDERS> {
    /// A token that has just been issued, and that everybody holds.
    fn start(generation: u64) -> Self {
        let held = [(generation, MAX_AGE); HOLDERS];
        let used = (generation == 0).then_some(0);
        Self { generation, issued: 0, expires: MAX_AGE, used, held, age: 0 }
    }

    fn record(&self) -> SessionRecord {
        record(self.generation, self.issued, self.expires, self.used)
    }

    fn token(&self, holder: usize) -> Claims {
        let (generation, expires) = self.held[holder];
        claims(generation, expires)
    }

    fn is_alive(&self, holder: usize) -> bool {
        self.held[holder].1 > 0
    }

    /// One request of a holder, who gets the answer or loses it. `None` when it is refused: the theft is found.
    fn asks(&self, rule: Rule, holder: usize, intent: Intent, behind: i64) -> Option<(Self, Option<Claims>)> {
        let token = self.token(holder);
        let now = at(-behind);
        let served = serve(rule, &lifetimes(), &token, self.record(), now, intent).ok()?;
        let mut world = self.clone();
        world.generation = served.record.generation;
        world.issued = seconds(served.record.issued_at);
        world.expires = seconds(served.record.expires_at);
        world.used = served.record.first_used_at.map(seconds);
        if world.generation != self.generation {
            world.age = 0;
        }
        Some((world, served.cookie))
    }

    fn takes(mut self, holder: usize, cookie: Option<Claims>) -> Self {
        if let Some(cookie) = cookie {
            self.held[holder] = (cookie.generation.unwrap_or(0), seconds(cookie.expires_at));
        }
        self
    }

    fn later(&self, by: i64) -> Self {
        // Nothing depends on how long ago it was, if it was longer ago than any bound.
        let earlier = |at: i64| (at - by).max(-4 * GRACE);
        let mut world = self.clone();
        world.issued = earlier(self.issued);
        world.expires = (self.expires - by).max(-STEP);
        world.used = self.used.map(earlier);
        world.held.iter_mut().for_each(|(_, expires)| *expires = (*expires - by).max(-STEP));
        world.age += by;
        world
    }

    /// The same, with the generations counted anew and in one order of the holders.
    fn normal(mut self) -> Self {
        let by = self.generation.saturating_sub(2);
        self.generation -= by;
        self.held.iter_mut().for_each(|(generation, _)| *generation = generation.saturating_sub(by));
        self.held.sort_unstable();
        self
    }

    fn successors(&self, rule: Rule, differences: &[i64]) -> Vec<Self> {
        let mut next = vec![self.later(STEP)];
        for holder in 0..HOLDERS {
            for intent in [Intent::UseAsIs, Intent::Refresh] {
                for &behind in differences {
                    if let Some((world, cookie)) = self.asks(rule, holder, intent, behind) {
                        next.extend([world.clone(), world.takes(holder, cookie)]);
                    }
                }
            }
        }
        next
    }

    /// Every world that can be reached while nobody was refused, of those that `counts` lets pass, as it does.
    fn reachable(
        start: Self,
        rule: Rule,
        differences: &[i64],
        counts: impl Fn(Self) -> Option<Self>,
    ) -> HashSet<Self> {
        let mut seen = HashSet::from([start.clone()]);
        let mut open = vec![start];
        while let Some(world) = open.pop() {
            let next = world.successors(rule, differences).into_iter().map(Self::normal);
            open.extend(next.filter_map(&counts).filter(|world| seen.insert(world.clone())));
        }
        seen
    }
}

impl World<2> {
    /// The two come in turn, a grace apart. Whether one of them is refused, or lets its token expire.
    fn is_found_when_they_come_apart(&self, rule: Rule, first: usize) -> bool {
        let mut world = self.clone();
        for visit in 0..4 {
            world = world.later(GRACE);
            let holder = (first + visit) % 2;
            if !world.is_alive(holder) {
                return true;
            }
            for intent in [Intent::Refresh, Intent::UseAsIs] {
                match world.asks(rule, holder, intent, 0) {
                    Some((next, cookie)) => world = next.takes(holder, cookie),
                    None => return true,
                }
            }
        }
        false
    }

    /// A world in which they go on side by side; and how many there are in which they may.
    fn undetected(rule: Rule) -> (Option<Self>, usize) {
        let both_go_on =
            |world: Self| (0..2).all(|holder| world.is_alive(holder)).then_some(Self { age: 0, ..world });
        let mut worlds = Self::reachable(Self::start(0), rule, &[0], both_go_on);
        let count = worlds.len();
        worlds.retain(|world| !(0..2).all(|first| world.is_found_when_they_come_apart(rule, first)));
        (worlds.into_iter().next(), count)
    }
}

#[test]
fn a_thief_and_the_user_who_come_apart_are_found_whatever_was_before() {
    for rule in [Rule::NeverExtends, Rule::Built] {
        let (undetected, worlds) = World::undetected(rule);
        assert_eq!(undetected, None, "{rule:?}");
        assert!(worlds > 1000, "{rule:?} reaches only {worlds} worlds");
    }
    assert!(World::undetected(Rule::ExtendsInsteadOfReplacing).0.is_some());
}

/// The age of the oldest generation that somebody can still use.
fn oldest(rule: Rule) -> i64 {
    let is_in_use = |world: &World<3>| (0..3).any(|holder| world.is_alive(holder));
    let is_the_first = |world: &World<3>| world.generation == 1 && world.age <= LONGEST + STEP;
    let counts = |world: World<3>| (is_in_use(&world) && is_the_first(&world)).then_some(world);
    let worlds = World::reachable(World::start(1), rule, &[0, STEP], counts);
    worlds.iter().map(|world| world.age).max().unwrap()
}

#[test]
fn a_generation_is_replaced_in_time_however_often_it_is_extended() {
    let (built, endless) = (oldest(Rule::Built), oldest(Rule::ExtendsWithoutEnd));
    assert!(built <= LONGEST, "{built} s");
    assert!(endless > LONGEST, "{endless} s");
}

//! What a seed draws before a run begins: the fleet, its settings, and the weather.

use std::time::Duration;

use session_core::store::SessionLimit;
use session_core::{Lifetimes, ReplayPolicy};

use crate::happened::Happened;
use crate::planted::Planted;
use crate::random::Random;
use crate::stage::Millis;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Stateless,
    Tracked,
    /// With its staleness bound.
    Hybrid(Millis),
}

impl Mode {
    pub(crate) fn run(self) -> Happened {
        match self {
            Self::Stateless => Happened::StatelessRun,
            Self::Tracked => Happened::TrackedRun,
            Self::Hybrid(_) => Happened::HybridRun,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    pub(crate) nodes: usize,
    pub(crate) accounts: usize,
    pub(crate) browsers: usize,
    pub(crate) tabs: usize,
    pub(crate) times: Times,
    pub(crate) replay: ReplayPolicy,
    pub(crate) limit: Option<SessionLimit>,
    pub(crate) ended_capacity: usize,
    pub(crate) seals: Seals,
    pub(crate) forgets_to_seal: bool,
    pub(crate) weather: Weather,
    pub(crate) events: Events,
    /// When the tabs make their last request.
    pub(crate) end: Millis,
}

/// Whether tokens and records are sealed, by the program of before the deploy and by the one after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seals {
    pub(crate) old: bool,
    pub(crate) new: bool,
}

impl Seals {
    pub(crate) fn of(self, is_old_program: bool) -> bool {
        if is_old_program { self.old } else { self.new }
    }

    pub(crate) fn any(self) -> bool {
        self.old || self.new
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rotation {
    No,
    /// In the phases of the guide: nobody notices.
    Planned,
    /// Somebody else has the old key: it is retired as soon as there is another one.
    Urgent,
}

/// In seconds.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    pub(crate) max_age: u64,
    pub(crate) threshold: u64,
    pub(crate) grace: u64,
    pub(crate) absolute: u64,
    pub(crate) unremembered: u64,
    pub(crate) idle: Option<u64>,
    pub(crate) seen_interval: u64,
}

/// Chances are of a thousand.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    /// Within what the documentation asks for: a request's flight, the difference of two clocks and the store's deadline
    /// together stay below the grace.
    pub(crate) is_calm: bool,
    /// The longest way from a browser to a node, or back.
    pub(crate) flight: Millis,
    /// How far a clock is off at most, either way.
    pub(crate) skew: Millis,
    pub(crate) jumps: bool,
    /// The usual time that the store needs, either way.
    pub(crate) latency: Millis,
    pub(crate) call_fails: u64,
    pub(crate) answer_is_lost: u64,
    pub(crate) call_is_slow: u64,
    pub(crate) call_hangs: u64,
    /// A call arrives when its caller has given up.
    pub(crate) call_is_late: u64,
    pub(crate) response_is_lost: u64,
    pub(crate) request_is_cut: u64,
    pub(crate) news_is_lost: u64,
    pub(crate) news_delay: Millis,
}

/// What happens to the fleet.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    pub(crate) rotation: Rotation,
    pub(crate) deploy: bool,
    pub(crate) restarts: bool,
    pub(crate) thief: bool,
    /// An administrator ends sessions and changes accounts.
    pub(crate) administrator: bool,
    /// Another application on the same store, in a realm of its own.
    pub(crate) neighbour: bool,
}

/// How long an operation waits for the store.
pub(crate) const DEADLINE: Millis = 2_000;

impl Settings {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let times = Times::draw(random);
        let weather = Weather::draw(random, &times);
        let bound = random.pick(&[1_000, 5_000, 15_000, 30_000]);
        let mode = match random.below(10) {
            0..2 => Mode::Stateless,
            2..6 => Mode::Tracked,
            _ => Mode::Hybrid(bound.min(times.idle.map_or(bound, |idle| idle * 100))),
        };
        let times = if mode == Mode::Stateless { Times { idle: None, ..times } } else { times };
        let events = Events {
            rotation: random.pick(&[
                Rotation::No,
                Rotation::No,
                Rotation::No,
                Rotation::Planned,
                Rotation::Urgent,
            ]),
            deploy: random.chance(200),
            restarts: random.chance(200),
            thief: random.chance(150),
            administrator: random.chance(400),
            neighbour: random.chance(150),
        };
        Self {
            mode,
            nodes: random.index(4) + 1,
            accounts: random.index(3) + 1,
            browsers: random.index(3) + 1,
            tabs: random.index(3) + 1,
            times,
            replay: random.pick(&[ReplayPolicy::EndSession, ReplayPolicy::EndSession, ReplayPolicy::Refuse]),
            limit: random.pick(&[
                None,
                None,
                Some(SessionLimit::EvictLeastRecentlySeen(2)),
                Some(SessionLimit::Refuse(2)),
            ]),
            ended_capacity: 10_000,
            seals: Seals { old: random.chance(400), new: random.chance(400) },
            forgets_to_seal: false,
            weather,
            events,
            end: random.pick(&[150_000, 300_000, 700_000]) - random.below(100_000),
        }
    }

    /// The drill: five nodes, a rotation under load, and a store that works.
    pub(crate) fn drill(random: &mut Random) -> Self {
        let mut drawn = Self::draw(random);
        drawn.nodes = 5;
        drawn.limit = None;
        drawn.times = Times { idle: None, ..drawn.times };
        drawn.weather =
            Weather { is_calm: true, skew: 5_000, jumps: true, flight: 3_000, ..Weather::clear() };
        drawn.events = Events { rotation: Rotation::Planned, ..Events::none() };
        drawn.end = 900_000;
        drawn
    }

    /// What a node is told, if somebody made a mistake.
    pub(crate) fn of_node(&self, number: usize, planted: Option<Planted>) -> Self {
        let mut settings = self.clone();
        match (planted, &mut settings.mode, number) {
            (Some(Planted::BoundIsLonger), Mode::Hybrid(bound), 0) => *bound += 60_000,
            (Some(Planted::LifetimeIsLonger), _, 0) => settings.times.absolute *= 3,
            (Some(Planted::SealsNothing), _, 0) => settings.forgets_to_seal = true,
            (Some(Planted::EndedListIsFull), ..) => settings.ended_capacity = 0,
            _ => {}
        }
        settings
    }

    pub(crate) fn lifetimes(&self) -> Lifetimes {
        let Times { max_age, threshold, grace, absolute, unremembered, idle, seen_interval } = self.times;
        let lifetimes = Lifetimes::default()
            .max_age(Duration::from_secs(max_age))
            .refresh_threshold(Duration::from_secs(threshold))
            .replay_grace(Duration::from_secs(grace))
            .absolute_lifetime(Duration::from_secs(absolute))
            .unremembered(Duration::from_secs(unremembered))
            .last_seen_interval(Duration::from_secs(seen_interval));
        idle.map_or(lifetimes.clone(), |idle| lifetimes.idle_timeout(Duration::from_secs(idle)))
    }

    pub(crate) fn has_store(&self) -> bool {
        self.mode != Mode::Stateless
    }
}

impl Times {
    fn draw(random: &mut Random) -> Self {
        let grace = random.pick(&[20, 30]);
        let max_age = random.pick(&[180, 240, 400]);
        let threshold = random.within(grace + 10..=max_age / 2);
        let absolute = random.within(max_age + 20..=max_age * 3);
        let seen_interval = random.pick(&[0, 5, 15]);
        let idle = random.chance(250).then_some(if seen_interval > 6 { 150 } else { 60 });
        Self { max_age, threshold, grace, absolute, unremembered: absolute / 2 + 30, idle, seen_interval }
    }
}

impl Weather {
    /// Nothing goes wrong.
    fn clear() -> Self {
        Self {
            is_calm: true,
            flight: 20,
            skew: 0,
            jumps: false,
            latency: 5,
            call_fails: 0,
            answer_is_lost: 0,
            call_is_slow: 0,
            call_hangs: 0,
            call_is_late: 0,
            response_is_lost: 0,
            request_is_cut: 0,
            news_is_lost: 0,
            news_delay: 50,
        }
    }

    fn draw(random: &mut Random, times: &Times) -> Self {
        let mut weather = Self::clear();
        weather.is_calm = !random.chance(200);
        // Of the grace: one part for each way, one for the difference of clocks; a use waits for its store up to two
        // seconds, and for a revalidation not at all.
        let part = (times.grace * 1000 - DEADLINE - 2_000) / 4;
        weather.latency = random.pick(&[0, 0, 3, 50, 400]);
        weather.flight = random.pick(&[5, 200, part]);
        weather.skew = random.pick(&[0, 1_000, part]);
        weather.jumps = random.chance(300);
        if !weather.is_calm {
            weather.flight = random.pick(&[1_000, 40_000]);
            weather.skew = random.pick(&[30_000, 120_000]);
        }
        let troubles = if random.chance(500) { random.pick(&[5, 20, 80]) } else { 0 };
        for chance in [
            &mut weather.call_fails,
            &mut weather.answer_is_lost,
            &mut weather.call_is_slow,
            &mut weather.call_hangs,
            &mut weather.call_is_late,
        ] {
            *chance = if random.chance(500) { troubles } else { 0 };
        }
        weather.response_is_lost = random.pick(&[0, 20, 150]);
        weather.request_is_cut = random.pick(&[0, 20, 100]);
        weather.news_is_lost = random.pick(&[0, 300, 1000]);
        weather.news_delay = random.pick(&[10, 2_000, 60_000]);
        weather
    }

    /// The store answers everything in time.
    pub(crate) fn store_is_well(&self) -> bool {
        self.call_fails + self.answer_is_lost + self.call_is_slow + self.call_hangs + self.call_is_late == 0
    }
}

impl Events {
    fn none() -> Self {
        Self {
            rotation: Rotation::No,
            deploy: false,
            restarts: false,
            thief: false,
            administrator: false,
            neighbour: false,
        }
    }
}

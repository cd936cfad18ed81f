//! What a seed draws before a run begins: the fleet, its settings, and the weather.

use std::time::Duration;

use session_core::store::SessionLimit;
use session_core::{Lifetimes, ReplayPolicy};

use crate::clock::BEGINNING;
use crate::happened::Happened;
use crate::planted::Planted;
use crate::random::Random;
use crate::stage::Millis;
use crate::visa::Moving;
use crate::weather::Weather;

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
    /// From another system: of those with a store some.
    pub(crate) moving: Option<Moving>,
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

pub(crate) fn account(number: usize) -> String {
    format!("account {number}")
}

impl Settings {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let times = Times::draw(random);
        let weather = Weather::draw(random, times.grace);
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
        let end = random.pick(&[150_000, 300_000, 700_000]) - random.below(100_000);
        let moves = mode != Mode::Stateless && random.chance(300);
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
            moving: moves.then(|| Moving::draw(random, BEGINNING, end)),
            end,
        }
    }

    /// The drill: five nodes, a rotation under load, and a store that works.
    pub(crate) fn drill(random: &mut Random) -> Self {
        let mut drawn = Self::draw(random);
        drawn.nodes = 5;
        drawn.limit = None;
        drawn.moving = None;
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
        if let Some(moving) = &mut settings.moving {
            match (planted, number) {
                (Some(Planted::AdoptingIsLonger), 0) => moving.until += 3_600,
                (Some(Planted::ForeignEndIsLost), 0) => moving.loses_the_end = true,
                (Some(Planted::ForeignIdChanges), _) => moving.names_change = true,
                _ => {}
            }
        }
        settings
    }

    pub(crate) fn lifetimes(&self) -> Lifetimes {
        self.times.lifetimes()
    }

    pub(crate) fn account(&self, number: usize) -> String {
        account(number % self.accounts)
    }

    pub(crate) fn has_store(&self) -> bool {
        self.mode != Mode::Stateless
    }
}

impl Times {
    pub(crate) fn lifetimes(&self) -> Lifetimes {
        let Times { max_age, threshold, grace, absolute, unremembered, idle, seen_interval } = *self;
        let lifetimes = Lifetimes::default()
            .max_age(Duration::from_secs(max_age))
            .refresh_threshold(Duration::from_secs(threshold))
            .replay_grace(Duration::from_secs(grace))
            .absolute_lifetime(Duration::from_secs(absolute))
            .unremembered(Duration::from_secs(unremembered))
            .last_seen_interval(Duration::from_secs(seen_interval));
        idle.map_or(lifetimes.clone(), |idle| lifetimes.idle_timeout(Duration::from_secs(idle)))
    }

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

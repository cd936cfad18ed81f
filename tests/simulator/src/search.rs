//! One seed, and many of them.

use std::fmt;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::happening::Happening;
use crate::oracle::Tally;
use crate::planted::Planted;
use crate::settings::Settings;
use crate::stage::{Stage, lock};
use crate::world::World;

/// What is run, beside the seed.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Plan {
    /// A fault that is to be found.
    pub planted: Option<Planted>,
    /// The drill: five nodes change their keys under load, and the store is well.
    pub drill: bool,
    /// Keeps a line for everything that happens.
    pub traces: bool,
}

/// A seed that went well.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Run {
    /// What came of its requests.
    pub tally: Tally,
    /// How often each kind of thing happened to it.
    pub happenings: Vec<(Happening, u64)>,
    /// What happened, if it was to be kept.
    pub trace: Vec<String>,
}

/// A seed that did not.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// Repeats it.
    pub seed: u64,
    /// What was wrong.
    pub what: String,
    /// What happened before, if it was to be kept.
    pub trace: Vec<String>,
}

/// What came of many seeds.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Totals {
    /// How many there were.
    pub seeds: u64,
    /// The requests of all of them.
    pub tally: Tally,
    /// How often each kind of thing happened to them.
    pub happenings: Vec<(Happening, u64)>,
}

/// One run.
///
/// # Errors
/// What was not as it must be.
pub fn run(seed: u64, plan: Plan) -> Result<Run, Failure> {
    let stage = Stage::new(seed, plan.traces);
    let settings = {
        let mut random = stage.random();
        if plan.drill { Settings::drill(&mut random) } else { Settings::draw(&mut random) }
    };
    // Requests that began before the end are answered, and what they left with the store happens.
    let end = settings.end + 300_000;
    let world = World::begin(&stage, settings, plan.planted);
    let tally = match &world {
        Ok(world) => {
            stage.run(end);
            world.oracle.tally(|_| {})
        }
        Err(error) => {
            stage.fail(|| format!("the fleet did not start: {error}"));
            Tally::default()
        }
    };
    match stage.take_result() {
        (None, trace) => {
            let happenings = stage.happenings().all().collect();
            Ok(Run { tally, happenings, trace })
        }
        (Some(what), trace) => Err(Failure { seed, what, trace }),
    }
}

/// Runs these seeds on so many threads. Ends with the first one that goes wrong.
///
/// # Errors
/// One of the seeds that went wrong.
pub fn search(seeds: Range<u64>, plan: Plan, threads: usize) -> Result<Totals, Failure> {
    let (next, found) = (AtomicU64::new(seeds.start), Mutex::new(None::<Failure>));
    let totals = Mutex::new(Totals::default());
    let work = || {
        let mut mine = Totals::default();
        while lock(&found).is_none() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            match run(seed, plan) {
                Ok(run) => mine.add(&run),
                Err(failure) => {
                    let mut found = lock(&found);
                    if found.as_ref().is_none_or(|known| failure.seed < known.seed) {
                        *found = Some(failure);
                    }
                }
            }
        }
        lock(&totals).merge(&mine);
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let failure = lock(&found).take();
    failure.map_or(Ok(lock(&totals).clone()), Err)
}

impl Totals {
    fn add(&mut self, run: &Run) {
        self.merge(&Self { seeds: 1, tally: run.tally, happenings: run.happenings.clone() });
    }

    fn merge(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.tally.add(&other.tally);
        self.happenings.resize(Happening::ALL.len(), (Happening::CallCut, 0));
        for (mine, (what, times)) in self.happenings.iter_mut().zip(&other.happenings) {
            *mine = (*what, mine.1 + times);
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.trace.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        let Self { seed, what, .. } = self;
        write!(
            f,
            "{what}: SIM_SEED={seed} SIM_TRACE=1 cargo test -p session-simulator -- one_seed --nocapture"
        )
    }
}

impl std::error::Error for Failure {}

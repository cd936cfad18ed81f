//! One seed, and many of them.

use std::fmt;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::happened::Counts;
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
    /// What happened.
    pub counts: Counts,
    /// The same line by line, if it was to be kept.
    pub trace: Vec<String>,
}

/// A seed that did not.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Failure {
    /// Repeats it.
    pub seed: u64,
    /// Of the drill.
    pub is_drill: bool,
    /// What was wrong.
    pub what: String,
    /// What happened before, if it was to be kept.
    pub trace: Vec<String>,
}

/// What came of many seeds.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Totals {
    /// How many there were.
    pub seeds: u64,
    /// What happened in all of them.
    pub counts: Counts,
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
    match &world {
        Ok(_) => stage.run(end),
        Err(error) => stage.fail(|| format!("the fleet did not start: {error}")),
    }
    match stage.take_result() {
        (None, trace) => Ok(Run { counts: stage.counts(), trace }),
        (Some(what), trace) => Err(Failure { seed, is_drill: plan.drill, what, trace }),
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
                Ok(run) => mine.add(1, &run.counts),
                Err(failure) => {
                    let mut found = lock(&found);
                    if found.as_ref().is_none_or(|known| failure.seed < known.seed) {
                        *found = Some(failure);
                    }
                }
            }
        }
        lock(&totals).add(mine.seeds, &mine.counts);
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let failure = lock(&found).take();
    failure.map_or(Ok(*lock(&totals)), Err)
}

impl Totals {
    fn add(&mut self, seeds: u64, counts: &Counts) {
        self.seeds += seeds;
        self.counts.add(counts);
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.trace.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        let Self { seed, is_drill, what, .. } = self;
        let drill = if *is_drill { "SIM_DRILL=1 " } else { "" };
        write!(f, "{what}: {drill}SIM_SEED={seed} cargo test -p session-simulator one_seed -- --nocapture")
    }
}

impl std::error::Error for Failure {}

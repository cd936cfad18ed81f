//! Time and allocations of one subject, and of several in turn.

use std::sync::LazyLock;
use std::time::Instant;

use tokio::runtime::{Builder, Runtime};

use crate::counting::allocations;

/// What is measured: does its work `n` times, and measures that alone.
pub struct Subject {
    pub name: &'static str,
    run: Box<dyn FnMut(usize) -> Sample>,
}

/// Of `n` times.
#[derive(Clone, Copy)]
pub struct Sample {
    pub nanos: f64,
    pub allocations: u64,
}

impl Subject {
    pub fn new(name: &'static str, run: impl FnMut(usize) -> Sample + 'static) -> Self {
        Self { name, run: Box::new(run) }
    }

    /// One that needs no preparation.
    pub fn simple(name: &'static str, mut work: impl FnMut() + 'static) -> Self {
        Self::new(name, move |n| {
            let meter = Meter::start();
            (0..n).for_each(|_| work());
            meter.stop()
        })
    }

    pub fn run(&mut self, n: usize) -> Sample {
        (self.run)(n)
    }
}

pub struct Meter {
    allocations: u64,
    start: Instant,
}

impl Meter {
    #[must_use]
    pub fn start() -> Self {
        Self { allocations: allocations(), start: Instant::now() }
    }

    #[must_use]
    pub fn stop(self) -> Sample {
        let nanos = self.start.elapsed().as_nanos() as f64;
        Sample { nanos, allocations: allocations() - self.allocations }
    }
}

/// Everything runs on this thread.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));

pub fn wait<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}

/// What the rounds gave, for each subject per time.
pub struct Rounds {
    subjects: Vec<&'static str>,
    /// By subject, then by round.
    nanos: Vec<Vec<f64>>,
    allocations: Vec<f64>,
}

impl Rounds {
    /// A B C A B C, so that whatever else the machine does falls on all alike.
    #[must_use]
    pub fn of(mut subjects: Vec<Subject>, rounds: usize, batch: usize) -> Self {
        let mut nanos = vec![Vec::with_capacity(rounds); subjects.len()];
        let mut allocations = vec![Vec::with_capacity(rounds); subjects.len()];
        let warm_up = rounds / 10;
        for round in 0..warm_up + rounds {
            for (at, subject) in subjects.iter_mut().enumerate() {
                let sample = subject.run(batch);
                if round >= warm_up {
                    nanos[at].push(sample.nanos / batch as f64);
                    allocations[at].push(sample.allocations as f64 / batch as f64);
                }
            }
        }
        let allocations = allocations.into_iter().map(median).collect();
        Self { subjects: subjects.iter().map(|subject| subject.name).collect(), nanos, allocations }
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.subjects.iter().copied()
    }

    /// Median time and allocations.
    #[must_use]
    pub fn whole(&self, name: &str) -> (f64, f64) {
        let at = self.at(name);
        (median(self.nanos[at].clone()), self.allocations[at])
    }

    /// What `name` takes more than `base`: the median of the differences, round by round.
    #[must_use]
    pub fn over(&self, name: &str, base: &str) -> (f64, f64) {
        let (at, base) = (self.at(name), self.at(base));
        let differences = self.nanos[at].iter().zip(&self.nanos[base]).map(|(this, base)| this - base);
        (median(differences.collect()), self.allocations[at] - self.allocations[base])
    }

    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.subjects.contains(&name)
    }

    fn at(&self, name: &str) -> usize {
        self.subjects.iter().position(|subject| *subject == name).expect("a subject of this name")
    }
}

#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

//! What CI runs, in a release build; without optimisation there is time for a few of the seeds.

use std::num::NonZero;
use std::thread::available_parallelism;

#[cfg(not(debug_assertions))]
use crate::Planted;
use crate::{Plan, Totals, run, search};

/// Unless `SIM_SEEDS` says how many.
const SEEDS: u64 = if cfg!(debug_assertions) { 150 } else { 10_000 };
/// Within so many each planted fault is found.
#[cfg(not(debug_assertions))]
const PLANTED: u64 = 3_000;

fn threads() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// Runs these seeds; the first one that goes wrong is told with all that happened in it, and how to repeat it.
fn all_are_well(seeds: u64, plan: Plan) -> Totals {
    search(0..seeds, plan, threads()).unwrap_or_else(|failure| {
        let again = run(failure.seed, Plan { traces: true, ..plan });
        panic!("{}", again.err().unwrap_or(failure));
    })
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn whatever_goes_wrong_around_it_the_fleet_keeps_its_promises() {
    let totals = all_are_well(number("SIM_SEEDS").unwrap_or(SEEDS), Plan::default());
    println!("{totals:#?}");
    for (what, times) in totals.happenings {
        assert!(times > 0, "{what:?} never happened");
    }
}

/// The drill for a key that leaked: the documented phases, in any order of five nodes, with clocks that differ, under load. No
/// request fails, and the retired key opens nothing.
#[test]
fn a_key_that_leaked_is_replaced_under_load_and_no_request_fails() {
    let totals =
        all_are_well(number("SIM_DRILLS").unwrap_or(SEEDS / 10), Plan { drill: true, ..Plan::default() });
    println!("{totals:#?}");
    assert_eq!(totals.tally.unavailable, 0);
    assert!(totals.tally.stayed_in > 50 * totals.seeds, "{totals:?}");
}

/// `SIM_SEED=7 SIM_TRACE=1 cargo test -p session-simulator -- one_seed --nocapture`
#[test]
fn one_seed() {
    let plan = Plan {
        traces: std::env::var_os("SIM_TRACE").is_some(),
        drill: std::env::var_os("SIM_DRILL").is_some(),
        ..Plan::default()
    };
    match run(number("SIM_SEED").unwrap_or(1), plan) {
        Ok(run) => run.trace.iter().for_each(|line| println!("{line}")),
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let trace = |seed| run(seed, Plan { traces: true, ..Plan::default() }).unwrap().trace;
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7), trace(8));
}

#[cfg(not(debug_assertions))]
fn is_found(planted: Planted) {
    let drill = matches!(
        planted,
        Planted::PromotedTooEarly | Planted::RetiredTooEarly | Planted::RetiredNotEverywhere
    );
    let plan = Plan { planted: Some(planted), drill, ..Plan::default() };
    let failure = search(0..PLANTED, plan, threads()).err();
    let failure = failure.unwrap_or_else(|| panic!("{planted:?} was not found in {PLANTED} seeds"));
    println!("{planted:?}: seed {}: {}", failure.seed, failure.what);
}

#[cfg(not(debug_assertions))]
#[test]
fn every_planted_fault_is_found() {
    for planted in Planted::ALL {
        is_found(planted);
    }
}

//! What CI runs, in a release build; without optimisation there is time for a few of the seeds.

use std::num::NonZero;
use std::thread::available_parallelism;

use crate::{Happened, Plan, Planted, Totals, run, search};

/// So many fleets, unless `SIM_SEEDS` says how many; from `SIM_FROM` on.
const SEEDS: u64 = if cfg!(debug_assertions) { 500 } else { 10_000 };

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The line that a failure ends with repeats it.
fn all_are_well(seeds: u64, plan: Plan) -> Totals {
    let from = number("SIM_FROM").unwrap_or(0);
    let threads = available_parallelism().map_or(1, NonZero::get);
    let totals = search(from..from + seeds, plan, threads).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{} seeds: {}", totals.seeds, totals.counts);
    totals
}

#[test]
fn whatever_goes_wrong_around_it_the_fleet_keeps_its_promises() {
    let totals = all_are_well(number("SIM_SEEDS").unwrap_or(SEEDS), Plan::default());
    if totals.seeds < 10_000 {
        return;
    }
    let missing: Vec<_> = Happened::ALL.iter().filter(|kind| totals.counts.of(**kind) == 0).collect();
    assert!(missing.is_empty(), "never happened, so nobody knows what comes of it: {missing:?}");
}

/// The drill: the documented phases, in any order of five nodes, with clocks that differ, under load. No request fails, and
/// what the retired key signs opens nothing.
#[test]
fn a_key_that_leaked_is_replaced_under_load_and_no_request_fails() {
    let seeds = number("SIM_DRILLS").unwrap_or(SEEDS / 50);
    let counts = all_are_well(seeds, Plan { drill: true, ..Plan::default() }).counts;
    assert_eq!(counts.of(Happened::Unavailable), 0);
    assert_eq!(counts.of(Happened::KeyRetired), 5 * seeds);
    assert!(counts.of(Happened::StayedIn) > 30 * seeds, "{counts}");
    assert!(counts.of(Happened::Forged) > 0 && counts.of(Happened::RetiredKeyRefused) > 0, "{counts}");
}

/// `SIM_SEED=7 cargo test -p session-simulator one_seed -- --nocapture`
#[test]
fn one_seed() {
    let plan = Plan { traces: true, drill: number("SIM_DRILL").is_some(), ..Plan::default() };
    match run(number("SIM_SEED").unwrap_or_default(), plan) {
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

/// One test for each fault: the clause that it breaks, and how it is told when it is found.
macro_rules! found {
    ($(fn $clause:ident($fault:ident): $said:literal;)*) => {
        $(#[test]
        #[cfg(not(debug_assertions))]
        fn $clause() {
            is_found(Planted::$fault, $said);
        })*

        #[test]
        fn each_planted_fault_has_a_test() {
            assert_eq!(Planted::ALL, [$(Planted::$fault,)*]);
        }
    };
}

/// Within the seeds that CI runs, by the clause that it breaks, whatever else is said of it on the way.
#[cfg(not(debug_assertions))]
fn is_found(planted: Planted, said: &str) {
    let plan = Plan { planted: Some(planted), ..Plan::default() };
    let found =
        (0..SEEDS).filter_map(|seed| run(seed, plan).err()).find(|failure| failure.what.contains(said));
    let Some(failure) = found else { panic!("{planted:?} was not found in {SEEDS} seeds") };
    println!("{planted:?} after {} seeds: {}", failure.seed + 1, failure.what);
}

found! {
    fn an_acknowledged_update_is_there(ReplaceWritesNothing): "updates were acknowledged";
    fn parallel_updates_all_count(ReplaceComparesNothing): "updates were acknowledged";
    fn no_write_brings_back_what_was_logged_out(ReplaceBringsBack): "logged out at";
    fn a_login_that_was_acknowledged_is_there(CreateWritesNothing): "is logged out";
    fn a_login_from_before_a_revocation_comes_to_nothing(CreateForgetsTheFence): "revoked at";
    fn a_rotation_brings_nobody_back(CreateForgetsThePredecessor): "served to a request";
    fn a_login_ends_the_session_whose_place_it_takes(CreateKeepsTheReplaced): "logged out at";
    fn an_account_has_no_more_sessions_than_it_may(CreateForgetsTheLimit): "and may have";
    fn what_was_logged_out_stays_out(DeleteDeletesNothing): "logged out at";
    fn the_end_of_an_account_misses_no_session(AccountIndexLosesOne): "revoked at";
    fn whoever_ends_the_others_stays_in(AccountKeepsNobody): "is logged out";
    fn the_end_of_an_account_overtakes_its_logins(AccountSetsNoMark): "revoked at";
    fn the_end_of_everybody_is_everybodys(RealmDeletesNothing): "revoked at";
    fn another_application_ends_nobody(RealmsAreOne): "is logged out";
    fn what_is_shown_is_not_older_than_it_may_be(ReadsAreStale): "updates were acknowledged";
    fn no_answer_holds_the_data_of_another_account(ReadsMixSessions): "showed";
    fn whoever_comes_back_in_time_is_not_idle(TouchWritesNothing): "is logged out";
    fn the_newest_cookie_stays_in(CleanupTakesTheLiving): "is logged out";
    fn nothing_outlives_a_clock_that_stands_still(ClockStandsStill): "to live";
    fn a_clock_that_is_ahead_logs_people_out(ClockIsAhead): "is logged out";
    fn a_clock_that_is_behind_logs_people_out(ClockIsBehind): "is logged out";
    fn no_two_sessions_have_one_id(RandomRepeats): "two logins got";
    fn a_key_that_signs_too_early_logs_people_out(PromotedTooEarly): "is logged out";
    fn a_key_that_is_retired_too_early_logs_people_out(RetiredTooEarly): "is logged out";
    fn a_deploy_loses_nothing_that_was_acknowledged(UpgradeForgets): "updates were acknowledged";
    fn a_key_that_was_retired_opens_nothing(RetiredNotEverywhere): "retired key";
    fn what_ended_is_shown_no_longer_than_the_bound(BoundIsLonger): "served to a request";
    fn nothing_passes_the_absolute_lifetime(LifetimeIsLonger): "absolute end";
    fn without_a_store_what_was_logged_out_here_stays_out_here(EndedListIsFull): "logged out at";
    fn nobody_reads_what_is_to_be_sealed(SealsNothing): "anybody can read";
    fn no_browser_gets_the_cookie_of_another(ProxyMixesAnswers): "a browser got the cookie";
    fn nobody_is_logged_out_by_the_move(AdoptWritesNothing): "is logged out";
    fn what_was_adopted_and_ended_stays_out(AdoptForgetsTheMark): "was logged out at";
    fn nothing_adopted_is_fresh(AdoptForgetsTheOrigin): "passes for a login";
    fn whoever_was_revoked_is_not_adopted(BarBarsNothing): "was revoked at";
    fn first_requests_of_one_foreign_session_make_one_session(ForeignIdChanges): "has become several";
    fn nothing_adopted_passes_the_end_of_the_foreign_session(ForeignEndIsLost): "absolute end";
    fn nothing_is_adopted_when_that_is_over(AdoptingIsLonger): "and may be until";
}

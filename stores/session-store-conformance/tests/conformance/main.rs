//! The kit: a sound store passes every case, and one with a defect fails those that name what is wrong with it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broken;
#[path = "../../../../session-core/guides/map_store.rs"]
#[allow(unreachable_pub, reason = "a reader's store is public")]
mod guide;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use broken::{Broken, Defect};
use session_core::store::SessionStore;
use session_store_conformance::cases;

mod memory {
    session_store_conformance::conformance_tests!(session_core::store::MemoryStore::new());
}

/// The store that the guide `store` of session-core shows in full.
mod map_store {
    session_store_conformance::conformance_tests!(super::guide::MapStore::default());
}

/// While nothing goes wrong it is the store around which it is.
mod faulty {
    use session_core::testing::FaultyStore;

    session_store_conformance::conformance_tests!(<FaultyStore>::default());
}

mod without_a_defect {
    use super::{Broken, Defect};

    session_store_conformance::conformance_tests!(Broken::by(Defect::Nothing));
}

/// Asserts which of the interleavings a defect fails: these, and no other.
macro_rules! fails_exactly {
    ($defect:ident: $($expected:ident)*) => {
        let expected: &[&str] = &[$(stringify!($expected)),*];
        let mut failed: Vec<&str> = Vec::new();
        session_store_conformance::for_all_cases! { failures_of, $defect failed; }
        assert_eq!(failed, expected);
    };
}

/// Adds to `failed` the interleavings that a defect fails.
macro_rules! failures_of {
    ($defect:ident $failed:ident; $($set:ident $clause:literal $wrong:literal { $($case:ident)* })*) => {
        $(failures_of! { @ $set $defect $failed => $($case)* })*
    };
    (@ logout_wins $defect:ident $failed:ident => $($case:ident)*) => {
        $(if fails(Defect::$defect, cases::$case) {
            $failed.push(stringify!($case));
        })*
    };
    (@ $set:ident $defect:ident $failed:ident => $($case:ident)*) => {};
}

/// Asserts that a defect fails each of these cases.
macro_rules! fails_each {
    ($defect:ident: $($case:ident)*) => {
        $(assert!(
            fails(Defect::$defect, cases::$case),
            "{} passes",
            stringify!($case)
        );)*
    };
}

fn fails<F: Future<Output = ()>>(defect: Defect, case: impl FnOnce(Arc<dyn SessionStore>) -> F) -> bool {
    let case = AssertUnwindSafe(|| session_store_conformance::run(case(Arc::new(Broken::by(defect)))));
    std::panic::catch_unwind(case).is_err()
}

#[test]
fn a_replace_that_upserts_undoes_a_logout() {
    fails_exactly! { ReplaceUpserts:
        destroy_during_open
        destroy_during_update
        destroy_during_touch
        destroy_during_refresh
        revoke_account_during_open
        revoke_account_during_update
        revoke_account_during_touch
        revoke_account_during_refresh
    }
    fails_each! { ReplaceUpserts: replace_never_creates replace_of_a_deleted_record_is_gone }
}

#[test]
fn a_replace_that_ignores_versions_loses_updates() {
    fails_exactly! { ReplaceIgnoresVersions: }
    fails_each! { ReplaceIgnoresVersions:
        a_replace_needs_the_newest_version
        one_of_parallel_replaces_wins
        sixty_four_parallel_increments_all_count
    }
}

#[test]
fn a_replace_that_forgets_the_index_leaves_a_session_that_nobody_lists() {
    fails_each! { ReplaceForgetsTheIndex: a_replace_leaves_no_session_without_its_account }
}

#[test]
fn a_cache_of_reads_serves_who_has_logged_out() {
    fails_exactly! { ReadsAreCached:
        destroy_during_open
        destroy_during_update
        destroy_during_touch
        destroy_during_refresh
        destroy_during_rotate
        revoke_account_during_open
        revoke_account_during_update
        revoke_account_during_touch
        revoke_account_during_refresh
        revoke_account_during_rotate
        revoke_everyone_during_rotate
        open_during_destroy
        update_during_destroy
        touch_during_destroy
        refresh_during_destroy
        rotate_during_destroy
        open_during_revoke_account
        update_during_revoke_account
        touch_during_revoke_account
        refresh_during_revoke_account
        rotate_during_revoke_account
        rotate_during_revoke_everyone
    }
}

#[test]
fn a_rotation_that_does_not_look_for_its_predecessor_undoes_a_logout() {
    fails_exactly! { RotationIsUnchecked:
        destroy_during_rotate
        revoke_account_during_rotate
        revoke_everyone_during_rotate
    }
    fails_each! { RotationIsUnchecked: a_rotation_needs_its_predecessor one_of_parallel_rotations_wins }
}

#[test]
fn a_rotation_that_is_not_listed_escapes_the_revocation_of_its_account() {
    fails_exactly! { RotationIsNotListed:
        destroy_during_rotate
        revoke_account_during_rotate
        rotate_during_destroy
        rotate_during_revoke_account
    }
}

#[test]
fn a_limit_that_comes_first_hides_the_better_reason() {
    fails_each! { LimitComesFirst: a_create_that_fails_twice_says_the_first_reason }
}

#[test]
fn a_limit_that_is_counted_before_does_not_hold() {
    fails_each! { LimitIsCountedBefore:
        refuse_holds_under_parallel_logins
        fifty_logins_together_are_refused_beyond_the_limit
        fifty_logins_together_evict_down_to_the_limit
    }
}

#[test]
fn a_subject_that_is_cut_is_somebody_else() {
    fails_each! { SubjectsAreCut: a_subject_or_realm_is_never_cut_short }
}

#[test]
fn a_logout_that_is_lost_shows_at_every_step() {
    fails_exactly! { DeleteIsLost:
        destroy_during_open
        destroy_during_update
        destroy_during_touch
        destroy_during_refresh
        destroy_during_rotate
        open_during_destroy
        update_during_destroy
        touch_during_destroy
        refresh_during_destroy
    }
}

#[test]
fn ending_an_account_in_two_steps_misses_a_rotation() {
    fails_exactly! { AccountIsEndedInTwoSteps: }
    fails_each! { AccountIsEndedInTwoSteps: rotation_racing_with_delete_account_is_ended }
}

#[test]
fn ending_a_realm_in_two_steps_misses_a_rotation() {
    fails_exactly! { RealmIsEndedInTwoSteps: }
    fails_each! { RealmIsEndedInTwoSteps: rotation_racing_with_delete_realm_is_ended }
}

#[test]
fn news_of_the_living_is_a_lie() {
    fails_each! { NewsOfTheLiving: listening_changes_nothing_and_hears_no_lies }
}

#[test]
fn a_touch_that_asks_for_no_token_keeps_a_session_alive_for_a_thief() {
    fails_each! { AnyTokenTouches: a_touch_by_a_token_that_opens_nothing_changes_nothing }
}

#[test]
fn a_touch_without_the_grace_lets_a_session_idle_that_is_used() {
    fails_each! { TouchesKnowNoGrace: a_touch_by_a_token_that_opens_the_session_is_written }
}

#[test]
fn a_fence_that_is_ignored_lets_the_old_password_in() {
    fails_each! { FenceIsIgnored:
        a_login_that_began_before_its_account_was_ended_is_overtaken
        a_login_that_began_before_everybody_was_ended_is_overtaken
        an_overtaken_login_says_so_before_the_rest
    }
}

#[test]
fn a_mark_only_where_somebody_was_ended_misses_the_first_login() {
    fails_each! { NobodyIsNotMarked: ending_an_account_without_sessions_overtakes_too }
}

#[test]
fn a_fence_that_is_checked_before_is_overtaken_in_between() {
    fails_each! { FenceIsCheckedBefore: a_login_racing_with_delete_account_is_ended_or_overtaken }
}

#[test]
fn a_limit_that_counts_everybody_ends_the_user_for_who_acts_for_them() {
    fails_each! { EverybodyCounts: the_uncounted_neither_count_nor_leave_nor_evict }
}

#[test]
fn an_adoption_that_is_not_marked_lets_a_foreign_cookie_in_after_the_logout() {
    fails_each! { AdoptionsAreNotMarked:
        a_mark_outlives_whatever_ended_the_session
        an_adoption_racing_with_a_logout_is_over_for_good
    }
}

#[test]
fn marks_that_are_kept_for_ever_fill_the_store() {
    fails_each! { MarksAreKeptForEver: a_mark_is_kept_until_its_time_and_not_for_ever }
}

#[test]
fn bars_that_are_ignored_let_a_foreign_cookie_in_after_a_revocation() {
    fails_each! { BarsAreIgnored:
        a_bar_stops_what_was_proven_at_or_before_it
        bars_outlive_the_end_of_accounts_and_of_everybody
        an_adoption_racing_with_a_bar_and_the_end_of_its_account_is_ended
    }
}

#[test]
fn a_realm_without_a_bar_lets_foreign_cookies_in_after_everybody_was_ended() {
    fails_each! { RealmsHaveNoBar: a_bar_stops_what_was_proven_at_or_before_it }
}

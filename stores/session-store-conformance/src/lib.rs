//! The contract of [`SessionStore`] as tests, one for each clause, for stores of any make.
//!
//! ```
//! // In a test of your store:
//! session_store_conformance::conformance_tests!(session_core::store::MemoryStore::new());
//! ```
//!
//! Each test asks for a store (the expression may `.await`), and uses a realm of its own with random ids, so that all
//! of them can run at once against one database with other realms in it. Only the test of `delete_expired`, which
//! knows no realms, needs a store without other expired records.
//!
//! Not tested here: clause 11 (cost) is measured, clause 13 (errors) needs a store that fails.

#![allow(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::panic,
    reason = "every public function is a test, named by its clause, and fails by panicking"
)]

mod bench;
mod clauses;
mod managed;
mod races;

use std::future::Future;

pub use clauses::*;
pub use managed::*;

/// Stamps out a test for each clause, each against a store of its own.
#[macro_export]
macro_rules! conformance_tests {
    (expires_by_itself: $store:expr) => {
        $crate::conformance_tests! { $store =>
            every_field_survives
            // 1
            realms_are_apart
            // 2
            create_never_overwrites
            // 3
            a_replace_needs_the_newest_version
            one_of_parallel_replaces_wins
            // 4
            replace_never_creates
            replace_of_a_deleted_record_is_gone
            a_touch_racing_with_delete_never_brings_back
            a_replace_leaves_no_session_without_its_account
            // 5
            expired_is_absent
            a_replace_moves_the_end
            // 6
            subjects_compare_as_bytes
            guests_are_never_listed_or_deleted_together
            guests_have_no_limit
            a_subject_or_realm_is_never_cut_short
            // 7
            the_limit_holds_under_parallel_logins
            evicts_the_least_recently_seen
            evicts_the_first_created_of_those_seen_together
            evicts_as_many_as_it_takes
            refuse_answers_limit_reached
            refuse_holds_under_parallel_logins
            expired_and_replaced_do_not_count
            accounts_do_not_share_a_limit
            // 8
            a_login_replaces_the_session_of_its_cookie
            a_login_replaces_a_session_of_another_account
            a_login_whose_predecessor_is_gone_succeeds
            a_create_that_fails_leaves_the_old_session
            a_create_that_fails_twice_says_the_first_reason
            // 9
            a_rotation_needs_its_predecessor
            a_rotation_needs_the_newest_version
            a_rotation_racing_with_an_update_loses_none
            one_of_parallel_rotations_wins
            rotation_racing_with_delete_is_either_or
            rotation_racing_with_delete_account_is_ended
            rotation_racing_with_delete_realm_is_ended
            // 10
            deleting_is_idempotent
            one_of_parallel_deletes_deleted
            delete_account_spares_the_kept_one_and_others
            delete_account_answers_the_living
            delete_realm_takes_guests_too_and_spares_other_realms
            // 14
            listening_changes_nothing_and_hears_no_lies
            // Reading that moves last-seen on
            a_touch_moves_last_seen_and_the_end
            a_touch_never_passes_the_expiry
            a_touch_within_its_interval_changes_nothing
            one_of_parallel_touches_is_written
            // A manager on the store: a logout wins, at every step
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
            // .. what many do at once counts
            sixty_four_parallel_increments_all_count
            fifty_logins_together_evict_down_to_the_limit
            fifty_logins_together_are_refused_beyond_the_limit
            // .. payloads of another version of the program
            a_record_of_an_older_program_is_read_with_defaults
            a_record_of_a_newer_program_is_read_and_kept_whole
            a_record_that_does_not_decode_is_no_session
            a_record_that_does_not_decode_stays_as_it_is
            a_record_that_does_not_decode_can_be_listed_and_ended
        }
    };
    ($store:expr) => {
        $crate::conformance_tests! { expires_by_itself: $store }
        $crate::conformance_tests! { $store =>
            // 12
            delete_expired_is_bounded_and_spares_the_living
            delete_expired_finds_what_a_touch_moved
        }
    };
    ($store:expr => $($clause:ident)*) => {
        $(
            #[test]
            fn $clause() {
                $crate::run(async {
                    let store = $store;
                    $crate::$clause(std::sync::Arc::new(store)).await;
                });
            }
        )*
    };
}

/// Runs one test on a runtime of its own.
pub fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(test);
}

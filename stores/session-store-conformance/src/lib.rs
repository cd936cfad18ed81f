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
mod races;

use std::future::Future;

pub use clauses::*;

/// Stamps out a test for each clause, each against a store of its own.
#[macro_export]
macro_rules! conformance_tests {
    ($store:expr) => {
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
            // 5
            expired_is_absent
            a_replace_moves_the_end
            // 6
            subjects_compare_as_bytes
            guests_are_never_listed_or_deleted_together
            guests_have_no_limit
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
            // 9
            a_rotation_needs_its_predecessor
            a_rotation_needs_the_newest_version
            a_rotation_racing_with_an_update_loses_none
            one_of_parallel_rotations_wins
            rotation_racing_with_delete_is_either_or
            rotation_racing_with_delete_account_is_ended
            // 10
            deleting_is_idempotent
            one_of_parallel_deletes_deleted
            delete_account_spares_the_kept_one_and_others
            delete_account_answers_the_living
            delete_realm_takes_guests_too_and_spares_other_realms
            // 12
            delete_expired_is_bounded_and_spares_the_living
            // read_and_touch
            a_touch_moves_last_seen_and_the_end
            a_touch_never_passes_the_expiry
            a_touch_within_its_interval_changes_nothing
            one_of_parallel_touches_is_written
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

//! The contract of [`SessionStore`](session_core::store::SessionStore) as tests, for stores of any make.
//!
//! The prose of the trait is the contract; here every clause of it has its cases, one function each, whose name says
//! what must hold. Add this crate to your store's `dev-dependencies`, and in a test:
//!
//! ```
//! # use session_core::store::MemoryStore as MyStore;
//! session_store_conformance::conformance_tests!(MyStore::new());
//! ```
//!
//! That makes a `#[test]` of each case, each on a tokio runtime of its own. The expression makes the store: it may be a
//! block, may `.await`, and may `return` where the server that it needs is missing. Every case has a realm of its own
//! with random ids, so all of them can run at once against one database that holds other things, too.
//!
//! | | |
//! |---|---|
//! | `conformance_tests!(store)` | everything |
//! | `conformance_tests!(expires_by_itself: store)` | all but `delete_expired_*`: for a database that removes by itself what has expired |
//! | `conformance_tests!(store => a_case another_case)` | these alone |
//!
//! The cases of `delete_expired`, which knows no realms, need a store without other expired records.
//!
//! # The cases
//!
//! Of the store, by the clauses of the trait:
//!
//! | clause | what can go wrong | cases |
//! |---|---|---|
//! | 1, 2 | A field is lost or rounded; a realm sees another one; a login overwrites a session | [`every_field_survives`], [`realms_are_apart`], [`create_never_overwrites`] |
//! | 3 | Two writers both win, so an update is lost | [`a_replace_needs_the_newest_version`], [`one_of_parallel_replaces_wins`] |
//! | 4 | A late write brings a session back after its logout, or takes it out of its account's reach | [`replace_never_creates`], [`replace_of_a_deleted_record_is_gone`], [`a_touch_racing_with_delete_never_brings_back`], [`a_replace_leaves_no_session_without_its_account`] |
//! | 5 | The database's clock decides, or the end does not move | [`expired_is_absent`], [`a_replace_moves_the_end`] |
//! | 6 | A collation, padding or a short column makes one account of two | [`subjects_compare_as_bytes`], [`a_subject_or_realm_is_never_cut_short`], [`guests_are_never_listed_or_deleted_together`], [`guests_have_no_limit`] |
//! | 7 | Logins that arrive together pass the limit, or the wrong session makes room | [`the_limit_holds_under_parallel_logins`], [`refuse_holds_under_parallel_logins`], [`refuse_answers_limit_reached`], [`evicts_the_least_recently_seen`], [`evicts_the_first_created_of_those_seen_together`], [`evicts_as_many_as_it_takes`], [`expired_and_replaced_do_not_count`], [`accounts_do_not_share_a_limit`] |
//! | 8 | A login that fails logs the user out, or leaves the old session | [`a_login_replaces_the_session_of_its_cookie`], [`a_login_replaces_a_session_of_another_account`], [`a_login_whose_predecessor_is_gone_succeeds`], [`a_create_that_fails_leaves_the_old_session`], [`a_create_that_fails_twice_says_the_first_reason`] |
//! | 9 | A rotation escapes a revocation, or loses an update | [`a_rotation_needs_its_predecessor`], [`a_rotation_needs_the_newest_version`], [`one_of_parallel_rotations_wins`], [`a_rotation_racing_with_an_update_loses_none`], [`rotation_racing_with_delete_is_either_or`], [`rotation_racing_with_delete_account_is_ended`], [`rotation_racing_with_delete_realm_is_ended`] |
//! | 10 | A logout is counted twice, or a revocation reaches too much or too little | [`deleting_is_idempotent`], [`one_of_parallel_deletes_deleted`], [`delete_account_spares_the_kept_one_and_others`], [`delete_account_answers_the_living`], [`delete_realm_takes_guests_too_and_spares_other_realms`] |
//! | 12 | Cleanup takes the living, or does not stop | [`delete_expired_is_bounded_and_spares_the_living`], [`delete_expired_finds_what_a_touch_moved`] |
//! | 14 | Listening gets in the way, or tells what is not true | [`listening_changes_nothing_and_hears_no_lies`] |
//! | `read_and_touch` | Each read writes, or none; an idle session outlives its expiry, or is kept alive by a token that opens nothing | [`a_touch_moves_last_seen_and_the_end`], [`a_touch_never_passes_the_expiry`], [`a_touch_within_its_interval_changes_nothing`], [`one_of_parallel_touches_is_written`], [`a_touch_by_a_token_that_opens_the_session_is_written`], [`a_touch_by_a_token_that_opens_nothing_changes_nothing`] |
//!
//! Of a [`SessionManager`](session_core::SessionManager) on the store:
//!
//! - **A logout wins** over each of open, update, touch, refresh and rotate, whatever step it comes at.
//!   `destroy_during_update` stops the update before and after every call to the store and logs out meanwhile;
//!   `update_during_destroy` stops the logout and updates meanwhile. So for `revoke_account`, and, with a rotation, for
//!   `revoke_everyone`. A failure says where the stop was: *"Destroy while Update was stopped after call 1
//!   (read_and_touch): .."*. These are no races: a store fails them every time or never.
//!   One thing a logout does not end: what a rotation stored before it, since that is another session than the one its
//!   cookie names, of somebody who has just proven who they are. A revocation of the account does.
//! - **Many at once count** as if they had come in turn: [`sixty_four_parallel_increments_all_count`],
//!   [`fifty_logins_together_evict_down_to_the_limit`], [`fifty_logins_together_are_refused_beyond_the_limit`].
//! - **Payloads of another version of the program**: [`a_record_of_an_older_program_is_read_with_defaults`],
//!   [`a_record_of_a_newer_program_is_read_and_kept_whole`], [`a_record_that_does_not_decode_is_no_session`],
//!   [`a_record_that_does_not_decode_stays_as_it_is`], [`a_record_that_does_not_decode_can_be_listed_and_ended`].
//!
//! # What is not tested
//!
//! - Clause 11, cost: look at your database's plan with a million sessions in it.
//! - Clause 13, errors and deadlines: they need a server that fails, and only you know how to make yours.
//! - What only your store can write: garbage in a record, tables of another version, two processes that migrate at once,
//!   what a restart of the server keeps.
//! - That news arrives: it need not.
//! - Inside one call of the store there is no place to stop. What can interleave there is left to cases that start the
//!   calls together, some a hundred times; they find a window of a few microseconds most of the time, not always.

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

/// Makes a `#[test]` of each case, each against a store of its own: see the page of the crate.
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
            a_touch_by_a_token_that_opens_the_session_is_written
            a_touch_by_a_token_that_opens_nothing_changes_nothing
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
            a_record_whose_counters_are_full_is_no_session_and_stays
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

//! Every case, once.

/// The one list of cases. It calls the macro `then` with `with` and all of them, by clause:
/// `set "clause" "what a wrong store does" { a_case another_case }`.
///
/// The sets are `store`, `cleanup` of what has expired, and for a manager on the store `logout_wins` and `manager`. A
/// case that is not named here is unused, which does not compile.
#[doc(hidden)]
#[macro_export]
macro_rules! for_all_cases {
    ($then:path, $($with:tt)*) => {
        $then! { $($with)*
            store "1" "Loses a field or rounds it; shows one realm another one's sessions" {
                every_field_survives
                realms_are_apart
                counts_the_open_sessions_of_a_realm
            }
            store "2" "Overwrites a session at a login" {
                create_never_overwrites
            }
            store "3" "Lets two writers win, so an update is lost" {
                a_replace_needs_the_newest_version
                one_of_parallel_replaces_wins
            }
            store "4" "Lets a late write bring a session back after its logout, or take it out of its account's reach" {
                replace_never_creates
                replace_of_a_deleted_record_is_gone
                a_touch_racing_with_delete_never_brings_back
                a_replace_leaves_no_session_without_its_account
            }
            store "5" "Lets the database's clock decide; leaves the end where it was" {
                expired_is_absent
                a_replace_moves_the_end
            }
            store "6" "Makes one account of two, by a collation, padding or a short column" {
                subjects_compare_as_bytes
                a_subject_or_realm_is_never_cut_short
                guests_are_never_listed_or_deleted_together
                guests_have_no_limit
            }
            store "7" "Lets logins that arrive together pass the limit; evicts the wrong session" {
                the_limit_holds_under_parallel_logins
                refuse_holds_under_parallel_logins
                refuse_answers_limit_reached
                evicts_the_least_recently_seen
                evicts_the_first_created_of_those_seen_together
                evicts_as_many_as_it_takes
                expired_and_replaced_do_not_count
                accounts_do_not_share_a_limit
                the_uncounted_neither_count_nor_leave_nor_evict
            }
            store "8" "Logs the user out when a login fails; leaves the old session when it does not" {
                a_login_replaces_the_session_of_its_cookie
                a_predecessor_at_another_place_is_refused_or_replaced
                a_login_whose_predecessor_is_gone_succeeds
                a_create_that_fails_leaves_the_old_session
                a_create_that_fails_twice_says_the_first_reason
            }
            store "9" "Lets a rotation escape a revocation, or lose an update" {
                a_rotation_needs_its_predecessor
                a_rotation_needs_the_newest_version
                one_of_parallel_rotations_wins
                a_rotation_racing_with_an_update_loses_none
                rotation_racing_with_delete_is_either_or
                rotation_racing_with_delete_account_is_ended
                rotation_racing_with_delete_realm_is_ended
            }
            store "10" "Counts a logout twice; revokes too much or too little" {
                deleting_is_idempotent
                one_of_parallel_deletes_deleted
                delete_account_spares_the_kept_one_and_others
                delete_account_answers_the_living
                delete_realm_takes_guests_too_and_spares_other_realms
            }
            cleanup "12" "Deletes the living; does not stop at the limit" {
                delete_expired_is_bounded_and_spares_the_living
                delete_expired_finds_what_a_touch_moved
            }
            store "14" "Changes something because somebody listens; tells what is not true" {
                listening_changes_nothing_and_hears_no_lies
            }
            store "15" "Lets a login with a password that was changed meanwhile through; refuses one that nothing overtook" {
                a_login_that_nobody_overtook_succeeds
                a_fence_stays_the_same_until_a_revocation
                a_login_that_began_before_its_account_was_ended_is_overtaken
                ending_an_account_without_sessions_overtakes_too
                a_login_that_began_before_everybody_was_ended_is_overtaken
                what_others_do_overtakes_nobody
                an_overtaken_login_says_so_before_the_rest
                a_login_racing_with_delete_account_is_ended_or_overtaken
                a_login_racing_with_delete_realm_is_ended_or_overtaken
                the_first_fence_of_a_realm_makes_its_mark_once
            }
            store "17" "Lets a foreign cookie in once more after a logout or a revocation; makes two sessions of it" {
                an_adopted_session_is_a_session
                a_foreign_session_is_adopted_once_while_its_session_lives
                a_mark_outlives_whatever_ended_the_session
                a_mark_is_kept_until_its_time_and_not_for_ever
                a_foreign_session_without_an_id_leaves_no_mark
                a_bar_stops_what_was_proven_at_or_before_it
                a_bar_stops_nobody_else_and_no_login
                the_later_bar_counts_and_ends_at_its_time
                bars_outlive_the_end_of_accounts_and_of_everybody
                an_adoption_keeps_the_limit
                one_of_parallel_adoptions_is_done
                an_adoption_racing_with_a_logout_is_over_for_good
                an_adoption_racing_with_a_bar_and_the_end_of_its_account_is_ended
            }
            store "`read_and_touch`" "Writes at each read, or at none; lets an idle session outlive its expiry; lets a token that opens nothing keep it alive" {
                a_touch_moves_last_seen_and_the_end
                a_touch_never_passes_the_expiry
                a_touch_within_its_interval_changes_nothing
                one_of_parallel_touches_is_written
                a_touch_by_a_token_that_opens_the_session_is_written
                a_touch_by_a_token_that_opens_nothing_changes_nothing
            }
            logout_wins "a logout wins" "Serves a session, or brings it back, after it was ended at some step of a request" {
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
            manager "many at once" "Counts otherwise than if they had come in turn" {
                sixty_four_parallel_increments_all_count
                fifty_logins_together_evict_down_to_the_limit
                fifty_logins_together_are_refused_beyond_the_limit
            }
            manager "payloads of another version of the program" "Changes or loses bytes that it need not understand" {
                a_record_of_an_older_program_is_read_with_defaults
                a_record_of_a_newer_program_is_read_and_kept_whole
                a_record_that_does_not_decode_is_no_session
                a_record_that_does_not_decode_stays_as_it_is
                a_record_that_does_not_decode_can_be_listed_and_ended
                a_record_whose_counters_are_full_is_no_session_and_stays
            }
        }
    };
}

/// From the list to documentation and to public names.
macro_rules! public_cases {
    ($($set:ident $clause:literal $wrong:literal { $($case:ident)* })*) => {
        /// Every case, by the clauses of [`SessionStore`](session_core::store::SessionStore) and by what a
        /// [`SessionManager`](session_core::SessionManager) on the store promises.
        ///
        /// **A logout wins** over each of open, update, touch, refresh and rotate, whatever step it comes at.
        /// `destroy_during_update` stops the update before and after every call to the store and logs out meanwhile;
        /// `update_during_destroy` stops the logout and updates meanwhile. So for `revoke_account`, and, with a
        /// rotation, for `revoke_everyone`. A failure says where the stop was: *"Destroy while Update was stopped after
        /// call 1 (read_and_touch): .."*. These are no races: a store fails them every time or never. One thing a
        /// logout does not end: what a rotation stored before it, since that is another session than the one its
        /// cookie names, of somebody who has just proven who they are. A revocation of the account does.
        ///
        /// | clause | what a wrong store does | cases |
        /// |---|---|---|
        $(#[doc = concat!("| ", $clause, " | ", $wrong, " | ", $("[`", stringify!($case), "`](cases::", stringify!($case), ") ",)* "|")])*
        pub mod cases {
            mod all {
                pub use crate::clauses::*;
                pub use crate::managed::*;
            }

            pub use all::{$($($case,)*)*};
        }
    };
}

for_all_cases! { public_cases, }

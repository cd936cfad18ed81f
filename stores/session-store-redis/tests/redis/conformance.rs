//! The contract, clause by clause. Two cases are left out, both for `delete_expired`, which has nothing to do here:
//! Redis expires records by itself. What else they say is in `operations.rs` and `keys.rs`.

macro_rules! contract {
    ($store:expr) => {
        session_store_conformance::conformance_tests! { $store =>
            every_field_survives
            realms_are_apart
            create_never_overwrites
            a_replace_needs_the_newest_version
            one_of_parallel_replaces_wins
            replace_never_creates
            replace_of_a_deleted_record_is_gone
            a_touch_racing_with_delete_never_brings_back
            expired_is_absent
            a_replace_moves_the_end
            subjects_compare_as_bytes
            guests_are_never_listed_or_deleted_together
            guests_have_no_limit
            the_limit_holds_under_parallel_logins
            evicts_the_least_recently_seen
            evicts_the_first_created_of_those_seen_together
            evicts_as_many_as_it_takes
            refuse_answers_limit_reached
            refuse_holds_under_parallel_logins
            expired_and_replaced_do_not_count
            accounts_do_not_share_a_limit
            a_login_replaces_the_session_of_its_cookie
            a_login_replaces_a_session_of_another_account
            a_login_whose_predecessor_is_gone_succeeds
            a_create_that_fails_leaves_the_old_session
            a_rotation_needs_its_predecessor
            a_rotation_needs_the_newest_version
            a_rotation_racing_with_an_update_loses_none
            one_of_parallel_rotations_wins
            rotation_racing_with_delete_is_either_or
            rotation_racing_with_delete_account_is_ended
            deleting_is_idempotent
            one_of_parallel_deletes_deleted
            delete_account_spares_the_kept_one_and_others
            delete_account_answers_the_living
            delete_realm_takes_guests_too_and_spares_other_realms
            a_touch_never_passes_the_expiry
            a_touch_within_its_interval_changes_nothing
            one_of_parallel_touches_is_written
        }
    };
}

mod single {
    use crate::support::{Server, needs_redis};

    contract!({
        needs_redis!();
        Server::shared().store().await
    });
}

#[cfg(feature = "cluster")]
mod cluster {
    use crate::support::{Cluster, needs_redis};

    contract!({
        needs_redis!();
        Cluster::shared().store().await
    });
}

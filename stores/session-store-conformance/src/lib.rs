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

use std::collections::BTreeSet;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Barrier};
use std::time::{Duration, SystemTime};

use session_core::store::{
    Account, Create, Created, Key, Replaced, Replaces, SessionLimit, SessionRecord, SessionStore, Touch,
};
use session_core::{RandomSource, SessionId, SystemRandom, Timestamp};

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

/// How often a race is run.
const ROUNDS: usize = 100;
/// At most once a minute; idle after an hour.
const TOUCH: Touch =
    Touch { interval: Duration::from_secs(60), idle_timeout: Some(Duration::from_secs(3600)) };

/// The store, a realm that nobody else uses, and the time.
#[derive(Clone)]
struct Bench {
    store: Arc<dyn SessionStore>,
    realm: String,
    now: Timestamp,
}

pub async fn every_field_survives(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let full = SessionRecord {
        payload: vec![0, b'"', b'\'', b'\\', 0xff],
        generation: 7,
        version: 3,
        issued_at: bench.at(1),
        expires_at: bench.at(7_000),
        first_used_at: Some(bench.at(2)),
        user_agent: Some("Mozilla/5.0 (Bücher; 本)".into()),
        ip_address: Some(IpAddr::from([0x20, 1, 13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
        ..bench.login("ü".repeat(127).as_str())
    };
    let bare = SessionRecord { payload: Vec::new(), ..bench.guest() };
    for record in [full, bare] {
        assert_eq!(bench.create(&record).await, done());
        assert_eq!(bench.read(record.id).await, Some(record.clone()));
        let newer = SessionRecord { payload: b"{}".to_vec(), first_used_at: None, ..next(&record) };
        assert_eq!(bench.replace(&newer).await, Replaced::Done);
        assert_eq!(bench.read(record.id).await, Some(newer));
    }
}

pub async fn realms_are_apart(store: Arc<dyn SessionStore>) {
    let here = Bench::new(store.clone());
    let there = Bench::new(store);
    let record = here.stored("ann").await;
    assert_eq!(there.read(record.id).await, None);
    assert_eq!(there.touch(record.id).await, None);
    assert_eq!(there.replace(&next(&record)).await, Replaced::Gone);
    assert_eq!(there.list("ann").await, []);
    assert!(!there.delete(record.id).await);
    assert_eq!(there.delete_account("ann", None).await, []);
    assert_eq!(there.delete_realm().await, 0);
    assert_eq!(here.read(record.id).await, Some(record.clone()));

    let twin = SessionRecord { payload: b"other".to_vec(), ..record.clone() };
    assert_eq!(there.create(&twin).await, done(), "the same id is another session there");
    assert_eq!(here.read(record.id).await, Some(record.clone()));
    let replaces = Some(Replaces::IfPresent(record.id));
    assert_eq!(there.create_with(&there.login("ann"), Create { replaces, limit: None }).await, done());
    assert_eq!(here.list("ann").await, [record]);
}

pub async fn create_never_overwrites(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let record = bench.stored("ann").await;
    let other = bench.stored("ann").await;
    let second = SessionRecord { id: record.id, payload: b"second".to_vec(), ..bench.login("bob") };
    let options = Create { replaces: Some(Replaces::IfPresent(other.id)), limit: Some(evict(1)) };
    assert_eq!(bench.create_with(&second, options).await, Created::IdTaken);
    let itself = Create { replaces: Some(Replaces::IfPresent(record.id)), limit: None };
    assert_eq!(bench.create_with(&second, itself).await, Created::IdTaken);
    assert_eq!(bench.read(record.id).await, Some(record));
    assert_eq!(bench.read(other.id).await, Some(other));
    assert_eq!(bench.list("bob").await, []);
}

pub async fn a_replace_needs_the_newest_version(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let first = bench.stored("ann").await;
    let second = SessionRecord { payload: b"second".to_vec(), ..next(&first) };
    assert_eq!(bench.replace(&second).await, Replaced::Done);
    for version in [0, first.version, second.version, second.version + 2] {
        let stale = SessionRecord { version, payload: b"stale".to_vec(), ..first.clone() };
        assert_eq!(bench.replace(&stale).await, Replaced::Conflict, "version {version}");
    }
    assert_eq!(bench.read(first.id).await, Some(second));
}

pub async fn one_of_parallel_replaces_wins(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let mut record = bench.stored("ann").await;
    for _ in 0..ROUNDS {
        let newer: Vec<_> =
            (0..4).map(|writer| SessionRecord { payload: vec![writer], ..next(&record) }).collect();
        let answers = at_once(newer.iter().cloned().map(|newer| {
            let bench = bench.clone();
            async move { bench.replace(&newer).await }
        }))
        .await;
        let winner = the_only(&answers, &Replaced::Done);
        assert_eq!(answers.iter().filter(|answer| **answer == Replaced::Conflict).count(), 3);
        assert_eq!(bench.read(record.id).await.as_ref(), Some(&newer[winner]));
        record = newer[winner].clone();
    }
}

pub async fn replace_never_creates(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    for version in [0, 1, 2] {
        let record = SessionRecord { version, ..bench.login("ann") };
        assert_eq!(bench.replace(&record).await, Replaced::Gone);
        assert_eq!(bench.read(record.id).await, None);
    }
    assert_eq!(bench.list("ann").await, []);
}

pub async fn replace_of_a_deleted_record_is_gone(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let record = bench.stored("ann").await;
    assert!(bench.delete(record.id).await);
    assert_eq!(bench.replace(&next(&record)).await, Replaced::Gone);
    assert_eq!(bench.touch(record.id).await, None);
    assert_eq!(bench.read(record.id).await, None);
    assert_eq!(bench.list("ann").await, []);
}

pub async fn a_touch_racing_with_delete_never_brings_back(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    for _ in 0..ROUNDS {
        let id = bench.stored("ann").await.id;
        let (toucher, deleter) = (bench.later(60), bench.clone());
        both(async move { toucher.touch(id).await }, async move { deleter.delete(id).await }).await;
        assert_eq!(bench.read(id).await, None);
        assert_eq!(bench.list("ann").await, []);
    }
}

pub async fn expired_is_absent(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let record = SessionRecord { ends_at: bench.at(10), ..bench.login("ann") };
    assert_eq!(bench.create(&record).await, done());
    assert_eq!(bench.later(9).read(record.id).await, Some(record.clone()));
    assert_eq!(bench.later(9).list("ann").await, std::slice::from_ref(&record));

    let then = bench.later(10);
    assert_eq!(then.read(record.id).await, None);
    assert_eq!(then.touch(record.id).await, None);
    assert_eq!(then.replace(&SessionRecord { ends_at: bench.at(99), ..next(&record) }).await, Replaced::Gone);
    assert_eq!(then.list("ann").await, []);
}

pub async fn a_replace_moves_the_end(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let long = bench.stored("ann").await;
    let short = SessionRecord { ends_at: bench.at(10), ..next(&long) };
    assert_eq!(bench.replace(&short).await, Replaced::Done);
    assert_eq!(bench.later(10).read(long.id).await, None);
    let long = SessionRecord { ends_at: bench.at(100), ..next(&short) };
    assert_eq!(bench.replace(&long).await, Replaced::Done);
    assert_eq!(bench.later(99).read(long.id).await, Some(long));
}

pub async fn subjects_compare_as_bytes(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    // Case, trailing space, an accent, the same accent in two code points, a prefix, a pattern.
    let subjects = ["ann", "Ann", "ann ", "änn", "a\u{308}nn", "an", "an_", "%", "a\\nn", "ann\t"];
    let mut records = Vec::new();
    for subject in subjects {
        records.push(bench.stored(subject).await);
    }
    for (subject, record) in subjects.iter().zip(&records) {
        assert_eq!(bench.list(subject).await, std::slice::from_ref(record), "{subject:?}");
    }
    assert_eq!(bench.delete_account("ann", None).await, [records[0].id]);
    for (subject, record) in subjects.iter().zip(&records).skip(1) {
        assert_eq!(bench.list(subject).await, std::slice::from_ref(record), "{subject:?}");
    }
}

pub async fn guests_are_never_listed_or_deleted_together(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let guest = bench.guest();
    assert_eq!(bench.create(&guest).await, done());
    for subject in ["", "null", "NULL", "guest"] {
        assert_eq!(bench.list(subject).await, []);
        assert_eq!(bench.delete_account(subject, None).await, []);
    }
    assert_eq!(bench.read(guest.id).await, Some(guest));
}

pub async fn guests_have_no_limit(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    for limit in [evict(1), SessionLimit::Refuse(1), evict(1), SessionLimit::Refuse(1)] {
        let options = Create { replaces: None, limit: Some(limit) };
        assert_eq!(bench.create_with(&bench.guest(), options).await, done());
    }
    assert_eq!(bench.delete_realm().await, 4);
}

pub async fn the_limit_holds_under_parallel_logins(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let options = Create { replaces: None, limit: Some(evict(3)) };
    let mut evicted = BTreeSet::new();
    for _ in 0..ROUNDS / 10 {
        for answer in at_once((0..8).map(|_| bench.clone().create_owned("ann", options))).await {
            let Created::Done { evicted: some } = answer else { panic!("{answer:?}") };
            some.into_iter().for_each(|id| assert!(evicted.insert(id), "evicted twice"));
        }
        assert_eq!(bench.list("ann").await.len(), 3);
    }
    assert_eq!(evicted.len(), ROUNDS / 10 * 8 - 3);
    assert!(bench.list("ann").await.iter().all(|record| !evicted.contains(&record.id)));
}

pub async fn evicts_the_least_recently_seen(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let first = bench.stored("ann").await;
    let second = bench.later(60).stored("ann").await;
    let third = bench.later(120).stored("ann").await;
    assert!(bench.later(180).touch(first.id).await.is_some());
    let options = Create { replaces: None, limit: Some(evict(3)) };
    let then = bench.later(240);
    assert_eq!(then.create_with(&then.login("ann"), options).await, evicted([second.id]));
    assert_eq!(then.create_with(&then.login("ann"), options).await, evicted([third.id]));
    assert_eq!(then.create_with(&then.login("ann"), options).await, evicted([first.id]));
    assert_eq!(then.list("ann").await.len(), 3);
    assert_eq!(then.read(first.id).await, None);
}

pub async fn evicts_the_first_created_of_those_seen_together(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let mut records = Vec::new();
    for created in [3, 1, 4, 2] {
        let record = SessionRecord {
            authenticated_at: bench.at(created),
            last_seen: bench.at(9),
            ..bench.login("ann")
        };
        assert_eq!(bench.create(&record).await, done());
        records.push(record);
    }
    let then = bench.later(10);
    let options = Create { replaces: None, limit: Some(evict(4)) };
    for oldest in [1, 3, 0, 2] {
        let answer = then.create_with(&then.login("ann"), options).await;
        assert_eq!(answer, evicted([records[oldest].id]));
    }
}

pub async fn evicts_as_many_as_it_takes(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    for _ in 0..5 {
        bench.stored("ann").await;
    }
    let newest = bench.later(1).login("ann");
    let options = Create { replaces: None, limit: Some(evict(2)) };
    let Created::Done { evicted } = bench.later(1).create_with(&newest, options).await else { panic!() };
    assert_eq!(evicted.len(), 4);
    let left = bench.list("ann").await;
    assert!(left.len() == 2 && left.contains(&newest));
}

pub async fn refuse_answers_limit_reached(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let options = Create { replaces: None, limit: Some(SessionLimit::Refuse(2)) };
    assert_eq!(bench.create_with(&bench.login("ann"), options).await, done());
    let second = bench.login("ann");
    assert_eq!(bench.create_with(&second, options).await, done());
    let third = bench.login("ann");
    assert_eq!(bench.create_with(&third, options).await, Created::LimitReached);
    assert_eq!(bench.read(third.id).await, None);
    assert_eq!(bench.list("ann").await.len(), 2);
    assert!(bench.delete(second.id).await);
    assert_eq!(bench.create_with(&third, options).await, done());
}

pub async fn refuse_holds_under_parallel_logins(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let options = Create { replaces: None, limit: Some(SessionLimit::Refuse(3)) };
    for _ in 0..ROUNDS / 10 {
        let answers = at_once((0..8).map(|_| bench.clone().create_owned("ann", options))).await;
        assert_eq!(answers.iter().filter(|answer| **answer == done()).count(), 3);
        assert_eq!(answers.iter().filter(|answer| **answer == Created::LimitReached).count(), 5);
        assert_eq!(bench.delete_account("ann", None).await.len(), 3);
    }
}

pub async fn expired_and_replaced_do_not_count(store: Arc<dyn SessionStore>) {
    for limit in [evict(2), SessionLimit::Refuse(2)] {
        let bench = Bench::new(store.clone());
        let expired = SessionRecord { ends_at: bench.at(10), ..bench.login("ann") };
        assert_eq!(bench.create(&expired).await, done());
        let (first, second) = (bench.stored("ann").await, bench.stored("ann").await);
        let then = bench.later(10);
        let (third, fourth) = (then.login("ann"), then.login("ann"));
        let steps = [(&third, Replaces::IfPresent(first.id)), (&fourth, must(&second))];
        for (record, replaces) in steps {
            let options = Create { replaces: Some(replaces), limit: Some(limit) };
            assert_eq!(then.create_with(record, options).await, done());
        }
        assert_eq!(ids(&then.list("ann").await), BTreeSet::from([third.id, fourth.id]));
    }
}

pub async fn accounts_do_not_share_a_limit(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    for subject in ["ann", "Ann", "bob"] {
        let options = Create { replaces: None, limit: Some(SessionLimit::Refuse(1)) };
        assert_eq!(bench.create_with(&bench.login(subject), options).await, done());
    }
}

pub async fn a_login_replaces_the_session_of_its_cookie(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    for replaces in [|old: &SessionRecord| Replaces::IfPresent(old.id), must] {
        let (old, other) = (bench.stored("ann").await, bench.stored("ann").await);
        let new = bench.login("ann");
        let options = Create { replaces: Some(replaces(&old)), limit: None };
        assert_eq!(
            bench.create_with(&new, options).await,
            done(),
            "a replaced session is not an evicted one"
        );
        assert_eq!(bench.read(old.id).await, None);
        assert_eq!(ids(&bench.list("ann").await), BTreeSet::from([other.id, new.id]));
        bench.delete_account("ann", None).await;
    }
}

pub async fn a_login_replaces_a_session_of_another_account(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let guest = bench.guest();
    assert_eq!(bench.create(&guest).await, done());
    let (ann, bob) = (bench.login("ann"), bench.login("bob"));
    for (old, new) in [(&guest, &ann), (&ann, &bob)] {
        let options = Create { replaces: Some(Replaces::IfPresent(old.id)), limit: Some(evict(1)) };
        assert_eq!(bench.create_with(new, options).await, done());
        assert_eq!(bench.read(old.id).await, None);
    }
    assert_eq!(bench.list("ann").await, []);
    assert_eq!(bench.list("bob").await, [bob]);
}

pub async fn a_login_whose_predecessor_is_gone_succeeds(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let expired = SessionRecord { ends_at: bench.at(10), ..bench.login("ann") };
    assert_eq!(bench.create(&expired).await, done());
    let then = bench.later(10);
    let new = then.login("ann");
    // Expired, unknown, and the new one itself.
    for (record, old) in
        [(then.login("ann"), expired.id), (then.login("ann"), random_id()), (new.clone(), new.id)]
    {
        let options = Create { replaces: Some(Replaces::IfPresent(old)), limit: None };
        assert_eq!(then.create_with(&record, options).await, done());
    }
    assert_eq!(then.list("ann").await.len(), 3);
    assert_eq!(then.read(new.id).await, Some(new));
    assert!(!then.delete(expired.id).await, "the expired one was deleted, too");
}

pub async fn a_create_that_fails_leaves_the_old_session(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let (old, taken) = (bench.stored("ann").await, bench.stored("ann").await);
    for replaces in [Replaces::IfPresent(old.id), must(&old)] {
        let again = SessionRecord { id: taken.id, ..bench.login("ann") };
        let options = Create { replaces: Some(replaces), limit: None };
        assert_eq!(bench.create_with(&again, options).await, Created::IdTaken);
        let options = Create { replaces: Some(replaces), limit: Some(SessionLimit::Refuse(1)) };
        assert_eq!(bench.create_with(&bench.login("ann"), options).await, Created::LimitReached);
    }
    assert_eq!(ids(&bench.list("ann").await), BTreeSet::from([old.id, taken.id]));
}

pub async fn a_rotation_needs_its_predecessor(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store.clone());
    let elsewhere = Bench::new(store).stored("ann").await;
    let other = bench.stored("ann").await;
    let expired = SessionRecord { ends_at: bench.at(10), ..bench.login("ann") };
    assert_eq!(bench.create(&expired).await, done());
    let new = bench.login("ann");
    for id in [random_id(), elsewhere.id, expired.id, new.id] {
        let options =
            Create { replaces: Some(Replaces::MustExist { id, version: 0 }), limit: Some(evict(1)) };
        assert_eq!(bench.later(10).create_with(&new, options).await, Created::PredecessorGone);
    }
    assert_eq!(bench.read(new.id).await, None);
    assert_eq!(bench.later(10).list("ann").await, [other], "nothing was evicted");
}

pub async fn a_rotation_needs_the_newest_version(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let old = bench.stored("ann").await;
    let newer = next(&old);
    assert_eq!(bench.replace(&newer).await, Replaced::Done);
    let new = bench.login("ann");
    let options = |old| Create { replaces: Some(must(old)), limit: Some(evict(1)) };
    assert_eq!(bench.create_with(&new, options(&old)).await, Created::PredecessorChanged);
    assert_eq!(bench.list("ann").await, std::slice::from_ref(&newer), "nothing has changed");
    assert_eq!(bench.create_with(&new, options(&newer)).await, done());
    assert_eq!(bench.list("ann").await, [new]);
}

pub async fn a_rotation_racing_with_an_update_loses_none(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    for _ in 0..ROUNDS {
        let old = bench.stored("ann").await;
        let options = Create { replaces: Some(must(&old)), limit: None };
        let (rotator, updater, newer) = (bench.clone(), bench.clone(), next(&old));
        let (rotated, updated) =
            both(async move { rotator.create_owned("ann", options).await }, async move {
                updater.replace(&newer).await
            })
            .await;
        match updated {
            Replaced::Done => assert_eq!(rotated, Created::PredecessorChanged),
            Replaced::Gone => assert_eq!(rotated, done()),
            Replaced::Conflict => unreachable!("nobody else updates"),
        }
        assert_eq!(bench.delete_account("ann", None).await.len(), 1);
    }
}

pub async fn one_of_parallel_rotations_wins(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let mut current = bench.stored("ann").await.id;
    for _ in 0..ROUNDS {
        let options = Create { replaces: Some(Replaces::MustExist { id: current, version: 0 }), limit: None };
        let answers = at_once((0..4).map(|_| bench.clone().create_owned("ann", options))).await;
        the_only(&answers, &done());
        assert_eq!(answers.iter().filter(|answer| **answer == Created::PredecessorGone).count(), 3);
        let left = bench.list("ann").await;
        assert_eq!(left.len(), 1);
        current = left[0].id;
    }
}

pub async fn rotation_racing_with_delete_is_either_or(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    for _ in 0..ROUNDS {
        let old = bench.stored("ann").await.id;
        let options = Create { replaces: Some(Replaces::MustExist { id: old, version: 0 }), limit: None };
        let (rotator, deleter) = (bench.clone(), bench.clone());
        let (rotated, deleted) =
            both(rotator.create_owned("ann", options), async move { deleter.delete(old).await }).await;
        assert_eq!(rotated, if deleted { Created::PredecessorGone } else { done() });
        assert_eq!(bench.delete_account("ann", None).await.len(), usize::from(!deleted));
    }
}

pub async fn rotation_racing_with_delete_account_is_ended(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    for _ in 0..ROUNDS {
        let old = bench.stored("ann").await.id;
        let options = Create { replaces: Some(Replaces::MustExist { id: old, version: 0 }), limit: None };
        let (rotator, deleter) = (bench.clone(), bench.clone());
        let (rotated, deleted) =
            both(
                rotator.create_owned("ann", options),
                async move { deleter.delete_account("ann", None).await },
            )
            .await;
        assert_eq!(deleted.len(), 1);
        assert_eq!(rotated, if deleted == [old] { Created::PredecessorGone } else { done() });
        assert_eq!(bench.list("ann").await, [], "nobody is left after the account was ended");
    }
}

pub async fn deleting_is_idempotent(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let record = bench.stored("ann").await;
    assert!(bench.delete(record.id).await);
    assert!(!bench.delete(record.id).await);
    bench.stored("ann").await;
    assert_eq!(bench.delete_account("ann", None).await.len(), 1);
    assert_eq!(bench.delete_account("ann", None).await, []);
    bench.stored("ann").await;
    assert_eq!(bench.delete_realm().await, 1);
    assert_eq!(bench.delete_realm().await, 0);
}

pub async fn one_of_parallel_deletes_deleted(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    for _ in 0..ROUNDS {
        let id = bench.stored("ann").await.id;
        let answers = at_once((0..4).map(|_| {
            let bench = bench.clone();
            async move { bench.delete(id).await }
        }))
        .await;
        the_only(&answers, &true);
    }
}

pub async fn delete_account_spares_the_kept_one_and_others(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let (kept, ended, bob) =
        (bench.stored("ann").await, bench.stored("ann").await, bench.stored("bob").await);
    assert_eq!(bench.delete_account("ann", Some(kept.id)).await, [ended.id]);
    assert_eq!(bench.list("ann").await, std::slice::from_ref(&kept));
    assert_eq!(bench.delete_account("ann", Some(bob.id)).await, [kept.id], "not one of this account");
    assert_eq!(bench.list("bob").await, [bob]);
}

pub async fn delete_account_answers_the_living(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let expired = SessionRecord { ends_at: bench.at(10), ..bench.login("ann") };
    assert_eq!(bench.create(&expired).await, done());
    let live = bench.stored("ann").await;
    assert_eq!(bench.later(10).delete_account("ann", None).await, [live.id]);
}

pub async fn delete_realm_takes_guests_too_and_spares_other_realms(store: Arc<dyn SessionStore>) {
    let (here, there) = (Bench::new(store.clone()), Bench::new(store));
    let spared = there.stored("ann").await;
    let (guest, bob) = (here.guest(), here.stored("bob").await);
    assert_eq!(here.create(&guest).await, done());
    assert_eq!(here.delete_realm().await, 2);
    assert_eq!(here.read(guest.id).await, None);
    assert_eq!(here.list("bob").await, []);
    assert_eq!(here.replace(&next(&bob)).await, Replaced::Gone);
    assert_eq!(there.list("ann").await, [spared]);
    assert_eq!(here.create(&bob).await, done(), "the realm can be used again");
    assert_eq!(here.list("bob").await, [bob]);
}

pub async fn delete_expired_is_bounded_and_spares_the_living(store: Arc<dyn SessionStore>) {
    let (bench, other) = (Bench::new(store.clone()), Bench::new(store));
    let living = [bench.stored("ann").await, other.stored("ann").await];
    for _ in 0..10 {
        for bench in [&bench, &other] {
            let expired = SessionRecord { ends_at: bench.at(10), ..bench.login("ann") };
            assert_eq!(bench.create(&expired).await, done());
        }
    }
    // The edge: this one has a second left.
    let nearly = SessionRecord { ends_at: bench.at(11), ..bench.guest() };
    assert_eq!(bench.create(&nearly).await, done());
    assert_eq!(bench.later(9).delete_expired(100).await, 0);
    let then = bench.later(10);
    assert_eq!(then.delete_expired(0).await, 0);
    assert_eq!(then.delete_expired(7).await, 7);
    assert_eq!(then.delete_expired(7).await, 7);
    assert_eq!(then.delete_expired(7).await, 6);
    assert_eq!(then.delete_expired(7).await, 0);
    assert_eq!(then.read(nearly.id).await, Some(nearly));
    assert_eq!(bench.list("ann").await, std::slice::from_ref(&living[0]));
    assert_eq!(other.list("ann").await, std::slice::from_ref(&living[1]));
}

pub async fn a_touch_moves_last_seen_and_the_end(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let record = SessionRecord { ends_at: bench.at(3_600), ..bench.login("ann") };
    assert_eq!(bench.create(&record).await, done());
    let expected = SessionRecord { last_seen: bench.at(60), ends_at: bench.at(60 + 3_600), ..next(&record) };
    assert_eq!(bench.later(60).touch(record.id).await, Some(expected.clone()));
    assert_eq!(bench.later(3_659).list("ann").await, [expected]);
    assert_eq!(bench.later(3_660).read(record.id).await, None);
    assert_eq!(bench.later(3_660).delete_expired(1).await, 1);
}

pub async fn a_touch_never_passes_the_expiry(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let record = bench.stored("ann").await;
    for (seconds, idle_timeout) in [(60, Some(Duration::from_secs(1_000_000))), (120, None)] {
        let then = bench.later(seconds);
        let seen = then.touch_with(record.id, Touch { idle_timeout, ..TOUCH }).await.unwrap();
        assert_eq!((seen.last_seen, seen.ends_at), (then.now, record.expires_at));
    }
}

pub async fn a_touch_within_its_interval_changes_nothing(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let record = bench.stored("ann").await;
    assert_eq!(bench.later(59).touch(record.id).await, Some(record.clone()));
    assert_eq!(bench.read(record.id).await, Some(record));
    assert_eq!(bench.touch(random_id()).await, None);
}

pub async fn one_of_parallel_touches_is_written(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    for _ in 0..ROUNDS {
        let record = bench.stored("ann").await;
        let answers = at_once((0..4).map(|_| {
            let bench = bench.later(60);
            async move { bench.touch(record.id).await }
        }))
        .await;
        assert!(answers.iter().all(Option::is_some));
        assert_eq!(bench.read(record.id).await.unwrap().version, record.version + 1);
    }
}

impl Bench {
    fn new(store: Arc<dyn SessionStore>) -> Self {
        Self { store, realm: random_id().to_text(), now: SystemTime::now().into() }
    }

    fn at(&self, seconds: u64) -> Timestamp {
        self.now.plus(Duration::from_secs(seconds))
    }

    fn later(&self, seconds: u64) -> Self {
        Self { now: self.at(seconds), ..self.clone() }
    }

    fn key(&self, id: SessionId) -> Key<'_> {
        Key { realm: &self.realm, id }
    }

    fn account<'a>(&'a self, subject: &'a str) -> Account<'a> {
        Account { realm: &self.realm, subject }
    }

    fn guest(&self) -> SessionRecord {
        SessionRecord {
            id: random_id(),
            subject: None,
            version: 0,
            payload: br#"{"role":"guest"}"#.to_vec(),
            authenticated_at: self.now,
            last_seen: self.now,
            generation: 0,
            issued_at: self.now,
            expires_at: self.at(86_400),
            first_used_at: None,
            ends_at: self.at(86_400),
            user_agent: None,
            ip_address: None,
        }
    }

    fn login(&self, subject: &str) -> SessionRecord {
        SessionRecord { subject: Some(subject.into()), ..self.guest() }
    }

    async fn stored(&self, subject: &str) -> SessionRecord {
        let record = self.login(subject);
        assert_eq!(self.create(&record).await, done());
        record
    }

    async fn create(&self, record: &SessionRecord) -> Created {
        self.create_with(record, Create::default()).await
    }

    async fn create_with(&self, record: &SessionRecord, options: Create) -> Created {
        self.store.create(&self.realm, record, options, self.now).await.unwrap()
    }

    async fn create_owned(self, subject: &str, options: Create) -> Created {
        self.create_with(&self.login(subject), options).await
    }

    async fn read(&self, id: SessionId) -> Option<SessionRecord> {
        self.store.read(self.key(id), self.now).await.unwrap()
    }

    /// As [`TOUCH`] says.
    async fn touch(&self, id: SessionId) -> Option<SessionRecord> {
        self.touch_with(id, TOUCH).await
    }

    async fn touch_with(&self, id: SessionId, touch: Touch) -> Option<SessionRecord> {
        self.store.read_and_touch(self.key(id), touch, self.now).await.unwrap()
    }

    async fn replace(&self, record: &SessionRecord) -> Replaced {
        self.store.replace(&self.realm, record, self.now).await.unwrap()
    }

    async fn delete(&self, id: SessionId) -> bool {
        self.store.delete(self.key(id)).await.unwrap()
    }

    async fn list(&self, subject: &str) -> Vec<SessionRecord> {
        self.store.list(self.account(subject), self.now).await.unwrap()
    }

    async fn delete_account(&self, subject: &str, keep: Option<SessionId>) -> Vec<SessionId> {
        self.store.delete_account(self.account(subject), keep, self.now).await.unwrap()
    }

    async fn delete_realm(&self) -> u64 {
        self.store.delete_realm(&self.realm).await.unwrap()
    }

    async fn delete_expired(&self, limit: usize) -> usize {
        self.store.delete_expired(self.now, limit).await.unwrap()
    }
}

fn next(record: &SessionRecord) -> SessionRecord {
    SessionRecord { version: record.version + 1, ..record.clone() }
}

fn must(old: &SessionRecord) -> Replaces {
    Replaces::MustExist { id: old.id, version: old.version }
}

fn done() -> Created {
    evicted([])
}

fn evicted<const N: usize>(ids: [SessionId; N]) -> Created {
    Created::Done { evicted: ids.to_vec() }
}

fn evict(limit: u32) -> SessionLimit {
    SessionLimit::EvictOldest(limit)
}

fn ids(records: &[SessionRecord]) -> BTreeSet<SessionId> {
    records.iter().map(|record| record.id).collect()
}

fn random_id() -> SessionId {
    let mut bytes = [0; 16];
    SystemRandom.fill(&mut bytes).unwrap();
    SessionId::from_bytes(bytes)
}

/// The place of the one answer that is `wanted`.
fn the_only<T: PartialEq + std::fmt::Debug>(answers: &[T], wanted: &T) -> usize {
    let mut places = answers.iter().enumerate().filter(|(_, answer)| *answer == wanted);
    let place = places.next().map(|(place, _)| place);
    assert!(places.next().is_none(), "more than one: {answers:?}");
    place.unwrap_or_else(|| panic!("none: {answers:?}"))
}

/// Runs the calls on a thread each, starting together.
async fn at_once<T: Send + 'static>(
    calls: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let calls: Vec<_> = calls.into_iter().collect();
    let barrier = Arc::new(Barrier::new(calls.len()));
    let runtime = tokio::runtime::Handle::current();
    let run = |call| {
        let (barrier, runtime) = (barrier.clone(), runtime.clone());
        tokio::task::spawn_blocking(move || {
            barrier.wait();
            runtime.block_on(call)
        })
    };
    let threads: Vec<_> = calls.into_iter().map(run).collect();
    let mut answers = Vec::new();
    for thread in threads {
        answers.push(thread.await.unwrap());
    }
    answers
}

async fn both<A: Send + 'static, B: Send + 'static>(
    a: impl Future<Output = A> + Send + 'static,
    b: impl Future<Output = B> + Send + 'static,
) -> (A, B) {
    enum Either<A, B> {
        A(A),
        B(B),
    }
    type Call<T> = Pin<Box<dyn Future<Output = T> + Send>>;
    let calls: [Call<Either<A, B>>; 2] =
        [Box::pin(async { Either::A(a.await) }), Box::pin(async { Either::B(b.await) })];
    let mut answers = at_once(calls).await.into_iter();
    match (answers.next(), answers.next()) {
        (Some(Either::A(a)), Some(Either::B(b))) => (a, b),
        _ => unreachable!("answers come in the order of the calls"),
    }
}

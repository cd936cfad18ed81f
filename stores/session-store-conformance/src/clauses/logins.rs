//! Clause 8: replacing is safe.

use std::collections::BTreeSet;
use std::sync::Arc;

use session_core::store::{Create, Created, Replaces, SessionLimit, SessionRecord, SessionStore};

use crate::bench::{Bench, done, ids, must, random_id_of};

pub async fn a_login_replaces_the_session_of_its_cookie(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    for replaces in [|old: &SessionRecord| Replaces::IfPresent(old.id), must] {
        let (old, other) = (bench.stored("ann").await, bench.stored("ann").await);
        let new = bench.login("ann");
        let options = Create::new(Some(replaces(&old)), None);
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

/// The manager never asks for it. What is at another place may be on another machine: a store refuses for good, or
/// replaces as ever.
pub async fn a_predecessor_at_another_place_is_refused_or_replaced(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    for replaces in [|old: &SessionRecord| Replaces::IfPresent(old.id), must] {
        let (old, new) = (bench.stored("ann").await, bench.login("bob"));
        let options = Create::new(Some(replaces(&old)), None);
        match bench.store.create(&bench.realm, &new, options, bench.now).await {
            Ok(created) => {
                assert_eq!(created, done());
                assert_eq!((bench.read(old.id).await, bench.read(new.id).await), (None, Some(new)));
            }
            Err(refused) => {
                assert!(!refused.is_retryable(), "{refused}");
                assert_eq!((bench.read(old.id).await, bench.read(new.id).await), (Some(old), None));
            }
        }
    }
}

pub async fn a_login_whose_predecessor_is_gone_succeeds(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let expired = bench.login("ann").with(|record| record.ends_at = bench.at(10));
    assert_eq!(bench.create(&expired).await, done());
    let then = bench.later(10);
    let new = then.login("ann");
    // Expired, unknown, and the new one itself.
    for (record, old) in
        [(then.login("ann"), expired.id), (then.login("ann"), random_id_of("ann")), (new.clone(), new.id)]
    {
        let options = Create::new(Some(Replaces::IfPresent(old)), None);
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
        let again = bench.login("ann").with(|record| record.id = taken.id);
        let options = Create::new(Some(replaces), None);
        assert_eq!(bench.create_with(&again, options).await, Created::IdTaken);
        let options = Create::new(Some(replaces), Some(SessionLimit::Refuse(1)));
        assert_eq!(bench.create_with(&bench.login("ann"), options).await, Created::LimitReached);
    }
    assert_eq!(ids(&bench.list("ann").await), BTreeSet::from([old.id, taken.id]));
}

/// Of several reasons not to create, the first of: `IdTaken`, `PredecessorGone` or `PredecessorChanged`,
/// `LimitReached`.
pub async fn a_create_that_fails_twice_says_the_first_reason(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let old = bench.stored("ann").await;
    let changed = Replaces::MustExist { id: old.id, version: old.version + 1 };
    let gone = Replaces::MustExist { id: random_id_of("ann"), version: 0 };
    let (taken, new) = (bench.login("ann").with(|record| record.id = old.id), bench.login("ann"));
    let other = bench.stored("ann").await;
    for (record, replaces, answer) in [
        (&taken, gone, Created::IdTaken),
        (&taken, changed, Created::IdTaken),
        (&taken, Replaces::IfPresent(other.id), Created::IdTaken),
        (&new, gone, Created::PredecessorGone),
        (&new, changed, Created::PredecessorChanged),
        (&new, must(&old), Created::LimitReached),
    ] {
        let options = Create::new(Some(replaces), Some(SessionLimit::Refuse(1)));
        assert_eq!(bench.create_with(record, options).await, answer);
    }
    assert_eq!(ids(&bench.list("ann").await), BTreeSet::from([old.id, other.id]));
}

//! Clause 7: the limit holds.

use std::collections::BTreeSet;
use std::sync::Arc;

use session_core::store::{Create, Created, Replaces, SessionLimit, SessionStore};

use crate::bench::{Bench, done, evict, evicted, ids, must};
use crate::races::{ROUNDS, at_once};

pub async fn the_limit_holds_under_parallel_logins(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let options = Create::new(None, Some(evict(3)));
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
    let options = Create::new(None, Some(evict(3)));
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
        let record = bench.login("ann").with(|record| {
            record.authenticated_at = bench.at(created);
            record.last_seen = bench.at(9);
        });
        assert_eq!(bench.create(&record).await, done());
        records.push(record);
    }
    let then = bench.later(10);
    let options = Create::new(None, Some(evict(4)));
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
    let options = Create::new(None, Some(evict(2)));
    let Created::Done { evicted } = bench.later(1).create_with(&newest, options).await else { panic!() };
    assert_eq!(evicted.len(), 4);
    let left = bench.list("ann").await;
    assert!(left.len() == 2 && left.contains(&newest));
}

pub async fn refuse_answers_limit_reached(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let options = Create::new(None, Some(SessionLimit::Refuse(2)));
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
    let options = Create::new(None, Some(SessionLimit::Refuse(3)));
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
        let expired = bench.login("ann").with(|record| record.ends_at = bench.at(10));
        assert_eq!(bench.create(&expired).await, done());
        let (first, second) = (bench.stored("ann").await, bench.stored("ann").await);
        let then = bench.later(10);
        let (third, fourth) = (then.login("ann"), then.login("ann"));
        let steps = [(&third, Replaces::IfPresent(first.id)), (&fourth, must(&second))];
        for (record, replaces) in steps {
            let options = Create::new(Some(replaces), Some(limit));
            assert_eq!(then.create_with(record, options).await, done());
        }
        assert_eq!(ids(&then.list("ann").await), BTreeSet::from([third.id, fourth.id]));
    }
}

pub async fn accounts_do_not_share_a_limit(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    for subject in ["ann", "Ann", "bob"] {
        let options = Create::new(None, Some(SessionLimit::Refuse(1)));
        assert_eq!(bench.create_with(&bench.login(subject), options).await, done());
    }
}

/// Somebody who acts as the user, or a login that waits for its second factor.
pub async fn the_uncounted_neither_count_nor_leave_nor_evict(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let uncounted = |bench: &Bench| bench.login("ann").with(|record| record.uncounted = true);
    let (first, aside) = (bench.stored("ann").await, uncounted(&bench));
    let refuses = Create::new(None, Some(SessionLimit::Refuse(1)));
    assert_eq!(bench.create_with(&aside, refuses).await, done(), "it needs no room");
    let evicts = Create::new(None, Some(evict(1)));
    assert_eq!(bench.create_with(&uncounted(&bench), evicts).await, done(), "it makes no room");
    let then = bench.later(60);
    let second = then.login("ann");
    assert_eq!(then.create_with(&second, evicts).await, evicted([first.id]), "the oldest that counts");
    assert_eq!(then.create_with(&then.login("ann"), refuses).await, Created::LimitReached);
    assert!(then.delete(second.id).await);
    assert_eq!(then.create_with(&then.login("ann"), refuses).await, done(), "the others take no room");
    assert_eq!(then.list("ann").await.len(), 3);
    assert_eq!(then.delete_account("ann", None).await.len(), 3, "they are the account's all the same");
}

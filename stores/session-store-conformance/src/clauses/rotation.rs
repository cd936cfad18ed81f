//! Clause 9: a rotation needs its predecessor.

use std::sync::Arc;

use session_core::store::{Create, Created, Replaced, Replaces, SessionStore};

use crate::bench::{Bench, done, evict, must, next, random_id_of};
use crate::races::{ROUNDS, at_once, both, the_only};

pub async fn a_rotation_needs_its_predecessor(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store.clone());
    let elsewhere = Bench::new(store).stored("ann").await;
    let other = bench.stored("ann").await;
    let expired = bench.login("ann").with(|record| record.ends_at = bench.at(10));
    assert_eq!(bench.create(&expired).await, done());
    let new = bench.login("ann");
    for id in [random_id_of("ann"), elsewhere.id, expired.id, new.id] {
        let options = Create::new(Some(Replaces::MustExist { id, version: 0 }), Some(evict(1)));
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
    let options = |old| Create::new(Some(must(old)), Some(evict(1)));
    assert_eq!(bench.create_with(&new, options(&old)).await, Created::PredecessorChanged);
    assert_eq!(bench.list("ann").await, std::slice::from_ref(&newer), "nothing has changed");
    assert_eq!(bench.create_with(&new, options(&newer)).await, done());
    assert_eq!(bench.list("ann").await, [new]);
}

pub async fn a_rotation_racing_with_an_update_loses_none(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    for _ in 0..ROUNDS {
        let old = bench.stored("ann").await;
        let options = Create::new(Some(must(&old)), None);
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
        let options = Create::new(Some(Replaces::MustExist { id: current, version: 0 }), None);
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
        let options = Create::new(Some(Replaces::MustExist { id: old, version: 0 }), None);
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
        let options = Create::new(Some(Replaces::MustExist { id: old, version: 0 }), None);
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

pub async fn rotation_racing_with_delete_realm_is_ended(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    for _ in 0..ROUNDS {
        let old = bench.stored("ann").await;
        let options = Create::new(Some(must(&old)), None);
        let (rotator, deleter) = (bench.clone(), bench.clone());
        let (rotated, _) =
            both(rotator.create_owned("ann", options), async move { deleter.delete_realm().await }).await;
        assert!(rotated == done() || rotated == Created::PredecessorGone, "{rotated:?}");
        assert_eq!(bench.list("ann").await, [], "nobody is left after the realm was ended");
        assert!(!bench.delete(old.id).await);
    }
}

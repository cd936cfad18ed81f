//! Clause 15: a login that began before a revocation does not happen.

use std::collections::BTreeSet;
use std::sync::Arc;

use session_core::store::{Create, Created, Fence, Replaces, SessionLimit, SessionStore};

use crate::bench::{Bench, done, ids, must, random_id_of};
use crate::races::{ROUNDS, both};

/// A login behind a fence, and nothing else.
fn behind(fence: Fence) -> Create {
    Create::default().behind(Some(fence))
}

pub async fn a_login_that_nobody_overtook_succeeds(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let first = bench.fence("ann").await;
    assert_eq!(bench.create_with(&bench.login("ann"), behind(first)).await, done());
    bench.delete_account("ann", None).await;
    let marked = bench.fence("ann").await;
    let then = bench.later(900);
    assert_eq!(then.create_with(&then.login("ann"), behind(marked)).await, done());
    assert_eq!(bench.list("ann").await.len(), 1);
}

/// Nothing is written for an attempt: strangers could fill the store.
pub async fn a_fence_stays_the_same_until_a_revocation(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let before = bench.fence("ann").await;
    assert_eq!(bench.fence("ann").await, before);
    let record = bench.stored("ann").await;
    assert!(bench.delete(record.id).await);
    assert_eq!(bench.fence("ann").await, before, "a login and a logout are no revocation");
    bench.delete_account("ann", None).await;
    let after = bench.fence("ann").await;
    assert_ne!(after, before);
    assert_eq!(bench.fence("ann").await, after);
    bench.delete_account("ann", None).await;
    assert_ne!(bench.fence("ann").await, after, "no mark comes again");
}

pub async fn a_login_that_began_before_its_account_was_ended_is_overtaken(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    for keeps in [false, true] {
        let kept = bench.stored("ann").await;
        let fence = bench.fence("ann").await;
        bench.delete_account("ann", keeps.then_some(kept.id)).await;
        assert_eq!(bench.create_with(&bench.login("ann"), behind(fence)).await, Created::Overtaken);
        let then = bench.later(900);
        assert_eq!(then.create_with(&then.login("ann"), behind(fence)).await, Created::Overtaken);
        assert_eq!(bench.list("ann").await.len(), usize::from(keeps));
    }
}

pub async fn ending_an_account_without_sessions_overtakes_too(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let fence = bench.fence("ann").await;
    assert_eq!(bench.delete_account("ann", None).await, []);
    assert_eq!(bench.create_with(&bench.login("ann"), behind(fence)).await, Created::Overtaken);
    let fence = bench.fence("ann").await;
    assert_eq!(bench.delete_realm().await, 0);
    assert_eq!(bench.create_with(&bench.login("ann"), behind(fence)).await, Created::Overtaken);
}

pub async fn a_login_that_began_before_everybody_was_ended_is_overtaken(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    bench.stored("bob").await;
    let fence = bench.fence("ann").await;
    bench.delete_realm().await;
    assert_eq!(bench.create_with(&bench.login("ann"), behind(fence)).await, Created::Overtaken);
    let after = bench.fence("ann").await;
    assert_ne!(after, fence);
    assert_eq!(bench.create_with(&bench.login("ann"), behind(after)).await, done());
}

pub async fn what_others_do_overtakes_nobody(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store.clone());
    let there = Bench::new(store);
    let (record, fence) = (bench.stored("ann").await, bench.fence("ann").await);
    there.fence("ann").await;
    there.delete_account("ann", None).await;
    there.delete_realm().await;
    bench.delete_account("Ann", None).await;
    bench.delete_account("bob", None).await;
    assert!(bench.delete(record.id).await);
    assert_eq!(bench.create_with(&bench.login("ann"), behind(fence)).await, done());
}

/// `Overtaken` after `IdTaken`, and before what is wrong with the predecessor or the limit. Nothing has changed.
pub async fn an_overtaken_login_says_so_before_the_rest(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let fence = bench.fence("ann").await;
    bench.delete_account("ann", None).await;
    let (old, other) = (bench.stored("ann").await, bench.stored("ann").await);
    let gone = Replaces::MustExist { id: random_id_of("ann"), version: 0 };
    for replaces in [gone, must(&old), Replaces::IfPresent(old.id)] {
        let options = Create::new(Some(replaces), Some(SessionLimit::Refuse(1))).behind(Some(fence));
        assert_eq!(bench.create_with(&bench.login("ann"), options).await, Created::Overtaken);
        let taken = bench.login("ann").with(|record| record.id = other.id);
        assert_eq!(bench.create_with(&taken, options).await, Created::IdTaken);
    }
    let evicts = Create::new(None, Some(crate::bench::evict(1))).behind(Some(fence));
    assert_eq!(bench.create_with(&bench.login("ann"), evicts).await, Created::Overtaken);
    assert_eq!(ids(&bench.list("ann").await), BTreeSet::from([old.id, other.id]));
}

pub async fn a_login_racing_with_delete_account_is_ended_or_overtaken(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    for _ in 0..ROUNDS {
        let fence = bench.fence("ann").await;
        let (user, deleter) = (bench.clone(), bench.clone());
        let (created, deleted) = both(user.create_owned("ann", behind(fence)), async move {
            deleter.delete_account("ann", None).await
        })
        .await;
        assert_eq!(created, if deleted.is_empty() { Created::Overtaken } else { done() });
        assert_eq!(bench.list("ann").await, [], "nobody is left after the account was ended");
    }
}

pub async fn a_login_racing_with_delete_realm_is_ended_or_overtaken(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    for _ in 0..ROUNDS {
        let fence = bench.fence("ann").await;
        let (user, deleter) = (bench.clone(), bench.clone());
        let (created, _) =
            both(user.create_owned("ann", behind(fence)), async move { deleter.delete_realm().await }).await;
        assert!(created == done() || created == Created::Overtaken, "{created:?}");
        assert_eq!(bench.list("ann").await, [], "nobody is left after the realm was ended");
    }
}

/// Two that ask at once in a realm that is new are answered the same mark.
pub async fn the_first_fence_of_a_realm_makes_its_mark_once(store: Arc<dyn SessionStore>) {
    for _ in 0..ROUNDS / 10 {
        let bench = Bench::new(store.clone());
        let (here, there) = (bench.clone(), bench.clone());
        let (one, two) =
            both(async move { here.fence("ann").await }, async move { there.fence("ann").await }).await;
        assert_eq!(one, two);
        assert_eq!(bench.create_with(&bench.login("ann"), behind(one)).await, done());
    }
}

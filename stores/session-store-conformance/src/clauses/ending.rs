//! Clause 10: deleting is idempotent, and says whose deed it was.

use std::sync::Arc;

use session_core::store::{Replaced, SessionStore};

use crate::bench::{Bench, done, next};
use crate::races::{ROUNDS, at_once, the_only};

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
    let expired = bench.login("ann").with(|record| record.ends_at = bench.at(10));
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

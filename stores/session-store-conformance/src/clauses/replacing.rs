//! Clauses 3 and 4: a change needs the newest version, and nothing comes back.

use std::sync::Arc;

use session_core::store::{Replaced, SessionStore};

use crate::bench::{Bench, next};
use crate::races::{ROUNDS, at_once, both, the_only};

pub async fn a_replace_needs_the_newest_version(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let first = bench.stored("ann").await;
    let second = next(&first).with(|record| record.payload = b"second".to_vec());
    assert_eq!(bench.replace(&second).await, Replaced::Done);
    for version in [0, first.version, second.version, second.version + 2] {
        let stale = first.clone().with(|record| {
            record.version = version;
            record.payload = b"stale".to_vec();
        });
        assert_eq!(bench.replace(&stale).await, Replaced::Conflict, "version {version}");
    }
    assert_eq!(bench.read(first.id).await, Some(second));
}

pub async fn one_of_parallel_replaces_wins(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let mut record = bench.stored("ann").await;
    for _ in 0..ROUNDS {
        let newer: Vec<_> =
            (0..4).map(|writer| next(&record).with(|record| record.payload = vec![writer])).collect();
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
        let record = bench.login("ann").with(|record| record.version = version);
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

/// The manager never asks for it. A store refuses it for good, or the index of accounts follows: a session that no
/// account lists could not be revoked.
pub async fn a_replace_leaves_no_session_without_its_account(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let anns = bench.stored("ann").await;
    let bobs = next(&anns).with(|record| record.subject = Some("bob".into()));
    let (ann, bob) = match bench.store.replace(&bench.realm, &bobs, bench.now).await {
        Ok(replaced) => {
            assert_eq!(replaced, Replaced::Done);
            (vec![], vec![bobs])
        }
        Err(refused) => {
            assert!(!refused.is_retryable(), "{refused}");
            (vec![anns], vec![])
        }
    };
    assert_eq!((bench.list("ann").await, bench.list("bob").await), (ann, bob));
}

//! Clause 6: subjects are bytes, and guests are nobody.

use std::sync::Arc;

use session_core::store::{Create, SessionLimit, SessionRecord, SessionStore};

use crate::bench::{Bench, done, evict};

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
        let options = Create::new(None, Some(limit));
        assert_eq!(bench.create_with(&bench.guest(), options).await, done());
    }
    assert_eq!(bench.delete_realm().await, 4);
}

/// The manager asks for no more than 255 bytes. Whoever does gets all of them or a permanent error: a subject cut short
/// without a word would be somebody else.
pub async fn a_subject_or_realm_is_never_cut_short(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let (longest, longer) = ("x".repeat(255), "x".repeat(256));
    let kept = bench.stored(&longest).await;
    assert_is_kept_whole_or_refused(&bench, &bench.login(&longer)).await;
    assert_eq!(bench.list(&longest).await, std::slice::from_ref(&kept));
    assert_eq!(bench.delete_account(&longest, None).await, [kept.id]);

    let realm = bench.realm.repeat(12);
    let named = |length: usize| Bench { realm: realm[..length].to_owned(), ..bench.clone() };
    let (longest, longer) = (named(255), named(256));
    let kept = longest.stored("ann").await;
    assert_is_kept_whole_or_refused(&longer, &longer.login("ann")).await;
    assert_eq!(longest.list("ann").await, [kept]);
}

async fn assert_is_kept_whole_or_refused(bench: &Bench, record: &SessionRecord) {
    match bench.store.create(&bench.realm, record, Create::default(), bench.now).await {
        Ok(created) => {
            assert_eq!(created, done());
            assert_eq!(bench.read(record.id).await.as_ref(), Some(record));
            let subject = record.subject.as_deref().unwrap_or_default();
            assert_eq!(bench.list(subject).await, std::slice::from_ref(record));
        }
        Err(refused) => assert!(!refused.is_retryable(), "{refused}"),
    }
}

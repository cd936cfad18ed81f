//! Reading that moves last-seen on.

use std::sync::Arc;
use std::time::Duration;

use session_core::store::{SessionRecord, SessionStore, Touch};

use crate::bench::{Bench, TOUCH, done, next, random_id};
use crate::races::{ROUNDS, at_once};

pub async fn a_touch_moves_last_seen_and_the_end(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let record = SessionRecord { ends_at: bench.at(3_600), ..bench.login("ann") };
    assert_eq!(bench.create(&record).await, done());
    let expected = SessionRecord { last_seen: bench.at(60), ends_at: bench.at(60 + 3_600), ..next(&record) };
    assert_eq!(bench.later(60).touch(record.id).await, Some(expected.clone()));
    assert_eq!(bench.later(3_659).list("ann").await, [expected]);
    assert_eq!(bench.later(3_660).read(record.id).await, None);
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

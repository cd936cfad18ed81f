//! Reading that moves last-seen on.

use std::sync::Arc;
use std::time::Duration;

use session_core::store::{SessionStore, Touch};

use crate::bench::{Bench, TOUCH, done, next, random_id};
use crate::races::{ROUNDS, at_once};

pub async fn a_touch_moves_last_seen_and_the_end(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let record = bench.login("ann").with(|record| record.ends_at = bench.at(3_600));
    assert_eq!(bench.create(&record).await, done());
    let expected = next(&record).with(|record| {
        record.last_seen = bench.at(60);
        record.ends_at = bench.at(60 + 3_600);
    });
    assert_eq!(bench.later(60).touch(record.id).await, Some(expected.clone()));
    assert_eq!(bench.later(3_659).list("ann").await, [expected]);
    assert_eq!(bench.later(3_660).read(record.id).await, None);
}

pub async fn a_touch_never_passes_the_expiry(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let record = bench.stored("ann").await;
    for (seconds, idle_timeout) in [(60, Some(Duration::from_secs(1_000_000))), (120, None)] {
        let then = bench.later(seconds);
        let seen = then
            .touch_with(record.id, Touch::new(TOUCH.interval, idle_timeout, TOUCH.generation, TOUCH.grace))
            .await
            .unwrap();
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

/// A grace of half a minute, after which the predecessor of a used generation opens nothing.
const GRACE: u64 = 30;

/// Whether a token of `generation` moves last-seen on, a minute after the login, where the newest one is of generation 5
/// and was first used when `used` says.
async fn touched_by(store: &Arc<dyn SessionStore>, generation: u64, used: Option<u64>) -> bool {
    let bench = Bench::new(store.clone());
    let first_used_at = used.map(|seconds| bench.at(seconds));
    let record = bench.login("ann").with(|record| {
        record.generation = 5;
        record.first_used_at = first_used_at;
    });
    assert_eq!(bench.create(&record).await, done());
    let then = bench.later(60);
    let touch = Touch::new(TOUCH.interval, TOUCH.idle_timeout, generation, Duration::from_secs(GRACE));
    let answer = then.touch_with(record.id, touch).await.unwrap();
    assert_eq!(then.read(record.id).await.unwrap(), answer, "the answer is what it is then");
    let seen = next(&record).with(|record| {
        record.last_seen = then.now;
        record.ends_at = then.at(3_600);
    });
    assert!(answer == record || answer == seen, "{answer:?}");
    answer == seen
}

pub async fn a_touch_by_a_token_that_opens_the_session_is_written(store: Arc<dyn SessionStore>) {
    for (generation, used, which) in [
        (5, None, "the newest, shown for the first time"),
        (5, Some(0), "the newest"),
        (6, Some(0), "one ahead of a store that has lost a write"),
        (4, None, "the predecessor of an unused one"),
        (4, Some(60), "the predecessor, as its successor is used"),
        (4, Some(60 - GRACE + 1), "the predecessor, one second before the end of its grace"),
    ] {
        assert!(touched_by(&store, generation, used).await, "{which}");
    }
}

pub async fn a_touch_by_a_token_that_opens_nothing_changes_nothing(store: Arc<dyn SessionStore>) {
    for (generation, used, which) in [
        (4, Some(60 - GRACE), "the predecessor, at the end of its grace"),
        (4, Some(0), "the predecessor, long after it"),
        (3, None, "an older one, whatever became of the newest"),
        (3, Some(60), "an older one"),
        (0, Some(60), "the first one"),
    ] {
        assert!(!touched_by(&store, generation, used).await, "{which}");
    }
}

//! Clause 12: cleanup is bounded.

use std::sync::Arc;

use session_core::store::SessionStore;

use crate::bench::{Bench, done};

pub async fn delete_expired_is_bounded_and_spares_the_living(store: Arc<dyn SessionStore>) {
    let (bench, other) = (Bench::new(store.clone()), Bench::new(store));
    let living = [bench.stored("ann").await, other.stored("ann").await];
    for _ in 0..10 {
        for bench in [&bench, &other] {
            let expired = bench.login("ann").with(|record| record.ends_at = bench.at(10));
            assert_eq!(bench.create(&expired).await, done());
        }
    }
    // The edge: this one has a second left.
    let nearly = bench.guest().with(|record| record.ends_at = bench.at(11));
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

pub async fn delete_expired_finds_what_a_touch_moved(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let record = bench.login("ann").with(|record| record.ends_at = bench.at(3_600));
    assert_eq!(bench.create(&record).await, done());
    assert!(bench.later(60).touch(record.id).await.is_some());
    assert_eq!(bench.later(3_659).delete_expired(1).await, 0);
    assert_eq!(bench.later(3_660).delete_expired(1).await, 1);
}

//! Clause 5: expired is absent.

use std::sync::Arc;

use session_core::store::{Replaced, SessionStore};

use crate::bench::{Bench, done, next};

pub async fn expired_is_absent(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let record = bench.login("ann").with(|record| record.ends_at = bench.at(10));
    assert_eq!(bench.create(&record).await, done());
    assert_eq!(bench.later(9).read(record.id).await, Some(record.clone()));
    assert_eq!(bench.later(9).list("ann").await, std::slice::from_ref(&record));

    let then = bench.later(10);
    assert_eq!(then.read(record.id).await, None);
    assert_eq!(then.touch(record.id).await, None);
    assert_eq!(
        then.replace(&next(&record).with(|record| record.ends_at = bench.at(99))).await,
        Replaced::Gone
    );
    assert_eq!(then.list("ann").await, []);
}

pub async fn a_replace_moves_the_end(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let long = bench.stored("ann").await;
    let short = next(&long).with(|record| record.ends_at = bench.at(10));
    assert_eq!(bench.replace(&short).await, Replaced::Done);
    assert_eq!(bench.later(10).read(long.id).await, None);
    let long = next(&short).with(|record| record.ends_at = bench.at(100));
    assert_eq!(bench.replace(&long).await, Replaced::Done);
    assert_eq!(bench.later(99).read(long.id).await, Some(long));
}

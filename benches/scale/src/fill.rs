//! Filling a store, by what fills it in earnest: only the store knows what its rows are made of.

use std::ops::Range;
use std::sync::Arc;

use session_core::store::{Create, Created, SessionStore};

use crate::sample::{REALM, Sample};

const CLIENTS: u64 = 64;

/// Through the store's own `create`.
pub async fn through(store: &Arc<dyn SessionStore>, sample: Sample, numbers: Range<u64>) {
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (store, numbers) = (Arc::clone(store), numbers.clone());
            tokio::spawn(async move {
                for number in numbers.skip(client as usize).step_by(CLIENTS as usize) {
                    let record = sample.record(number);
                    let created = store.create(REALM, &record, Create::default(), sample.now).await;
                    assert_eq!(created.expect("an answer"), Created::Done { evicted: Vec::new() });
                }
            })
        })
        .collect();
    for client in clients {
        client.await.expect("a client");
    }
}

//! Clause 14: news is a matter of speed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use session_core::store::{Invalidation, Replaced, SessionStore};

use crate::bench::{Bench, next};

/// So often something happens before nobody waits for news any longer, and so long each time.
const PATIENCE: (usize, Duration) = (50, Duration::from_millis(10));

/// For stores that push and for those that do not: that somebody listens, or stops in the middle, changes nothing, and
/// what is heard is true. Nothing need be heard.
pub async fn listening_changes_nothing_and_hears_no_lies(store: Arc<dyn SessionStore>) {
    let (bench, elsewhere) = (Bench::new(store.clone()), Bench::new(store));
    for _ in 0..3 {
        drop(bench.store.listen(&bench.realm, &|_| {}));
        begin_to_listen(&bench).await;
    }
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = tokio::spawn(listen(bench.clone(), heard.clone()));
    let mut living = bench.stored("ann").await;
    let mut ended = Vec::new();
    for _ in 0..PATIENCE.0 {
        living = next(&living);
        assert_eq!(bench.replace(&living).await, Replaced::Done);
        let (destroyed, revoked) = (bench.stored("ann").await, bench.stored("bob").await);
        ended.extend([Invalidation::Ended(destroyed.id), Invalidation::Ended(revoked.id)]);
        assert!(bench.delete(destroyed.id).await);
        assert_eq!(bench.delete_account("bob", None).await, [revoked.id]);
        assert!(elsewhere.delete(elsewhere.stored("ann").await.id).await);
        if listener.is_finished() || !heard.lock().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(PATIENCE.1).await;
    }
    listener.abort();
    let _ = listener.await;

    for news in heard.lock().unwrap().iter() {
        assert!(ended.contains(news), "{news:?} is not true");
    }
    assert_eq!(bench.list("ann").await, [living]);
    assert_eq!(bench.list("bob").await, []);
}

/// Gives up at the first wait.
async fn begin_to_listen(bench: &Bench) {
    tokio::select! {
        biased;
        _ = bench.store.listen(&bench.realm, &|_| {}) => {}
        () = std::future::ready(()) => {}
    }
}

/// A store that cannot listen where it is says so, which is no more than silence.
async fn listen(bench: Bench, heard: Arc<Mutex<Vec<Invalidation>>>) {
    let note = |news| heard.lock().unwrap().push(news);
    let _ = bench.store.listen(&bench.realm, &note).await;
}

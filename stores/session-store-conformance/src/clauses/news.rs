//! Clause 14: news is a matter of speed.

use std::sync::{Arc, Mutex};

use session_core::store::{News, Replaced, SessionStore};

use crate::bench::{Bench, next};

/// For stores that push and for those that do not: what is heard is true, and that somebody listens, or stops in the
/// middle, changes nothing.
pub async fn listening_changes_nothing_and_hears_no_lies(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    for _ in 0..3 {
        drop(bench.store.listen(&bench.realm, &|_| {}));
        begin_to_listen(&bench).await;
    }
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = tokio::spawn(listen(bench.clone(), heard.clone()));
    let (kept, destroyed, revoked) =
        (bench.stored("ann").await, bench.stored("ann").await, bench.stored("bob").await);
    assert_eq!(bench.replace(&next(&kept)).await, Replaced::Done);
    assert!(bench.delete(destroyed.id).await);
    assert_eq!(bench.delete_account("bob", None).await, [revoked.id]);
    listener.abort();
    let _ = listener.await;

    for news in heard.lock().unwrap().iter() {
        let ended = [destroyed.id, revoked.id].map(News::Ended);
        assert!(ended.contains(news), "{news:?} is not true");
    }
    assert_eq!(bench.list("ann").await, [next(&kept)]);
    assert_eq!(bench.list("bob").await, []);
    bench.stored("bob").await;
}

/// Gives up at the first wait.
async fn begin_to_listen(bench: &Bench) {
    tokio::select! {
        biased;
        ended = bench.store.listen(&bench.realm, &|_| {}) => ended.unwrap(),
        () = std::future::ready(()) => {}
    }
}

async fn listen(bench: Bench, heard: Arc<Mutex<Vec<News>>>) {
    let note = |news| heard.lock().unwrap().push(news);
    bench.store.listen(&bench.realm, &note).await.unwrap();
}

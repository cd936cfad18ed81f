//! What goes on beside the requests: clearing away what has expired, and listening to what ended elsewhere.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use super::SessionManager;
use crate::error::ErrorKind;
use crate::event::{EventKind, Who};
use crate::mode::Tracked;
use crate::payload::SessionPayload;
use crate::service::Operation;
use crate::store::{SessionStore, give_way};

const CLEANUP_INTERVAL: Duration = Duration::from_secs(60);
/// How many are deleted at a time. A batch blocks other SQLite writers for a few milliseconds.
const CLEANUP_BATCH: usize = 200;
/// Between two attempts to listen, while another one can help.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

impl<U: SessionPayload> SessionManager<U> {
    /// Looks after the store until `stop` is ready: deletes expired sessions once a minute, in batches of 200, and in
    /// hybrid mode listens to what other processes end, where the store can push. Spawn it once per process:
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use session_core::{SessionManager, SessionPayload};
    /// # #[derive(Clone, Serialize, Deserialize)]
    /// # struct User { user_id: String }
    /// # impl SessionPayload for User { fn subject(&self) -> Option<std::borrow::Cow<'_, str>> { Some((&self.user_id).into()) } }
    /// # async fn example(sessions: SessionManager<User>) {
    /// let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    /// let upkeep = tokio::spawn({
    ///     let sessions = sessions.clone();
    ///     async move { sessions.maintain(async { drop(stopped.await) }).await }
    /// });
    /// // ... serve ...
    /// drop(stop);
    /// let _ = upkeep.await;
    /// # }
    /// ```
    ///
    /// A batch that has begun is finished before it returns, which takes at most the store's deadline. What fails is
    /// told by an event and tried again. Several processes may do this at once; stores with an expiry of their own
    /// (Redis, memory) have nothing to delete. Without a store it only waits for `stop`.
    pub async fn maintain(&self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let Some(tracked) = self.0.mode.tracked() else { return stop.await };
        let stopping = AtomicBool::new(false);
        let mut cleaning = pin!(self.clean(&*tracked.store, &stopping));
        let mut listening = pin!(self.listen(tracked));
        poll_fn(|context| {
            if !stopping.load(Ordering::Relaxed) {
                let _never_ready = listening.as_mut().poll(context);
                stopping.store(stop.as_mut().poll(context).is_ready(), Ordering::Relaxed);
            }
            cleaning.as_mut().poll(context)
        })
        .await;
    }

    async fn clean(&self, store: &dyn SessionStore, stopping: &AtomicBool) {
        let stopping = || stopping.load(Ordering::Relaxed);
        loop {
            let mut pause = store.sleep(CLEANUP_INTERVAL);
            poll_fn(|context| if stopping() { Poll::Ready(()) } else { pause.as_mut().poll(context) }).await;
            let mut is_full = true;
            while is_full && !stopping() {
                is_full = matches!(self.delete_expired(CLEANUP_BATCH).await, Ok(CLEANUP_BATCH));
                // A store that is ready at once would never see the stop.
                give_way().await;
            }
            if stopping() {
                return;
            }
        }
    }

    /// Never returns. Only hybrid mode needs invalidations.
    async fn listen(&self, tracked: &Tracked) {
        let store = &*tracked.store;
        while tracked.recent.is_some() {
            let Err(error) = store.listen(self.realm(), &|_| {}).await else { break };
            let detail = format!("nothing is heard of sessions that end elsewhere: {error}");
            let op = Operation::new(&self.0.service, None);
            op.emit_failure(EventKind::StoreFailed, Who::NOBODY, ErrorKind::StoreUnavailable, detail);
            store.sleep(if error.is_retryable() { LISTEN_AGAIN } else { CLEANUP_INTERVAL }).await;
            give_way().await;
        }
        pending().await
    }
}

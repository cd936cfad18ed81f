//! Every operation has one deadline for all its calls of the store, though core has no timer of its own.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use super::{SessionStore, StoreError};
use crate::clock::Clock;

/// What is left of the time that one operation may wait for its store. Time that the operation spends elsewhere, such
/// as in `revalidate`, does not count.
pub(crate) struct Patience {
    whole: Duration,
    /// In nanoseconds.
    left: AtomicU64,
    has_waited: AtomicBool,
}

impl Patience {
    pub(crate) fn new(whole: Duration) -> Self {
        Self { whole, left: AtomicU64::new(nanoseconds(whole)), has_waited: AtomicBool::new(false) }
    }

    /// Whether a call was not ready at once: the store is not in this process's memory.
    pub(crate) fn has_waited(&self) -> bool {
        self.has_waited.load(Ordering::Relaxed)
    }

    /// Runs `call` for at most what is left. The store's timer is made, and the clock read, only when the call is not
    /// ready at once.
    ///
    /// A write that timed out has an unknown outcome: nobody may simply repeat it.
    pub(crate) async fn within<T>(
        &self,
        store: &dyn SessionStore,
        clock: &dyn Clock,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let left = self.left();
        if left.is_zero() {
            return Err(self.is_over());
        }
        let mut call = pin!(call);
        let mut waiting = None;
        let answer = poll_fn(|context| {
            if let Poll::Ready(answer) = call.as_mut().poll(context) {
                return Poll::Ready(Some(answer));
            }
            let (timer, _) = waiting.get_or_insert_with(|| (store.sleep(left), clock.steady()));
            timer.as_mut().poll(context).map(|()| None)
        })
        .await;
        if let Some((_, since)) = waiting {
            self.has_waited.store(true, Ordering::Relaxed);
            self.spend(if answer.is_some() { clock.steady().saturating_sub(since) } else { left });
        }
        answer.unwrap_or_else(|| Err(self.is_over()))
    }

    fn left(&self) -> Duration {
        Duration::from_nanos(self.left.load(Ordering::Relaxed))
    }

    fn spend(&self, time: Duration) {
        let left = self.left().saturating_sub(time);
        self.left.store(nanoseconds(left), Ordering::Relaxed);
    }

    fn is_over(&self) -> StoreError {
        StoreError::unavailable(format!("the store did not answer within {} ms", self.whole.as_millis()))
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Pending once: what is ready at once, again and again, would keep the thread for itself.
pub(crate) async fn give_way() {
    let mut has_given = false;
    poll_fn(|context| {
        if mem::replace(&mut has_given, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

//! Every call of a store has a deadline, though core has no timer of its own.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::{SessionStore, StoreError};

/// Runs `call` for at most `deadline`. The store's timer is made only when the call is not ready at once.
///
/// A write that timed out has an unknown outcome: nobody may simply repeat it.
pub(crate) async fn within<T>(
    store: &dyn SessionStore,
    deadline: Duration,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let mut call = pin!(call);
    let mut timer = None;
    poll_fn(|context| {
        if let Poll::Ready(answer) = call.as_mut().poll(context) {
            return Poll::Ready(answer);
        }
        let timer = timer.get_or_insert_with(|| store.sleep(deadline));
        match timer.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(StoreError::unavailable(format!(
                "the store did not answer within {} ms",
                deadline.as_millis()
            )))),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

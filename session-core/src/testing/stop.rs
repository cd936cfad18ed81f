//! Where a call waits for the test.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_lock::Semaphore;

use super::fault::StoreMethod;

/// A call that a [`FaultyStore`](super::FaultyStore) holds, or will hold when it comes.
///
/// ```
/// # use session_core::store::{MemoryStore, RecordKey, SessionStore as _};
/// # use session_core::testing::{FaultyStore, StoreMethod};
/// # use session_core::{SessionId, Timestamp};
/// # async fn example(logout: impl Future<Output = ()> + Send + 'static) {
/// # let store = FaultyStore::new(MemoryStore::new());
/// let stop = store.stop_before(StoreMethod::Delete);
/// let logout = tokio::spawn(logout);
/// stop.reached().await;
/// // What happens here comes between the handler's decision and its call of the store.
/// stop.go_on();
/// logout.await.unwrap();
/// # }
/// ```
///
/// Dropping it lets the call go on, too.
#[derive(Debug)]
#[must_use = "dropping it lets the call go on"]
pub struct Stop(Arc<Gate>);

#[derive(Debug)]
struct Gate {
    reached: Semaphore,
    open: Semaphore,
}

impl Stop {
    /// Ends when a call is held.
    pub async fn reached(&self) {
        self.0.reached.acquire().await;
    }

    /// Lets the call go on.
    pub fn go_on(self) {
        drop(self);
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.open.add_permits(1);
    }
}

/// On which side of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Before,
    After,
}

/// The stops that no call has reached yet.
#[derive(Default)]
pub(super) struct Stops(Mutex<Vec<Planned>>);

struct Planned {
    moment: Moment,
    method: StoreMethod,
    gate: Arc<Gate>,
}

impl Stops {
    pub(super) fn plan(&self, moment: Moment, method: StoreMethod) -> Stop {
        let gate = Arc::new(Gate { reached: Semaphore::new(0), open: Semaphore::new(0) });
        lock(&self.0).push(Planned { moment, method, gate: Arc::clone(&gate) });
        Stop(gate)
    }

    /// Waits, if a stop is planned here.
    pub(super) async fn pass(&self, moment: Moment, method: StoreMethod) {
        if let Some(gate) = self.take(moment, method) {
            gate.reached.add_permits(1);
            gate.open.acquire().await;
        }
    }

    fn take(&self, moment: Moment, method: StoreMethod) -> Option<Arc<Gate>> {
        let mut planned = lock(&self.0);
        let place = planned.iter().position(|stop| (stop.moment, stop.method) == (moment, method))?;
        Some(planned.remove(place).gate)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

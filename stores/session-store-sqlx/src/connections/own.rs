//! A small pool of the store's own.
//!
//! sqlx's pool asks the server for a sign of life on every release, which doubles the round trips of a store whose
//! calls are one statement each. Ours hands a connection on at once if its last call succeeded, closes it otherwise,
//! and asks only those that nobody used for a while.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, Error};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::connect::{DOUBT, Options, PATIENCE, close, connect};
use crate::engine::Engine;

/// A connection unused for so long is closed.
const IDLE: Duration = Duration::from_secs(600);
/// A connection so old is closed, so that a fleet finds new servers behind an old name.
const LIFETIME: Duration = Duration::from_secs(1800);

/// The connections of a store that was made from a URL.
pub(crate) struct Own<DB: Engine> {
    pub(super) options: Options<DB>,
    permits: Arc<Semaphore>,
    /// The one used last comes last and is taken first.
    idle: Mutex<Vec<Idle<DB>>>,
    /// Those from before lead to a server that takes no writes any more.
    retired: Mutex<Option<Instant>>,
    /// Keeps an in-memory database alive while nobody uses it.
    _anchor: Option<Mutex<DB::Connection>>,
}

struct Idle<DB: Engine> {
    connection: DB::Connection,
    opened: Instant,
    used: Instant,
}

/// One of them for one call. It goes back only through [`Self::hand_on`]: dropped in the middle of a call, by a
/// deadline or an error, it is closed, since nobody knows what it still has to say.
pub(crate) struct Borrowed<DB: Engine> {
    pub(super) connection: DB::Connection,
    pub(super) opened: Instant,
    home: Arc<Own<DB>>,
    permit: OwnedSemaphorePermit,
}

impl<DB: Engine> Own<DB> {
    pub(super) fn new(options: Options<DB>, most: usize, anchor: Option<DB::Connection>) -> Self {
        Self {
            options,
            permits: Arc::new(Semaphore::new(most)),
            idle: Mutex::new(Vec::new()),
            retired: Mutex::new(None),
            _anchor: anchor.map(Mutex::new),
        }
    }

    pub(super) async fn borrow(self: &Arc<Self>) -> Result<Borrowed<DB>, Error> {
        let permit = timeout(PATIENCE, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = permit.map_err(|_| Error::PoolTimedOut)?.map_err(|_| Error::PoolClosed)?;
        let (connection, opened) = match self.pop().await {
            Some(known) => known,
            None => (connect::<DB>(&self.options).await?, Instant::now()),
        };
        Ok(Borrowed { connection, opened, home: Arc::clone(self), permit })
    }

    /// An idle connection that was used just now or answers. When one does not, the others were not used for as long,
    /// and to ask each of them could take longer than anybody waits.
    async fn pop(&self) -> Option<(DB::Connection, Instant)> {
        let Idle { mut connection, opened, used } = self.idle().pop()?;
        if used.elapsed() < DOUBT {
            return Some((connection, opened));
        }
        if let Ok(Ok(())) = timeout(DOUBT, connection.ping()).await {
            return Some((connection, opened));
        }
        self.idle().retain(|idle| idle.used.elapsed() < DOUBT);
        None
    }

    fn push(&self, connection: DB::Connection, opened: Instant) {
        if self.is_retired(opened) || self.permits.is_closed() {
            return close_soon(vec![connection]);
        }
        let mut idle = self.idle();
        idle.push(Idle { connection, opened, used: Instant::now() });
        let unused = idle.iter().take_while(|oldest| oldest.used.elapsed() > IDLE).count();
        close_soon(idle.drain(..unused).map(|idle| idle.connection).collect());
    }

    fn is_retired(&self, opened: Instant) -> bool {
        let retired = *self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        opened.elapsed() > LIFETIME || retired.is_some_and(|before| opened < before)
    }

    /// Closes what was opened before, as soon as nobody uses it.
    pub(super) fn retire(&self, before: Instant) {
        *self.retired.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        self.idle().retain(|idle| idle.opened >= before);
    }

    pub(super) fn forget_idle(&self) {
        self.idle().clear();
    }

    /// Closes the connections that nobody uses, and refuses calls from now on.
    pub(super) async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle());
        for idle in idle {
            close(idle.connection).await;
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle<DB>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: Engine> Borrowed<DB> {
    pub(super) fn hand_on(self) {
        let Self { connection, opened, home, permit } = self;
        home.push(connection, opened);
        drop(permit);
    }
}

fn close_soon<C: sqlx::Connection + 'static>(connections: Vec<C>) {
    if connections.is_empty() {
        return;
    }
    tokio::spawn(async move {
        for connection in connections {
            close(connection).await;
        }
    });
}

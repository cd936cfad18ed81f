//! Connections: a small pool of the store's own, or the user's.
//!
//! sqlx's pool asks the server for a sign of life on every release, which doubles the round trips of a store whose
//! calls are one statement each. Ours hands a connection on at once if its last call succeeded, closes it otherwise,
//! and asks only those that nobody used for a while.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{Connection, Database, Error, Pool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::error::Fault;

/// How long a call waits for a free connection, and for a new one. Core's own deadline (2 s by default) is shorter.
const PATIENCE: Duration = Duration::from_secs(5);
/// A connection unused for so long is asked for a sign of life before it is trusted with a write.
const DOUBT: Duration = Duration::from_secs(1);
/// A connection unused for so long is closed.
const IDLE: Duration = Duration::from_secs(600);
/// A connection so old is closed, so that a fleet finds new servers behind an old name.
const LIFETIME: Duration = Duration::from_secs(1800);
/// A transaction that lost against others is run so often.
const ATTEMPTS: usize = 5;

type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// Where the connections come from.
pub(crate) enum Connections<DB: Database> {
    Own(Arc<Own<DB>>),
    Pool(Pool<DB>),
}

/// The connections of a store that was made from a URL.
pub(crate) struct Own<DB: Database> {
    options: Options<DB>,
    permits: Arc<Semaphore>,
    /// The one used last comes last and is taken first.
    idle: Mutex<Vec<Idle<DB>>>,
    /// Keeps an in-memory database alive while nobody uses it.
    _anchor: Option<Mutex<DB::Connection>>,
}

struct Idle<DB: Database> {
    connection: DB::Connection,
    opened: Instant,
    used: Instant,
}

/// A connection for one call. One of ours goes back only through [`Lease::done`]: dropped in the middle of a call, by
/// a deadline or an error, it is closed, since nobody knows what it still has to say. One of the user's pool is sqlx's
/// to judge.
pub(crate) enum Lease<DB: Database> {
    Own { connection: DB::Connection, opened: Instant, home: Arc<Own<DB>>, permit: OwnedSemaphorePermit },
    Pool(PoolConnection<DB>),
}

impl<DB: Database> Connections<DB> {
    pub(crate) fn own(options: Options<DB>, most: usize, anchor: Option<DB::Connection>) -> Self {
        Self::Own(Arc::new(Own {
            options,
            permits: Arc::new(Semaphore::new(most)),
            idle: Mutex::new(Vec::new()),
            _anchor: anchor.map(Mutex::new),
        }))
    }

    /// Runs something that may be run again: once more, on a fresh connection, if the first one turns out dead.
    pub(crate) async fn read<T, F>(&self, call: impl Fn(Lease<DB>) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        match self.run(&call, false).await {
            Err(error) if Fault::of(&error) == Fault::Dead => self.run(&call, true).await,
            answer => answer,
        }
    }

    /// Runs something that may have happened when the connection dies. It is run again only if the database says that
    /// it rolled it back.
    pub(crate) async fn write<T, F>(&self, call: impl Fn(Lease<DB>) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        for _ in 1..ATTEMPTS {
            match self.run(&call, false).await {
                Err(error) if Fault::of(&error) == Fault::Conflict => {}
                answer => return answer,
            }
        }
        self.run(&call, false).await
    }

    /// The call hands its connection on with [`Lease::done`] when nothing went wrong.
    async fn run<T, F>(&self, call: &impl Fn(Lease<DB>) -> F, fresh: bool) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let answer = call(self.lease(fresh).await?).await;
        if let Err(error) = &answer
            && Fault::of(error) == Fault::Dead
        {
            self.forget_idle();
        }
        answer
    }

    /// A connection that works, if `fresh`; else one that most likely does.
    async fn lease(&self, fresh: bool) -> Result<Lease<DB>, Error> {
        match self {
            Self::Own(own) => own.lease().await,
            Self::Pool(pool) => Lease::from_pool(pool, fresh).await,
        }
    }

    /// When one connection died, the idle ones likely did, too.
    fn forget_idle(&self) {
        if let Self::Own(own) = self {
            own.idle().clear();
        }
    }

    /// Closes the connections that nobody uses, and refuses calls from now on. A pool of the user's is left alone.
    pub(crate) async fn close(&self) {
        if let Self::Own(own) = self {
            own.permits.close();
            let idle = std::mem::take(&mut *own.idle());
            for idle in idle {
                close(idle.connection).await;
            }
        }
    }
}

impl<DB: Database> Own<DB> {
    fn idle(&self) -> MutexGuard<'_, Vec<Idle<DB>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn lease(self: &Arc<Self>) -> Result<Lease<DB>, Error> {
        let permit = timeout(PATIENCE, Arc::clone(&self.permits).acquire_owned()).await;
        let permit = permit.map_err(|_| Error::PoolTimedOut)?.map_err(|_| Error::PoolClosed)?;
        let (connection, opened) = match self.pop().await {
            Some(known) => known,
            None => (connect::<DB>(&self.options).await?, Instant::now()),
        };
        Ok(Lease::Own { connection, opened, home: Arc::clone(self), permit })
    }

    /// An idle connection that was used just now or answers.
    async fn pop(&self) -> Option<(DB::Connection, Instant)> {
        loop {
            let Idle { mut connection, opened, used } = self.idle().pop()?;
            if used.elapsed() < DOUBT {
                return Some((connection, opened));
            }
            if let Ok(Ok(())) = timeout(DOUBT, connection.ping()).await {
                return Some((connection, opened));
            }
        }
    }

    fn push(&self, connection: DB::Connection, opened: Instant) {
        let mut retired = Vec::new();
        if opened.elapsed() > LIFETIME || self.permits.is_closed() {
            retired.push(connection);
        } else {
            let mut idle = self.idle();
            idle.push(Idle { connection, opened, used: Instant::now() });
            while idle.first().is_some_and(|oldest| oldest.used.elapsed() > IDLE) {
                retired.push(idle.remove(0).connection);
            }
        }
        if !retired.is_empty() {
            tokio::spawn(async move {
                for connection in retired {
                    close(connection).await;
                }
            });
        }
    }
}

impl<DB: Database> Lease<DB> {
    async fn from_pool(pool: &Pool<DB>, fresh: bool) -> Result<Self, Error> {
        let mut connection = pool.acquire().await?;
        if fresh {
            // At most so many can be dead; the next one is new.
            for _ in 0..pool.options().get_max_connections() {
                if connection.ping().await.is_ok() {
                    break;
                }
                connection.close_on_drop();
                connection = pool.acquire().await?;
            }
        }
        Ok(Self::Pool(connection))
    }

    /// Closes the connection at the end even if it is one of the user's: it holds something that ends with it.
    #[cfg(any(feature = "mysql", feature = "sqlite"))]
    pub(crate) fn never_reuse(&mut self) {
        if let Self::Pool(connection) = self {
            connection.close_on_drop();
        }
    }

    /// Hands the connection on, unless a transaction on it failed: a database may have ended that by itself, without
    /// sqlx's knowledge.
    #[cfg(any(feature = "mysql", feature = "sqlite"))]
    pub(crate) fn finish<T>(mut self, answer: Result<T, Error>) -> Result<T, Error> {
        match answer {
            Ok(answer) => Ok(self.done(answer)),
            Err(error) => {
                self.never_reuse();
                Err(error)
            }
        }
    }

    /// Hands the connection on, with the answer that it gave.
    pub(crate) fn done<T>(self, answer: T) -> T {
        if let Self::Own { connection, opened, home, permit } = self {
            home.push(connection, opened);
            drop(permit);
        }
        answer
    }
}

impl<DB: Database> Deref for Lease<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        match self {
            Self::Own { connection, .. } => connection,
            Self::Pool(connection) => connection,
        }
    }
}

impl<DB: Database> DerefMut for Lease<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        match self {
            Self::Own { connection, .. } => connection,
            Self::Pool(connection) => connection,
        }
    }
}

/// A connection of the store's own.
pub(crate) async fn connect<DB: Database>(options: &Options<DB>) -> Result<DB::Connection, Error> {
    timeout(PATIENCE, DB::Connection::connect_with(options)).await.map_err(|_| Error::PoolTimedOut)?
}

/// Says goodbye, so that the server logs no lost client.
async fn close<C: Connection>(connection: C) {
    let _ = timeout(DOUBT, connection.close()).await;
}

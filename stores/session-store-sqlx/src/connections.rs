//! Connections: a small pool of the store's own, or the user's.
//!
//! sqlx's pool asks the server for a sign of life on every release, which doubles the round trips of a store whose
//! calls are one statement each. Ours hands a connection on at once if its last call succeeded, closes it otherwise,
//! and asks only those that nobody used for a while.
//!
//! What a statement means depends on settings that a server, a role, `init_connect` or the user's pool chose. Reads are
//! bare statements, which say themselves whether they can be trusted. A write is a bare statement where that means what
//! it says, and else stands in a transaction that names its characteristics: unlike a setting of the connection, that
//! reaches nobody else, neither the application that shares the pool nor the clients of a pooler.

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{Connection, Database, Error, Pool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::error::Fault;
use crate::touch::Touches;

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
/// A server that takes no writes is looked away from so often, and for so long: is there another one at its address?
const LOOK: Duration = Duration::from_secs(1);
/// How many connections to a server that takes no writes a call closes, once another server was found. Those of a
/// user's pool that were in use at that time are left.
const STALE: usize = 3;

type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// What differs between the databases.
pub(crate) trait Engine: Database {
    /// Said first on each connection of the store's own.
    const SET_UP: &'static str = "";
    /// Begins a transaction in which a write means the same whatever the defaults are.
    const BEGIN: &'static str;
    const COMMIT: &'static str = "COMMIT";
    const ROLLBACK: &'static str = "ROLLBACK";
    /// Answers one row of one number, which is not 0 when the server takes no writes.
    const IS_READ_ONLY: &'static str;
    /// Whether a connection of the user's pool is closed when a call on it fails. An in-memory database goes with it.
    const CLOSES_AFTER_ERRORS: bool = true;
    /// Whether a bare write on a connection of the user's pool is an error where it would not be what it seems.
    const BARE_WRITES_ARE_SAFE: bool = true;

    fn say<'a>(db: &'a mut Self::Connection, sql: &'static str) -> Later<'a, ()>;
    fn ask<'a>(db: &'a mut Self::Connection, sql: &'static str) -> Later<'a, i64>;
}

pub(crate) type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// `say` and `ask`, whose bodies are the same to the reader and not to the compiler.
macro_rules! speech {
    ($DB:ty) => {
        fn say<'a>(
            db: &'a mut <$DB as sqlx::Database>::Connection,
            sql: &'static str,
        ) -> $crate::connections::Later<'a, ()> {
            Box::pin(async move { sqlx::raw_sql(sql).execute(db).await.map(|_| ()) })
        }

        fn ask<'a>(
            db: &'a mut <$DB as sqlx::Database>::Connection,
            sql: &'static str,
        ) -> $crate::connections::Later<'a, i64> {
            Box::pin(async move { sqlx::Row::try_get(&sqlx::raw_sql(sql).fetch_one(db).await?, 0) })
        }
    };
}
pub(crate) use speech;

/// The connections of a store.
pub(crate) struct Connections<DB: Database> {
    pub(crate) source: Source<DB>,
    /// Reads, and writes, stand in transactions: on some connection a bare one did not mean what it says.
    careful_reads: AtomicBool,
    careful_writes: AtomicBool,
    /// The last look at what is behind the address now. Locked while somebody looks.
    look: tokio::sync::Mutex<Look>,
    pub(crate) touches: Touches,
}

#[derive(Default)]
struct Look {
    /// When it was over.
    at: Option<Instant>,
    /// It found a server that takes writes.
    found: bool,
    /// The next one. It goes on when nobody waits for it any more, since connecting may take longer than any caller has.
    under_way: Option<JoinHandle<Result<bool, Error>>>,
}

/// Where the connections come from.
pub(crate) enum Source<DB: Database> {
    Own(Arc<Own<DB>>),
    Pool(Pool<DB>),
}

/// The connections of a store that was made from a URL.
pub(crate) struct Own<DB: Database> {
    options: Options<DB>,
    permits: Arc<Semaphore>,
    /// The one used last comes last and is taken first.
    idle: Mutex<Vec<Idle<DB>>>,
    /// Those from before lead to a server that takes no writes any more.
    retired: Mutex<Option<Instant>>,
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
    Pool(Pooled<DB>),
}

/// One of the user's, closed instead of handed back when a call on it did not end well: it may be in a transaction of
/// ours, or lead to a server of yesterday.
pub(crate) struct Pooled<DB: Database> {
    connection: PoolConnection<DB>,
    unfinished: bool,
    leased: Instant,
}

/// What a call answered, with the connection that it needs no longer.
pub(crate) struct Done<DB: Database, T> {
    lease: Lease<DB>,
    answer: T,
    doubt: Doubt,
    undo: bool,
    /// It was said in a transaction of ours.
    in_transaction: bool,
}

/// Why an answer may be worth less than it seems, as the connection said beside it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Doubt {
    /// The server takes no writes: it may be one of yesterday.
    pub(crate) read_only: bool,
    /// The connection's settings make something else of a bare statement.
    pub(crate) settings: bool,
}

impl<DB: Engine> Connections<DB> {
    pub(crate) fn own(options: Options<DB>, most: usize, anchor: Option<DB::Connection>) -> Self {
        Self::of(Source::Own(Arc::new(Own {
            options,
            permits: Arc::new(Semaphore::new(most)),
            idle: Mutex::new(Vec::new()),
            retired: Mutex::new(None),
            _anchor: anchor.map(Mutex::new),
        })))
    }

    pub(crate) fn pool(pool: Pool<DB>) -> Self {
        Self::of(Source::Pool(pool))
    }

    fn of(source: Source<DB>) -> Self {
        let careful = matches!(source, Source::Pool(_)) && !DB::BARE_WRITES_ARE_SAFE;
        Self {
            source,
            careful_reads: AtomicBool::new(false),
            careful_writes: AtomicBool::new(careful),
            look: tokio::sync::Mutex::default(),
            touches: Touches::default(),
        }
    }

    /// Runs something that may be run again: once more, on a fresh connection, if the first one turns out dead, or
    /// leads to a server that takes no writes while another one has taken its place.
    ///
    /// The call hands its connection back with [`Lease::done`] when nothing went wrong.
    pub(crate) async fn read<T, F>(&self, call: impl Fn(Lease<DB>) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<Done<DB, T>, Error>>,
    {
        let mut done = self.read_once(&call).await?;
        for _ in 0..STALE {
            let Some(opened) = done.read_only_since() else { break };
            // Whoever reads does not wait for somebody else who looks.
            let Ok(look) = self.look.try_lock() else { break };
            if !self.has_moved(look, opened).await {
                break;
            }
            // Closes the connection.
            drop(done);
            done = self.read_once(&call).await?;
        }
        Ok(done.hand_on())
    }

    async fn read_once<T, F>(&self, call: &impl Fn(Lease<DB>) -> F) -> Result<Done<DB, T>, Error>
    where
        F: Future<Output = Result<Done<DB, T>, Error>>,
    {
        let begin = || self.careful_reads.load(Ordering::Relaxed).then_some(DB::BEGIN);
        let mut answer = self.run(call, false, &begin).await;
        if matches!(&answer, Err(error) if Fault::of(error) == Fault::Dead) {
            answer = self.run(call, true, &begin).await;
        }
        match answer {
            // Others may have learnt in between that reads need transactions: what counts is how this one was made.
            Ok(Done { doubt: Doubt { settings: true, .. }, in_transaction: false, mut lease, .. }) => {
                // It may have begun a transaction by reading.
                DB::say(&mut lease, DB::ROLLBACK).await?;
                lease.hand_on();
                self.careful_reads.store(true, Ordering::Relaxed);
                self.run(call, false, &begin).await
            }
            answer => answer,
        }
    }

    /// Runs one statement that may have happened when the connection dies. It is run again only if the database says
    /// that it did nothing: because it rolled it back, takes no writes while another server has taken its place, or
    /// needs a transaction.
    pub(crate) async fn write<T, F>(&self, call: impl Fn(Lease<DB>) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<Done<DB, T>, Error>>,
    {
        self.change(None, call).await
    }

    /// A write that nobody needs, which is not run again.
    #[cfg(feature = "mysql")]
    pub(crate) async fn write_once<T, F>(&self, call: impl Fn(Lease<DB>) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<Done<DB, T>, Error>>,
    {
        let begin = || self.careful_writes.load(Ordering::Relaxed).then_some(DB::BEGIN);
        self.run(&call, false, &begin).await.map(Done::hand_on)
    }

    /// From now on no write is a bare statement.
    #[cfg(feature = "postgres")]
    pub(crate) fn write_in_transactions(&self) {
        self.careful_writes.store(true, Ordering::Relaxed);
    }

    /// [`Self::write`], in a transaction that begins so.
    #[cfg(feature = "mysql")]
    pub(crate) async fn transact<T, F>(
        &self,
        begin: &'static str,
        call: impl Fn(Lease<DB>) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<Done<DB, T>, Error>>,
    {
        self.change(Some(begin), call).await
    }

    async fn change<T, F>(
        &self,
        mut begin: Option<&'static str>,
        call: impl Fn(Lease<DB>) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<Done<DB, T>, Error>>,
    {
        let careful = || self.careful_writes.load(Ordering::Relaxed).then_some(DB::BEGIN);
        for _ in 1..ATTEMPTS {
            let began = Instant::now();
            let error = match self.run(&call, false, &|| begin.or_else(careful)).await {
                Ok(done) => return Ok(done.hand_on()),
                Err(error) => error,
            };
            match Fault::of(&error) {
                Fault::Conflict => {}
                Fault::Isolation => self.careful_writes.store(true, Ordering::Relaxed),
                Fault::ReadOnly if self.has_moved(self.look.lock().await, began).await => continue,
                _ => return Err(error),
            }
            // In read committed a writer waits for the others instead of losing against them.
            begin = begin.or(Some(DB::BEGIN));
        }
        self.run(&call, false, &|| begin.or_else(careful)).await.map(Done::hand_on)
    }

    async fn run<T, F>(
        &self,
        call: &impl Fn(Lease<DB>) -> F,
        fresh: bool,
        begin: &impl Fn() -> Option<&'static str>,
    ) -> Result<Done<DB, T>, Error>
    where
        F: Future<Output = Result<Done<DB, T>, Error>>,
    {
        let lease = self.lease(fresh).await?;
        // What others learnt while this call waited for its connection counts.
        let answer = self.run_on(lease, call, begin()).await;
        if let Err(error) = &answer
            && Fault::of(error) == Fault::Dead
        {
            self.forget_idle();
        }
        answer
    }

    async fn run_on<T, F>(
        &self,
        mut lease: Lease<DB>,
        call: &impl Fn(Lease<DB>) -> F,
        begin: Option<&'static str>,
    ) -> Result<Done<DB, T>, Error>
    where
        F: Future<Output = Result<Done<DB, T>, Error>>,
    {
        let Some(begin) = begin else { return call(lease).await };
        DB::say(&mut lease, begin).await?;
        let mut done = call(lease).await?;
        done.in_transaction = true;
        DB::say(&mut done.lease, if done.undo { DB::ROLLBACK } else { DB::COMMIT }).await?;
        Ok(done)
    }

    /// Whether a server that takes writes is found where a connection from `since` leads to one that takes none. Looks
    /// at most once a second: a server may be read-only on purpose.
    async fn has_moved(&self, mut look: tokio::sync::MutexGuard<'_, Look>, since: Instant) -> bool {
        if look.under_way.is_none() {
            let is_recent = look.at.is_some_and(|at| at.elapsed() < LOOK);
            // Of a connection of the user's pool it is not known when it was made.
            let is_old =
                look.at.is_some_and(|at| since < at) || (is_recent && matches!(self.source, Source::Pool(_)));
            if look.found && is_old {
                return true;
            }
            if is_recent {
                return false;
            }
        }
        let finds = || tokio::spawn(finds_one_that_takes_writes::<DB>(self.options()));
        let Ok(answer) = timeout(LOOK, look.under_way.get_or_insert_with(finds)).await else { return false };
        // Not when it began: what began, or was opened, while it lasted may have met the old server.
        let over = Instant::now();
        *look = Look { at: Some(over), found: matches!(answer, Ok(Ok(true))), under_way: None };
        if look.found {
            self.retire(over);
        }
        look.found
    }

    fn options(&self) -> Options<DB> {
        match &self.source {
            Source::Own(own) => own.options.clone(),
            Source::Pool(pool) => pool.connect_options().as_ref().clone(),
        }
    }

    /// Closes what was opened before, as soon as nobody uses it.
    fn retire(&self, before: Instant) {
        match &self.source {
            Source::Own(own) => {
                *own.retired.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
                own.idle().retain(|idle| idle.opened >= before);
            }
            Source::Pool(pool) => {
                for _ in 0..pool.options().get_max_connections() {
                    let Some(mut idle) = pool.try_acquire() else { break };
                    idle.close_on_drop();
                }
            }
        }
    }

    /// A connection that works, if `fresh`; else one that most likely does.
    async fn lease(&self, fresh: bool) -> Result<Lease<DB>, Error> {
        match &self.source {
            Source::Own(own) => own.lease().await,
            Source::Pool(pool) => Lease::from_pool(pool, fresh).await,
        }
    }

    /// When one connection died, the idle ones likely did, too.
    fn forget_idle(&self) {
        if let Source::Own(own) = &self.source {
            own.idle().clear();
        }
    }

    /// Closes the connections that nobody uses, and refuses calls from now on. A pool of the user's is left alone.
    pub(crate) async fn close(&self) {
        if let Source::Own(own) = &self.source {
            own.permits.close();
            let idle = std::mem::take(&mut *own.idle());
            for idle in idle {
                close(idle.connection).await;
            }
        }
    }
}

impl<DB: Engine> Own<DB> {
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
        let mut retired = Vec::new();
        let retired_before = *self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = opened.elapsed() > LIFETIME || retired_before.is_some_and(|before| opened < before);
        if is_old || self.permits.is_closed() {
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

impl<DB: Engine> Lease<DB> {
    async fn from_pool(pool: &Pool<DB>, fresh: bool) -> Result<Self, Error> {
        let leased = Instant::now();
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
        Ok(Self::Pool(Pooled { connection, unfinished: DB::CLOSES_AFTER_ERRORS, leased }))
    }

    /// Closes the connection at the end even if it is one of the user's: it holds something that ends with it.
    #[cfg(any(feature = "mysql", feature = "sqlite"))]
    pub(crate) fn never_reuse(&mut self) {
        if let Self::Pool(Pooled { connection, .. }) = self {
            connection.close_on_drop();
        }
    }

    /// Answers, unless a transaction on it failed: a database may have ended that by itself, without sqlx's knowledge.
    #[cfg(feature = "sqlite")]
    pub(crate) fn finish<T>(mut self, answer: Result<T, Error>) -> Result<Done<DB, T>, Error> {
        match answer {
            Ok(answer) => Ok(self.done(answer)),
            Err(error) => {
                self.never_reuse();
                Err(error)
            }
        }
    }

    /// The answer, after which the connection is handed on.
    pub(crate) fn done<T>(self, answer: T) -> Done<DB, T> {
        Done { lease: self, answer, doubt: Doubt::default(), undo: false, in_transaction: false }
    }

    /// The answer, after which the transaction is rolled back.
    #[cfg(feature = "mysql")]
    pub(crate) fn undone<T>(self, answer: T) -> Done<DB, T> {
        Done { undo: true, ..self.done(answer) }
    }

    fn hand_on(self) {
        match self {
            Self::Own { connection, opened, home, permit } => {
                home.push(connection, opened);
                drop(permit);
            }
            Self::Pool(mut pooled) => pooled.unfinished = false,
        }
    }
}

impl<DB: Engine, T> Done<DB, T> {
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) fn with(self, doubt: Doubt) -> Self {
        Self { doubt, ..self }
    }

    /// When the connection was made that led to a server that takes no writes; of one of the user's that is not known.
    fn read_only_since(&self) -> Option<Instant> {
        match &self.lease {
            _ if !self.doubt.read_only => None,
            Lease::Own { opened, .. } => Some(*opened),
            Lease::Pool(pooled) => Some(pooled.leased),
        }
    }

    fn hand_on(self) -> T {
        self.lease.hand_on();
        self.answer
    }
}

impl<DB: Database> Drop for Pooled<DB> {
    fn drop(&mut self) {
        if self.unfinished {
            self.connection.close_on_drop();
        }
    }
}

impl<DB: Database> Deref for Lease<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        match self {
            Self::Own { connection, .. } => connection,
            Self::Pool(pooled) => &pooled.connection,
        }
    }
}

impl<DB: Database> DerefMut for Lease<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        match self {
            Self::Own { connection, .. } => connection,
            Self::Pool(pooled) => &mut pooled.connection,
        }
    }
}

/// A connection of the store's own.
pub(crate) async fn connect<DB: Engine>(options: &Options<DB>) -> Result<DB::Connection, Error> {
    let connect = async {
        let mut connection = DB::Connection::connect_with(options).await?;
        if !DB::SET_UP.is_empty() {
            DB::say(&mut connection, DB::SET_UP).await?;
        }
        Ok(connection)
    };
    timeout(PATIENCE, connect).await.map_err(|_| Error::PoolTimedOut)?
}

/// Says goodbye, so that the server logs no lost client.
async fn close<C: Connection>(connection: C) {
    let _ = timeout(DOUBT, connection.close()).await;
}

async fn finds_one_that_takes_writes<DB: Engine>(options: Options<DB>) -> Result<bool, Error> {
    let mut fresh = connect::<DB>(&options).await?;
    let read_only = timeout(PATIENCE, DB::ask(&mut fresh, DB::IS_READ_ONLY)).await;
    let read_only = read_only.map_err(|_| Error::PoolTimedOut)??;
    close(fresh).await;
    Ok(read_only == 0)
}

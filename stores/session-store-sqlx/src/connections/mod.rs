//! Connections: a small pool of the store's own, or the user's.
//!
//! What a statement means depends on settings that a server, a role, `init_connect` or the user's pool chose. Reads are
//! bare statements, which say themselves whether they can be trusted. A write is a bare statement where that means what
//! it says, and else stands in a transaction that names its characteristics: unlike a setting of the connection, that
//! reaches nobody else, neither the application that shares the pool nor the clients of a pooler.

pub(crate) mod connect;
pub(crate) mod lease;
mod look;
mod own;
mod pooled;
mod source;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use sqlx::{Error, Pool};

use self::connect::Options;
use self::lease::{Done, Doubt, Lease};
use self::look::Look;
use self::own::Own;
use self::source::Source;
use crate::engine::Engine;
use crate::error::Fault;

/// A transaction that lost against others is run so often.
const ATTEMPTS: usize = 5;
/// How many connections to a server that takes no writes a call closes, once another server was found. Those of a
/// user's pool that were in use at that time are left.
const STALE: usize = 3;

/// The connections of a store.
pub(crate) struct Connections<DB: Engine> {
    source: Source<DB>,
    /// Reads, and writes, stand in transactions: on some connection a bare one did not mean what it says.
    careful_reads: AtomicBool,
    careful_writes: AtomicBool,
    /// Locked while somebody looks.
    look: tokio::sync::Mutex<Look>,
}

/// How a change becomes a transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// By itself, where a bare write means what it says.
    AsNeeded,
    /// By its own words.
    #[cfg(feature = "mysql")]
    Within,
    With(&'static str),
}

/// What is done on a connection. It hands that back with [`Lease::done`] when nothing went wrong.
pub(crate) trait Call<DB: Engine, T>: Fn(Lease<DB>) -> Self::Done {
    type Done: Future<Output = Result<Done<DB, T>, Error>>;
}

impl<DB: Engine, T, C, F> Call<DB, T> for C
where
    C: Fn(Lease<DB>) -> F,
    F: Future<Output = Result<Done<DB, T>, Error>>,
{
    type Done = F;
}

impl<DB: Engine> Connections<DB> {
    pub(crate) fn own(options: Options<DB>, most: usize, anchor: Option<DB::Connection>) -> Self {
        Self::of(Source::Own(Arc::new(Own::new(options, most, anchor))))
    }

    pub(crate) fn pool(pool: Pool<DB>) -> Self {
        Self::of(Source::Pool(pool))
    }

    fn of(source: Source<DB>) -> Self {
        let careful = source.is_pool() && !DB::BARE_WRITES_ARE_SAFE;
        Self {
            source,
            careful_reads: AtomicBool::new(false),
            careful_writes: AtomicBool::new(careful),
            look: tokio::sync::Mutex::default(),
        }
    }

    /// Whether each is as [`Engine::SET_UP`] says, and in no transaction when a call begins.
    #[cfg(feature = "mysql")]
    pub(crate) fn are_own(&self) -> bool {
        !self.source.is_pool()
    }

    /// Runs something that may be run again: once more, on a fresh connection, if the first one turns out dead, or
    /// leads to a server that takes no writes while another one has taken its place.
    pub(crate) async fn read<T>(&self, call: impl Call<DB, T>) -> Result<T, Error> {
        let mut done = self.read_once(&call).await?;
        for _ in 0..STALE {
            let Some(opened) = done.read_only_since() else { break };
            let has_moved = match self.look.try_lock() {
                Ok(mut look) => look.has_moved(&self.source, opened).await,
                // Whoever reads does not wait for somebody else who looks.
                Err(_) => false,
            };
            if !has_moved {
                break;
            }
            // Closes the connection.
            drop(done);
            done = self.read_once(&call).await?;
        }
        Ok(done.hand_on())
    }

    async fn read_once<T>(&self, call: &impl Call<DB, T>) -> Result<Done<DB, T>, Error> {
        let begin = || self.careful_reads.load(Ordering::Relaxed).then_some(DB::BEGIN);
        let mut answer = self.run(call, false, &begin).await;
        if matches!(&answer, Err(error) if Fault::of(error) == Fault::Dead) {
            answer = self.run(call, true, &begin).await;
        }
        match answer {
            // Others may have learnt in between that reads need transactions: what counts is how this one was made.
            Ok(Done { doubt: Doubt { settings: true, .. }, in_transaction: false, mut lease, .. }) => {
                // It may have begun a transaction by reading.
                DB::raw(&mut lease, DB::ROLLBACK).await?;
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
    pub(crate) async fn write<T>(&self, call: impl Call<DB, T>) -> Result<T, Error> {
        self.change(Begin::AsNeeded, call).await
    }

    /// A write that nobody needs, which is not run again.
    #[cfg(feature = "mysql")]
    pub(crate) async fn write_once<T>(&self, call: impl Call<DB, T>) -> Result<T, Error> {
        self.run(&call, false, &|| self.begin_of_writes()).await.map(Done::hand_on)
    }

    /// From now on no write is a bare statement.
    pub(crate) fn write_in_transactions(&self) {
        self.careful_writes.store(true, Ordering::Relaxed);
    }

    /// [`Self::write`], in a transaction that begins so.
    #[cfg(feature = "mysql")]
    pub(crate) async fn transact<T>(&self, begin: &'static str, call: impl Call<DB, T>) -> Result<T, Error> {
        self.change(Begin::With(begin), call).await
    }

    /// [`Self::write`], which begins and ends its transaction itself.
    #[cfg(feature = "mysql")]
    pub(crate) async fn transact_within<T>(&self, call: impl Call<DB, T>) -> Result<T, Error> {
        self.change(Begin::Within, call).await
    }

    async fn change<T>(&self, mut begin: Begin, call: impl Call<DB, T>) -> Result<T, Error> {
        for _ in 1..ATTEMPTS {
            let began = Instant::now();
            let error = match self.run(&call, false, &|| self.begin_of(begin)).await {
                Ok(done) => return Ok(done.hand_on()),
                Err(error) => error,
            };
            match Fault::of(&error) {
                Fault::Conflict => {}
                Fault::Isolation => self.write_in_transactions(),
                Fault::ReadOnly if self.look.lock().await.has_moved(&self.source, began).await => continue,
                _ => return Err(error),
            }
            // In read committed a writer waits for the others instead of losing against them.
            begin = if begin == Begin::AsNeeded { Begin::With(DB::BEGIN) } else { begin };
        }
        self.run(&call, false, &|| self.begin_of(begin)).await.map(Done::hand_on)
    }

    fn begin_of(&self, begin: Begin) -> Option<&'static str> {
        match begin {
            Begin::AsNeeded => self.begin_of_writes(),
            #[cfg(feature = "mysql")]
            Begin::Within => None,
            Begin::With(begin) => Some(begin),
        }
    }

    fn begin_of_writes(&self) -> Option<&'static str> {
        self.careful_writes.load(Ordering::Relaxed).then_some(DB::BEGIN)
    }

    async fn run<T>(
        &self,
        call: &impl Call<DB, T>,
        fresh: bool,
        begin: &impl Fn() -> Option<&'static str>,
    ) -> Result<Done<DB, T>, Error> {
        let lease = self.source.lease(fresh).await?;
        // What others learnt while this call waited for its connection counts.
        let answer = run_on(lease, call, begin()).await;
        if matches!(&answer, Err(error) if Fault::of(error) == Fault::Dead) {
            self.source.forget_idle();
        }
        answer
    }

    /// Closes the connections that nobody uses, and refuses calls from now on. A pool of the user's is left alone.
    pub(crate) async fn close(&self) {
        self.source.close().await;
    }
}

async fn run_on<DB: Engine, T>(
    mut lease: Lease<DB>,
    call: &impl Call<DB, T>,
    begin: Option<&'static str>,
) -> Result<Done<DB, T>, Error> {
    let Some(begin) = begin else { return call(lease).await };
    DB::raw(&mut lease, begin).await?;
    let mut done = call(lease).await?;
    done.in_transaction = true;
    DB::raw(&mut done.lease, if done.undo { DB::ROLLBACK } else { DB::COMMIT }).await?;
    Ok(done)
}

//! Connections that hear by `LISTEN` what ended in other processes.

use std::time::Duration;

use session_core::store::{Invalidation, StoreError};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use sqlx::{Connection as _, Error, Postgres, Row as _};
use tokio::time::timeout;

use super::address::address_of;
use super::invalidations::invalidation;
use super::pooler::{self, Manners};
use crate::connections::connect::connect;
use crate::engine::Engine as _;
use crate::error::{connect_error, store_error};
use crate::options::StoreOptions;

/// How long a sign of life, or a new connection, may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// After so long a silence the server is asked whether it is still there, and still the one to listen to.
const SILENCE: Duration = Duration::from_secs(30);
/// A program has a manager or two, and each listens to its realm.
const MOST_LISTENERS: u32 = 1000;

/// Where the connections that listen come from.
pub(super) struct Listeners {
    pool: PgPool,
    /// Each listener has a connection of its own, which ends with the store.
    own: bool,
    /// The address is known to be a pooler in transaction mode.
    shares: bool,
}

impl Listeners {
    /// At the store's address, unless the options name another one.
    pub(super) fn new(
        address: &PgConnectOptions,
        manners: Manners,
        options: &StoreOptions,
    ) -> Result<Self, StoreError> {
        Ok(match options.listens_at() {
            None => Self { pool: own_connections(address), own: true, shares: manners.shares },
            Some(url) => Self { pool: own_connections(&address_of(url)?), own: true, shares: false },
        })
    }

    pub(super) fn of_pool(pool: PgPool, manners: Manners) -> Self {
        Self { pool, own: false, shares: manners.shares }
    }

    /// Runs until the connection is lost, or leads to a server that takes no writes any more while the address leads to
    /// another one: whoever writes there is not heard here.
    pub(super) async fn listen(
        &self,
        channel: &str,
        heard: &(dyn Fn(Invalidation) + Send + Sync),
    ) -> Result<(), StoreError> {
        let mut listener = self.connect().await?;
        listener.listen(channel).await.map_err(store_error)?;
        loop {
            let Ok(told) = timeout(SILENCE, listener.try_recv()).await else {
                let sign_of_life = takes_no_writes(&mut listener);
                let read_only = timeout(PATIENCE, sign_of_life).await.map_err(|_| lost())?;
                if read_only.map_err(store_error)? && self.have_moved().await {
                    end(listener).await;
                    return Err(lost());
                }
                continue;
            };
            let told = told.map_err(store_error)?.ok_or_else(lost)?;
            if let Some(invalidation) = invalidation(told.payload()) {
                heard(invalidation);
            }
        }
    }

    /// A connection that is nobody else's.
    async fn connect(&self) -> Result<PgListener, StoreError> {
        let address = self.pool.connect_options();
        if self.shares || pooler::look_at(&address).await.map_err(connect_error)?.shares {
            return Err(pooler::cannot_listen());
        }
        let mut listener = PgListener::connect_with(&self.pool).await.map_err(connect_error)?;
        listener.eager_reconnect(false);
        Ok(listener)
    }

    /// Whether a new connection leads to a server that takes writes. One that is read-only on purpose is listened to:
    /// it costs a connection after each silence.
    async fn have_moved(&self) -> bool {
        let look = async {
            let mut fresh = connect::<Postgres>(&self.pool.connect_options()).await?;
            let read_only = Postgres::is_read_only(&mut fresh).await?;
            let _ = fresh.close().await;
            Ok::<_, Error>(!read_only)
        };
        matches!(timeout(PATIENCE, look).await, Ok(Ok(true)))
    }

    pub(super) async fn close(&self) {
        if self.own {
            // Somebody who listens but is never polled keeps it open: not our wait.
            let _ = timeout(Duration::from_secs(1), self.pool.close()).await;
        }
    }
}

async fn takes_no_writes(listener: &mut PgListener) -> Result<bool, Error> {
    let row = sqlx::raw_sql(Postgres::IS_READ_ONLY).fetch_one(listener).await?;
    Ok(row.try_get::<i64, _>(0)? != 0)
}

/// Ends the server's process, too: the listener would hand a connection that works back to the user's pool, from which
/// the next one would get it again.
async fn end(mut listener: PgListener) {
    let goodbye = sqlx::raw_sql("SELECT pg_terminate_backend(pg_backend_pid())").execute(&mut listener);
    let _ = timeout(PATIENCE, goodbye).await;
}

fn own_connections(address: &PgConnectOptions) -> PgPool {
    let options = PgPoolOptions::new()
        .max_connections(MOST_LISTENERS)
        .acquire_timeout(PATIENCE)
        .max_lifetime(None)
        .idle_timeout(None)
        // Listened to no longer, it is closed.
        .after_release(|_, _| Box::pin(async { Ok(false) }));
    options.connect_lazy_with(address.clone())
}

fn lost() -> StoreError {
    StoreError::unavailable("the connection that brings the news was lost; listen again")
}

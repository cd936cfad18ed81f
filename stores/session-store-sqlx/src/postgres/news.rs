//! Invalidation of sessions that ended, by `NOTIFY` and `LISTEN`.
//!
//! PostgreSQL lets one transaction with a `NOTIFY` commit at a time, in the whole server, and holds the next one back
//! until the disk has what the last one wrote: logouts that carry their own `NOTIFY` are ten times slower when they
//! come together. So the news goes out in a statement of its own, which writes nothing: once the session has ended, in
//! the background, for all sessions that ended while the last such statement was under way.
//!
//! What is told is the session's id itself, to whoever may connect to the database: a listener has to find the session
//! that it holds, and cannot invert a hash. An id opens nothing, since tokens are signed. Who makes news up costs
//! others a read.

use std::collections::VecDeque;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use session_core::SessionId;
use session_core::store::{Invalidation, StoreError};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use sqlx::{Connection as _, Error, Postgres, Row as _};
use tokio::time::timeout;

use super::pooler::{self, Manners};
use super::{PostgresStore, address_of};
use crate::StoreOptions;
use crate::connections::{Engine as _, connect};
use crate::error::{connect_error, store_error};
use crate::lock::Lock;

/// How long one statement may take before its news is given up, and a listener's connection before that fails.
const PATIENCE: Duration = Duration::from_secs(5);
/// After so long a silence the server is asked whether it is still there, and still the one to listen to.
const SILENCE: Duration = Duration::from_secs(30);
/// So much news goes into one statement.
const TOGETHER: usize = 1000;
/// So much news waits while the database is slow; more is dropped.
const MOST_WAITING: usize = 100_000;
/// A program has a manager or two, and each listens to its realm.
const MOST_LISTENERS: u32 = 1000;
/// Says that every session of the realm was ended.
const EVERYONE: &str = "*";

/// What is still to be told.
#[derive(Default)]
pub(super) struct Outbox {
    /// Channel and payload.
    waiting: VecDeque<(String, String)>,
    /// Somebody is at it, and looks again when done.
    sending: bool,
}

impl PostgresStore {
    pub(super) fn tell_ended(&self, realm: &str, ended: impl IntoIterator<Item = SessionId>) {
        self.tell(realm, ended.into_iter().map(payload));
    }

    pub(super) fn tell_everyone_ended(&self, realm: &str) {
        self.tell(realm, [EVERYONE.to_owned()]);
    }

    fn tell(&self, realm: &str, payloads: impl IntoIterator<Item = String>) {
        if !self.0.announces {
            return;
        }
        let mut outbox = self.outbox();
        for payload in payloads {
            if outbox.waiting.len() < MOST_WAITING {
                outbox.waiting.push_back((self.channel(realm), payload));
            }
        }
        if outbox.waiting.is_empty() || outbox.sending {
            return;
        }
        outbox.sending = true;
        drop(outbox);
        let store = self.clone();
        tokio::spawn(async move { store.send_waiting().await });
    }

    async fn send_waiting(&self) {
        loop {
            let (channels, payloads): (Vec<String>, Vec<String>) = {
                let mut outbox = self.outbox();
                let some = outbox.waiting.len().min(TOGETHER);
                outbox.sending = some > 0;
                outbox.waiting.drain(..some).unzip()
            };
            if channels.is_empty() {
                return;
            }
            // Lost news costs nothing but time.
            let _ = timeout(PATIENCE, self.notify(&channels, &payloads)).await;
        }
    }

    async fn notify(&self, channels: &[String], payloads: &[String]) -> Result<u64, Error> {
        // As harmless twice as a read is.
        let told = self.0.connections.read(|mut db| async move {
            let query = self.statement(&self.0.sql.notify).bind(channels).bind(payloads);
            let told = query.execute(&mut db).await?;
            Ok(db.done(told))
        });
        told.await
    }

    /// Before the connections close.
    pub(super) async fn tell_the_rest(&self) {
        self.send_waiting().await;
    }

    /// One for each realm, so that the server keeps the others' news away. Two tables of one name, in two schemas, share
    /// it, and ignore what they do not know.
    fn channel(&self, realm: &str) -> String {
        let table = &self.0.table;
        format!("{table}_{:016x}", Lock::Realm(realm).key(table))
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.0.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs until the connection is lost, or leads to a server that takes no writes any more while the address leads to
    /// another one: whoever writes there is not heard here.
    pub(super) async fn hear(
        &self,
        realm: &str,
        heard: &(dyn Fn(Invalidation) + Send + Sync),
    ) -> Result<(), StoreError> {
        let mut listener = self.0.listeners.connect().await?;
        listener.listen(&self.channel(realm)).await.map_err(store_error)?;
        loop {
            let Ok(told) = timeout(SILENCE, listener.try_recv()).await else {
                let sign_of_life = takes_no_writes(&mut listener);
                let read_only = timeout(PATIENCE, sign_of_life).await.map_err(|_| lost())?;
                if read_only.map_err(store_error)? && self.0.listeners.have_moved().await {
                    end(listener).await;
                    return Err(lost());
                }
                continue;
            };
            let told = told.map_err(store_error)?.ok_or_else(lost)?;
            if let Some(news) = news(told.payload()) {
                heard(news);
            }
        }
    }
}

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
            let read_only = Postgres::ask(&mut fresh, Postgres::IS_READ_ONLY).await?;
            let _ = fresh.close().await;
            Ok::<_, Error>(read_only == 0)
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

fn payload(id: SessionId) -> String {
    format!("{:032x}", u128::from_be_bytes(*id.as_bytes()))
}

/// `None`: nothing that a store says.
fn news(payload: &str) -> Option<Invalidation> {
    if payload == EVERYONE {
        return Some(Invalidation::EveryoneEnded);
    }
    let id = u128::from_str_radix(payload, 16).ok().filter(|_| payload.len() == 32)?;
    Some(Invalidation::Ended(SessionId::from_bytes(id.to_be_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_heard() {
        for id in [[0; 16], [0xff; 16], *b"0123456789abcdef"].map(SessionId::from_bytes) {
            assert_eq!(news(&payload(id)), Some(Invalidation::Ended(id)));
        }
        assert_eq!(news(EVERYONE), Some(Invalidation::EveryoneEnded));
    }

    #[test]
    fn what_others_say_is_ignored() {
        for payload in ["", "hello", "0", &"g".repeat(32), &"0".repeat(33), &"ü".repeat(16)] {
            assert_eq!(news(payload), None, "{payload}");
        }
    }
}

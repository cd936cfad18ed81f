//! A connection of the user's pool.

use std::time::Instant;

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, Error, Pool};

use crate::engine::Engine;

/// One of the user's, closed instead of handed back when a call on it did not end well: it may be in a transaction of
/// ours, or lead to a server of yesterday. What else becomes of it is sqlx's to judge.
pub(crate) struct Pooled<DB: Engine> {
    pub(super) connection: PoolConnection<DB>,
    unfinished: bool,
    pub(super) leased: Instant,
}

impl<DB: Engine> Pooled<DB> {
    /// One that works, if `fresh`.
    pub(super) async fn acquire(pool: &Pool<DB>, fresh: bool) -> Result<Self, Error> {
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
        Ok(Self { connection, unfinished: DB::CLOSES_AFTER_ERRORS, leased })
    }

    pub(super) fn hand_on(mut self) {
        self.unfinished = false;
    }
}

impl<DB: Engine> Drop for Pooled<DB> {
    fn drop(&mut self) {
        if self.unfinished {
            self.connection.close_on_drop();
        }
    }
}

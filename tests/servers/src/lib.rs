//! Servers that tests start for themselves: on sockets and ports of their own, with data that is thrown away, and gone
//! when the test is gone, however it ends. Programs that are missing are said loudly: see [`requirements`].
//!
//! Everything here blocks, for as long as a server takes to start or to die.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod kept;
mod pgbouncer;
mod redis;
pub mod requirements;
mod sql;

pub use kept::Folder;
pub use pgbouncer::PgBouncer;
pub use redis::{Redis, RedisCluster};
pub use sql::{Sql, SqlServer};

use std::time::{Duration, Instant};

/// How long a server may take to start, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until the answer is yes; fails, and shows `log`, when that takes too long.
fn wait_for(what: &str, log: impl Fn() -> String, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < PATIENCE, "{what} did not come up: {}", log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

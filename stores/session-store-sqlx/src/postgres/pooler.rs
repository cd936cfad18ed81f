//! Whether an address is PostgreSQL itself, or a pooler that hands its connections to others between transactions.
//!
//! Nothing in the protocol says so. But a connection of one's own is one process of the server from beginning to end, and
//! two of them are two. Behind a pooler in transaction mode two clients that ask in turn get the process that is free:
//! the same one if the last one freed is taken first (as PgBouncer does), changing ones if they take turns
//! (`server_round_robin`) or others are busy, too.

use std::time::Duration;

use session_core::store::StoreError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, Error, PgConnection, Postgres, Row as _};
use tokio::time::timeout;

use crate::connections::connect::connect;
use crate::error::connect_error;
use crate::options::StoreOptions;

/// How long the address may take to show what it is.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the second of two connections may take for its part. Behind a pooler that shares it is served at once, since
/// the first one is idle; where each client has a server connection of its own there may be none for it.
const SOON: Duration = Duration::from_secs(1);

/// In how many rounds two connections must look like two: one is enough unless the pooler is busy.
const ROUNDS: usize = 3;

/// What is known of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manners {
    /// Server connections go to others between transactions.
    pub(super) shares: bool,
    /// Prepared statements are kept. With a cache of none sqlx prepares each time, and leaves 26 kB on the server.
    pub(super) keeps_statements: bool,
}

impl Manners {
    /// Of an address that cannot be looked at. That somebody shares it after all shows later, in errors that make the
    /// store send its statements unprepared.
    pub(super) const UNSEEN: Self = Self { shares: false, keeps_statements: true };
}

/// What the user says of the address, or else what it shows.
pub(super) async fn manners(
    address: &PgConnectOptions,
    options: &StoreOptions,
) -> Result<Manners, StoreError> {
    if options.is_transaction_pooler() {
        return Ok(Manners { shares: true, keeps_statements: false });
    }
    match look_at(address).await {
        // The pool has its connections, and a store of its own hears the same once more.
        Err(error) if is_full(&error) => Ok(Manners::UNSEEN),
        seen => seen.map_err(connect_error),
    }
}

/// What the address shows to two connections, which are closed again.
pub(super) async fn look_at(address: &PgConnectOptions) -> Result<Manners, Error> {
    let mut one = connect::<Postgres>(address).await?;
    // There may be room for no more.
    let mut other = timeout(SOON, connect::<Postgres>(address)).await.ok().and_then(Result::ok);
    let seen = timeout(PATIENCE, look(&mut one, &mut other)).await;
    for connection in [Some(one), other].into_iter().flatten() {
        let _ = timeout(PATIENCE, connection.close()).await;
    }
    seen.map_err(|_| Error::PoolTimedOut)?
}

async fn look(one: &mut PgConnection, other: &mut Option<PgConnection>) -> Result<Manners, Error> {
    if look_shared(one, other).await? {
        return Ok(Manners { shares: true, keeps_statements: false });
    }
    sqlx::query("SELECT 1").execute(&mut *one).await?;
    Ok(Manners { shares: false, keeps_statements: one.cached_statements_size() > 0 })
}

/// Also asks one of them twice in a row: of two server connections that take turns, each could get always the same.
async fn look_shared(one: &mut PgConnection, other: &mut Option<PgConnection>) -> Result<bool, Error> {
    let (mut first, mut second) = (None, None);
    for _ in 0..=ROUNDS {
        for _ in 0..2 {
            let process = process(one).await?;
            if *first.get_or_insert(process) != process {
                return Ok(true);
            }
        }
        let answer = match other.as_mut() {
            Some(other) => timeout(SOON, process(other)).await,
            None => continue,
        };
        let Ok(Ok(process)) = answer else {
            // It waits for the server connection that the first one has. Nobody can talk on it any more.
            *other = None;
            continue;
        };
        if *second.get_or_insert(process) != process || first == Some(process) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The server's process behind a connection.
async fn process(db: &mut PgConnection) -> Result<i32, Error> {
    sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(db).await?.try_get(0)
}

/// There is an address, but no room for one more at it: at the server, for the role, in the database (53300), or in a
/// pooler, which says "protocol violation" (08P01) of everything.
fn is_full(error: &Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code == "53300" || code == "08P01")
}

/// Why nobody listens through a pooler: what is heard there is anybody's, and it breaks the calls of others.
pub(super) fn cannot_listen() -> StoreError {
    StoreError::permanent(
        "the database's address is a pooler in transaction mode, through which nobody can listen; give \
         StoreOptions::listen_url the address of PostgreSQL itself, or switch StoreOptions::announce off",
    )
}

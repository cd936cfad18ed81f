//! Whether another server has taken the place of one that takes no writes any more.

use std::time::{Duration, Instant};

use sqlx::Error;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::connect::{Options, PATIENCE, close, connect};
use super::source::Source;
use crate::engine::Engine;

/// A server that takes no writes is looked away from so often, and for so long: is there another one at its address?
const LOOK: Duration = Duration::from_secs(1);

/// The last look at what is behind the address now.
#[derive(Default)]
pub(super) struct Look {
    /// When it was over.
    at: Option<Instant>,
    /// It found a server that takes writes.
    found: bool,
    /// The next one. It goes on when nobody waits for it any more, since connecting may take longer than any caller has.
    under_way: Option<JoinHandle<Result<bool, Error>>>,
}

impl Look {
    /// Whether a server that takes writes is found where a connection from `since` leads to one that takes none. Looks
    /// at most once a second: a server may be read-only on purpose.
    pub(super) async fn has_moved<DB: Engine>(&mut self, source: &Source<DB>, since: Instant) -> bool {
        if let Some(known) = self.known(since, source.is_pool()) {
            return known;
        }
        let finds = || tokio::spawn(finds_one_that_takes_writes::<DB>(source.options()));
        let Ok(answer) = timeout(LOOK, self.under_way.get_or_insert_with(finds)).await else { return false };
        // Not when it began: what began, or was opened, while it lasted may have met the old server.
        let over = Instant::now();
        *self = Self { at: Some(over), found: matches!(answer, Ok(Ok(true))), under_way: None };
        if self.found {
            source.retire(over);
        }
        self.found
    }

    /// `None`: it is time to look.
    fn known(&self, since: Instant, is_pool: bool) -> Option<bool> {
        if self.under_way.is_some() {
            return None;
        }
        let is_recent = self.at.is_some_and(|at| at.elapsed() < LOOK);
        // Of a connection of the user's pool it is not known when it was made.
        let is_old = self.at.is_some_and(|at| since < at) || (is_recent && is_pool);
        if self.found && is_old {
            return Some(true);
        }
        is_recent.then_some(false)
    }
}

async fn finds_one_that_takes_writes<DB: Engine>(options: Options<DB>) -> Result<bool, Error> {
    let mut fresh = connect::<DB>(&options).await?;
    let read_only = timeout(PATIENCE, DB::is_read_only(&mut fresh)).await;
    let read_only = read_only.map_err(|_| Error::PoolTimedOut)??;
    close(fresh).await;
    Ok(!read_only)
}

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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use session_core::SessionId;
use session_core::store::Invalidation;
use sqlx::{Error, Postgres, SqlStr};
use tokio::time::timeout;

use crate::lock::Lock;
use crate::statement::Statement;
use crate::store::Store;

/// How long one statement may take before what it tells is given up.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many go into one statement.
const TOGETHER: usize = 1000;
/// So many wait while the database is slow; more are dropped.
const MOST_WAITING: usize = 100_000;
/// Says that every session of the realm was ended.
const EVERYONE: &str = "*";

/// What is still to be told to other processes.
pub(super) struct Outbox {
    store: Arc<Store<Postgres>>,
    notify: SqlStr,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Channel and payload.
    waiting: VecDeque<(String, String)>,
    /// Somebody is at it, and looks again when done.
    sending: bool,
}

impl Outbox {
    pub(super) fn new(store: Arc<Store<Postgres>>) -> Self {
        // Channels and payloads have no space.
        let notify = store.tables.sql::<Postgres>(
            "SELECT pg_notify(n.channel, n.payload) FROM unnest(
                 string_to_array(convert_from($1, 'UTF8'), ' '), string_to_array(convert_from($2, 'UTF8'), ' ')
             ) AS n (channel, payload)",
        );
        Self { store, notify, state: Mutex::default() }
    }

    /// In the background.
    pub(super) fn tell(self: &Arc<Self>, realm: &str, ended: impl IntoIterator<Item = Invalidation>) {
        let mut state = self.state();
        for invalidation in ended {
            if state.waiting.len() < MOST_WAITING {
                state.waiting.push_back((channel(&self.store.tables.name, realm), payload(invalidation)));
            }
        }
        if state.waiting.is_empty() || state.sending {
            return;
        }
        state.sending = true;
        drop(state);
        let outbox = self.clone();
        tokio::spawn(async move { outbox.send_waiting().await });
    }

    /// Until nothing waits any more.
    pub(super) async fn send_waiting(&self) {
        loop {
            let (channels, payloads) = self.take();
            if channels.is_empty() {
                return;
            }
            // What is lost costs nothing but time.
            let _ = timeout(PATIENCE, self.notify(&channels.join(" "), &payloads.join(" "))).await;
        }
    }

    fn take(&self) -> (Vec<String>, Vec<String>) {
        let mut state = self.state();
        let some = state.waiting.len().min(TOGETHER);
        state.sending = some > 0;
        state.waiting.drain(..some).unzip()
    }

    async fn notify(&self, channels: &str, payloads: &str) -> Result<(), Error> {
        let notify = &Statement::new(&self.notify).bind(channels).bind(payloads);
        // As harmless twice as a read is.
        let told = self.store.connections.read(|mut db| async move {
            self.store.fetch_on(&mut db, notify).await?;
            Ok(db.done(()))
        });
        told.await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One for each realm, so that the server keeps those of others away. Two tables of one name, in two schemas, share
/// it, and ignore what they do not know.
pub(super) fn channel(table: &str, realm: &str) -> String {
    format!("{table}_{:016x}", Lock::Realm(realm).key(table))
}

fn payload(invalidation: Invalidation) -> String {
    match invalidation {
        Invalidation::Ended(id) => id.to_text(),
        Invalidation::EveryoneEnded => EVERYONE.to_owned(),
    }
}

/// `None`: nothing that a store says.
pub(super) fn invalidation(payload: &str) -> Option<Invalidation> {
    if payload == EVERYONE {
        return Some(Invalidation::EveryoneEnded);
    }
    SessionId::from_text(payload).map(Invalidation::Ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_heard() {
        for id in [[0; 18], [0xff; 18], *b"0123456789abcdefgh"].map(SessionId::from_bytes) {
            let told = Invalidation::Ended(id);
            assert_eq!(invalidation(&payload(told)), Some(told));
        }
        let told = Invalidation::EveryoneEnded;
        assert_eq!(invalidation(&payload(told)), Some(told));
    }

    #[test]
    fn what_others_say_is_ignored() {
        for payload in ["", "hello", "0", &"+".repeat(24), &"0".repeat(25), &"ü".repeat(12)] {
            assert_eq!(invalidation(payload), None, "{payload}");
        }
    }
}

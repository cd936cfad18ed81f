//! Reads that arrive together go together: one command for many sessions of a realm.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::{Cmd, ErrorKind, RedisError, RedisResult, Value};
use session_core::SessionId;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::keys::Base;
use crate::link::{Link, Repeat};
use crate::patience::LOST;
use crate::record::is_of;

/// So many commands of a realm are under way at once; who comes then waits for the first of them, and goes with others.
const FLIGHTS: usize = 4;
/// The most sessions of one command: some microseconds of the server's time.
const MOST: usize = 64;
/// From so many waiting on, those who have given up are sent away.
const CROWD: usize = 1_024;

pub(crate) struct Reads {
    link: Link,
    realms: Mutex<HashMap<Base, Queue>>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// At how many waiting it is time to look who of them has given up.
    crowded: usize,
    flights: usize,
}

struct Waiting {
    id: SessionId,
    answer: oneshot::Sender<RedisResult<Option<Vec<u8>>>>,
}

impl Reads {
    pub(crate) fn new(link: Link) -> Self {
        Self { link, realms: Mutex::default() }
    }

    /// The bytes of a session of the realm's epoch.
    pub(crate) async fn read(self: &Arc<Self>, base: &Base, id: SessionId) -> RedisResult<Option<Vec<u8>>> {
        let (answer, answered) = oneshot::channel();
        if self.enqueue(base, Waiting { id, answer }) {
            // A task of its own: a caller that gives up stalls nobody.
            tokio::spawn(Flight { reads: self.clone(), base: base.clone(), over: false }.fly());
        }
        // Nobody answers when the runtime that the task was on has ended.
        answered.await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::ConnectionAborted).into()))
    }

    /// Whether somebody must start a flight.
    fn enqueue(&self, base: &Base, waiting: Waiting) -> bool {
        let mut realms = self.realms();
        if !realms.contains_key(base) {
            realms.insert(base.clone(), Queue::default());
        }
        let Some(queue) = realms.get_mut(base) else { return false };
        // While the server hangs no flight takes anybody away. Who is left counts half, so that to look costs each little.
        if queue.waiting.len() >= queue.crowded {
            queue.waiting.retain(|waiting| !waiting.answer.is_closed());
            queue.crowded = (2 * queue.waiting.len()).max(CROWD);
        }
        queue.waiting.push(waiting);
        let is_free = queue.flights < FLIGHTS;
        queue.flights += usize::from(is_free);
        is_free
    }

    fn realms(&self) -> MutexGuard<'_, HashMap<Base, Queue>> {
        self.realms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends one command after the other as long as somebody waits.
struct Flight {
    reads: Arc<Reads>,
    base: Base,
    over: bool,
}

impl Flight {
    async fn fly(mut self) {
        // Those who are about to ask may come along.
        tokio::task::yield_now().await;
        while let Some(batch) = self.board() {
            let answer = self.ask(&batch).await;
            deliver(batch, answer);
        }
    }

    /// The next to go. `None` ends the flight.
    fn board(&mut self) -> Option<Vec<Waiting>> {
        let mut realms = self.reads.realms();
        let queue = realms.get_mut(&self.base)?;
        queue.waiting.retain(|waiting| !waiting.answer.is_closed());
        if queue.waiting.is_empty() {
            self.over = true;
            land(&mut realms, &self.base);
            return None;
        }
        let after = queue.waiting.split_off(queue.waiting.len().min(MOST));
        Some(std::mem::replace(&mut queue.waiting, after))
    }

    /// What is never answered keeps no place among the flights of the realm: it is asked once more, by another connection.
    async fn ask(&self, batch: &[Waiting]) -> RedisResult<Value> {
        let link = &self.reads.link;
        for _ in 0..2 {
            let answer = link.send(self.command(batch), &self.base, Repeat::Read);
            if let Ok(answer) = timeout(LOST, answer).await {
                return answer;
            }
            link.renew();
        }
        Err(io::Error::from(io::ErrorKind::TimedOut).into())
    }

    fn command(&self, batch: &[Waiting]) -> Cmd {
        let realm = self.base.as_bytes();
        let mut get = Cmd::with_capacity(2 + batch.len(), 4 + realm.len() + batch.len() * (realm.len() + 17));
        get.arg("MGET").arg(realm);
        for waiting in batch {
            get.arg(self.base.session(waiting.id));
        }
        get
    }
}

/// A flight whose runtime ends must not leave others waiting for it.
impl Drop for Flight {
    fn drop(&mut self) {
        if !self.over {
            land(&mut self.reads.realms(), &self.base);
        }
    }
}

fn land(realms: &mut HashMap<Base, Queue>, base: &Base) {
    let Some(queue) = realms.get_mut(base) else { return };
    queue.flights = queue.flights.saturating_sub(1);
    if queue.flights == 0 {
        realms.remove(base);
    }
}

fn deliver(batch: Vec<Waiting>, answer: RedisResult<Value>) {
    let answers = match answer.and_then(|values| values_of(values, batch.len())) {
        Ok(answers) => answers,
        Err(error) => {
            for waiting in batch {
                let _ = waiting.answer.send(Err(error.clone()));
            }
            return;
        }
    };
    for (waiting, found) in batch.into_iter().zip(answers) {
        let _ = waiting.answer.send(Ok(found));
    }
}

/// What is there of the sessions, after the epoch.
fn values_of(answer: Value, sessions: usize) -> RedisResult<Vec<Option<Vec<u8>>>> {
    let Value::Array(values) = answer else { return Err(unreadable()) };
    let mut values = values.into_iter();
    let epoch = match values.next() {
        Some(Value::BulkString(epoch)) => Some(epoch),
        Some(Value::Nil) => None,
        _ => return Err(unreadable()),
    };
    let found = |value| match value {
        Value::BulkString(bytes) => {
            Ok(epoch.as_ref().is_some_and(|epoch| is_of(epoch, &bytes)).then_some(bytes))
        }
        Value::Nil => Ok(None),
        _ => Err(unreadable()),
    };
    let found = values.map(found).collect::<RedisResult<Vec<_>>>()?;
    if found.len() == sessions { Ok(found) } else { Err(unreadable()) }
}

fn unreadable() -> RedisError {
    (ErrorKind::Parse, "MGET answered something else than the values of its keys").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Prefix;

    #[tokio::test]
    async fn who_has_given_up_does_not_pile_up() {
        let link = Link::connect_lazily(redis::Client::open("redis://127.0.0.1:1").unwrap()).unwrap();
        let (reads, base) = (Reads::new(link), Prefix::default().realm("r"));
        let id = SessionId::from_bytes([7; 16]);
        let mut patient = Vec::new();
        for place in 0..100_000 {
            let (answer, answered) = oneshot::channel();
            reads.enqueue(&base, Waiting { id, answer });
            if place % 50 == 0 {
                patient.push(answered);
            }
        }
        let waiting = std::mem::take(&mut reads.realms().get_mut(&base).unwrap().waiting);
        assert!(waiting.len() <= 2 * patient.len(), "{}", waiting.len());
        assert_eq!(waiting.iter().filter(|waiting| !waiting.answer.is_closed()).count(), patient.len());
    }
}

//! Reads that arrive together go together: one command for many sessions of a realm, or in a cluster of a shard.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::{Cmd, ErrorKind, RedisError, RedisResult, Value};
use session_core::SessionId;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::error::slot_is_moving;
use crate::keys::{Base, Realm, shard_of};
use crate::link::{Link, Repeat};
use crate::patience::LOST;
use crate::record::is_of;

/// So many commands of a group are under way at once; who comes then waits for the first of them, and goes with others.
const FLIGHTS: usize = 4;
/// The most sessions of one command: some microseconds of the server's time.
const MOST: usize = 64;
/// From so many waiting on, those who have given up are sent away.
const CROWD: usize = 1_024;

pub(crate) struct Reads {
    link: Link,
    queues: Mutex<HashMap<Group, Queue>>,
}

/// What goes together: of one server the sessions of a realm, of a cluster those of a shard, which are in one slot.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Group {
    realm: Realm,
    shard: Option<u8>,
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

impl Waiting {
    fn shard(&self) -> u8 {
        shard_of(self.id)
    }
}

impl Reads {
    pub(crate) fn new(link: Link) -> Self {
        Self { link, queues: Mutex::default() }
    }

    /// The bytes of a session of its shard's epoch.
    pub(crate) async fn read(self: &Arc<Self>, realm: Realm, id: SessionId) -> RedisResult<Option<Vec<u8>>> {
        let (answer, answered) = oneshot::channel();
        let group = Group { realm, shard: self.link.is_spread().then(|| shard_of(id)) };
        if self.enqueue(&group, Waiting { id, answer }) {
            // A task of its own: a caller that gives up stalls nobody.
            tokio::spawn(Flight { reads: self.clone(), group, over: false }.fly());
        }
        // Nobody answers when the runtime that the task was on has ended.
        answered.await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::ConnectionAborted).into()))
    }

    /// Whether somebody must start a flight.
    fn enqueue(&self, group: &Group, waiting: Waiting) -> bool {
        let mut queues = self.queues();
        if !queues.contains_key(group) {
            queues.insert(group.clone(), Queue::default());
        }
        let Some(queue) = queues.get_mut(group) else { return false };
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

    fn queues(&self) -> MutexGuard<'_, HashMap<Group, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends one command after the other as long as somebody waits.
struct Flight {
    reads: Arc<Reads>,
    group: Group,
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

    /// The next to go, those of a shard side by side. `None` ends the flight.
    fn board(&mut self) -> Option<Vec<Waiting>> {
        let mut queues = self.reads.queues();
        let queue = queues.get_mut(&self.group)?;
        queue.waiting.retain(|waiting| !waiting.answer.is_closed());
        if queue.waiting.is_empty() {
            self.over = true;
            land(&mut queues, &self.group);
            return None;
        }
        let after = queue.waiting.split_off(queue.waiting.len().min(MOST));
        let mut batch = std::mem::replace(&mut queue.waiting, after);
        batch.sort_by_key(Waiting::shard);
        Some(batch)
    }

    /// What is never answered keeps no place among the flights of the group: it is asked once more, by another connection.
    async fn ask(&self, batch: &[Waiting]) -> RedisResult<Value> {
        let (base, keys) = (self.group.realm.shard(self.group.shard.unwrap_or_default()), self.keys(batch));
        let link = &self.reads.link;
        for _ in 0..2 {
            let answer = get_all(link, &base, &keys);
            if let Ok(answer) = timeout(LOST, answer).await {
                return answer;
            }
            link.renew();
        }
        Err(io::Error::from(io::ErrorKind::TimedOut).into())
    }

    /// For each shard its epoch, and then its sessions.
    fn keys(&self, batch: &[Waiting]) -> Vec<Vec<u8>> {
        let mut keys = Vec::with_capacity(2 * batch.len());
        for together in batch.chunk_by(|one, other| one.shard() == other.shard()) {
            let Some(shard) = together.first().map(Waiting::shard) else { continue };
            let base = self.group.realm.shard(shard);
            keys.push(base.as_bytes().to_vec());
            keys.extend(together.iter().map(|waiting| base.session(&waiting.id)));
        }
        keys
    }
}

/// The values of the keys. While a slot moves, a node answers for one key at a time.
async fn get_all(link: &Link, base: &Base, keys: &[Vec<u8>]) -> RedisResult<Value> {
    let mut get = Cmd::with_capacity(1 + keys.len(), 4 + keys.iter().map(Vec::len).sum::<usize>());
    get.arg("MGET").arg(keys);
    let answer = link.send(get, base, Repeat::Read).await;
    if !answer.as_ref().is_err_and(slot_is_moving) {
        return answer;
    }
    let mut values = Vec::with_capacity(keys.len());
    for key in keys {
        let mut get = redis::cmd("GET");
        get.arg(key);
        values.push(link.send(get, base, Repeat::Read).await?);
    }
    Ok(Value::Array(values))
}

/// A flight whose runtime ends must not leave others waiting for it.
impl Drop for Flight {
    fn drop(&mut self) {
        if !self.over {
            land(&mut self.reads.queues(), &self.group);
        }
    }
}

fn land(queues: &mut HashMap<Group, Queue>, group: &Group) {
    let Some(queue) = queues.get_mut(group) else { return };
    queue.flights = queue.flights.saturating_sub(1);
    if queue.flights == 0 {
        queues.remove(group);
    }
}

fn deliver(batch: Vec<Waiting>, answer: RedisResult<Value>) {
    let answers = match answer.and_then(|values| values_of(values, &batch)) {
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

/// What is there of the sessions: those of each shard after its epoch.
fn values_of(answer: Value, batch: &[Waiting]) -> RedisResult<Vec<Option<Vec<u8>>>> {
    let Value::Array(values) = answer else { return Err(unreadable()) };
    let mut values = values.into_iter().map(|value| match value {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::Nil => Ok(None),
        _ => Err(unreadable()),
    });
    let mut next = || values.next().unwrap_or_else(|| Err(unreadable()));
    let mut found = Vec::with_capacity(batch.len());
    for together in batch.chunk_by(|one, other| one.shard() == other.shard()) {
        let epoch = next()?;
        let epoch = epoch.as_deref().and_then(<[u8]>::first_chunk::<4>);
        for _ in together {
            found.push(next()?.filter(|bytes| epoch.is_some_and(|epoch| is_of(epoch, bytes))));
        }
    }
    Ok(found)
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
        let (reads, group) = (Reads::new(link), Group { realm: Prefix::default().realm("r"), shard: None });
        let id = SessionId::from_bytes([7; 18]);
        let mut patient = Vec::new();
        for place in 0..100_000 {
            let (answer, answered) = oneshot::channel();
            reads.enqueue(&group, Waiting { id, answer });
            if place % 50 == 0 {
                patient.push(answered);
            }
        }
        let waiting = std::mem::take(&mut reads.queues().get_mut(&group).unwrap().waiting);
        assert!(waiting.len() <= 2 * patient.len(), "{}", waiting.len());
        assert_eq!(waiting.iter().filter(|waiting| !waiting.answer.is_closed()).count(), patient.len());
    }
}

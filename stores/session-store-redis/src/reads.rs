//! Reads that arrive together go together: one command for many sessions of a realm, or in a cluster of a shard.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::{Cmd, ErrorKind, RedisError, RedisResult, Value};
use session_core::SessionId;
use tokio::runtime::Handle;
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
    answer: oneshot::Sender<Found>,
}

type Found = RedisResult<Option<Vec<u8>>>;

impl Reads {
    pub(crate) fn new(link: Link) -> Self {
        Self { link, queues: Mutex::default() }
    }

    /// The bytes of a session of its shard's epoch.
    pub(crate) async fn read(self: &Arc<Self>, realm: Realm, id: SessionId) -> Found {
        let group = Group { realm, shard: self.link.is_spread().then(|| shard_of(id)) };
        let answered = match self.take_off(group, id) {
            Err(answered) => answered,
            Ok(flight) => {
                if !flight.is_first {
                    // Those who are about to ask may come along.
                    tokio::task::yield_now().await;
                }
                if flight.is_empty() {
                    // Alone without a task, which would cost a switch of threads there and back.
                    return flight.ask(&[id]).await.map(|mut found| found.pop().flatten());
                }
                let answered = flight.admit(id);
                // A task of its own: a caller that gives up stalls nobody.
                tokio::spawn(flight.fly());
                answered
            }
        };
        // Nobody answers when the runtime that the task was on has ended.
        answered.await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::ConnectionAborted).into()))
    }

    /// A flight, or the answer of one that is under way already.
    fn take_off(self: &Arc<Self>, group: Group, id: SessionId) -> Result<Flight, oneshot::Receiver<Found>> {
        let mut queues = self.queues();
        let is_first = !queues.contains_key(&group);
        match queues.get_mut(&group) {
            Some(queue) if queue.flights >= FLIGHTS => return Err(queue.admit(id)),
            Some(queue) => queue.flights += 1,
            None => drop(queues.insert(group.clone(), Queue { flights: 1, ..Queue::default() })),
        }
        let runtime = Handle::try_current().ok();
        Ok(Flight { reads: self.clone(), group, runtime, is_first, state: State::UnderWay })
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<Group, Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn admit(&mut self, id: SessionId) -> oneshot::Receiver<Found> {
        // While the server hangs no flight takes anybody away. Who is left counts half, so that to look costs each little.
        if self.waiting.len() >= self.crowded {
            self.waiting.retain(|waiting| !waiting.answer.is_closed());
            self.crowded = (2 * self.waiting.len()).max(CROWD);
        }
        let (answer, answered) = oneshot::channel();
        self.waiting.push(Waiting { id, answer });
        answered
    }
}

/// Sends one command after the other as long as somebody waits.
struct Flight {
    reads: Arc<Reads>,
    group: Group,
    runtime: Option<Handle>,
    /// No other is under way.
    is_first: bool,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    UnderWay,
    /// Takes over from one that was given up, and has not begun.
    Follows,
    Over,
}

impl Flight {
    async fn fly(mut self) {
        self.state = State::UnderWay;
        while let Some(batch) = self.board() {
            let ids: Vec<_> = batch.iter().map(|waiting| waiting.id).collect();
            deliver(batch, self.ask(&ids).await);
        }
    }

    fn is_empty(&self) -> bool {
        self.reads.queues().get(&self.group).is_none_or(|queue| queue.waiting.is_empty())
    }

    fn admit(&self, id: SessionId) -> oneshot::Receiver<Found> {
        self.reads.queues().entry(self.group.clone()).or_default().admit(id)
    }

    /// The next to go, those of a shard side by side. `None` ends the flight.
    fn board(&mut self) -> Option<Vec<Waiting>> {
        let mut queues = self.reads.queues();
        let queue = queues.get_mut(&self.group)?;
        queue.waiting.retain(|waiting| !waiting.answer.is_closed());
        if queue.waiting.is_empty() {
            self.state = State::Over;
            land(&mut queues, &self.group);
            return None;
        }
        let after = queue.waiting.split_off(queue.waiting.len().min(MOST));
        let mut batch = std::mem::replace(&mut queue.waiting, after);
        batch.sort_by_key(|waiting| shard_of(waiting.id));
        Some(batch)
    }

    /// What there is of these sessions, those of a shard side by side. What is never answered keeps no place among the
    /// flights of the group: it is asked once more, by another connection.
    async fn ask(&self, ids: &[SessionId]) -> RedisResult<Vec<Option<Vec<u8>>>> {
        let (base, keys) = (self.group.realm.shard(self.group.shard.unwrap_or_default()), self.keys(ids));
        let link = &self.reads.link;
        for _ in 0..2 {
            let answer = get_all(link, &base, &keys);
            if let Ok(answer) = timeout(LOST, answer).await {
                return values_of(answer?, ids);
            }
            link.renew();
        }
        Err(io::Error::from(io::ErrorKind::TimedOut).into())
    }

    /// For each shard its epoch, and then its sessions.
    fn keys(&self, ids: &[SessionId]) -> Vec<Vec<u8>> {
        let mut keys = Vec::with_capacity(2 * ids.len());
        for together in of_each_shard(ids) {
            let Some(shard) = together.first().map(|id| shard_of(*id)) else { continue };
            let base = self.group.realm.shard(shard);
            keys.push(base.as_bytes().to_vec());
            keys.extend(together.iter().map(|id| base.session(id)));
        }
        keys
    }
}

fn of_each_shard(ids: &[SessionId]) -> impl Iterator<Item = &[SessionId]> {
    ids.chunk_by(|one, other| shard_of(*one) == shard_of(*other))
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

/// A flight that is given up, as its caller is, leaves nobody waiting: another one takes over. Where the runtime has ended, too,
/// whoever waits is told.
impl Drop for Flight {
    fn drop(&mut self) {
        if self.state == State::Over {
            return;
        }
        let mut queues = self.reads.queues();
        let somebody_waits = queues.get(&self.group).is_some_and(|queue| !queue.waiting.is_empty());
        match self.runtime.take() {
            Some(runtime) if somebody_waits && self.state == State::UnderWay => {
                drop(queues);
                let (reads, group) = (self.reads.clone(), self.group.clone());
                let next = Some(runtime.clone());
                let next = Self { reads, group, runtime: next, is_first: false, state: State::Follows };
                drop(runtime.spawn(next.fly()));
            }
            _ => land(&mut queues, &self.group),
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

fn deliver(batch: Vec<Waiting>, answer: RedisResult<Vec<Option<Vec<u8>>>>) {
    match answer {
        Ok(found) => {
            for (waiting, found) in batch.into_iter().zip(found) {
                let _ = waiting.answer.send(Ok(found));
            }
        }
        Err(error) => {
            for waiting in batch {
                let _ = waiting.answer.send(Err(error.clone()));
            }
        }
    }
}

/// What is there of the sessions: those of each shard after its epoch.
fn values_of(answer: Value, ids: &[SessionId]) -> RedisResult<Vec<Option<Vec<u8>>>> {
    let Value::Array(values) = answer else { return Err(unreadable()) };
    let mut values = values.into_iter().map(|value| match value {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::Nil => Ok(None),
        _ => Err(unreadable()),
    });
    let mut next = || values.next().unwrap_or_else(|| Err(unreadable()));
    let mut found = Vec::with_capacity(ids.len());
    for together in of_each_shard(ids) {
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

    #[test]
    fn who_has_given_up_does_not_pile_up() {
        let id = SessionId::from_bytes([7; 18]);
        let mut patient = Vec::new();
        let mut queue = Queue::default();
        for place in 0..100_000 {
            let answered = queue.admit(id);
            if place % 50 == 0 {
                patient.push(answered);
            }
        }
        let waiting = queue.waiting;
        assert!(waiting.len() <= 2 * patient.len(), "{}", waiting.len());
        assert_eq!(waiting.iter().filter(|waiting| !waiting.answer.is_closed()).count(), patient.len());
    }
}

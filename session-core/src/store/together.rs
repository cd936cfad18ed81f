//! Reads that arrive together go together: one question to a database for many sessions.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{Shared, WeakShared};

use super::deadline::give_way;

/// So many questions of a group are under way at once; who comes then waits for the first of them, and goes with others.
const FLIGHTS: usize = 4;

type Answers<T> = Pin<Box<dyn Future<Output = Arc<[T]>> + Send>>;

/// For a store that can read many sessions at once: lets reads that arrive together share one question.
///
/// Whoever waits for an answer drives the question, so it needs no task and no runtime, and a caller who gives up stops
/// nobody else. Alone a read goes at once. A read joins only a question that has not been put yet: what was deleted
/// before it began is not found. A question that everybody has given up is dropped.
pub struct Together<G, K, T> {
    groups: Mutex<HashMap<G, Group<K, T>>>,
    most: usize,
}

struct Group<K, T> {
    boarding: Option<Boarding<K, T>>,
    departed: VecDeque<WeakShared<Answers<T>>>,
}

/// A question that has not been put yet.
struct Boarding<K, T> {
    keys: Keys<K>,
    flight: WeakShared<Answers<T>>,
}

/// What is asked for; `None` once it was.
type Keys<K> = Arc<Mutex<Option<Vec<K>>>>;

impl<G: Clone + Eq + Hash, K: Send + 'static, T: Clone + Send + Sync + 'static> Together<G, K, T> {
    /// At most so many in one question.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { groups: Mutex::default(), most }
    }

    /// The answer for `key`, asked for together with others of its group. `ask` answers as many as it is asked for, in
    /// their order; `None` where it answers fewer.
    pub async fn read<F>(
        &self,
        group: &G,
        key: K,
        ask: impl FnOnce(Vec<K>) -> F + Send + 'static,
    ) -> Option<T>
    where
        F: Future<Output = Vec<T>> + Send + 'static,
    {
        let (flight, seat) = self.board(group, key, ask);
        // Those who are about to ask may come along.
        give_way().await;
        flight.await.get(seat).cloned()
    }

    fn board<F>(
        &self,
        group: &G,
        key: K,
        ask: impl FnOnce(Vec<K>) -> F + Send + 'static,
    ) -> (Shared<Answers<T>>, usize)
    where
        F: Future<Output = Vec<T>> + Send + 'static,
    {
        let mut groups = lock(&self.groups);
        if !groups.contains_key(group) {
            groups.insert(group.clone(), Group { boarding: None, departed: VecDeque::new() });
        }
        // It was put in just now.
        let Some(group) = groups.get_mut(group) else { return (nothing(), 0) };
        let key = match group.join(key, self.most) {
            Ok(joined) => return joined,
            Err(key) => key,
        };
        (group.start(key, ask), 0)
    }
}

impl<K: Send + 'static, T: Clone + Send + Sync + 'static> Group<K, T> {
    /// A seat in the question that is not put yet, or the key back.
    fn join(&self, key: K, most: usize) -> Result<(Shared<Answers<T>>, usize), K> {
        let boarding = self.boarding.as_ref();
        let Some((boarding, flight)) = boarding.and_then(|it| Some((it, it.flight.upgrade()?))) else {
            return Err(key);
        };
        match &mut *lock(&boarding.keys) {
            Some(keys) if keys.len() < most => {
                keys.push(key);
                Ok((flight, keys.len() - 1))
            }
            _ => Err(key),
        }
    }

    fn start<F>(&mut self, key: K, ask: impl FnOnce(Vec<K>) -> F + Send + 'static) -> Shared<Answers<T>>
    where
        F: Future<Output = Vec<T>> + Send + 'static,
    {
        let keys: Keys<K> = Arc::new(Mutex::new(Some(vec![key])));
        let before = self.turn();
        let own = Arc::clone(&keys);
        let flight = async move {
            if let Some(before) = before {
                before.await;
            }
            let keys = lock(&own).take().unwrap_or_default();
            Arc::from(ask(keys).await)
        };
        let flight = (Box::pin(flight) as Answers<T>).shared();
        let weak = flight.downgrade();
        self.departed.extend(weak.clone());
        self.boarding = weak.map(|flight| Boarding { keys, flight });
        flight
    }

    /// What has to be answered before another question is put.
    fn turn(&mut self) -> Option<Shared<Answers<T>>> {
        self.departed.retain(|flight| flight.upgrade().is_some_and(|flight| flight.peek().is_none()));
        let place = self.departed.len().checked_sub(FLIGHTS)?;
        self.departed.get(place).and_then(WeakShared::upgrade)
    }
}

fn nothing<T: Clone + Send + Sync + 'static>() -> Shared<Answers<T>> {
    (Box::pin(async { Arc::from(Vec::new()) }) as Answers<T>).shared()
}

fn lock<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<G, K, T> std::fmt::Debug for Together<G, K, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Together").field("most", &self.most).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    type Numbers = Together<&'static str, u32, u32>;

    /// Doubles every number after a pause, and counts how often it was asked.
    fn double(
        asked: &Arc<AtomicUsize>,
    ) -> impl FnOnce(Vec<u32>) -> Pin<Box<dyn Future<Output = Vec<u32>> + Send>> + use<> {
        let asked = Arc::clone(asked);
        move |keys| {
            Box::pin(async move {
                asked.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                keys.into_iter().map(|key| 2 * key).collect()
            })
        }
    }

    #[tokio::test]
    async fn a_hundred_reads_at_once_are_few_questions_and_each_gets_its_own_answer() {
        let (numbers, asked) = (Arc::new(Numbers::new(32)), Arc::default());
        let reads = (0..100).map(|key| {
            let (numbers, ask) = (Arc::clone(&numbers), double(&asked));
            tokio::spawn(async move { numbers.read(&"group", key, ask).await })
        });
        let answers = join_all(reads.collect::<Vec<_>>()).await;
        assert!(answers.into_iter().map(Result::unwrap).eq((0..100).map(|key| Some(2 * key))));
        assert_eq!(asked.load(Ordering::SeqCst), 4);
    }

    #[tokio::test]
    async fn one_read_after_the_other_is_one_question_each() {
        let (numbers, asked) = (Numbers::new(32), Arc::default());
        for key in 0..3 {
            assert_eq!(numbers.read(&"group", key, double(&asked)).await, Some(2 * key));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        assert_eq!(lock(&numbers.groups).len(), 1);
    }

    #[tokio::test]
    async fn groups_do_not_go_together() {
        let (numbers, asked) = (Numbers::new(32), Arc::default());
        let reads = ["a", "b"].map(|group| {
            let (numbers, asked) = (&numbers, &asked);
            async move { numbers.read(&group, 1, double(asked)).await }
        });
        assert_eq!(join_all(reads).await, [Some(2), Some(2)]);
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn whoever_gives_up_stops_nobody() {
        let (numbers, asked) = (Numbers::new(32), Arc::default());
        let mut first = Box::pin(numbers.read(&"group", 1, double(&asked)));
        let mut second = Box::pin(numbers.read(&"group", 2, double(&asked)));
        assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        drop(first);
        assert_eq!(second.await, Some(4));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn no_read_joins_a_question_that_was_put() {
        let (numbers, asked) = (Numbers::new(32), Arc::default());
        let mut first = Box::pin(numbers.read(&"group", 1, double(&asked)));
        while asked.load(Ordering::SeqCst) == 0 {
            assert!((&mut first).now_or_never().is_none());
        }
        let second = numbers.read(&"group", 1, double(&asked)).await;
        assert_eq!((first.await, second, asked.load(Ordering::SeqCst)), (Some(2), Some(2), 2));
    }

    /// A database that never answers holds nobody up who comes when those who asked have given up.
    #[tokio::test]
    async fn what_everybody_has_given_up_is_no_longer_waited_for() {
        let (numbers, asked) = (Numbers::new(1), Arc::default());
        let mut hanging = Vec::new();
        for key in 0..10 {
            let never = |_| std::future::pending::<Vec<u32>>();
            let mut read = Box::pin(numbers.read(&"group", key, never));
            for _ in 0..3 {
                assert!((&mut read).now_or_never().is_none());
            }
            hanging.push(read);
        }
        let mut waits = Box::pin(numbers.read(&"group", 7, double(&asked)));
        assert!((&mut waits).now_or_never().is_none());
        drop(waits);
        drop(hanging);
        assert_eq!(numbers.read(&"group", 7, double(&asked)).await, Some(14));
        assert_eq!(lock(&numbers.groups)["group"].departed.len(), 1);
    }

    #[tokio::test]
    async fn too_few_answers_are_none() {
        let numbers = Numbers::new(32);
        assert_eq!(numbers.read(&"group", 1, |_| async { Vec::new() }).await, None);
    }
}

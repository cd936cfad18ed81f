//! Who writes: one caller at a time, for all that wait.
//!
//! Needs no task, no timer and no runtime. The caller who has the turn takes along whoever waits, and drives what is made
//! of their jobs: the flight. When it gives up, another one of those in it drives it on, so that nobody is harmed; only a
//! flight that everybody gave up is dropped. Whoever comes while a flight is under way waits for the next one, and
//! whoever is alone waits for nobody.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::sync::oneshot;

/// So many jobs go together: the first of them is told when the last is done.
pub(super) const MOST: usize = 64;

/// What a caller wants to be done.
pub(super) trait Job {
    /// Whether it takes so long that nobody should wait for it who need not.
    fn goes_alone(&self) -> bool;
}

/// The callers that wait for their turn, in the order in which they came.
pub(super) struct Queue<J, T>(Waiting<J, T>);

type Waiting<J, T> = Arc<Mutex<Callers<J, T>>>;

struct Callers<J, T> {
    waiting: VecDeque<Caller<J, T>>,
    /// Somebody has the turn.
    is_taken: bool,
    /// The last flight had company.
    are_many: bool,
}

struct Caller<J, T> {
    job: J,
    told: oneshot::Sender<Told<J, T>>,
}

/// Where a caller waits.
type Place<J, T> = oneshot::Receiver<Told<J, T>>;

/// What a caller who waits hears in the end.
enum Told<J, T> {
    /// Somebody took the job along.
    Answer(T),
    /// It is the turn of this caller, who gets the job back.
    Turn(Turn<J, T>, J),
    /// Somebody took the job along and gave up: this caller drives the flight on.
    Flight(Flight<J, T>),
}

impl<J: Job, T> Queue<J, T> {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Callers { waiting: VecDeque::new(), is_taken: false, are_many: false })))
    }

    /// What came of `job`. `fly` does the jobs it is given and answers each, in their order. A caller who gives up
    /// before the flight finds its job not done, and later done completely or, if everybody gave up, not at all.
    ///
    /// `None`: the flight ended without an answer.
    pub(super) async fn write<F>(&self, job: J, fly: impl FnOnce(Vec<J>) -> F) -> Option<T>
    where
        F: Future<Output = Vec<T>> + Send + 'static,
    {
        let told = match self.enter(job) {
            Ok((turn, job)) => Told::Turn(turn, job),
            Err(told) => told.await.ok()?,
        };
        let mut flight = match told {
            Told::Answer(answer) => return Some(answer),
            Told::Turn(turn, job) => {
                turn.wait_for_others().await;
                turn.depart(job, fly)
            }
            Told::Flight(flight) => flight,
        };
        flight.land().await
    }

    /// The turn, if nobody has it, or a place to wait for it.
    fn enter(&self, job: J) -> Result<(Turn<J, T>, J), Place<J, T>> {
        let mut callers = lock(&self.0);
        if callers.is_taken {
            let (told, hears) = oneshot::channel();
            callers.waiting.push_back(Caller { job, told });
            return Err(hears);
        }
        callers.is_taken = true;
        Ok((Turn(Some(Arc::clone(&self.0))), job))
    }
}

/// The right to write. It passes to the first who waits when it is dropped.
struct Turn<J, T>(Option<Waiting<J, T>>);

impl<J: Job, T> Turn<J, T> {
    /// Those who were told just now may be about to write again. Who was alone is so again, most likely.
    async fn wait_for_others(&self) {
        let are_many = self.0.as_ref().is_some_and(|callers| lock(callers).are_many);
        if are_many {
            give_way().await;
        }
    }

    fn depart<F>(self, job: J, fly: impl FnOnce(Vec<J>) -> F) -> Flight<J, T>
    where
        F: Future<Output = Vec<T>> + Send + 'static,
    {
        let company = if job.goes_alone() { Vec::new() } else { self.company() };
        let (mut jobs, mut told) = (vec![job], vec![None]);
        for caller in company {
            jobs.push(caller.job);
            told.push(Some(caller.told));
        }
        Flight(Some(Aloft { journey: Box::pin(fly(jobs)), told, own: 0, _turn: self }))
    }

    /// Those who come along, without those who gave up.
    fn company(&self) -> Vec<Caller<J, T>> {
        let Some(callers) = &self.0 else { return Vec::new() };
        let Callers { waiting, are_many, .. } = &mut *lock(callers);
        let together = waiting.iter().take(MOST - 1).take_while(|caller| !caller.job.goes_alone()).count();
        let company: Vec<_> = waiting.drain(..together).filter(|caller| !caller.told.is_closed()).collect();
        *are_many = !company.is_empty();
        company
    }
}

impl<J, T> Drop for Turn<J, T> {
    fn drop(&mut self) {
        let Some(callers) = self.0.take() else { return };
        while let Some(Caller { job, told }) = next(&callers) {
            match told.send(Told::Turn(Turn(Some(Arc::clone(&callers))), job)) {
                // This one gave up, and its job with it.
                Err(Told::Turn(mut turn, _)) => turn.0 = None,
                _ => return,
            }
        }
    }
}

/// The next one that waits. If there is none, the turn is whose who comes next.
fn next<J, T>(callers: &Waiting<J, T>) -> Option<Caller<J, T>> {
    let mut callers = lock(callers);
    let next = callers.waiting.pop_front();
    callers.is_taken = next.is_some();
    next
}

/// Jobs that are being done. Dropped on the way, it is driven on by another one of its callers. `None`: it is over.
struct Flight<J, T>(Option<Aloft<J, T>>);

struct Aloft<J, T> {
    journey: Pin<Box<dyn Future<Output = Vec<T>> + Send>>,
    /// How to tell each caller; `None` for those who drive or drove.
    told: Vec<Option<oneshot::Sender<Told<J, T>>>>,
    /// The place of the one who drives.
    own: usize,
    _turn: Turn<J, T>,
}

impl<J, T> Flight<J, T> {
    /// Drives the flight to its end and tells everybody. Answers what came of the driver's own job.
    async fn land(&mut self) -> Option<T> {
        let answers = self.0.as_mut()?.journey.as_mut().await;
        let Aloft { told, own, _turn, .. } = self.0.take()?;
        let mut answer = None;
        for (place, (told, its)) in told.into_iter().zip(answers).enumerate() {
            match told {
                // Who is not there to hear it gave up.
                Some(told) => drop(told.send(Told::Answer(its))),
                None if place == own => answer = Some(its),
                None => {}
            }
        }
        answer
    }
}

impl<J, T> Drop for Flight<J, T> {
    fn drop(&mut self) {
        let Some(mut aloft) = self.0.take() else { return };
        // A journey that panicked cannot go on.
        let places = if std::thread::panicking() { 0 } else { aloft.told.len() };
        for place in 0..places {
            let Some(told) = aloft.told.get_mut(place).and_then(Option::take) else { continue };
            aloft.own = place;
            let Err(Told::Flight(mut back)) = told.send(Told::Flight(Flight(Some(aloft)))) else { return };
            let Some(same) = back.0.take() else { return };
            aloft = same;
        }
    }
}

/// Pending once.
async fn give_way() {
    let mut has_given = false;
    poll_fn(|context| {
        if mem::replace(&mut has_given, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn lock<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures_util::FutureExt as _;
    use futures_util::future::join_all;
    use tokio::task::yield_now;

    use super::*;

    impl Job for u32 {
        fn goes_alone(&self) -> bool {
            *self >= 1000
        }
    }

    /// A queue whose flights are noted, and last as long as the weather is bad.
    struct Airport {
        queue: Queue<u32, u32>,
        flights: Arc<Mutex<Vec<Vec<u32>>>>,
        is_clear: Arc<AtomicBool>,
    }

    impl Airport {
        fn new(is_clear: bool) -> Self {
            let is_clear = Arc::new(AtomicBool::new(is_clear));
            Self { queue: Queue::new(), flights: Arc::default(), is_clear }
        }

        /// Doubles the number.
        async fn write(&self, job: u32) -> Option<u32> {
            let (flights, is_clear) = (Arc::clone(&self.flights), Arc::clone(&self.is_clear));
            let fly = |jobs: Vec<u32>| async move {
                lock(&flights).push(jobs.clone());
                while !is_clear.load(Ordering::SeqCst) {
                    yield_now().await;
                }
                jobs.into_iter().map(|job| job * 2).collect()
            };
            self.queue.write(job, fly).await
        }

        fn flights(&self) -> Vec<Vec<u32>> {
            lock(&self.flights).clone()
        }

        fn clear_up(&self) {
            self.is_clear.store(true, Ordering::SeqCst);
        }
    }

    /// Callers that have all been asked once, so that the first has the turn and the others wait.
    fn callers(
        airport: &Airport,
        jobs: impl IntoIterator<Item = u32>,
    ) -> Vec<Pin<Box<dyn Future<Output = Option<u32>> + '_>>> {
        let callers = jobs.into_iter().map(|job| -> Pin<Box<dyn Future<Output = _>>> {
            let mut caller = Box::pin(airport.write(job));
            assert_eq!((&mut caller).now_or_never(), None);
            caller
        });
        callers.collect()
    }

    #[tokio::test]
    async fn whoever_is_alone_goes_at_once() {
        let airport = Airport::new(true);
        for job in 0..3 {
            assert_eq!(airport.write(job).now_or_never(), Some(Some(job * 2)));
        }
        assert_eq!(airport.flights(), [[0], [1], [2]]);
    }

    #[tokio::test]
    async fn those_who_wait_go_together_in_the_order_in_which_they_came() {
        let airport = Airport::new(false);
        let callers = callers(&airport, 0..100);
        airport.clear_up();
        assert!(join_all(callers).await.into_iter().eq((0..100).map(|job| Some(job * 2))));
        let flights = airport.flights();
        assert!(flights.concat().into_iter().eq(0..100));
        assert!(flights.iter().map(Vec::len).eq([1, 64, 35]));
    }

    #[tokio::test]
    async fn what_goes_alone_is_overtaken_by_nobody_and_shares_with_nobody() {
        let airport = Airport::new(false);
        let callers = callers(&airport, [0, 1, 2, 1000, 3, 4]);
        airport.clear_up();
        join_all(callers).await;
        assert_eq!(airport.flights(), [vec![0], vec![1, 2], vec![1000], vec![3, 4]]);
    }

    #[tokio::test]
    async fn whoever_gives_up_while_waiting_is_not_taken_along() {
        let airport = Airport::new(false);
        let mut callers = callers(&airport, 0..4);
        drop(callers.remove(2));
        airport.clear_up();
        assert_eq!(join_all(callers).await, [Some(0), Some(2), Some(6)]);
        assert_eq!(airport.flights(), [vec![0], vec![1, 3]]);
    }

    #[tokio::test]
    async fn a_flight_whose_driver_gives_up_is_driven_on_by_another_and_not_repeated() {
        let airport = Airport::new(false);
        let mut waiting = callers(&airport, 0..5);
        // Alone in the first flight: it ends with its caller, and the next one has the turn.
        drop(waiting.remove(0));
        for caller in &mut waiting {
            assert_eq!(caller.now_or_never(), None);
        }
        assert_eq!(airport.flights(), [vec![0], vec![1, 2, 3, 4]]);
        // The driver, the one who drives on, and one who does not know yet that it would be next.
        let rest = waiting.split_off(3);
        for mut caller in waiting {
            assert_eq!((&mut caller).now_or_never(), None);
            drop(caller);
        }
        airport.clear_up();
        assert_eq!(join_all(rest).await, [Some(8)]);
        assert_eq!(airport.flights().len(), 2);
    }

    #[tokio::test]
    async fn a_turn_is_lost_by_nobody_who_gives_up() {
        let airport = Airport::new(false);
        let mut waiting = callers(&airport, 0..5);
        let last = waiting.split_off(4);
        // Each gets the turn from the one before and never knows.
        drop(waiting);
        airport.clear_up();
        assert_eq!(join_all(last).await, [Some(8)]);
        assert_eq!(airport.flights(), [[0], [4]]);
        assert_eq!(airport.write(7).now_or_never(), Some(Some(14)), "nobody has the turn");
    }

    #[tokio::test]
    async fn a_flight_that_everybody_gave_up_holds_nobody_up() {
        let airport = Airport::new(false);
        drop(callers(&airport, 0..5));
        airport.clear_up();
        assert_eq!(airport.write(7).now_or_never(), Some(Some(14)));
    }

    #[tokio::test]
    async fn a_flight_that_panics_is_no_answer_and_the_next_one_goes() {
        let queue = Arc::new(Queue::<u32, u32>::new());
        let write = |job: u32| {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move {
                let fly = |jobs: Vec<u32>| async move {
                    yield_now().await;
                    assert!(!jobs.contains(&2), "a bug");
                    jobs
                };
                queue.write(job, fly).await
            })
        };
        let answers = join_all([1, 2, 3].map(write)).await;
        assert_eq!(answers[0].as_ref().unwrap(), &Some(1));
        assert!(answers[1].is_err());
        assert_eq!(answers[2].as_ref().unwrap(), &None);
        assert_eq!(write(4).await.unwrap(), Some(4));
    }
}

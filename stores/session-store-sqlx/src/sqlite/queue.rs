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
    fn enter(&self, job: J) -> Result<(Turn<J, T>, J), oneshot::Receiver<Told<J, T>>> {
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

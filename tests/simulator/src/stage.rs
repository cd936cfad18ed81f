//! One thread, one time, and tasks that take turns in an order which the seed decides.
//!
//! Time passes only when nobody has anything to do. It counts in milliseconds from the beginning of the run.

use std::collections::BTreeMap;
use std::future::Future;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::happened::{Counts, Happened};
use crate::random::Random;

pub(crate) type Millis = u64;
type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Many more turns than any run takes: one that reaches this has lost itself in a circle.
const MOST_TURNS: u64 = 2_000_000;

/// A handle to the stage. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Stage(Arc<Inner>);

struct Inner {
    now: AtomicU64,
    random: Mutex<Random>,
    ready: Arc<Mutex<Vec<usize>>>,
    timers: Mutex<BTreeMap<(Millis, u64), Waker>>,
    timers_made: AtomicU64,
    newcomers: Mutex<Vec<Task>>,
    /// The first thing that was not as it must be.
    wrong: Mutex<Option<String>>,
    counts: Mutex<Counts>,
    trace: Option<Mutex<Vec<String>>>,
}

impl Stage {
    pub(crate) fn new(seed: u64, traces: bool) -> Self {
        Self(Arc::new(Inner {
            now: AtomicU64::new(0),
            random: Mutex::new(Random::new(seed)),
            ready: Arc::default(),
            timers: Mutex::default(),
            timers_made: AtomicU64::new(0),
            newcomers: Mutex::default(),
            wrong: Mutex::default(),
            counts: Mutex::default(),
            trace: traces.then(Mutex::default),
        }))
    }

    pub(crate) fn now(&self) -> Millis {
        self.0.now.load(Ordering::Relaxed)
    }

    /// Not to be held while another method is called.
    pub(crate) fn random(&self) -> MutexGuard<'_, Random> {
        lock(&self.0.random)
    }

    pub(crate) fn sleep(&self, time: Millis) -> Sleep {
        self.sleep_until(self.now().saturating_add(time))
    }

    pub(crate) fn sleep_until(&self, until: Millis) -> Sleep {
        Sleep { stage: self.clone(), until, is_set: false }
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        lock(&self.0.newcomers).push(Box::pin(task));
    }

    /// A line of the trace, if there is one.
    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        if let Some(trace) = &self.0.trace {
            let now = self.now();
            lock(trace).push(format!("{:>5}.{:03} {}", now / 1000, now % 1000, line()));
        }
    }

    pub(crate) fn count(&self, kind: Happened) {
        lock(&self.0.counts).count(kind);
    }

    pub(crate) fn counts(&self) -> Counts {
        *lock(&self.0.counts)
    }

    /// Something is wrong: the run ends, and only the first such thing is told.
    pub(crate) fn fail(&self, what: impl FnOnce() -> String) {
        let mut wrong = lock(&self.0.wrong);
        if wrong.is_none() {
            let what = what();
            self.note(|| format!("WRONG: {what}"));
            *wrong = Some(what);
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        lock(&self.0.wrong).is_some()
    }

    /// What was wrong, and the trace.
    pub(crate) fn take_result(&self) -> (Option<String>, Vec<String>) {
        let trace = self.0.trace.as_ref().map(|trace| mem::take(&mut *lock(trace)));
        (lock(&self.0.wrong).take(), trace.unwrap_or_default())
    }

    /// Lets the tasks take turns until `end`, or until nobody waits for anything.
    pub(crate) fn run(&self, end: Millis) {
        self.take_turns(end);
        // They hold this stage.
        lock(&self.0.newcomers).clear();
    }

    fn take_turns(&self, end: Millis) {
        let mut tasks: Vec<Option<(Task, Waker, Arc<Turn>)>> = Vec::new();
        for _ in 0..MOST_TURNS {
            for newcomer in mem::take(&mut *lock(&self.0.newcomers)) {
                let turn = Arc::new(Turn::new(tasks.len(), &self.0.ready));
                let waker = Waker::from(Arc::clone(&turn));
                tasks.push(Some((newcomer, waker, turn)));
                lock(&self.0.ready).push(tasks.len() - 1);
            }
            if self.has_failed() {
                return;
            }
            let Some(next) = self.next_ready() else { if self.pass_time(end) { continue } else { return } };
            let Some((task, waker, turn)) = &mut tasks[next] else { continue };
            turn.is_queued.store(false, Ordering::Relaxed);
            if task.as_mut().poll(&mut Context::from_waker(waker)).is_ready() {
                tasks[next] = None;
            }
        }
        self.fail(|| format!("the run does not end: {MOST_TURNS} turns"));
    }

    fn next_ready(&self) -> Option<usize> {
        let mut ready = lock(&self.0.ready);
        let at = match ready.len() {
            0 => return None,
            1 => 0,
            len => self.random().index(len),
        };
        Some(ready.swap_remove(at))
    }

    /// Goes on to the next timer, and wakes all that are due then.
    fn pass_time(&self, end: Millis) -> bool {
        let mut timers = lock(&self.0.timers);
        let Some((&(next, _), _)) = timers.first_key_value() else { return false };
        if next > end {
            return false;
        }
        self.0.now.store(next.max(self.now()), Ordering::Relaxed);
        let later = timers.split_off(&(next + 1, 0));
        let due = mem::replace(&mut *timers, later);
        drop(timers);
        due.into_values().for_each(Waker::wake);
        true
    }
}

struct Turn {
    task: usize,
    ready: Arc<Mutex<Vec<usize>>>,
    is_queued: AtomicBool,
}

impl Turn {
    fn new(task: usize, ready: &Arc<Mutex<Vec<usize>>>) -> Self {
        Self { task, ready: Arc::clone(ready), is_queued: AtomicBool::new(true) }
    }
}

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::Relaxed) {
            lock(&self.ready).push(self.task);
        }
    }
}

/// Ready when it is time. Zero is ready at once.
pub(crate) struct Sleep {
    stage: Stage,
    until: Millis,
    is_set: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.stage.now() >= self.until {
            return Poll::Ready(());
        }
        if !self.is_set {
            let serial = self.stage.0.timers_made.fetch_add(1, Ordering::Relaxed);
            lock(&self.stage.0.timers).insert((self.until, serial), context.waker().clone());
            self.is_set = true;
        }
        Poll::Pending
    }
}

/// A value that somebody else will bring.
pub(crate) struct Promise<T>(Arc<Mutex<(Option<T>, Option<Waker>)>>);

impl<T> Promise<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new((None, None))))
    }

    pub(crate) fn keep(&self, value: T) {
        let mut state = lock(&self.0);
        state.0 = Some(value);
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
    }
}

impl<T> Clone for Promise<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Future for Promise<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut state = lock(&self.0);
        match state.0.take() {
            Some(value) => Poll::Ready(value),
            None => {
                state.1 = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// A future that is dropped after so many polls, or when `is_over` says so: whoever asked has gone, or the node that
/// worked on it. `None` then.
pub(crate) struct Cut<F, O> {
    pub(crate) future: Pin<Box<F>>,
    pub(crate) polls: Option<u64>,
    pub(crate) is_over: O,
}

impl<F: Future, O: Fn() -> bool + Unpin> Future for Cut<F, O> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == Some(0) || (self.is_over)() {
            return Poll::Ready(None);
        }
        self.polls = self.polls.map(|polls| polls - 1);
        self.future.as_mut().poll(context).map(Some)
    }
}

/// What is ready at once.
pub(crate) fn ready<T>(call: impl Future<Output = T>) -> Option<T> {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

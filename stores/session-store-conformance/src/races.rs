//! Calls that start together.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Barrier};

/// How often a race is run.
pub(crate) const ROUNDS: usize = 100;

/// The place of the one answer that is `wanted`.
pub(crate) fn the_only<T: PartialEq + std::fmt::Debug>(answers: &[T], wanted: &T) -> usize {
    let mut places = answers.iter().enumerate().filter(|(_, answer)| *answer == wanted);
    let place = places.next().map(|(place, _)| place);
    assert!(places.next().is_none(), "more than one: {answers:?}");
    place.unwrap_or_else(|| panic!("none: {answers:?}"))
}

/// Runs the calls on a thread each, starting together.
pub(crate) async fn at_once<T: Send + 'static>(
    calls: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let calls: Vec<_> = calls.into_iter().collect();
    let barrier = Arc::new(Barrier::new(calls.len()));
    let runtime = tokio::runtime::Handle::current();
    let run = |call| {
        let (barrier, runtime) = (barrier.clone(), runtime.clone());
        tokio::task::spawn_blocking(move || {
            barrier.wait();
            runtime.block_on(call)
        })
    };
    let threads: Vec<_> = calls.into_iter().map(run).collect();
    let mut answers = Vec::new();
    for thread in threads {
        answers.push(thread.await.unwrap());
    }
    answers
}

pub(crate) async fn both<A: Send + 'static, B: Send + 'static>(
    a: impl Future<Output = A> + Send + 'static,
    b: impl Future<Output = B> + Send + 'static,
) -> (A, B) {
    enum Either<A, B> {
        A(A),
        B(B),
    }
    type Call<T> = Pin<Box<dyn Future<Output = T> + Send>>;
    let calls: [Call<Either<A, B>>; 2] =
        [Box::pin(async { Either::A(a.await) }), Box::pin(async { Either::B(b.await) })];
    let mut answers = at_once(calls).await.into_iter();
    match (answers.next(), answers.next()) {
        (Some(Either::A(a)), Some(Either::B(b))) => (a, b),
        _ => unreachable!("answers come in the order of the calls"),
    }
}

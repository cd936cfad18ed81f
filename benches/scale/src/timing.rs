//! Times of the operations on two places in turn, so that whatever else the machine does falls on both alike.

use std::time::{Duration, Instant};

use session_benches::measure::median;
use session_core::store::SessionStore;

use crate::operation::{ACCOUNTS, ALL, Operation, Place};

/// The first ones of each operation prepare statements and are not counted; the last ones are left for the plans.
const WARM_UP: u64 = 20;
pub const TIMED: u64 = ACCOUNTS - 40;

/// Median microseconds of each operation on the places.
pub async fn compare<const N: usize>(places: &[Place; N], phase: u64) -> Vec<(Operation, [f64; N])> {
    let mut table = Vec::new();
    for operation in ALL {
        let mut times = [const { Vec::new() }; N];
        for nth in 0..TIMED {
            for (place, times) in places.iter().zip(&mut times) {
                let began = Instant::now();
                place.run(operation, phase, nth).await;
                times.push(began.elapsed().as_secs_f64() * 1e6);
            }
        }
        let medians = times.map(|times| median(times.into_iter().skip(WARM_UP as usize).collect()));
        table.push((operation, medians));
    }
    table
}

/// What a cleanup took.
pub struct Cleanup {
    pub deleted: usize,
    pub batches: Vec<Duration>,
    pub total: Duration,
    /// The sweep that found nothing.
    pub empty: Duration,
}

/// Deletes what has expired, at most `most` batches of 1,000.
pub async fn clean_up(place: &Place, most: usize) -> Cleanup {
    let (mut deleted, mut batches) = (0, Vec::new());
    let began = Instant::now();
    while batches.len() < most {
        let (count, time) = batch(place).await;
        if count == 0 {
            break;
        }
        deleted += count;
        batches.push(time);
    }
    let total = began.elapsed();
    let empty = median(empty_sweeps(place, batches.len() < most).await);
    Cleanup { deleted, batches, total, empty: Duration::from_secs_f64(empty) }
}

async fn empty_sweeps(place: &Place, wanted: bool) -> Vec<f64> {
    let mut times = vec![0.0];
    for nth in 0..if wanted { 21 } else { 0 } {
        let (count, time) = batch(place).await;
        assert_eq!(count, 0);
        if nth == 0 {
            times.clear();
        }
        times.push(time.as_secs_f64());
    }
    times
}

async fn batch(place: &Place) -> (usize, Duration) {
    let began = Instant::now();
    let count = place.store.delete_expired(place.sample.now, 1000).await.expect("an answer");
    (count, began.elapsed())
}

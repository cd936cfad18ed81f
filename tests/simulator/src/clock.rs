//! The clock of a node: wrong by a little, and set right, or wrong, now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use session_core::{Clock, Timestamp};

use crate::stage::{Millis, Stage};

/// What a clock that is right shows at the beginning of a run.
pub(crate) const BEGINNING: i64 = 1_800_000_000;

/// When a clock that is right shows this.
pub(crate) fn since_the_beginning(time: i64) -> Millis {
    u64::try_from(time - BEGINNING).unwrap_or_default() * 1000
}

/// Clones show the same time.
#[derive(Clone)]
pub(crate) struct NodeClock {
    stage: Stage,
    hands: Arc<Hands>,
}

#[derive(Default)]
struct Hands {
    /// In milliseconds, against the time of the run.
    skew: AtomicI64,
    /// How often it was set.
    jumps: AtomicU64,
    /// A planted fault: it shows what it showed.
    stands_still: AtomicBool,
    stopped_at: AtomicU64,
}

impl NodeClock {
    pub(crate) fn new(stage: &Stage, skew: i64) -> Self {
        let hands = Hands { skew: AtomicI64::new(skew), ..Hands::default() };
        Self { stage: stage.clone(), hands: Arc::new(hands) }
    }

    /// Somebody sets the wall clock.
    pub(crate) fn set(&self, skew: i64) {
        self.hands.skew.store(skew, Ordering::Relaxed);
        self.hands.jumps.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn jumps(&self) -> u64 {
        self.hands.jumps.load(Ordering::Relaxed)
    }

    pub(crate) fn stop(&self) {
        self.hands.stopped_at.store(self.stage.now(), Ordering::Relaxed);
        self.hands.stands_still.store(true, Ordering::Relaxed);
    }

    fn time(&self) -> Millis {
        if self.hands.stands_still.load(Ordering::Relaxed) {
            return self.hands.stopped_at.load(Ordering::Relaxed);
        }
        self.stage.now()
    }
}

impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        let skew = self.hands.skew.load(Ordering::Relaxed);
        let millis = i64::try_from(self.time()).unwrap_or(i64::MAX).saturating_add(skew);
        Timestamp::from_unix_seconds(BEGINNING + millis.div_euclid(1000))
    }

    fn steady(&self) -> Duration {
        Duration::from_millis(self.time())
    }
}

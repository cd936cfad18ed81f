//! All chance comes from the seed.

use std::io;
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};

use session_core::RandomSource;

/// SplitMix64: one number of state, so that a seed is a run.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub(crate) fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or_default()
    }

    /// So often of a thousand.
    pub(crate) fn chance(&mut self, of_a_thousand: u64) -> bool {
        self.below(1000) < of_a_thousand
    }

    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.index(end + 1));
        }
    }
}

/// Where the core of a node draws its session ids from.
pub(crate) struct NodeRandom {
    random: Mutex<Random>,
    /// A planted fault: it says the same again and again.
    repeats: bool,
}

impl NodeRandom {
    pub(crate) fn new(seed: u64, repeats: bool) -> Self {
        Self { random: Mutex::new(Random::new(seed)), repeats }
    }
}

impl RandomSource for NodeRandom {
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        for byte in bytes {
            *byte = if self.repeats { 7 } else { random.next().to_le_bytes()[7] };
        }
        Ok(())
    }
}

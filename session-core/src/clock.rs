//! Time and randomness come from outside, so that tests own both.

use std::io;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

use crate::time::Timestamp;

/// Where the manager reads the time. The default is [`SystemClock`].
pub trait Clock: Send + Sync + 'static {
    /// The current time. Nodes of a fleet should agree to within a few seconds.
    fn now(&self) -> Timestamp;

    /// The time since some fixed moment, by a clock that nobody can set: hybrid mode measures with it how long ago it
    /// read a session, and what ended is remembered for so long, whatever the time is set to meanwhile. The default is the system's monotonic clock.
    fn steady(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }
}

/// The system's wall clock.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "it has no parts")]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }
}

/// Where session ids, and the nonces of what is sealed, come from. The default is [`SystemRandom`]; anything else belongs in tests only.
pub trait RandomSource: Send + Sync + 'static {
    /// Fills `bytes` with unpredictable bytes.
    ///
    /// # Errors
    /// When the source has none: the login that asked fails, it never falls back to something weaker.
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()>;
}

/// The operating system's cryptographically secure random source.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "it has no parts")]
pub struct SystemRandom;

impl RandomSource for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        getrandom::fill(bytes).map_err(io::Error::other)
    }
}

//! How long sessions live: the settings, their presets, and the one function that judges by them.

mod describe;
mod judge;

use std::time::Duration;

use crate::error::ConfigError;

pub(crate) use judge::{Standing, Start, Times};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// How long a session lives, in whole seconds. Checked when the manager is built.
///
/// ```
/// use std::time::Duration;
/// use session_core::Lifetimes;
///
/// let lifetimes = Lifetimes::default().max_age(Duration::from_secs(8 * 3600));
/// assert!(lifetimes.describe().contains("8 h"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    pub(crate) max_age: Duration,
    pub(crate) refresh_threshold: Duration,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) absolute_lifetime: Duration,
    pub(crate) unremembered: Duration,
    pub(crate) guest: Duration,
    pub(crate) incomplete: Duration,
    pub(crate) last_seen_interval: Duration,
    pub(crate) replay_grace: Duration,
    pub(crate) leeway: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            max_age: Duration::from_secs(24 * HOUR),
            refresh_threshold: Duration::from_secs(30 * MINUTE),
            idle_timeout: None,
            absolute_lifetime: Duration::from_secs(30 * DAY),
            unremembered: Duration::from_secs(12 * HOUR),
            guest: Duration::from_secs(DAY),
            incomplete: Duration::from_secs(15 * MINUTE),
            last_seen_interval: Duration::from_secs(MINUTE),
            replay_grace: Duration::from_secs(30),
            leeway: Duration::from_secs(MINUTE),
        }
    }
}

impl Lifetimes {
    /// NIST SP 800-63B-4 section 2.1.3 (AAL1): log in again at least every 30 days, no idle timeout. The default.
    #[must_use]
    pub fn nist_aal1() -> Self {
        Self::default()
    }

    /// NIST SP 800-63B-4 section 2.2.3 (AAL2): log in again at least every 24 hours, and after 1 hour idle.
    /// Needs a store, as every idle timeout does.
    #[must_use]
    pub fn nist_aal2() -> Self {
        Self::default()
            .absolute_lifetime(Duration::from_secs(24 * HOUR))
            .idle_timeout(Duration::from_secs(HOUR))
    }

    /// NIST SP 800-63B-4 section 2.3.3 (AAL3): log in again at least every 12 hours, and after 15 minutes idle.
    /// Needs a store, as every idle timeout does.
    #[must_use]
    pub fn nist_aal3() -> Self {
        Self::default()
            .max_age(Duration::from_secs(12 * HOUR))
            .absolute_lifetime(Duration::from_secs(12 * HOUR))
            .idle_timeout(Duration::from_secs(15 * MINUTE))
    }

    /// Who uses the service at least once in `idle`, if only by one request, stays logged in, up to the absolute lifetime,
    /// which is 30 days or, if that is longer, that of a token.
    ///
    /// This is what people expect who use a service every day: with the default, which refreshes in the last 30 minutes
    /// of 24 hours, somebody who works from nine to five is logged out each morning. `idle` counts in whole seconds.
    ///
    /// A token lives for `idle` twice and a tenth, and is renewed once in `idle`: with a store the first use of a token
    /// retires its predecessor and brings no other one yet, so that a visitor of one request needs two visits for a new
    /// token. To end sessions after `idle` sharply, add [`idle_timeout`](Self::idle_timeout).
    #[must_use]
    pub fn sliding(idle: Duration) -> Self {
        let tenth = Duration::from_secs(idle.as_secs().div_ceil(10));
        let idle = Duration::from_secs(idle.as_secs());
        let refresh_threshold = idle.saturating_add(tenth);
        let max_age = idle.saturating_add(refresh_threshold);
        let default = Self::default();
        Self {
            max_age,
            refresh_threshold,
            absolute_lifetime: default.absolute_lifetime.max(max_age),
            // Two visits in a row, and a request a grace after each, fit into a token's life.
            replay_grace: default.replay_grace.min(Duration::from_secs(tenth.as_secs() / 2)),
            ..default
        }
    }

    /// For services that keep their users logged in: whoever comes back within 30 days is still there, up to 180 days
    /// after the login. Longer than the 30 days of NIST SP 800-63B-4 AAL1. A login with
    /// [`remember(false)`](crate::Login::remember) ends with the browser all the same.
    #[must_use]
    pub fn remember_me() -> Self {
        Self::sliding(Duration::from_secs(30 * DAY)).absolute_lifetime(Duration::from_secs(180 * DAY))
    }

    /// How long a token is good from its issue on. Default 24 h.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// A session used with less than this left is refreshed on the way. Default 30 min.
    #[must_use]
    pub fn refresh_threshold(mut self, threshold: Duration) -> Self {
        self.refresh_threshold = threshold;
        self
    }

    /// Ends a session that nobody used for so long (ASVS 7.3.1). Default off. Needs a store: a token alone does
    /// not know when it was last used. Counted from the last written last-seen, so it may err early by
    /// [`last_seen_interval`](Self::last_seen_interval).
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// No chain of refreshes passes this, counted from the login (ASVS 7.3.2). Default 30 days.
    #[must_use]
    pub fn absolute_lifetime(mut self, lifetime: Duration) -> Self {
        self.absolute_lifetime = lifetime;
        self
    }

    /// The absolute lifetime of a login that is [not to be remembered](crate::Login::remember). Default 12 h.
    #[must_use]
    pub fn unremembered(mut self, lifetime: Duration) -> Self {
        self.unremembered = lifetime;
        self
    }

    /// The absolute lifetime of a guest's session. Default 24 h.
    #[must_use]
    pub fn guest(mut self, lifetime: Duration) -> Self {
        self.guest = lifetime;
        self
    }

    /// How long a login may wait for its second factor (level 0). Default 15 min.
    #[must_use]
    pub fn incomplete(mut self, lifetime: Duration) -> Self {
        self.incomplete = lifetime;
        self
    }

    /// Last-seen is written at most so often per session. Default 60 s; costs one store write each time.
    #[must_use]
    pub fn last_seen_interval(mut self, interval: Duration) -> Self {
        self.last_seen_interval = interval;
        self
    }

    /// How long a replaced token is still served after its successor was first used, for requests that were
    /// under way; after that it counts as stolen and ends the session. Default 30 s, at most a sixth of
    /// [`max_age`](Self::max_age) and less than [`refresh_threshold`](Self::refresh_threshold). Only with a store.
    ///
    /// A request's flight, the difference of the servers' clocks and the store's deadline together must stay below it:
    /// then no client is logged out by its own parallel requests, and a front end that does nothing but refresh in the
    /// last seconds stays logged in, whatever that number is up to twice the grace.
    #[must_use]
    pub fn replay_grace(mut self, grace: Duration) -> Self {
        self.replay_grace = grace;
        self
    }

    /// How far `iat` and `nbf` may lie in the future, for clocks that differ. Default 60 s. `exp` has no leeway.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Finds settings that contradict each other.
    pub(crate) fn validate(&self, tracked: bool) -> Result<(), ConfigError> {
        self.validate_whole_seconds()?;
        if self.refresh_threshold >= self.max_age {
            return Err(ConfigError::new(
                "refresh_threshold is not below max_age, so every request would refresh: lower refresh_threshold \
                 or raise max_age",
            ));
        }
        if self.max_age > self.absolute_lifetime {
            return Err(ConfigError::new(
                "max_age is above absolute_lifetime, which no session may pass: lower max_age or raise \
                 absolute_lifetime",
            ));
        }
        if tracked { self.validate_tracked() } else { self.validate_stateless() }
    }

    fn validate_tracked(&self) -> Result<(), ConfigError> {
        if self.idle_timeout.is_some_and(|idle| self.last_seen_interval > idle / 10) {
            return Err(ConfigError::new(
                "last_seen_interval is above a tenth of idle_timeout, so active users would be logged out: lower \
                 last_seen_interval or raise idle_timeout",
            ));
        }
        if self.replay_grace >= self.refresh_threshold {
            return Err(ConfigError::new(
                "replay_grace is not below refresh_threshold, so a session could expire before it may be refreshed: \
                 lower replay_grace or raise refresh_threshold",
            ));
        }
        if self.replay_grace > self.max_age / 6 {
            return Err(ConfigError::new(
                "replay_grace is above a sixth of max_age, so a token could expire before it may be replaced: lower \
                 replay_grace or raise max_age",
            ));
        }
        Ok(())
    }

    fn validate_stateless(&self) -> Result<(), ConfigError> {
        match self.idle_timeout {
            None => Ok(()),
            Some(_) => Err(ConfigError::new(
                "idle_timeout needs a store, because a token alone does not know when it was last used: add \
                 .store(..), or use a short max_age instead",
            )),
        }
    }

    fn validate_whole_seconds(&self) -> Result<(), ConfigError> {
        let idle = self.idle_timeout.unwrap_or(self.max_age);
        let must_be_positive = [
            ("max_age", self.max_age),
            ("absolute_lifetime", self.absolute_lifetime),
            ("unremembered", self.unremembered),
            ("guest", self.guest),
            ("incomplete", self.incomplete),
            ("idle_timeout", idle),
        ];
        let may_be_zero = [
            ("refresh_threshold", self.refresh_threshold),
            ("last_seen_interval", self.last_seen_interval),
            ("replay_grace", self.replay_grace),
            ("leeway", self.leeway),
        ];
        if let Some((name, _)) = must_be_positive.iter().find(|(_, duration)| duration.is_zero()) {
            return Err(ConfigError::new(format!("{name} is zero: give it at least one second")));
        }
        match must_be_positive.iter().chain(&may_be_zero).find(|(_, duration)| duration.subsec_nanos() != 0) {
            Some((name, _)) => Err(ConfigError::new(format!(
                "{name} has a fraction of a second, which tokens cannot carry: round it to whole seconds"
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn presets_are_valid_with_a_store() {
        let sliding = [2, 30, 600, DAY, 60 * DAY].map(|idle| Lifetimes::sliding(seconds(idle)));
        let nist = [Lifetimes::nist_aal1(), Lifetimes::nist_aal2(), Lifetimes::nist_aal3()];
        for preset in nist.into_iter().chain(sliding).chain([Lifetimes::remember_me()]) {
            assert!(preset.validate(true).is_ok(), "{preset:?}");
        }
    }

    #[test]
    fn every_setting_keeps_the_others() {
        let set: [fn(Lifetimes) -> Lifetimes; 10] = [
            |all| all.max_age(seconds(1)),
            |all| all.refresh_threshold(seconds(2)),
            |all| all.idle_timeout(seconds(3)),
            |all| all.absolute_lifetime(seconds(4)),
            |all| all.unremembered(seconds(5)),
            |all| all.guest(seconds(6)),
            |all| all.incomplete(seconds(7)),
            |all| all.last_seen_interval(seconds(8)),
            |all| all.replay_grace(seconds(9)),
            |all| all.leeway(seconds(10)),
        ];
        let forwards = set.iter().fold(Lifetimes::default(), |all, set| set(all));
        let backwards = set.iter().rev().fold(Lifetimes::default(), |all, set| set(all));
        assert_eq!(format!("{forwards:?}"), format!("{backwards:?}"));
        assert_eq!(forwards.last_seen_interval, seconds(8));
    }

    #[test]
    fn contradictions_say_what_to_change() {
        let cases = [
            (Lifetimes::default().refresh_threshold(seconds(24 * HOUR)), "refresh_threshold"),
            (Lifetimes::default().max_age(seconds(31 * DAY)), "absolute_lifetime"),
            (Lifetimes::default().idle_timeout(seconds(599)), "last_seen_interval"),
            (Lifetimes::default().replay_grace(seconds(HOUR)), "replay_grace"),
            (Lifetimes::default().max_age(seconds(179)).refresh_threshold(seconds(60)), "a sixth of max_age"),
            (Lifetimes::default().max_age(Duration::ZERO), "max_age"),
            (Lifetimes::default().leeway(Duration::from_millis(1500)), "leeway"),
        ];
        for (lifetimes, word) in cases {
            let error = lifetimes.validate(true).map_err(|error| error.to_string());
            assert!(error.as_ref().is_err_and(|text| text.contains(word)), "{word}: {error:?}");
        }
    }

    #[test]
    fn a_grace_of_a_sixth_of_max_age_is_taken() {
        let lifetimes = Lifetimes::default().max_age(seconds(180)).refresh_threshold(seconds(60));
        assert!(lifetimes.validate(true).is_ok());
        // Without a store no token is ever replaced.
        let shorter = lifetimes.max_age(seconds(100));
        assert!(shorter.validate(false).is_ok() && shorter.validate(true).is_err());
    }

    #[test]
    fn an_idle_timeout_without_a_store_is_refused() {
        assert!(Lifetimes::nist_aal2().validate(false).is_err());
    }
}

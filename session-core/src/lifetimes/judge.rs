//! One pure function of (settings, times, now): good or not, and for how long.

use std::time::Duration;

use super::Lifetimes;
use crate::time::Timestamp;

/// The points in time that decide over a session, from a token or a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) authenticated_at: Timestamp,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// `None` without a store: nobody knows.
    pub(crate) last_seen: Option<Timestamp>,
}

/// How a session stands at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) is_live: bool,
    /// The earlier of the token's expiry and the end of the absolute lifetime.
    pub(crate) expires_at: Timestamp,
    pub(crate) remaining: Duration,
    pub(crate) idle_remaining: Option<Duration>,
    pub(crate) absolute_remaining: Duration,
    /// Less than the threshold is left, and a refresh would gain time.
    pub(crate) refresh_due: bool,
}

impl Lifetimes {
    pub(crate) fn judge(&self, times: &Times, now: Timestamp) -> Standing {
        let absolute_end = self.absolute_end(times.authenticated_at);
        let expires_at = times.expires_at.min(absolute_end);
        let idle_end = self.idle_end(times.last_seen);
        Standing {
            is_live: now < expires_at && idle_end.is_none_or(|end| now < end),
            expires_at,
            remaining: expires_at.remaining(now),
            idle_remaining: idle_end.map(|end| end.remaining(now)),
            absolute_remaining: absolute_end.remaining(now),
            refresh_due: expires_at.remaining(now) < self.refresh_threshold
                && self.fresh_expiry(times.authenticated_at, now) > expires_at,
        }
    }

    /// When a token issued now would expire.
    pub(crate) fn fresh_expiry(&self, authenticated_at: Timestamp, now: Timestamp) -> Timestamp {
        now.plus(self.max_age).min(self.absolute_end(authenticated_at))
    }

    /// When the store may forget a session.
    pub(crate) fn ends_at(&self, times: &Times) -> Timestamp {
        let end = times.expires_at.min(self.absolute_end(times.authenticated_at));
        self.idle_end(times.last_seen).map_or(end, |idle| idle.min(end))
    }

    /// What no refresh passes.
    pub(crate) fn absolute_end(&self, authenticated_at: Timestamp) -> Timestamp {
        authenticated_at.plus(self.absolute_lifetime)
    }

    fn idle_end(&self, last_seen: Option<Timestamp>) -> Option<Timestamp> {
        Some(last_seen?.plus(self.idle_timeout?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOGIN: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

    fn after(seconds: u64) -> Timestamp {
        LOGIN.plus(Duration::from_secs(seconds))
    }

    fn fresh_login(lifetimes: &Lifetimes) -> Times {
        Times {
            authenticated_at: LOGIN,
            issued_at: LOGIN,
            expires_at: lifetimes.fresh_expiry(LOGIN, LOGIN),
            last_seen: Some(LOGIN),
        }
    }

    #[test]
    fn a_session_is_good_one_second_before_its_expiry_and_gone_at_it() {
        let lifetimes = Lifetimes::default();
        let times = fresh_login(&lifetimes);
        assert!(lifetimes.judge(&times, after(86_399)).is_live);
        assert!(!lifetimes.judge(&times, after(86_400)).is_live);
    }

    #[test]
    fn an_idle_session_is_good_one_second_before_the_timeout_and_gone_at_it() {
        let lifetimes = Lifetimes::default().idle_timeout(Duration::from_secs(900));
        let times = fresh_login(&lifetimes);
        assert!(lifetimes.judge(&times, after(899)).is_live);
        assert!(!lifetimes.judge(&times, after(900)).is_live);
    }

    #[test]
    fn a_refresh_is_due_below_the_threshold_only() {
        let lifetimes = Lifetimes::default();
        let times = fresh_login(&lifetimes);
        assert!(!lifetimes.judge(&times, after(86_400 - 1_800)).refresh_due);
        assert!(lifetimes.judge(&times, after(86_400 - 1_799)).refresh_due);
    }

    #[test]
    fn no_refresh_is_due_when_it_gains_nothing() {
        let lifetimes = Lifetimes::nist_aal3();
        let times = fresh_login(&lifetimes);
        assert!(!lifetimes.judge(&times, after(12 * 3600 - 1)).refresh_due);
    }

    proptest! {
        #[test]
        fn no_chain_of_refreshes_passes_the_absolute_lifetime(steps in prop::collection::vec(0_u64..100_000, 0..60)) {
            let lifetimes = Lifetimes::default();
            let (mut times, mut now) = (fresh_login(&lifetimes), LOGIN);
            for step in steps {
                now = now.plus(Duration::from_secs(step));
                if lifetimes.judge(&times, now).is_live {
                    times.expires_at = lifetimes.fresh_expiry(LOGIN, now);
                }
                prop_assert!(times.expires_at <= LOGIN.plus(lifetimes.absolute_lifetime));
            }
            prop_assert!(!lifetimes.judge(&times, LOGIN.plus(lifetimes.absolute_lifetime)).is_live);
        }

        #[test]
        fn the_remaining_time_never_exceeds_the_settings(token in any::<i64>(), login in any::<i64>(), now in any::<i64>()) {
            let lifetimes = Lifetimes::default();
            let now = Timestamp::from_unix_seconds(now);
            let authenticated_at = Timestamp::from_unix_seconds(login).min(now);
            let expires_at = Timestamp::from_unix_seconds(token);
            let times = Times { authenticated_at, issued_at: authenticated_at, expires_at, last_seen: None };
            let standing = lifetimes.judge(&times, now);
            prop_assert!(standing.remaining <= lifetimes.absolute_lifetime);
            prop_assert_eq!(standing.is_live, !standing.remaining.is_zero());
        }
    }
}

//! One pure function of (settings, times, now): good or not, and for how long.

use std::time::Duration;

use super::Lifetimes;
use crate::terms::Terms;
use crate::time::Timestamp;

/// From when on the absolute lifetime counts, and what shortens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) authenticated_at: Timestamp,
    /// The session ends at the latest then, whatever the settings say.
    pub(crate) ends_by: Option<Timestamp>,
}

/// The points in time that decide over a session, from a token or a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) start: Start,
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
        let absolute_end = self.absolute_end(times.start);
        let expires_at = times.expires_at.min(absolute_end);
        let idle_end = self.idle_end(times.last_seen);
        Standing {
            is_live: now < expires_at && idle_end.is_none_or(|end| now < end),
            expires_at,
            remaining: expires_at.remaining(now),
            idle_remaining: idle_end.map(|end| end.remaining(now)),
            absolute_remaining: absolute_end.remaining(now),
            refresh_due: expires_at.remaining(now) < self.refresh_threshold
                && self.fresh_expiry(times.start, now) > expires_at,
        }
    }

    /// When a token issued now would expire.
    pub(crate) fn fresh_expiry(&self, start: Start, now: Timestamp) -> Timestamp {
        now.plus(self.max_age).min(self.absolute_end(start))
    }

    /// When the store may forget a session.
    pub(crate) fn ends_at(&self, times: &Times) -> Timestamp {
        let end = times.expires_at.min(self.absolute_end(times.start));
        self.idle_end(times.last_seen).map_or(end, |idle| idle.min(end))
    }

    /// What no refresh passes.
    pub(crate) fn absolute_end(&self, start: Start) -> Timestamp {
        let end = start.authenticated_at.plus(self.absolute_lifetime);
        start.ends_by.map_or(end, |ends_by| ends_by.min(end))
    }

    /// What shortens the absolute lifetime of a login, if anything does.
    pub(crate) fn shortest(&self, terms: &Terms, is_guest: bool) -> Option<Duration> {
        let limits = [
            terms.at_most,
            (!terms.is_remembered).then_some(self.unremembered),
            is_guest.then_some(self.guest),
            (terms.level == 0).then_some(self.incomplete),
        ];
        limits.into_iter().flatten().min()
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

    const START: Start = Start { authenticated_at: LOGIN, ends_by: None };

    fn fresh_login(lifetimes: &Lifetimes) -> Times {
        Times {
            start: START,
            issued_at: LOGIN,
            expires_at: lifetimes.fresh_expiry(START, LOGIN),
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
    fn what_ends_earlier_by_its_login_ends_then_and_nothing_ends_later() {
        let lifetimes = Lifetimes::default();
        for (ends_by, end) in [(3_600, 3_600), (90 * 86_400, 30 * 86_400)] {
            let start = Start { ends_by: Some(after(ends_by)), ..START };
            assert_eq!(lifetimes.absolute_end(start), after(end));
            assert!(lifetimes.fresh_expiry(start, after(end - 10)) == after(end));
        }
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
                    times.expires_at = lifetimes.fresh_expiry(START, now);
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
            let start = Start { authenticated_at, ends_by: None };
            let times = Times { start, issued_at: authenticated_at, expires_at, last_seen: None };
            let standing = lifetimes.judge(&times, now);
            prop_assert!(standing.remaining <= lifetimes.absolute_lifetime);
            prop_assert_eq!(standing.is_live, !standing.remaining.is_zero());
        }
    }
}

//! The policy in words, for the auditor (ASVS 5.0, 7.1.1 to 7.1.3).

use std::fmt::Write as _;
use std::time::Duration;

use super::Lifetimes;

impl Lifetimes {
    /// Every timeout in words, and where it departs from the NIST SP 800-63B-4 levels.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = String::new();
        let idle = self.idle_timeout.map_or_else(|| "none".to_owned(), words);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "Sessions expire {} after their last refresh and {} after the login, whatever happens in between. \
             Idle timeout: {idle}. A session used with less than {} left is refreshed. \
             Tokens replaced by a refresh are served for {} after the first use of their successor. {}",
            words(self.max_age),
            words(self.absolute_lifetime),
            words(self.refresh_threshold),
            words(self.replay_grace),
            self.nist(),
        );
        text
    }

    fn nist(&self) -> String {
        let levels = [("AAL3", Self::nist_aal3()), ("AAL2", Self::nist_aal2()), ("AAL1", Self::nist_aal1())];
        match levels.iter().find(|(_, level)| self.is_within(level)) {
            Some((name, _)) => format!("Within the timeouts of NIST SP 800-63B-4 {name}."),
            None => format!(
                "Departs from NIST SP 800-63B-4: even AAL1 asks for a login every {}.",
                words(Self::nist_aal1().absolute_lifetime)
            ),
        }
    }

    fn is_within(&self, level: &Self) -> bool {
        let idle_is_within =
            level.idle_timeout.is_none_or(|most| self.idle_timeout.is_some_and(|own| own <= most));
        self.absolute_lifetime <= level.absolute_lifetime && idle_is_within
    }
}

fn words(duration: Duration) -> String {
    match duration.as_secs() {
        s if s > 86_400 && s % 86_400 == 0 => format!("{} days", s / 86_400),
        s if s >= 3_600 && s % 3_600 == 0 => format!("{} h", s / 3_600),
        s if s >= 60 && s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_names_every_timeout_and_the_level() {
        let text = Lifetimes::nist_aal2().describe();
        for part in ["24 h", "Idle timeout: 1 h", "30 min", "30 s", "AAL2"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn durations_are_in_their_largest_whole_unit() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (90, "90 s"),
            (3_540, "59 min"),
            (3_600, "1 h"),
            (5_400, "90 min"),
            (86_400, "24 h"),
            (90_000, "25 h"),
            (90_060, "1501 min"),
            (172_800, "2 days"),
        ] {
            assert_eq!(words(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn a_departure_from_every_level_is_named() {
        let long = Lifetimes::default().absolute_lifetime(Duration::from_secs(90 * 86_400));
        assert!(long.describe().contains("Departs"));
    }
}

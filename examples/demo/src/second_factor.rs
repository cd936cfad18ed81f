//! The second factor of an account: codes of an authenticator app (RFC 6238), each good once.

use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use session_core::Timestamp;
use totp_rs::{Builder, Totp};

/// What the app shows above its codes.
const ISSUER: &str = "session demo";
/// The length of a key that RFC 4226 (section 4) recommends.
const KEY_BYTES: usize = 20;
const DIGITS: usize = 6;
/// With so many wrong codes of an account no other is looked at ...
const MOST_WRONG: u32 = 5;
/// ... for so long. Counted by login, they would be counted anew with every login.
const PAUSE: Duration = Duration::from_secs(5 * 60);

/// Whether a login needs a code, and which codes are right. `Debug` does not show the key.
#[derive(Default)]
pub enum SecondFactor {
    /// A password is enough.
    #[default]
    Off,
    /// There is a key, and nobody has shown yet that an app has it.
    Proposed(Totp),
    /// A login needs a code.
    On {
        /// The key.
        totp: Totp,
        /// The step of the last code that was taken: that code and older ones are spent (RFC 6238 section 5.2).
        spent: u64,
        /// The wrong codes since the last right one, and when the first of them came.
        wrong: Option<(u32, Timestamp)>,
    },
}

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was right, and is spent.
    Right,
    /// It was not, or no code is asked for.
    Wrong,
    /// There were too many wrong ones: it was not looked at, or was the last of those.
    TooMany,
}

/// A key, for an authenticator app.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// To be typed.
    pub text: String,
    /// To be opened or scanned.
    pub url: String,
}

impl SecondFactor {
    /// Whether a login needs a code.
    #[must_use]
    pub fn is_on(&self) -> bool {
        matches!(self, Self::On { .. })
    }

    /// Makes a new key, unless one is in use.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn propose(&mut self, username: &str) -> anyhow::Result<()> {
        if self.is_on() {
            return Ok(());
        }
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).context("the system has no randomness")?;
        let builder = Builder::new().with_secret(key).with_account_name(username).with_issuer(Some(ISSUER));
        *self = Self::Proposed(builder.build().context("no key for an authenticator app")?);
        Ok(())
    }

    /// The key, as long as it is only proposed.
    #[must_use]
    pub fn proposed(&self) -> Option<Key> {
        match self {
            Self::Proposed(totp) => Some(Key { text: totp.secret().to_base32(), url: totp.to_url().ok()? }),
            Self::Off | Self::On { .. } => None,
        }
    }

    /// Takes the proposed key into use, if the code shows that an app has it.
    pub fn switch_on(&mut self, code: &str, now: Timestamp) -> bool {
        let Self::Proposed(totp) = self else { return false };
        let Some(spent) = step_of(totp, code, now) else { return false };
        *self = Self::On { totp: totp.clone(), spent, wrong: None };
        true
    }

    /// Whether the code is right. Then it is spent.
    pub fn take(&mut self, code: &str, now: Timestamp) -> Taken {
        let Self::On { totp, spent, wrong } = self else { return Taken::Wrong };
        let (count, since) = wrong.filter(|(_, since)| now < since.plus(PAUSE)).unwrap_or((0, now));
        if count >= MOST_WRONG {
            return Taken::TooMany;
        }
        if let Some(step) = step_of(totp, code, now).filter(|step| *step > *spent) {
            (*spent, *wrong) = (step, None);
            return Taken::Right;
        }
        *wrong = Some((count + 1, since));
        if count + 1 < MOST_WRONG { Taken::Wrong } else { Taken::TooMany }
    }

    /// Forgets the key. One that is in use goes only with a code.
    pub fn switch_off(&mut self, code: Option<&str>, now: Timestamp) -> bool {
        let may = !self.is_on() || code.is_some_and(|code| self.take(code, now) == Taken::Right);
        if may {
            *self = Self::Off;
        }
        may
    }
}

/// The step of 30 seconds whose code this is: now, the one before or the one after.
fn step_of(totp: &Totp, code: &str, now: Timestamp) -> Option<u64> {
    let code: String = code.chars().filter(|character| *character != ' ').collect();
    let is_code = code.len() == DIGITS && code.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = u64::try_from(now.unix_seconds()).ok().filter(|_| is_code)?;
    totp.check(&code, seconds)
}

impl fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "Off",
            Self::Proposed(_) => "Proposed",
            Self::On { .. } => "On",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_671_000);

    fn proposed() -> (SecondFactor, Totp) {
        let mut factor = SecondFactor::default();
        factor.propose("alice").unwrap();
        let SecondFactor::Proposed(totp) = &factor else { panic!("{factor:?}") };
        let totp = totp.clone();
        (factor, totp)
    }

    fn code(totp: &Totp, later: i64) -> String {
        totp.generate(u64::try_from(NOW.unix_seconds() + later).unwrap()).to_string()
    }

    #[test]
    fn a_key_is_in_use_once_a_code_was_right() {
        let (mut factor, totp) = proposed();
        assert!(!factor.switch_on(&code(&totp, 600), NOW) && !factor.is_on());
        assert!(factor.switch_on(&format!(" {} ", code(&totp, 0)), NOW) && factor.is_on());
        factor.propose("alice").unwrap();
        assert!(factor.is_on() && factor.proposed().is_none());
    }

    #[test]
    fn the_key_is_shown_as_text_and_as_a_url() {
        let (factor, totp) = proposed();
        let key = factor.proposed().unwrap();
        assert_eq!(key.text.len(), 32);
        assert_eq!(
            key.url,
            format!("otpauth://totp/session%20demo:alice?secret={}&issuer=session%20demo", key.text)
        );
        assert_eq!(Totp::from_url(&key.url).unwrap().generate(0), totp.generate(0));
        assert_eq!(format!("{factor:?}"), "Proposed");
    }

    #[test]
    fn a_code_is_good_once_and_so_are_those_before_it() {
        let (mut factor, totp) = proposed();
        assert!(factor.switch_on(&code(&totp, 0), NOW));
        assert_eq!(factor.take(&code(&totp, 0), NOW), Taken::Wrong);
        assert_eq!(factor.take(&code(&totp, -30), NOW), Taken::Wrong);
        assert_eq!(factor.take(&code(&totp, 30), NOW), Taken::Right);
        assert_eq!(factor.take(&code(&totp, 30), NOW.plus(Duration::from_secs(30))), Taken::Wrong);
    }

    #[test]
    fn what_is_no_code_is_wrong() {
        let (mut factor, totp) = proposed();
        assert!(factor.switch_on(&code(&totp, 0), NOW));
        for no_code in ["", "12345", "1234567", "abcdef", "+12345", "１２３４５６"] {
            assert!(step_of(&totp, no_code, NOW).is_none(), "{no_code}");
        }
        assert_eq!(factor.take("abcdef", NOW), Taken::Wrong);
    }

    #[test]
    fn with_five_wrong_codes_none_is_looked_at_for_five_minutes() {
        let (mut factor, totp) = proposed();
        assert!(factor.switch_on(&code(&totp, 0), NOW));
        let taken: Vec<_> = (0..5).map(|_| factor.take("000000", NOW)).collect();
        assert_eq!(taken, [Taken::Wrong, Taken::Wrong, Taken::Wrong, Taken::Wrong, Taken::TooMany]);
        assert_eq!(factor.take(&code(&totp, 30), NOW), Taken::TooMany);
        let later = NOW.plus(PAUSE);
        assert_eq!(factor.take(&code(&totp, 300), later), Taken::Right);
        assert_eq!(factor.take("000000", later), Taken::Wrong);
    }

    #[test]
    fn a_key_in_use_goes_only_with_a_code() {
        let (mut factor, totp) = proposed();
        assert!(factor.switch_off(None, NOW) && factor.proposed().is_none());
        factor = SecondFactor::Proposed(totp.clone());
        assert!(factor.switch_on(&code(&totp, 0), NOW));
        assert!(!factor.switch_off(None, NOW) && !factor.switch_off(Some("000000"), NOW) && factor.is_on());
        assert!(factor.switch_off(Some(&code(&totp, 30)), NOW) && !factor.is_on());
    }
}

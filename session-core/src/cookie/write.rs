//! Writing the cookie: one builder for setting and clearing.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::{CookieSettings, MAX_SIZE, SameSite};

/// Writes `Set-Cookie` values of one cookie.
#[derive(Debug)]
pub(crate) struct CookieWriter {
    name: Arc<str>,
    /// Everything behind Max-Age.
    attributes: String,
    browser_session: bool,
}

/// The cookie would have so many bytes of name and value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge {
    pub(crate) size: usize,
}

impl CookieSettings {
    /// The settings, ready to write. They must be [valid](Self::validate).
    pub(crate) fn into_writer(self) -> CookieWriter {
        let mut attributes = format!("; Path={}", self.path);
        if let Some(domain) = &self.domain {
            attributes.push_str("; Domain=");
            attributes.push_str(domain);
        }
        attributes.push_str("; HttpOnly");
        if self.secure {
            attributes.push_str("; Secure");
        }
        attributes.push_str(match self.same_site {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        });
        if self.partitioned {
            attributes.push_str("; Partitioned");
        }
        CookieWriter { name: self.name, attributes, browser_session: self.browser_session }
    }
}

impl CookieWriter {
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether a value of `length` bytes fits.
    pub(crate) fn check_size(&self, length: usize) -> Result<(), TooLarge> {
        let size = self.name.len() + length;
        if size <= MAX_SIZE { Ok(()) } else { Err(TooLarge { size }) }
    }

    /// Without a lifetime it ends with the browser.
    pub(crate) fn set(&self, value: &str, lifetime: Option<Duration>) -> Result<String, TooLarge> {
        self.check_size(value.len())?;
        Ok(self.line(value, lifetime.filter(|_| !self.browser_session)))
    }

    pub(crate) fn clear(&self) -> String {
        self.line("", Some(Duration::ZERO))
    }

    fn line(&self, value: &str, max_age: Option<Duration>) -> String {
        const MAX_AGE: usize = "; Max-Age=".len() + 20;
        let mut line =
            String::with_capacity(self.name.len() + 1 + value.len() + MAX_AGE + self.attributes.len());
        line.push_str(&self.name);
        line.push('=');
        line.push_str(value);
        if let Some(max_age) = max_age {
            // Writing to a String cannot fail.
            let _ = write!(line, "; Max-Age={}", max_age.as_secs());
        }
        line.push_str(&self.attributes);
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Option<Duration> = Some(Duration::from_secs(3600));

    #[test]
    fn the_default_is_a_host_cookie() {
        let writer = CookieSettings::default().into_writer();
        assert_eq!(
            writer.set("v", HOUR),
            Ok("__Host-session=v; Max-Age=3600; Path=/; HttpOnly; Secure; SameSite=Lax".to_owned())
        );
    }

    #[test]
    fn clearing_uses_the_attributes_of_setting() {
        let settings =
            CookieSettings::development().name("s").domain("a.b").path("/x").same_site(SameSite::Strict);
        for settings in [CookieSettings::default(), settings, CookieSettings::default().partitioned(true)] {
            let writer = settings.into_writer();
            let set = writer.set("", HOUR).unwrap_or_default();
            assert_eq!(writer.clear(), set.replace("Max-Age=3600", "Max-Age=0"));
        }
    }

    #[test]
    fn a_browser_session_cookie_has_no_max_age_but_clears_with_one() {
        let writer = CookieSettings::default().browser_session(true).into_writer();
        assert!(!writer.set("v", HOUR).unwrap_or_default().contains("Max-Age"));
        assert!(writer.clear().contains("Max-Age=0"));
    }

    #[test]
    fn name_and_value_over_4096_bytes_are_refused_with_their_size() {
        let writer = CookieSettings::default().into_writer();
        let room = MAX_SIZE - "__Host-session".len();
        assert!(writer.set(&"v".repeat(room), HOUR).is_ok());
        assert_eq!(writer.set(&"v".repeat(room + 1), HOUR), Err(TooLarge { size: MAX_SIZE + 1 }));
    }

    #[test]
    fn setting_allocates_once_at_the_right_size() {
        let writer = CookieSettings::default().into_writer();
        let line = writer.set(&"v".repeat(300), HOUR).unwrap_or_default();
        assert!(line.capacity() - line.len() <= 20);
    }
}

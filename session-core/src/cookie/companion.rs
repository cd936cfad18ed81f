//! Cookies beside the session's: what a redirect to somebody else must survive, and a message for the next page.
//!
//! They are named after the session cookie and always `__Host-`, SameSite=Lax, Path=/ and without a Domain, whatever the
//! session's is (in development without prefix and Secure): no sibling subdomain plants one, and the way back from another
//! site brings them.

use std::fmt::Write as _;
use std::time::Duration;

use super::{CookieSettings, MAX_SIZE};
use crate::few::Few;

/// At most this many are looked at; we never set more.
const MOST: usize = 8;
/// And of those that wait: a sibling subdomain can plant them where the session's name has no `__Host-`.
const MOST_PARKED: usize = 4;
/// The cookie of a token that waits while its user acts as another one: `<name>-actor`, with the session's own attributes.
pub(crate) const PARKED: &str = "actor";
const PREFIXES: [&str; 4] = ["__host-http-", "__host-", "__secure-", "__http-"];
/// What their names have behind the session cookie's, at most.
const MAX_SUFFIX: usize = 24;

/// A cookie beside the session's.
#[derive(Clone)]
pub(crate) struct Companion {
    /// What its name has behind the session cookie's.
    pub(crate) suffix: String,
    pub(crate) value: String,
}

/// Those of one request. Nothing is allocated without any. No `Debug`: their values are secret.
#[derive(Default)]
pub(crate) struct Companions(Vec<Companion>);

/// Finds them among the cookies of a request, in the same pass as the session's.
pub(crate) struct Finder<'s, 'a> {
    stem: &'s str,
    /// The name of the cookie of a token that waits, where it does not begin with the stem.
    parked: Option<&'s str>,
    found: Few<(&'a [u8], &'a [u8]), MOST>,
    waiting: Few<(&'a [u8], &'a [u8]), MOST_PARKED>,
}

/// Writes their `Set-Cookie` values.
pub(crate) struct CompanionWriter {
    /// What their names begin with.
    stem: Box<str>,
    attributes: &'static str,
}

impl Companions {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Companion> {
        self.0.iter()
    }
}

impl<'s, 'a> Finder<'s, 'a> {
    pub(crate) fn new(stem: &'s str) -> Self {
        Self { stem, parked: None, found: Few::new(), waiting: Few::new() }
    }

    pub(crate) fn and_parked(self, parked: Option<&'s str>) -> Self {
        Self { parked, ..self }
    }

    /// Looks at what stands between two semicolons.
    #[inline]
    pub(super) fn pair(&mut self, pair: &'a [u8]) {
        let pair = pair.trim_ascii_start();
        if let Some(rest) = pair.strip_prefix(self.stem.as_bytes()) {
            let Some((suffix, value)) = split(rest) else { return };
            self.keep(suffix, value);
        } else if let Some(rest) = self.parked.and_then(|name| pair.strip_prefix(name.as_bytes()))
            && let Some((b"", value)) = split(rest)
        {
            self.keep(PARKED.as_bytes(), value);
        }
    }

    /// Looks at a cookie that the framework keeps beside the lines.
    pub(super) fn cookie(&mut self, name: &'a str, value: &'a str) {
        match name.strip_prefix(self.stem) {
            Some(suffix) => self.keep(suffix.as_bytes(), value.as_bytes()),
            None if self.parked == Some(name) => self.keep(PARKED.as_bytes(), value.as_bytes()),
            None => {}
        }
    }

    fn keep(&mut self, suffix: &'a [u8], value: &'a [u8]) {
        if suffix.len() > MAX_SUFFIX || !(1..=MAX_SIZE).contains(&value.len()) {
            return;
        }
        if suffix == PARKED.as_bytes() {
            if self.waiting.len() < MOST_PARKED {
                self.waiting.push((suffix, value));
            }
        } else if (suffix == b"flash" || suffix.starts_with(b"flow-")) && self.found.len() < MOST {
            self.found.push((suffix, value));
        }
    }

    /// Copies what was found.
    pub(crate) fn finish(&self) -> Companions {
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
        let copied =
            |(suffix, value): &(&[u8], &[u8])| Some(Companion { suffix: text(suffix)?, value: text(value)? });
        Companions(self.found.iter().chain(self.waiting.iter()).filter_map(copied).collect())
    }
}

/// What stands before and behind the first equals sign.
fn split(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = pair.iter().position(|&byte| byte == b'=')?;
    let (name, value) = pair.split_at(end);
    Some((name.trim_ascii_end(), value.get(1..).unwrap_or_default().trim_ascii()))
}

impl CompanionWriter {
    pub(crate) fn of(session: &CookieSettings) -> Self {
        let name = &*session.name;
        let prefix = PREFIXES
            .iter()
            .find(|prefix| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)));
        let bare = name.get(prefix.map_or(0, |prefix| prefix.len())..).unwrap_or(name);
        if session.secure {
            let attributes = "; Path=/; HttpOnly; Secure; SameSite=Lax";
            Self { stem: format!("__Host-{bare}-").into(), attributes }
        } else {
            Self { stem: format!("{bare}-").into(), attributes: "; Path=/; HttpOnly; SameSite=Lax" }
        }
    }

    pub(crate) fn stem(&self) -> &str {
        &self.stem
    }

    /// Name and value, as browsers count them.
    pub(crate) fn size(&self, cookie: &Companion) -> usize {
        self.stem.len() + cookie.suffix.len() + cookie.value.len()
    }

    /// An empty value clears the cookie.
    pub(crate) fn line(&self, cookie: &Companion, lifetime: Duration) -> String {
        let lifetime = if cookie.value.is_empty() { 0 } else { lifetime.as_secs() };
        let mut line = format!("{}{}={}", self.stem, cookie.suffix, cookie.value);
        // Writing to a String cannot fail.
        let _ = write!(line, "; Max-Age={lifetime}{}", self.attributes);
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cookie::{Candidates, SameSite};
    use crate::testing::TestRequest;

    fn cookie(value: &str) -> Companion {
        Companion { suffix: "flash".to_owned(), value: value.to_owned() }
    }

    fn found(line: &str) -> Vec<(String, String)> {
        let request = TestRequest::new("GET", "/").cookie(line);
        let mut finder = Finder::new("__Host-session-");
        let session = Candidates::from_head(&request, "__Host-session", &mut finder);
        assert_eq!(session.iter().count(), line.matches("__Host-session=").count());
        finder.finish().iter().map(|one| (one.suffix.clone(), one.value.clone())).collect()
    }

    #[test]
    fn they_are_host_cookies_whatever_the_session_cookie_is() {
        let shared =
            CookieSettings::default().name("__Secure-id").domain("example.com").same_site(SameSite::Strict);
        assert_eq!(
            CompanionWriter::of(&shared).line(&cookie("v"), Duration::from_secs(60)),
            "__Host-id-flash=v; Max-Age=60; Path=/; HttpOnly; Secure; SameSite=Lax"
        );
        for (name, stem) in [("__HOST-Http-x", "__Host-x-"), ("__Http-x", "__Host-x-"), ("x", "__Host-x-")] {
            assert_eq!(CompanionWriter::of(&CookieSettings::default().name(name)).stem(), stem);
        }
    }

    #[test]
    fn in_development_they_have_neither_prefix_nor_secure() {
        let writer = CompanionWriter::of(&CookieSettings::development());
        assert_eq!(
            writer.line(&cookie(""), Duration::from_secs(60)),
            "session-flash=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn they_are_found_in_the_pass_that_finds_the_session() {
        let line = "a=1; __Host-session-flash = x=y ; __Host-session=t; __Host-session-flow-ab=z";
        assert_eq!(
            found(line),
            [("flash".to_owned(), "x=y".to_owned()), ("flow-ab".to_owned(), "z".to_owned())]
        );
    }

    #[test]
    fn what_is_empty_too_long_or_none_of_ours_is_left_out() {
        let long = format!("__Host-session-flow-a={}", "v".repeat(MAX_SIZE + 1));
        let name = format!("__Host-session-flow-{}=v", "a".repeat(MAX_SUFFIX));
        for line in ["__Host-session-flash=", "__Host-session-actors=v", "session-flash=v", &long, &name] {
            assert!(found(line).is_empty(), "{line}");
        }
        assert_eq!(found(&"__Host-session-flow-a=v; ".repeat(100)).len(), MOST);
    }

    #[test]
    fn the_longest_name_and_the_longest_value_are_read() {
        let name = format!("__Host-session-flow-{}=v", "a".repeat(MAX_SUFFIX - "flow-".len()));
        let value = format!("__Host-session-flow-a={}", "v".repeat(MAX_SIZE));
        assert_eq!((found(&name).len(), found(&value).len()), (1, 1));
    }

    #[test]
    fn a_framework_s_jar_is_read_as_the_lines_are() {
        let mut finder = Finder::new("__Host-session-").and_parked(Some("session-actor"));
        for (name, value) in [
            ("__Host-session-flash", "message"),
            ("session-actor", "waits"),
            ("session-actors", "not ours"),
            ("__Host-session-other", "not ours"),
        ] {
            finder.cookie(name, value);
        }
        let found = finder.finish();
        let found: Vec<_> = found.iter().map(|one| (&*one.suffix, &*one.value)).collect();
        assert_eq!(found, [("flash", "message"), ("actor", "waits")]);
    }

    #[test]
    fn of_a_hundred_that_wait_four_are_tried() {
        let mut finder = Finder::new("__Host-session-").and_parked(Some("session-actor"));
        for _ in 0..100 {
            finder.pair(b" session-actor=planted");
        }
        assert_eq!(finder.finish().iter().count(), MOST_PARKED);
    }

    #[test]
    fn a_request_without_any_allocates_nothing_for_them() {
        assert_eq!(Finder::new("x-").finish().0.capacity(), 0);
    }
}

//! Sending a browser to the login page and back.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::RequestHead;

const MAX_NEXT: usize = 2048;
/// Left as they are in a query value: the unreserved characters (RFC 3986 section 2.3) and the slash.
const QUERY_VALUE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Whether a person is on the way to a page, as against a script fetching something.
pub(crate) fn is_navigation(head: &impl RequestHead) -> bool {
    if head.method() != "GET" {
        return false;
    }
    match head.header("sec-fetch-mode").next() {
        Some(mode) => mode == b"navigate",
        None => head.header("accept").flat_map(|line| line.split(|&byte| byte == b',')).any(is_html),
    }
}

fn is_html(range: &[u8]) -> bool {
    let media_type = range.split(|&byte| byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"text/html")
}

/// The place to go to after a login, when it is safe: a path of this origin (ASVS 3.7.2). Anything else is `None`:
/// go to your front page then.
///
/// One leading slash and not two, printable ASCII (0x21 to 0x7E), no backslash, at most 2048 bytes.
///
/// ```
/// use session_core::checked_next;
///
/// assert_eq!(checked_next("/account?tab=2"), Some("/account?tab=2"));
/// assert_eq!(checked_next("//evil.example"), None);
/// assert_eq!(checked_next("https://evil.example"), None);
/// ```
#[must_use]
pub fn checked_next(next: &str) -> Option<&str> {
    let one_slash = next.starts_with('/') && !next.starts_with("//");
    let good = |byte: u8| matches!(byte, 0x21..=0x7e) && byte != b'\\';
    (one_slash && next.len() <= MAX_NEXT && next.bytes().all(good)).then_some(next)
}

/// The login page, with the way back when that is safe.
pub(crate) fn login_location(login_page: &str, target: &str) -> String {
    let Some(next) = checked_next(target) else { return login_page.to_owned() };
    let separator = if login_page.contains('?') { '&' } else { '?' };
    format!("{login_page}{separator}next={}", utf8_percent_encode(next, QUERY_VALUE))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::TestRequest;

    #[test]
    fn off_this_origin_is_no_next() {
        let long = format!("/{}", "a".repeat(MAX_NEXT));
        for next in [
            "",
            "//evil",
            "/\\evil",
            "\\\\evil",
            "https:evil",
            "https://evil",
            "evil",
            "/a b",
            "/a\n",
            "/ä",
            &long,
        ] {
            assert_eq!(checked_next(next), None, "{next:?}");
        }
        for next in ["/", "/a", "/a?b=c&d=%2F#e", "/@evil", &long[..MAX_NEXT]] {
            assert_eq!(checked_next(next), Some(next));
        }
    }

    proptest! {
        #[test]
        fn a_checked_next_is_printable_and_stays_here(next in "\\PC{0,30}") {
            if let Some(next) = checked_next(&next) {
                prop_assert!(next.starts_with('/') && !next.starts_with("//") && !next.contains('\\'));
                prop_assert!(next.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }

    #[test]
    fn the_way_back_is_encoded_into_one_parameter() {
        assert_eq!(login_location("/login", "/a?b=c&d=e"), "/login?next=/a%3Fb%3Dc%26d%3De");
        assert_eq!(login_location("/login?x=1", "/a"), "/login?x=1&next=/a");
        assert_eq!(login_location("/login", "//evil"), "/login");
    }

    #[test]
    fn a_navigation_is_what_the_browser_says_or_else_asks_for_html() {
        let get = |headers: &[(&str, &str)]| {
            let request = TestRequest::new("GET", "/");
            is_navigation(&headers.iter().fold(request, |request, (name, value)| request.header(name, value)))
        };
        assert!(get(&[("sec-fetch-mode", "navigate")]));
        assert!(!get(&[("sec-fetch-mode", "cors"), ("accept", "text/html")]));
        assert!(get(&[("accept", "application/xml, Text/HTML;q=0.9")]));
        assert!(!get(&[("accept", "application/json")]));
        assert!(!get(&[]));
        assert!(!is_navigation(&TestRequest::new("POST", "/").header("sec-fetch-mode", "navigate")));
    }
}

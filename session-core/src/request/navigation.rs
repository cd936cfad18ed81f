//! Whether a person is on the way to a page, and where to go after a login.

use super::RequestHead;

const MAX_NEXT: usize = 2048;

/// Whether a person is on the way to a page, as against a script fetching something.
pub(crate) fn is_navigation(head: &impl RequestHead) -> bool {
    if !matches!(head.method(), "GET" | "HEAD") {
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
/// One leading slash and not two, printable ASCII (0x21 to 0x7E), no backslash, at most 2048 bytes. Guards put such
/// a path into the query parameter `next` of the login page. It comes back from the client, so check it again there,
/// percent-decoded, and put it into `Location` as it is:
///
/// ```
/// use session_core::checked_next;
///
/// fn after_login(next: Option<&str>) -> &str {
///     next.and_then(checked_next).unwrap_or("/")
/// }
///
/// assert_eq!(after_login(Some("//evil.example")), "/");
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
        fn a_next_is_checked_like_the_plain_model(next in next_like()) {
            let starts_well = next.starts_with('/') && !next.starts_with("//") && !next.starts_with("/\\");
            let is_plain = next.chars().all(|character| ('\u{21}'..='\u{7e}').contains(&character) && character != '\\');
            prop_assert_eq!(checked_next(&next).is_some(), starts_well && is_plain && next.len() <= 2048);
        }
    }

    /// Mostly paths, rich in what matters.
    fn next_like() -> impl Strategy<Value = String> {
        prop_oneof!["/[a-z/?&=#%+.]{0,20}", "[/\\\\:a \t]{0,6}", "/\\PC{0,20}", any::<String>()]
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
        assert!(get(&[("accept", "application/json"), ("accept", "text/html")]));
        assert!(!get(&[("accept", "application/json")]));
        assert!(!get(&[("accept", "*/*")]));
        assert!(!get(&[("accept", "text/html-fragment, application/json;profile=text/html")]));
        assert!(!get(&[]));
        assert!(!is_navigation(&TestRequest::new("POST", "/").header("sec-fetch-mode", "navigate")));
    }
}

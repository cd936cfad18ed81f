//! What the app reads of a request's head, in plain data, the same for every framework.

use session_core::adapter::RequestHead;

const ACTOR_COOKIE: &[u8] = b"session-demo-actor=";

/// Made by each framework's extractor from its own request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The target up to its `?`.
    pub path: String,
    /// The rest of the target.
    pub query: Option<String>,
    /// The first such header.
    pub content_type: Option<Vec<u8>>,
    /// `Accept` names `text/html`, as browsers do when they want a page.
    pub accepts_html: bool,
    /// A person is on the way to a page: GET or HEAD with `Sec-Fetch-Mode: navigate`, or without that header with
    /// an `Accept` that names `text/html`. The session's own redirects to the login form follow the same rule.
    pub is_navigation: bool,
    /// The browser shows the cookie in which an administrator's own session waits while they look as somebody else. A
    /// hint for a page that opens no session.
    pub is_acting: bool,
}

impl Asked {
    /// Reads a head.
    #[must_use]
    pub fn of(head: &impl RequestHead) -> Self {
        let (path, query) = match head.target().split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (head.target(), None),
        };
        let accepts_html =
            head.header("accept").flat_map(|line| line.split(|&byte| byte == b',')).any(is_html);
        let navigates = head.header("sec-fetch-mode").next().map_or(accepts_html, |mode| mode == b"navigate");
        Self {
            path: path.to_owned(),
            query,
            content_type: head.header("content-type").next().map(<[u8]>::to_vec),
            accepts_html,
            is_navigation: navigates && matches!(head.method(), "GET" | "HEAD"),
            is_acting: head
                .header("cookie")
                .flat_map(|line| line.split(|&byte| byte == b';'))
                .any(|cookie| cookie.trim_ascii().starts_with(ACTOR_COOKIE)),
        }
    }
}

fn is_html(range: &[u8]) -> bool {
    let media_type = range.split(|&byte| byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"text/html")
}

#[cfg(test)]
mod tests {
    use session_core::testing::TestRequest;

    use super::*;

    #[test]
    fn the_target_is_path_and_query() {
        let asked = Asked::of(&TestRequest::new("GET", "/a?b=c?d"));
        assert_eq!((&*asked.path, asked.query.as_deref()), ("/a", Some("b=c?d")));
        assert_eq!(Asked::of(&TestRequest::new("GET", "/a")).query, None);
    }

    #[test]
    fn a_navigation_is_what_the_browser_says_or_else_asks_for_html() {
        for (method, mode, accept, is_navigation) in [
            ("GET", Some("navigate"), None, true),
            ("HEAD", Some("navigate"), None, true),
            ("POST", Some("navigate"), Some("text/html"), false),
            ("GET", Some("cors"), Some("text/html"), false),
            ("GET", None, Some("application/xhtml+xml, Text/HTML;q=0.9"), true),
            ("GET", None, Some("text/htmlx"), false),
            ("GET", None, None, false),
        ] {
            let mut request = TestRequest::new(method, "/");
            for (name, value) in [("sec-fetch-mode", mode), ("accept", accept)] {
                request = value.map_or(request.clone(), |value| request.header(name, value));
            }
            assert_eq!(Asked::of(&request).is_navigation, is_navigation, "{method} {mode:?} {accept:?}");
        }
    }
}

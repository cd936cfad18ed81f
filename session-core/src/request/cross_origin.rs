//! Cross-origin protection: the rules of Go 1.25's `net/http.CrossOriginProtection`, with origins compared by what they
//! mean, and two more rules for WebSocket handshakes and contradicting headers.

use std::fmt;

use super::origin::{Authority, Origin};
use super::{Conflict, RequestHead, single};
use crate::error::ConfigError;

/// Of a header that a refusal names, so much is shown.
const MAX_SHOWN: usize = 100;

/// Refuses requests that a page of another origin made a browser send (ASVS 3.5.1). On by default.
///
/// Safe are GET, HEAD and OPTIONS without `Upgrade`. Anything else passes when the browser says `Sec-Fetch-Site:
/// same-origin` or `none`; without that header (plain http, older Safari, WebSocket handshakes), when `Origin` names the
/// host that the request went to; without either, as no browser sends it.
///
/// # What is compared
/// Host and port of `Origin` with those of `Host` (and of `:authority`, which must be the same), by what they mean: in
/// any case, an empty port is none, and where one is missing, it is the one that the scheme of `Origin` has by itself.
/// IPv6 addresses compare in any spelling, international names in Punycode. Another port is another origin, and so is
/// a name with a trailing dot, as for browsers.
///
/// The scheme is not compared, beyond being one of the web: behind a proxy nobody knows that of the request. So a page of
/// `http://app.example` counts as one of `https://app.example`; HSTS is what keeps browsers from opening it.
///
/// A header that is no origin (`null`, with a path or a user, an IPv4 address in any spelling but four decimals) is
/// refused: no browser sends it from a page of ours.
///
/// # When a request of one's own is refused
/// Then a proxy has changed `Host`. A warning in the log (target `session`) names both headers and says what to
/// do: let the proxy pass `Host` on, or [`trust`](Self::trust) the origin that browsers see.
#[derive(Clone, Debug, Default)]
pub struct CrossOrigin {
    disabled: bool,
    trusted: Vec<Origin>,
}

/// Why a request counts as one from another origin. `Display` is for the log: the reason, both headers, cleaned and cut
/// to 100 bytes, and what to configure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrossOriginRefusal(Box<Refusal>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    why: Why,
    origin: String,
    host: String,
}

/// Each with what the operator can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Site,
    SameSite,
    SeveralSites,
    SeveralOrigins,
    SeveralHosts,
    NoHost,
    NoOrigin,
    Null,
    OtherHost,
}

impl CrossOriginRefusal {
    /// The reason, in words.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.0.why.words().0
    }

    fn of(why: Why, head: &impl RequestHead) -> Self {
        let hosts = head.authority().map(str::as_bytes).into_iter().chain(head.header("host"));
        Self(Box::new(Refusal { why, origin: shown(head.header("origin")), host: shown(hosts) }))
    }
}

impl fmt::Display for CrossOriginRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { why, origin, host } = &*self.0;
        let (reason, advice) = why.words();
        write!(f, "{reason} (Origin: {origin}; Host: {host}). {advice}")
    }
}

impl std::error::Error for CrossOriginRefusal {}

impl Why {
    const fn words(self) -> (&'static str, &'static str) {
        const TRUST: &str = "If its pages may use this service, name it in CrossOrigin::trust";
        const ONE: &str = "A browser sends one: look at the proxy before this service";
        match self {
            Self::Site => ("Sec-Fetch-Site is neither same-origin nor none", TRUST),
            Self::SameSite => ("Sec-Fetch-Site: same-site, which is another origin", TRUST),
            Self::SeveralSites => ("several Sec-Fetch-Site headers", ONE),
            Self::SeveralOrigins => ("several Origin headers", ONE),
            Self::SeveralHosts => ("Host headers that contradict each other", ONE),
            Self::NoHost => (
                "an Origin header, and no Host to compare it with",
                "Let the proxy pass the Host header on as the browser sent it",
            ),
            Self::NoOrigin => ("the Origin header is no origin", "No browser sends it: nothing to configure"),
            Self::Null => (
                "Origin: null, which anybody's page can send",
                "If a page of this service sends it, look for a sandbox or for Referrer-Policy: no-referrer on it",
            ),
            Self::OtherHost => (
                "the Origin header names another host",
                "If that is this service's own address, let the proxy pass the Host header on as the browser sent it; \
                 if its pages may use this service, name it in CrossOrigin::trust",
            ),
        }
    }
}

impl CrossOrigin {
    /// No protection: only for services that no browser reaches.
    #[must_use]
    pub fn disabled() -> Self {
        Self { disabled: true, trusted: Vec::new() }
    }

    /// Lets pages of another origin in: `https://app.example.com`. Compared as what it means, so case and the scheme's
    /// own port do not matter.
    ///
    /// # Errors
    /// When `origin` is not `scheme://host` or `scheme://host:port`, or has a host that no browser would send.
    pub fn trust(mut self, origin: &str) -> Result<Self, ConfigError> {
        self.trusted.push(Origin::configured(origin)?);
        Ok(self)
    }

    /// Judges a request. For handlers that never touch the session; everything else of ours asks by itself.
    ///
    /// # Errors
    /// The reason to answer 403.
    pub fn check(&self, head: &impl RequestHead) -> Result<(), CrossOriginRefusal> {
        if self.disabled || is_safe(head) {
            return Ok(());
        }
        self.check_unsafe(head).map_err(|why| CrossOriginRefusal::of(why, head))
    }

    fn check_unsafe(&self, head: &impl RequestHead) -> Result<(), Why> {
        let site = single(head.header("sec-fetch-site")).map_err(|Conflict| Why::SeveralSites)?;
        let sent = single(head.header("origin")).map_err(|Conflict| Why::SeveralOrigins)?;
        if let Some(b"same-origin" | b"none") = site {
            return Ok(());
        }
        let origin = sent.and_then(Origin::parse);
        if origin.as_ref().is_some_and(|origin| self.trusted.contains(origin)) {
            return Ok(());
        }
        match (site.unwrap_or_default(), sent, origin) {
            (b"same-site", ..) => Err(Why::SameSite),
            (b"", None, _) => Ok(()),
            (b"", _, Some(origin)) => is_own(head, &origin),
            (b"", Some(b"null"), None) => Err(Why::Null),
            (b"", Some(_), None) => Err(Why::NoOrigin),
            _ => Err(Why::Site),
        }
    }
}

/// A handshake with `Upgrade` is a GET that carries the cookie from any page.
fn is_safe(head: &impl RequestHead) -> bool {
    matches!(head.method(), "GET" | "HEAD" | "OPTIONS") && head.header("upgrade").next().is_none()
}

/// Whether `origin` names the host that the request was sent to: `:authority` and Host, which must agree where both are
/// there (RFC 9113 section 8.3.1).
fn is_own(head: &impl RequestHead, origin: &Origin) -> Result<(), Why> {
    let (mut some, mut all) = (false, true);
    for host in head.authority().map(str::as_bytes).into_iter().chain(head.header("host")) {
        let same = Authority::parse(host).is_some_and(|host| origin.is_at(&host));
        (some, all) = (some | same, all & same);
    }
    match (some, all) {
        (true, true) => Ok(()),
        (true, false) => Err(Why::SeveralHosts),
        (false, true) => Err(Why::NoHost),
        (false, false) => Err(Why::OtherHost),
    }
}

/// What a log may show of a header: printable ASCII and no quotes, cut, and without what could be somebody's password
/// (`https://user:word@host`).
fn shown<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> String {
    let Some(value) = values.next() else { return "none".to_owned() };
    let value = value.rsplit(|&byte| byte == b'@').next().unwrap_or_default();
    let plain = |&byte: &u8| if matches!(byte, b'!' | 0x23..=0x7e) { char::from(byte) } else { '?' };
    let mut text: String = value.iter().take(MAX_SHOWN).map(plain).collect();
    if text.is_empty() {
        text.push_str("empty");
    }
    if value.len() > MAX_SHOWN {
        text.push_str("..");
    }
    if values.next().is_some() {
        text.push_str(" and more");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::request::Headers;
    use crate::testing::TestRequest;

    const OWN: &str = "https://example.test";
    const OTHER: &str = "https://evil.example";

    fn judge(settings: &CrossOrigin, method: &str, headers: &[(&str, &str)]) -> bool {
        let request = TestRequest::new(method, "/");
        settings
            .check(&headers.iter().fold(request, |request, (name, value)| request.header(name, value)))
            .is_ok()
    }

    /// TestRequest brings `Host: example.test`.
    #[test]
    fn the_decision_table() {
        let trusting = CrossOrigin::default().trust("https://app.example").unwrap();
        type Row = (&'static str, &'static [(&'static str, &'static str)], bool);
        let table: &[Row] = &[
            ("GET", &[("sec-fetch-site", "cross-site"), ("origin", OTHER)], true),
            ("HEAD", &[("sec-fetch-site", "cross-site")], true),
            ("OPTIONS", &[("origin", OTHER)], true),
            ("POST", &[], true),
            ("POST", &[("sec-fetch-site", "same-origin")], true),
            ("POST", &[("sec-fetch-site", "none")], true),
            ("POST", &[("sec-fetch-site", "same-site")], false),
            ("POST", &[("sec-fetch-site", "cross-site")], false),
            ("POST", &[("sec-fetch-site", "unheard-of")], false),
            ("POST", &[("sec-fetch-site", "same-origin"), ("origin", OTHER)], true),
            ("POST", &[("sec-fetch-site", "cross-site"), ("origin", OWN)], false),
            ("POST", &[("sec-fetch-site", "cross-site"), ("origin", "https://app.example")], true),
            ("POST", &[("origin", OWN)], true),
            ("POST", &[("origin", "http://example.test")], true),
            ("POST", &[("origin", "https://example.test:8443")], false),
            ("POST", &[("origin", OTHER)], false),
            ("POST", &[("origin", "null")], false),
            ("POST", &[("origin", "")], false),
            ("POST", &[("origin", "example.test")], false),
            ("POST", &[("origin", "://example.test")], false),
            ("POST", &[("origin", "https://example.test/")], false),
            ("POST", &[("origin", "https://user@example.test")], false),
            ("POST", &[("origin", "https://example.test:443")], true),
            ("POST", &[("origin", "HTTPS://Example.Test")], true),
            ("POST", &[("origin", "https://example.test:")], true),
            ("POST", &[("origin", "https://example.test:80")], false),
            ("POST", &[("origin", "https://example.test.")], false),
            ("POST", &[("origin", "wss://example.test")], true),
            ("POST", &[("origin", "moz-extension://example.test")], false),
            ("POST", &[("sec-fetch-site", "same-origin, cross-site")], false),
            ("POST", &[("sec-fetch-site", "Same-Origin")], false),
            (
                "POST",
                &[("sec-fetch-site", "cross-site"), ("origin", OTHER), ("origin", "https://app.example")],
                false,
            ),
            ("POST", &[("origin", "https://app.example")], true),
            ("POST", &[("origin", "https://App.Example:443")], true),
            ("POST", &[("origin", "http://app.example")], false),
            ("POST", &[("origin", "https://app.example/")], false),
            ("POST", &[("origin", OWN), ("origin", OTHER)], false),
            ("POST", &[("origin", OWN), ("origin", OWN)], true),
            ("POST", &[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")], false),
            ("POST", &[("origin", OWN), ("host", "evil.example")], false),
            ("POST", &[("origin", OTHER), ("x-forwarded-host", "evil.example")], false),
            ("POST", &[("origin", OTHER), ("forwarded", "host=evil.example")], false),
            ("POST", &[("origin", OWN), ("host", "example.test")], true),
            ("DELETE", &[("origin", OTHER)], false),
            ("PUT", &[("sec-fetch-site", "cross-site")], false),
            ("CONNECT", &[("origin", OTHER)], false),
            ("get", &[("origin", OTHER)], false),
            ("GET", &[("upgrade", "websocket"), ("origin", OTHER)], false),
            ("HEAD", &[("upgrade", ""), ("origin", OTHER)], false),
            ("GET", &[("upgrade", "websocket"), ("sec-fetch-site", "cross-site")], false),
            ("GET", &[("upgrade", "websocket"), ("origin", "https://app.example")], true),
            ("GET", &[("upgrade", "h2c")], true),
            ("GET", &[("upgrade", "websocket"), ("origin", OWN)], true),
            ("GET", &[("upgrade", "websocket"), ("sec-fetch-site", "same-origin")], true),
        ];
        for (method, headers, passes) in table {
            assert_eq!(judge(&trusting, method, headers), *passes, "{method} {headers:?}");
        }
    }

    /// A request with `Origin: https://example.test`, and this `:authority` and `Host`.
    struct Addressed(Option<&'static str>, Option<&'static str>);

    impl Headers for Addressed {
        fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
            let value = match name {
                "origin" => Some(OWN),
                "host" => self.1,
                _ => None,
            };
            value.map(str::as_bytes).into_iter()
        }
    }

    impl RequestHead for Addressed {
        fn method(&self) -> &str {
            "POST"
        }
        fn target(&self) -> &str {
            "/"
        }
        fn authority(&self) -> Option<&str> {
            self.0
        }
        fn peer(&self) -> Option<IpAddr> {
            None
        }
    }

    #[test]
    fn the_origin_is_compared_with_authority_and_host_which_must_agree() {
        const HOST: Option<&str> = Some("example.test");
        const EVIL: Option<&str> = Some("evil.example");
        let passes = |authority, host| CrossOrigin::default().check(&Addressed(authority, host)).is_ok();
        assert!(passes(HOST, None) && passes(None, HOST) && passes(HOST, HOST));
        assert!(!passes(EVIL, None) && !passes(None, EVIL));
        assert!(!passes(HOST, EVIL) && !passes(EVIL, HOST));
        assert!(passes(Some("Example.test:443"), HOST) && passes(HOST, Some("EXAMPLE.TEST:")));
        assert!(!passes(HOST, Some("example.test:80")) && !passes(HOST, Some("")));
        assert!(!passes(Some("user@example.test"), None));
        assert!(!passes(None, None) && !passes(None, Some("")) && !passes(Some(""), None));
    }

    fn refusal(headers: &[(&str, &[u8])]) -> String {
        let request = TestRequest::new("POST", "/");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        CrossOrigin::default().check(&request).unwrap_err().to_string()
    }

    #[test]
    fn a_refusal_names_both_headers_and_what_to_configure() {
        assert_eq!(
            refusal(&[("origin", b"https://app.example")]),
            "the Origin header names another host (Origin: https://app.example; Host: example.test). If that is this \
             service's own address, let the proxy pass the Host header on as the browser sent it; if its pages may \
             use this service, name it in CrossOrigin::trust"
        );
        assert_eq!(
            refusal(&[("sec-fetch-site", b"same-site")]),
            "Sec-Fetch-Site: same-site, which is another origin (Origin: none; Host: example.test). If its pages may \
             use this service, name it in CrossOrigin::trust"
        );
        let null = refusal(&[("origin", b"null")]);
        assert!(
            null.starts_with("Origin: null, which anybody's page can send (Origin: null; Host: "),
            "{null}"
        );
        let none = refusal(&[("origin", b"https://a/")]);
        assert!(none.starts_with("the Origin header is no origin (Origin: https://a/; Host: "), "{none}");
        let refusal = CrossOrigin::default().check(&Addressed(None, None)).unwrap_err();
        assert!(refusal.reason().contains("no Host") && refusal.to_string().contains("Host: none"));
    }

    #[test]
    fn what_a_refusal_shows_is_plain_short_and_no_password() {
        let long = b"https://".iter().chain(&[b'a'; 60_000]).copied().collect::<Vec<_>>();
        for origin in [long.as_slice(), b"https://a\r\nb\x1b[31m\"c\xe4", b"https://user:swordfish@a", b""] {
            let text = refusal(&[("origin", origin)]);
            assert!(text.len() < 600, "{} bytes", text.len());
            assert!(text.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && byte != b'"'), "{text}");
            assert!(!text.contains("swordfish"), "{text}");
        }
        assert!(
            refusal(&[("origin", b"https://a"), ("origin", b"https://b")]).contains("https://a and more")
        );
        assert!(refusal(&[("origin", &long)]).contains("aa..; Host"));
        assert!(refusal(&[("origin", &long[..=MAX_SHOWN])]).contains("aa..; Host"));
        assert!(refusal(&[("origin", &long[..MAX_SHOWN])]).contains("aa; Host"));
    }

    #[test]
    fn disabled_lets_everything_pass() {
        assert!(judge(&CrossOrigin::disabled(), "POST", &[("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn only_an_origin_can_be_trusted() {
        for text in
            ["", "null", "*", "example.com", "https://a/", "https://u@a", "https://*.a", "https://\u{e4}"]
        {
            let refused = CrossOrigin::default().trust(text).unwrap_err().to_string();
            assert!(
                refused.contains(&format!("{text:?} is no origin")) && refused.contains("xn--"),
                "{refused}"
            );
        }
        for text in ["http://[::1]:3000", "https://A-b.c_d:8443", "https://a:443", "moz-extension://0f-1"] {
            assert!(CrossOrigin::default().trust(text).is_ok(), "{text}");
        }
    }
}

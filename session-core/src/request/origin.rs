//! Cross-origin protection: the rules of Go 1.25's `net/http.CrossOriginProtection`, and two more for WebSocket
//! handshakes and contradicting headers.

use std::fmt;
use std::net::Ipv6Addr;

use memchr::memchr;

use super::{Conflict, RequestHead, single};
use crate::ConfigError;

/// Refuses requests that a page of another origin made a browser send (ASVS 3.5.1). On by default.
///
/// Safe are GET, HEAD and OPTIONS without `Upgrade`. Anything else passes when the browser says `Sec-Fetch-Site:
/// same-origin` or `none`; without that header, when `Origin` names the host that the request went to; without
/// either, as no browser sends it. Another port of the same host is another origin.
#[derive(Clone, Debug, Default)]
pub struct CrossOrigin {
    disabled: bool,
    trusted: Vec<String>,
}

/// Why a request counts as one from another origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrossOriginRefusal(&'static str);

impl CrossOriginRefusal {
    /// The reason, in words.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.0
    }
}

impl fmt::Display for CrossOriginRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for CrossOriginRefusal {}

impl CrossOrigin {
    /// No protection: only for services that no browser reaches.
    #[must_use]
    pub fn disabled() -> Self {
        Self { disabled: true, trusted: Vec::new() }
    }

    /// Lets pages of another origin in: `https://app.example.com`, compared exactly as browsers write it.
    ///
    /// # Errors
    /// When `origin` is not `scheme://host` or `scheme://host:port`.
    pub fn trust(mut self, origin: &str) -> Result<Self, ConfigError> {
        if !is_origin(origin) {
            return Err(ConfigError::new(format!(
                "{origin:?} is no origin: write scheme, host and, if it is not the scheme's own, port, in lower \
                 case and without a path, as in https://app.example.com"
            )));
        }
        self.trusted.push(origin.to_owned());
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
        self.check_unsafe(head).map_err(CrossOriginRefusal)
    }

    fn check_unsafe(&self, head: &impl RequestHead) -> Result<(), &'static str> {
        let site =
            single(head.header("sec-fetch-site")).map_err(|Conflict| "several Sec-Fetch-Site headers")?;
        let origin = single(head.header("origin")).map_err(|Conflict| "several Origin headers")?;
        match (site.unwrap_or_default(), origin) {
            (b"same-origin" | b"none", _) => Ok(()),
            (_, Some(origin)) if self.trusted.iter().any(|trusted| trusted.as_bytes() == origin) => Ok(()),
            (b"", None) => Ok(()),
            (b"", Some(origin)) => is_own(head, origin),
            (b"same-site", _) => Err("Sec-Fetch-Site: same-site, which is another origin"),
            _ => Err("Sec-Fetch-Site is neither same-origin nor none"),
        }
    }
}

/// A handshake with `Upgrade` is a GET that carries the cookie from any page.
fn is_safe(head: &impl RequestHead) -> bool {
    matches!(head.method(), "GET" | "HEAD" | "OPTIONS") && head.header("upgrade").next().is_none()
}

/// Whether `origin` names the host that the request was sent to. The scheme is not known behind a proxy.
fn is_own(head: &impl RequestHead, origin: &[u8]) -> Result<(), &'static str> {
    match (host_of(head)?, authority_of(origin)) {
        (None, _) => Err("an Origin header, and no Host to compare it with"),
        (Some(host), Some(authority)) if authority == host => Ok(()),
        _ => Err("the Origin header names another host"),
    }
}

/// `:authority` and Host must agree where both are there (RFC 9113 section 8.3.1).
fn host_of(head: &impl RequestHead) -> Result<Option<&[u8]>, &'static str> {
    let authority = head.authority().map(str::as_bytes);
    let host = single(authority.into_iter().chain(head.header("host")));
    let host = host.map_err(|Conflict| "Host headers that contradict each other")?;
    Ok(host.filter(|host| !host.is_empty()))
}

fn authority_of(origin: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = origin.split_at_checked(memchr(b':', origin)?)?;
    is_scheme(scheme).then(|| rest.strip_prefix(b"://"))?
}

/// Whether a browser could send this as Origin (RFC 6454 section 6.2): anything else would never match.
fn is_origin(origin: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let (host, port) = split_port(authority);
    let is_default = matches!((scheme, port), ("http", Some("80")) | ("https", Some("443")));
    let is_lower = !origin.bytes().any(|byte| byte.is_ascii_uppercase());
    is_lower && is_scheme(scheme.as_bytes()) && is_host(host) && port.is_none_or(is_port) && !is_default
}

/// RFC 3986 section 3.1.
fn is_scheme(scheme: &[u8]) -> bool {
    scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        }
    }
}

fn is_port(port: &str) -> bool {
    port.parse::<u16>().is_ok_and(|number| number.to_string() == port)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::Headers;
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
            ("POST", &[("origin", "https://example.test:443")], false),
            ("POST", &[("sec-fetch-site", "same-origin, cross-site")], false),
            ("POST", &[("sec-fetch-site", "Same-Origin")], false),
            (
                "POST",
                &[("sec-fetch-site", "cross-site"), ("origin", OTHER), ("origin", "https://app.example")],
                false,
            ),
            ("POST", &[("origin", "https://app.example")], true),
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
        assert!(!passes(None, None) && !passes(None, Some("")) && !passes(Some(""), None));
    }

    #[test]
    fn a_refusal_says_why() {
        let refusal = CrossOrigin::default().check(&Addressed(None, None)).unwrap_err();
        assert_eq!(refusal.to_string(), refusal.reason());
        assert!(refusal.reason().contains("no Host"));
    }

    #[test]
    fn disabled_lets_everything_pass() {
        assert!(judge(&CrossOrigin::disabled(), "POST", &[("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn only_an_origin_can_be_trusted() {
        let never_sent = [
            "",
            "null",
            "*",
            "example.com",
            "https://",
            "://a",
            "1http://a",
            "https://a/b",
            "https://a/",
            "https://A.b",
            "https://a b",
            "https://a?b",
            "https://u@a",
            "https://*.a",
            "https://a:",
            "https://a:x",
            "https://a:080",
            "https://a:+8",
            "https://a:65536",
            "https://a:443",
            "http://a:80",
            "https://[::1",
            "https://[a]",
            "https://\u{e4}",
        ];
        for text in never_sent {
            assert!(CrossOrigin::default().trust(text).is_err(), "{text}");
        }
        for text in [
            "http://[::1]:3000",
            "http://[::1]",
            "https://a-b.c_d:8443",
            "http://a:443",
            "moz-extension://0f-1",
        ] {
            assert!(CrossOrigin::default().trust(text).is_ok(), "{text}");
        }
    }
}

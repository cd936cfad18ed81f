//! Cross-origin protection: the rules of Go 1.25's `net/http.CrossOriginProtection`, and two more for WebSocket
//! handshakes and contradicting headers.

use std::fmt;

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
        let site = single(head, "sec-fetch-site").map_err(|Conflict| "several Sec-Fetch-Site headers")?;
        let origin = single(head, "origin").map_err(|Conflict| "several Origin headers")?;
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
    let host = match head.authority() {
        Some(authority) => Some(authority.as_bytes()),
        None => single(head, "host").map_err(|Conflict| "several Host headers")?,
    };
    let Some(host) = host.filter(|host| !host.is_empty()) else {
        return Err("an Origin header, and no Host to compare it with");
    };
    match authority_of(origin) {
        Some(authority) if authority == host => Ok(()),
        _ => Err("the Origin header names another host"),
    }
}

fn authority_of(origin: &[u8]) -> Option<&[u8]> {
    let scheme_end = memchr::memmem::find(origin, b"://")?;
    origin.get(scheme_end + 3..).filter(|authority| !authority.is_empty())
}

fn is_origin(origin: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let good_scheme = !scheme.is_empty()
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte));
    let good_authority = !authority.is_empty()
        && authority
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._:[]".contains(&byte));
    good_scheme && good_authority
}

#[cfg(test)]
mod tests {
    use super::*;
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
            ("POST", &[("origin", "https://app.example")], true),
            ("POST", &[("origin", "https://app.example/")], false),
            ("POST", &[("origin", OWN), ("origin", OTHER)], false),
            ("POST", &[("origin", OWN), ("origin", OWN)], true),
            ("POST", &[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")], false),
            ("POST", &[("origin", OWN), ("host", "evil.example")], false),
            ("POST", &[("origin", OTHER), ("x-forwarded-host", "evil.example")], false),
            ("DELETE", &[("origin", OTHER)], false),
            ("PUT", &[("sec-fetch-site", "cross-site")], false),
            ("CONNECT", &[("origin", OTHER)], false),
            ("get", &[("origin", OTHER)], false),
            ("GET", &[("upgrade", "websocket"), ("origin", OTHER)], false),
            ("GET", &[("upgrade", "websocket"), ("origin", OWN)], true),
            ("GET", &[("upgrade", "websocket"), ("sec-fetch-site", "same-origin")], true),
        ];
        for (method, headers, passes) in table {
            assert_eq!(judge(&trusting, method, headers), *passes, "{method} {headers:?}");
        }
    }

    #[test]
    fn disabled_lets_everything_pass() {
        assert!(judge(&CrossOrigin::disabled(), "POST", &[("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn only_an_origin_can_be_trusted() {
        for text in ["", "null", "example.com", "https://", "https://a/b", "https://A.b", "https://a b", "*"]
        {
            assert!(CrossOrigin::default().trust(text).is_err(), "{text}");
        }
        assert!(CrossOrigin::default().trust("http://[::1]:3000").is_ok());
    }
}

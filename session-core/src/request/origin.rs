//! Origins and hosts, compared by what they mean: `HTTPS://App.example:443` is `https://app.example`.

use std::net::{Ipv4Addr, Ipv6Addr};

use memchr::memmem;

use crate::error::ConfigError;

/// Scheme, host and port (RFC 6454 section 4), of the page that sent a request or of a service of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: String,
    authority: Authority,
}

/// What follows `scheme://`, and what `Host` and `:authority` hold: a host and perhaps a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    host: Host,
    port: Option<u16>,
}

/// Two of a kind are compared, never two of different kinds: to a browser `[::ffff:192.0.2.1]` is not `192.0.2.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    /// In lower case. A trailing dot is kept: to browsers, their cookies and their origins `app.example.` is another
    /// host than `app.example`.
    Name(String),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

impl Origin {
    /// One that the application names.
    pub(crate) fn configured(text: &str) -> Result<Self, ConfigError> {
        Self::parse(text.as_bytes()).ok_or_else(|| {
            ConfigError::new(format!(
                "{text:?} is no origin: write scheme, host and perhaps port, without a path or a user, an \
                 international name in Punycode (xn--..) and an IPv4 address as four decimals, as in \
                 https://app.example.com"
            ))
        })
    }

    /// `scheme://host` or `scheme://host:port`, and nothing else: no userinfo, no path, no white space.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let at = memmem::find(text, b"://")?;
        let (scheme, rest) = text.split_at_checked(at)?;
        let scheme =
            std::str::from_utf8(scheme).ok().filter(|scheme| is_scheme(scheme))?.to_ascii_lowercase();
        let authority = Authority::parse(rest.strip_prefix(b"://")?)?;
        // The scheme's own port is written as none.
        let port = authority.port.filter(|&port| Some(port) != default_port(&scheme));
        Some(Self { authority: Authority { port, ..authority }, scheme })
    }

    /// Whether a browser opens pages of it.
    pub(crate) fn is_web(&self) -> bool {
        matches!(&*self.scheme, "http" | "https")
    }

    /// Whether a page of this origin was served by the host that `authority` names. Where that says no port, it is
    /// the one that this origin's scheme would use: behind a proxy nobody knows the scheme of the request itself.
    pub(crate) fn is_at(&self, authority: &Authority) -> bool {
        let default = default_port(&self.scheme);
        let port = |port: Option<u16>| port.or(default);
        default.is_some()
            && self.authority.host == authority.host
            && port(self.authority.port) == port(authority.port)
    }
}

impl Authority {
    /// A host as browsers write it, in any case, with or without a port. An international name is one in Punycode.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (text, ""),
        };
        // An empty port is none (RFC 3986 section 3.2.3).
        let port = match port {
            "" => None,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            _ => return None,
        };
        Some(Self { host: Host::parse(host)?, port })
    }
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        if let Some(bracketed) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return bracketed.parse().ok().map(Self::V6);
        }
        if ends_in_a_number(text) {
            return text.parse().ok().map(Self::V4);
        }
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let named = text.bytes().all(good) && !text.trim_matches('.').is_empty();
        named.then(|| Self::Name(text.to_ascii_lowercase()))
    }
}

/// Then browsers take it for an IPv4 address, and write it as four decimals: `127.1` and `0x7f.0.0.1` reach no server
/// in that spelling.
pub(crate) fn ends_in_a_number(host: &str) -> bool {
    let last = host.strip_suffix('.').unwrap_or(host).rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    match hex {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// RFC 3986 section 3.1.
fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Of the schemes that a service of ours can have. Clients that are no browser name the socket's as their own.
fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { scheme, authority } = self;
        match &authority.host {
            Host::Name(name) => write!(f, "{scheme}://{name}")?,
            Host::V4(address) => write!(f, "{scheme}://{address}")?,
            Host::V6(address) => write!(f, "{scheme}://[{address}]")?,
        }
        authority.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn origin(text: &str) -> Option<String> {
        Origin::parse(text.as_bytes()).map(|origin| origin.to_string())
    }

    #[test]
    fn one_origin_has_one_normal_form() {
        let table = [
            ("https://app.example", "https://app.example"),
            ("HTTPS://App.Example", "https://app.example"),
            ("https://app.example:443", "https://app.example"),
            ("https://app.example:0443", "https://app.example"),
            ("https://app.example:", "https://app.example"),
            ("http://app.example:80", "http://app.example"),
            ("http://app.example:443", "http://app.example:443"),
            ("https://app.example:80", "https://app.example:80"),
            ("https://app.example.", "https://app.example."),
            ("https://XN--Bcher-KVA.example", "https://xn--bcher-kva.example"),
            ("http://a_b-c.d:8443", "http://a_b-c.d:8443"),
            ("http://192.0.2.1:8080", "http://192.0.2.1:8080"),
            ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
            ("http://[2001:DB8::A]:80", "http://[2001:db8::a]"),
            ("http://[::ffff:c000:201]", "http://[::ffff:192.0.2.1]"),
            ("moz-extension://0f-1", "moz-extension://0f-1"),
            ("capacitor://localhost:80", "capacitor://localhost:80"),
            ("https://0x.example", "https://0x.example"),
            ("https://1.example", "https://1.example"),
        ];
        for (text, normal) in table {
            assert_eq!(origin(text).as_deref(), Some(normal), "{text}");
        }
    }

    #[test]
    fn what_no_browser_sends_is_no_origin() {
        let never = [
            "",
            "null",
            "*",
            "://a",
            "1http://a",
            "app.example",
            "https:app.example",
            "https://",
            "https://.",
            "https://:443",
            "https://a/",
            "https://a/b",
            "https://a?b",
            "https://a#b",
            "https://user@a",
            "https://user:word@a",
            "https://a b",
            " https://a",
            "https://a, https://b",
            "https://a https://b",
            "https://a\\b",
            "https://*.a",
            "https://a%2eb",
            "https://a:x",
            "https://a:+8",
            "https://a:-1",
            "https://a:65536",
            "https://a:8:0",
            "https://b\u{fc}cher.example",
            "https://[::1",
            "https://::1",
            "https://[a]",
            "https://[fe80::1%25eth0]",
            "https://[192.0.2.1]",
            "https://127.1",
            "https://2130706433",
            "https://0x7f.0.0.1",
            "https://0177.0.0.1",
            "https://0x7f000001",
            "https://127.0.0.01",
            "https://127.0.0.1.",
            "https://192.0.2.256",
            "https://a.0x",
        ];
        for text in never {
            assert_eq!(origin(text), None, "{text}");
        }
        assert!(Origin::parse(b"https://a\xff").is_none());
    }

    #[test]
    fn an_origin_is_at_the_host_that_it_means() {
        let table = [
            ("https://a", "a", true),
            ("https://a", "A:443", true),
            ("https://a:443", "a", true),
            ("https://A:", "a:", true),
            ("http://a", "a:80", true),
            ("http://a:443", "a:443", true),
            ("http://a:8080", "a:8080", true),
            ("http://[::1]:3000", "[0:0::1]:3000", true),
            ("wss://a", "a:443", true),
            ("ws://a", "a:80", true),
            // The scheme of the request is not known.
            ("http://a", "a", true),
            ("https://a", "a", true),
            // Another port.
            ("https://a", "a:80", false),
            ("http://a", "a:443", false),
            ("https://a:8443", "a", false),
            ("https://a:8443", "a:8444", false),
            ("http://a:443", "a", false),
            // Another host.
            ("https://a.", "a", false),
            ("https://a", "a.", false),
            ("https://a.", "a.", true),
            ("https://a", "b.a", false),
            ("http://[::ffff:192.0.2.1]", "192.0.2.1", false),
            // Not what a service of ours is reached by.
            ("capacitor://localhost", "localhost", false),
            ("moz-extension://a", "a", false),
        ];
        for (origin, host, same) in table {
            let authority = Authority::parse(host.as_bytes()).unwrap();
            assert_eq!(
                Origin::parse(origin.as_bytes()).unwrap().is_at(&authority),
                same,
                "{origin} at {host}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic_and_the_normal_form_stands(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                "[a-zA-Z]{1,5}://[a-z0-9.x:\\[\\]@/%-]{0,20}".prop_map(String::into_bytes),
            ]
        ) {
            if let Some(origin) = Origin::parse(&bytes) {
                let normal = origin.to_string();
                prop_assert_eq!(Origin::parse(normal.as_bytes()), Some(origin));
            }
        }
    }
}

//! Settings that browsers would silently drop are errors here, each with a sentence that says what to change.

use super::{CookieSettings, SameSite};
use crate::error::ConfigError;
use crate::request::ends_in_a_number;

const MAX_NAME: usize = 64;
/// Browsers ignore a longer attribute (RFC 6265bis section 5.6).
const MAX_ATTRIBUTE: usize = 1024;

impl CookieSettings {
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        match self.contradiction() {
            Some(sentence) => Err(ConfigError::new(sentence)),
            None => Ok(()),
        }
    }

    fn contradiction(&self) -> Option<String> {
        self.bad_name()
            .or_else(|| self.bad_scope())
            .or_else(|| self.bad_prefix())
            .or_else(|| self.needs_secure())
    }

    fn bad_name(&self) -> Option<String> {
        let good = !self.name.is_empty() && self.name.len() <= MAX_NAME && self.name.bytes().all(is_token);
        (!good).then(|| {
            format!(
                "the cookie name {:?} is not a token of 1 to {MAX_NAME} characters (RFC 6265 section 4.1.1): use \
                 letters, digits, - and _",
                self.name
            )
        })
    }

    fn bad_scope(&self) -> Option<String> {
        let good = self.path.starts_with('/') && self.path.bytes().all(is_path);
        if !good || self.path.len() > MAX_ATTRIBUTE {
            return Some(format!(
                "the cookie path {:?} must start with a slash and hold at most {MAX_ATTRIBUTE} bytes of printable \
                 ASCII without spaces and semicolons",
                self.path
            ));
        }
        match self.domain.as_deref() {
            Some(domain) if !is_domain(domain) => Some(format!(
                "the cookie domain {domain:?} is no host name: write it as example.com, without scheme, port or \
                 leading dot"
            )),
            Some(domain) if ends_in_a_number(domain) => Some(format!(
                "browsers take the cookie domain {domain:?} for an IPv4 address, which has no subdomains: leave the domain \
                 out, and the cookie is for this host"
            )),
            _ => None,
        }
    }

    /// Browsers compare the prefixes without regard to case (RFC 6265bis section 5.7). `__Host-` includes
    /// `__Host-Http-`; what the two with `Http` ask for beyond that, HttpOnly, is always there.
    fn bad_prefix(&self) -> Option<String> {
        let name = self.name.to_ascii_lowercase();
        let is_host = name.starts_with("__host-");
        if !is_host && !["__secure-", "__http-"].iter().any(|prefix| name.starts_with(prefix)) {
            return None;
        }
        if !self.secure {
            return Some(format!(
                "browsers drop a cookie named {} without Secure: set secure(true), or for plain http use \
                 CookieSettings::development()",
                self.name
            ));
        }
        if is_host && (self.domain.is_some() || self.path != "/") {
            return Some(format!(
                "browsers drop a cookie named {} with a Domain or a Path other than /: leave them out, or name it \
                 __Secure-...",
                self.name
            ));
        }
        None
    }

    fn needs_secure(&self) -> Option<String> {
        if self.secure {
            return None;
        }
        if self.same_site == SameSite::None {
            return Some("browsers drop a SameSite=None cookie without Secure: set secure(true)".to_owned());
        }
        self.partitioned
            .then(|| "browsers drop a Partitioned cookie without Secure: set secure(true)".to_owned())
    }
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// No path of a URL holds a space.
fn is_path(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b';'
}

fn is_domain(domain: &str) -> bool {
    domain.len() <= 253
        && domain.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(settings: &CookieSettings) -> String {
        settings.validate().map_err(|error| error.to_string()).err().unwrap_or_default()
    }

    #[test]
    fn the_presets_are_valid() {
        assert!(CookieSettings::default().validate().is_ok());
        assert!(CookieSettings::development().validate().is_ok());
    }

    #[test]
    fn what_browsers_would_drop_says_what_to_change() {
        let base = CookieSettings::default;
        let plain = CookieSettings::development;
        let cases = [
            (base().domain("example.com"), "__Secure-"),
            (base().path("/app"), "leave them out"),
            (base().secure(false), "development()"),
            (base().name("__HOST-x").secure(false), "secure(true)"),
            (base().name("__Secure-x").secure(false), "secure(true)"),
            (base().name("__Http-x").secure(false), "secure(true)"),
            (base().name("__Host-Http-x").secure(false), "secure(true)"),
            (base().name("__host-http-x").domain("example.com"), "leave them out"),
            (base().name("__hOST-x").path("/app"), "leave them out"),
            (plain().same_site(SameSite::None), "SameSite=None"),
            (plain().partitioned(true), "Partitioned"),
        ];
        for (settings, words) in cases {
            assert!(refused(&settings).contains(words), "{settings:?}: {}", refused(&settings));
        }
    }

    #[test]
    fn what_browsers_keep_is_allowed() {
        let scoped = CookieSettings::default().domain("app.example.com").path("/app");
        for name in ["session", "__Secure-x", "__Http-x", "Host-x", "__Hostx", &"n".repeat(64)] {
            assert_eq!(refused(&scoped.clone().name(name)), "", "{name}");
        }
        for name in ["__Host-x", "__Host-Http-x"] {
            let settings = CookieSettings::default().name(name).same_site(SameSite::None).partitioned(true);
            assert_eq!(refused(&settings), "", "{name}");
        }
        assert_eq!(refused(&CookieSettings::development().domain("localhost")), "");
    }

    #[test]
    fn the_longest_path_and_domain_that_browsers_keep_are_allowed() {
        let plain = CookieSettings::development;
        assert_eq!(refused(&plain().path(&format!("/{}", "a".repeat(1023)))), "");
        let domain = format!("{}example", "a.".repeat(123));
        assert_eq!((domain.len(), refused(&plain().domain(&domain))), (253, String::new()));
        assert!(refused(&plain().domain(&format!("{}examples", "a.".repeat(123)))).contains("host name"));
    }

    #[test]
    fn a_domain_that_ends_in_a_number_is_refused() {
        for domain in ["example.1", "192.0.2.1", "127.1", "a.0x7f", "1"] {
            assert!(refused(&CookieSettings::development().domain(domain)).contains("IPv4"), "{domain}");
        }
        for domain in ["1.example", "example.a1", "0x7f.example"] {
            assert_eq!(refused(&CookieSettings::development().domain(domain)), "", "{domain}");
        }
    }

    #[test]
    fn bytes_that_would_break_the_header_are_refused() {
        let plain = CookieSettings::development;
        for name in ["", "a b", "a=b", "a;b", "näme", &"n".repeat(65)] {
            assert!(refused(&plain().name(name)).contains("token"), "{name}");
        }
        let long = format!("/{}", "a".repeat(1024));
        for path in ["", "app", "/a;b", "/a\nb", "/a b", "/a\u{7f}", "/ä", &long] {
            assert!(refused(&plain().path(path)).contains("slash"), "{path}");
        }
        for domain in [
            "",
            ".example.com",
            "example.com:80",
            "a..b",
            "ex ample",
            "http://a",
            "-a.b",
            "a.",
            "a;b",
            "ä.de",
            "[::1]",
        ] {
            assert!(refused(&plain().domain(domain)).contains("host name"), "{domain}");
        }
    }
}

//! Cookies as a strict browser keeps them.

use std::fmt;
use std::time::Duration;

use session_core::{Clock as _, Timestamp, testing::ManualClock};

use super::Request;

/// Keeps cookies by the rules of RFC 6265bis that matter to us, on a loopback host, where browsers take Secure
/// cookies over plain http. The time is the test's own.
#[derive(Clone, Debug)]
pub(crate) struct Jar {
    clock: ManualClock,
    cookies: Vec<Cookie>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Cookie {
    name: String,
    value: String,
    path: String,
    expires: Option<Timestamp>,
}

/// Why a browser does not keep a cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused(&'static str);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Sections 5.6 and 5.7 of RFC 6265bis, as far as they look at one `Set-Cookie` line.
#[derive(Default)]
struct Line<'a> {
    name: &'a str,
    value: &'a str,
    path: Option<&'a str>,
    domain: Option<&'a str>,
    max_age: Option<i64>,
    secure: bool,
    same_site_none: bool,
    partitioned: bool,
}

/// No cookie lives longer (section 5.5).
const MOST: i64 = 400 * 24 * 3600;

impl Jar {
    pub(crate) fn new(clock: ManualClock) -> Self {
        Self { clock, cookies: Vec::new() }
    }

    pub(crate) fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// Takes one `Set-Cookie` line that answers a request for `request_path`, or refuses it.
    pub(crate) fn store(&mut self, line: &str, request_path: &str) -> Result<(), Refused> {
        let line = Line::parse(line)?;
        line.check()?;
        let path = match line.path {
            Some(path) if path.starts_with('/') => path.to_owned(),
            _ => default_path(request_path).to_owned(),
        };
        let name = line.name.to_owned();
        self.cookies.retain(|known| (&known.name, &known.path) != (&name, &path));
        let expires = line.max_age.map(|seconds| self.after(seconds));
        if expires.is_none_or(|at| at > self.clock.now()) {
            self.cookies.push(Cookie { name, value: line.value.to_owned(), path, expires });
        }
        Ok(())
    }

    /// Adds the cookies that a browser sends with this request, longer paths first (section 5.8.3).
    pub(crate) fn attach(&self, request: Request) -> Request {
        let mut sent: Vec<&Cookie> = self.sent(request.path()).collect();
        sent.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        if sent.is_empty() {
            return request;
        }
        let pairs: Vec<String> =
            sent.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        request.cookie(pairs.join("; "))
    }

    /// The value of a cookie that is sent for `/`.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.sent("/").find(|cookie| cookie.name == name).map(|cookie| cookie.value.as_str())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sent("/").next().is_none()
    }

    fn sent<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a Cookie> {
        let now = self.clock.now();
        let live = self.cookies.iter().filter(move |cookie| cookie.expires.is_none_or(|at| at > now));
        live.filter(move |cookie| path_matches(path, &cookie.path))
    }

    fn after(&self, seconds: i64) -> Timestamp {
        match u64::try_from(seconds.min(MOST)) {
            Ok(seconds) => self.clock.now().plus(Duration::from_secs(seconds)),
            Err(_) => Timestamp::EPOCH,
        }
    }
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Result<Self, Refused> {
        if line.bytes().any(|byte| (byte < 0x20 && byte != b'\t') || byte == 0x7f) {
            return Err(Refused("a control character"));
        }
        let mut parts = line.split(';').map(str::trim);
        let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).ok_or(Refused("no name"))?;
        let mut line = Self { name: name.trim(), value: value.trim(), ..Self::default() };
        parts.for_each(|attribute| line.attribute(attribute));
        Ok(line)
    }

    fn attribute(&mut self, attribute: &'a str) {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        match name.as_str() {
            "path" => self.path = Some(value),
            "domain" => self.domain = Some(value),
            "max-age" => self.max_age = value.parse().ok().or(self.max_age),
            "secure" => self.secure = true,
            "samesite" => self.same_site_none = value.eq_ignore_ascii_case("none"),
            "partitioned" => self.partitioned = true,
            _ => {}
        }
    }

    fn check(&self) -> Result<(), Refused> {
        let host_prefix = has_prefix(self.name, "__Host-");
        let secure_prefix = host_prefix || has_prefix(self.name, "__Secure-");
        let checks = [
            (self.name.is_empty(), "an empty name"),
            (self.name.len() + self.value.len() > 4096, "name and value above 4096 bytes"),
            (secure_prefix && !self.secure, "a __Host- or __Secure- name without Secure"),
            (
                host_prefix && self.domain.is_some_and(|domain| !domain.is_empty()),
                "a __Host- name with a Domain",
            ),
            (host_prefix && self.path != Some("/"), "a __Host- name without Path=/"),
            (self.same_site_none && !self.secure, "SameSite=None without Secure"),
            (self.partitioned && !self.secure, "Partitioned without Secure"),
            (
                self.domain
                    .is_some_and(|domain| domain.parse::<std::net::IpAddr>().is_err() && !domain.is_empty()),
                "the Domain of another host",
            ),
        ];
        match checks.into_iter().find(|(fails, _)| *fails) {
            Some((_, why)) => Err(Refused(why)),
            None => Ok(()),
        }
    }
}

/// Prefixes match whatever their case (section 5.7, step 20).
fn has_prefix(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Section 5.1.4.
fn default_path(request_path: &str) -> &str {
    match request_path.rfind('/') {
        None | Some(0) => "/",
        Some(at) => &request_path[..at],
    }
}

/// Section 5.1.4.
fn path_matches(request_path: &str, cookie_path: &str) -> bool {
    match request_path.strip_prefix(cookie_path) {
        Some(rest) => rest.is_empty() || cookie_path.ends_with('/') || rest.starts_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar() -> Jar {
        Jar::new(ManualClock::at(Timestamp::from_unix_seconds(1_000_000)))
    }

    fn refusal(line: &str) -> Option<&'static str> {
        jar().store(line, "/").err().map(|Refused(why)| why)
    }

    #[test]
    fn what_browsers_refuse_is_refused() {
        for line in [
            "no pair",
            "=value",
            "__Host-a=b; Path=/",
            "__HOST-a=b; Path=/",
            "__Host-a=b; Secure",
            "__Host-a=b; Secure; Path=/x",
            "__Host-a=b; Secure; Path=/; Domain=127.0.0.1",
            "__Secure-a=b; Path=/",
            "a=b; SameSite=None",
            "a=b; Partitioned",
            "a=b; Domain=example.com",
            "a=b\u{1}",
        ] {
            assert!(refusal(line).is_some(), "{line}");
        }
        assert_eq!(refusal(&format!("a={}", "b".repeat(4095))), None);
        assert!(refusal(&format!("a={}", "b".repeat(4096))).is_some());
    }

    #[test]
    fn what_was_stored_is_sent_for_its_path() {
        let mut jar = jar();
        jar.store("__Host-a=1; Secure; Path=/", "/login").unwrap();
        jar.store("b=2; Path=/x", "/").unwrap();
        jar.store("c=3", "/x/y").unwrap();
        let sent = |target: &str| jar.attach(Request::get(target)).headers;
        assert_eq!(sent("/"), Request::get("/").cookie("__Host-a=1").headers);
        assert_eq!(sent("/x?q"), Request::get("/").cookie("b=2; c=3; __Host-a=1").headers);
        assert_eq!(sent("/xy"), Request::get("/").cookie("__Host-a=1").headers);
    }

    #[test]
    fn max_age_ends_a_cookie_and_zero_clears_it() {
        let mut jar = jar();
        jar.store("a=1; Max-Age=10; Path=/", "/").unwrap();
        jar.clock.advance(Duration::from_secs(9));
        assert_eq!(jar.get("a"), Some("1"));
        jar.clock.advance(Duration::from_secs(1));
        assert!(jar.is_empty());
        jar.store("b=2; Path=/", "/").unwrap();
        jar.store("b=; Max-Age=0; Path=/other", "/").unwrap();
        assert_eq!(jar.get("b"), Some("2"));
        jar.store("b=; Max-Age=0; Path=/", "/").unwrap();
        assert!(jar.is_empty());
    }
}

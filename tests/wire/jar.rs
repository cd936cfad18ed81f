//! A cookie jar that stores what a browser stores and refuses what a browser refuses (RFC 6265bis section 5.7,
//! with Chromium where the two differ). It says why it refuses, so that a test can.
//!
//! Its one site is a plain http server on loopback, which browsers trust with `Secure` cookies. Left out,
//! because nothing here needs them: the public suffix list, limits on the number of cookies, SameSite
//! enforcement (all requests of a jar are same-site).

use super::Response;

/// name + value above this is not stored.
const NAME_AND_VALUE: usize = 4096;
/// An attribute with a longer value is ignored.
const ATTRIBUTE_VALUE: usize = 1024;
/// No cookie lives longer, whatever it says.
const LONGEST_LIFE: i64 = 400 * 24 * 60 * 60;

/// Why a `Set-Cookie` line was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    ControlCharacter,
    Empty,
    TooLarge,
    ForeignDomain,
    /// `SameSite=None` or `Partitioned` without `Secure`.
    NotSecure,
    /// A `__Secure-`, `__Host-`, `__Http-` or `__Host-Http-` name without what it promises.
    Prefix,
}

/// A cookie in a [`Jar`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredCookie {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) path: String,
    pub(crate) secure: bool,
    pub(crate) http_only: bool,
    pub(crate) same_site: Option<String>,
    pub(crate) partitioned: bool,
    /// Seconds since 1970; none for a cookie that ends with the browser session.
    pub(crate) expires: Option<i64>,
    /// None for a cookie of exactly the host that set it.
    pub(crate) domain: Option<String>,
}

/// The cookies of one visitor of one server.
#[derive(Clone, Debug)]
pub(crate) struct Jar {
    host: String,
    now: i64,
    cookies: Vec<StoredCookie>,
}

impl Jar {
    /// An empty jar. `host` is without a port: cookies do not know ports.
    pub(crate) fn new(host: &str) -> Self {
        Self { host: host.to_ascii_lowercase(), now: 0, cookies: Vec::new() }
    }

    /// Lets time pass: the jar looks at no clock.
    pub(crate) fn advance(&mut self, seconds: i64) {
        self.set_now(self.now + seconds);
    }

    /// Sets the time, in seconds since 1970; needed only for servers that write `Expires`.
    pub(crate) fn set_now(&mut self, now: i64) {
        self.now = now;
        self.cookies.retain(|cookie| cookie.expires.is_none_or(|expires| expires > now));
    }

    /// Ends the browser session: what has no expiry is gone.
    pub(crate) fn close_browser(&mut self) {
        self.cookies.retain(|cookie| cookie.expires.is_some());
    }

    pub(crate) fn get(&self, name: &str) -> Option<&StoredCookie> {
        self.cookies.iter().find(|cookie| cookie.name == name)
    }

    pub(crate) fn cookies(&self) -> &[StoredCookie] {
        &self.cookies
    }

    /// The value of the `Cookie` line for a request to this path: longer paths first, then older cookies.
    pub(crate) fn cookie_line(&self, path: &str) -> Option<String> {
        let mut cookies: Vec<_> =
            self.cookies.iter().filter(|cookie| path_matches(path, &cookie.path)).collect();
        cookies.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pair = |cookie: &&StoredCookie| match cookie.name.as_str() {
            "" => cookie.value.clone(),
            name => format!("{name}={}", cookie.value),
        };
        let line = cookies.iter().map(pair).collect::<Vec<_>>().join("; ");
        (!line.is_empty()).then_some(line)
    }

    /// Takes in every `Set-Cookie` line of a response, and returns the refused ones.
    pub(crate) fn store_all(&mut self, path: &str, response: &Response) -> Vec<(String, Refusal)> {
        let lines = response.header_lines("set-cookie");
        let refused = lines.iter().filter_map(|line| {
            let refusal = self.store(path, line).err()?;
            Some((line.escape_ascii().to_string(), refusal))
        });
        refused.collect()
    }

    /// Takes in the value of one `Set-Cookie` line of an answer to a request for this path.
    pub(crate) fn store(&mut self, path: &str, line: &[u8]) -> Result<(), Refusal> {
        if line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return Err(Refusal::ControlCharacter);
        }
        let line = String::from_utf8_lossy(line);
        let mut parts = line.split(';');
        let (name, value) = split_pair(parts.next().unwrap_or_default(), "");
        if name.is_empty() && value.is_empty() {
            return Err(Refusal::Empty);
        }
        if name.len() + value.len() > NAME_AND_VALUE {
            return Err(Refusal::TooLarge);
        }
        let attributes = Attributes::parse(parts);
        let cookie = attributes.into_cookie(name, value, &self.host, path, self.now)?;
        self.insert(cookie);
        Ok(())
    }

    /// Replaces the cookie of the same name, domain and path in its place; an expired one only removes it.
    fn insert(&mut self, cookie: StoredCookie) {
        let same = |old: &StoredCookie| {
            (&old.name, &old.domain, &old.path) == (&cookie.name, &cookie.domain, &cookie.path)
        };
        let at = self.cookies.iter().position(same);
        let expired = cookie.expires.is_some_and(|expires| expires <= self.now);
        match (at, expired) {
            (Some(at), true) => _ = self.cookies.remove(at),
            (Some(at), false) => self.cookies[at] = cookie,
            (None, true) => {}
            (None, false) => self.cookies.push(cookie),
        }
    }
}

/// The attributes of one line; of repeated ones the last counts.
#[derive(Default)]
struct Attributes {
    path: Option<String>,
    domain: Option<String>,
    max_age: Option<i64>,
    expires: Option<i64>,
    same_site: Option<String>,
    secure: bool,
    http_only: bool,
    partitioned: bool,
}

impl Attributes {
    fn parse<'a>(parts: impl Iterator<Item = &'a str>) -> Self {
        let mut this = Self::default();
        for part in parts {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim(), value.trim()),
                None => (part.trim(), ""),
            };
            if value.len() > ATTRIBUTE_VALUE {
                continue;
            }
            match name.to_ascii_lowercase().as_str() {
                "path" => this.path = Some(value.into()),
                "domain" => this.domain = Some(value.trim_start_matches('.').to_ascii_lowercase()),
                "max-age" => this.max_age = parse_max_age(value).or(this.max_age),
                "expires" => this.expires = parse_date(value).or(this.expires),
                "samesite" => this.same_site = Some(value.into()),
                "secure" => this.secure = true,
                "httponly" => this.http_only = true,
                "partitioned" => this.partitioned = true,
                _ => {}
            }
        }
        this
    }

    fn into_cookie(
        self,
        name: &str,
        value: &str,
        host: &str,
        path: &str,
        now: i64,
    ) -> Result<StoredCookie, Refusal> {
        let domain = self.domain.as_deref().filter(|domain| !domain.is_empty());
        if domain.is_some_and(|domain| !domain_matches(host, domain)) {
            return Err(Refusal::ForeignDomain);
        }
        let none = self.same_site.as_deref().is_some_and(|value| value.eq_ignore_ascii_case("none"));
        if (none || self.partitioned) && !self.secure {
            return Err(Refusal::NotSecure);
        }
        if !self.keeps_prefix(name, value, domain) {
            return Err(Refusal::Prefix);
        }
        let expires = self.max_age.map(|age| now + age.min(LONGEST_LIFE)).or(self.expires);
        Ok(StoredCookie {
            name: name.into(),
            value: value.into(),
            path: self.path.filter(|path| path.starts_with('/')).unwrap_or_else(|| default_path(path)),
            secure: self.secure,
            http_only: self.http_only,
            same_site: self.same_site,
            partitioned: self.partitioned,
            expires: expires.map(|expires| expires.min(now + LONGEST_LIFE)),
            domain: domain.map(str::to_owned),
        })
    }

    /// Whether a prefix of the name, in any case, is honoured; a value without a name must not look like one.
    fn keeps_prefix(&self, name: &str, value: &str, domain: Option<&str>) -> bool {
        let starts = |text: &str, prefix: &str| {
            text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let whole_host = self.secure && domain.is_none() && self.path.as_deref() == Some("/");
        if name.is_empty() {
            !["__Secure-", "__Host-", "__Http-"].iter().any(|prefix| starts(value, prefix))
        } else if starts(name, "__Host-Http-") {
            whole_host && self.http_only
        } else if starts(name, "__Host-") {
            whole_host
        } else if starts(name, "__Http-") {
            self.secure && self.http_only
        } else {
            self.secure || !starts(name, "__Secure-")
        }
    }
}

/// `name=value`, trimmed; text without a `=` is a value whose name is `unnamed`.
fn split_pair<'a>(pair: &'a str, unnamed: &'a str) -> (&'a str, &'a str) {
    let (name, value) = pair.split_once('=').unwrap_or((unnamed, pair));
    (name.trim(), value.trim())
}

fn domain_matches(host: &str, domain: &str) -> bool {
    let is_name = host.parse::<std::net::IpAddr>().is_err();
    host == domain || (is_name && host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
}

fn path_matches(request: &str, cookie: &str) -> bool {
    let rest = request.strip_prefix(cookie);
    rest.is_some_and(|rest| rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'))
}

/// The directory of the request's path.
fn default_path(request: &str) -> String {
    match request.rfind('/') {
        None | Some(0) => "/".into(),
        Some(at) => request[..at].into(),
    }
}

fn parse_max_age(value: &str) -> Option<i64> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let negative = value.starts_with('-');
    is_number.then(|| if negative { 0 } else { digits.parse().unwrap_or(LONGEST_LIFE) })
}

/// A cookie date (RFC 6265bis section 5.1.1): the tokens may come in any order.
fn parse_date(value: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in value.split(|c: char| !c.is_ascii_alphanumeric() && c != ':') {
        let number = token.parse::<i64>().ok();
        let start = token.get(..3).unwrap_or_default().to_ascii_lowercase();
        if time.is_none() && token.contains(':') {
            let mut parts = token.split(':').map(|part| part.parse::<i64>().ok());
            let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
            time = (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second);
        } else if day.is_none() && token.len() <= 2 && number.is_some() {
            day = number;
        } else if month.is_none() && MONTHS.contains(&start.as_str()) {
            month = MONTHS.iter().position(|month| *month == start);
        } else if year.is_none() && number.is_some() {
            year = number.map(|year| match year {
                0..70 => year + 2000,
                70..100 => year + 1900,
                _ => year,
            });
        }
    }
    Some(days_since_1970(year?, i64::try_from(month?).ok()? + 1, day?) * 86_400 + time?)
}

/// Days in the proleptic Gregorian calendar, years counted from March so that a leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

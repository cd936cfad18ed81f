use serde_json::Value;

use super::WireError;

/// A response as it came: header lines in their order, values as bytes.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    head: Head,
    body: Vec<u8>,
}

impl Response {
    pub(super) fn new(head: Head, body: Vec<u8>) -> Self {
        Self { head, body }
    }

    pub(crate) fn status(&self) -> u16 {
        self.head.status
    }

    /// Every header line, names as they were written.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.head.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// The values of every line with this name, in their order.
    pub(crate) fn header_lines(&self, name: &str) -> Vec<&[u8]> {
        self.headers().filter(|(line, _)| line.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    /// The value of the one line with this name, or none; two lines where one belongs are a failure.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.header_lines(name);
        assert!(lines.len() < 2, "{} lines of {name} in {self}", lines.len());
        lines.first().map(|line| std::str::from_utf8(line).expect("a header value in UTF-8"))
    }

    /// The values of the `Set-Cookie` lines.
    pub(crate) fn set_cookies(&self) -> Vec<&str> {
        let lines = self.header_lines("set-cookie");
        lines.into_iter().map(|line| std::str::from_utf8(line).expect("a cookie in UTF-8")).collect()
    }

    /// The value that the response sets for the cookie of this name.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.set_cookies().into_iter().find_map(|line| {
            let (set, rest) = line.split_once('=')?;
            (set == name).then(|| rest.split(';').next().unwrap_or_default())
        })
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in the body of {self}"))
    }

    /// Fails with the whole response unless it has this status.
    #[track_caller]
    pub(crate) fn expect_status(self, status: u16) -> Self {
        assert!(self.status() == status, "expected status {status}, got\n{self}");
        self
    }
}

impl std::fmt::Display for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "HTTP {}", self.status())?;
        for (name, value) in self.headers() {
            writeln!(f, "{name}: {}", value.escape_ascii())?;
        }
        write!(f, "\n{}", String::from_utf8_lossy(&self.body))
    }
}

/// Status and header lines.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    headers: Vec<(String, Vec<u8>)>,
}

/// What says where a body ends (RFC 9112 section 6.3).
#[derive(Debug, PartialEq)]
pub(super) enum BodyEnd {
    Length(usize),
    Chunked,
    Close,
}

impl Head {
    /// Parses a head without its closing empty line. Strict: bare line feeds, folded lines and names that are
    /// no tokens are refused.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let malformed = |line: &[u8]| WireError::Malformed(line.escape_ascii().to_string());
        let mut lines = split_lines(bytes);
        let first = lines.next().unwrap_or_default();
        let status = parse_status_line(first).ok_or_else(|| malformed(first))?;
        let headers = lines.map(|line| parse_header_line(line).ok_or_else(|| malformed(line)));
        Ok(Self { status, headers: headers.collect::<Result<_, _>>()? })
    }

    pub(super) fn body_end(&self, to_head: bool) -> Result<BodyEnd, WireError> {
        if to_head || self.status < 200 || matches!(self.status, 204 | 304) {
            return Ok(BodyEnd::Length(0));
        }
        let values = |name: &str| -> Vec<String> {
            let lines = self.headers.iter().filter(|(line, _)| line.eq_ignore_ascii_case(name));
            lines.map(|(_, value)| String::from_utf8_lossy(value).to_ascii_lowercase()).collect()
        };
        match (values("transfer-encoding").as_slice(), values("content-length").as_slice()) {
            ([], []) => Ok(BodyEnd::Close),
            ([], [length]) => match length.parse() {
                Ok(length) => Ok(BodyEnd::Length(length)),
                Err(_) => Err(WireError::Malformed(format!("Content-Length: {length}"))),
            },
            ([coding], []) if coding == "chunked" => Ok(BodyEnd::Chunked),
            (codings, lengths) => Err(WireError::Malformed(format!(
                "Transfer-Encoding {codings:?} with Content-Length {lengths:?}"
            ))),
        }
    }
}

fn split_lines(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let end = bytes.windows(2).position(|window| window == b"\r\n");
        done = end.is_none();
        let line = &bytes[..end.unwrap_or(bytes.len())];
        bytes = bytes.get(line.len() + 2..).unwrap_or_default();
        Some(line)
    })
}

fn parse_status_line(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.1 ").or_else(|| line.strip_prefix(b"HTTP/1.0 "))?;
    let digits = rest.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    matches!(rest.get(3), None | Some(b' ')).then_some(())?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn parse_header_line(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let is_token =
        !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b));
    let is_value = !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
    (is_token && is_value).then(|| (String::from_utf8_lossy(name).into_owned(), value.trim_ascii().to_vec()))
}

//! A response as it came.

use std::fmt;

use serde_json::Value;

/// Status, header lines in order with their values as bytes, and the body without its framing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

/// What says where a body ends (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyEnd {
    After(usize),
    Chunked,
    Close,
}

impl Response {
    /// The values of every line with this name.
    pub(crate) fn lines(&self, name: &str) -> Vec<&[u8]> {
        let named = self.headers.iter().filter(|(line, _)| line.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_slice()).collect()
    }

    /// The value of the only line with this name. Two lines where one belongs are a failure.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        match self.lines(name).as_slice() {
            [] => None,
            [one] => Some(std::str::from_utf8(one).expect("a header value in UTF-8")),
            many => panic!("{} lines {name} in\n{self}", many.len()),
        }
    }

    /// The `Set-Cookie` lines.
    pub(crate) fn set_cookies(&self) -> Vec<&str> {
        self.lines("set-cookie")
            .iter()
            .map(|line| std::str::from_utf8(line).expect("a cookie in UTF-8"))
            .collect()
    }

    /// The value that the only `Set-Cookie` line gives its cookie.
    #[track_caller]
    pub(crate) fn cookie_value(&self) -> &str {
        let line = self.header("set-cookie").unwrap_or_else(|| panic!("no Set-Cookie in\n{self}"));
        let pair = line.split(';').next().unwrap_or_default();
        pair.split_once('=').unwrap_or_else(|| panic!("no = in {pair}")).1
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in the body of\n{self}"))
    }

    /// Fails, and shows the response, unless it has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert!(self.status == status, "expected {status}, got\n{self}");
        self
    }

    /// Fails unless it has this status and is one of our errors with this code.
    #[track_caller]
    pub(crate) fn expect_error(self, status: u16, code: &str) -> Self {
        let response = self.expect(status);
        assert_eq!(response.json()["code"], code, "in\n{response}");
        response
    }

    /// Fails if it says anything of a cookie.
    #[track_caller]
    pub(crate) fn expect_no_cookie(self) -> Self {
        assert!(self.set_cookies().is_empty(), "a Set-Cookie in\n{self}");
        self
    }

    pub(super) fn parse_head(head: &[u8]) -> Result<Self, String> {
        let mut lines =
            head.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let first = lines.next().unwrap_or_default();
        let status = parse_status(first).ok_or_else(|| format!("status line {}", first.escape_ascii()))?;
        let headers = lines
            .map(|line| parse_line(line).ok_or_else(|| format!("header line {}", line.escape_ascii())))
            .collect::<Result<_, _>>()?;
        Ok(Self { status, headers, body: Vec::new() })
    }

    pub(super) fn body_end(&self, to_head: bool) -> Result<BodyEnd, String> {
        if to_head || self.status < 200 || matches!(self.status, 204 | 304) {
            return Ok(BodyEnd::After(0));
        }
        match (self.lines("transfer-encoding").as_slice(), self.lines("content-length").as_slice()) {
            ([], []) => Ok(BodyEnd::Close),
            ([], [length]) => std::str::from_utf8(length)
                .ok()
                .and_then(|length| length.parse().ok())
                .map(BodyEnd::After)
                .ok_or_else(|| format!("content-length {}", length.escape_ascii())),
            ([coding], []) if coding.eq_ignore_ascii_case(b"chunked") => Ok(BodyEnd::Chunked),
            _ => Err("contradicting lines on where the body ends".to_owned()),
        }
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", value.escape_ascii())?;
        }
        write!(f, "\n{}", String::from_utf8_lossy(&self.body))
    }
}

fn parse_status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.1 ").or_else(|| line.strip_prefix(b"HTTP/1.0 "))?;
    let digits = std::str::from_utf8(rest.get(..3)?).ok()?;
    digits.parse().ok()
}

fn parse_line(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let name = std::str::from_utf8(&line[..colon]).ok()?;
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    is_name.then(|| (name.to_owned(), line[colon + 1..].trim_ascii().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(head: &str) -> Response {
        Response::parse_head(head.as_bytes()).unwrap()
    }

    #[test]
    fn lines_keep_their_order_and_bytes() {
        let response =
            Response::parse_head(b"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nx:\xe4\r\nset-cookie: b").unwrap();
        assert_eq!((response.status, response.set_cookies()), (200, vec!["a", "b"]));
        assert_eq!(response.lines("X"), [b"\xe4"]);
    }

    #[test]
    fn what_is_not_http_is_an_error() {
        for head in
            ["", "HTTP/2 200", "HTTP/1.1 2x0 no", "HTTP/1.1 200 OK\r\nno colon", "HTTP/1.1 200 OK\r\n a: b"]
        {
            assert!(Response::parse_head(head.as_bytes()).is_err(), "{head}");
        }
    }

    #[test]
    fn where_the_body_ends() {
        let length = parse("HTTP/1.1 200 OK\r\ncontent-length: 7");
        assert_eq!(length.body_end(false), Ok(BodyEnd::After(7)));
        assert_eq!(length.body_end(true), Ok(BodyEnd::After(0)));
        assert_eq!(parse("HTTP/1.1 204 None").body_end(false), Ok(BodyEnd::After(0)));
        assert_eq!(parse("HTTP/1.1 200 OK").body_end(false), Ok(BodyEnd::Close));
        assert_eq!(
            parse("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked").body_end(false),
            Ok(BodyEnd::Chunked)
        );
        assert!(parse("HTTP/1.1 200 OK\r\ncontent-length: 7\r\ncontent-length: 8").body_end(false).is_err());
    }
}

//! Building a request.

/// A request, byte for byte: names keep their case and lines their order. `Host` and, with a body or a POST,
/// `Content-Length` are added unless the test sets them or leaves them [out](Self::without).
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    left_out: Vec<&'static str>,
}

impl Request {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            left_out: Vec::new(),
        }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn head(target: &str) -> Self {
        Self::new("HEAD", target)
    }

    pub(crate) fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    pub(crate) fn delete(target: &str) -> Self {
        Self::new("DELETE", target)
    }

    /// One more header line.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// A `Cookie` line of its own, exactly as given.
    pub(crate) fn cookie(self, line: impl AsRef<[u8]>) -> Self {
        self.header("Cookie", line)
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    /// As a browser asks for a page.
    pub(crate) fn navigation(self) -> Self {
        self.header("Sec-Fetch-Site", "none").header("Sec-Fetch-Mode", "navigate")
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Leaves out a line that would be added: `Host` or `Content-Length`.
    pub(crate) fn without(mut self, name: &'static str) -> Self {
        self.left_out.push(name);
        self
    }

    /// The target without its query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub(crate) fn to_bytes(&self, host: &str) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        if self.adds("Host") {
            write_line(&mut bytes, "Host", host.as_bytes());
        }
        for (name, value) in &self.headers {
            write_line(&mut bytes, name, value);
        }
        if (!self.body.is_empty() || self.method == "POST") && self.adds("Content-Length") {
            write_line(&mut bytes, "Content-Length", self.body.len().to_string().as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    fn adds(&self, name: &str) -> bool {
        !self.left_out.contains(&name) && !self.headers.iter().any(|(set, _)| set.eq_ignore_ascii_case(name))
    }
}

fn write_line(bytes: &mut Vec<u8>, name: &str, value: &[u8]) {
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(b": ");
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_what_is_sent() {
        let bytes = Request::post("/x?y").header("X-Odd", b"\xe4").cookie("a=b; c").body("z").to_bytes("h:1");
        let expected: &[u8] =
            b"POST /x?y HTTP/1.1\r\nHost: h:1\r\nX-Odd: \xe4\r\nCookie: a=b; c\r\nContent-Length: 1\r\n\r\nz";
        assert_eq!(bytes, expected);
    }

    #[test]
    fn added_lines_can_be_set_or_left_out() {
        let bytes = Request::get("/").header("host", "other").without("Content-Length").to_bytes("h");
        assert_eq!(bytes, b"GET / HTTP/1.1\r\nhost: other\r\n\r\n");
        assert_eq!(
            Request::post("/").without("Host").without("Content-Length").to_bytes("h"),
            b"POST / HTTP/1.1\r\n\r\n"
        );
    }
}

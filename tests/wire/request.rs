use std::net::SocketAddr;

use serde_json::Value;

/// A request, written byte for byte as it was built: names keep their case, lines their order.
///
/// `Host` (first) and `Content-Length` (last) are added unless they were set or [left out](Request::without).
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
    left_out: Vec<&'static str>,
}

impl Request {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            headers: Vec::new(),
            body: None,
            left_out: Vec::new(),
        }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    pub(crate) fn delete(target: &str) -> Self {
        Self::new("DELETE", target)
    }

    /// Adds one header line. Several of one name stay several.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// Adds a `Cookie` line of its own, as given: `name=value`, or several with `; ` between.
    pub(crate) fn cookie(self, pairs: impl AsRef<[u8]>) -> Self {
        self.header("Cookie", pairs)
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    /// What a browser adds when a person follows a link or sends a form of this origin's own page.
    pub(crate) fn navigation(self) -> Self {
        self.header("Sec-Fetch-Site", "same-origin").header("Sec-Fetch-Mode", "navigate")
    }

    pub(crate) fn body(mut self, content_type: &str, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_vec());
        self.header("Content-Type", content_type)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// A form whose values need no percent-encoding.
    pub(crate) fn form(self, fields: &[(&str, &str)]) -> Self {
        let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.body("application/x-www-form-urlencoded", pairs.join("&"))
    }

    /// Leaves out a line that would be added by itself: `Host`, `Content-Length`.
    pub(crate) fn without(mut self, name: &'static str) -> Self {
        self.left_out.push(name);
        self
    }

    pub(crate) fn method(&self) -> &str {
        &self.method
    }

    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// The target up to its query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    pub(crate) fn body_bytes(&self) -> &[u8] {
        self.body.as_deref().unwrap_or_default()
    }

    pub(crate) fn to_bytes(&self, server: SocketAddr) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        let mut line = |name: &str, value: &[u8]| {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        };
        if self.adds("Host") {
            line("Host", server.to_string().as_bytes());
        }
        for (name, value) in &self.headers {
            line(name, value);
        }
        if (self.body.is_some() || self.method == "POST")
            && self.adds("Content-Length")
            && self.adds("Transfer-Encoding")
        {
            line("Content-Length", self.body_bytes().len().to_string().as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(self.body_bytes());
        bytes
    }

    fn adds(&self, name: &str) -> bool {
        let set = self.headers.iter().any(|(set, _)| set.eq_ignore_ascii_case(name));
        !set && !self.left_out.iter().any(|left_out| left_out.eq_ignore_ascii_case(name))
    }
}

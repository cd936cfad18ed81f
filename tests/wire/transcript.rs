//! What happened, as text that is the same on every framework.

use std::fmt::{self, Write as _};

use super::{Request, Response, WireError};

/// The response headers that must be equal on all frameworks. Others (`Date`, `Server`, `Connection`,
/// `Content-Length` of HEAD) are the framework's own business.
const COMPARED: [&str; 10] = [
    "allow",
    "cache-control",
    "content-type",
    "location",
    "retry-after",
    "session-token",
    "set-cookie",
    "vary",
    "www-authenticate",
    "x-content-type-options",
];

/// A list of requests and answers, normalised for comparison: header names in lower case and sorted by name
/// (lines of one name keep their order), tokens replaced by `<token 1>`, `<token 2>`, .. in the order in
/// which they first appear, and whatever else a test has [named](Self::name).
#[derive(Clone, Debug, Default)]
pub(crate) struct Transcript {
    text: String,
    steps: usize,
    tokens: Vec<String>,
    names: Vec<(String, String)>,
}

impl Transcript {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// From now on `value` is shown as `<label>`: for random values that are no tokens.
    pub(crate) fn name(&mut self, value: &str, label: &str) {
        assert!(!value.is_empty(), "{label} has no value");
        self.names.push((value.into(), format!("<{label}>")));
    }

    /// A line between steps that says what comes next.
    pub(crate) fn heading(&mut self, text: &str) {
        _ = writeln!(self.text, "# {text}\n");
    }

    /// Appends one exchange.
    pub(crate) fn record(&mut self, request: &Request, outcome: &Result<Response, WireError>) {
        self.steps += 1;
        let mut step = format!("{}. {} {}\n", self.steps, request.method(), request.target());
        for (name, value) in request.headers() {
            _ = writeln!(step, "> {}: {}", name.to_ascii_lowercase(), readable(value));
        }
        if !request.body_bytes().is_empty() {
            _ = writeln!(step, "> {}", readable(request.body_bytes()));
        }
        match outcome {
            Ok(response) => write_response(&mut step, response),
            Err(WireError::Closed { .. }) => step.push_str("(connection closed)\n"),
            Err(error) => _ = writeln!(step, "({error})"),
        }
        let step = self.without_names(&step);
        let step = self.without_tokens(&step);
        self.text.push_str(&step);
        self.text.push('\n');
    }

    fn without_names(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (value, label)| text.replace(value, label))
    }

    /// Replaces every token, wherever it stands.
    fn without_tokens(&mut self, text: &str) -> String {
        let mut replaced = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(is_token_char) {
            replaced.push_str(&rest[..at]);
            let word = &rest[at..];
            let word = &word[..word.find(|c| !is_token_char(c)).unwrap_or(word.len())];
            match is_token(word) {
                true => _ = write!(replaced, "<token {}>", self.number_of(word)),
                false => replaced.push_str(word),
            }
            rest = &rest[at + word.len()..];
        }
        replaced.push_str(rest);
        replaced
    }

    fn number_of(&mut self, token: &str) -> usize {
        let known = self.tokens.iter().position(|known| known == token);
        known.unwrap_or_else(|| {
            self.tokens.push(token.into());
            self.tokens.len() - 1
        }) + 1
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn write_response(step: &mut String, response: &Response) {
    _ = writeln!(step, "{}", response.status());
    let mut lines: Vec<_> =
        response.headers().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    lines.retain(|(name, _)| COMPARED.contains(&name.as_str()));
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, value) in lines {
        _ = writeln!(step, "{name}: {}", readable(value));
    }
    if !response.body().is_empty() {
        _ = writeln!(step, "{}", readable(response.body()));
    }
}

/// Text as it is, other bytes escaped.
fn readable(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| bytes.escape_ascii().to_string(), str::to_owned)
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// A compact JWS: three parts, the first of which is `{"` in base64url.
fn is_token(word: &str) -> bool {
    let parts: Vec<_> = word.split('.').collect();
    word.starts_with("eyJ") && parts.len() == 3 && parts.iter().all(|part| !part.is_empty())
}

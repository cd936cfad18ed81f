//! What happened, in words that two runs can be compared by.

use std::fmt::Write as _;

use super::{Broken, Request, Response};

/// Requests and responses as text. Tokens and ids become `<token 1>`, `<id 1>` in the order of their first appearance;
/// headers that servers are free in (order, `Date`, framing) are left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transcript {
    text: String,
    names: Vec<(String, String)>,
    tokens: usize,
    ids: usize,
}

/// The headers that are part of the contract.
const HEADERS: [&str; 10] = [
    "set-cookie",
    "cache-control",
    "vary",
    "content-type",
    "location",
    "allow",
    "retry-after",
    "x-content-type-options",
    "session-token",
    "www-authenticate",
];

impl Transcript {
    /// A heading.
    pub(crate) fn step(&mut self, title: &str) {
        let start = if self.text.is_empty() { "" } else { "\n" };
        self.write(&format!("{start}## {title}\n"));
    }

    pub(crate) fn exchange(&mut self, request: &Request, answer: &Result<Response, Broken>) {
        self.request(request);
        match answer {
            Ok(response) => self.response(response),
            Err(broken) => self.write(&format!("< no response: {broken:?}\n")),
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn request(&mut self, request: &Request) {
        let mut text = format!("> {} {}\n", request.method, request.target);
        for (name, value) in &request.headers {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "> {name}: {}", value.escape_ascii());
        }
        if !request.body.is_empty() {
            let _ = writeln!(text, "> {}", request.body.escape_ascii());
        }
        self.write(&text);
    }

    fn response(&mut self, response: &Response) {
        let mut text = format!("< {}\n", response.status);
        for name in HEADERS {
            let mut lines = response.lines(name);
            if name == "vary" {
                lines.sort_unstable();
            }
            for value in lines {
                let _ = writeln!(text, "< {name}: {}", value.escape_ascii());
            }
        }
        for line in String::from_utf8_lossy(&response.body).lines() {
            let _ = writeln!(text, "< {line}");
        }
        self.write(&text);
    }

    fn write(&mut self, text: &str) {
        self.learn(text);
        let mut text = text.to_owned();
        for (secret, name) in &self.names {
            text = text.replace(secret, name);
        }
        self.text.push_str(&text);
    }

    fn learn(&mut self, text: &str) {
        for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))) {
            if is_token(word) && !self.knows(word) {
                self.tokens += 1;
                self.names.push((word.to_owned(), format!("<token {}>", self.tokens)));
            }
        }
        for rest in text.split("\"id\":\"").skip(1) {
            let id = rest.split('"').next().unwrap_or_default();
            if !id.is_empty() && !self.knows(id) {
                self.ids += 1;
                self.names.push((id.to_owned(), format!("<id {}>", self.ids)));
            }
        }
    }

    fn knows(&self, secret: &str) -> bool {
        self.names.iter().any(|(known, _)| known == secret)
    }
}

/// Three parts, or five where it is sealed, the first a JSON object in base64url.
fn is_token(word: &str) -> bool {
    word.starts_with("eyJ") && matches!(word.split('.').count(), 3 | 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_ids_get_stable_names() {
        let write = |token: &str, id: &str| {
            let mut transcript = Transcript::default();
            let body = format!("[{{\"id\":\"{id}\"}}]").into_bytes();
            let headers = vec![
                ("Date".to_owned(), b"now".to_vec()),
                ("Set-Cookie".to_owned(), format!("s={token}; Path=/").into()),
            ];
            transcript.step("one");
            transcript.exchange(&Request::get("/a"), &Ok(Response { status: 200, headers, body }));
            transcript.exchange(
                &Request::delete(&format!("/{id}")).cookie(format!("s={token}")),
                &Err(Broken::Closed),
            );
            transcript.text().to_owned()
        };
        let text = write("eyJh.b.c", "1234");
        assert_eq!(text, write("eyJx.y.z", "abcd"));
        assert!(
            text.contains("< set-cookie: s=<token 1>; Path=/\n< [{\"id\":\"<id 1>\"}]\n> DELETE /<id 1>\n"),
            "{text}"
        );
        assert!(!text.contains("now"));
    }
}

//! The token of a native client (RFC 6750 section 2.1).

use super::{Conflict, Headers, single};
use crate::token::MAX_TOKEN_LEN;

/// What the `Authorization` header says. No `Debug`: this is a token.
#[derive(PartialEq, Eq)]
pub(crate) enum Bearer<'a> {
    /// There is none, or one of another scheme.
    Absent,
    Token(&'a [u8]),
    /// Not the syntax of a token, longer than any of ours, or several lines that contradict each other.
    Malformed,
}

/// Reads it. The header may come once only (RFC 9110 section 11.6.2): a second line of another scheme is a
/// contradiction, too.
pub(crate) fn bearer(head: &impl Headers) -> Bearer<'_> {
    match single(head.header("authorization")) {
        Ok(line) => line.and_then(credentials).map_or(Bearer::Absent, token),
        Err(Conflict) => Bearer::Malformed,
    }
}

/// What follows the scheme, which compares without regard to case (RFC 9110 section 11.1).
fn credentials(line: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = line.split_at_checked("Bearer".len())?;
    let is_bearer =
        scheme.eq_ignore_ascii_case(b"Bearer") && rest.first().is_none_or(u8::is_ascii_whitespace);
    is_bearer.then(|| rest.trim_ascii())
}

fn token(token: &[u8]) -> Bearer<'_> {
    let fits = (1..=MAX_TOKEN_LEN).contains(&token.len());
    if fits && is_token68(token) { Bearer::Token(token) } else { Bearer::Malformed }
}

/// RFC 9110 section 11.2.
fn is_token68(token: &[u8]) -> bool {
    let mut body = token;
    while let [rest @ .., b'='] = body {
        body = rest;
    }
    !body.is_empty() && body.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRequest;

    fn request(lines: &[&str]) -> TestRequest {
        let request = TestRequest::new("GET", "/");
        lines.iter().fold(request, |request, line| request.header("authorization", line))
    }

    /// A token, or why there is none.
    fn read(lines: &[&str]) -> Bearer<'static> {
        match bearer(&request(lines)) {
            Bearer::Token(_) => Bearer::Token(b""),
            Bearer::Absent => Bearer::Absent,
            Bearer::Malformed => Bearer::Malformed,
        }
    }

    fn is_token(lines: &[&str], token: &str) -> bool {
        bearer(&request(lines)) == Bearer::Token(token.as_bytes())
    }

    #[test]
    fn the_scheme_compares_without_regard_to_case() {
        for line in ["Bearer abc", "bearer abc", "BEARER  abc "] {
            assert!(is_token(&[line], "abc"), "{line}");
        }
    }

    #[test]
    fn other_schemes_are_no_bearer() {
        for lines in [&[][..], &[""], &["Basic abc"], &["Bearerabc"], &["Bear"], &["Basic abc", "Basic abc"]]
        {
            assert!(read(lines) == Bearer::Absent, "{lines:?}");
        }
    }

    #[test]
    fn what_is_no_token_is_malformed_and_still_decides_alone() {
        for line in [
            "Bearer",
            "Bearer ",
            "Bearer\t",
            "Bearer a b",
            "Bearer a,b",
            "Bearer a, Bearer a",
            "Bearer =",
            "Bearer \u{e4}",
        ] {
            assert!(read(&[line]) == Bearer::Malformed, "{line}");
        }
    }

    #[test]
    fn the_whole_alphabet_of_tokens_is_read() {
        assert!(is_token(&["Bearer aZ09-._~+/=="], "aZ09-._~+/=="));
    }

    #[test]
    fn one_longer_than_any_of_ours_is_malformed() {
        let longest = "a".repeat(MAX_TOKEN_LEN);
        assert!(is_token(&[&format!("Bearer {longest}")], &longest));
        assert!(read(&[&format!("Bearer {longest}a")]) == Bearer::Malformed);
    }

    #[test]
    fn lines_that_contradict_each_other_are_malformed() {
        assert!(read(&["Bearer a", "Bearer b"]) == Bearer::Malformed);
        assert!(read(&["Basic a", "Bearer a"]) == Bearer::Malformed);
        assert!(is_token(&["Bearer a", "Bearer a"], "a"));
    }
}

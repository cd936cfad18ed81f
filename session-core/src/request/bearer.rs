//! The token of a native client (RFC 6750 section 2.1).

use crate::Headers;

/// What the `Authorization` header says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bearer {
    /// There is none, or one of another scheme.
    Absent,
    Token(Vec<u8>),
    /// Several that contradict each other.
    Malformed,
}

pub(crate) fn bearer(head: &impl Headers) -> Bearer {
    let mut tokens = head.header("authorization").filter_map(token_of);
    let Some(first) = tokens.next() else { return Bearer::Absent };
    if tokens.any(|token| token != first) { Bearer::Malformed } else { Bearer::Token(first.to_vec()) }
}

/// Schemes compare without regard to case (RFC 9110 section 11.1).
fn token_of(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(6)?;
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer") && rest.first().is_none_or(|&byte| byte == b' ');
    is_bearer.then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRequest;

    fn read(lines: &[&str]) -> Bearer {
        let request = TestRequest::new("GET", "/");
        bearer(&lines.iter().fold(request, |request, line| request.header("authorization", line)))
    }

    #[test]
    fn the_scheme_compares_without_regard_to_case() {
        for line in ["Bearer abc", "bearer abc", "BEARER  abc "] {
            assert_eq!(read(&[line]), Bearer::Token(b"abc".to_vec()));
        }
    }

    #[test]
    fn other_schemes_are_no_bearer() {
        assert_eq!(read(&[]), Bearer::Absent);
        assert_eq!(read(&["Basic abc"]), Bearer::Absent);
        assert_eq!(read(&["Bearerabc"]), Bearer::Absent);
    }

    #[test]
    fn a_bearer_without_token_still_decides_alone() {
        assert_eq!(read(&["Bearer"]), Bearer::Token(Vec::new()));
    }

    #[test]
    fn two_that_contradict_each_other_are_malformed() {
        assert_eq!(read(&["Bearer a", "Bearer b"]), Bearer::Malformed);
        assert_eq!(read(&["Bearer a", "Bearer a"]), Bearer::Token(b"a".to_vec()));
    }
}

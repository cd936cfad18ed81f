//! The cookies of one request, in plain bytes, each of them: of two with one name, neither is more true.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::error::ImportError;

/// In bytes, of all cookies of a request together. Servers take 8 KiB to 64 KiB of headers.
const MAX_COOKIES: usize = 64 * 1024;
/// In number. Browsers keep at most 180 for a domain.
const MAX_COUNT: usize = 256;
/// In bytes, of one value, its chunks joined.
pub(crate) const MAX_VALUE: usize = 32 * 1024;
/// Different values of one name that are looked at.
const MAX_CANDIDATES: usize = 8;
/// Parts of one value. Those that write them make them about 4 kB long.
const MAX_CHUNKS: usize = 16;

/// The cookies of one request.
///
/// What is too long is not looked at: above 64 KiB or 256 cookies there are none, and a value of more than 32 KiB, its
/// chunks joined, is nobody's.
///
/// ```
/// use session_import::Cookies;
///
/// let cookies = Cookies::from_header(b"theme=dark; sessionid=abc");
/// # assert_eq!(format!("{cookies:?}"), "Cookies([\"theme\", \"sessionid\"])");
/// ```
#[derive(Clone, Default)]
pub struct Cookies<'a>(Vec<(&'a [u8], &'a [u8])>);

impl<'a> Cookies<'a> {
    /// From one `Cookie` header (RFC 6265 section 4.2.1), as it was received.
    #[must_use]
    pub fn from_header(header: &'a [u8]) -> Self {
        Self::from_headers([header])
    }

    /// From each `Cookie` header of a request: over HTTP/2 there may be several (RFC 9113 section 8.2.3).
    #[must_use]
    pub fn from_headers(headers: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let pairs = headers.into_iter().flat_map(|header| header.split(|&byte| byte == b';'));
        Self::from_pairs(pairs.filter_map(pair))
    }

    /// From names and values, as they were received: not percent-decoded, and each of one name.
    #[must_use]
    pub fn from_pairs(pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let (mut taken, mut length) = (Vec::new(), 0_usize);
        for (name, value) in pairs {
            length = length.saturating_add(name.len()).saturating_add(value.len());
            if length > MAX_COOKIES || taken.len() == MAX_COUNT {
                return Self::default();
            }
            taken.push((name, value));
        }
        Self(taken)
    }

    /// The different values of that name, as they came.
    pub(crate) fn values(&self, name: &str) -> Result<Vec<&'a str>, ImportError> {
        let mut found = Vec::new();
        for value in self.all(name).filter(|value| value.len() <= MAX_VALUE) {
            // None of the systems writes anything but ASCII.
            if let Ok(value) = std::str::from_utf8(value)
                && !found.contains(&value)
            {
                found.push(value);
            }
        }
        if found.len() > MAX_CANDIDATES { Err(ImportError::Ambiguous) } else { Ok(found) }
    }

    /// The same for systems that percent-encode their values.
    pub(crate) fn decoded(&self, name: &str) -> Result<Vec<Cow<'a, str>>, ImportError> {
        let decoded = |value: &'a str| percent_decode(value.as_bytes()).decode_utf8().ok();
        Ok(self.values(name)?.into_iter().filter_map(decoded).collect())
    }

    /// The different values of that name, and the one that is in chunks `NAME.0`, `NAME.1` and so on.
    pub(crate) fn chunked(&self, name: &str) -> Result<Vec<Cow<'a, str>>, ImportError> {
        let whole = self.values(name)?.into_iter().map(Cow::Borrowed);
        let joined = self.joined(name)?.map(Cow::Owned);
        Ok(whole.chain(joined).collect())
    }

    /// Two values of one chunk leave open which belongs to the others.
    fn joined(&self, name: &str) -> Result<Option<String>, ImportError> {
        let mut joined = String::new();
        for number in 0..MAX_CHUNKS {
            match self.values(&format!("{name}.{number}"))?[..] {
                [] => break,
                [chunk] if joined.len() + chunk.len() <= MAX_VALUE => joined.push_str(chunk),
                [_] => return Ok(None),
                _ => return Err(ImportError::Ambiguous),
            }
        }
        Ok(Some(joined).filter(|joined| !joined.is_empty()))
    }

    /// The names that belong to a cookie of this name, in the order in which they came.
    pub(crate) fn names_of(&self, name: &str, and_chunks: bool) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (found, _) in &self.0 {
            let is_one = found
                .strip_prefix(name.as_bytes())
                .is_some_and(|suffix| suffix.is_empty() || (and_chunks && is_chunk(suffix)));
            if let Ok(found) = std::str::from_utf8(found)
                && is_one
                && !names.iter().any(|name| name == found)
            {
                names.push(found.to_owned());
            }
        }
        names
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |(found, _)| *found == name.as_bytes()).map(|(_, value)| *value)
    }
}

/// Names only: values log in whoever has them.
impl std::fmt::Debug for Cookies<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.0.iter().map(|(name, _)| String::from_utf8_lossy(name)).collect();
        f.debug_tuple("Cookies").field(&names).finish()
    }
}

/// Whether this is a dot and a small number as JavaScript writes it.
fn is_chunk(suffix: &[u8]) -> bool {
    matches!(suffix, [b'.', b'0'..=b'9'] | [b'.', b'1'..=b'9', b'0'..=b'9'])
}

fn pair(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&byte| byte == b'=')?;
    let (name, value) = (text[..at].trim_ascii(), text[at + 1..].trim_ascii());
    Some((name, unquoted(value)))
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_up_to_32_kib_is_looked_at_whole_or_in_chunks() {
        let (fits, long) = ([b'x'; MAX_VALUE], [b'x'; MAX_VALUE + 1]);
        let (half, more) = fits.split_at(MAX_VALUE / 2);
        for (pairs, length) in [
            (vec![(b"a".as_slice(), fits.as_slice())], Some(MAX_VALUE)),
            (vec![(b"a", &long)], None),
            (vec![(b"a.0", half), (b"a.1", more)], Some(MAX_VALUE)),
            (vec![(b"a.0", half), (b"a.1", more), (b"a.2", b"x")], None),
        ] {
            let found = Cookies::from_pairs(pairs).chunked("a").unwrap();
            assert_eq!(found.first().map(|value| value.len()), length);
        }
    }

    #[test]
    fn sixteen_chunks_are_joined() {
        let names: Vec<String> = (0..20).map(|number| format!("a.{number}")).collect();
        let cookies = Cookies::from_pairs(names.iter().map(|name| (name.as_bytes(), b"x".as_slice())));
        assert_eq!(cookies.chunked("a"), Ok(vec![Cow::Owned("x".repeat(16))]));
    }
}

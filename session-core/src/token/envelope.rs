//! A token's three parts, and whether its signature is one of ours.

use super::base64::Buffer;
use super::header::{self, Header, Kind};
use super::key::Key;
use super::ring::Keys;
use super::tries::Tries;

/// The length in bytes up to which a token is looked at, and that no token of ours exceeds: that of a cookie.
pub(crate) const MAX_TOKEN_LEN: usize = 4096;
/// The longest signature: RSA with 4096 bits.
const MAX_SIGNATURE_LEN: usize = 512;

/// A token in the compact form (RFC 7515 section 7.1), not yet decoded.
pub(super) struct Envelope<'a> {
    header: &'a [u8],
    pub(super) claims: &'a [u8],
    signature: &'a [u8],
    /// Header, dot and claims: what is signed.
    pub(super) signed: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// # Errors
    /// More bytes than the limit, or not three parts: never more work than one look at each byte. The alphabet
    /// is checked where each part is decoded.
    pub(super) fn open(token: &'a [u8]) -> Result<Self, &'static str> {
        if token.len() > MAX_TOKEN_LEN {
            return Err("the token is longer than 4096 bytes");
        }
        let mut dots = memchr::memchr_iter(b'.', token);
        let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
            return Err("the token does not have three parts");
        };
        Self::cut(token, first, second).ok_or("the token does not have three parts")
    }

    fn cut(token: &'a [u8], first: usize, second: usize) -> Option<Self> {
        Some(Self {
            header: token.get(..first)?,
            claims: token.get(first + 1..second)?,
            signature: token.get(second + 1..)?,
            signed: token.get(..second)?,
        })
    }

    /// Whether one of `keys` signed this, and what kind of token it says it is. Nothing is decoded before that
    /// but the signature itself and, where it is none that we write, the header.
    ///
    /// # Errors
    /// No key of ours, a header that is not exactly ours, (without `plain`) a token of another kind, or a request that
    /// has used up its `tries`.
    pub(super) fn authenticate(&self, keys: &Keys, plain: bool, tries: &Tries) -> Result<Kind, &'static str> {
        if tries.are_used_up() {
            return Err("the request has brought too many wrong signatures");
        }
        let mut buffer = Buffer::<MAX_SIGNATURE_LEN>::new();
        let signature = buffer.decode(self.signature).ok_or("the signature is not base64url")?;
        let by = |key: &Key| tries.verify(key, self.signed, signature);

        if let Some(key) = keys.iter().find(|key| key.header().as_bytes() == self.header) {
            return signed(by(key), Kind::Session);
        }
        if plain && keys.signing().plain_header().as_bytes() == self.header {
            let algorithm = keys.signing().algorithm();
            return signed(keys.iter().filter(|key| key.algorithm() == algorithm).any(by), Kind::Plain);
        }
        self.authenticate_by_header(keys, plain, by)
    }

    /// The way of tokens whose header is spelled in another way than ours.
    fn authenticate_by_header(
        &self,
        keys: &Keys,
        plain: bool,
        by: impl Fn(&Key) -> bool,
    ) -> Result<Kind, &'static str> {
        let mut buffer = header::buffer();
        let header = Header::parse(self.header, &mut buffer).ok_or("the header is not one of ours")?;
        let kind = header.kind();
        if kind == Kind::Other || (kind == Kind::Plain && !plain) {
            return Err("the token is of another type");
        }
        let algorithm = header.algorithm();
        let fits = |key: &&Key| Some(key.algorithm()) == algorithm;
        match header.kid.as_deref() {
            Some(kid) => {
                let key = keys.named(kid).ok_or("no key has this kid")?;
                if fits(&key) { signed(by(key), kind) } else { Err("the algorithm is not the key's") }
            }
            // Ours always name their key: nobody makes us try them all.
            None if kind == Kind::Session => Err("the token names no key"),
            None => signed(keys.iter().filter(fits).any(by), kind),
        }
    }
}

fn signed(yes: bool, kind: Kind) -> Result<Kind, &'static str> {
    if yes { Ok(kind) } else { Err("the signature does not verify") }
}

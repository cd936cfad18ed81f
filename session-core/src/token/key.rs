//! Keys: what signs tokens and what checks them.

use std::fmt;

#[cfg(feature = "asymmetric")]
use super::asymmetric::KeyPair;
use super::base64;
use super::header::TYP;
use super::mac::KeyedMac;
use super::payload::IssueError;
use crate::ConfigError;

/// In bytes: enough for a thumbprint's URN or the name of a cloud's key.
const MAX_KID_LEN: usize = 128;

/// How a key signs. It belongs to the key: what a token's header says never chooses it (RFC 8725 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SigningAlgorithm {
    /// HMAC with SHA-256, the default.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// Ed25519 (RFC 8037). Keys need the feature `asymmetric`.
    EdDsa,
    /// ECDSA on P-256 with SHA-256. Keys need the feature `asymmetric`.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256. Keys need the feature `asymmetric`.
    Rs256,
}

impl SigningAlgorithm {
    /// The name in a token's header, `alg` (RFC 7518 section 3.1, RFC 8037 section 3.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// Whether the key that checks tokens can make them too.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One key, for one algorithm, with a name (`kid`) by which tokens refer to it.
///
/// The name is derived from the key unless [`with_kid`](Self::with_kid) gives another, so that every process
/// with the same key uses the same name. `Debug` shows the name and the algorithm only. Of a secret only the
/// state that HMAC derives from it is kept, and it is overwritten when the key is dropped.
///
/// ```
/// use session_core::Key;
///
/// # fn main() -> Result<(), session_core::ConfigError> {
/// let key = Key::hs256("3mYzJ6Ww0o1K4cX9vT2qLr8sBf5hNd7gAeUiPyQxZtRkHjMb")?.with_kid("2026-11")?;
/// assert_eq!(key.kid(), "2026-11");
/// # Ok(()) }
/// ```
pub struct Key {
    algorithm: SigningAlgorithm,
    kid: String,
    /// The first segment of every token that this key signs, in our form.
    header: String,
    /// The same in the plain form.
    plain_header: String,
    material: Material,
}

#[cfg_attr(feature = "asymmetric", allow(clippy::large_enum_variant, reason = "one per key, behind an Arc"))]
pub(super) enum Material {
    Mac(KeyedMac),
    #[cfg(feature = "asymmetric")]
    Pair(KeyPair),
}

impl Key {
    /// A key for HMAC with SHA-256.
    ///
    /// # Errors
    /// A secret under 32 bytes (RFC 7518 section 3.2). `openssl rand -base64 48` makes a good one.
    pub fn hs256(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::symmetric(SigningAlgorithm::Hs256, secret.as_ref())
    }

    /// A key for HMAC with SHA-384.
    ///
    /// # Errors
    /// A secret under 48 bytes (RFC 7518 section 3.2). `openssl rand -base64 48` makes a good one.
    pub fn hs384(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::symmetric(SigningAlgorithm::Hs384, secret.as_ref())
    }

    /// A key for HMAC with SHA-512.
    ///
    /// # Errors
    /// A secret under 64 bytes (RFC 7518 section 3.2). `openssl rand -base64 64` makes a good one.
    pub fn hs512(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::symmetric(SigningAlgorithm::Hs512, secret.as_ref())
    }

    /// The same key under another name: 1 to 128 bytes of any text (RFC 7517 section 4.5). It is in each token, so a
    /// short one leaves more room in the cookie.
    ///
    /// # Errors
    /// An empty name, or a longer one.
    pub fn with_kid(mut self, kid: impl Into<String>) -> Result<Self, ConfigError> {
        let kid = kid.into();
        if kid.is_empty() || kid.len() > MAX_KID_LEN {
            return Err(ConfigError::new(format!(
                "a kid has 1 to {MAX_KID_LEN} bytes, and this one {}",
                kid.len()
            )));
        }
        self.header = typed_header(self.algorithm, &kid);
        self.kid = kid;
        Ok(self)
    }

    /// The key's name, as in a token's header.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What the key is for.
    #[must_use]
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// Whether the key can sign; a public key can only verify.
    #[must_use]
    pub fn can_sign(&self) -> bool {
        match &self.material {
            Material::Mac(_) => true,
            #[cfg(feature = "asymmetric")]
            Material::Pair(pair) => pair.can_sign(),
        }
    }

    pub(super) fn symmetric(algorithm: SigningAlgorithm, secret: &[u8]) -> Result<Self, ConfigError> {
        let mac = KeyedMac::new(algorithm, secret)?;
        Ok(Self::new(algorithm, mac.fingerprint(), Material::Mac(mac)))
    }

    pub(super) fn new(algorithm: SigningAlgorithm, kid: String, material: Material) -> Self {
        let header = typed_header(algorithm, &kid);
        let plain_header = base64::encode(format!(r#"{{"alg":"{algorithm}"}}"#));
        Self { algorithm, kid, header, plain_header, material }
    }

    pub(super) fn header(&self) -> &str {
        &self.header
    }

    pub(super) fn plain_header(&self) -> &str {
        &self.plain_header
    }

    /// How long a signature is, in bytes; for asymmetric keys, the usual length.
    pub(super) fn signature_len(&self) -> usize {
        match self.algorithm {
            SigningAlgorithm::Hs256 => 32,
            SigningAlgorithm::Hs384 => 48,
            SigningAlgorithm::Hs512 | SigningAlgorithm::EdDsa | SigningAlgorithm::Es256 => 64,
            SigningAlgorithm::Rs256 => 256,
        }
    }

    /// Appends the signature of `token` to it, as base64url after a dot.
    pub(super) fn append_signature(&self, token: &mut String) -> Result<(), IssueError> {
        match &self.material {
            Material::Mac(mac) => mac.append_signature(token),
            #[cfg(feature = "asymmetric")]
            Material::Pair(pair) => pair.append_signature(token)?,
        }
        Ok(())
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Mac(mac) => mac.verify(message, signature),
            #[cfg(feature = "asymmetric")]
            Material::Pair(pair) => pair.verify(message, signature),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("can_sign", &self.can_sign())
            .finish_non_exhaustive()
    }
}

fn typed_header(algorithm: SigningAlgorithm, kid: &str) -> String {
    // As JSON, with whatever escapes it needs.
    let kid = serde_json::Value::from(kid);
    base64::encode(format!(r#"{{"alg":"{algorithm}","typ":"{TYP}","kid":{kid}}}"#))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shorter_than_the_hash_is_refused_with_a_way_out() {
        assert!(Key::hs256([1; 32]).is_ok() && Key::hs384([1; 48]).is_ok() && Key::hs512([1; 64]).is_ok());
        for (key, least) in
            [(Key::hs256([1; 31]), "32"), (Key::hs384([1; 47]), "48"), (Key::hs512([1; 63]), "64")]
        {
            let message = key.expect_err("too short").to_string();
            assert!(message.contains(least) && message.contains("openssl rand -base64"), "{message}");
        }
        assert!(Key::hs256("").is_err());
    }

    #[test]
    fn the_default_kid_depends_on_the_key_alone() {
        let kid = |byte| Key::hs256([byte; 32]).unwrap().kid().to_owned();
        assert_eq!(kid(1), kid(1));
        assert_ne!(kid(1), kid(2));
        assert_eq!(kid(1).len(), 8);
    }

    #[test]
    fn a_kid_is_any_text_of_1_to_128_bytes() {
        let named = |kid: &str| Key::hs256([1; 32]).unwrap().with_kid(kid);
        for kid in
            ["2026-11_a.B", "a b", "arn:aws:kms:eu/key@1+2=", "\"", "\\", "ü", "a\n\0", &"a".repeat(128)]
        {
            assert_eq!(named(kid).unwrap().kid(), kid);
        }
        for kid in ["", &"a".repeat(129), &"ü".repeat(65)] {
            assert!(named(kid).is_err(), "{kid:?}");
        }
    }

    #[test]
    fn debug_does_not_show_the_secret() {
        let text = format!("{:?}", Key::hs256("0123456789abcdef0123456789abcdef").unwrap());
        assert!(text.contains("Hs256") && !text.contains("0123") && !text.contains("48, 49"), "{text}");
    }
}

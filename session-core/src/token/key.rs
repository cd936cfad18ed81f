//! Keys: what signs tokens and what checks them.

use std::fmt;

use jsonwebtoken::signature::Error;
use jsonwebtoken::{Algorithm, Header};

use super::algorithm::SigningAlgorithm;
#[cfg(feature = "asymmetric")]
use super::asymmetric;
use super::header::TYP;
use super::material::Material;
use super::{base64, jwk, mac};
use crate::error::ConfigError;

/// In bytes: enough for a thumbprint's URN or the name of a cloud's key.
const MAX_KID_LEN: usize = 128;

/// One key, for one algorithm, with a name (`kid`) by which tokens refer to it.
///
/// The name is derived from the key unless [`with_kid`](Self::with_kid) gives another, so that every process
/// with the same key uses the same name. `Debug` shows the name and the algorithm only. Of a secret only the
/// states that HMAC and HKDF derive from it are kept, and they are overwritten when the key is dropped.
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
    material: Box<dyn Material>,
}

impl Key {
    /// A key for HMAC with SHA-256.
    ///
    /// # Errors
    /// A secret under 32 bytes (RFC 7518 section 3.2). `openssl rand -base64 48` makes a good one.
    pub fn hs256(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::of(mac::keyed(Algorithm::HS256, secret.as_ref())?)
    }

    /// A key for HMAC with SHA-384.
    ///
    /// # Errors
    /// A secret under 48 bytes (RFC 7518 section 3.2). `openssl rand -base64 48` makes a good one.
    pub fn hs384(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::of(mac::keyed(Algorithm::HS384, secret.as_ref())?)
    }

    /// A key for HMAC with SHA-512.
    ///
    /// # Errors
    /// A secret under 64 bytes (RFC 7518 section 3.2). `openssl rand -base64 64` makes a good one.
    pub fn hs512(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::of(mac::keyed(Algorithm::HS512, secret.as_ref())?)
    }

    /// A key from a JWK in JSON.
    ///
    /// | `kty` | gives |
    /// |---|---|
    /// | `oct` | a symmetric key for its `alg`, HS256 if it names none |
    /// | `OKP` with Ed25519, `EC` with P-256 | a key that verifies; with `d`, one that signs too |
    /// | `RSA` | a key that verifies; convert a private one to PEM and use `Key::rs256_pem` |
    ///
    /// All but `oct` need the feature `asymmetric`. The `kid` is taken when there is one. Names that we do not
    /// know are ignored, as RFC 7517 section 4 has it.
    ///
    /// # Errors
    /// Anything else; an `alg` that does not fit the key; a `use` other than `sig`; `key_ops` without `verify`;
    /// a private part that does not belong to the public one; a key that is too short.
    pub fn from_jwk(json: &str) -> Result<Self, ConfigError> {
        let (material, kid) = jwk::read(json)?;
        let key = Self::of(material)?;
        match kid {
            Some(kid) => key.with_kid(kid),
            None => Ok(key),
        }
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
        self.header = typed_header(&*self.material, &kid)?;
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
        self.material.can_sign()
    }

    /// # Errors
    /// An algorithm that is none of ours.
    fn of(material: Box<dyn Material>) -> Result<Self, ConfigError> {
        let jws = material.algorithm();
        let algorithm = SigningAlgorithm::of(jws)
            .ok_or_else(|| ConfigError::new(format!("sessions are not signed with {jws:?}")))?;
        let kid = material.fingerprint();
        let header = typed_header(&*material, &kid)?;
        let plain_header = written(&Header { typ: None, ..Header::new(jws) })?;
        Ok(Self { algorithm, kid, header, plain_header, material })
    }

    pub(super) fn header(&self) -> &str {
        &self.header
    }

    pub(super) fn plain_header(&self) -> &str {
        &self.plain_header
    }

    /// Appends the signature of `token` to it, as base64url after a dot.
    pub(super) fn append_signature(&self, token: &mut String) -> Result<(), Error> {
        self.material.append_signature(token)
    }

    /// Derives a key that seals; `false` for a key that is no secret.
    pub(super) fn derive(&self, info: &[&[u8]], key: &mut [u8; 32]) -> bool {
        self.material.derive(info, key)
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.material.is_signature(signature, message)
    }
}

#[cfg(feature = "asymmetric")]
impl Key {
    /// An Ed25519 key pair, from a PKCS#8 PEM (`openssl genpkey -algorithm ed25519`).
    ///
    /// # Errors
    /// Anything that is not such a PEM.
    pub fn ed25519_pem(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::of(asymmetric::ed25519_pem(pem.as_ref())?)
    }

    /// The public half of an Ed25519 pair, from a PEM (`openssl pkey -pubout`): verifies, never signs.
    ///
    /// # Errors
    /// Anything that is not such a PEM.
    pub fn ed25519_public_pem(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::of(asymmetric::ed25519_public_pem(pem.as_ref())?)
    }

    /// A P-256 key pair, from a PKCS#8 PEM (`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`).
    ///
    /// # Errors
    /// Anything that is not such a PEM. `BEGIN EC PRIVATE KEY` becomes one by `openssl pkcs8 -topk8 -nocrypt`.
    pub fn es256_pem(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::of(asymmetric::es256_pem(pem.as_ref())?)
    }

    /// The public half of a P-256 pair, from a PEM (`openssl pkey -pubout`): verifies, never signs.
    ///
    /// # Errors
    /// Anything that is not such a PEM.
    pub fn es256_public_pem(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::of(asymmetric::es256_public_pem(pem.as_ref())?)
    }

    /// An RSA key pair of 2048 to 4096 bits, from a PKCS#8 PEM
    /// (`openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072`).
    ///
    /// # Errors
    /// Anything that is not such a PEM, and a modulus outside these limits.
    pub fn rs256_pem(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::of(asymmetric::rs256_pem(pem.as_ref())?)
    }

    /// The public half of an RSA pair, from a PEM (`openssl pkey -pubout`): verifies, never signs.
    ///
    /// # Errors
    /// Anything that is not such a PEM, and a modulus outside 2048 to 4096 bits.
    pub fn rs256_public_pem(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::of(asymmetric::rs256_public_pem(pem.as_ref())?)
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

fn typed_header(material: &dyn Material, kid: &str) -> Result<String, ConfigError> {
    let header = Header::new(material.algorithm());
    written(&Header { typ: Some(TYP.into()), kid: Some(kid.into()), ..header })
}

/// As the first segment of a token.
fn written(header: &Header) -> Result<String, ConfigError> {
    let json = serde_json::to_vec(header)
        .map_err(|error| ConfigError::new("the key's header is no JSON").with_source(error))?;
    Ok(base64::encode(json))
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

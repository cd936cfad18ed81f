//! Public keys that protect something: their sizes, and the shapes for which anybody can sign.

use ed25519_dalek::VerifyingKey;
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use jsonwebtoken::errors::Error;
use jsonwebtoken::jwk::EllipticCurve;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use sha2::{Digest, Sha256};

use super::base64;
use crate::error::ConfigError;

/// RSA keys of this many bits and more are taken (RFC 7518 section 3.3) ...
const MIN_RSA_BITS: usize = 2048;
/// ... up to what the implementation verifies.
const MAX_RSA_BITS: usize = 4096;

/// A public key whose size and shape are right, with the name derived from it.
pub(super) struct PublicKey {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
    pub(super) kid: String,
}

impl PublicKey {
    /// `x` is the 32 bytes of the point (RFC 8032 section 5.1.2).
    pub(super) fn ed25519(x: Vec<u8>) -> Result<Self, ConfigError> {
        if x.len() != 32 {
            return Err(ConfigError::new("an Ed25519 public key is 32 bytes long"));
        }
        // A point of small order takes signatures that nobody made.
        if x.first_chunk().and_then(|x| VerifyingKey::from_bytes(x).ok()).is_none_or(|key| key.is_weak()) {
            return Err(ConfigError::new(
                "this is no Ed25519 public key, or one of small order, for which anybody can sign: make another one \
                 with openssl genpkey -algorithm ed25519",
            ));
        }
        Ok(Self { algorithm: Algorithm::EdDSA, key: DecodingKey::from_ed_der(&x), kid: kid(&[&x]) })
    }

    /// `point` is 4, x and y (SEC 1, uncompressed): 65 bytes.
    pub(super) fn p256(point: Vec<u8>) -> Result<Self, ConfigError> {
        if point.len() != 65 || point.first() != Some(&4) {
            return Err(ConfigError::new("an ES256 public key is a point on P-256, uncompressed"));
        }
        let kid = kid(&[&point]);
        Ok(Self { algorithm: Algorithm::ES256, key: DecodingKey::from_ec_der(&point), kid })
    }

    /// Both as big-endian bytes.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, ConfigError> {
        let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
        let bits = modulus.first().map_or(0, |top| modulus.len() * 8 - top.leading_zeros() as usize);
        if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
            return Err(ConfigError::new(format!(
                "the RSA key has {bits} bits and must have {MIN_RSA_BITS} to {MAX_RSA_BITS} \
                 (RFC 7518 section 3.3): openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072"
            )));
        }
        if !is_odd(modulus) {
            return Err(ConfigError::new(
                "the RSA key's modulus is even, so it is no product of two large primes",
            ));
        }
        if !is_sound(exponent) {
            return Err(ConfigError::new(
                "the RSA key's public exponent must be odd, 3 or more and below 2^33 (RFC 8017 section 3.1): \
                 openssl genpkey uses 65537",
            ));
        }
        let key = DecodingKey::from_rsa_raw_components(modulus, exponent);
        Ok(Self { algorithm: Algorithm::RS256, key, kid: kid(&[modulus, exponent]) })
    }

    /// The public half of `private`.
    pub(super) fn of(algorithm: Algorithm, private: &EncodingKey) -> Result<Self, ConfigError> {
        let (utils, der) = (&DEFAULT_PROVIDER.key_utils, private.as_bytes());
        let bad = bad_private(algorithm);
        match algorithm {
            Algorithm::ES256 => {
                let (_, x, y) = (utils.ec_pub_components_from_private_key)(der, algorithm).map_err(bad)?;
                Self::p256([vec![4], x, y].concat())
            }
            Algorithm::RS256 => {
                let (n, e) = (utils.rsa_pub_components_from_private_key)(der).map_err(bad)?;
                Self::rsa(&n, &e)
            }
            _ => {
                let curve = &EllipticCurve::Ed25519;
                Self::ed25519((utils.ed_pub_components_from_private_key)(der, curve).map_err(bad)?)
            }
        }
    }
}

/// Six bytes of a hash of the public part.
fn kid(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"session kid\0");
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    base64::encode(hash.finalize().get(..6).unwrap_or_default())
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|last| last & 1 == 1)
}

/// With an even exponent, or 1, everybody can sign; a longer one only costs time. Without leading zeros.
fn is_sound(exponent: &[u8]) -> bool {
    let short = exponent.len() < 5 || (exponent.len() == 5 && exponent.first() == Some(&1));
    is_odd(exponent) && exponent != [1] && short
}

pub(super) fn bad_private(algorithm: Algorithm) -> impl Fn(Error) -> ConfigError {
    move |error| {
        ConfigError::new(format!(
            "this is no private key for {algorithm:?}: give a PKCS#8 PEM with `BEGIN PRIVATE KEY` \
             (openssl pkcs8 -topk8 -nocrypt converts others)"
        ))
        .with_source(error)
    }
}

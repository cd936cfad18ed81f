//! Ed25519, P-256 and RSA keys.
//!
//! The signatures are `jsonwebtoken`'s, through its provider by name: the process-wide default belongs to the
//! application, and panics where two providers are compiled in and none is chosen.

use ed25519_dalek::VerifyingKey;
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use jsonwebtoken::errors::Error;
use jsonwebtoken::jwk::EllipticCurve;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use sha2::{Digest, Sha256};

use super::base64;
use super::key::{Key, Material, SigningAlgorithm};
use super::payload::IssueError;
use crate::ConfigError;

/// RSA keys of this many bits and more are taken (RFC 7518 section 3.3) ...
const MIN_RSA_BITS: usize = 2048;
/// ... up to what the implementation verifies.
const MAX_RSA_BITS: usize = 4096;

impl Key {
    /// An Ed25519 key pair, from a PKCS#8 PEM (`openssl genpkey -algorithm ed25519`).
    ///
    /// # Errors
    /// Anything that is not such a PEM.
    pub fn ed25519_pem(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let key = EncodingKey::from_ed_pem(pem.as_ref()).map_err(bad_private(SigningAlgorithm::EdDsa))?;
        Self::pair(SigningAlgorithm::EdDsa, key)
    }

    /// The public half of an Ed25519 pair, from a PEM (`openssl pkey -pubout`): verifies, never signs.
    ///
    /// # Errors
    /// Anything that is not such a PEM.
    pub fn ed25519_public_pem(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let read = |pem: &[u8]| DecodingKey::from_ed_pem(pem)?.try_get_as_bytes().map(<[u8]>::to_vec);
        Self::public(PublicKey::ed25519(public_pem(SigningAlgorithm::EdDsa, pem.as_ref(), read)?)?)
    }

    /// A P-256 key pair, from a PKCS#8 PEM (`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`).
    ///
    /// # Errors
    /// Anything that is not such a PEM. `BEGIN EC PRIVATE KEY` becomes one by `openssl pkcs8 -topk8 -nocrypt`.
    pub fn es256_pem(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let key = EncodingKey::from_ec_pem(pem.as_ref()).map_err(bad_private(SigningAlgorithm::Es256))?;
        Self::pair(SigningAlgorithm::Es256, key)
    }

    /// The public half of a P-256 pair, from a PEM (`openssl pkey -pubout`): verifies, never signs.
    ///
    /// # Errors
    /// Anything that is not such a PEM.
    pub fn es256_public_pem(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let read = |pem: &[u8]| DecodingKey::from_ec_pem(pem)?.try_get_as_bytes().map(<[u8]>::to_vec);
        Self::public(PublicKey::p256(public_pem(SigningAlgorithm::Es256, pem.as_ref(), read)?)?)
    }

    /// An RSA key pair of 2048 to 4096 bits, from a PKCS#8 PEM
    /// (`openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072`).
    ///
    /// # Errors
    /// Anything that is not such a PEM, and a modulus outside these limits.
    pub fn rs256_pem(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let key = EncodingKey::from_rsa_pem(pem.as_ref()).map_err(bad_private(SigningAlgorithm::Rs256))?;
        Self::pair(SigningAlgorithm::Rs256, key)
    }

    /// The public half of an RSA pair, from a PEM (`openssl pkey -pubout`): verifies, never signs.
    ///
    /// # Errors
    /// Anything that is not such a PEM, and a modulus outside 2048 to 4096 bits.
    pub fn rs256_public_pem(pem: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let components = DEFAULT_PROVIDER.key_utils.rsa_pub_components_from_public_key;
        let read = |pem: &[u8]| components(DecodingKey::from_rsa_pem(pem)?.try_get_as_bytes()?);
        let (modulus, exponent) = public_pem(SigningAlgorithm::Rs256, pem.as_ref(), read)?;
        Self::public(PublicKey::rsa(&modulus, &exponent)?)
    }

    pub(super) fn pair(algorithm: SigningAlgorithm, private: EncodingKey) -> Result<Self, ConfigError> {
        let public = PublicKey::of(algorithm, &private)?;
        let pair = KeyPair { algorithm, private: Some(private), public: public.key };
        pair.check()?;
        Ok(Self::new(algorithm, public.kid, Material::Pair(pair)))
    }

    pub(super) fn public(public: PublicKey) -> Result<Self, ConfigError> {
        let pair = KeyPair { algorithm: public.algorithm, private: None, public: public.key };
        pair.check()?;
        Ok(Self::new(public.algorithm, public.kid, Material::Pair(pair)))
    }
}

/// A public key and, where there is one, its private half.
pub(super) struct KeyPair {
    algorithm: SigningAlgorithm,
    private: Option<EncodingKey>,
    public: DecodingKey,
}

impl KeyPair {
    pub(super) fn can_sign(&self) -> bool {
        self.private.is_some()
    }

    pub(super) fn append_signature(&self, token: &mut String) -> Result<(), IssueError> {
        let signature = self.sign(token.as_bytes()).ok_or(IssueError::Signing)?;
        token.push('.');
        base64::append(signature, token);
        Ok(())
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        (DEFAULT_PROVIDER.verifier_factory)(&jws(self.algorithm), &self.public)
            .is_ok_and(|verifier| verifier.verify(message, &signature.to_vec()).is_ok())
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let signer = (DEFAULT_PROVIDER.signer_factory)(&jws(self.algorithm), self.private.as_ref()?).ok()?;
        signer.try_sign(message).ok()
    }

    /// Whether the key works at all, found now and not at the first login.
    fn check(&self) -> Result<(), ConfigError> {
        (DEFAULT_PROVIDER.verifier_factory)(&jws(self.algorithm), &self.public)
            .map_err(bad_public(self.algorithm))?;
        let probe = b"session key check";
        let works = || self.sign(probe).is_some_and(|signature| self.verify(probe, &signature));
        if self.can_sign() && !works() {
            return Err(ConfigError::new(format!(
                "the {} key does not verify what it signs",
                self.algorithm
            )));
        }
        Ok(())
    }
}

/// A public key whose size and shape are right, with the name derived from it.
pub(super) struct PublicKey {
    algorithm: SigningAlgorithm,
    key: DecodingKey,
    kid: String,
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
        Ok(Self { algorithm: SigningAlgorithm::EdDsa, key: DecodingKey::from_ed_der(&x), kid: kid(&[&x]) })
    }

    /// `point` is 4, x and y (SEC 1, uncompressed): 65 bytes.
    pub(super) fn p256(point: Vec<u8>) -> Result<Self, ConfigError> {
        if point.len() != 65 || point.first() != Some(&4) {
            return Err(ConfigError::new("an ES256 public key is a point on P-256, uncompressed"));
        }
        let kid = kid(&[&point]);
        Ok(Self { algorithm: SigningAlgorithm::Es256, key: DecodingKey::from_ec_der(&point), kid })
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
        Ok(Self { algorithm: SigningAlgorithm::Rs256, key, kid: kid(&[modulus, exponent]) })
    }

    /// The public half of `private`.
    pub(super) fn of(algorithm: SigningAlgorithm, private: &EncodingKey) -> Result<Self, ConfigError> {
        let (utils, der) = (&DEFAULT_PROVIDER.key_utils, private.as_bytes());
        let bad = bad_private(algorithm);
        match algorithm {
            SigningAlgorithm::Es256 => {
                let (_, x, y) =
                    (utils.ec_pub_components_from_private_key)(der, Algorithm::ES256).map_err(bad)?;
                Self::p256([vec![4], x, y].concat())
            }
            SigningAlgorithm::Rs256 => {
                let (n, e) = (utils.rsa_pub_components_from_private_key)(der).map_err(bad)?;
                Self::rsa(&n, &e)
            }
            _ => {
                let curve = &EllipticCurve::Ed25519;
                Self::ed25519((utils.ed_pub_components_from_private_key)(der, curve).map_err(bad)?)
            }
        }
    }

    pub(super) fn kid(&self) -> &str {
        &self.kid
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

fn public_pem<T>(
    algorithm: SigningAlgorithm,
    pem: &[u8],
    read: impl FnOnce(&[u8]) -> Result<T, Error>,
) -> Result<T, ConfigError> {
    let is_public = memchr::memmem::find(pem, b"PUBLIC KEY-----").is_some();
    if !is_public {
        return Err(ConfigError::new(format!(
            "an {algorithm} public key is a PEM with `BEGIN PUBLIC KEY`: openssl pkey -pubout makes one"
        )));
    }
    read(pem).map_err(bad_public(algorithm))
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

fn bad_private(algorithm: SigningAlgorithm) -> impl Fn(Error) -> ConfigError {
    move |error| {
        ConfigError::new(format!(
            "this is no private key for {algorithm}: give a PKCS#8 PEM with `BEGIN PRIVATE KEY` \
             (openssl pkcs8 -topk8 -nocrypt converts others)"
        ))
        .with_source(error)
    }
}

fn bad_public(algorithm: SigningAlgorithm) -> impl Fn(Error) -> ConfigError {
    move |error| ConfigError::new(format!("this is no public key for {algorithm}")).with_source(error)
}

const fn jws(algorithm: SigningAlgorithm) -> Algorithm {
    match algorithm {
        SigningAlgorithm::Hs256 => Algorithm::HS256,
        SigningAlgorithm::Hs384 => Algorithm::HS384,
        SigningAlgorithm::Hs512 => Algorithm::HS512,
        SigningAlgorithm::EdDsa => Algorithm::EdDSA,
        SigningAlgorithm::Es256 => Algorithm::ES256,
        SigningAlgorithm::Rs256 => Algorithm::RS256,
    }
}

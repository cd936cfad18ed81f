//! Ed25519, P-256 and RSA keys.
//!
//! The signatures are `jsonwebtoken`'s, through its provider by name: the process-wide default belongs to the
//! application, and panics where two providers are compiled in and none is chosen.

use jsonwebtoken::crypto::JwtVerifier;
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use jsonwebtoken::signature;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, errors};

use super::base64;
use super::material::Material;
use super::public_key::{PublicKey, bad_private};
use crate::error::ConfigError;

type Made = Result<Box<dyn Material>, ConfigError>;

pub(super) fn ed25519_pem(pem: &[u8]) -> Made {
    pair(Algorithm::EdDSA, EncodingKey::from_ed_pem(pem).map_err(bad_private(Algorithm::EdDSA))?)
}

pub(super) fn ed25519_public_pem(pem: &[u8]) -> Made {
    let read = |pem: &[u8]| DecodingKey::from_ed_pem(pem)?.try_get_as_bytes().map(<[u8]>::to_vec);
    public(PublicKey::ed25519(public_pem(Algorithm::EdDSA, pem, read)?)?)
}

pub(super) fn es256_pem(pem: &[u8]) -> Made {
    pair(Algorithm::ES256, EncodingKey::from_ec_pem(pem).map_err(bad_private(Algorithm::ES256))?)
}

pub(super) fn es256_public_pem(pem: &[u8]) -> Made {
    let read = |pem: &[u8]| DecodingKey::from_ec_pem(pem)?.try_get_as_bytes().map(<[u8]>::to_vec);
    public(PublicKey::p256(public_pem(Algorithm::ES256, pem, read)?)?)
}

pub(super) fn rs256_pem(pem: &[u8]) -> Made {
    pair(Algorithm::RS256, EncodingKey::from_rsa_pem(pem).map_err(bad_private(Algorithm::RS256))?)
}

pub(super) fn rs256_public_pem(pem: &[u8]) -> Made {
    let components = DEFAULT_PROVIDER.key_utils.rsa_pub_components_from_public_key;
    let read = |pem: &[u8]| components(DecodingKey::from_rsa_pem(pem)?.try_get_as_bytes()?);
    let (modulus, exponent) = public_pem(Algorithm::RS256, pem, read)?;
    public(PublicKey::rsa(&modulus, &exponent)?)
}

/// A key that signs, with the public half that belongs to it.
pub(super) fn pair(algorithm: Algorithm, private: EncodingKey) -> Made {
    let public = PublicKey::of(algorithm, &private)?;
    KeyPair { private: Some(private), public }.checked()
}

/// A key that verifies.
pub(super) fn public(public: PublicKey) -> Made {
    KeyPair { private: None, public }.checked()
}

/// A public key and, where there is one, its private half.
struct KeyPair {
    private: Option<EncodingKey>,
    public: PublicKey,
}

impl KeyPair {
    /// Whether the key works at all, found now and not at the first login.
    fn checked(self) -> Made {
        let algorithm = self.public.algorithm;
        self.verifier().map_err(bad_public(algorithm))?;
        let probe = b"session key check";
        let works = || self.sign(probe).is_ok_and(|signature| self.is_signature(&signature, probe));
        if self.can_sign() && !works() {
            return Err(ConfigError::new(format!("the {algorithm:?} key does not verify what it signs")));
        }
        Ok(Box::new(self))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        let private = self.private.as_ref().ok_or_else(signature::Error::new)?;
        let signer = (DEFAULT_PROVIDER.signer_factory)(&self.public.algorithm, private);
        signer.map_err(signature::Error::from_source)?.try_sign(message)
    }

    fn verifier(&self) -> errors::Result<Box<dyn JwtVerifier>> {
        (DEFAULT_PROVIDER.verifier_factory)(&self.public.algorithm, &self.public.key)
    }
}

impl Material for KeyPair {
    fn algorithm(&self) -> Algorithm {
        self.public.algorithm
    }

    fn fingerprint(&self) -> String {
        self.public.kid.clone()
    }

    fn can_sign(&self) -> bool {
        self.private.is_some()
    }

    fn append_signature(&self, token: &mut String) -> Result<(), signature::Error> {
        let signature = self.sign(token.as_bytes())?;
        token.push('.');
        base64::append(signature, token);
        Ok(())
    }

    fn is_signature(&self, signature: &[u8], message: &[u8]) -> bool {
        self.verifier().is_ok_and(|verifier| verifier.verify(message, &signature.to_vec()).is_ok())
    }
}

fn public_pem<T>(
    algorithm: Algorithm,
    pem: &[u8],
    read: impl FnOnce(&[u8]) -> errors::Result<T>,
) -> Result<T, ConfigError> {
    let is_public = memchr::memmem::find(pem, b"PUBLIC KEY-----").is_some();
    if !is_public {
        return Err(ConfigError::new(format!(
            "an {algorithm:?} public key is a PEM with `BEGIN PUBLIC KEY`: openssl pkey -pubout makes one"
        )));
    }
    read(pem).map_err(bad_public(algorithm))
}

fn bad_public(algorithm: Algorithm) -> impl Fn(errors::Error) -> ConfigError {
    move |error| ConfigError::new(format!("this is no public key for {algorithm:?}")).with_source(error)
}

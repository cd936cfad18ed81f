//! HMAC with the key already worked in: what remains per token is the message.

use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha384, Sha512};

use super::base64;
use super::key::SigningAlgorithm;
use crate::ConfigError;

/// A keyed state per algorithm. The secret itself is not kept.
pub(super) enum KeyedMac {
    Hs256(Hmac<Sha256>),
    Hs384(Hmac<Sha384>),
    Hs512(Hmac<Sha512>),
}

impl KeyedMac {
    /// # Errors
    /// A secret shorter than the hash (RFC 7518 section 3.2).
    pub(super) fn new(algorithm: SigningAlgorithm, secret: &[u8]) -> Result<Self, ConfigError> {
        let least = least_bytes(algorithm);
        if secret.len() < least {
            return Err(too_short(algorithm, secret.len(), least));
        }
        Self::keyed(algorithm, secret).ok_or_else(|| too_short(algorithm, secret.len(), least))
    }

    fn keyed(algorithm: SigningAlgorithm, secret: &[u8]) -> Option<Self> {
        match algorithm {
            SigningAlgorithm::Hs384 => Hmac::new_from_slice(secret).ok().map(Self::Hs384),
            SigningAlgorithm::Hs512 => Hmac::new_from_slice(secret).ok().map(Self::Hs512),
            _ => Hmac::new_from_slice(secret).ok().map(Self::Hs256),
        }
    }

    /// Appends the MAC of `token` to it, as base64url after a dot.
    pub(super) fn append_signature(&self, token: &mut String) {
        match self {
            Self::Hs256(mac) => append(mac.clone(), token),
            Self::Hs384(mac) => append(mac.clone(), token),
            Self::Hs512(mac) => append(mac.clone(), token),
        }
    }

    /// Whether `signature` is the MAC of `message`, compared in constant time.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Hs256(mac) => verify(mac.clone(), message, signature),
            Self::Hs384(mac) => verify(mac.clone(), message, signature),
            Self::Hs512(mac) => verify(mac.clone(), message, signature),
        }
    }

    /// A name for the key: the same in every process, and of no use for finding it.
    pub(super) fn fingerprint(&self) -> String {
        let mut name = String::new();
        match self {
            Self::Hs256(mac) => base64::append(digest(mac.clone()).get(..6).unwrap_or_default(), &mut name),
            Self::Hs384(mac) => base64::append(digest(mac.clone()).get(..6).unwrap_or_default(), &mut name),
            Self::Hs512(mac) => base64::append(digest(mac.clone()).get(..6).unwrap_or_default(), &mut name),
        }
        name
    }
}

impl Drop for KeyedMac {
    /// `hmac` does not wipe its state, so it is overwritten with that of an all-zero key.
    fn drop(&mut self) {
        match self {
            Self::Hs256(mac) => overwrite(mac),
            Self::Hs384(mac) => overwrite(mac),
            Self::Hs512(mac) => overwrite(mac),
        }
    }
}

fn append(mut mac: impl Mac, token: &mut String) {
    mac.update(token.as_bytes());
    token.push('.');
    base64::append(mac.finalize().into_bytes(), token);
}

fn verify(mut mac: impl Mac, message: &[u8], signature: &[u8]) -> bool {
    mac.update(message);
    mac.verify_slice(signature).is_ok()
}

fn digest(mut mac: impl Mac) -> Vec<u8> {
    mac.update(b"session kid");
    mac.finalize().into_bytes().to_vec()
}

fn overwrite<M: Mac + hmac::digest::KeyInit>(mac: &mut M) {
    if let Ok(blank) = <M as Mac>::new_from_slice(&[]) {
        *mac = blank;
        std::hint::black_box(mac);
    }
}

const fn least_bytes(algorithm: SigningAlgorithm) -> usize {
    match algorithm {
        SigningAlgorithm::Hs384 => 48,
        SigningAlgorithm::Hs512 => 64,
        _ => 32,
    }
}

fn too_short(algorithm: SigningAlgorithm, is: usize, least: usize) -> ConfigError {
    ConfigError::new(format!(
        "the secret for {algorithm} is {is} bytes long and must be at least {least} random bytes \
         (RFC 7518 section 3.2); make one with: openssl rand -base64 {}",
        least.max(48)
    ))
}

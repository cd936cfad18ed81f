//! HMAC with the key already worked in: what remains per token is the message.

use hkdf::Hkdf;
use hmac::digest::{KeyInit, OutputSizeUser};
use hmac::{Hmac, Mac};
use jsonwebtoken::Algorithm;
use jsonwebtoken::signature::Error;
use sha2::{Sha256, Sha384, Sha512};

use super::base64;
use super::material::Material;
use crate::error::ConfigError;

/// A key for HS256, HS384 or HS512.
///
/// # Errors
/// A secret shorter than the hash (RFC 7518 section 3.2).
pub(super) fn keyed(algorithm: Algorithm, secret: &[u8]) -> Result<Box<dyn Material>, ConfigError> {
    match algorithm {
        Algorithm::HS384 => KeyedMac::<Hmac<Sha384>>::boxed(algorithm, secret),
        Algorithm::HS512 => KeyedMac::<Hmac<Sha512>>::boxed(algorithm, secret),
        _ => KeyedMac::<Hmac<Sha256>>::boxed(Algorithm::HS256, secret),
    }
}

trait State: Mac + KeyInit + Clone + Send + Sync + 'static {}

impl<M: Mac + KeyInit + Clone + Send + Sync + 'static> State for M {}

/// The keyed state. The secret itself is not kept.
struct KeyedMac<M: State> {
    algorithm: Algorithm,
    state: M,
    /// From which keys that seal are derived.
    sealing: Hkdf<Sha256>,
}

impl<M: State> KeyedMac<M> {
    fn boxed(algorithm: Algorithm, secret: &[u8]) -> Result<Box<dyn Material>, ConfigError> {
        let least = <M as OutputSizeUser>::output_size();
        match <M as Mac>::new_from_slice(secret) {
            Ok(state) if secret.len() >= least => {
                Ok(Box::new(Self { algorithm, state, sealing: Hkdf::new(None, secret) }))
            }
            _ => Err(too_short(algorithm, secret.len(), least)),
        }
    }

    fn of(&self, message: &[u8]) -> M {
        self.state.clone().chain_update(message)
    }
}

impl<M: State> Material for KeyedMac<M> {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    fn fingerprint(&self) -> String {
        base64::encode(self.of(b"session kid").finalize().into_bytes().get(..6).unwrap_or_default())
    }

    fn can_sign(&self) -> bool {
        true
    }

    fn derive(&self, info: &[&[u8]], key: &mut [u8; 32]) -> bool {
        self.sealing.expand_multi_info(info, key).is_ok()
    }

    fn append_signature(&self, token: &mut String) -> Result<(), Error> {
        let mac = self.of(token.as_bytes()).finalize().into_bytes();
        token.push('.');
        base64::append(mac, token);
        Ok(())
    }

    /// Compared in constant time.
    fn is_signature(&self, signature: &[u8], message: &[u8]) -> bool {
        self.of(message).verify_slice(signature).is_ok()
    }
}

impl<M: State> KeyedMac<M> {
    /// `hmac` and `hkdf` do not wipe their state, so it is overwritten with that of an all-zero key.
    fn wipe(&mut self) {
        if let Ok(blank) = <M as Mac>::new_from_slice(&[]) {
            self.state = blank;
            std::hint::black_box(&mut self.state);
        }
        self.sealing = Hkdf::new(None, &[]);
        std::hint::black_box(&mut self.sealing);
    }
}

impl<M: State> Drop for KeyedMac<M> {
    fn drop(&mut self) {
        self.wipe();
    }
}

fn too_short(algorithm: Algorithm, is: usize, least: usize) -> ConfigError {
    ConfigError::new(format!(
        "the secret for {algorithm:?} is {is} bytes long and must be at least {least} random bytes \
         (RFC 7518 section 3.2); make one with: openssl rand -base64 {}",
        least.max(48)
    ))
}

#[cfg(test)]
mod tests {
    use zeroize::ZeroizeOnDrop;

    use super::*;

    fn keyed<M: State>(algorithm: Algorithm, secret: &[u8]) -> KeyedMac<M> {
        let state = <M as Mac>::new_from_slice(secret).unwrap();
        KeyedMac { algorithm, state, sealing: Hkdf::new(None, secret) }
    }

    fn is_blank_after_wiping<M: State>(algorithm: Algorithm) {
        let made_by = |key: &KeyedMac<M>| {
            let mut sealing = [0; 32];
            assert!(key.derive(&[b"info"], &mut sealing));
            (key.of(b"message").finalize().into_bytes(), sealing)
        };
        let (mut key, blank) = (keyed::<M>(algorithm, &[7; 64]), keyed::<M>(algorithm, &[]));
        let before = made_by(&key);
        assert!(before.0 != made_by(&blank).0 && before.1 != made_by(&blank).1);
        key.wipe();
        assert_eq!(made_by(&key), made_by(&blank));
    }

    /// What `drop` does, seen: of the secret nothing is left from which anything could be signed or derived.
    #[test]
    fn a_key_that_is_dropped_is_overwritten() {
        is_blank_after_wiping::<Hmac<Sha256>>(Algorithm::HS256);
        is_blank_after_wiping::<Hmac<Sha384>>(Algorithm::HS384);
        is_blank_after_wiping::<Hmac<Sha512>>(Algorithm::HS512);
    }

    /// Their crates do it where a feature is switched on: it is, or this does not compile.
    #[test]
    fn round_keys_and_private_keys_are_wiped_by_their_crates() {
        fn wipes<T: ZeroizeOnDrop>() {}
        wipes::<aes_gcm::aes::Aes256>();
        wipes::<zeroize::Zeroizing<[u8; 32]>>();
        wipes::<jsonwebtoken::EncodingKey>();
    }
}

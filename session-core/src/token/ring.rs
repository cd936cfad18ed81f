//! The keys of a service, and how they change while it runs.

use std::env::{self, VarError};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use zeroize::Zeroizing;

use super::key::Key;
use crate::error::ConfigError;

const SECRET: &str = "JWT_SECRET";
const PREVIOUS: &str = "JWT_SECRET_PREVIOUS";

/// One key that signs and any number that verify, found by name (`kid`).
///
/// Clones are handles to the same ring: a change is seen by all of them at once, and by every manager that
/// holds one.
///
/// A fleet rotates in three steps, each on every node before the next one:
///
/// 1. [`add`](Self::add) the new key, so that everybody can read what it will sign;
/// 2. [`promote`](Self::promote) it;
/// 3. [`retire`](Self::retire) the old one once the last token it signed has expired (`max_age` later).
///
/// With secrets in the environment: deploy the new one as `JWT_SECRET_PREVIOUS` first, then swap the two, and
/// take the old one away after `max_age`.
///
/// A ring never holds symmetric and asymmetric keys together: where public keys are given away to others, no
/// key that verifies may be one that can sign.
///
/// ```
/// use session_core::{Key, KeyRing};
///
/// # fn main() -> Result<(), session_core::ConfigError> {
/// let ring = KeyRing::from_secret("3mYzJ6Ww0o1K4cX9vT2qLr8sBf5hNd7gAeUiPyQxZtRkHjMb")?;
/// let old = ring.signing_kid();
/// ring.add(Key::hs256("VbN8kQ2wXz5rTy7uIo9pAs1dFg3hJk4lZx6cVb0nMq8wEr2t")?.with_kid("next")?)?;
/// ring.promote("next")?;
/// ring.retire(&old)?;
/// assert_eq!(ring.kids(), ["next"]);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct KeyRing(Arc<RwLock<Keys>>);

pub(super) struct Keys {
    signing: Arc<Key>,
    others: Vec<Arc<Key>>,
}

impl KeyRing {
    /// HS256 keys from the environment: `JWT_SECRET` signs; `JWT_SECRET_PREVIOUS`, if set and not empty, verifies.
    ///
    /// The values are taken as they are, byte for byte, as `jose` takes them with `TextEncoder`.
    ///
    /// # Errors
    /// `JWT_SECRET` is not set; either is not UTF-8 or under 32 bytes. `openssl rand -base64 48` makes a good one.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_values(env::var(SECRET), env::var(PREVIOUS))
    }

    /// A ring with one HS256 key.
    ///
    /// # Errors
    /// A secret under 32 bytes (RFC 7518 section 3.2).
    pub fn from_secret(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Self::new(Key::hs256(secret)?)
    }

    /// A ring whose tokens `signing` signs.
    ///
    /// # Errors
    /// A key that can only verify.
    pub fn new(signing: Key) -> Result<Self, ConfigError> {
        must_sign(&signing)?;
        let keys = Keys { signing: Arc::new(signing), others: Vec::new() };
        Ok(Self(Arc::new(RwLock::new(keys))))
    }

    /// Adds a key that verifies from now on. It signs nothing until [`promote`](Self::promote).
    ///
    /// # Errors
    /// A `kid` that is taken; a symmetric key in an asymmetric ring, or the other way round.
    pub fn add(&self, key: Key) -> Result<(), ConfigError> {
        let mut keys = self.write();
        if keys.named(key.kid()).is_some() {
            return Err(ConfigError::new(format!("the key ring has a key {:?} already", key.kid())));
        }
        if key.algorithm().is_symmetric() != keys.signing.algorithm().is_symmetric() {
            return Err(ConfigError::new(
                "a key ring does not mix symmetric keys (HS256, HS384, HS512) with asymmetric ones: \
                 use two managers with a ring each",
            ));
        }
        keys.others.push(Arc::new(key));
        Ok(())
    }

    /// Makes a key of the ring the one that signs. The one that signed before goes on verifying.
    ///
    /// # Errors
    /// No key has this `kid`, or it can only verify.
    pub fn promote(&self, kid: &str) -> Result<(), ConfigError> {
        let mut keys = self.write();
        if keys.signing.kid() == kid {
            return Ok(());
        }
        let Keys { signing, others } = &mut *keys;
        let next = others.iter_mut().find(|key| key.kid() == kid).ok_or_else(|| unknown(kid))?;
        must_sign(next)?;
        std::mem::swap(signing, next);
        Ok(())
    }

    /// Takes a key out of the ring: the tokens it signed are refused from now on.
    ///
    /// # Errors
    /// No key has this `kid`, or it is the one that signs.
    pub fn retire(&self, kid: &str) -> Result<(), ConfigError> {
        let mut keys = self.write();
        if keys.signing.kid() == kid {
            return Err(ConfigError::new(format!("the key {kid:?} signs: promote another one first")));
        }
        let at = keys.others.iter().position(|key| key.kid() == kid).ok_or_else(|| unknown(kid))?;
        keys.others.remove(at);
        Ok(())
    }

    /// The names of all keys, the one that signs first.
    #[must_use]
    pub fn kids(&self) -> Vec<String> {
        self.read().iter().map(|key| key.kid().to_owned()).collect()
    }

    /// The name of the key that signs.
    #[must_use]
    pub fn signing_kid(&self) -> String {
        self.read().signing.kid().to_owned()
    }

    /// The two values as `std::env::var` gives them.
    fn from_values(
        secret: Result<String, VarError>,
        previous: Result<String, VarError>,
    ) -> Result<Self, ConfigError> {
        let secret = variable(SECRET, secret)?.ok_or_else(|| {
            ConfigError::new(
                "JWT_SECRET is not set: give it 32 random bytes or more, for example \
                 JWT_SECRET=\"$(openssl rand -base64 48)\", the same on every node",
            )
        })?;
        let ring = Self::new(from_variable(SECRET, &secret)?)?;
        if let Some(previous) = variable(PREVIOUS, previous)?.filter(|previous| *previous != secret) {
            ring.add(from_variable(PREVIOUS, &previous)?)?;
        }
        Ok(ring)
    }

    /// Whether keys that seal can be derived from its keys.
    pub(crate) fn is_symmetric(&self) -> bool {
        self.read().signing.algorithm().is_symmetric()
    }

    /// The key that signs.
    pub(super) fn signing(&self) -> Arc<Key> {
        Arc::clone(&self.read().signing)
    }

    /// Nothing can fail between two changes of the ring, so a poisoned lock holds a whole one.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Keys> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Keys> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keys {
    pub(super) fn signing(&self) -> &Key {
        &self.signing
    }

    /// All keys, the one that signs first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.signing).chain(&self.others).map(Arc::as_ref)
    }

    pub(super) fn named(&self, kid: &str) -> Option<&Key> {
        self.iter().find(|key| key.kid() == kid)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.read().iter()).finish()
    }
}

fn must_sign(key: &Key) -> Result<(), ConfigError> {
    if key.can_sign() {
        return Ok(());
    }
    Err(ConfigError::new(format!("the key {:?} is a public key: it verifies and cannot sign", key.kid())))
}

fn unknown(kid: &str) -> ConfigError {
    ConfigError::new(format!("the key ring has no key {kid:?}"))
}

/// The value of a variable; `None` when it is not set or empty.
fn variable(name: &str, value: Result<String, VarError>) -> Result<Option<Zeroizing<String>>, ConfigError> {
    match value {
        Ok(value) => Ok(Some(Zeroizing::new(value)).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        // The error would show the value, so it is not kept.
        Err(VarError::NotUnicode(_)) => Err(ConfigError::new(format!(
            "{name} is not valid UTF-8: write it in base64, for example from openssl rand -base64 48"
        ))),
    }
}

fn from_variable(name: &str, secret: &str) -> Result<Key, ConfigError> {
    Key::hs256(secret).map_err(|error| ConfigError::new(format!("{name}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0123456789abcdef0123456789abcdef";
    const TWO: &str = "fedcba9876543210fedcba9876543210";

    fn set(value: &str) -> Result<String, VarError> {
        Ok(value.to_owned())
    }

    fn unset() -> Result<String, VarError> {
        Err(VarError::NotPresent)
    }

    #[track_caller]
    fn message(result: Result<impl fmt::Debug, ConfigError>) -> String {
        result.expect_err("must fail").to_string()
    }

    #[test]
    fn the_environment_gives_a_key_that_signs_and_one_that_verifies() {
        let ring = KeyRing::from_values(set(ONE), set(TWO)).unwrap();
        let [one, two] = [ONE, TWO].map(|secret| Key::hs256(secret).unwrap().kid().to_owned());
        assert_eq!(ring.kids(), [one.clone(), two]);
        assert_eq!(ring.signing_kid(), one);
    }

    #[test]
    fn an_absent_empty_or_equal_previous_secret_is_no_key() {
        for previous in [unset(), set(""), set(ONE)] {
            assert_eq!(KeyRing::from_values(set(ONE), previous).unwrap().kids().len(), 1);
        }
    }

    #[test]
    fn a_missing_secret_is_an_error_that_says_how_to_make_one() {
        for secret in [unset(), set("")] {
            let message = message(KeyRing::from_values(secret, unset()));
            assert!(
                message.contains("JWT_SECRET") && message.contains("openssl rand -base64 48"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_short_secret_is_an_error_that_names_the_variable_and_not_the_value() {
        for (secret, previous, name) in
            [(set("hunter2"), unset(), "JWT_SECRET:"), (set(ONE), set("hunter2"), "JWT_SECRET_PREVIOUS:")]
        {
            let message = message(KeyRing::from_values(secret, previous));
            assert!(message.starts_with(name) && message.contains("32"), "{message}");
            assert!(!message.contains("hunter2"));
        }
    }

    #[test]
    fn a_kid_is_there_once() {
        let ring = KeyRing::from_secret(ONE).unwrap();
        assert!(message(ring.add(Key::hs256(ONE).unwrap())).contains("already"));
        ring.add(Key::hs256(TWO).unwrap().with_kid("b").unwrap()).unwrap();
        assert!(ring.add(Key::hs256([9; 32]).unwrap().with_kid("b").unwrap()).is_err());
        assert_eq!(ring.kids().len(), 2);
    }

    #[test]
    fn the_signing_key_is_not_retired_and_unknown_keys_are_errors() {
        let ring = KeyRing::from_secret(ONE).unwrap();
        assert!(message(ring.retire(&ring.signing_kid())).contains("promote"));
        assert!(message(ring.retire("x")).contains("no key"));
        assert!(message(ring.promote("x")).contains("no key"));
        ring.promote(&ring.signing_kid()).unwrap();
    }

    #[test]
    fn debug_shows_names_only() {
        let text = format!("{:?}", KeyRing::from_secret(ONE).unwrap());
        assert!(!text.contains(ONE) && !text.contains("48, 49"), "{text}");
    }
}

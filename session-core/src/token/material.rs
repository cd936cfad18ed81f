//! What keys are made of: signers and verifiers as `jsonwebtoken` has them.

use jsonwebtoken::crypto::{JwtSigner, JwtVerifier};
use jsonwebtoken::signature::Error;

use super::base64;

/// `jsonwebtoken`'s traits want each signature in a `Vec`. Every request with a cookie checks one, so HMAC also takes and
/// gives them where they are.
pub(super) trait Material: JwtSigner + JwtVerifier + Send + Sync {
    /// A name for the key: the same in every process, and of no use for finding it.
    fn fingerprint(&self) -> String;

    /// A public key cannot.
    fn can_sign(&self) -> bool;

    /// Derives another key from this one (HKDF-SHA256, RFC 5869). `false` where there is no secret to derive it from.
    fn derive(&self, info: &[&[u8]], key: &mut [u8; 32]) -> bool {
        let _ = (info, key);
        false
    }

    /// Appends the signature of `token` to it, as base64url after a dot.
    fn append_signature(&self, token: &mut String) -> Result<(), Error> {
        let signature = self.try_sign(token.as_bytes())?;
        token.push('.');
        base64::append(signature, token);
        Ok(())
    }

    /// Whether `signature` is one of `message`.
    fn is_signature(&self, signature: &[u8], message: &[u8]) -> bool {
        self.verify(message, &signature.to_vec()).is_ok()
    }
}

//! What keys are made of.

use jsonwebtoken::Algorithm;
use jsonwebtoken::signature::Error;

pub(super) trait Material: Send + Sync {
    fn algorithm(&self) -> Algorithm;

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
    fn append_signature(&self, token: &mut String) -> Result<(), Error>;

    /// Whether `signature` is one of `message`.
    fn is_signature(&self, signature: &[u8], message: &[u8]) -> bool;
}

//! Signatures by HMAC (RFC 2104). Every comparison takes the same time, wherever the first difference is.

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha512};

pub(crate) type HmacSha256 = Hmac<Sha256>;
pub(crate) type HmacSha512 = Hmac<Sha512>;
#[cfg(any(feature = "cookie-session", feature = "flask"))]
pub(crate) type HmacSha1 = Hmac<sha1::Sha1>;

/// Whether `tag` is the whole MAC of these parts, one behind the other.
pub(crate) fn verify<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]], tag: &[u8]) -> bool {
    mac::<M>(key, parts).is_some_and(|mac| mac.verify_slice(tag).is_ok())
}

/// Whether `tag` is the left half of the MAC (RFC 7518 section 5.2.2.1).
pub(crate) fn verify_left<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]], tag: &[u8]) -> bool {
    tag.len() * 2 == M::output_size()
        && mac::<M>(key, parts).is_some_and(|mac| mac.verify_truncated_left(tag).is_ok())
}

/// HMAC takes keys of every length, so there always is one.
pub(crate) fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Option<M> {
    let mut mac = <M as Mac>::new_from_slice(key).ok()?;
    parts.iter().for_each(|part| mac.update(part));
    Some(mac)
}

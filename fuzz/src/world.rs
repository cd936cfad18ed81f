//! What the targets share: a secret, a clock that stands still, somebody who is logged in.

use std::borrow::Cow;
use std::fmt::Debug;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use aes_gcm::aead::AeadInPlace as _;
use aes_gcm::{Aes256Gcm, KeyInit as _};
use futures_util::FutureExt as _;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use session_core::testing::ManualClock;
use session_core::{
    Clock, KeyRing, RandomSource, SessionManager, SessionManagerBuilder, SessionPayload, Timestamp,
};
use sha2::Sha256;

pub const SECRET: &str = "the secret of the fuzz targets, thirty-two bytes and more";
/// 2026-01-01T00:00:00Z.
pub const NOW: i64 = 1_767_225_600;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    pub user_id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl User {
    pub fn named(name: &str) -> Self {
        Self { user_id: name.to_owned(), note: String::new() }
    }
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        (self.user_id != "guest").then(|| (&self.user_id).into())
    }
}

/// The same bytes in each run, and again after a reset. Clones are the same source.
#[derive(Clone, Default)]
pub struct Counted(Arc<AtomicU64>);

impl Counted {
    pub fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl RandomSource for Counted {
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        let count = self.0.fetch_add(1, Ordering::Relaxed);
        let word = (count + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
        bytes.iter_mut().enumerate().for_each(|(at, byte)| *byte = word[at % 8] ^ at as u8);
        Ok(())
    }
}

pub fn keys() -> KeyRing {
    KeyRing::from_secret(SECRET).expect("a secret of good length")
}

/// A manager at [`NOW`].
pub fn manager() -> SessionManagerBuilder<User> {
    manager_at(ManualClock::at(Timestamp::from_unix_seconds(NOW)))
}

pub fn manager_at(clock: impl Clock) -> SessionManagerBuilder<User> {
    SessionManager::builder().keys(keys()).clock(clock).random(Counted::default())
}

/// Nothing here waits: there is no I/O.
pub fn ready<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing to wait for")
}

/// `header.claims.signature`, signed as the managers sign.
pub fn signed(header: &[u8], claims: &[u8]) -> String {
    let encode = |bytes: &[u8]| base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes);
    let mut token = format!("{}.{}", encode(header), encode(claims));
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(SECRET.as_bytes()).expect("any length will do");
    mac.update(token.as_bytes());
    let signature = encode(&mac.finalize().into_bytes());
    token.push('.');
    token.push_str(&signature);
    token
}

/// A JWE in compact form, sealed as the managers seal a session.
pub fn sealed(header: &[u8], claims: &[u8]) -> String {
    static KEY: LazyLock<Aes256Gcm> = LazyLock::new(|| {
        let mut key = [0; 32];
        let derived = Hkdf::<Sha256>::new(None, SECRET.as_bytes());
        derived
            .expand(b"session-core sealed\0session+jwe\0__Host-session", &mut key)
            .expect("a length that it has");
        Aes256Gcm::new(&key.into())
    });
    let encode = |bytes: &[u8]| base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes);
    let (header, nonce, mut content) = (encode(header), [7; 12], claims.to_vec());
    let tag =
        KEY.encrypt_in_place_detached(&nonce.into(), header.as_bytes(), &mut content).expect("a short text");
    format!("{header}..{}.{}.{}", encode(&nonce), encode(&content), encode(&tag))
}

/// Runs it, and sees that it never holds more memory than `most` bytes.
pub fn within<T: Debug>(most: usize, run: impl FnOnce() -> T) -> T {
    let mut answer = None;
    let used = allocation_counter::measure(|| answer = Some(run()));
    assert!(used.bytes_max <= most as u64, "{} bytes at once, {most} are allowed", used.bytes_max);
    answer.expect("it ran")
}

/// `{name}` in the input becomes what stands for it, so that an input can hold what only a key can make.
pub fn expand(input: &[u8], words: &[(&str, String)]) -> Vec<u8> {
    let mut output = Vec::with_capacity(input.len());
    let mut rest = input;
    while let Some(open) = memchr::memchr(b'{', rest) {
        let (before, from) = rest.split_at(open);
        output.extend_from_slice(before);
        let word = words.iter().find(|(word, _)| {
            from[1..].strip_prefix(word.as_bytes()).is_some_and(|after| after.first() == Some(&b'}'))
        });
        match word {
            Some((word, meaning)) if output.len() < 1 << 17 => {
                output.extend_from_slice(meaning.as_bytes());
                rest = &from[word.len() + 2..];
            }
            _ => {
                output.push(b'{');
                rest = &from[1..];
            }
        }
    }
    output.extend_from_slice(rest);
    output
}

/// The pairs of Cookie lines, read as RFC 6265 section 4.2.1 has them, by another way than the product's.
pub fn pairs<'a>(lines: &[&'a [u8]]) -> Vec<(&'a [u8], &'a [u8])> {
    let pairs = lines.iter().flat_map(|line| line.split(|&byte| byte == b';'));
    pairs
        .filter_map(|pair| {
            let equals = pair.iter().position(|&byte| byte == b'=')?;
            Some((pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii()))
        })
        .collect()
}

/// A header value that every framework takes, on one line.
pub fn assert_header_value(value: &str) {
    assert!(value.bytes().all(|byte| matches!(byte, 0x20..=0x7e)), "no header value: {value:?}");
}

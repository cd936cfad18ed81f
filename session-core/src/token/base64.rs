//! Base64url as JWS has it (RFC 7515 section 2): no padding, and canonical, so that a value has one spelling.

use std::mem::MaybeUninit;

use base64_simd::{Out, URL_SAFE_NO_PAD};

/// A place on the stack for `N` decoded bytes.
pub(super) struct Buffer<const N: usize>([MaybeUninit<u8>; N]);

impl<const N: usize> Buffer<N> {
    #[inline]
    pub(super) const fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; N])
    }

    /// The bytes behind `text`; `None` when it is not canonical base64url or needs more room.
    #[inline]
    pub(super) fn decode(&mut self, text: &[u8]) -> Option<&mut [u8]> {
        if URL_SAFE_NO_PAD.decoded_length(text).ok()? > N {
            return None;
        }
        let decoded = URL_SAFE_NO_PAD.decode(text, Out::from_uninit_slice(&mut self.0)).ok()?;
        Some(decoded)
    }
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

pub(super) fn append(bytes: impl AsRef<[u8]>, text: &mut String) {
    URL_SAFE_NO_PAD.encode_append(bytes, text);
}

pub(super) const fn encoded_len(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

pub(super) fn to_vec(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode_to_vec(text).ok()
}

//! zlib (RFC 1950), to a bound. Only ever for what has been authenticated before.

use std::io::Read;

use flate2::read::ZlibDecoder;

/// In bytes. A cookie of 4 kB can hold 4 MB of zeros.
const MAX_INFLATED: u64 = 64 * 1024;

/// `None` if it is no zlib, or longer.
pub(crate) fn inflate(compressed: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    ZlibDecoder::new(compressed).take(MAX_INFLATED + 1).read_to_end(&mut plain).ok()?;
    (plain.len() as u64 <= MAX_INFLATED).then_some(plain)
}

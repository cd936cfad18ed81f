//! AES-256 in CBC mode with PKCS #7 padding. Only ever for what has been authenticated before.

use aes::Aes256;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockDecryptMut, KeyIvInit};

pub(crate) fn decrypt(key: &[u8], iv: &[u8], mut content: Vec<u8>) -> Option<Vec<u8>> {
    let cipher = cbc::Decryptor::<Aes256>::new_from_slices(key, iv).ok()?;
    let length = cipher.decrypt_padded_mut::<Pkcs7>(&mut content).ok()?.len();
    content.truncate(length);
    Some(content)
}

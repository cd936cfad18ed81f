//! What is sealed opens for its purpose, its realm and its place, with its key, whole, and otherwise not at all.

use proptest::prelude::*;

use super::super::envelope::MAX_TOKEN_LEN;
use super::super::seal::{Purpose, SealError, Sealing, is_sealed};
use super::super::{Key, KeyRing, base64};
use crate::clock::SystemRandom;

fn ring(byte: u8) -> KeyRing {
    KeyRing::from_secret([byte; 32]).unwrap()
}

fn sealing(byte: u8) -> Sealing {
    Sealing::new(ring(byte), "users")
}

fn sealed(by: &Sealing) -> String {
    by.seal(Purpose::Flow, &SystemRandom, b"verifier".to_vec()).unwrap()
}

#[test]
fn what_was_sealed_opens_and_does_not_show() {
    let sealing = sealing(1);
    let text = sealed(&sealing);
    assert_eq!(sealing.open(Purpose::Flow, text.as_bytes()).unwrap(), b"verifier");
    assert!(!text.contains(&base64::encode(b"verifier")));
    assert_ne!(text, sealed(&sealing), "a nonce came twice");
}

#[test]
fn it_is_a_jwe_with_five_segments_and_no_encrypted_key() {
    let text = sealed(&Sealing::new(
        KeyRing::new(Key::hs256([1; 32]).unwrap().with_kid("\"k\"").unwrap()).unwrap(),
        "users",
    ));
    let header = base64::to_vec(text.split('.').next().unwrap()).unwrap();
    assert_eq!(
        String::from_utf8(header).unwrap(),
        r#"{"alg":"dir","enc":"A256GCM","typ":"session-flow+jwe","kid":"\"k\""}"#
    );
    assert_eq!(text.split('.').map(str::len).collect::<Vec<_>>()[1..], [0, 16, 11, 22]);
}

#[test]
fn another_key_purpose_or_realm_opens_nothing() {
    let text = sealed(&sealing(1));
    assert!(sealing(2).open(Purpose::Flow, text.as_bytes()).is_none());
    assert!(sealing(1).open(Purpose::Flash, text.as_bytes()).is_none());
    assert!(Sealing::new(ring(1), "admins").open(Purpose::Flow, text.as_bytes()).is_none());
}

#[test]
fn a_key_of_the_same_name_is_not_the_same_key() {
    let named = |byte| {
        Sealing::new(KeyRing::new(Key::hs256([byte; 32]).unwrap().with_kid("k").unwrap()).unwrap(), "u")
    };
    assert!(named(2).open(Purpose::Flow, sealed(&named(1)).as_bytes()).is_none());
}

#[test]
fn every_key_of_the_ring_opens_until_it_is_retired() {
    let ring = ring(1);
    let sealing = Sealing::new(ring.clone(), "users");
    let (old, text) = (ring.signing_kid(), sealed(&sealing));
    ring.add(Key::hs512([2; 64]).unwrap().with_kid("next").unwrap()).unwrap();
    ring.promote("next").unwrap();
    assert!(sealing.open(Purpose::Flow, text.as_bytes()).is_some());
    assert!(sealing.open(Purpose::Flow, sealed(&sealing).as_bytes()).is_some());
    ring.retire(&old).unwrap();
    assert!(sealing.open(Purpose::Flow, text.as_bytes()).is_none());
}

#[test]
fn no_changed_byte_and_no_other_shape_opens() {
    let sealing = sealing(1);
    let text = sealed(&sealing);
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        assert!(sealing.open(Purpose::Flow, &bytes).is_none(), "{at}");
    }
    let long = format!("{text}{}", "A".repeat(MAX_TOKEN_LEN));
    for other in ["", "....", &text[1..], &format!("{text}."), &text.replacen("..", ".AA.", 1), &long] {
        assert!(sealing.open(Purpose::Flow, other.as_bytes()).is_none(), "{other}");
    }
}

#[cfg(feature = "asymmetric")]
#[test]
fn a_ring_of_key_pairs_seals_nothing() {
    let pair = Key::ed25519_pem(include_bytes!("keys/ed25519.pem")).unwrap();
    let sealing = Sealing::new(KeyRing::new(pair).unwrap(), "users");
    let sealed = sealing.seal(Purpose::Flow, &SystemRandom, Vec::new());
    assert!(matches!(sealed, Err(SealError::NoKey)));
}

proptest! {
    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(sealing(1).open(Purpose::Flow, &bytes).is_none());
    }
}

#[test]
fn what_is_bound_to_a_place_opens_there_and_nowhere_else() {
    let sealing = sealing(1);
    let seal =
        |bound: &[u8]| sealing.seal_bound(Purpose::Record, bound, &SystemRandom, b"{}".to_vec()).unwrap();
    let open = |bound: &[u8], text: &str| sealing.open_bound(Purpose::Record, bound, text.as_bytes());
    let (here, nowhere) = (seal(b"here"), seal(b""));
    assert_eq!(open(b"here", &here).unwrap(), b"{}");
    for (bound, text) in [(&b"there"[..], &here), (b"", &here), (b"here", &nowhere), (b"her", &here)] {
        assert!(open(bound, text).is_none());
    }
}

/// As RFC 7516 has additional authenticated data: the header's segment, a dot, and the data in base64url.
#[test]
fn the_place_is_authenticated_as_a_flattened_jwe_does_it() {
    use aes_gcm::aead::AeadInPlace;
    use aes_gcm::{Aes256Gcm, KeyInit};
    let sealing = sealing(1);
    let text = sealing.seal_bound(Purpose::Record, b"here", &SystemRandom, b"{}".to_vec()).unwrap();
    let [header, _, nonce, content, tag] = *text.split('.').collect::<Vec<_>>() else { panic!("{text}") };
    let mut key = [0; 32];
    let hkdf = hkdf::Hkdf::<sha2::Sha256>::new(None, &[1; 32]);
    hkdf.expand(b"session-core sealed\0session-record+jwe\0users", &mut key).unwrap();
    let [nonce, mut content, tag] = [nonce, content, tag].map(|part| base64::to_vec(part).unwrap());
    let associated = format!("{header}.{}", base64::encode("here"));
    Aes256Gcm::new(&key.into())
        .decrypt_in_place_detached(nonce[..].into(), associated.as_bytes(), &mut content, tag[..].into())
        .unwrap();
    assert_eq!(content, b"{}");
}

#[test]
fn what_is_longer_than_a_cookie_opens_from_a_store_only() {
    let sealing = sealing(1);
    let long = vec![b'x'; 100_000];
    let text = sealing.seal_bound(Purpose::Record, b"here", &SystemRandom, long.clone()).unwrap();
    assert_eq!(sealing.open_bound(Purpose::Record, b"here", text.as_bytes()).unwrap(), long);
    let text = sealing.seal(Purpose::Flow, &SystemRandom, long).unwrap();
    assert!(sealing.open(Purpose::Flow, text.as_bytes()).is_none());
}

#[test]
fn only_what_the_first_key_sealed_is_the_newest() {
    let ring = ring(1);
    let sealing = Sealing::new(ring.clone(), "users");
    let seal = || sealing.seal_bound(Purpose::Record, b"here", &SystemRandom, b"{}".to_vec()).unwrap();
    let is_newest = |text: &str| sealing.is_newest(Purpose::Record, text.as_bytes());
    let old = seal();
    assert!(is_newest(&old) && !is_newest("{}") && !is_newest(&sealed(&sealing)));
    ring.add(Key::hs256([2; 32]).unwrap()).unwrap();
    ring.promote(Key::hs256([2; 32]).unwrap().kid()).unwrap();
    assert!(!is_newest(&old) && is_newest(&seal()));
}

#[test]
fn json_is_never_taken_for_something_sealed() {
    for json in ["{}", "[]", "\"ey\"", "1", "true", "null", "false", " {}", "-1"] {
        assert!(!is_sealed(json.as_bytes()), "{json}");
    }
    assert!(is_sealed(sealed(&sealing(1)).as_bytes()));
}

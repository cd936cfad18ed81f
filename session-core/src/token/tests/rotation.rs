//! Keys that come and go.

use super::*;
use crate::error::ErrorKind;
use crate::token::Key;

fn next() -> Key {
    Key::hs256("ffffffffffffffffffffffffffffffff").unwrap().with_kid("next").unwrap()
}

#[test]
fn a_fleet_rotates_in_phases_and_no_token_is_refused_before_its_key_is_retired() {
    let (one, two) = (codec(), codec());
    let old_kid = one.ring.signing_kid();
    let old = one.issue(&claims(), &ada()).unwrap();

    one.ring.add(next()).unwrap();
    two.ring.add(next()).unwrap();
    assert_eq!(one.issue(&claims(), &ada()).unwrap(), old, "an added key signs nothing");

    one.ring.promote("next").unwrap();
    let new = one.issue(&claims(), &ada()).unwrap();
    assert_ne!(new, old);
    for codec in [&one, &two] {
        assert!(verify(codec, &old).is_ok());
        assert!(verify(codec, &new).is_ok(), "also where the old key still signs");
    }

    two.ring.promote("next").unwrap();
    for codec in [&one, &two] {
        codec.ring.retire(&old_kid).unwrap();
        assert_eq!(verify(codec, &old).unwrap_err().kind, ErrorKind::TokenInvalid);
        assert!(verify(codec, &new).is_ok());
    }
}

#[test]
fn a_node_that_does_not_have_the_key_yet_refuses() {
    let other = codec_of(KeyRing::new(next()).unwrap(), TokenForm::Typed);
    let token = other.issue(&claims(), &ada()).unwrap();
    assert_eq!(verify(&codec(), &token).unwrap_err().kind, ErrorKind::TokenInvalid);
}

#[test]
fn clones_see_each_others_changes() {
    let ring = ring();
    let clone = ring.clone();
    ring.add(next()).unwrap();
    clone.promote("next").unwrap();
    assert_eq!(ring.signing_kid(), "next");
    assert_eq!(ring.kids(), clone.kids());
}

#[test]
fn a_token_by_another_algorithm_of_the_ring_is_found_by_its_kid_and_held_to_its_algorithm() {
    let codec = codec();
    codec.ring.add(Key::hs512([7; 64]).unwrap().with_kid("512").unwrap()).unwrap();
    codec.ring.promote("512").unwrap();
    let token = codec.issue(&claims(), &ada()).unwrap();
    assert!(verify(&codec, &token).is_ok());
    let (_, rest) = token.split_once('.').unwrap();
    let wrong = base64::encode(r#"{"alg":"HS256","typ":"session+jwt","kid":"512"}"#);
    assert!(verify(&codec, &format!("{wrong}.{rest}")).is_err());
}

#[test]
fn every_symmetric_algorithm_signs_and_verifies() {
    for key in [Key::hs256([1; 32]), Key::hs384([1; 48]), Key::hs512([1; 64])] {
        let codec = codec_of(KeyRing::new(key.unwrap()).unwrap(), TokenForm::Typed);
        let token = codec.issue(&claims(), &ada()).unwrap();
        assert_eq!(verify(&codec, &token).unwrap(), (claims(), ada()));
    }
}

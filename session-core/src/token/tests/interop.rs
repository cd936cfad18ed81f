//! Cookies shared with a Next.js application that signs with `jose` and the same secret.

use sha2::Digest;

use super::*;
use crate::error::ErrorKind;

fn jose_claims(iat: i64, exp: i64) -> String {
    format!(r#"{{"userId":"ada","role":"admin","iat":{iat},"exp":{exp}}}"#)
}

#[test]
fn a_token_in_joses_shape_is_read_in_the_plain_form() {
    let token = by_hand(JOSE, jose_claims(NOW - 5, NOW + 86_400));
    let (claims, user) = verify(&plain(), &token).unwrap();
    assert_eq!(user, ada());
    assert_eq!((claims.issued_at, claims.authenticated_at), (at(NOW - 5), at(NOW - 5)));
    assert_eq!((claims.expires_at, claims.generation), (at(NOW + 86_400), None));
    assert!(verify(&codec(), &token).is_err(), "not without the option");
}

#[test]
fn typ_jwt_and_our_kid_make_no_difference_in_the_plain_form() {
    let kid = ring().signing_kid();
    for header in [
        r#"{"alg":"HS256","typ":"JWT"}"#.to_owned(),
        r#"{"typ":"JWT","alg":"HS256"}"#.to_owned(),
        format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"HS256","kid":"{kid}","typ":"jwt"}}"#),
    ] {
        assert!(verify(&plain(), &by_hand(&header, jose_claims(NOW, NOW + 1))).is_ok(), "{header}");
    }
}

#[test]
fn the_sid_of_a_plain_token_without_one_is_a_hash_of_what_is_signed() {
    let (one, other) = (by_hand(JOSE, jose_claims(NOW, NOW + 1)), by_hand(JOSE, jose_claims(NOW, NOW + 2)));
    let sid = |token: &str| verify(&plain(), token).unwrap().0.sid;
    assert_eq!(sid(&one), sid(&one));
    assert_ne!(sid(&one), sid(&other));
    let signed = one.rsplit_once('.').unwrap().0;
    assert_eq!(sid(&one).as_bytes()[..], Sha256::digest(signed)[..18]);
}

/// Sixteen random bytes, a UUID: whatever the other side draws names a session, the same in each of its tokens.
#[test]
fn the_sid_of_a_plain_token_may_be_any_text() {
    let sid = |text: &str| {
        let token = by_hand(JOSE, claims_with("sid", Some(&format!("\"{text}\""))));
        verify(&plain(), &token).unwrap().0.sid
    };
    let texts = ["MDEyMzQ1Njc4OWFiY2RlZg", "67e55044-10b1-426f-9247-bb680e5fe0c8", "x", ""];
    for (place, text) in texts.iter().enumerate() {
        assert_eq!(sid(text), sid(text));
        assert!(texts[..place].iter().all(|other| sid(other) != sid(text)));
    }
}

#[test]
fn the_exp_of_a_plain_token_is_capped_at_iat_plus_the_absolute_lifetime() {
    let token = by_hand(JOSE, jose_claims(NOW - 10, NOW + 10 * ABSOLUTE));
    assert_eq!(verify(&plain(), &token).unwrap().0.expires_at, at(NOW - 10 + ABSOLUTE));
}

#[test]
fn a_plain_token_needs_iat_and_exp() {
    for claims in [
        format!(r#"{{"userId":"ada","role":"admin","exp":{NOW}}}"#),
        format!(r#"{{"userId":"ada","role":"admin","iat":{NOW}}}"#),
    ] {
        assert_eq!(verify(&plain(), &by_hand(JOSE, claims)).unwrap_err().kind, ErrorKind::TokenInvalid);
    }
}

#[test]
fn a_plain_token_with_sid_auth_time_and_aud_is_held_to_them() {
    let (read, _) = verify(&plain(), &by_hand(JOSE, good_claims())).unwrap();
    assert_eq!((read.sid, read.authenticated_at), (claims().sid, claims().authenticated_at));
    for (name, value) in [("sid", "1"), ("auth_time", "\"x\""), ("aud", "\"x\""), ("auth_time", "1900000000")]
    {
        assert!(verify(&plain(), &by_hand(JOSE, claims_with(name, Some(value)))).is_err(), "{name}");
    }
}

#[test]
fn a_plain_token_of_ours_has_joses_header_and_our_claims() {
    let token = plain().issue(&claims(), &ada()).unwrap();
    assert!(token.starts_with("eyJhbGciOiJIUzI1NiJ9."), "{token}");
    assert_eq!(verify(&plain(), &token).unwrap(), (claims(), ada()));
    let json = base64::to_vec(token.split('.').nth(1).unwrap()).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["userId"], "ada");
    assert_eq!(json["exp"], NOW + 86_400);
}

#[test]
fn typed_tokens_are_read_in_the_plain_form_with_all_their_claims() {
    let token = codec().issue(&claims(), &ada()).unwrap();
    assert_eq!(verify(&plain(), &token).unwrap(), (claims(), ada()));
    let token = by_hand(our_header(), jose_claims(NOW, NOW + 1));
    assert!(verify(&plain(), &token).is_err());
}

#[test]
fn references_are_never_plain() {
    let token = plain().issue_reference(&reference(7)).unwrap();
    assert_eq!(codec().verify_reference(token.as_bytes(), now()), Ok(reference(7)));
    let token = by_hand(JOSE, claims_with("gen", Some("7")));
    assert_eq!(plain().verify_reference(token.as_bytes(), now()).unwrap_err().kind, ErrorKind::TokenInvalid);
    assert_eq!(verify(&plain(), &token).unwrap_err().kind, ErrorKind::Invalid);
}

#[test]
fn plain_tokens_survive_a_rotation() {
    let codec = plain();
    let old = by_hand(JOSE, jose_claims(NOW, NOW + 1));
    codec
        .ring
        .add(crate::Key::hs256("ffffffffffffffffffffffffffffffff").unwrap().with_kid("next").unwrap())
        .unwrap();
    codec.ring.promote("next").unwrap();
    assert!(verify(&codec, &old).is_ok());
    assert!(verify(&codec, &codec.issue(&claims(), &ada()).unwrap()).is_ok());
}

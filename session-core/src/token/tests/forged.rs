//! Tokens that must open nothing (ASVS 5.0 V9, RFC 8725).

use super::*;
use crate::error::ErrorKind;

#[track_caller]
fn is_refused(codec: &Codec, token: &str) {
    let refused = verify(codec, token).expect_err(token);
    assert_eq!(
        (refused.kind, refused.claims),
        (ErrorKind::TokenInvalid, None),
        "{}: {token}",
        refused.reason
    );
}

#[track_caller]
fn header_is_refused(header: &str) {
    is_refused(&codec(), &by_hand(header, good_claims()));
    is_refused(&plain(), &by_hand(header, good_claims()));
}

#[track_caller]
fn claims_are_refused(claims: &str) {
    let error = verify(&codec(), &by_hand(our_header(), claims)).expect_err(claims);
    assert_eq!(error.kind, ErrorKind::TokenInvalid, "{claims}");
}

#[test]
fn the_token_by_hand_is_good_unless_something_is_wrong_with_it() {
    let (claims, user) = verify(&codec(), &by_hand(our_header(), good_claims())).unwrap();
    assert_eq!(user, ada());
    assert_eq!(claims, Claims { expires_at: at(NOW + 60), ..super::claims() });
}

#[test]
fn flipping_any_bit_of_any_byte_is_refused() {
    for codec in [codec(), plain()] {
        let token = codec.issue(&claims(), &ada()).unwrap();
        for at in 0..token.len() {
            for bit in 0..8 {
                let mut bytes = token.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let refused = codec.verify::<User>(&bytes, now()).expect_err("flipped");
                assert_eq!((refused.kind, refused.claims), (ErrorKind::TokenInvalid, None), "{at}");
            }
        }
    }
}

#[test]
fn another_algorithm_in_the_header_is_refused_even_when_signed_with_it_and_the_right_secret() {
    let kid = ring().signing_kid();
    for alg in
        ["none", "None", "nOnE", "NONE", "", "HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256", "HS256 "]
    {
        for header in [
            format!(r#"{{"alg":"{alg}","typ":"session+jwt","kid":"{kid}"}}"#),
            format!(r#"{{"alg":"{alg}","typ":"session+jwt"}}"#),
            format!(r#"{{"alg":"{alg}"}}"#),
        ] {
            is_refused(&codec(), &by_hand_as(alg, &header, good_claims()));
            is_refused(&plain(), &by_hand_as(alg, &header, good_claims()));
            let unsigned = by_hand(&header, good_claims());
            let unsigned = &unsigned[..=unsigned.rfind('.').unwrap()];
            is_refused(&codec(), unsigned);
            is_refused(&plain(), unsigned);
        }
    }
}

#[test]
fn header_members_other_than_alg_typ_and_kid_are_refused() {
    for member in [
        r#""jwk":{"kty":"oct","k":"AAAA"}"#,
        r#""jku":"https://evil.example/keys""#,
        r#""x5u":"https://evil.example/cert""#,
        r#""x5c":["AAAA"]"#,
        r#""crit":["exp"]"#,
        r#""crit":[]"#,
        r#""zip":"DEF""#,
        r#""b64":false"#,
        r#""cty":"JWT""#,
        r#""unknown":1"#,
    ] {
        header_is_refused(&format!(r#"{{"alg":"HS256","typ":"session+jwt",{member}}}"#));
        header_is_refused(&format!(r#"{{"alg":"HS256",{member}}}"#));
    }
}

#[test]
fn a_kid_that_is_not_in_the_ring_is_refused_whatever_it_looks_like() {
    let long = "a".repeat(10_000);
    for kid in ["../../dev/null", "' OR 1=1 --", "unknown", "", "\\u0000", &long] {
        header_is_refused(&format!(r#"{{"alg":"HS256","typ":"session+jwt","kid":"{kid}"}}"#));
    }
}

#[test]
fn a_header_that_is_not_one_json_object_of_strings_is_refused() {
    for header in [
        "",
        "{}",
        "null",
        r#""HS256""#,
        r#"["HS256","session+jwt"]"#,
        r#"{"alg":"HS256","typ":"session+jwt""#,
        r#"{"alg":"HS256","typ":"session+jwt"} x"#,
        r#"{"alg":"HS256","typ":"session+jwt","alg":"HS256"}"#,
        r#"{"alg":"none","alg":"HS256","typ":"session+jwt"}"#,
        r#"{"alg":"HS256","typ":null}"#,
        r#"{"alg":"HS256","typ":"session+jwt","kid":null}"#,
        r#"{"alg":"HS256","typ":"session+jwt","kid":7}"#,
        r#"{"alg":["HS256"],"typ":"session+jwt"}"#,
        r#"{"alg":null,"typ":"session+jwt"}"#,
        r#"{"typ":"session+jwt"}"#,
        r#"{"ALG":"HS256","typ":"session+jwt"}"#,
    ] {
        header_is_refused(header);
    }
}

#[test]
fn our_typ_is_accepted_with_and_without_application_and_in_any_case() {
    for typ in ["session+jwt", "application/session+jwt", "Session+JWT", "APPLICATION/SESSION+JWT"] {
        let header = our_header().replace("session+jwt", typ);
        assert!(verify(&codec(), &by_hand(header, good_claims())).is_ok(), "{typ}");
    }
}

#[test]
fn another_typ_under_the_same_secret_is_refused() {
    for typ in ["at+jwt", "logout+jwt", "dpop+jwt", "", "application/", "text/session+jwt", "session", "JWE"]
    {
        header_is_refused(&our_header().replace("session+jwt", typ));
    }
    for header in
        [r#"{"alg":"HS256"}"#, r#"{"alg":"HS256","typ":"JWT"}"#, r#"{"alg":"HS256","typ":"application/jwt"}"#]
    {
        is_refused(&codec(), &by_hand(header, good_claims()));
    }
}

#[test]
fn a_good_header_in_another_spelling_is_accepted() {
    let header = format!(r#"{{ "typ" : "session+jwt", "kid":"{}", "alg":"HS256" }}"#, ring().signing_kid());
    assert!(verify(&codec(), &by_hand(header, good_claims())).is_ok());
}

#[test]
fn times_are_json_integers_in_range() {
    for claim in ["exp", "iat", "auth_time", "nbf"] {
        for value in [
            "\"1800000000\"",
            "1800000000.0",
            "1800000000.5",
            "18e8",
            "-1",
            "-0",
            "1e400",
            "null",
            "true",
            "[]",
        ] {
            claims_are_refused(&claims_with(claim, Some(value)));
        }
        for value in ["253402300800", "18446744073709551615", "18446744073709551616", "01800000000"] {
            claims_are_refused(&claims_with(claim, Some(value)));
        }
    }
}

#[test]
fn registered_claims_are_required() {
    for claim in ["exp", "iat", "auth_time", "sid", "aud"] {
        claims_are_refused(&claims_with(claim, None));
    }
}

#[test]
fn a_sid_is_24_canonical_characters() {
    for value in
        ["\"\"", "\"short\"", "1", "null", "\"MDEyMzQ1Njc4OWFiY2RlZg\"", "\"MDEyMzQ1Njc4OWFiY2RlZmd=\""]
    {
        claims_are_refused(&claims_with("sid", Some(value)));
    }
}

#[test]
fn an_expired_token_is_returned_for_the_lifetimes_to_judge() {
    let token = by_hand(our_header(), claims_with("exp", Some("1")));
    assert_eq!(verify(&codec(), &token).unwrap().0.expires_at, at(1));
}

#[test]
fn times_in_the_future_are_good_up_to_the_leeway_and_refused_one_second_later() {
    for claim in ["iat", "nbf", "auth_time"] {
        let token =
            |seconds: i64| by_hand(our_header(), claims_with(claim, Some(&(NOW + seconds).to_string())));
        assert!(verify(&codec(), &token(LEEWAY)).is_ok(), "{claim}");
        let refused = verify(&codec(), &token(LEEWAY + 1)).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::TokenInvalid);
        assert!(refused.claims.is_some(), "well signed and for us");
    }
}

#[test]
fn another_audience_is_refused() {
    for aud in ["\"other\"", "\"\"", "[\"__Host-session\"]", "null", "7", "\"__host-session\""] {
        claims_are_refused(&claims_with("aud", Some(aud)));
        is_refused(&plain(), &by_hand(r#"{"alg":"HS256"}"#, claims_with("aud", Some(aud))));
    }
}

#[test]
fn two_managers_with_one_secret_do_not_accept_each_others_tokens() {
    let long = Duration::from_secs(1000);
    let other = Codec::new(ring(), "admin".to_owned(), None, TokenForm::Typed, long, long);
    is_refused(&codec(), &other.issue(&claims(), &ada()).unwrap());
    is_refused(&other, &codec().issue(&claims(), &ada()).unwrap());
    let token = other.issue_reference(&reference(1)).unwrap();
    assert_eq!(codec().verify_reference(token.as_bytes(), now()).unwrap_err().kind, ErrorKind::TokenInvalid);
}

#[test]
fn an_issuer_is_checked_when_configured() {
    let long = Duration::from_secs(100_000);
    let issuer = Some("https://a \"quoted\" issuer".to_owned());
    let codec = Codec::new(ring(), "__Host-session".to_owned(), issuer, TokenForm::Typed, long, long);
    let token = codec.issue(&claims(), &ada()).unwrap();
    assert!(verify(&codec, &token).is_ok());
    assert!(verify(&super::codec(), &token).is_ok(), "not configured, not checked");
    for iss in [None, Some("\"https://other\""), Some("[\"https://a\"]"), Some("null")] {
        is_refused(&codec, &by_hand(our_header(), claims_with("iss", iss)));
    }
    // In the order of another writer.
    let first = |iss: &str| good_claims().replacen('{', &format!(r#"{{"iss":"{iss}","#), 1);
    assert!(verify(&codec, &by_hand(our_header(), first(r#"https://a \"quoted\" issuer"#))).is_ok());
    is_refused(&codec, &by_hand(our_header(), first("https://other")));
}

#[test]
fn claims_that_are_there_twice_are_refused() {
    let twice = |member: &str| good_claims().replacen('{', &format!("{{{member},"), 1);
    for member in [
        r#""sid":"MDEyMzQ1Njc4OWFiY2RlZmdo""#,
        r#""iat":1800000000"#,
        r#""exp":1"#,
        r#""auth_time":1"#,
        r#""aud":"__Host-session""#,
        r#""userId":"eve""#,
        r#""\u0075serId":"eve""#,
        r#""\u0065xp":1"#,
        r#""extra":1,"extra":2"#,
        r#""sub":"a","sub":"b""#,
        r#""jti":1,"jti":2"#,
        r#""nbf":1,"nbf":2"#,
        r#""iss":"a","iss":"b""#,
        r#""gen":1,"gen":2"#,
    ] {
        claims_are_refused(&twice(member));
    }
}

#[test]
fn claims_that_are_not_one_json_object_are_refused() {
    let good = good_claims();
    for claims in
        ["", "null", "[]", "\"a\"", "7", &format!("{good}x"), &format!("{good}{good}"), &format!("[{good}]")]
    {
        claims_are_refused(claims);
    }
    claims_are_refused(&good[..good.len() - 1]);
    assert!(verify(&codec(), &by_hand(our_header(), format!(" {good}\n"))).is_ok(), "white space is JSON");
}

#[test]
fn claims_that_are_not_utf_8_are_refused() {
    let claims = good_claims().into_bytes().into_iter().map(|b| if b == b'a' { 0xff } else { b });
    is_refused(&codec(), &by_hand(our_header(), claims.collect::<Vec<_>>()));
}

#[test]
fn base64url_that_is_not_canonical_is_refused_in_every_part() {
    let token = codec().issue(&claims(), &ada()).unwrap();
    let parts: Vec<_> = token.split('.').collect();
    for at in 0..3 {
        let with = |part: String| {
            let mut parts = parts.clone();
            parts[at] = &part;
            parts.join(".")
        };
        for tail in ["=", "==", " ", "\n", "\t", "\0", "+", "/", "%3D", "A", "AAAAA"] {
            is_refused(&codec(), &with(format!("{}{tail}", parts[at])));
            is_refused(&codec(), &with(format!("{tail}{}", parts[at])));
        }
        is_refused(&codec(), &with(String::new()));
    }
}

#[test]
fn signed_claims_whose_base64_is_not_canonical_are_refused() {
    let signed_as = |claims: &str| {
        let signed = format!("{}.{claims}", base64::encode(our_header()));
        format!("{signed}.{}", base64::encode(mac("HS256", &signed)))
    };
    let text = base64::encode(format!("{}{}", good_claims(), " ".repeat((4 - good_claims().len() % 3) % 3)));
    assert!(verify(&codec(), &signed_as(&text)).is_ok());
    assert_eq!(text.len() % 4, 2, "one byte in the last group, four bits to spare");
    let loose = format!("{}{}", &text[..text.len() - 1], char::from(text.as_bytes()[text.len() - 1] + 1));
    for claims in [loose, format!("{text}=="), format!("{text}\n"), text.replacen('e', "+", 1)] {
        is_refused(&codec(), &signed_as(&claims));
    }
}

#[test]
fn other_numbers_of_parts_and_json_serialization_are_refused() {
    let token = codec().issue(&claims(), &ada()).unwrap();
    let parts: Vec<_> = token.split('.').collect();
    for forged in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        parts[..2].join("."),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{}", parts[2]),
        format!("{token}.{}.{}", parts[1], parts[2]),
        format!(r#"{{"payload":"{}","protected":"{}","signature":"{}"}}"#, parts[1], parts[0], parts[2]),
    ] {
        is_refused(&codec(), &forged);
    }
}

#[test]
fn a_token_over_the_length_limit_is_refused_and_never_issued() {
    let with = |len: usize| codec().issue(&claims(), &User { role: "r".repeat(len), ..ada() });
    let longest = (2000..4096).take_while(|len| with(*len).is_ok()).last().unwrap();
    let token = with(longest).unwrap();
    assert!(token.len() <= 4096 && token.len() > 4090, "{}", token.len());
    assert!(verify(&codec(), &token).is_ok());
    assert!(matches!(with(longest + 1), Err(crate::token::IssueError::TooLong(len)) if len > 4096));

    let claims = claims_with("role", Some(&format!("{:?}", "r".repeat(longest + 1))));
    is_refused(&codec(), &by_hand(our_header(), claims));
    is_refused(&codec(), &"a.".repeat(1 << 20));
}

#[test]
fn a_tampered_signature_of_the_wrong_length_is_refused() {
    let token = codec().issue(&claims(), &ada()).unwrap();
    let (signed, _) = token.rsplit_once('.').unwrap();
    for len in [0, 1, 16, 31, 33, 48, 64, 512, 600] {
        let mut signature = mac("HS256", signed);
        signature.resize(len, 0);
        is_refused(&codec(), &format!("{signed}.{}", base64::encode(signature)));
    }
}

#[test]
fn a_token_of_the_other_mode_is_invalid_and_its_claims_are_known() {
    let tracked = codec().issue_reference(&reference(3)).unwrap();
    let refused = verify(&codec(), &tracked).unwrap_err();
    assert_eq!((refused.kind, refused.claims), (ErrorKind::Invalid, Some(reference(3))));

    let stateless = codec().issue(&claims(), &ada()).unwrap();
    let refused = codec().verify_reference(stateless.as_bytes(), now()).unwrap_err();
    assert_eq!((refused.kind, refused.claims), (ErrorKind::Invalid, Some(claims())));

    let both = by_hand(our_header(), claims_with("gen", Some("3")));
    assert_eq!(verify(&codec(), &both).unwrap_err().kind, ErrorKind::Invalid);
}

#[test]
fn a_payload_of_another_shape_is_invalid_and_its_claims_are_known() {
    for claims in
        [claims_with("role", None), claims_with("role", Some("7")), claims_with("userId", Some("[]"))]
    {
        let refused = verify(&codec(), &by_hand(our_header(), &claims)).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid, "{claims}");
        assert_eq!(refused.claims.unwrap().sid, super::claims().sid);
    }
}

#[test]
fn a_generation_is_a_json_integer() {
    for value in ["\"1\"", "1.0", "-1", "1e3", "null", "18446744073709551616"] {
        let token = by_hand(our_header(), claims_with("gen", Some(value)));
        let refused = codec().verify_reference(token.as_bytes(), now()).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::TokenInvalid, "{value}");
    }
}

#[test]
fn a_typed_token_that_names_no_key_is_refused() {
    for codec in [codec(), plain()] {
        let token = by_hand(r#"{"alg":"HS256","typ":"session+jwt"}"#, good_claims());
        assert_eq!(verify(&codec, &token).unwrap_err().reason, "the token names no key");
    }
}

/// Whatever is in a name, it is written as JSON, found, and found in another spelling, too.
#[test]
fn a_kid_of_any_characters_is_written_and_found() {
    for kid in [
        "a b",
        "arn:aws:kms:eu/key@1+2=",
        "\"},\"alg\":\"none",
        "\\",
        "ü€",
        "line\nend\0",
        &"\u{1}".repeat(128),
    ] {
        let codec = codec_of(
            KeyRing::new(crate::Key::hs256(SECRET).unwrap().with_kid(kid).unwrap()).unwrap(),
            TokenForm::Typed,
        );
        let token = codec.issue(&claims(), &ada()).unwrap();
        assert!(verify(&codec, &token).is_ok(), "{kid:?}");
        let escaped: String = kid.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        let header = format!(r#"{{ "kid":"{escaped}","typ":"session+jwt","alg":"HS256"}}"#);
        assert!(verify(&codec, &by_hand(header, good_claims())).is_ok(), "{kid:?}");
        assert!(verify(&codec, &by_hand(our_header(), good_claims())).is_err(), "another name");
    }
}

//! Sealed session tokens: what they are, and the hostile ones, none of which says why it opens nothing.

use aes_gcm::aead::AeadInPlace;
use aes_gcm::{Aes256Gcm, KeyInit};
use hkdf::Hkdf;

use super::*;
use crate::clock::RandomSource;
use crate::error::ErrorKind;
use crate::token::seal::Purpose;

/// What makes a sealed token. Not our code: by RFC 7516, RFC 5869 and what the docs of `TokenForm::Sealed` say.
struct Seal<'a> {
    secret: &'a [u8],
    info: String,
    header: String,
    encrypted_key: &'a str,
    nonce: [u8; 12],
    claims: Vec<u8>,
}

impl Seal<'_> {
    fn good() -> Self {
        Self {
            secret: SECRET.as_bytes(),
            info: format!("session-core sealed\0session+jwe\0{REALM}"),
            header: sealed_header(""),
            encrypted_key: "",
            nonce: *b"twelve bytes",
            claims: good_claims().into_bytes(),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn token(&self) -> String {
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(None, self.secret).expand(self.info.as_bytes(), &mut key).unwrap();
        let (header, mut content) = (base64::encode(&self.header), self.claims.clone());
        let tag = Aes256Gcm::new(&key.into())
            .encrypt_in_place_detached(&self.nonce.into(), header.as_bytes(), &mut content)
            .unwrap();
        let [nonce, content, tag] = [&self.nonce[..], &content, &tag].map(base64::encode);
        format!("{header}.{}.{nonce}.{content}.{tag}", self.encrypted_key)
    }
}

fn sealed_header(more: &str) -> String {
    let kid = ring().signing_kid();
    format!(r#"{{"alg":"dir","enc":"A256GCM","typ":"session+jwe","kid":"{kid}"{more}}}"#)
}

fn sealed_claims(claims: impl Into<Vec<u8>>) -> String {
    Seal::good().with(|seal| seal.claims = claims.into()).token()
}

/// In every form, with the same words.
#[track_caller]
fn does_not_open(what: &str, token: &str) {
    for codec in [sealed(), codec(), plain()] {
        let refused = verify(&codec, token).expect_err(what);
        let seen = (refused.kind, refused.reason, refused.claims);
        assert_eq!(seen, (ErrorKind::TokenInvalid, "the token does not open", None), "{what}");
        let reference = codec.verify_reference(token.as_bytes(), now()).expect_err(what);
        assert_eq!(reference, refused, "{what}");
    }
}

#[test]
fn a_token_by_the_docs_is_read_and_ours_is_one_of_those() {
    let (read, user) = verify(&sealed(), &Seal::good().token()).unwrap();
    assert_eq!((read, user), (Claims { expires_at: at(NOW + 60), ..claims() }, ada()));

    let ours = sealed().issue(&claims(), &ada()).unwrap();
    let parts: Vec<_> = ours.split('.').collect();
    let json = |part: &str| String::from_utf8(base64::to_vec(part).unwrap()).unwrap();
    assert_eq!(json(parts[0]), sealed_header(""));
    let nonce = base64::to_vec(parts[2]).unwrap().try_into().unwrap();
    let content = sealed().write(&claims(), None, &ada(), false).unwrap();
    assert_eq!(ours, Seal { nonce, claims: content, ..Seal::good() }.token());
}

#[test]
fn nothing_of_the_payload_shows() {
    let token = sealed().issue(&claims(), &ada()).unwrap();
    let decoded: Vec<u8> = token.split('.').skip(1).flat_map(|part| base64::to_vec(part).unwrap()).collect();
    let text = format!("{token}{}", String::from_utf8_lossy(&decoded));
    for secret in ["ada", "admin", "userId", "sid", "exp", &base64::encode("userId")] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[test]
fn its_type_is_accepted_with_and_without_application_and_in_any_case() {
    for typ in ["session+jwe", "application/session+jwe", "Session+JWE"] {
        let token = Seal::good().with(|seal| seal.header = seal.header.replace("session+jwe", typ)).token();
        assert!(verify(&sealed(), &token).is_ok(), "{typ}");
    }
}

#[test]
fn whatever_is_wrong_no_more_is_said_of_it() {
    let good = Seal::good().token();
    let header = |header: String| Seal::good().with(|seal| seal.header = header).token();
    let part = |at: usize, change: fn(&str) -> String| {
        let mut parts: Vec<_> = good.split('.').map(str::to_owned).collect();
        parts[at] = change(&parts[at]);
        parts.join(".")
    };
    let other = b"ffffffffffffffffffffffffffffffff";
    let typed = |typ: &str| header(sealed_header("").replace("session+jwe", typ));
    let info = |info: String| Seal::good().with(|seal| seal.info = info).token();
    for (what, token) in [
        ("another secret", Seal::good().with(|seal| seal.secret = other).token()),
        ("no key of that name", header(sealed_header("").replace(&ring().signing_kid(), "theirs"))),
        (
            "a key's name as a path",
            header(sealed_header("").replace(&ring().signing_kid(), "../../dev/null")),
        ),
        ("another realm", info("session-core sealed\0session+jwe\0__Host-admin".to_owned())),
        ("another purpose's key", info(format!("session-core sealed\0session-flow+jwe\0{REALM}"))),
        ("the secret itself", info(String::new())),
        ("a flow's type", typed("session-flow+jwe")),
        ("a record's type", typed("session-record+jwe")),
        ("a signed session's type", typed("session+jwt")),
        ("JWT", typed("JWT")),
        ("no type", header(sealed_header("").replace(r#""typ":"session+jwe","#, ""))),
        ("no key's name", header(r#"{"alg":"dir","enc":"A256GCM","typ":"session+jwe"}"#.to_owned())),
        ("compressed", header(sealed_header(r#","zip":"DEF""#))),
        ("crit", header(sealed_header(r#","crit":["exp"]"#))),
        ("crit of nothing", header(sealed_header(r#","crit":[]"#))),
        ("a key", header(sealed_header(r#","jwk":{"kty":"oct","k":"AAAA"}"#))),
        ("a key's address", header(sealed_header(r#","jku":"https://evil.example""#))),
        ("a nonce in the header", header(sealed_header(r#","iv":"AAAA""#))),
        ("a nested token's type", header(sealed_header(r#","cty":"JWT""#))),
        ("alg twice", header(sealed_header(r#","alg":"dir""#))),
        ("a header in a list", header(r#"["dir","A256GCM","session+jwe","x"]"#.to_owned())),
        ("alg A256GCMKW", header(sealed_header("").replace("\"dir\"", "\"A256GCMKW\""))),
        ("alg A256KW", header(sealed_header("").replace("\"dir\"", "\"A256KW\""))),
        ("alg RSA-OAEP", header(sealed_header("").replace("\"dir\"", "\"RSA-OAEP\""))),
        ("alg PBES2", header(sealed_header("").replace("\"dir\"", "\"PBES2-HS256+A128KW\""))),
        ("alg none", header(sealed_header("").replace("\"dir\"", "\"none\""))),
        ("alg DIR", header(sealed_header("").replace("\"dir\"", "\"DIR\""))),
        ("enc A128GCM", header(sealed_header("").replace("A256GCM", "A128GCM"))),
        ("enc A256CBC-HS512", header(sealed_header("").replace("A256GCM", "A256CBC-HS512"))),
        ("an encrypted key", Seal::good().with(|seal| seal.encrypted_key = "AAAA").token()),
        ("a short tag", part(4, |tag| tag[..16].to_owned())),
        ("no tag", part(4, |_| String::new())),
        ("a long tag", part(4, |tag| format!("{tag}AA"))),
        ("no content", part(3, |_| String::new())),
        ("less content", part(3, |content| content[..content.len() - 4].to_owned())),
        ("a short nonce", part(2, |nonce| nonce[..12].to_owned())),
        ("another nonce", part(2, |_| base64::encode([0; 12]))),
        ("padding", part(3, |content| format!("{content}="))),
        ("the standard alphabet", part(4, |_| "+/+/+/+/+/+/+/+/+/+/+A".to_owned())),
        ("no header", part(0, |_| String::new())),
        ("nothing but dots", "....".to_owned()),
        ("an escape in alg", header(sealed_header("").replace("\"dir\"", "\"\\u0064ir\""))),
    ] {
        does_not_open(what, &token);
    }
}

#[test]
fn flipping_any_bit_of_any_byte_is_refused() {
    let token = sealed().issue(&claims(), &ada()).unwrap();
    for at in 0..token.len() {
        for bit in 0..8 {
            let mut bytes = token.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let refused = sealed().verify::<User>(&bytes, now()).expect_err("flipped");
            assert_eq!((refused.kind, refused.claims), (ErrorKind::TokenInvalid, None), "{at}");
            // A dot that came or went makes it no sealed token, which its sender sees as well.
            let dots = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'.').count();
            let is_sealed = dots(&bytes) == 4;
            assert_eq!(refused.reason == "the token does not open", is_sealed, "{at}: {}", refused.reason);
        }
    }
}

/// The same bytes, sealed for each of the others by our own code.
#[test]
fn what_was_sealed_for_a_flow_a_flash_or_a_record_is_no_session() {
    for purpose in [Purpose::Flow, Purpose::Flash, Purpose::Record] {
        let content = good_claims().into_bytes();
        let token = Sealing::new(ring(), REALM).seal(purpose, &SystemRandom, content).unwrap();
        does_not_open(&format!("{purpose:?}"), &token);
    }
}

#[test]
fn two_realms_with_one_secret_do_not_open_each_others_tokens() {
    let admins = codec_of(ring(), TokenForm::Sealed).sealed_by(Arc::new(Sealing::new(ring(), "admins")));
    does_not_open("the admins' token", &admins.issue(&claims(), &ada()).unwrap());
    assert!(verify(&admins, &sealed().issue(&claims(), &ada()).unwrap()).is_err());
}

#[test]
fn other_numbers_of_parts_and_json_serialization_are_refused() {
    let token = Seal::good().token();
    let parts: Vec<_> = token.split('.').collect();
    for forged in [
        parts[..4].join("."),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{}", parts[4]),
        format!("{}.{}.{}", parts[0], parts[3], parts[4]),
        format!(
            r#"{{"protected":"{}","iv":"{}","ciphertext":"{}","tag":"{}"}}"#,
            parts[0], parts[2], parts[3], parts[4]
        ),
    ] {
        let refused = verify(&sealed(), &forged).expect_err(&forged);
        assert_eq!((refused.kind, refused.claims), (ErrorKind::TokenInvalid, None), "{forged}");
    }
}

#[test]
fn a_token_in_a_token_is_refused() {
    let signed = codec().issue(&claims(), &ada()).unwrap();
    let inner = Seal::good().token();
    for claims in [signed.clone(), inner.clone(), format!("{signed:?}"), format!(r#"{{"token":"{signed}"}}"#)]
    {
        assert_eq!(verify(&sealed(), &sealed_claims(claims)).unwrap_err().kind, ErrorKind::TokenInvalid);
    }
    assert_eq!(verify(&sealed(), &by_hand(our_header(), inner)).unwrap_err().kind, ErrorKind::TokenInvalid);
}

#[test]
fn a_token_over_the_length_limit_is_refused_and_never_made() {
    let with = |len: usize| sealed().issue(&claims(), &User { role: "r".repeat(len), ..ada() });
    let longest = (2000..4096).take_while(|len| with(*len).is_ok()).last().unwrap();
    let token = with(longest).unwrap();
    assert!(token.len() <= 4096 && token.len() > 4090, "{}", token.len());
    assert!(verify(&sealed(), &token).is_ok());
    assert!(matches!(with(longest + 1), Err(IssueError::TooLong(len)) if len > 4096));
    for long in
        [sealed_claims(claims_with("role", Some(&format!("{:?}", "r".repeat(4000))))), ".".repeat(1 << 20)]
    {
        let refused = verify(&sealed(), &long).unwrap_err();
        assert_eq!(refused.reason, "the token is longer than 4096 bytes");
    }
}

/// The same decisions about the same claims, with the same words.
#[test]
fn what_is_in_it_is_checked_as_in_a_typed_token() {
    let one_second = (NOW + LEEWAY + 1).to_string();
    let mut claims = vec![
        good_claims(),
        String::new(),
        "null".to_owned(),
        format!("[{}]", good_claims()),
        format!("{}x", good_claims()),
        good_claims().replacen('{', r#"{"sid":"MDEyMzQ1Njc4OWFiY2RlZmdo","#, 1),
        good_claims().replacen('{', r#"{"userId":"eve","#, 1),
        good_claims().replacen('{', r#"{"act":{"sub":"x"},"#, 1),
        claims_with("gen", Some("3")),
        claims_with("role", None),
        claims_with("exp", Some("1")),
        claims_with("ends_by", Some("1800000030")),
        claims_with("acr", Some("\"2\"")),
        claims_with("aud", Some("\"__Host-admin\"")),
        claims_with("aud", Some("[\"__Host-session\"]")),
        claims_with("sid", Some("\"short\"")),
    ];
    for claim in ["exp", "iat", "auth_time", "sid", "aud"] {
        claims.push(claims_with(claim, None));
    }
    for claim in ["exp", "iat", "auth_time", "nbf"] {
        for value in ["\"1800000000\"", "1800000000.0", "-1", "1e400", "null", "253402300800", &one_second] {
            claims.push(claims_with(claim, Some(value)));
        }
    }
    for claims in claims {
        let (hidden, shown) = (sealed_claims(&*claims), by_hand(our_header(), &claims));
        for codec in [sealed(), codec()] {
            assert_eq!(verify(&codec, &hidden), verify(&codec, &shown), "{claims}");
            let reference = |token: &str| codec.verify_reference(token.as_bytes(), now());
            assert_eq!(reference(&hidden), reference(&shown), "{claims}");
        }
    }
    assert!(verify(&sealed(), &sealed_claims(*b"\xff\xfe")).is_err());
}

#[test]
fn an_issuer_is_checked_when_configured() {
    let long = Duration::from_secs(100_000);
    let issuer = Some("https://issuer".to_owned());
    let codec = Codec::new(ring(), REALM.to_owned(), issuer, TokenForm::Sealed, long, long)
        .sealed_by(Arc::new(Sealing::new(ring(), REALM)));
    assert!(verify(&codec, &Seal::good().token()).is_err());
    assert!(verify(&codec, &sealed_claims(claims_with("iss", Some("\"https://issuer\"")))).is_ok());
}

#[test]
fn typed_and_sealed_tokens_are_read_in_every_form_so_that_moving_logs_nobody_out() {
    for writes in [sealed(), codec()] {
        let token = writes.issue(&claims(), &ada()).unwrap();
        for reads in [sealed(), codec(), plain()] {
            assert_eq!(verify(&reads, &token).unwrap(), (claims(), ada()));
        }
    }
    assert!(
        verify(&sealed(), &plain().issue(&claims(), &ada()).unwrap()).is_err(),
        "only where it is asked for"
    );
}

#[test]
fn without_keys_that_seal_a_sealed_token_is_none() {
    let codec = Codec { sealing: None, ..codec() };
    let refused = verify(&codec, &Seal::good().token()).unwrap_err();
    assert_eq!(refused.reason, "the token does not have three parts");
    assert!(matches!(Codec { sealing: None, ..sealed() }.issue(&claims(), &ada()), Err(IssueError::Signing)));
}

#[test]
fn every_key_of_the_ring_opens_until_it_is_retired() {
    let codec = sealed();
    let (old, token) = (codec.ring.signing_kid(), codec.issue(&claims(), &ada()).unwrap());
    codec.ring.add(crate::Key::hs512([9; 64]).unwrap().with_kid("next").unwrap()).unwrap();
    codec.ring.promote("next").unwrap();
    let next = codec.issue(&claims(), &ada()).unwrap();
    assert!(verify(&codec, &token).is_ok() && verify(&codec, &next).is_ok());
    codec.ring.retire(&old).unwrap();
    assert_eq!(verify(&codec, &token).unwrap_err().reason, "the token does not open");
    assert!(verify(&codec, &next).is_ok());
}

#[test]
fn references_are_never_sealed() {
    let token = sealed().issue_reference(&reference(7)).unwrap();
    assert_eq!(token, codec().issue_reference(&reference(7)).unwrap());
    assert_eq!(sealed().verify_reference(token.as_bytes(), now()), Ok(reference(7)));
}

#[test]
fn no_nonce_comes_twice_and_without_one_nothing_is_sealed() {
    struct Empty;
    impl RandomSource for Empty {
        fn fill(&self, _: &mut [u8]) -> std::io::Result<()> {
            Err(std::io::Error::other("empty"))
        }
    }
    let nonces =
        (0..10_000).map(|_| sealed().issue(&claims(), &ada()).unwrap().split('.').nth(2).unwrap().to_owned());
    assert_eq!(nonces.collect::<std::collections::BTreeSet<_>>().len(), 10_000);
    assert!(matches!(sealed().seal(b"{}".to_vec(), &Empty), Err(IssueError::Randomness(_))));
}

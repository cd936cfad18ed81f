//! Ed25519, P-256 and RSA. The keys in `keys` were made for these tests by the commands in the documentation.

use super::*;
use crate::token::{Key, SigningAlgorithm};

const ED25519: &str = include_str!("keys/ed25519.pem");
const ED25519_PUBLIC: &str = include_str!("keys/ed25519.pub.pem");
const P256: &str = include_str!("keys/p256.pem");
const P256_PUBLIC: &str = include_str!("keys/p256.pub.pem");
const P384: &str = include_str!("keys/p384.pem");
const P384_PUBLIC: &str = include_str!("keys/p384.pub.pem");
const P256_SEC1: &str = include_str!("keys/p256.sec1.pem");
const RSA: &str = include_str!("keys/rsa2048.pem");
const RSA_PUBLIC: &str = include_str!("keys/rsa2048.pub.pem");
const RSA_1024: &str = include_str!("keys/rsa1024.pem");
const RSA_1024_PUBLIC: &str = include_str!("keys/rsa1024.pub.pem");

/// RFC 8037 appendix A.1.
const OKP: &str = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
/// RFC 7515 appendix A.3.1.
const EC: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;
/// RFC 7515 appendix A.2.1, its public part.
const RSA_JWK: &str = r#"{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#;

#[derive(Debug)]
struct Case {
    algorithm: SigningAlgorithm,
    private: &'static str,
    public: &'static str,
    read: fn(&str) -> Result<Key, crate::ConfigError>,
    read_public: fn(&str) -> Result<Key, crate::ConfigError>,
}

fn cases() -> [Case; 3] {
    [
        Case {
            algorithm: SigningAlgorithm::EdDsa,
            private: ED25519,
            public: ED25519_PUBLIC,
            read: |pem| Key::ed25519_pem(pem),
            read_public: |pem| Key::ed25519_public_pem(pem),
        },
        Case {
            algorithm: SigningAlgorithm::Es256,
            private: P256,
            public: P256_PUBLIC,
            read: |pem| Key::es256_pem(pem),
            read_public: |pem| Key::es256_public_pem(pem),
        },
        Case {
            algorithm: SigningAlgorithm::Rs256,
            private: RSA,
            public: RSA_PUBLIC,
            read: |pem| Key::rs256_pem(pem),
            read_public: |pem| Key::rs256_public_pem(pem),
        },
    ]
}

fn codec_with(key: Key) -> Codec {
    codec_of(KeyRing::new(key).unwrap(), TokenForm::Typed)
}

/// A codec that can only verify with `key`: another key signs.
fn reader_with(key: Key) -> Codec {
    let codec = codec_with(Key::from_jwk(OKP).unwrap());
    codec.ring.add(key).unwrap();
    codec
}

#[test]
fn a_private_key_signs_and_its_public_half_verifies_under_the_same_name() {
    for case in cases() {
        let (private, public) =
            ((case.read)(case.private).unwrap(), (case.read_public)(case.public).unwrap());
        assert_eq!((private.algorithm(), public.algorithm()), (case.algorithm, case.algorithm));
        assert_eq!(private.kid(), public.kid());
        assert!(private.can_sign() && !public.can_sign());

        let (writer, reader) = (codec_with(private), reader_with(public));
        let token = writer.issue(&claims(), &ada()).unwrap();
        assert_eq!(token, writer.issue(&claims(), &ada()).unwrap(), "deterministic");
        for codec in [&writer, &reader] {
            assert_eq!(verify(codec, &token).unwrap(), (claims(), ada()));
        }
        let token = writer.issue_reference(&reference(3)).unwrap();
        assert_eq!(reader.verify_reference(token.as_bytes(), now()), Ok(reference(3)));
    }
}

#[test]
fn flipping_any_byte_is_refused() {
    for case in cases() {
        let (writer, reader) = (
            codec_with((case.read)(case.private).unwrap()),
            reader_with((case.read_public)(case.public).unwrap()),
        );
        let token = writer.issue(&claims(), &ada()).unwrap();
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] ^= 1;
            assert!(reader.verify::<User>(&bytes, now()).is_err(), "{} {at}", case.algorithm);
        }
    }
}

#[test]
fn hmac_with_the_public_key_as_the_secret_is_refused() {
    let reader = reader_with(Key::rs256_public_pem(RSA_PUBLIC).unwrap());
    let kid = Key::rs256_public_pem(RSA_PUBLIC).unwrap().kid().to_owned();
    for alg in ["HS256", "RS256", "none"] {
        let signed = format!(
            "{}.{}",
            base64::encode(format!(r#"{{"alg":"{alg}","typ":"session+jwt","kid":"{kid}"}}"#)),
            base64::encode(good_claims())
        );
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(RSA_PUBLIC.as_bytes()).unwrap();
        mac.update(signed.as_bytes());
        let token = format!("{signed}.{}", base64::encode(mac.finalize().into_bytes()));
        assert!(verify(&reader, &token).is_err(), "{alg}");
    }
}

#[test]
fn a_public_key_neither_signs_nor_is_promoted() {
    for case in cases() {
        let public = || (case.read_public)(case.public).unwrap();
        assert!(KeyRing::new(public()).unwrap_err().to_string().contains("cannot sign"));
        let ring = KeyRing::new(Key::from_jwk(OKP).unwrap()).unwrap();
        let kid = public().kid().to_owned();
        ring.add(public()).unwrap();
        assert!(ring.promote(&kid).is_err());
        assert_ne!(ring.signing_kid(), kid);
    }
}

#[test]
fn a_ring_that_mixes_symmetric_and_asymmetric_keys_is_refused() {
    for case in cases() {
        let ring = super::ring();
        assert!(ring.add((case.read_public)(case.public).unwrap()).is_err());
        let ring = KeyRing::new((case.read)(case.private).unwrap()).unwrap();
        assert!(ring.add(Key::hs256(SECRET).unwrap()).unwrap_err().to_string().contains("mix"));
        assert_eq!(ring.kids().len(), 1);
    }
}

#[test]
fn pems_of_another_kind_are_refused() {
    for case in cases() {
        for other in cases() {
            assert_eq!((case.read)(other.private).is_ok(), case.algorithm == other.algorithm);
            assert_eq!((case.read_public)(other.public).is_ok(), case.algorithm == other.algorithm);
            assert!((case.read)(other.public).is_err());
            assert!((case.read_public)(other.private).is_err());
        }
        for bad in ["", "x", P384, P384_PUBLIC, P256_SEC1, &case.private[..60], &case.public[..60]] {
            assert!((case.read)(bad).is_err());
            assert!((case.read_public)(bad).is_err());
        }
    }
}

#[test]
fn rsa_below_2048_bits_is_refused() {
    for result in [Key::rs256_pem(RSA_1024), Key::rs256_public_pem(RSA_1024_PUBLIC)] {
        assert!(result.unwrap_err().to_string().contains("1024"));
    }
}

#[test]
fn jwks_give_keys_that_verify_and_with_d_keys_that_sign() {
    for (jwk, algorithm) in [(OKP, SigningAlgorithm::EdDsa), (EC, SigningAlgorithm::Es256)] {
        let pair = Key::from_jwk(jwk).unwrap();
        let public = Key::from_jwk(&jwk.replace("\"d\"", "\"ignored\"")).unwrap();
        assert_eq!((pair.algorithm(), public.algorithm()), (algorithm, algorithm));
        assert!(pair.can_sign() && !public.can_sign());
        assert_eq!(pair.kid(), public.kid());
        let token = codec_with(pair).issue(&claims(), &ada()).unwrap();
        let reader = codec_with(Key::ed25519_pem(ED25519).unwrap());
        reader.ring.add(public).unwrap();
        assert!(verify(&reader, &token).is_ok());
    }
    assert!(!Key::from_jwk(RSA_JWK).unwrap().can_sign());
}

#[test]
fn a_pem_and_a_jwk_of_one_key_have_one_name() {
    let der = base64_simd::STANDARD.decode_to_vec(ED25519_PUBLIC.lines().nth(1).unwrap()).unwrap();
    let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, base64::encode(&der[12..]));
    assert_eq!(Key::from_jwk(&jwk).unwrap().kid(), Key::ed25519_pem(ED25519).unwrap().kid());
}

#[test]
fn jwks_that_contradict_themselves_are_refused() {
    let with = |jwk: &str, member: &str| jwk.replacen('{', &format!("{{{member},"), 1);
    for (jwk, own) in [(OKP, "EdDSA"), (EC, "ES256"), (RSA_JWK, "RS256")] {
        assert!(Key::from_jwk(&with(jwk, &format!(r#""alg":"{own}""#))).is_ok(), "{own}");
        for alg in ["HS256", "none", "PS256", "ES384", ""] {
            assert!(Key::from_jwk(&with(jwk, &format!(r#""alg":"{alg}""#))).is_err(), "{alg}");
        }
        assert!(Key::from_jwk(&with(jwk, r#""use":"enc""#)).is_err());
        assert!(Key::from_jwk(&with(jwk, r#""key_ops":["encrypt"]"#)).is_err());
        assert!(Key::from_jwk(&with(jwk, r#""kid":"""#)).is_err());
        let good = with(jwk, r#""use":"sig","key_ops":["verify"],"kid":"named","x5t":"abc""#);
        assert_eq!(Key::from_jwk(&good).unwrap().kid(), "named");
    }
    let private = RSA_JWK.replace("\"e\"", r#""d":"AQAB","e""#);
    assert!(Key::from_jwk(&private).unwrap_err().to_string().contains("PEM"));
    for (jwk, from, to) in [
        (OKP, "Ed25519", "X25519"),
        (OKP, "11qY", "22qY"),
        (OKP, "nWGx", "nWG"),
        (OKP, "OKP", "EC"),
        (EC, "P-256", "P-384"),
        (EC, "f83O", "f83P"),
        (EC, "jpsQ", "jpsR"),
        (EC, "\"y\"", "\"z\""),
        (RSA_JWK, "AQAB", "AQ=="),
        (RSA_JWK, "RSA", "oct"),
    ] {
        assert!(Key::from_jwk(&jwk.replacen(from, to, 1)).is_err(), "{from} {to}");
    }
}

/// The eight points whose order divides eight, and spellings of theirs that are not canonical (RFC 8032 section 5.1.3).
#[test]
fn ed25519_points_of_small_order_are_refused() {
    let ends = |first: u8, rest: u8, last: u8| {
        let mut point = [rest; 32];
        (point[0], point[31]) = (first, last);
        base64::encode(point)
    };
    let eighth = |hex: &str| {
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let mut point: Vec<u8> = (0..64).step_by(2).map(byte).collect();
        let plus = base64::encode(&point);
        point[31] |= 0x80;
        [plus, base64::encode(&point)]
    };
    let points = [
        ends(1, 0, 0),
        ends(0, 0, 0),
        ends(0, 0, 0x80),
        ends(0xec, 0xff, 0x7f),
        ends(0xed, 0xff, 0x7f),
        ends(0xed, 0xff, 0xff),
        ends(0xee, 0xff, 0x7f),
    ];
    let eighths = [
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ]
    .map(eighth);
    for x in points.iter().chain(eighths.as_flattened()) {
        let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
        let error = Key::from_jwk(&jwk).expect_err("anybody can sign for it").to_string();
        assert!(error.contains("small order"), "{error}");
    }
}

#[test]
fn rsa_keys_that_protect_nothing_are_refused() {
    let key = |last: u8, e: &[u8]| {
        let mut n = [0x5a; 256];
        (n[0], n[255]) = (0xc5, last);
        let (n, e) = (base64::encode(n), base64::encode(e));
        Key::from_jwk(&format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#))
    };
    for good in [&[1, 0, 1][..], &[3], &[0, 0, 1, 0, 1], &[1, 0xff, 0xff, 0xff, 0xff]] {
        assert!(key(0x5b, good).is_ok(), "{good:?}");
    }
    for bad in [&[][..], &[0], &[1], &[0, 1], &[2], &[1, 0, 0], &[2, 0, 0, 0, 1], &[1, 0, 0, 0, 0, 1]] {
        assert!(key(0x5b, bad).unwrap_err().to_string().contains("exponent"), "{bad:?}");
    }
    assert!(key(0x5a, &[1, 0, 1]).unwrap_err().to_string().contains("even"));
}

/// A token whose signature is wrong costs one check of each key that it could be of.
#[test]
fn after_four_wrong_signatures_of_a_request_no_more_are_checked() {
    for case in cases() {
        let codec = codec_with((case.read)(case.private).unwrap());
        let good = codec.issue(&claims(), &ada()).unwrap();
        let bad = codec.issue(&Claims { expires_at: now(), ..claims() }, &ada()).unwrap();
        let (signed, _) = bad.rsplit_once('.').unwrap();
        let bad = format!("{signed}.{}", good.rsplit_once('.').unwrap().1);
        let read = |token: &str, tries: &Tries| {
            codec
                .verify_with::<User>(token.as_bytes(), now(), tries, |_| None)
                .map(drop)
                .map_err(|refused| refused.reason)
        };
        let tries = Tries::new();
        for _ in 0..3 {
            assert_eq!(read(&bad, &tries), Err("the signature does not verify"));
        }
        for _ in 0..20 {
            assert_eq!(read(&good, &tries), Ok(()), "good ones are not counted");
        }
        assert!(read(&bad, &tries).is_err());
        assert_eq!(read(&good, &tries), Err("the request has brought too many wrong signatures"));
    }
}

#[test]
fn a_plain_token_costs_four_checks_however_many_keys_there_are() {
    let codec = super::codec_of(KeyRing::new(Key::ed25519_pem(ED25519).unwrap()).unwrap(), TokenForm::Plain);
    for n in 0..6 {
        codec
            .ring
            .add(Key::ed25519_public_pem(ED25519_PUBLIC).unwrap().with_kid(n.to_string()).unwrap())
            .unwrap();
    }
    let bad = format!(
        "{}.{}.{}",
        base64::encode(r#"{"alg":"EdDSA"}"#),
        base64::encode("{}"),
        base64::encode([7; 64])
    );
    let good = codec.issue(&claims(), &ada()).unwrap();
    let tries = Tries::new();
    assert!(codec.verify_with::<User>(bad.as_bytes(), now(), &tries, |_| None).is_err());
    assert!(
        codec.verify_with::<User>(good.as_bytes(), now(), &tries, |_| None).is_err(),
        "the first token used them up"
    );
}

//! What we write `jsonwebtoken` reads, and the other way round, with every algorithm and in both forms.

use ::jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde_json::{Value, json};

use super::*;
use crate::token::Key;

/// Long enough for HS512.
const LONG: &[u8; 64] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const FORMS: [TokenForm; 2] = [TokenForm::Typed, TokenForm::Plain];

struct Peer {
    algorithm: Algorithm,
    encoding: EncodingKey,
    decoding: DecodingKey,
    ours: fn() -> Key,
}

impl Peer {
    fn hmac(algorithm: Algorithm, ours: fn() -> Key) -> Self {
        let (encoding, decoding) = (EncodingKey::from_secret(LONG), DecodingKey::from_secret(LONG));
        Self { algorithm, encoding, decoding, ours }
    }

    fn codec(&self, form: TokenForm) -> Codec {
        codec_of(KeyRing::new((self.ours)()).unwrap(), form)
    }

    /// Time is not theirs to judge here.
    fn read(&self, token: &str) -> Result<(Header, Value), ::jsonwebtoken::errors::Error> {
        let mut validation = Validation::new(self.algorithm);
        validation.validate_exp = false;
        validation.set_audience(&["__Host-session"]);
        decode(token, &self.decoding, &validation).map(|read| (read.header, read.claims))
    }

    fn write(&self, form: TokenForm) -> String {
        let claims: Value = serde_json::from_str(&good_claims()).unwrap();
        encode(&self.header(form), &claims, &self.encoding).unwrap()
    }

    fn header(&self, form: TokenForm) -> Header {
        let (typ, kid) = match form {
            TokenForm::Typed => (Some("session+jwt".to_owned()), Some((self.ours)().kid().to_owned())),
            TokenForm::Plain => (None, None),
            TokenForm::Sealed => unreachable!("a JWS is not sealed"),
        };
        Header { typ, kid, ..Header::new(self.algorithm) }
    }
}

fn peers() -> Vec<Peer> {
    let symmetric = [
        Peer::hmac(Algorithm::HS256, || Key::hs256(LONG).unwrap()),
        Peer::hmac(Algorithm::HS384, || Key::hs384(LONG).unwrap()),
        Peer::hmac(Algorithm::HS512, || Key::hs512(LONG).unwrap()),
    ];
    symmetric.into_iter().chain(pairs()).collect()
}

#[cfg(not(feature = "asymmetric"))]
fn pairs() -> [Peer; 0] {
    []
}

#[cfg(feature = "asymmetric")]
fn pairs() -> [Peer; 3] {
    const ED25519: &[u8] = include_bytes!("keys/ed25519.pem");
    const P256: &[u8] = include_bytes!("keys/p256.pem");
    const RSA: &[u8] = include_bytes!("keys/rsa2048.pem");
    [
        Peer {
            algorithm: Algorithm::EdDSA,
            encoding: EncodingKey::from_ed_pem(ED25519).unwrap(),
            decoding: DecodingKey::from_ed_pem(include_bytes!("keys/ed25519.pub.pem")).unwrap(),
            ours: || Key::ed25519_pem(ED25519).unwrap(),
        },
        Peer {
            algorithm: Algorithm::ES256,
            encoding: EncodingKey::from_ec_pem(P256).unwrap(),
            decoding: DecodingKey::from_ec_pem(include_bytes!("keys/p256.pub.pem")).unwrap(),
            ours: || Key::es256_pem(P256).unwrap(),
        },
        Peer {
            algorithm: Algorithm::RS256,
            encoding: EncodingKey::from_rsa_pem(RSA).unwrap(),
            decoding: DecodingKey::from_rsa_pem(include_bytes!("keys/rsa2048.pub.pem")).unwrap(),
            ours: || Key::rs256_pem(RSA).unwrap(),
        },
    ]
}

/// The token with one bit of its signature changed.
fn changed(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut signature = base64::to_vec(signature).unwrap();
    signature[7] ^= 1;
    format!("{signed}.{}", base64::encode(signature))
}

#[test]
fn it_reads_what_we_write() {
    for peer in peers() {
        for form in FORMS {
            let token = peer.codec(form).issue(&claims(), &ada()).unwrap();
            let (header, read) = peer.read(&token).unwrap();
            assert_eq!(header, peer.header(form));
            assert_eq!((&read["userId"], &read["iat"]), (&json!("ada"), &json!(NOW)));
        }
    }
}

#[test]
fn we_read_what_it_writes() {
    for peer in peers() {
        for form in FORMS {
            let (claims, user) = verify(&peer.codec(form), &peer.write(form)).unwrap();
            assert_eq!((claims.issued_at, user), (now(), ada()), "{:?} {form:?}", peer.algorithm);
        }
    }
}

#[test]
fn both_write_the_same_header() {
    for peer in peers() {
        for form in FORMS {
            let ours = peer.codec(form).issue(&claims(), &ada()).unwrap();
            let theirs = peer.write(form);
            assert_eq!(ours.split('.').next(), theirs.split('.').next());
        }
    }
}

#[test]
fn both_refuse_a_changed_signature() {
    for peer in peers() {
        for form in FORMS {
            let ours = peer.codec(form).issue(&claims(), &ada()).unwrap();
            for token in [ours, peer.write(form)] {
                assert!(peer.read(&token).is_ok() && verify(&peer.codec(form), &token).is_ok());
                let token = changed(&token);
                assert!(peer.read(&token).is_err(), "{:?} {form:?}", peer.algorithm);
                assert!(verify(&peer.codec(form), &token).is_err(), "{:?} {form:?}", peer.algorithm);
            }
        }
    }
}

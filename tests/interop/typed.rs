//! The default form: `jose` reads our tokens as JWS, and can be told to check what sets them apart.

use serde_json::{Value, json};
use session_core::{Clock as _, ConfigError, ErrorKind, Key, KeyRing};

use super::{COOKIE, DAY, Jose, members, open, present, secret_keys, token_of, zoe, zoe_in_json};
use crate::harness::World;

/// What an application should ask of a token of ours.
fn strictly(alg: &str) -> Value {
    json!({
        "algorithms": [alg],
        "typ": "session+jwt",
        "audience": COOKIE,
        "requiredClaims": ["sid", "iat", "exp", "auth_time"],
    })
}

/// The same, but for one thing.
fn but(alg: &str, name: &str, value: Value) -> Value {
    let mut options = strictly(alg);
    options[name] = value;
    options
}

async fn token_by(world: &World, ring: KeyRing) -> String {
    token_of(&members(world, ring).build().unwrap(), zoe()).await
}

#[track_caller]
fn assert_is_zoe(claims: &Value) {
    for (name, value) in zoe_in_json().as_object().unwrap() {
        assert_eq!(&claims[name], value, "{name}");
    }
}

const CLAIM: Option<&str> = Some("ERR_JWT_CLAIM_VALIDATION_FAILED");
const ALGORITHM: Option<&str> = Some("ERR_JOSE_ALG_NOT_ALLOWED");
const SIGNATURE: Option<&str> = Some("ERR_JWS_SIGNATURE_VERIFICATION_FAILED");

#[tokio::test]
async fn symmetric_tokens_are_read_with_their_type_and_audience() {
    let Some(jose) = Jose::find() else { return };
    let secret = "sixty-four bytes and more, which is what a key for HS512 has to have";
    let jose = jose.with_secret(secret);
    let world = present();
    for key in [Key::hs256(secret), Key::hs384(secret), Key::hs512(secret)] {
        let key = key.unwrap();
        let (alg, kid) = (key.algorithm().name(), key.kid().to_owned());
        let token = token_by(&world, KeyRing::new(key).unwrap()).await;
        let reading = jose.read_with(&token, strictly(alg)).accepted();
        assert_eq!(reading.header, json!({ "alg": alg, "typ": "session+jwt", "kid": kid }));
        assert_is_zoe(&reading.claims);
        for (name, value, code) in [
            ("audience", json!("__Host-admin"), CLAIM),
            ("typ", json!("JWT"), CLAIM),
            ("algorithms", json!(["RS256"]), ALGORITHM),
        ] {
            let reading = jose.read_with(&token, but(alg, name, value));
            assert_eq!(reading.refused.as_deref(), code, "{alg} {name}");
        }
    }
}

/// A key from a PEM.
type FromPem = fn(&str) -> Result<Key, ConfigError>;

async fn is_read_by_public_key(alg: &str, private: FromPem, public: FromPem, signs_from_jwk: bool) {
    let Some(jose) = Jose::find() else { return };
    let world = present();
    let pair = jose.key_pair(alg);
    let key = private(&pair.private_pem).unwrap();
    let kid = key.kid().to_owned();
    let mut rings = vec![KeyRing::new(key).unwrap()];

    // The same key from its other spellings, so that the names agree on every node.
    let public_jwk = Key::from_jwk(&pair.public_jwk.to_string()).unwrap();
    let public_pem = public(&pair.public_pem).unwrap();
    assert_eq!((public_jwk.kid(), public_pem.kid()), (kid.as_str(), kid.as_str()));
    assert!(!public_jwk.can_sign() && !public_pem.can_sign());
    let private_jwk = Key::from_jwk(&pair.private_jwk.to_string());
    assert_eq!(private_jwk.as_ref().is_ok_and(Key::can_sign), signs_from_jwk);
    rings.extend(private_jwk.ok().map(|key| KeyRing::new(key).unwrap()));

    let others = jose.key_pair(alg);
    for ring in rings {
        let token = token_by(&world, ring).await;
        let reading = jose.read_by(&pair.public_pem, &token, strictly(alg)).accepted();
        assert_eq!(reading.header, json!({ "alg": alg, "typ": "session+jwt", "kid": kid }));
        assert_is_zoe(&reading.claims);
        let elsewhere = jose.read_by(&pair.public_pem, &token, but(alg, "audience", json!("__Host-admin")));
        assert_eq!(elsewhere.refused.as_deref(), CLAIM);
        let by_others = jose.read_by(&others.public_pem, &token, strictly(alg));
        assert_eq!(by_others.refused.as_deref(), SIGNATURE);
    }
}

#[tokio::test]
async fn eddsa_tokens_are_read_by_public_key() {
    is_read_by_public_key("EdDSA", |pem| Key::ed25519_pem(pem), |pem| Key::ed25519_public_pem(pem), true)
        .await;
}

#[tokio::test]
async fn es256_tokens_are_read_by_public_key() {
    is_read_by_public_key("ES256", |pem| Key::es256_pem(pem), |pem| Key::es256_public_pem(pem), true).await;
}

/// Private RSA keys come as PEM only.
#[tokio::test]
async fn rs256_tokens_are_read_by_public_key() {
    is_read_by_public_key("RS256", |pem| Key::rs256_pem(pem), |pem| Key::rs256_public_pem(pem), false).await;
}

/// `jose` looks at `typ` and `aud` only when asked, and passes over a `kid` that it does not use.
#[tokio::test]
async fn a_reader_that_asks_for_nothing_takes_typed_tokens_of_the_same_secret() {
    let Some(jose) = Jose::find() else { return };
    let world = present();
    let token = token_by(&world, secret_keys()).await;
    assert_is_zoe(&jose.read(&token).accepted().claims);

    let others = jose.with_secret("another secret, which is thirty-two bytes or more");
    assert_eq!(others.read(&token).refused.as_deref(), SIGNATURE);
    let hs512 = Key::hs512("sixty-four bytes and more, which is what a key for HS512 has to have").unwrap();
    let token = token_by(&world, KeyRing::new(hs512).unwrap()).await;
    assert_eq!(jose.read(&token).refused.as_deref(), ALGORITHM);
}

/// A tracked session's token is well signed and has no user in it: a reader has to look for one.
#[tokio::test]
async fn a_reader_that_asks_for_nothing_takes_a_reference_and_finds_no_user_in_it() {
    let Some(jose) = Jose::find() else { return };
    let world = present();
    let tracked = members(&world, secret_keys()).store(world.store.clone()).build().unwrap();
    let token = token_of(&tracked, zoe()).await;
    let claims = jose.read(&token).accepted().claims;
    let names: Vec<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["aud", "auth_time", "exp", "gen", "iat", "sid"]);
    let reading = jose.read_with(&token, json!({ "requiredClaims": ["userId"] }));
    assert_eq!(reading.refused.as_deref(), CLAIM);
}

/// The default form needs nothing of ours: any JWS library writes it, with the name of the key in its header.
#[tokio::test]
async fn jose_can_write_the_typed_form() {
    let Some(jose) = Jose::find() else { return };
    let world = present();
    let sessions = members(&world, secret_keys()).build().unwrap();
    let now = world.clock.now().unix_seconds();
    let mut claims = zoe_in_json();
    claims["sid"] = json!("AAECAwQFBgcICQoLDA0ODxAR");
    claims["aud"] = json!(COOKIE);
    for (name, time) in [("iat", now), ("auth_time", now), ("exp", now + DAY)] {
        claims[name] = json!(time);
    }
    let kid = sessions.keys().signing_kid();
    let token = jose.sign(json!({ "alg": "HS256", "typ": "session+jwt", "kid": kid }), &claims);
    assert_eq!(*open(&sessions, &token).await.unwrap().user().unwrap(), zoe());
    let nameless = jose.sign(json!({ "alg": "HS256", "typ": "session+jwt" }), &claims);
    assert_eq!(open(&sessions, &nameless).await.unwrap_err().kind(), ErrorKind::TokenInvalid);
}

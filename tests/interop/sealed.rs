//! The sealed form: `jose` opens what we sealed and seals what we open, with a key that it derives itself.

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use session_core::store::{Account, SessionStore as _};
use session_core::{Clock as _, ErrorKind, Key, KeyRing, SessionManager, TokenForm};

use super::{
    COOKIE, DAY, Jose, Member, members, open, present, refusal, secret_keys, token_of, zoe, zoe_in_json,
};
use crate::harness::World;

const TYP: &str = "session+jwe";

fn sealed_members(world: &World, keys: KeyRing) -> SessionManager<Member> {
    members(world, keys).token_form(TokenForm::Sealed).build().unwrap()
}

fn header(kid: &str) -> Value {
    json!({ "alg": "dir", "enc": "A256GCM", "typ": TYP, "kid": kid })
}

/// A good login, with changes; null takes a claim away.
fn claims(now: i64, changes: Value) -> Value {
    let mut claims = zoe_in_json();
    claims["sid"] = json!("AAECAwQFBgcICQoLDA0ODxAR");
    claims["aud"] = json!(COOKIE);
    for (name, time) in [("iat", now), ("auth_time", now), ("exp", now + DAY)] {
        claims[name] = json!(time);
    }
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

/// For keys of every length, of which each is the input of the derivation.
#[tokio::test]
async fn jose_opens_what_we_sealed() {
    let Some(jose) = Jose::find() else { return };
    let secret = "sixty-four bytes and more, which is what a key for HS512 has to have";
    let jose = jose.with_secret(secret);
    let world = present();
    for key in [Key::hs256(secret), Key::hs384(secret), Key::hs512(secret)] {
        let key = key.unwrap();
        let kid = key.kid().to_owned();
        let token = token_of(&sealed_members(&world, KeyRing::new(key).unwrap()), zoe()).await;
        let strictly =
            json!({ "typ": TYP, "audience": COOKIE, "requiredClaims": ["sid", "iat", "exp", "auth_time"] });
        let reading = jose.open(&token, COOKIE, strictly).accepted();
        assert_eq!(reading.header, header(&kid));
        for (name, value) in zoe_in_json().as_object().unwrap() {
            assert_eq!(&reading.claims[name], value, "{name}");
        }
        assert_eq!(reading.claims["exp"], json!(world.clock.now().unix_seconds() + DAY));
        let elsewhere = jose.open(&token, "__Host-admin", json!({}));
        assert_eq!(
            elsewhere.refused.as_deref(),
            Some("ERR_JWE_DECRYPTION_FAILED"),
            "another realm has another key"
        );
        let signed = jose.read(&token);
        assert_eq!(signed.refused.as_deref(), Some("ERR_JWS_INVALID"));
    }
}

#[tokio::test]
async fn we_open_what_jose_sealed_and_nothing_else() {
    let Some(jose) = Jose::find() else { return };
    let world = present();
    let sessions = sealed_members(&world, secret_keys());
    let (kid, now) = (sessions.keys().signing_kid(), world.clock.now().unix_seconds());
    let good = claims(now, json!({}));
    let token = jose.seal(header(&kid), &good, TYP, COOKIE);
    assert_eq!(*open(&sessions, &token).await.unwrap().user().unwrap(), zoe());
    let typed = members(&world, secret_keys()).build().unwrap();
    assert_eq!(
        *open(&typed, &token).await.unwrap().user().unwrap(),
        zoe(),
        "on a node that has not moved yet"
    );

    let others = jose.with_secret("another secret, which is thirty-two bytes or more");
    let with = |name: &str, value: Value| {
        let mut header = header(&kid);
        header[name] = value;
        header.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        jose.seal(header, &good, TYP, COOKIE)
    };
    let sealed = |changes| jose.seal(header(&kid), &claims(now, changes), TYP, COOKIE);
    for (what, token, kind) in [
        ("another secret", others.seal(header(&kid), &good, TYP, COOKIE), ErrorKind::TokenInvalid),
        ("another realm", jose.seal(header(&kid), &good, TYP, "__Host-admin"), ErrorKind::TokenInvalid),
        ("a flow's key", jose.seal(header(&kid), &good, "session-flow+jwe", COOKIE), ErrorKind::TokenInvalid),
        ("a key of theirs", with("kid", json!("theirs")), ErrorKind::TokenInvalid),
        ("no key's name", with("kid", Value::Null), ErrorKind::TokenInvalid),
        ("no type", with("typ", Value::Null), ErrorKind::TokenInvalid),
        ("another type", with("typ", json!("JWT")), ErrorKind::TokenInvalid),
        ("a content type", with("cty", json!("JWT")), ErrorKind::TokenInvalid),
        ("a copy of the subject", with("sub", json!("zoe")), ErrorKind::TokenInvalid),
        ("another audience", sealed(json!({ "aud": "__Host-admin" })), ErrorKind::TokenInvalid),
        ("no sid", sealed(json!({ "sid": null })), ErrorKind::TokenInvalid),
        ("no exp", sealed(json!({ "exp": null })), ErrorKind::TokenInvalid),
        ("from the future", sealed(json!({ "iat": now + 3600 })), ErrorKind::TokenInvalid),
        (
            "expired",
            sealed(json!({ "iat": now - DAY, "auth_time": now - DAY, "exp": now })),
            ErrorKind::Expired,
        ),
        ("a reference", sealed(json!({ "gen": 0 })), ErrorKind::Invalid),
        ("a payload of another shape", sealed(json!({ "userId": 42 })), ErrorKind::Invalid),
    ] {
        assert_eq!(refusal(&sessions, &token).await, Some(kind), "{what}");
    }
}

/// An operator can read a row with a common tool and the key, and needs to know where it stands.
#[tokio::test]
async fn jose_opens_a_record_s_payload_at_its_place_only() {
    let Some(jose) = Jose::find() else { return };
    let world = present();
    let tracked =
        members(&world, secret_keys()).store(world.store.clone()).seal_records(true).build().unwrap();
    token_of(&tracked, zoe()).await;
    let account = Account { realm: COOKIE, subject: "42" };
    let record = world.store.list(account, world.clock.now()).await.unwrap().remove(0);
    let sealed = String::from_utf8(record.payload.clone()).unwrap();
    let bound = |id: &[u8]| URL_SAFE_NO_PAD.encode_to_string([COOKIE.as_bytes(), b"\0", id].concat());
    let reading = jose.open_record(&sealed, COOKIE, &bound(record.id.as_bytes())).accepted();
    assert_eq!(reading.claims, zoe_in_json());
    let moved = jose.open_record(&sealed, COOKIE, &bound(&[7; 18]));
    assert_eq!(moved.refused.as_deref(), Some("ERR_JWE_DECRYPTION_FAILED"));
}

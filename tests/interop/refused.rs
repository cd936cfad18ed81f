//! What `jose` can sign and is no session here.

use serde_json::{Value, json};
use session_core::{Clock as _, ErrorKind, TokenForm};

use super::{
    COOKIE, DAY, Jose, members, open, plain_members, present, refusal, secret_keys, zoe, zoe_in_json,
};
use crate::harness::Axum;
use crate::wire::Request;

/// The claims of a good login at `now`, with changes; null takes a claim away.
fn claims(now: i64, changes: Value) -> Value {
    let mut claims = zoe_in_json();
    claims["iat"] = json!(now);
    claims["exp"] = json!(now + DAY);
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

#[tokio::test]
async fn only_what_the_module_would_sign_is_a_session() {
    let Some(jose) = Jose::find() else { return };
    let world = present();
    let sessions = plain_members(&world);
    let now = world.clock.now().unix_seconds();
    let hs256 = || json!({ "alg": "HS256" });
    let good = claims(now, json!({}));
    let others = jose.with_secret("another secret, which is thirty-two bytes or more");

    let accepted = [jose.sign(hs256(), &good), jose.sign(json!({ "alg": "HS256", "typ": "JWT" }), &good)];
    for token in &accepted {
        assert_eq!(*open(&sessions, token).await.unwrap().user().unwrap(), zoe());
    }

    let signed = |changes| jose.sign(hs256(), &claims(now, changes));
    let [head, body, signature] = accepted[0].split('.').collect::<Vec<_>>().try_into().unwrap();
    let altered = accepted[1].split('.').next().unwrap();
    let refused = [
        ("another secret", others.sign(hs256(), &good), ErrorKind::TokenInvalid),
        ("alg none", jose.unsecured(&good), ErrorKind::TokenInvalid),
        ("no signature", format!("{head}.{body}."), ErrorKind::TokenInvalid),
        ("another header", format!("{altered}.{body}.{signature}"), ErrorKind::TokenInvalid),
        ("another algorithm", jose.sign(json!({ "alg": "HS512" }), &good), ErrorKind::TokenInvalid),
        (
            "a key of theirs",
            jose.sign(json!({ "alg": "HS256", "kid": "theirs" }), &good),
            ErrorKind::TokenInvalid,
        ),
        (
            "another type",
            jose.sign(json!({ "alg": "HS256", "typ": "reset+jwt" }), &good),
            ErrorKind::TokenInvalid,
        ),
        ("another audience", signed(json!({ "aud": "newsletter" })), ErrorKind::TokenInvalid),
        ("our audience in a list", signed(json!({ "aud": [COOKIE] })), ErrorKind::TokenInvalid),
        ("no exp", signed(json!({ "exp": null })), ErrorKind::TokenInvalid),
        ("no iat", signed(json!({ "iat": null })), ErrorKind::TokenInvalid),
        ("neither", signed(json!({ "iat": null, "exp": null })), ErrorKind::TokenInvalid),
        ("from the future", signed(json!({ "iat": now + 3600 })), ErrorKind::TokenInvalid),
        ("not yet", signed(json!({ "nbf": now + 3600 })), ErrorKind::TokenInvalid),
        ("expired", signed(json!({ "iat": now - DAY, "exp": now })), ErrorKind::Expired),
        (
            "older than any session",
            signed(json!({ "iat": now - 31 * DAY, "exp": now + DAY })),
            ErrorKind::Expired,
        ),
        ("a payload of another shape", signed(json!({ "userId": 42 })), ErrorKind::Invalid),
        ("a payload with something missing", signed(json!({ "role": null })), ErrorKind::Invalid),
    ];
    for (what, token, kind) in &refused {
        assert_eq!(refusal(&sessions, token).await, Some(*kind), "{what}");
    }
}

#[tokio::test]
async fn a_session_ends_with_its_exp() {
    let Some(jose) = Jose::find() else { return };
    let world = present();
    let server = world.serve::<Axum>(world.stateless().token_form(TokenForm::Plain)).await;
    let now = world.clock.now().unix_seconds();
    let user = json!({ "userId": "u-alice", "name": "alice", "visits": 0, "iat": now, "exp": now + DAY });
    let token = jose.sign(json!({ "alg": "HS256" }), &user);
    let ask = || server.send(Request::get("/me").cookie(format!("{COOKIE}={token}")));
    world.advance(DAY.unsigned_abs() - 1);
    ask().await.expect(200);
    world.advance(1);
    ask().await.expect_error(401, "SESSION_EXPIRED");
}

/// The danger that `TokenForm::Plain` warns of, so that nobody takes it for a mistake: the form has nothing that says
/// what a token is for.
#[tokio::test]
async fn what_the_secret_signed_for_another_purpose_is_a_session_if_it_decodes() {
    let Some(jose) = Jose::find() else { return };
    let world = present();
    let reset_link = jose.create(&zoe_in_json());
    let plain = plain_members(&world);
    let mut with_purpose = zoe_in_json();
    with_purpose["purpose"] = json!("reset your password");
    for token in [&reset_link, &jose.create(&with_purpose)] {
        assert!(open(&plain, token).await.is_ok());
        let typed = members(&world, secret_keys()).build().unwrap();
        assert_eq!(refusal(&typed, token).await, Some(ErrorKind::TokenInvalid));
    }
}

//! Sessions that a module of another language shares: what it says beside the payload, and whom it names where.

use base64_simd::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use session_core::{ErrorKind, SessionManager, SessionManagerBuilder, TokenForm};
use sha2::Sha256;

use crate::support::{Browser, SECRET, START, Trip, User, World, big_user, seconds, user};

fn plain(world: &World) -> SessionManager<User> {
    world.builder().token_form(TokenForm::Plain).build().unwrap()
}

/// A browser that logged in on the other side, which said these things of it as well.
fn logged_in_there(world: &World, more: &Value) -> Browser {
    let mut claims = json!({ "userId": "ann", "visits": 0 });
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    logged_in_as(world, claims)
}

/// A browser for which the other side signed this, for a day unless it says otherwise.
fn logged_in_as(world: &World, mut claims: Value) -> Browser {
    let now = world.now().unix_seconds();
    for (name, time) in [("iat", now), ("exp", now + 24 * 3600)] {
        if claims.get(name).is_none() {
            claims[name] = json!(time);
        }
    }
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode_to_string(bytes);
    let signed = format!("{}.{}", encode(br#"{"alg":"HS256"}"#), encode(claims.to_string().as_bytes()));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    let signature = encode(&mac.finalize().into_bytes());
    Browser::holding(&format!("__Host-session={signed}.{signature}"))
}

/// What the browser's cookie says.
fn said(browser: &Browser) -> Value {
    let claims = browser.cookie().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode_to_vec(claims).unwrap()).unwrap()
}

fn trip(sessions: &SessionManager<User>, browser: &Browser) -> Trip {
    let trip = Trip::of(sessions);
    trip.receive(&browser.post("/"));
    trip
}

/// What the handler did to the session, seen by the browser.
fn answered(browser: &mut Browser, trip: &Trip) -> Value {
    assert!(browser.take(&trip.close(&())));
    said(browser)
}

fn tenant() -> Value {
    json!({ "tenant": "acme", "flags": { "beta": true } })
}

#[track_caller]
fn keeps(claims: &Value) {
    assert_eq!((&claims["tenant"], &claims["flags"]), (&json!("acme"), &json!({ "beta": true })));
}

#[tokio::test]
async fn a_refresh_keeps_what_the_payload_does_not_know() {
    let world = World::new();
    let sessions = plain(&world);
    let mut browser = logged_in_there(&world, &tenant());
    for _ in 0..2 {
        // By itself in the last half hour, and the next one by request.
        world.advance(24 * 3600 - 60);
        assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
        keeps(&said(&browser));
        world.advance(60);
        let outcome = sessions.refresh_session(&browser.post("/session/refresh")).await.unwrap();
        assert!(browser.take(&outcome.changes));
        keeps(&said(&browser));
    }
}

#[tokio::test]
async fn an_update_keeps_what_the_payload_does_not_know() {
    let world = World::new();
    let sessions = plain(&world);
    let mut browser = logged_in_there(&world, &tenant());
    let trip = trip(&sessions, &browser);
    trip.update(|user| user.visits = 7).await.unwrap();
    let claims = answered(&mut browser, &trip);
    assert_eq!(claims["visits"], 7);
    keeps(&claims);
}

#[tokio::test]
async fn a_re_authentication_keeps_what_the_payload_does_not_know() {
    let world = World::new();
    let sessions = plain(&world);
    let mut browser = logged_in_there(&world, &tenant());
    let trip = trip(&sessions, &browser);
    trip.reauthenticate().await.unwrap();
    keeps(&answered(&mut browser, &trip));
}

#[tokio::test]
async fn nothing_of_it_reaches_a_new_login() {
    let world = World::new();
    for name in ["ann", "bob"] {
        let sessions = plain(&world);
        let mut browser = logged_in_there(&world, &tenant());
        let trip = trip(&sessions, &browser);
        assert!(trip.open().await.is_ok());
        trip.create(user(name)).await.unwrap();
        let claims = answered(&mut browser, &trip);
        assert_eq!(claims["userId"], name);
        assert_eq!((claims.get("tenant"), claims.get("flags")), (None, None), "{name}");
    }
}

/// With what the payload does not know, and a `sid` of another form.
#[tokio::test]
async fn nothing_of_it_reaches_a_store_that_adopts_the_session() {
    let records = async |more: &Value| {
        let world = World::new();
        let sessions = adopting(&world).build().unwrap();
        let mut browser = logged_in_there(&world, more);
        assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
        let record = world.records(&sessions, "ann").await.remove(0);
        (record.terms, record.payload)
    };
    let mut more = tenant();
    more["sid"] = json!(THEIR_SID);
    assert_eq!(records(&more).await, records(&json!({})).await);
}

fn adopting(world: &World) -> SessionManagerBuilder<User> {
    let builder = world.builder().store(world.store.clone()).adopt_until(START.plus(seconds(10 * 86_400)));
    builder.adopt_tokens(TokenForm::Plain)
}

/// 16 bytes in base64url.
const THEIR_SID: &str = "3q2-796tvu_erb7v3q2-7w";

#[tokio::test]
async fn the_sid_of_the_other_side_is_kept_until_somebody_proves_who_they_are_again() {
    let world = World::new();
    let sessions = plain(&world);
    let mut browser = logged_in_there(&world, &json!({ "sid": THEIR_SID }));
    let copy = browser.clone();
    world.advance(3600);
    let outcome = sessions.refresh_session(&browser.post("/session/refresh")).await.unwrap();
    assert!(browser.take(&outcome.changes));
    assert_eq!(said(&browser)["sid"], THEIR_SID);
    let update = trip(&sessions, &browser);
    update.update(|user| user.visits = 7).await.unwrap();
    assert_eq!(answered(&mut browser, &update)["sid"], THEIR_SID);

    let again = trip(&sessions, &browser);
    again.reauthenticate().await.unwrap();
    let sid = answered(&mut browser, &again)["sid"].clone();
    assert_eq!(sid.as_str().map(str::len), Some(24), "a new one, of ours");
    assert_eq!(copy.clone().who(&sessions).await, None, "and all copies of the old one are over");
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
}

#[tokio::test]
async fn with_it_a_cookie_holds_no_more_than_any_other() {
    let world = World::new();
    let sessions = plain(&world);
    let browser = logged_in_there(&world, &json!({ "more": "x".repeat(2000) }));
    let trip = trip(&sessions, &browser);
    let error = trip.update(|user| *user = big_user("ann", 1000)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PayloadTooLarge);
    // The session goes on as it was, and an automatic refresh never fails a request.
    assert_eq!(browser.clone().who(&sessions).await.as_deref(), Some("ann"));
}

fn by_sub(world: &World) -> SessionManager<User> {
    world.builder().token_form(TokenForm::Plain).sub_field("userId").build().unwrap()
}

#[tokio::test]
async fn sub_is_the_account_where_it_is_configured() {
    let world = World::new();
    let now = world.now().unix_seconds();
    let sessions = by_sub(&world);
    let mut browser = logged_in_there(&world, &json!({ "sub": "ann", "iat": now }));
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    world.advance(3600);
    let outcome = sessions.refresh_session(&browser.post("/")).await.unwrap();
    assert!(browser.take(&outcome.changes));
    assert_eq!((&said(&browser)["sub"], &said(&browser)["userId"]), (&json!("ann"), &json!("ann")));
    let mut two = logged_in_there(&world, &json!({ "sub": "eve" }));
    assert_eq!(two.who(&sessions).await, None, "two accounts in one token");

    let trip = trip(&sessions, &browser);
    trip.create(user("bob")).await.unwrap();
    assert_eq!(answered(&mut browser, &trip)["sub"], "bob");
}

#[tokio::test]
async fn sub_is_the_account_of_a_session_that_a_store_adopts() {
    let world = World::new();
    let sessions = adopting(&world).sub_field("userId").build().unwrap();
    let mut browser = logged_in_there(&world, &json!({ "sub": "ann", "userId": null }));
    assert_eq!(browser.who(&sessions).await, None, "two accounts in one token");
    let mut browser = logged_in_there(&world, &json!({ "sub": "ann" }));
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    let mut browser = logged_in_as(&world, json!({ "sub": "bob", "visits": 0 }));
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("bob"));
}

#[tokio::test]
async fn a_sub_field_that_the_payload_does_not_write_is_a_misuse_at_login() {
    let world = World::new();
    let sessions = world.builder().token_form(TokenForm::Plain).sub_field("user_id").build().unwrap();
    let error = sessions.create_session(user("ann"), &Browser::default().post("/login")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    assert!(error.to_string().contains("`user_id`"), "{error}");
}

#[test]
fn a_sub_field_is_for_plain_tokens() {
    let world = World::new();
    let adopts_typed = adopting(&world).adopt_tokens(TokenForm::Typed);
    for builder in [world.builder(), adopts_typed] {
        let built = builder.sub_field("userId").build();
        assert!(built.is_err_and(|error| error.to_string().contains("TokenForm::Plain")));
    }
}

/// As Python's `time.time()` has it.
#[tokio::test]
async fn a_session_whose_dates_have_a_fraction_ends_no_later_than_they_say() {
    let world = World::new();
    let sessions = plain(&world);
    let start = world.now().unix_seconds();
    let dates = json!({ "iat": start as f64 + 0.25, "exp": start as f64 + 60.75 });
    let mut browser = logged_in_there(&world, &dates);
    world.advance(59);
    assert!(sessions.get_session(&browser.get("/")).await.unwrap().is_some());
    world.advance(1);
    assert_eq!(browser.who(&sessions).await, None);
}

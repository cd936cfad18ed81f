//! Sessions that live in the cookie alone.

use base64_simd::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use session_core::testing::{ManualClock, TestRequest, logged_in_cookie};
use session_core::{
    Authenticated, Destroyed, ErrorKind, KeyRing, Level, Pending, Revalidation, SessionManager, TokenForm,
};
use sha2::Sha256;

use crate::support::{Browser, SECRET, START, Trip, User, World, big_user, seconds, user};

#[tokio::test]
async fn a_token_is_good_one_second_before_its_expiry_and_gone_at_it() {
    let world = World::new();
    let sessions = world.builder().bearer(true).build().unwrap();
    let browser = Browser::login(&sessions, user("ann")).await;
    world.advance(86_399);
    assert!(sessions.check_session_status(&browser.get("/")).await.unwrap().is_valid);
    world.advance(1);
    let status = sessions.check_session_status(&browser.get("/")).await.unwrap();
    assert!(status.is_expired && !status.is_valid);
    assert_eq!(status.reason, Some(ErrorKind::Expired));
}

in_every_mode! {
    /// Its body may take its time: a list that has forgotten the logout meanwhile must not let it in.
    async fn a_request_that_came_before_its_token_expired_and_asks_afterwards_is_refused(world, sessions) {
        let ann = Browser::login(&sessions, user("ann")).await;
        world.advance(86_399);
        let waiting = Trip::of(&sessions);
        waiting.receive(&ann.request("POST", "/slow"));
        ann.log_out(&sessions).await;
        world.advance(86_400);
        for _ in 0..10 {
            Browser::login(&sessions, user("eve")).await.log_out(&sessions).await;
        }
        let refused = waiting.open().await.unwrap_err();
        assert!(refused.kind().is_unauthenticated(), "{refused}");
    }

    async fn what_ended_does_not_come_back_when_a_clock_that_was_ahead_is_set_right(world, sessions) {
        let mut ann = Browser::login(&sessions, user("ann")).await;
        ann.clone().log_out(&sessions).await;
        let now = world.now();
        world.clock.set(now.plus(seconds(400 * 86_400)));
        for _ in 0..10 {
            Browser::login(&sessions, user("eve")).await.log_out(&sessions).await;
        }
        let _ = sessions.delete_expired(100).await;
        world.clock.set(now);
        assert_eq!(ann.who(&sessions).await, None, "{sessions:?}");
    }
}

/// The first logout fills it.
#[tokio::test]
async fn a_full_list_of_ended_sessions_is_told_by_whatever_finds_it_full() {
    let world = World::new();
    let sessions = world.builder().ended_capacity(1).build().unwrap();
    Browser::login(&sessions, user("bob")).await.log_out(&sessions).await;
    let browser = Browser::login(&sessions, user("ann")).await;
    let told = || {
        let names = world.event_names();
        world.events.lock().unwrap().clear();
        names
    };
    let session = || {
        let session = Trip::of(&sessions);
        session.receive(&browser.request("DELETE", "/session"));
        session
    };
    told();
    session().create(user("ann")).await.unwrap();
    assert_eq!(told(), ["ended_list_full", "created"]);
    session().reauthenticate().await.unwrap();
    assert_eq!(told(), ["ended_list_full", "created"]);
    assert_eq!(session().destroy().await.unwrap(), Destroyed::CookieOnly);
    assert!(told().contains(&"ended_list_full"));

    let routed = session();
    assert_eq!(session_core::adapter::routes::answer(routed.incoming(), "DELETE", "").await.status, 204);
    assert!(routed.close(&()).set_cookie().unwrap().contains("Max-Age=0"));
    assert!(told().contains(&"ended_list_full"));
}

#[tokio::test]
async fn a_refresh_in_two_tabs_logs_nobody_out() {
    let world = World::new();
    let sessions = world.stateless();
    let mut one = Browser::login(&sessions, user("ann")).await;
    let mut two = one.clone();
    world.advance(86_400 - 100);
    assert_eq!(one.who(&sessions).await.as_deref(), Some("ann"));
    assert_eq!(two.who(&sessions).await.as_deref(), Some("ann"));
    world.advance(3600);
    assert_eq!(one.who(&sessions).await.as_deref(), Some("ann"));
    assert_eq!(two.who(&sessions).await.as_deref(), Some("ann"));
}

#[tokio::test]
async fn an_in_flight_refresh_does_not_undo_a_logout() {
    let world = World::new();
    let sessions = world.stateless();
    let browser = Browser::login(&sessions, user("ann")).await;
    world.advance(86_400 - 100);
    let in_flight = Trip::of(&sessions);
    in_flight.receive(&browser.get("/slow"));
    in_flight.open().await.unwrap();
    let _ = sessions.destroy_session(&browser.post("/logout")).await.unwrap();
    assert_eq!(in_flight.close(&()).set_cookie(), None);
}

#[tokio::test]
async fn the_refreshed_token_of_a_logged_out_session_is_refused_too() {
    let world = World::new();
    let sessions = world.stateless();
    let old = Browser::login(&sessions, user("ann")).await;
    let mut new = old.clone();
    world.advance(86_400 - 100);
    new.who(&sessions).await;
    assert_ne!(new.cookie(), old.cookie());
    let _ = sessions.destroy_session(&old.post("/logout")).await.unwrap();
    assert_eq!(new.who(&sessions).await, None);
    world.advance(80_000);
    assert_eq!(new.who(&sessions).await, None);
}

/// Another process knows nothing of the end, and goes on making tokens that outlive what is remembered of it here.
#[tokio::test]
async fn what_ended_here_stays_ended_here_while_another_process_refreshes_it() {
    let world = World::new();
    let (here, there) = (world.stateless(), world.stateless());
    let mut copy = Browser::login(&here, user("ann")).await;
    let _ = here.destroy_session(&copy.post("/logout")).await.unwrap();
    for _ in 0..4 {
        world.advance(85_000);
        assert_eq!(copy.who(&there).await.as_deref(), Some("ann"));
        // What is over is forgotten when something is added.
        for _ in 0..4 {
            let other = Browser::login(&here, user("bob")).await;
            let _ = here.destroy_session(&other.post("/logout")).await.unwrap();
        }
        assert_eq!(copy.clone().who(&here).await, None);
    }
}

#[tokio::test]
async fn an_update_is_in_the_next_cookie_and_extends_nothing() {
    let world = World::new();
    let sessions = world.stateless();
    let mut browser = Browser::login(&sessions, user("ann")).await;
    world.advance(1000);
    let session = Trip::of(&sessions);
    session.receive(&browser.post("/visits"));
    let updated = session.update(|user| user.visits += 1).await.unwrap();
    assert_eq!(updated.visits, 1);
    let changes = session.close(&());
    assert!(changes.set_cookie().unwrap().contains("Max-Age=85400;"), "{:?}", changes.set_cookie());
    browser.take(&changes);
    let outcome = sessions.get_session(&browser.get("/")).await.unwrap().unwrap();
    assert_eq!(outcome.user().unwrap().visits, 1);
    assert_eq!(outcome.status().remaining_time.as_secs(), 85_400);
}

#[tokio::test]
async fn an_update_that_does_not_fit_changes_nothing() {
    let sessions = World::new().stateless();
    let browser = Browser::login(&sessions, user("ann")).await;
    let session = Trip::of(&sessions);
    session.receive(&browser.post("/"));
    let outcome = session.update(|user| *user = big_user("ann", 5000)).await;
    assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::PayloadTooLarge));
    assert!(session.user().unwrap().notes.is_empty());
    assert_eq!(session.close(&()).set_cookie(), None);
}

#[tokio::test]
async fn lists_and_revocation_need_a_store() {
    let sessions = World::new().stateless();
    let browser = Browser::login(&sessions, user("ann")).await;
    let session = Trip::of(&sessions);
    session.receive(&browser.get("/"));
    assert_eq!(session.list().await.map_err(|error| error.kind()), Err(ErrorKind::StoreRequired));
    assert_eq!(session.revoke_others().await.map_err(|error| error.kind()), Err(ErrorKind::StoreRequired));
    assert_eq!(
        sessions.revoke_account("ann").await.map_err(|error| error.kind()),
        Err(ErrorKind::StoreRequired)
    );
}

#[tokio::test]
async fn a_token_of_a_tracked_manager_is_not_usable_here() {
    let world = World::new();
    let cookie = logged_in_cookie(&world.tracked(), user("ann")).await.unwrap();
    let session = Trip::of(&world.stateless());
    session.receive(&TestRequest::new("GET", "/").cookie(&cookie));
    assert_eq!(session.open().await.map_err(|error| error.kind()), Err(ErrorKind::Invalid));
}

#[tokio::test]
async fn a_disabled_account_ends_at_the_next_refresh_in_both_modes() {
    let world = World::new();
    let ask = |_user| async { Revalidation::End };
    let managers = [
        world.builder().revalidate(ask).build().unwrap(),
        world.builder().revalidate(ask).store(world.store.clone()).build().unwrap(),
    ];
    for sessions in managers {
        let mut browser = Browser::login(&sessions, user("ann")).await;
        assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
        world.advance(86_400 - 100);
        assert_eq!(browser.who(&sessions).await, None);
        assert_eq!(browser.who(&sessions).await, None);
    }
}

#[tokio::test]
async fn a_changed_account_goes_on_with_its_new_payload_in_both_modes() {
    let world = World::new();
    let ask = |user: std::sync::Arc<User>| async move {
        Revalidation::Replace(User { visits: 99, ..User::clone(&user) })
    };
    let managers = [
        world.builder().revalidate(ask).build().unwrap(),
        world.builder().revalidate(ask).store(world.store.clone()).build().unwrap(),
    ];
    for sessions in managers {
        let mut browser = Browser::login(&sessions, user("ann")).await;
        world.advance(86_400 - 100);
        browser.who(&sessions).await;
        let outcome = sessions.get_session(&browser.get("/")).await.unwrap().unwrap();
        assert_eq!(outcome.user().unwrap().visits, 99);
    }
}

/// Sizes around the limits of the token and of the cookie.
#[tokio::test]
async fn a_replacement_that_does_not_fit_fails_no_request() {
    for bytes in (2_600..3_100).step_by(4) {
        let world = World::new();
        let ask = move |_user| async move { Revalidation::Replace(big_user("ann", bytes)) };
        let sessions = world.builder().revalidate(ask).build().unwrap();
        let browser = Browser::login(&sessions, user("ann")).await;
        world.advance(86_400 - 100);
        assert!(sessions.get_session(&browser.get("/")).await.unwrap().is_some(), "{bytes}");
    }
}

#[tokio::test]
async fn a_replacement_of_another_account_fails_no_request_but_an_explicit_refresh() {
    let world = World::new();
    let ask = |_user| async { Revalidation::Replace(user("eve")) };
    let managers = [
        world.builder().revalidate(ask).build().unwrap(),
        world.builder().revalidate(ask).store(world.store.clone()).build().unwrap(),
    ];
    for sessions in managers {
        let mut browser = Browser::login(&sessions, user("ann")).await;
        world.advance(86_400 - 100);
        assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
        let explicit = sessions.refresh_session(&browser.post("/")).await.map(drop);
        assert_eq!(explicit.map_err(|error| error.kind()), Err(ErrorKind::Misuse));
    }
}

#[tokio::test]
async fn who_cannot_tell_refreshes_next_time() {
    let world = World::new();
    let sessions = world.builder().revalidate(|_user| async { Revalidation::Defer }).build().unwrap();
    let mut browser = Browser::login(&sessions, user("ann")).await;
    let before = browser.cookie().to_owned();
    world.advance(86_400 - 100);
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    assert_eq!(browser.cookie(), before);
}

#[tokio::test]
async fn a_plain_token_of_a_next_js_module_is_accepted_only_when_asked_for() {
    let world = World::new();
    let plain = world.builder().token_form(TokenForm::Plain).build().unwrap();
    let cookie = logged_in_cookie(&plain, user("ann")).await.unwrap();
    assert!(cookie.contains("=eyJhbGciOiJIUzI1NiJ9."), "{cookie}");
    let request = TestRequest::new("GET", "/").cookie(&cookie);
    assert!(plain.get_session(&request).await.unwrap().is_some());
    assert!(world.stateless().get_session(&request).await.unwrap().is_none());
}

#[test]
fn plain_tokens_and_a_store_contradict_each_other() {
    let world = World::new();
    let built = world.builder().token_form(TokenForm::Plain).store(world.store.clone()).build();
    assert!(built.is_err_and(|error| error.to_string().contains("no store")));
}

#[tokio::test]
async fn keys_rotate_without_logging_anybody_out() {
    let clock = ManualClock::at(START);
    let ring = KeyRing::from_secret("the old secret, long enough for it").unwrap();
    let sessions: SessionManager<User> =
        SessionManager::builder().keys(ring.clone()).clock(clock.clone()).build().unwrap();
    let mut browser = Browser::login(&sessions, user("ann")).await;
    let old = ring.signing_kid();
    let new = session_core::Key::hs256("the new secret, long enough for it").unwrap();
    let kid = new.kid().to_owned();
    ring.add(new).unwrap();
    ring.promote(&kid).unwrap();
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    let fresh = Browser::login(&sessions, user("bob")).await;
    ring.retire(&old).unwrap();
    assert_eq!(browser.who(&sessions).await, None);
    assert_eq!(fresh.clone().who(&sessions).await.as_deref(), Some("bob"));
    clock.advance(seconds(1));
}

fn plain_token(world: &World, claims: &str) -> String {
    let (iat, exp) = (world.now().unix_seconds(), world.now().unix_seconds() + 3600);
    let payload = format!(r#"{{"userId":"ann","visits":0,"iat":{iat},"exp":{exp}{claims}}}"#);
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode_to_string(bytes);
    let signed = format!("{}.{}", encode(br#"{"alg":"HS256"}"#), encode(payload.as_bytes()));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", encode(&mac.finalize().into_bytes()))
}

fn shows(sessions: &SessionManager<User>, token: &str) -> Trip {
    let trip = Trip::of(sessions);
    trip.receive(&TestRequest::new("GET", "/").cookie(&format!("__Host-session={token}")));
    trip
}

/// RFC 8693 section 4.1: whoever else signs with the secret says that somebody acts as ann.
#[tokio::test]
async fn a_plain_token_that_names_an_actor_is_not_ann_herself() {
    let world = World::new();
    let sessions = world.builder().token_form(TokenForm::Plain).build().unwrap();
    let trip = shows(&sessions, &plain_token(&world, r#","act":{"sub":"root"}"#));
    assert_eq!(trip.extract::<Authenticated<User>>().await.unwrap_err().kind(), ErrorKind::TokenInvalid);
}

/// What another issuer means by its `acr` is not known here; one that names our audience means us.
#[tokio::test]
async fn a_plain_token_gives_a_level_above_1_only_to_our_audience_and_in_one_spelling() {
    let world = World::new();
    let sessions = world.builder().token_form(TokenForm::Plain).build().unwrap();
    let audience = format!(r#","aud":"{}""#, sessions.realm());
    for (acr, ours, is_two) in
        [("2", true, true), ("2", false, false), ("+255", true, false), ("0002", true, false)]
    {
        let aud = if ours { &*audience } else { "" };
        let trip = shows(&sessions, &plain_token(&world, &format!(r#","acr":"{acr}"{aud}"#)));
        assert_eq!(trip.extract::<Level<User, 2>>().await.is_ok(), is_two, "{acr} {aud}");
        assert!(trip.extract::<Level<User, 1>>().await.is_ok());
    }
    let waits = shows(&sessions, &plain_token(&world, r#","acr":"0""#));
    assert!(waits.extract::<Pending<User>>().await.is_ok());
}

/// As others who read the token see them: RFC 8176 and OpenID Connect Core section 2.
#[tokio::test]
async fn methods_and_level_are_the_claims_amr_and_acr() {
    let world = World::new();
    for form in [TokenForm::Typed, TokenForm::Plain] {
        let sessions = world.builder().token_form(form).build().unwrap();
        let login = sessions.create_session(user("ann"), &TestRequest::new("POST", "/login"));
        let token = login.methods(["pwd", "otp"]).level(2).await.unwrap().token.unwrap();
        let payload = token.expose().split('.').nth(1).unwrap();
        let payload = URL_SAFE_NO_PAD.decode_to_vec(payload.as_bytes()).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(claims["amr"], serde_json::json!(["pwd", "otp"]));
        assert_eq!(claims["acr"], "2");
        assert!(shows(&sessions, token.expose()).extract::<Level<User, 2>>().await.is_ok());
    }
}

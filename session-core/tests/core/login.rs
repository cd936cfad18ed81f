//! Login and logout, in both modes.

use session_core::testing::{Fault, FaultyStore, StoreMethod, TestRequest, logged_in_cookie};
use session_core::{CookieSettings, Destroyed, ErrorKind, KeyRing, SessionManager};

use crate::support::{Browser, SECRET, Trip, User, World, big_user, user};

in_every_mode! {
    async fn after_login_the_user_is_known(_world, sessions) {
        let mut browser = Browser::login(&sessions, user("ann")).await;
        assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    }
}

in_every_mode! {
    async fn an_anonymous_request_sets_no_cookie_and_is_nobody(_world, sessions) {
        assert!(sessions.get_session(&TestRequest::new("GET", "/")).await.unwrap().is_none());
        let slot = Trip::of(&sessions);
        slot.receive(&TestRequest::new("GET", "/"));
        assert_eq!(slot.open().await.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
        assert_eq!(slot.close(&()).set_cookie(), None);
    }
}

in_every_mode! {
    async fn the_default_cookie_is_a_host_cookie_for_a_day(_world, sessions) {
        let outcome = sessions.create_session(user("ann"), &TestRequest::new("POST", "/")).await.unwrap();
        let line = outcome.changes.set_cookie().unwrap();
        assert!(line.starts_with("__Host-session="), "{line}");
        assert!(line.ends_with("; Max-Age=86400; Path=/; HttpOnly; Secure; SameSite=Lax"), "{line}");
    }
}

in_every_mode! {
    async fn after_logout_the_old_cookie_is_refused(_world, sessions) {
        let mut browser = Browser::login(&sessions, user("ann")).await;
        let mut thief = browser.clone();
        let changes = sessions.destroy_session(&browser.post("/logout")).await.unwrap();
        assert!(changes.set_cookie().unwrap().starts_with("__Host-session=; Max-Age=0;"));
        browser.take(&changes);
        assert_eq!(browser.who(&sessions).await, None);
        assert_eq!(thief.who(&sessions).await, None);
    }
}

in_every_mode! {
    async fn logout_clears_the_cookie_also_when_there_was_no_session(_world, sessions) {
        let changes = sessions.destroy_session(&TestRequest::new("POST", "/logout")).await.unwrap();
        assert!(changes.set_cookie().unwrap().contains("Max-Age=0"));
    }
}

in_every_mode! {
    async fn every_login_makes_a_new_id_and_the_cookie_from_before_is_dead(_world, sessions) {
        let before = Browser::login(&sessions, user("ann")).await;
        for next in ["ann", "bob"] {
            let outcome = sessions.create_session(user(next), &before.post("/login")).await.unwrap();
            let mut after = before.clone();
            after.take(&outcome.changes);
            assert_ne!(after.cookie(), before.cookie());
            assert_eq!(before.clone().who(&sessions).await, None);
            assert_eq!(after.who(&sessions).await.as_deref(), Some(next));
        }
    }
}

in_every_mode! {
    async fn a_login_as_another_user_carries_nothing_over(_world, sessions) {
        let browser = Browser::login(&sessions, User { visits: 7, ..user("ann") }).await;
        let outcome = sessions.create_session(user("bob"), &browser.post("/login")).await.unwrap();
        assert_eq!(outcome.user().map(|user| user.visits), Some(0));
    }
}

in_every_mode! {
    async fn reauthentication_rotates_the_id_keeps_the_payload_and_resets_both_clocks(_world, sessions) {
        let before = Browser::login(&sessions, User { visits: 7, ..user("ann") }).await;
        let session = Trip::of(&sessions);
        session.receive(&before.post("/confirm"));
        session.reauthenticate().await.unwrap();
        let mut after = before.clone();
        assert!(after.take(&session.close(&())));
        assert_eq!(session.user().map(|user| user.visits), Some(7));
        assert_eq!(before.clone().who(&sessions).await, None, "the grace is zero here");
        assert_eq!(after.who(&sessions).await.as_deref(), Some("ann"));
    }
}

in_every_mode! {
    async fn reauthentication_resets_the_absolute_lifetime(world, sessions) {
        let browser = Browser::login(&sessions, user("ann")).await;
        world.advance(3600);
        let session = Trip::of(&sessions);
        session.receive(&browser.post("/confirm"));
        session.reauthenticate().await.unwrap();
        let status = session.status();
        assert_eq!(status.absolute_remaining.map(|left| left.as_secs()), Some(30 * 86_400));
        assert_eq!(status.remaining_time.as_secs(), 86_400);
    }
}

in_every_mode! {
    async fn nobody_can_reauthenticate_without_a_session(_world, sessions) {
        let session = Trip::of(&sessions);
        session.receive(&TestRequest::new("POST", "/confirm"));
        assert_eq!(session.reauthenticate().await.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    }
}

#[tokio::test]
async fn a_payload_too_large_for_a_cookie_is_an_error_that_names_the_size() {
    let world = World::new();
    let error = world.stateless().create_session(big_user("ann", 4000), &TestRequest::new("POST", "/")).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PayloadTooLarge);
    assert!(error.to_string().contains("bytes") && error.to_string().contains("store"), "{error}");
    let tracked =
        world.tracked().create_session(big_user("ann", 100_000), &TestRequest::new("POST", "/")).await;
    assert!(tracked.is_ok(), "a store keeps the payload out of the cookie");
}

in_every_mode! {
    async fn a_subject_that_no_store_could_keep_is_refused(_world, sessions) {
        for name in [String::new(), "x".repeat(256), "a\0b".to_owned()] {
            let outcome = sessions.create_session(user(&name), &TestRequest::new("POST", "/")).await;
            assert_eq!(outcome.map(drop).map_err(|error| error.kind()), Err(ErrorKind::Misuse));
        }
    }
}

#[tokio::test]
async fn two_managers_with_one_secret_do_not_accept_each_others_tokens() {
    let world = World::new();
    let (users, admins) =
        (world.stateless(), world.builder().cookie(CookieSettings::default().name("__Host-admin")));
    let admins = admins.build().unwrap();
    let cookie = logged_in_cookie(&users, user("ann")).await.unwrap();
    let token = cookie.split_once('=').unwrap().1;
    let crossed = TestRequest::new("GET", "/").cookie(&format!("__Host-admin={token}"));
    assert!(admins.get_session(&crossed).await.unwrap().is_none());
    let session = Trip::of(&admins);
    session.receive(&crossed);
    assert_eq!(session.open().await.map_err(|error| error.kind()), Err(ErrorKind::TokenInvalid));
}

in_every_mode! {
    async fn the_good_one_of_two_cookies_is_found_whatever_the_order(_world, sessions) {
        let good = logged_in_cookie(&sessions, user("ann")).await.unwrap();
        for line in [format!("__Host-session=bad; {good}"), format!("{good}; __Host-session=bad")] {
            let request = TestRequest::new("GET", "/").cookie(&line);
            assert!(sessions.get_session(&request).await.unwrap().is_some(), "{line}");
        }
    }
}

in_every_mode! {
    async fn of_several_sessions_the_newest_login_wins_and_a_dead_one_gives_way(world, sessions) {
        let older = logged_in_cookie(&sessions, user("ann")).await.unwrap();
        world.advance(10);
        let newer = logged_in_cookie(&sessions, user("bob")).await.unwrap();
        let both = Browser::holding(&format!("{older}; {newer}"));
        assert_eq!(both.clone().who(&sessions).await.as_deref(), Some("bob"));
        let _ = sessions.destroy_session(&TestRequest::new("POST", "/").cookie(&newer)).await.unwrap();
        assert_eq!(both.clone().who(&sessions).await.as_deref(), Some("ann"));
    }
}

in_every_mode! {
    async fn logout_ends_every_session_that_the_request_names(_world, sessions) {
        let one = logged_in_cookie(&sessions, user("ann")).await.unwrap();
        let two = logged_in_cookie(&sessions, user("bob")).await.unwrap();
        let both = TestRequest::new("POST", "/logout").cookie(&format!("{one}; {two}"));
        let _ = sessions.destroy_session(&both).await.unwrap();
        assert_eq!(Browser::holding(&one).who(&sessions).await, None);
        assert_eq!(Browser::holding(&two).who(&sessions).await, None);
    }
}

in_every_mode! {
    async fn a_request_from_another_origin_neither_logs_in_nor_out(_world, sessions) {
        let browser = Browser::login(&sessions, user("ann")).await;
        let forged = || browser.post("/").header("sec-fetch-site", "cross-site");
        let login = sessions.create_session(user("eve"), &forged()).await.map(drop);
        assert_eq!(login.map_err(|error| error.kind()), Err(ErrorKind::CrossOrigin));
        let logout = sessions.destroy_session(&forged()).await.map(drop);
        assert_eq!(logout.map_err(|error| error.kind()), Err(ErrorKind::CrossOrigin));
        assert_eq!(browser.clone().who(&sessions).await.as_deref(), Some("ann"));
    }
}

in_every_mode! {
    async fn a_logout_says_that_the_session_is_over(_world, sessions) {
        let browser = Browser::login(&sessions, user("ann")).await;
        let session = Trip::of(&sessions);
        session.receive(&browser.post("/logout"));
        assert_eq!(session.destroy().await.unwrap(), Destroyed::Session);
        assert_eq!(session.user(), None);
        assert!(!session.status().is_valid);
    }
}

#[test]
fn a_manager_without_keys_says_what_is_missing() {
    let error = SessionManager::<User>::builder().build().map(drop).map_err(|error| error.to_string());
    assert!(error.is_err_and(|text| text.contains("KeyRing::from_env")));
}

#[test]
fn the_description_is_fit_for_an_auditor() {
    let world = World::new();
    assert!(world.stateless().describe().contains("copied token"));
    assert!(world.tracked().describe().contains("100 sessions"));
    let _ = KeyRing::from_secret(SECRET);
}

/// The two may be on two machines, so they are two steps: first the login, then the end of what it replaces.
#[tokio::test]
async fn a_login_over_another_accounts_session_is_two_steps_and_one_over_the_own_is_one() {
    let world = World::new();
    let store = FaultyStore::new(world.store.clone());
    let sessions = world.tracked_on(store.clone());
    for (before, next, calls) in [
        ("ann", "ann", &[StoreMethod::Create][..]),
        ("ann", "bob", &[StoreMethod::Create, StoreMethod::Delete]),
        ("guest", "ann", &[StoreMethod::Create, StoreMethod::Delete]),
    ] {
        let browser = Browser::login(&sessions, user(before)).await;
        let trip = Trip::of(&sessions);
        trip.receive(&browser.post("/login"));
        trip.open().await.unwrap();
        let known = store.calls().len();
        trip.create(user(next)).await.unwrap();
        assert_eq!(store.calls()[known..], *calls, "{before} {next}");
        assert_eq!(browser.clone().who(&sessions).await, None);
    }
}

#[tokio::test]
async fn where_the_second_step_fails_the_login_stands_and_an_event_says_what_is_left() {
    let world = World::new();
    let store = FaultyStore::new(world.store.clone());
    let sessions = world.tracked_on(store.clone());
    let browser = Browser::login(&sessions, user("ann")).await;
    let trip = Trip::of(&sessions);
    trip.receive(&browser.post("/login"));
    trip.open().await.unwrap();
    world.events.lock().unwrap().clear();
    store.inject_by(|method| if method == StoreMethod::Delete { Fault::Fail } else { Fault::None });
    trip.create(user("bob")).await.unwrap();
    store.recover();
    assert_eq!(world.event_names(), ["created", "store_failed"]);
    let mut bob = browser.clone();
    assert!(bob.take(&trip.close(&())));
    assert_eq!(bob.who(&sessions).await.as_deref(), Some("bob"));
    // It lives until it ends, and is in reach.
    assert_eq!(world.records(&sessions, "ann").await.len(), 1);
    assert_eq!(sessions.revoke_account("ann").await.unwrap(), 1);
}

//! What a token may end, at a login and at a logout that shows it; and what it may keep alive.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use session_core::{Lifetimes, ReplayPolicy, SessionEvent, SessionManagerBuilder};

use crate::harness::{Browser, Framework, Mode, Server, User, World, on_each_framework};
use crate::wire::Request;

on_each_framework! {
    a_replaced_token_does_not_end_its_successor
    a_replaced_token_is_a_replay_for_a_logout_and_a_login
    a_token_in_its_grace_ends_the_session
    without_a_store_an_expired_token_does_not_end_its_successor
    a_refused_token_does_not_keep_a_session_from_idling_out
    each_event_names_the_account_of_its_session(stateless tracked)
    a_logout_that_found_no_session_says_so(stateless tracked)
}

/// Keeps what was told.
#[derive(Clone, Default)]
struct Trail(Arc<Mutex<Vec<SessionEvent>>>);

impl Trail {
    fn of(&self, users: SessionManagerBuilder<User>) -> SessionManagerBuilder<User> {
        let trail = self.clone();
        users.observer(move |event: &SessionEvent| trail.0.lock().unwrap().push(event.clone()))
    }

    /// Takes it, in the order of the words.
    fn take(&self) -> Vec<(&'static str, Option<String>)> {
        let events = std::mem::take(&mut *self.0.lock().unwrap());
        let mut told: Vec<_> = events.into_iter().map(|event| (event.kind.as_str(), event.subject)).collect();
        told.sort_unstable();
        told
    }
}

/// Everything that ends a session by a token.
fn endings() -> [Request; 3] {
    [Request::delete("/session"), Request::post("/logout"), Request::post("/login").body("name=mallory")]
}

/// A browser whose first token was replaced shortly before it expired, and a copy of that token. The successor has been
/// used.
async fn replaced(world: &World, server: &Server) -> (Browser, String) {
    let mut browser = server.logged_in("alice").await;
    let old = browser.cookie();
    world.advance(24 * 3600 - 600);
    assert_eq!(browser.who().await, "alice");
    assert_ne!(browser.cookie(), old);
    assert_eq!(browser.who().await, "alice");
    (browser, old)
}

async fn a_replaced_token_does_not_end_its_successor<F: Framework>() {
    let (world, trail) = (World::new(), Trail::default());
    let server = world.serve::<F>(trail.of(world.tracked().replay(ReplayPolicy::Refuse))).await;
    for age in [60, 3600] {
        for request in endings() {
            let (mut browser, old) = replaced(&world, &server).await;
            world.advance(age);
            trail.take();
            let response = server.send(request.clone().cookie(&old)).await;
            assert!(matches!(response.status, 200 | 204), "{response}");
            let told = trail.take();
            assert!(told.contains(&("replay_detected", Some("u-alice".into()))), "{request:?}: {told:?}");
            assert_eq!(browser.who().await, "alice", "{request:?} after {age} s");
            browser.delete("/session").await.expect(204);
        }
    }
}

async fn a_replaced_token_is_a_replay_for_a_logout_and_a_login<F: Framework>() {
    let (world, trail) = (World::new(), Trail::default());
    let server = world.serve::<F>(trail.of(world.tracked())).await;
    for request in endings() {
        let (mut browser, old) = replaced(&world, &server).await;
        world.advance(3600);
        trail.take();
        server.send(request.clone().cookie(&old)).await;
        let told = trail.take();
        assert!(told.contains(&("replay_detected", Some("u-alice".into()))), "{request:?}: {told:?}");
        assert!(told.iter().all(|(kind, _)| *kind != "destroyed" && *kind != "revoked"), "{told:?}");
        assert_eq!(browser.who().await, "nobody", "{request:?}: the policy ends it");
    }
}

async fn a_token_in_its_grace_ends_the_session<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    for request in endings() {
        let (mut browser, old) = replaced(&world, &server).await;
        world.advance(29);
        server.send(request.clone().cookie(&old)).await;
        assert_eq!(browser.who().await, "nobody", "{request:?}");
    }
}

async fn without_a_store_an_expired_token_does_not_end_its_successor<F: Framework>() {
    let (world, server) = World::without_store::<F>().await;
    for request in endings() {
        let (mut browser, old) = replaced(&world, &server).await;
        world.advance(600);
        server.send(request.clone().cookie(&old)).await;
        assert_eq!(browser.who().await, "alice", "{request:?}");
        server.send(request.clone().cookie(browser.cookie())).await;
        assert_eq!(browser.who().await, "nobody", "{request:?} with the newest one");
    }
}

async fn a_refused_token_does_not_keep_a_session_from_idling_out<F: Framework>() {
    let world = World::new();
    let lifetimes = Lifetimes::default().idle_timeout(Duration::from_secs(900));
    let users = world.tracked().replay(ReplayPolicy::Refuse).lifetimes(lifetimes);
    let server = world.serve::<F>(users).await;
    let mut browser = server.logged_in("alice").await;
    let old = browser.cookie();
    world.advance(60);
    browser.post("/session/refresh").await.expect(200);
    assert_eq!(browser.who().await, "alice");
    for _ in 0..8 {
        world.advance(100);
        for request in [Request::get("/me"), Request::post("/session/refresh"), Request::post("/visits")] {
            server.send(request.cookie(&old)).await.expect_error(401, "SESSION_NOT_FOUND");
        }
    }
    world.advance(100);
    assert_eq!(browser.who().await, "nobody");
}

async fn each_event_names_the_account_of_its_session<F: Framework>(mode: Mode) {
    let (world, trail) = (World::new(), Trail::default());
    let server = world.serve::<F>(trail.of(world.users(mode))).await;
    for request in endings() {
        let alice = server.logged_in("alice").await.cookie();
        world.advance(1);
        let mallory = server.logged_in("mallory").await.cookie();
        trail.take();
        let kind = if request.target == "/login" { "revoked" } else { "destroyed" };
        server.send(request.clone().cookie(format!("{alice}; {mallory}"))).await;
        let mut told = trail.take();
        told.retain(|(kind, _)| *kind != "created");
        let expected = [(kind, Some("u-alice".to_owned())), (kind, Some("u-mallory".to_owned()))];
        assert_eq!(told, expected, "{request:?}");
    }
}

async fn a_logout_that_found_no_session_says_so<F: Framework>(mode: Mode) {
    let (world, trail) = (World::new(), Trail::default());
    let server = world.serve::<F>(trail.of(world.users(mode))).await;
    let cookie = server.logged_in("alice").await.cookie();
    let said = |told: Vec<(&'static str, Option<String>)>| told.contains(&("logout_without_session", None));
    for logout in [Request::delete("/session"), Request::post("/logout")] {
        server.send(logout.clone()).await;
        assert!(said(trail.take()), "{logout:?}: no cookie");
        server.send(logout.clone().cookie("__Host-session=garbage")).await;
        assert!(said(trail.take()), "{logout:?}: no token of ours");
    }
    server.send(Request::delete("/session").cookie(&cookie)).await.expect(204);
    assert!(!said(trail.take()), "there was one");
    server.send(Request::delete("/session").cookie(&cookie)).await.expect(204);
    assert!(said(trail.take()), "it is over");
}

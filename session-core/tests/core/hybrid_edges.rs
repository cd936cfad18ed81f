//! Hybrid mode where it could go wrong without anybody noticing: who asks too late, twice, or for nothing.

use std::time::Duration;

use session_core::testing::TestRequest;
use session_core::{ErrorKind, Fresh, Lifetimes, SessionManager, SessionManagerBuilder, adapter::routes};

use crate::support::{Browser, Trip, User, World, seconds, user};

fn node(world: &World) -> SessionManager<User> {
    with(world, |builder| builder)
}

fn with(
    world: &World,
    more: impl FnOnce(SessionManagerBuilder<User>) -> SessionManagerBuilder<User>,
) -> SessionManager<User> {
    more(world.builder().store(world.store.clone()).hybrid(seconds(30))).build().unwrap()
}

async fn opened(sessions: &SessionManager<User>, browser: &Browser) -> Trip {
    let session = received(sessions, &browser.post("/"));
    session.open().await.unwrap();
    session
}

fn received(sessions: &SessionManager<User>, request: &TestRequest) -> Trip {
    let session = Trip::of(sessions);
    session.receive(request);
    session
}

/// Somebody is logged in, and `sessions` has just read it.
async fn logged_in(sessions: &SessionManager<User>) -> Browser {
    let mut browser = Browser::login(sessions, user("ann")).await;
    assert_eq!(browser.who(sessions).await.as_deref(), Some("ann"));
    browser
}

#[tokio::test]
async fn the_fresh_guard_gives_the_user_that_the_store_has() {
    let world = World::new();
    let (here, there) = (node(&world), node(&world));
    let browser = logged_in(&here).await;
    opened(&there, &browser).await.update(|user| user.visits = 7).await.unwrap();
    let fresh: Fresh<User, 300> = opened(&here, &browser).await.extract().await.unwrap();
    assert_eq!(fresh.visits, 7);
}

#[tokio::test]
async fn an_active_user_whose_page_asks_for_the_status_all_the_time_stays() {
    let world = World::new();
    let sessions = with(&world, |builder| builder.lifetimes(Lifetimes::default().idle_timeout(seconds(600))));
    let mut browser = logged_in(&sessions).await;
    for _ in 0..100 {
        world.advance(20);
        assert!(sessions.check_session_status(&browser.get("/session")).await.unwrap().is_valid);
        assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    }
}

#[tokio::test]
async fn what_the_status_has_shown_is_not_followed_by_something_older() {
    let world = World::new();
    let (here, there) = (node(&world), node(&world));
    let browser = logged_in(&here).await;
    opened(&there, &browser).await.update(|user| user.visits = 7).await.unwrap();
    let status = received(&here, &browser.get("/session"));
    status.peek().await.unwrap();
    assert_eq!(status.user().unwrap().visits, 7);
    assert_eq!(opened(&here, &browser).await.user().unwrap().visits, 7);
}

#[tokio::test]
async fn the_status_route_asks_the_store_when_somebody_has_opened_the_session_before() {
    let world = World::new();
    let (here, there) = (node(&world), node(&world));
    let browser = logged_in(&here).await;
    browser.log_out(&there).await;
    let session = opened(&here, &browser).await;
    let answer = routes::answer(session.incoming(), "GET", "").await;
    assert!(!String::from_utf8_lossy(&answer.body).contains("ann"));
    assert!(session.user().is_none());
}

#[tokio::test]
async fn a_session_that_is_over_is_confirmed_to_nobody_however_often_they_ask() {
    let world = World::new();
    let (here, there) = (node(&world), node(&world));
    let browser = logged_in(&here).await;
    browser.log_out(&there).await;
    let session = opened(&here, &browser).await;
    for _ in 0..2 {
        assert_eq!(session.recheck().await.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    }
}

#[tokio::test]
async fn confirming_before_opening_opens() {
    let world = World::new();
    let (here, there) = (node(&world), node(&world));
    let browser = logged_in(&here).await;
    browser.log_out(&there).await;
    let session = received(&here, &browser.post("/"));
    assert_eq!(session.recheck().await.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    assert!(session.open().await.is_err());
}

#[tokio::test]
async fn a_request_that_came_in_time_and_confirms_late_is_no_replay() {
    let world = World::new();
    let (here, there) = (node(&world), node(&world));
    let old = logged_in(&here).await;
    // Another tab refreshes elsewhere, and uses the new token.
    let mut new = old.clone();
    world.advance(1);
    new.take(&there.refresh_session(&old.post("/refresh")).await.unwrap().changes);
    new.who(&there).await;
    world.advance(1);
    let slow = opened(&here, &old).await;
    world.advance(60);
    assert!(slow.recheck().await.is_ok(), "it was opened within the grace");
    assert_eq!(new.who(&here).await.as_deref(), Some("ann"));
}

#[tokio::test]
async fn a_connection_that_outlives_two_refreshes_and_then_confirms_ends_nothing() {
    let world = World::new();
    let (here, there) = (node(&world), node(&world));
    let mut browser = logged_in(&here).await;
    let socket = opened(&here, &browser).await;
    for _ in 0..2 {
        world.advance(86_400 - 600);
        browser.who(&there).await;
        browser.who(&there).await;
    }
    assert!(socket.recheck().await.is_err());
    assert_eq!(browser.who(&there).await.as_deref(), Some("ann"));
}

#[tokio::test]
async fn a_bound_beyond_all_bounds_is_one() {
    let world = World::new();
    let sessions = world.builder().store(world.store.clone()).hybrid(Duration::MAX).build().unwrap();
    let mut browser = logged_in(&sessions).await;
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
}

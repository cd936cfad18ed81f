//! Automatic and explicit refresh, in both modes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use session_core::testing::TestRequest;
use session_core::{ErrorKind, Lifetimes, Revalidation, SessionManager};

use crate::faulty::Faulty;
use crate::support::{Browser, Trip, User, World, seconds, user};

/// Short, and as short as goes with the grace of 30 s.
fn short() -> Lifetimes {
    Lifetimes::default().max_age(seconds(180)).refresh_threshold(seconds(60))
}

/// Stateless, tracked and hybrid.
fn all_modes(world: &World) -> [SessionManager<User>; 3] {
    let builder = || world.builder().lifetimes(short());
    [
        builder().build().unwrap(),
        builder().store(world.store.clone()).build().unwrap(),
        builder().store(world.store.clone()).hybrid(seconds(30)).build().unwrap(),
    ]
}

async fn remaining(sessions: &SessionManager<User>, browser: &Browser) -> u64 {
    sessions.check_session_status(&browser.get("/session")).await.unwrap().remaining_time.as_secs()
}

/// Asks for a refresh and takes in the cookie. Whether there was one.
async fn refresh(sessions: &SessionManager<User>, browser: &mut Browser) -> bool {
    let outcome = sessions.refresh_session(&browser.post("/session/refresh")).await.unwrap();
    assert_eq!(outcome.token.is_some(), outcome.changes.set_cookie().is_some());
    browser.take(&outcome.changes)
}

in_every_mode! {
    async fn above_the_threshold_nothing_is_sent(world, sessions) {
        let browser = Browser::login(&sessions, user("ann")).await;
        world.advance(86_400 - 1_800);
        let outcome = sessions.get_session(&browser.get("/")).await.unwrap().unwrap();
        assert_eq!(outcome.changes.set_cookie(), None);
        assert!(!outcome.status().refresh_due);
    }
}

in_every_mode! {
    async fn below_the_threshold_a_new_cookie_is_sent_that_is_good_for_a_day(world, sessions) {
        let mut browser = Browser::login(&sessions, user("ann")).await;
        world.advance(86_400 - 1_799);
        let outcome = sessions.get_session(&browser.get("/")).await.unwrap().unwrap();
        assert!(outcome.changes.set_cookie().unwrap().contains("Max-Age=86400;"));
        assert_eq!(outcome.status().remaining_time.as_secs(), 86_400);
        browser.take(&outcome.changes);
        world.advance(80_000);
        assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    }
}

in_every_mode! {
    async fn an_explicit_refresh_answers_with_a_full_day(world, sessions) {
        let mut browser = Browser::login(&sessions, user("ann")).await;
        world.advance(1000);
        let outcome = sessions.refresh_session(&browser.post("/session/refresh")).await.unwrap();
        assert_eq!(outcome.status().remaining_time.as_secs(), 86_400);
        assert!(browser.take(&outcome.changes));
        assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    }
}

in_every_mode! {
    async fn a_login_s_cookie_can_be_refreshed_at_once(world, sessions) {
        let mut browser = Browser::login(&sessions, user("ann")).await;
        world.advance(1);
        assert!(refresh(&sessions, &mut browser).await);
        assert_eq!(remaining(&sessions, &browser).await, 86_400);
    }
}

in_every_mode! {
    async fn a_cookie_that_expires_during_its_request_is_not_refreshed(world, sessions) {
        let mut browser = Browser::login(&sessions, user("ann")).await;
        world.advance(86_400 - 1_800);
        let session = Trip::of(&sessions);
        session.receive(&browser.post("/a-long-upload"));
        session.open().await.unwrap();
        // The session goes on, in another tab.
        assert!(refresh(&sessions, &mut browser).await);
        world.advance(1_800);
        assert_eq!(session.refresh().await.unwrap_err().kind(), ErrorKind::Expired);
        assert_eq!(session.close(&()).set_cookie(), None);
        assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    }
}

/// In how many seconds a refresh can extend the session, as it says itself.
async fn refreshable_in(sessions: &SessionManager<User>, browser: &Browser) -> Option<u64> {
    let session = Trip::of(sessions);
    session.receive(&browser.get("/"));
    session.peek().await.unwrap();
    session.refreshable_in().map(|left| left.as_secs())
}

#[tokio::test]
async fn a_session_says_in_how_long_a_refresh_can_extend_it() {
    let world = World::new();
    let sessions = world.tracked();
    let mut browser = Browser::login(&sessions, user("ann")).await;
    assert_eq!(refreshable_in(&sessions, &browser).await, None, "at once");
    world.advance(60);
    assert!(refresh(&sessions, &mut browser).await);
    assert_eq!(refreshable_in(&sessions, &browser).await, Some(30), "nobody has used it yet");
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    world.advance(29);
    assert_eq!(refreshable_in(&sessions, &browser).await, Some(1));
    assert!(!refresh(&sessions, &mut browser).await);
    world.advance(1);
    assert_eq!(refreshable_in(&sessions, &browser).await, None);
    let predecessor = browser.clone();
    assert!(refresh(&sessions, &mut browser).await);
    world.advance(86_400 - 40);
    assert_eq!(refreshable_in(&sessions, &browser).await, None, "it would end before it may be used");
    assert_eq!(refreshable_in(&sessions, &predecessor).await, Some(30), "it is given the newest first");
}

#[tokio::test]
async fn a_session_says_that_no_refresh_passes_its_absolute_lifetime() {
    let world = World::new();
    let day = || Lifetimes::default().absolute_lifetime(seconds(86_400));
    let tracked = world.builder().lifetimes(day()).store(world.store.clone()).build().unwrap();
    for sessions in [world.builder().lifetimes(day()).build().unwrap(), tracked] {
        let browser = Browser::login(&sessions, user("ann")).await;
        world.advance(86_400 - 20);
        assert_eq!(refreshable_in(&sessions, &browser).await, Some(20));
    }
}

in_every_mode! {
    async fn a_refresh_without_a_session_is_refused(_world, sessions) {
        let outcome = sessions.refresh_session(&TestRequest::new("POST", "/")).await.map(drop);
        assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    }
}

in_every_mode! {
    async fn asking_for_the_status_never_refreshes(world, sessions) {
        let browser = Browser::login(&sessions, user("ann")).await;
        world.advance(86_400 - 100);
        let status = sessions.check_session_status(&browser.get("/session")).await.unwrap();
        assert!(status.is_valid && status.refresh_due);
        assert_eq!(status.remaining_time.as_secs(), 100);
        let session = Trip::of(&sessions);
        session.receive(&browser.get("/session"));
        session.peek().await.unwrap();
        assert_eq!(session.close(&()).set_cookie(), None);
    }
}

#[tokio::test]
async fn no_chain_of_refreshes_passes_the_absolute_lifetime() {
    let world = World::new();
    let lifetimes = Lifetimes::default().absolute_lifetime(seconds(3 * 86_400));
    let managers = [
        world.builder().lifetimes(lifetimes.clone()).build().unwrap(),
        world.builder().lifetimes(lifetimes).store(world.store.clone()).build().unwrap(),
    ];
    for sessions in managers {
        let mut browser = Browser::login(&sessions, user("ann")).await;
        let mut alive = 0;
        while browser.who(&sessions).await.is_some() {
            world.advance(600);
            alive += 600;
            assert!(alive <= 3 * 86_400, "still alive after {alive} s");
        }
        assert_eq!(alive, 3 * 86_400);
    }
}

in_every_mode! {
    async fn a_refresh_never_follows_a_logout_in_the_same_request(world, sessions) {
        let browser = Browser::login(&sessions, user("ann")).await;
        world.advance(86_400 - 100);
        let session = Trip::of(&sessions);
        session.receive(&browser.post("/logout"));
        session.open().await.unwrap();
        session.destroy().await.unwrap();
        assert_eq!(session.refresh().await.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
        assert!(session.close(&()).set_cookie().unwrap().contains("Max-Age=0"));
    }
}

#[tokio::test]
async fn a_front_end_that_only_refreshes_in_the_last_seconds_stays_logged_in() {
    for lead in [1, 10, 29, 30, 31, 59, 60] {
        let world = World::new();
        for sessions in all_modes(&world) {
            let mut browser = Browser::login(&sessions, user("ann")).await;
            for round in 0..10 {
                world.advance(remaining(&sessions, &browser).await - lead);
                assert!(refresh(&sessions, &mut browser).await, "{lead} s before the end, round {round}");
                assert_eq!(
                    remaining(&sessions, &browser).await,
                    180,
                    "{lead} s before the end, round {round}"
                );
            }
        }
    }
}

/// Holds a token that came with a refresh, was not used since, and has `left` seconds.
async fn near_its_end(world: &World, sessions: &SessionManager<User>, left: u64) -> Browser {
    let mut browser = Browser::login(sessions, user("ann")).await;
    world.advance(60);
    assert!(refresh(sessions, &mut browser).await);
    world.advance(180 - left);
    browser
}

#[tokio::test]
async fn the_status_tells_how_long_the_shown_token_lasts() {
    let world = World::new();
    let [_, sessions, hybrid] = all_modes(&world);
    let old = near_its_end(&world, &sessions, 20).await;
    let mut new = old.clone();
    assert!(refresh(&sessions, &mut new).await);
    for sessions in [sessions, hybrid] {
        assert_eq!((remaining(&sessions, &old).await, remaining(&sessions, &new).await), (20, 180));
    }
}

#[tokio::test]
async fn of_two_tokens_of_one_generation_the_longer_counts() {
    let world = World::new();
    let [_, sessions, _] = all_modes(&world);
    let old = near_its_end(&world, &sessions, 20).await;
    let mut new = old.clone();
    assert!(refresh(&sessions, &mut new).await);
    for pair in [format!("{}; {}", old.cookie(), new.cookie()), format!("{}; {}", new.cookie(), old.cookie())]
    {
        assert_eq!(remaining(&sessions, &Browser::holding(&pair)).await, 180);
    }
}

#[tokio::test]
async fn hybrid_mode_asks_the_store_about_a_token_that_was_extended_since() {
    let world = World::new();
    let store = Faulty::default();
    let lifetimes = || short().refresh_threshold(seconds(31));
    let node =
        || world.builder().lifetimes(lifetimes()).store(store.clone()).hybrid(seconds(15)).build().unwrap();
    let (here, there) = (node(), node());
    let mut browser = near_its_end(&world, &here, 50).await;
    for _ in 0..2 {
        assert_eq!(browser.who(&here).await.as_deref(), Some("ann"));
    }
    // No refresh is due, and this process has the record; then the token is extended in another one.
    let mut old = browser.clone();
    assert!(refresh(&there, &mut browser).await);
    for shown in [&mut browser, &mut old] {
        store.calls.swap(0, Ordering::SeqCst);
        assert_eq!(shown.who(&here).await.as_deref(), Some("ann"));
        assert!(store.calls.load(Ordering::SeqCst) > 0);
    }
}

#[tokio::test]
async fn an_extension_asks_whether_the_account_may_go_on() {
    let world = World::new();
    let disabled = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&disabled);
    let sessions = world.builder().lifetimes(short()).store(world.store.clone()).revalidate(move |_| {
        let ended = asked.load(Ordering::SeqCst);
        async move { if ended { Revalidation::End } else { Revalidation::Keep } }
    });
    let sessions = sessions.build().unwrap();
    let browser = near_its_end(&world, &sessions, 20).await;
    disabled.store(true, Ordering::SeqCst);
    let refused = sessions.refresh_session(&browser.post("/session/refresh")).await.map(drop);
    assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    disabled.store(false, Ordering::SeqCst);
    assert_eq!(browser.clone().who(&sessions).await, None, "the session has ended");
}

#[tokio::test]
async fn tabs_that_refresh_together_near_the_end_share_one_write_and_one_token() {
    let world = World::new();
    let store = Faulty::default();
    let sessions = world.builder().lifetimes(short()).store(store.clone()).build().unwrap();
    let browser = near_its_end(&world, &sessions, 20).await;
    store.calls.swap(0, Ordering::SeqCst);
    let mut cookies = Vec::new();
    for _ in 0..40 {
        let mut tab = browser.clone();
        assert!(refresh(&sessions, &mut tab).await);
        cookies.push(tab.cookie().to_owned());
    }
    cookies.dedup();
    assert_eq!(cookies.len(), 1);
    // One read each; the first one moves last-seen on, confirms the token, and extends it.
    assert_eq!(store.calls.swap(0, Ordering::SeqCst), 40 + 3);
}

#[tokio::test]
async fn a_refresh_that_gains_nothing_sends_nothing_in_every_mode() {
    let world = World::new();
    for sessions in all_modes(&world) {
        let mut browser = Browser::login(&sessions, user("ann")).await;
        assert!(!refresh(&sessions, &mut browser).await, "in the same second");
    }
    let lifetimes = short().absolute_lifetime(seconds(180));
    for builder in [world.builder(), world.builder().store(world.store.clone())] {
        let sessions = builder.lifetimes(lifetimes.clone()).build().unwrap();
        let mut browser = Browser::login(&sessions, user("ann")).await;
        world.advance(170);
        assert!(!refresh(&sessions, &mut browser).await, "at the absolute end");
    }
}

//! Automatic and explicit refresh, in both modes.

use session_core::testing::TestRequest;
use session_core::{ErrorKind, Lifetimes};

use crate::support::{Browser, World, seconds, user};

#[tokio::test]
async fn above_the_threshold_nothing_is_sent() {
    let world = World::new();
    for sessions in world.both() {
        let browser = Browser::login(&sessions, user("ann")).await;
        world.advance(86_400 - 1_800);
        let outcome = sessions.get_session(&browser.get("/")).await.unwrap().unwrap();
        assert_eq!(outcome.changes.set_cookie(), None);
        assert!(!outcome.status().refresh_due);
    }
}

#[tokio::test]
async fn below_the_threshold_a_new_cookie_is_sent_that_is_good_for_a_day() {
    let world = World::new();
    for sessions in world.both() {
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

#[tokio::test]
async fn an_explicit_refresh_answers_with_a_full_day() {
    let world = World::new();
    for sessions in world.both() {
        let mut browser = Browser::login(&sessions, user("ann")).await;
        world.advance(1000);
        let outcome = sessions.refresh_session(&browser.post("/session/refresh")).await.unwrap();
        assert_eq!(outcome.status().remaining_time.as_secs(), 86_400);
        assert!(browser.take(&outcome.changes));
        assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    }
}

#[tokio::test]
async fn a_refresh_without_a_session_is_refused() {
    for sessions in World::new().both() {
        let outcome = sessions.refresh_session(&TestRequest::new("POST", "/")).await.map(drop);
        assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    }
}

#[tokio::test]
async fn asking_for_the_status_never_refreshes() {
    let world = World::new();
    for sessions in world.both() {
        let browser = Browser::login(&sessions, user("ann")).await;
        world.advance(86_400 - 100);
        let status = sessions.check_session_status(&browser.get("/session")).await.unwrap();
        assert!(status.is_valid && status.refresh_due);
        assert_eq!(status.remaining_time.as_secs(), 100);
        let session = sessions.slot();
        session.receive(&browser.get("/session"));
        session.observe().await.unwrap();
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

#[tokio::test]
async fn a_refresh_never_follows_a_logout_in_the_same_request() {
    let world = World::new();
    for sessions in world.both() {
        let browser = Browser::login(&sessions, user("ann")).await;
        world.advance(86_400 - 100);
        let session = sessions.slot();
        session.receive(&browser.post("/logout"));
        session.open().await.unwrap();
        session.destroy().await.unwrap();
        assert_eq!(session.refresh().await.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
        assert!(session.close(&()).set_cookie().unwrap().contains("Max-Age=0"));
    }
}

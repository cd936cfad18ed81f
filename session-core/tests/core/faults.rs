//! A store that fails: nobody is logged out, nothing is claimed, nothing is cleared.

use std::sync::atomic::Ordering;

use session_core::testing::TestRequest;
use session_core::{ErrorKind, Revalidation};

use crate::faulty::Faulty;
use crate::support::{Browser, Trip, World, user};

#[tokio::test]
async fn an_outage_is_an_error_and_not_an_anonymous_visitor() {
    let (world, store) = (World::new(), Faulty::default());
    let sessions = world.tracked_on(store.clone());
    let mut browser = Browser::login(&sessions, user("ann")).await;
    store.down.store(true, Ordering::SeqCst);
    let error = sessions.get_session(&browser.get("/")).await.map(drop).unwrap_err();
    assert_eq!(
        (error.kind(), error.status(), error.is_retryable()),
        (ErrorKind::StoreUnavailable, 503, true)
    );
    let response = error.to_response();
    assert!(response.headers.contains(&("retry-after", "1".into())));
    let status = sessions.check_session_status(&browser.get("/")).await;
    assert_eq!(status.map_err(|error| error.kind()), Err(ErrorKind::StoreUnavailable));
    store.down.store(false, Ordering::SeqCst);
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"), "it recovers by itself");
}

#[tokio::test]
async fn login_and_logout_do_not_claim_success_and_touch_no_cookie() {
    let (world, store) = (World::new(), Faulty::default());
    let sessions = world.tracked_on(store.clone());
    let browser = Browser::login(&sessions, user("ann")).await;
    store.read_only.store(true, Ordering::SeqCst);
    let session = Trip::of(&sessions);
    session.receive(&browser.post("/logout"));
    session.open().await.unwrap();
    assert_eq!(session.destroy().await.map_err(|error| error.kind()), Err(ErrorKind::StoreUnavailable));
    assert_eq!(
        session.create(user("bob")).await.map_err(|error| error.kind()),
        Err(ErrorKind::StoreUnavailable)
    );
    assert_eq!(session.user().map(|user| user.user_id.clone()).as_deref(), Some("ann"));
    assert_eq!(session.close(&()).set_cookie(), None);
}

#[tokio::test]
async fn a_store_that_lost_its_index_leaves_out_nobody_who_asks() {
    let (world, store) = (World::new(), Faulty::default());
    let sessions = world.tracked_on(store.clone());
    let mut browser = Browser::login(&sessions, user("ann")).await;
    store.lost_index.store(true, Ordering::SeqCst);
    let session = Trip::of(&sessions);
    session.receive(&browser.post("/"));
    let devices = session.list().await.unwrap();
    assert!(devices.len() == 1 && devices[0].current, "{devices:?}");
    assert_eq!(session.revoke_others().await.unwrap(), 0);
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    assert!(session.revoke(&devices[0].id).await.unwrap());
    assert_eq!(browser.who(&sessions).await, None);

    let other = Browser::login(&sessions, user("ann")).await;
    let session = Trip::of(&sessions);
    session.receive(&other.post("/"));
    assert_eq!(session.revoke_all().await.unwrap(), 1, "the one that asks");
}

#[tokio::test]
async fn a_session_that_ended_meanwhile_is_not_listed() {
    let (world, store) = (World::new(), Faulty::default());
    let sessions = world.tracked_on(store.clone());
    let browser = Browser::login(&sessions, user("ann")).await;
    let session = Trip::of(&sessions);
    session.receive(&browser.post("/"));
    session.open().await.unwrap();
    sessions.revoke_account("ann").await.unwrap();
    assert_eq!(session.list().await.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
}

#[tokio::test]
async fn an_anonymous_visitor_needs_no_store() {
    let (world, store) = (World::new(), Faulty::default());
    let sessions = world.tracked_on(store.clone());
    store.down.store(true, Ordering::SeqCst);
    assert!(sessions.get_session(&TestRequest::new("GET", "/")).await.unwrap().is_none());
    assert!(sessions.destroy_session(&TestRequest::new("POST", "/")).await.is_ok());
    assert_eq!(store.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_failed_automatic_refresh_does_not_fail_the_request() {
    let (world, store) = (World::new(), Faulty::default());
    let sessions = world.tracked_on(store.clone());
    let browser = Browser::login(&sessions, user("ann")).await;
    world.advance(86_400 - 100);
    store.read_only.store(true, Ordering::SeqCst);
    let outcome = sessions.get_session(&browser.get("/")).await.unwrap().unwrap();
    assert_eq!(outcome.changes.set_cookie(), None);
    let explicit = sessions.refresh_session(&browser.post("/")).await.map(drop);
    assert_eq!(explicit.map_err(|error| error.kind()), Err(ErrorKind::StoreUnavailable));
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_given_up_at_the_deadline() {
    let (world, store) = (World::new(), Faulty::default());
    let sessions = world.tracked_on(store.clone());
    let browser = Browser::login(&sessions, user("ann")).await;
    store.hangs.store(true, Ordering::SeqCst);
    let error = sessions.get_session(&browser.get("/")).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    assert!(error.to_string().contains("2000 ms"), "{error}");
}

#[tokio::test]
async fn a_login_is_one_call_and_a_read_is_one_call() {
    let (world, store) = (World::new(), Faulty::default());
    let sessions = world.tracked_on(store.clone());
    let browser = Browser::login(&sessions, user("ann")).await;
    assert_eq!(store.calls.swap(0, Ordering::SeqCst), 1);
    browser.clone().who(&sessions).await;
    assert_eq!(store.calls.swap(0, Ordering::SeqCst), 1);
    let slot = Trip::of(&sessions);
    slot.receive(&browser.get("/"));
    assert!(slot.close(&()).is_empty());
    assert_eq!(store.calls.load(Ordering::SeqCst), 0, "nobody asked");
}

#[tokio::test]
async fn a_disabled_account_is_not_served_because_its_end_cannot_be_written() {
    let (world, store) = (World::new(), Faulty::default());
    let end = async |_| Revalidation::End;
    let sessions = world.builder().store(store.clone()).revalidate(end).build().unwrap();
    let browser = Browser::login(&sessions, user("ann")).await;
    world.advance(86_400 - 600);
    store.read_only.store(true, Ordering::SeqCst);
    let outcome = sessions.get_session(&browser.get("/")).await;
    assert_eq!(outcome.map(drop).map_err(|error| error.kind()), Err(ErrorKind::StoreUnavailable));
    store.read_only.store(false, Ordering::SeqCst);
    assert!(sessions.get_session(&browser.get("/")).await.unwrap().is_none());
}

/// A visitor shows sixteen sessions at once, all gone: that costs two reads.
#[tokio::test]
async fn of_many_sessions_in_one_request_two_are_looked_up() {
    let (world, store) = (World::new(), Faulty::default());
    let sessions = world.tracked_on(store.clone());
    let mut cookies = Vec::new();
    for _ in 0..16 {
        cookies.push(Browser::login(&sessions, user("ann")).await.cookie().to_owned());
    }
    sessions.revoke_everyone().await.unwrap();
    let before = store.calls.load(Ordering::SeqCst);
    assert_eq!(Browser::holding(&cookies.join("; ")).who(&sessions).await, None);
    assert_eq!(store.calls.load(Ordering::SeqCst) - before, 2);
}

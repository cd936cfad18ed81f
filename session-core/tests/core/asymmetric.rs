//! Keys whose checks are expensive: a request buys few of them.

use std::sync::{Arc, Mutex};

use session_core::testing::{ManualClock, TestRequest, logged_in_cookie};
use session_core::{Key, KeyRing, SessionEvent, SessionManager};

use crate::support::{START, User, user};

const ED25519: &str = include_str!("../../src/token/tests/keys/ed25519.pem");

/// A manager, and the reasons of its refusals.
fn manager() -> (SessionManager<User>, Arc<Mutex<Vec<String>>>) {
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&reasons);
    let sessions = SessionManager::builder()
        .keys(KeyRing::new(Key::ed25519_pem(ED25519).unwrap()).unwrap())
        .clock(ManualClock::at(START))
        .observer(move |event: &SessionEvent| told.lock().unwrap().extend(event.detail.clone()))
        .build()
        .unwrap();
    (sessions, reasons)
}

/// The cookie of a login, and one of the same claims with the signature of another.
async fn good_and_bad(sessions: &SessionManager<User>) -> (String, String) {
    let good = logged_in_cookie(sessions, user("ann")).await.unwrap();
    let other = logged_in_cookie(sessions, user("ann")).await.unwrap();
    let (signed, signature) = (good.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1);
    let bad = format!("{signed}.{signature}");
    (good, bad)
}

#[tokio::test]
async fn sixteen_cookies_of_a_request_buy_four_checks() {
    let (sessions, reasons) = manager();
    let (_, bad) = good_and_bad(&sessions).await;
    let request = TestRequest::new("GET", "/").cookie(&vec![bad; 16].join("; "));
    reasons.lock().unwrap().clear();
    assert!(sessions.get_session(&request).await.unwrap().is_none());
    let reasons = reasons.lock().unwrap();
    let count = |reason: &str| reasons.iter().filter(|told| *told == reason).count();
    assert_eq!(count("the signature does not verify"), 4, "{reasons:?}");
    assert_eq!(count("the request has brought too many wrong signatures"), 12, "{reasons:?}");
}

#[tokio::test]
async fn a_good_token_behind_three_bad_ones_is_found() {
    let (sessions, _) = manager();
    let (good, bad) = good_and_bad(&sessions).await;
    for (bad_ones, found) in [(0, true), (3, true), (4, false)] {
        let mut cookies = vec![bad.clone(); bad_ones];
        cookies.push(good.clone());
        let request = TestRequest::new("GET", "/").cookie(&cookies.join("; "));
        assert_eq!(sessions.get_session(&request).await.unwrap().is_some(), found, "behind {bad_ones}");
    }
}

//! However many requests bring one old cookie, and to whatever node: there is one new one.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use session_core::testing::{TestRequest, logged_in_cookie};

use super::backend::on_each_backend;
use super::fleet::Fleet;
use crate::harness::User;
use crate::wire::{Connection, Request, Response};

const REQUESTS: usize = 200;
const MAX_AGE: u64 = 24 * 3600;
const THRESHOLD: u64 = 30 * 60;

on_each_backend! {
    parallel_requests_with_a_cookie_about_to_expire_get_one_new_token_by_one_write
}

async fn parallel_requests_with_a_cookie_about_to_expire_get_one_new_token_by_one_write(fleet: &Fleet) {
    let cookie = about_to_expire(fleet, "patient").await;
    let before = fleet.records_of("patient").await.pop().unwrap();

    let answers = parallel(fleet, &cookie).await;
    let given: BTreeSet<&str> = answers.iter().map(Response::cookie_value).collect();
    assert_eq!(given.len(), 1, "one new token, and everybody gets it");
    let new = given.into_iter().next().unwrap();
    let after = fleet.records_of("patient").await.pop().unwrap();
    assert_eq!((after.generation, after.version), (before.generation + 1, before.version + 1), "one write");

    let new = format!("__Host-session={new}");
    assert_ne!(new, cookie);
    for answer in parallel(fleet, &new).await {
        answer.expect_no_cookie();
    }
    let used = fleet.records_of("patient").await.pop().unwrap();
    assert_eq!(
        (used.generation, used.version),
        (after.generation, after.version + 1),
        "its first use is one more"
    );
    for answer in parallel(fleet, &cookie).await {
        answer.expect_no_cookie();
    }
    assert_eq!(
        fleet.records_of("patient").await.pop().unwrap(),
        used,
        "the old one changes nothing any more"
    );
}

/// A cookie that the nodes' clocks find ten seconds below the threshold, of a session that was seen just now, so that
/// noting it as seen is not due.
async fn about_to_expire(fleet: &Fleet, name: &str) -> String {
    let (sessions, clock) = fleet.member().await;
    let now = session_core::Clock::now(&clock);
    clock.set(now.minus(Duration::from_secs(MAX_AGE - THRESHOLD + 10)));
    let cookie = logged_in_cookie(&sessions, User::named(name)).await.unwrap();
    clock.set(now.minus(Duration::from_secs(20)));
    let seen = sessions.get_session(&TestRequest::new("GET", "/me").cookie(&cookie)).await.unwrap();
    assert!(seen.is_some());
    cookie
}

async fn parallel(fleet: &Fleet, cookie: &str) -> Vec<Response> {
    let requests = fleet.nodes.iter().cycle().take(REQUESTS).map(|node| async {
        let request = Request::get("/me").cookie(cookie);
        Connection::open(node.address).await.unwrap().exchange(&request).await.unwrap().expect(200)
    });
    join_all(requests).await
}

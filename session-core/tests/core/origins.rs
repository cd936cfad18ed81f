//! What the operator learns of a request from another origin: it may be an attack, or a proxy that changes `Host`.

use session_core::testing::TestRequest;
use session_core::{CrossOrigin, ErrorKind};

use crate::security::Log;
use crate::support::{World, user};

/// A login as a browser sends it through a proxy that puts its own name for the service into `Host`.
fn behind_a_careless_proxy() -> TestRequest {
    TestRequest::new("POST", "/login")
        .header("origin", "https://app.example")
        .from_peer([192, 0, 2, 7].into())
}

#[tokio::test]
async fn a_refusal_is_a_warning_that_names_both_headers_and_the_remedy() {
    let log = Log::default();
    let _capture = tracing::subscriber::set_default(log.clone());
    let world = World::new();
    let sessions = world.tracked();
    let login = sessions.create_session(user("ann"), &behind_a_careless_proxy()).await;
    let from_login = login.map(drop).unwrap_err();
    let from_check = sessions.check_origin(&behind_a_careless_proxy()).unwrap_err();
    for error in [from_login, from_check] {
        assert_eq!(error.kind(), ErrorKind::CrossOrigin);
        let body = String::from_utf8(error.to_response().body).unwrap();
        assert!(!body.contains("app.example"), "the client learns nothing: {body}");
    }
    let log = log.0.lock().unwrap().clone();
    assert_eq!(log.lines().count(), 2);
    for line in log.lines() {
        for part in [
            "WARN ",
            "Origin: https://app.example",
            "Host: example.test",
            "the proxy pass the Host",
            "CrossOrigin::trust",
        ] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }
    let events = world.events.lock().unwrap();
    assert!(events.iter().all(|event| event.reason == Some(ErrorKind::CrossOrigin)));
    assert!(events.iter().all(|event| event.ip_address == Some([192, 0, 2, 7].into())));
}

#[tokio::test]
async fn a_flood_of_them_is_ten_warnings_a_minute_and_a_count() {
    let log = Log::default();
    let _capture = tracing::subscriber::set_default(log.clone());
    let world = World::new();
    let sessions = world.stateless();
    let flood = || (0..500).filter(|_| sessions.check_origin(&behind_a_careless_proxy()).is_err()).count();
    let warnings = || {
        let log = std::mem::take(&mut *log.0.lock().unwrap());
        log.lines().filter(|line| line.starts_with("WARN ")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!((flood(), warnings().len()), (500, 10));
    world.advance(59);
    assert_eq!((flood(), warnings().len()), (500, 0));
    world.advance(1);
    assert_eq!(flood(), 500);
    let after = warnings();
    assert!(after.len() == 10 && after[0].contains("; 990 more since the last warning"), "{after:?}");
    assert_eq!(world.events.lock().unwrap().len(), 1500, "the observer sees each");
}

#[tokio::test]
async fn the_check_without_a_session_lets_a_bearer_pass_as_sessions_do() {
    let world = World::new();
    let request = behind_a_careless_proxy().header("authorization", "Bearer a.b.c");
    assert!(world.stateless().check_origin(&request).is_err(), "bearer is off");
    world.builder().bearer(true).build().unwrap().check_origin(&request).unwrap();
}

#[tokio::test]
async fn a_trusted_origin_is_trusted_in_any_spelling() {
    let world = World::new();
    let trusting = CrossOrigin::default().trust("HTTPS://App.Example:443").unwrap();
    let sessions = world.builder().cross_origin(trusting).build().unwrap();
    sessions.check_origin(&behind_a_careless_proxy()).unwrap();
    let login = behind_a_careless_proxy().header("sec-fetch-site", "cross-site");
    let _ = sessions.create_session(user("ann"), &login).await.unwrap();
}

//! Native clients with `Authorization: Bearer`.

use session_core::testing::{TestRequest, logged_in_cookie};
use session_core::{
    ErrorKind, Guard, Lifetimes, Session, SessionError, SessionManager, Timestamp, adapter::routes,
};

use crate::support::{Browser, Trip, User, World, seconds, user};

#[tokio::test]
async fn a_bearer_token_is_a_session_only_when_the_option_is_on() {
    let world = World::new();
    let (on, off) = (world.builder().bearer(true).build().unwrap(), world.stateless());
    let token =
        on.create_session(user("ann"), &TestRequest::new("POST", "/login")).await.unwrap().token.unwrap();
    let request =
        || TestRequest::new("GET", "/").header("authorization", format!("Bearer {}", token.expose()));
    assert!(on.get_session(&request()).await.unwrap().is_some());
    assert!(off.get_session(&request()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_bad_bearer_decides_alone_whatever_the_cookie_says() {
    let sessions = World::new().builder().bearer(true).build().unwrap();
    let cookie = logged_in_cookie(&sessions, user("ann")).await.unwrap();
    let request = TestRequest::new("GET", "/").cookie(&cookie).header("authorization", "Bearer wrong");
    assert!(sessions.get_session(&request).await.unwrap().is_none());
}

#[tokio::test]
async fn a_bearer_sets_no_cookie_knows_no_other_origin_and_is_never_refreshed_by_itself() {
    let world = World::new();
    for sessions in [
        world.builder().bearer(true).build().unwrap(),
        world.builder().bearer(true).store(world.store.clone()).build().unwrap(),
    ] {
        let token = sessions
            .create_session(user("ann"), &TestRequest::new("POST", "/login"))
            .await
            .unwrap()
            .token
            .unwrap();
        world.advance(86_400 - 100);
        let session = Trip::of(&sessions);
        let request = TestRequest::new("POST", "/session/refresh").header("origin", "https://app.example");
        session.receive(&request.header("authorization", format!("Bearer {}", token.expose())));
        session.open().await.unwrap();
        assert_eq!(session.status().remaining_time.as_secs(), 100);
        let response = routes::answer(session.incoming(), "POST", "/refresh").await;
        assert_eq!(response.status, 200);
        let header = response.headers.iter().find(|(name, _)| *name == "session-token");
        assert!(header.is_some_and(|(_, value)| **value != *token.expose()));
        assert_eq!(session.close(&()).set_cookie(), None);
    }
}

#[tokio::test]
async fn two_bearers_that_contradict_each_other_are_refused() {
    let sessions = World::new().builder().bearer(true).build().unwrap();
    let browser = Browser::login(&sessions, user("ann")).await;
    let session = Trip::of(&sessions);
    session
        .receive(&browser.get("/").header("authorization", "Bearer a").header("authorization", "Bearer b"));
    assert_eq!(session.open().await.map_err(|error| error.kind()), Err(ErrorKind::TokenInvalid));
}

/// What a native client sends with this token.
fn with(token: &str, method: &str) -> TestRequest {
    TestRequest::new(method, "/").header("authorization", format!("Bearer {token}"))
}

async fn token_of(sessions: &SessionManager<User>) -> String {
    let outcome = sessions.create_session(user("ann"), &TestRequest::new("POST", "/login")).await.unwrap();
    outcome.token.unwrap().expose().to_owned()
}

#[tokio::test]
async fn a_bearer_in_use_keeps_its_session_alive_under_an_idle_timeout() {
    let world = World::new();
    let lifetimes = Lifetimes::default().idle_timeout(seconds(900));
    let sessions =
        world.builder().bearer(true).lifetimes(lifetimes).store(world.store.clone()).build().unwrap();
    let token = token_of(&sessions).await;
    for _ in 0..10 {
        world.advance(800);
        assert!(sessions.get_session(&with(&token, "GET")).await.unwrap().is_some());
    }
    world.advance(900);
    assert!(sessions.get_session(&with(&token, "GET")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_replaced_bearer_is_a_replay_once_its_successor_was_used() {
    let world = World::new();
    let sessions = world.builder().bearer(true).store(world.store.clone()).build().unwrap();
    let old = token_of(&sessions).await;
    world.advance(3600);
    let outcome = sessions.refresh_session(&with(&old, "POST")).await.unwrap();
    let new = outcome.token.unwrap().expose().to_owned();
    assert_ne!(old, new);
    // The answer may have been lost: the old one is good, and asks for the same successor.
    assert!(sessions.get_session(&with(&old, "GET")).await.unwrap().is_some());
    let again = sessions.refresh_session(&with(&old, "POST")).await.unwrap();
    assert_eq!(again.token.unwrap().expose(), new);
    assert!(sessions.get_session(&with(&new, "GET")).await.unwrap().is_some(), "its first use");
    world.advance(29);
    assert!(sessions.get_session(&with(&old, "GET")).await.unwrap().is_some());
    world.advance(1);
    assert!(sessions.get_session(&with(&old, "GET")).await.unwrap().is_none());
    assert!(sessions.get_session(&with(&new, "GET")).await.unwrap().is_none(), "ended for both");
    assert!(world.event_names().contains(&"replay_detected"));
}

/// Refuses with an error that knows nothing of the request.
struct Nobody;

impl Guard for Nobody {
    type Payload = User;

    async fn check(_: Session<User>) -> Result<Self, SessionError> {
        Err(SessionError::forbidden("nobody may", Timestamp::from_unix_seconds(0)))
    }
}

#[tokio::test]
async fn a_guard_of_the_application_challenges_a_bearer_whatever_error_it_makes() {
    let world = World::new();
    let sessions = world.builder().bearer(true).build().unwrap();
    let challenge = async |request: TestRequest| {
        let session = Trip::of(&sessions);
        session.receive(&request);
        let refused = session.extract::<Nobody>().await.map(drop).unwrap_err().to_response();
        refused.headers.into_iter().find(|(name, _)| *name == "www-authenticate").map(|(_, value)| value)
    };
    let request = TestRequest::new("GET", "/");
    let bearer = request.clone().header("authorization", "Bearer a.b.c");
    assert_eq!(challenge(bearer).await.as_deref(), Some("Bearer error=\"insufficient_scope\""));
    assert_eq!(challenge(request).await, None);
}

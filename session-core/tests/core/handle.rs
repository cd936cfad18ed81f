//! The handle of one request: opened once, closed once.

use std::time::Duration;

use session_core::testing::{TestRequest, logged_in_cookie};
use session_core::{
    Authenticated, CookieSettings, ErrorKind, Fresh, Guard, MaybeAuthenticated, Session,
    adapter::{HeaderChange, Headers, Slots},
};

use crate::support::{Browser, Trip, User, World, user};

/// Headers of an answer that is on its way out.
struct CacheControl(&'static str);

impl Headers for CacheControl {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        (name == "cache-control").then_some(self.0.as_bytes()).into_iter()
    }
}

fn lines(changes: &session_core::adapter::ResponseChanges) -> Vec<&'static str> {
    changes.iter().map(session_core::adapter::HeaderChange::name).collect()
}

in_every_mode! {
    async fn a_request_that_asks_for_nothing_changes_nothing(_world, sessions) {
        assert!(Trip::of(&sessions).close(&()).is_empty());
    }
}

in_every_mode! {
    async fn an_answer_that_opened_the_session_varies_and_is_private(_world, sessions) {
        let session = Trip::of(&sessions);
        session.receive(&TestRequest::new("GET", "/"));
        let _ = session.open().await;
        assert_eq!(lines(&session.close(&())), ["vary", "cache-control"]);
        let session = Trip::of(&sessions);
        session.receive(&TestRequest::new("GET", "/"));
        let _ = session.open().await;
        assert_eq!(lines(&session.close(&CacheControl("public, max-age=60"))), ["vary"]);
    }
}

in_every_mode! {
    async fn an_answer_for_somebody_is_not_stored_unless_its_handler_says_more(_world, sessions) {
        let browser = Browser::login(&sessions, user("ann")).await;
        let cache_control = async |request: TestRequest, said: &'static str| {
            let session = Trip::of(&sessions);
            session.receive(&request);
            let _ = session.open().await;
            let changes =
                if said.is_empty() { session.close(&()) } else { session.close(&CacheControl(said)) };
            changes.into_iter().find_map(|change| match change {
                HeaderChange::Set("cache-control", value) => Some(value),
                _ => None,
            })
        };
        assert_eq!(cache_control(browser.get("/"), "").await.as_deref(), Some("no-store"));
        assert_eq!(cache_control(browser.get("/"), "private, no-cache").await, None);
        assert_eq!(cache_control(TestRequest::new("GET", "/"), "").await.as_deref(), Some("private"));
    }
}

in_every_mode! {
    async fn a_handle_that_outlives_its_request_asks_again(world, sessions) {
        let browser = Browser::login(&sessions, user("ann")).await;
        let socket = Trip::of(&sessions);
        socket.receive(&browser.get("/socket"));
        socket.open().await.unwrap();
        let _ = socket.close(&());
        assert_eq!(socket.still_open().await.unwrap().unwrap().user_id, "ann");
        assert_eq!(world.event_names(), ["created"]);
        browser.log_out(&sessions).await;
        assert!(socket.still_open().await.unwrap().is_none());
        assert!(socket.still_open().await.unwrap().is_none());
    }

    async fn a_handle_that_outlives_its_session_says_so(world, sessions) {
        let browser = Browser::login(&sessions, user("ann")).await;
        let socket = Trip::of(&sessions);
        socket.receive(&browser.get("/socket"));
        socket.open().await.unwrap();
        world.advance(86_400);
        assert!(socket.still_open().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_handle_asks_for_its_session_and_not_for_its_token_and_sees_what_changed() {
    let world = World::new();
    let sessions = world.tracked();
    let mut browser = Browser::login(&sessions, user("ann")).await;
    let socket = Trip::of(&sessions);
    socket.receive(&browser.get("/socket"));
    socket.open().await.unwrap();
    world.advance(86_400 - 60);
    browser.who(&sessions).await;
    browser.who(&sessions).await;
    world.advance(3600);
    assert_eq!(sessions.update_account("ann", |user| user.visits = 7).await.unwrap(), 1);
    assert_eq!(socket.still_open().await.unwrap().unwrap().visits, 7);
}

/// What the handler has loaded is on its way all the same.
#[tokio::test]
async fn nor_is_one_whose_session_ended_elsewhere_meanwhile() {
    let sessions = World::new().tracked();
    let browser = Browser::login(&sessions, user("ann")).await;
    let session = Trip::of(&sessions);
    session.receive(&browser.get("/"));
    session.open().await.unwrap();
    sessions.revoke_account("ann").await.unwrap();
    assert!(session.update(|user| user.visits += 1).await.is_err());
    let changes: Vec<_> = session.close(&()).into_iter().collect();
    assert!(changes.contains(&HeaderChange::Set("cache-control", "no-store".into())), "{changes:?}");
}

in_every_mode! {
    async fn an_answer_with_our_cookie_is_not_stored(_world, sessions) {
        for (set_before, expected) in
            [("public", vec!["set-cookie", "cache-control"]), ("private, No-Store", vec!["set-cookie"])]
        {
            let session = Trip::of(&sessions);
            session.receive(&TestRequest::new("POST", "/login"));
            session.create(user("ann")).await.unwrap();
            assert_eq!(lines(&session.close(&CacheControl(set_before))), expected);
        }
    }
}

#[tokio::test]
async fn after_the_response_no_operation_that_needs_a_cookie_touches_the_store() {
    let world = World::new();
    let sessions = world.tracked();
    let browser = Browser::login(&sessions, user("ann")).await;
    let session = Trip::of(&sessions);
    session.receive(&browser.get("/stream"));
    session.open().await.unwrap();
    let _ = session.close(&());
    assert_eq!(session.create(user("bob")).await.map_err(|error| error.kind()), Err(ErrorKind::ResponseSent));
    assert_eq!(session.refresh().await.map(drop).map_err(|error| error.kind()), Err(ErrorKind::ResponseSent));
    assert_eq!(session.reauthenticate().await.map_err(|error| error.kind()), Err(ErrorKind::ResponseSent));
    assert_eq!(session.update(|user| user.visits += 1).await.unwrap().visits, 1, "the store takes it");
    assert!(session.destroy().await.is_ok());
    assert!(world.store.is_empty());
}

#[tokio::test]
async fn without_a_store_an_update_after_the_response_is_refused() {
    let sessions = World::new().stateless();
    let browser = Browser::login(&sessions, user("ann")).await;
    let session = Trip::of(&sessions);
    session.receive(&browser.get("/stream"));
    session.open().await.unwrap();
    let _ = session.close(&());
    let outcome = session.update(|user| user.visits += 1).await;
    assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::ResponseSent));
}

in_every_mode! {
    async fn a_panic_in_a_handler_sends_no_cookie(_world, sessions) {
        let session = Trip::of(&sessions);
        session.receive(&TestRequest::new("POST", "/login"));
        let handler = session.clone();
        let outcome = tokio::spawn(async move {
            handler.create(user("ann")).await.unwrap();
            panic!("as the test wants it");
        })
        .await;
        assert!(outcome.is_err());
        assert_eq!(session.close(&()).set_cookie(), None);
    }
}

#[tokio::test]
async fn parallel_extractors_share_one_open() {
    let sessions = World::new().tracked();
    let browser = Browser::login(&sessions, user("ann")).await;
    let session = Trip::of(&sessions);
    session.receive(&browser.get("/"));
    let (one, two) =
        tokio::join!(session.extract::<Authenticated<User>>(), session.extract::<MaybeAuthenticated<User>>());
    assert_eq!(one.unwrap().user_id, "ann");
    assert_eq!(two.unwrap().user().map(|user| user.user_id.as_str()), Some("ann"));
}

in_every_mode! {
    async fn guards_tell_401_403_and_anonymous_apart(_world, sessions) {
        let kind = async |request: TestRequest| {
            let session = Trip::of(&sessions);
            session.receive(&request);
            let authenticated =
                session.extract::<Authenticated<User>>().await.map(drop).map_err(|error| error.kind());
            let maybe =
                session.extract::<MaybeAuthenticated<User>>().await.map(MaybeAuthenticated::into_inner);
            (authenticated, maybe.map_err(|error| error.kind()))
        };
        assert_eq!(kind(TestRequest::new("GET", "/")).await, (Err(ErrorKind::NotFound), Ok(None)));
        let forged = TestRequest::new("POST", "/").header("origin", "https://evil.example");
        assert_eq!(kind(forged).await, (Err(ErrorKind::CrossOrigin), Err(ErrorKind::CrossOrigin)));
    }
}

in_every_mode! {
    async fn a_fresh_guard_asks_for_a_recent_login(world, sessions) {
        let browser = Browser::login(&sessions, user("ann")).await;
        let check = async || {
            let session = Trip::of(&sessions);
            session.receive(&browser.get("/"));
            session.extract::<Fresh<User, 300>>().await.map(drop).map_err(|error| error.kind())
        };
        world.advance(299);
        assert_eq!(check().await, Ok(()));
        world.advance(1);
        assert_eq!(check().await, Err(ErrorKind::ReauthenticationRequired));
    }
}

#[tokio::test]
async fn a_browser_navigation_is_sent_to_the_login_page() {
    let world = World::new();
    let sessions = world.builder().login_page("/login").build().unwrap();
    let answer = async |request: TestRequest| {
        let session = Trip::of(&sessions);
        session.receive(&request);
        session.extract::<Authenticated<User>>().await.map(drop).unwrap_err().to_response()
    };
    let navigation = TestRequest::new("GET", "/account?tab=2").header("sec-fetch-mode", "navigate");
    let response = answer(navigation).await;
    assert_eq!(response.status, 303);
    assert!(response.headers.contains(&("location", "/login?next=/account%3Ftab%3D2".into())));
    assert_eq!(answer(TestRequest::new("GET", "/api")).await.status, 401);
}

struct NeverMind;

impl Guard for NeverMind {
    type Payload = User;

    async fn check(session: Session<User>) -> Result<Self, session_core::SessionError> {
        Err(session.forbidden("nobody may"))
    }
}

#[tokio::test]
async fn a_guard_of_ones_own_can_refuse() {
    let session = Trip::of(&World::new().stateless());
    session.receive(&TestRequest::new("GET", "/"));
    let error = session.extract::<NeverMind>().await.map(drop).unwrap_err();
    assert_eq!((error.status(), error.code()), (403, "FORBIDDEN"));
    assert!(!String::from_utf8(error.to_response().body).unwrap().contains("nobody may"));
}

#[tokio::test]
async fn slots_keep_managers_apart_and_refuse_two_with_one_cookie_name() {
    let world = World::new();
    let (users, twin) = (world.stateless(), world.stateless());
    let admins = world.builder().cookie(CookieSettings::default().name("__Host-admin")).build().unwrap();
    let mut slots = Slots::default();
    assert!(slots.enter(&users).unwrap().is_some());
    assert!(slots.enter(&users).unwrap().is_none(), "passed already");
    assert!(slots.enter(&admins).unwrap().is_some());
    let error = slots.enter(&twin).map(drop).unwrap_err();
    assert!(error.to_string().contains("another cookie name"), "{error}");
}

#[tokio::test]
async fn a_missing_layer_is_named() {
    let error = Slots::default().receive::<User>(&TestRequest::new("GET", "/")).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    assert!(error.to_string().contains("User"), "{error}");
}

in_every_mode! {
    async fn no_debug_output_shows_a_token(_world, sessions) {
        let cookie = logged_in_cookie(&sessions, user("ann")).await.unwrap();
        let token = cookie.split_once('=').unwrap().1;
        let outcome = sessions
            .create_session(user("bob"), &TestRequest::new("POST", "/").cookie(&cookie))
            .await
            .unwrap();
        let shown = format!("{outcome:?} {:?} {sessions:?}", outcome.session.status());
        let new = outcome.token.as_ref().unwrap().expose();
        for secret in [token, new] {
            assert!(!shown.contains(secret) && !shown.contains(&secret[secret.len() - 20..]), "{shown}");
        }
    }
}

#[tokio::test]
async fn dropping_an_operation_leaves_the_session_before_or_after_it() {
    let world = World::new();
    let sessions = world.tracked();
    let session = Trip::of(&sessions);
    session.receive(&TestRequest::new("POST", "/login"));
    drop(session.create(user("ann")));
    assert_eq!(session.user(), None);
    let timeout = tokio::time::timeout(Duration::ZERO, session.create(user("ann"))).await;
    assert_eq!(timeout.is_ok(), session.user().is_some());
}

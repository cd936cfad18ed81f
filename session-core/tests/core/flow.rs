//! What survives a redirect to somebody else and back: in this browser, once, for ten minutes.

use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};
use session_core::store::MemoryStore;
use session_core::testing::{Fault, FaultyStore, TestRequest};
use session_core::{ErrorKind, Flash, Flow, FlowState, Flows, KeyRing, Relay, SessionError, SessionManager};

use crate::faulty::Faulty;
use crate::jar::{Jar, arrive};
use crate::support::{SECRET, User, World, user};

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct GitHub {
    verifier: String,
}

impl Flow for GitHub {
    type Payload = User;
    const NAME: &'static str = "github";
}

/// The same content under another name.
#[derive(Debug, Serialize, Deserialize)]
struct Google {
    verifier: String,
}

impl Flow for Google {
    type Payload = User;
    const NAME: &'static str = "google";
}

fn github(verifier: impl Into<String>) -> GitHub {
    GitHub { verifier: verifier.into() }
}

async fn begin_in(
    sessions: &SessionManager<User>,
    jar: &mut Jar,
    request: TestRequest,
    flow: GitHub,
) -> Result<FlowState, SessionError> {
    let (trip, flows) = arrive::<Flows<GitHub>>(sessions, &request).await;
    let state = flows.begin(flow).await;
    jar.keep(&trip.close(&()));
    state
}

async fn begin(sessions: &SessionManager<User>, jar: &mut Jar, verifier: &str) -> FlowState {
    let request = jar.post("/login/github");
    begin_in(sessions, jar, request, github(verifier)).await.unwrap()
}

/// By a link on a page of another site.
async fn begin_cross_site(sessions: &SessionManager<User>, jar: &mut Jar, verifier: &str) -> FlowState {
    let request = jar.request("GET", "/login/github").header("sec-fetch-site", "cross-site");
    begin_in(sessions, jar, request, github(verifier)).await.unwrap()
}

/// The way back from the provider.
fn callback(jar: &Jar) -> TestRequest {
    jar.request("GET", "/callback?state=..")
        .header("sec-fetch-site", "cross-site")
        .header("sec-fetch-mode", "navigate")
}

async fn take(sessions: &SessionManager<User>, jar: &mut Jar, state: &str) -> Result<String, SessionError> {
    let (trip, flows) = arrive::<Flows<GitHub>>(sessions, &callback(jar)).await;
    let taken = flows.take(state).await;
    jar.keep(&trip.close(&()));
    taken.map(|flow| flow.verifier)
}

async fn refused(sessions: &SessionManager<User>, jar: &mut Jar, state: &str) {
    let error = take(sessions, jar, state).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::FlowNotFound, "FLOW_NOT_FOUND"));
}

in_every_mode! {
    async fn a_flow_is_taken_by_its_browser_once(_world, sessions) {
        let mut jar = Jar::default();
        let state = begin(&sessions, &mut jar, "v").await;
        let replayed = jar.clone();
        assert_eq!(take(&sessions, &mut jar, &state).await.unwrap(), "v");
        assert!(jar.names("").is_empty());
        refused(&sessions, &mut jar, &state).await;
        refused(&sessions, &mut replayed.clone(), &state).await;
    }

    async fn of_many_callbacks_at_once_one_takes_it(_world, sessions) {
        let mut jar = Jar::default();
        let state = begin(&sessions, &mut jar, "v").await;
        let mut taken = 0;
        let requests: Vec<_> = (0..8).map(|_| callback(&jar)).collect();
        let mut tasks = tokio::task::JoinSet::new();
        for request in requests {
            let (sessions, state) = (sessions.clone(), state.clone());
            tasks.spawn(async move {
                arrive::<Flows<GitHub>>(&sessions, &request).await.1.take(&state).await.is_ok()
            });
        }
        while let Some(one) = tasks.join_next().await {
            taken += usize::from(one.unwrap());
        }
        assert_eq!(taken, 1);
    }

    async fn its_cookie_is_a_host_cookie_that_tells_nothing(_world, sessions) {
        let jar = Jar::default();
        let (trip, flows) = arrive::<Flows<GitHub>>(&sessions, &jar.post("/")).await;
        let state = flows.begin(github("the verifier")).await.unwrap();
        let changes = trip.close(&());
        let line = changes.set_cookie().unwrap();
        assert!(line.starts_with("__Host-session-flow-"), "{line}");
        assert!(line.ends_with("; Max-Age=600; Path=/; HttpOnly; Secure; SameSite=Lax"), "{line}");
        assert!(!line.contains(state.as_str()) && state.len() == 24 && state.as_str() == &*state);
        let shown = format!("{flows:?} {state:?} {changes:?}");
        assert!(!shown.contains(state.as_str()) && !shown.contains("verifier"), "{shown}");
    }

    async fn two_tabs_and_two_more_do_not_disturb_each_other(_world, sessions) {
        let mut jar = Jar::default();
        let mut states = Vec::new();
        for verifier in ["0", "1", "2", "3"] {
            states.push(begin(&sessions, &mut jar, verifier).await);
        }
        for at in [2, 0, 3, 1] {
            assert_eq!(take(&sessions, &mut jar, &states[at]).await.unwrap(), at.to_string());
        }
    }

    async fn two_that_begin_in_one_request_are_both_kept(_world, sessions) {
        let mut jar = Jar::default();
        let (trip, flows) = arrive::<Flows<GitHub>>(&sessions, &jar.post("/")).await;
        let one = flows.begin(github("1")).await.unwrap();
        let two = flows.begin(github("2")).await.unwrap();
        jar.keep(&trip.close(&()));
        assert_eq!(take(&sessions, &mut jar, &one).await.unwrap(), "1");
        assert_eq!(take(&sessions, &mut jar, &two).await.unwrap(), "2");
    }

    async fn a_fifth_takes_the_place_of_the_oldest(world, sessions) {
        let mut jar = Jar::default();
        let mut states = Vec::new();
        for verifier in ["0", "1", "2", "3", "4"] {
            states.push(begin(&sessions, &mut jar, verifier).await);
            world.advance(1);
        }
        assert_eq!(jar.names("flow").len(), 4);
        refused(&sessions, &mut jar, &states[0]).await;
        assert_eq!(take(&sessions, &mut jar, &states[1]).await.unwrap(), "1");
        assert_eq!(take(&sessions, &mut jar, &states[4]).await.unwrap(), "4");
    }

    async fn other_sites_push_out_only_what_other_sites_began(world, sessions) {
        let mut jar = Jar::default();
        let mut own = Vec::new();
        for verifier in ["0", "1", "2", "3"] {
            own.push(begin(&sessions, &mut jar, verifier).await);
        }
        let mut theirs = Vec::new();
        for _ in 0..6 {
            world.advance(1);
            theirs.push(begin_cross_site(&sessions, &mut jar, "theirs").await);
        }
        assert_eq!(jar.names("flow").len(), 5);
        refused(&sessions, &mut jar, &theirs[0]).await;
        assert_eq!(take(&sessions, &mut jar, &theirs[5]).await.unwrap(), "theirs");
        for (at, state) in own.iter().enumerate() {
            assert_eq!(take(&sessions, &mut jar, state).await.unwrap(), at.to_string());
        }
    }

    async fn beginning_one_pushes_out_neither_what_other_sites_began_nor_a_message(world, sessions) {
        let mut jar = Jar::default();
        let (trip, flash) = arrive::<Flash<User>>(&sessions, &jar.post("/save")).await;
        flash.set("Saved.").unwrap();
        jar.keep(&trip.close(&()));
        let theirs = begin_cross_site(&sessions, &mut jar, "theirs").await;
        for verifier in ["0", "1", "2", "3"] {
            world.advance(1);
            begin(&sessions, &mut jar, verifier).await;
        }
        assert_eq!((jar.names("flow").len(), jar.names("flash").len()), (5, 1));
        assert_eq!(take(&sessions, &mut jar, &theirs).await.unwrap(), "theirs");
    }

    async fn what_the_browser_never_began_is_not_taken_and_not_ended(_world, sessions) {
        let (mut jar, mut other) = (Jar::default(), Jar::default());
        let state = begin(&sessions, &mut jar, "v").await;
        begin(&sessions, &mut other, "w").await;
        for wrong in ["", "x", "AAAAAAAAAAAAAAAAAAAAAA", &"A".repeat(100_000)] {
            refused(&sessions, &mut jar, wrong).await;
        }
        // Somebody who learned the state, with a cookie of their own or without one.
        refused(&sessions, &mut other, &state).await;
        refused(&sessions, &mut Jar::default(), &state).await;
        assert_eq!(take(&sessions, &mut jar, &state).await.unwrap(), "v");
    }

    async fn a_cookie_under_another_flows_name_takes_neither(_world, sessions) {
        let mut jar = Jar::default();
        let one = begin(&sessions, &mut jar, "1").await;
        let two = begin(&sessions, &mut jar, "2").await;
        let mut swapped = jar.clone();
        swapped.change(|cookies| {
            let values: Vec<_> = cookies.values().cloned().collect();
            cookies.values_mut().zip(values.iter().rev()).for_each(|(to, from)| from.clone_into(to));
        });
        refused(&sessions, &mut swapped, &one).await;
        assert_eq!(take(&sessions, &mut jar, &one).await.unwrap(), "1");
        assert_eq!(take(&sessions, &mut jar, &two).await.unwrap(), "2");
    }

    async fn after_ten_minutes_it_is_over(world, sessions) {
        let mut jar = Jar::default();
        let (one, two) = (begin(&sessions, &mut jar, "1").await, begin(&sessions, &mut jar, "2").await);
        world.advance(599);
        assert_eq!(take(&sessions, &mut jar, &one).await.unwrap(), "1");
        world.advance(1);
        refused(&sessions, &mut jar, &two).await;
    }

    async fn another_flows_name_takes_nothing(_world, sessions) {
        let mut jar = Jar::default();
        let state = begin(&sessions, &mut jar, "v").await;
        let (_, google) = arrive::<Flows<Google>>(&sessions, &callback(&jar)).await;
        assert_eq!(google.take(&state).await.unwrap_err().kind(), ErrorKind::FlowNotFound);
        assert_eq!(take(&sessions, &mut jar, &state).await.unwrap(), "v");
    }

    async fn who_began_it_logged_in_takes_it_logged_in(_world, sessions) {
        let mut jar = Jar::default();
        jar.log_in(&sessions, user("ann")).await;
        let state = begin(&sessions, &mut jar, "v").await;
        let mut bob = jar.clone();
        bob.log_in(&sessions, user("bob")).await;
        refused(&sessions, &mut bob, &state).await;
        let mut nobody = bob.clone();
        nobody.change(|cookies| drop(cookies.remove("__Host-session")));
        refused(&sessions, &mut nobody, &state).await;
        let mut ann = bob.clone();
        ann.log_in(&sessions, user("ann")).await;
        assert_eq!(take(&sessions, &mut ann, &state).await.unwrap(), "v");
    }

    async fn a_flow_needs_no_login_and_survives_one(_world, sessions) {
        let mut jar = Jar::default();
        let state = begin(&sessions, &mut jar, "v").await;
        jar.log_in(&sessions, user("ann")).await;
        assert_eq!(take(&sessions, &mut jar, &state).await.unwrap(), "v");
        assert_eq!(jar.names("").len(), 1, "the session's cookie stays");
    }

    async fn a_key_that_is_retired_takes_its_flows_along(_world, sessions) {
        let mut jar = Jar::default();
        let (one, two) = (begin(&sessions, &mut jar, "1").await, begin(&sessions, &mut jar, "2").await);
        let old = sessions.keys().signing_kid();
        sessions.keys().add(session_core::Key::hs256([9; 32]).unwrap().with_kid("next").unwrap()).unwrap();
        sessions.keys().promote("next").unwrap();
        assert_eq!(take(&sessions, &mut jar, &one).await.unwrap(), "1");
        sessions.keys().retire(&old).unwrap();
        refused(&sessions, &mut jar, &two).await;
        begin(&sessions, &mut jar, "3").await;
        assert_eq!(jar.names("session-flow").len(), 1, "what opens no more is cleared");
    }

    async fn the_answer_to_a_lost_flow_leaks_no_address(_world, sessions) {
        let response = take(&sessions, &mut Jar::default(), "x").await.unwrap_err().to_response();
        assert_eq!(response.status, 400);
        for line in [("cache-control", "no-store"), ("referrer-policy", "no-referrer")] {
            assert!(response.headers.iter().any(|(name, value)| (*name, &**value) == line), "{line:?}");
        }
    }

    async fn a_request_of_another_origin_begins_none_by_a_post(_world, sessions) {
        let request = TestRequest::new("POST", "/").header("sec-fetch-site", "cross-site");
        let error = begin_in(&sessions, &mut Jar::default(), request, github("v")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CrossOrigin);
    }

    async fn after_the_response_none_begins(_world, sessions) {
        let (trip, flows) = arrive::<Flows<GitHub>>(&sessions, &Jar::default().post("/")).await;
        assert!(trip.close(&()).is_empty(), "a flow that is not used says nothing");
        assert_eq!(flows.begin(github("v")).await.unwrap_err().kind(), ErrorKind::ResponseSent);
    }
}

/// A callback that comes twice.
#[tokio::test]
async fn a_navigation_that_lost_its_flow_goes_to_the_login_page_once() {
    let world = World::new();
    let builder = || world.builder().login_page("/login");
    for sessions in [builder().build().unwrap(), builder().store(MemoryStore::new()).build().unwrap()] {
        let mut jar = Jar::default();
        let state = begin(&sessions, &mut jar, "v").await;
        take(&sessions, &mut jar, &state).await.unwrap();
        let first = take(&sessions, &mut jar, &state).await.unwrap_err().to_response();
        let location = first.headers.iter().find(|(name, _)| *name == "location").map(|(_, value)| &**value);
        assert_eq!((first.status, location), (303, Some("/login")), "and not back to the callback");
        assert!(first.headers.iter().any(|(name, _)| *name == "referrer-policy"));
        assert_eq!(take(&sessions, &mut jar, &state).await.unwrap_err().to_response().status, 400);
        // Not even where the login page begins the next flow by itself, which would lead here for ever.
        begin(&sessions, &mut jar, "w").await;
        assert_eq!(take(&sessions, &mut jar, &state).await.unwrap_err().to_response().status, 400);
        // A flow that is found ends that, too.
        let state = begin(&sessions, &mut jar, "v").await;
        take(&sessions, &mut jar, &state).await.unwrap();
        assert_eq!(jar.names("flow").len(), 1, "only the one that was begun by itself");
    }
}

#[tokio::test]
async fn without_a_store_512_bytes_of_json_are_carried() {
    let sessions = World::new().stateless();
    let frame = r#"{"verifier":""}"#.len();
    let mut jar = Jar::default();
    let mut states = Vec::new();
    for _ in 0..4 {
        states.push(begin(&sessions, &mut jar, &"x".repeat(512 - frame)).await);
    }
    assert!(jar.names("flow").len() == 4 && jar.bytes("flow") < 4096, "{}", jar.bytes("flow"));
    assert_eq!(take(&sessions, &mut jar, &states[0]).await.unwrap().len(), 512 - frame);
    let request = jar.post("/");
    let error = begin_in(&sessions, &mut jar, request, github("x".repeat(513 - frame))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PayloadTooLarge);
    assert!(error.to_string().contains("513") && !error.to_string().contains("xxx"), "{error}");
}

#[tokio::test]
async fn long_names_leave_room_for_fewer() {
    let world = World::new();
    let key = session_core::Key::hs256(SECRET).unwrap().with_kid("k".repeat(128)).unwrap();
    let sessions = world.builder().keys(KeyRing::new(key).unwrap()).build().unwrap();
    let mut jar = Jar::default();
    for _ in 0..4 {
        begin(&sessions, &mut jar, &"x".repeat(490)).await;
        world.advance(1);
    }
    assert!(jar.names("flow").len() == 3 && jar.bytes("flow") < 4096, "{}", jar.bytes("flow"));
}

#[tokio::test]
async fn a_long_one_pushes_out_as_many_as_it_needs() {
    let world = World::new();
    let key = session_core::Key::hs256(SECRET).unwrap().with_kid("k".repeat(128)).unwrap();
    let sessions = world.builder().keys(KeyRing::new(key).unwrap()).build().unwrap();
    let mut jar = Jar::default();
    for (length, kept) in [(10, 1), (490, 2), (490, 3), (490, 4), (490, 3)] {
        begin(&sessions, &mut jar, &"x".repeat(length)).await;
        world.advance(1);
        assert!(jar.names("flow").len() == kept && jar.bytes("flow") < 4096, "{}", jar.bytes("flow"));
    }
}

#[tokio::test]
async fn with_a_store_16_kib_are_carried_and_the_cookie_stays_small() {
    let sessions = World::new().tracked();
    let mut jar = Jar::default();
    let state = begin(&sessions, &mut jar, &"x".repeat(16_000)).await;
    assert!(jar.bytes("flow") < 300, "{}", jar.bytes("flow"));
    assert_eq!(take(&sessions, &mut jar, &state).await.unwrap().len(), 16_000);
    let request = jar.post("/");
    let error = begin_in(&sessions, &mut jar, request, github("x".repeat(16_384))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PayloadTooLarge);
}

#[tokio::test]
async fn sessions_are_counted_listed_and_revoked_without_flows() {
    let world = World::new();
    let sessions = world.tracked();
    let mut jar = Jar::default();
    let state = begin(&sessions, &mut jar, "v").await;
    jar.log_in(&sessions, user("ann")).await;
    assert_eq!(world.records(&sessions, "ann").await.len(), 1);
    sessions.revoke_everyone().await.unwrap();
    assert_eq!(take(&sessions, &mut jar, &state).await.unwrap(), "v");
}

#[tokio::test]
async fn a_flow_that_is_not_used_asks_no_store_and_a_lost_one_neither() {
    let store = Faulty::default();
    let sessions = World::new().tracked_on(store.clone());
    let mut jar = Jar::default();
    refused(&sessions, &mut jar, "AAAAAAAAAAAAAAAAAAAAAA").await;
    let (_, flows) = arrive::<Flows<GitHub>>(&sessions, &jar.post("/link")).await;
    for none_of_ours in ["", "x", &"A".repeat(23), &"A".repeat(25), &"A".repeat(100_000)] {
        let error = flows.take_unbound(none_of_ours).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FlowNotFound);
    }
    assert_eq!(store.calls.load(Ordering::SeqCst), 0);
    let state = begin(&sessions, &mut jar, "v").await;
    assert_eq!(store.calls.load(Ordering::SeqCst), 1);
    take(&sessions, &mut jar, &state).await.unwrap();
    assert_eq!(store.calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn an_outage_takes_no_flow_and_clears_no_cookie() {
    let store = FaultyStore::new(MemoryStore::new());
    let sessions = World::new().tracked_on(store.clone());
    let mut jar = Jar::default();
    let state = begin(&sessions, &mut jar, "v").await;
    store.inject(Fault::Fail);
    let error = take(&sessions, &mut jar, &state).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    let request = jar.post("/");
    let error = begin_in(&sessions, &mut jar, request, github("w")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    store.recover();
    assert_eq!(jar.names("flow").len(), 1);
    assert_eq!(take(&sessions, &mut jar, &state).await.unwrap(), "v");
}

#[tokio::test]
async fn another_realm_on_the_same_keys_and_store_takes_nothing() {
    let world = World::new();
    let sessions = world.tracked();
    let other = world.builder().store(world.store.clone()).realm("other").build().unwrap();
    let mut jar = Jar::default();
    let state = begin(&sessions, &mut jar, "v").await;
    refused(&other, &mut jar, &state).await;
    assert_eq!(take(&sessions, &mut jar, &state).await.unwrap(), "v");
}

#[tokio::test]
async fn behind_a_prefix_the_login_page_is_where_browsers_see_it() {
    let sessions = World::new().builder().login_page("/login").public_prefix("/rust").build().unwrap();
    let response = take(&sessions, &mut Jar::default(), "x").await.unwrap_err().to_response();
    assert!(response.headers.iter().any(|(name, value)| *name == "location" && value == "/rust/login"));
}

#[tokio::test]
async fn an_unbound_flow_is_taken_by_any_browser_in_a_post_once() {
    let sessions = World::new().tracked();
    let (trip, flows) = arrive::<Flows<GitHub>>(&sessions, &Jar::default().post("/mail")).await;
    let state = flows.begin_unbound(github("v")).await.unwrap();
    assert!(trip.close(&()).is_empty(), "no cookie");
    let (_, scanner) = arrive::<Flows<GitHub>>(&sessions, &Jar::default().get("/link")).await;
    let error = scanner.take_unbound(&state).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Misuse && error.to_string().contains("button"), "{error}");
    let (_, flows) = arrive::<Flows<GitHub>>(&sessions, &Jar::default().post("/link")).await;
    assert_eq!(flows.take(&state).await.unwrap_err().kind(), ErrorKind::FlowNotFound);
    assert_eq!(flows.take_unbound(&state).await.unwrap(), github("v"));
    assert_eq!(flows.take_unbound(&state).await.unwrap_err().kind(), ErrorKind::FlowNotFound);
}

#[tokio::test]
async fn a_bound_flow_is_never_taken_unbound() {
    let sessions = World::new().tracked();
    let mut jar = Jar::default();
    let state = begin(&sessions, &mut jar, "v").await;
    let (_, flows) = arrive::<Flows<GitHub>>(&sessions, &Jar::default().post("/link")).await;
    assert_eq!(flows.take_unbound(&state).await.unwrap_err().kind(), ErrorKind::FlowNotFound);
    assert_eq!(take(&sessions, &mut jar, &state).await.unwrap(), "v");
}

#[tokio::test]
async fn an_unbound_flow_needs_a_store() {
    let sessions = World::new().stateless();
    let (_, flows) = arrive::<Flows<GitHub>>(&sessions, &Jar::default().post("/mail")).await;
    assert_eq!(flows.begin_unbound(github("v")).await.unwrap_err().kind(), ErrorKind::StoreRequired);
    assert_eq!(flows.take_unbound("x").await.unwrap_err().kind(), ErrorKind::StoreRequired);
}

/// The provider's answer by a POST of its own page.
fn form_post(target: &str) -> TestRequest {
    Jar::default()
        .request("POST", target)
        .header("sec-fetch-site", "cross-site")
        .header("sec-fetch-dest", "document")
        .header("origin", "https://appleid.apple.com")
}

async fn relay(request: &TestRequest, body: &str) -> Result<Relay, SessionError> {
    let sessions = World::new().stateless();
    let (trip, flows) = arrive::<Flows<GitHub>>(&sessions, request).await;
    let answer = flows.relay(body.as_bytes());
    assert!(trip.close(&()).is_empty(), "it opens no session and sets no cookie");
    answer
}

#[tokio::test]
async fn a_form_of_another_site_is_posted_again_from_here() {
    let body = "state=s%22&code=c+d&evil=%3Cb%3E&session-x=1";
    let Relay::Again(page) = relay(&form_post("/callback"), body).await.unwrap() else { panic!("taken") };
    let text = String::from_utf8(page.body).unwrap();
    assert!(text.contains(r#"name="state" value="s&quot;""#) && text.contains(r#"name="code" value="c d""#));
    assert!(!text.contains("evil") && !text.contains("action="), "{text}");
    let header = |wanted| page.headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| &**value);
    assert_eq!((header("cache-control"), header("referrer-policy")), (Some("no-store"), Some("same-origin")));
    let policy = header("content-security-policy").unwrap();
    for part in ["default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    assert!(text.contains(&format!("<script nonce=\"{nonce}\">")));
}

#[tokio::test]
async fn the_form_that_comes_from_here_is_read() {
    let request = Jar::default().post("/callback");
    let Relay::Here(fields) = relay(&request, "state=s&code=c&session-relayed=1").await.unwrap() else {
        panic!("posted again")
    };
    assert_eq!((fields.get("state"), fields.get("session-relayed")), (Some("s"), None));
    assert!(!format!("{fields:?}").contains("code"));
}

#[tokio::test]
async fn nothing_else_of_another_site_is_posted_again() {
    let frame = TestRequest::new("POST", "/callback")
        .header("sec-fetch-site", "cross-site")
        .header("sec-fetch-dest", "iframe");
    let foreign = TestRequest::new("POST", "/callback").header("origin", "https://evil.test");
    for (request, body) in [
        (frame, "state=s"),
        (foreign, "state=s"),
        (form_post("/callback?next=//evil"), "state=s"),
        (form_post("/callback"), "state=s&session-relayed=1"),
    ] {
        assert_eq!(relay(&request, body).await.unwrap_err().kind(), ErrorKind::CrossOrigin);
    }
    let get = Jar::default().get("/callback");
    assert_eq!(relay(&get, "").await.unwrap_err().kind(), ErrorKind::Misuse);
}

#[tokio::test]
async fn a_form_of_128_kib_is_read() {
    let body = "x".repeat(128 * 1024);
    assert!(matches!(relay(&form_post("/callback"), &body).await, Ok(Relay::Again(_))));
}

#[tokio::test]
async fn a_form_that_is_too_long_or_ambiguous_is_refused() {
    for body in ["state=a&state=b".to_owned(), "state=%ff".to_owned(), "x".repeat(128 * 1024 + 1)] {
        let refused = relay(&form_post("/callback"), &body).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::FlowNotFound);
    }
}

//! Looking through another user's eyes: good only while the session that it came from is, and no way to become more.

use std::sync::atomic::Ordering;

use session_core::testing::{Fault, FaultyStore, TestRequest};
use session_core::{
    Authenticated, CookieSettings, ErrorKind, Fresh, Level, Lifetimes, NotImpersonated, SessionError,
    SessionManager, Stopped,
};

use crate::faulty::Faulty;
use crate::jar::{Jar, arrive};
use crate::support::{Browser, Trip, User, World, seconds, user};

const SESSION: &str = "__Host-session";
const PARKED: &str = "__Host-session-actor";

/// A request of this browser's, and what its handler holds.
async fn request(sessions: &SessionManager<User>, jar: &Jar) -> Trip {
    let trip = Trip::of(sessions);
    trip.receive(&jar.post("/"));
    let _ = trip.open().await;
    trip
}

async fn log_in(sessions: &SessionManager<User>, jar: &mut Jar, name: &str) {
    let trip = request(sessions, jar).await;
    trip.create(user(name)).await.unwrap();
    jar.keep(&trip.close(&()));
}

async fn impersonate(sessions: &SessionManager<User>, jar: &mut Jar, name: &str) -> Result<(), SessionError> {
    let trip = request(sessions, jar).await;
    let done = trip.impersonate(user(name)).await;
    jar.keep(&trip.close(&()));
    done.map(drop)
}

async fn stop(sessions: &SessionManager<User>, jar: &mut Jar) -> Result<Stopped, SessionError> {
    let trip = request(sessions, jar).await;
    let stopped = trip.stop_impersonating().await;
    jar.keep(&trip.close(&()));
    stopped
}

/// Whom this browser is, and who acts as them.
async fn who(sessions: &SessionManager<User>, jar: &mut Jar) -> Option<(String, Option<String>)> {
    let trip = request(sessions, jar).await;
    let user = trip.user();
    jar.keep(&trip.close(&()));
    user.map(|user| (user.user_id.clone(), trip.actor()))
}

fn is(name: &str) -> Option<(String, Option<String>)> {
    Some((name.to_owned(), None))
}

fn acting(name: &str) -> Option<(String, Option<String>)> {
    Some((name.to_owned(), Some("root".to_owned())))
}

/// Root, who acts as bob.
async fn acts(sessions: &SessionManager<User>) -> Jar {
    let mut jar = Jar::default();
    log_in(sessions, &mut jar, "root").await;
    impersonate(sessions, &mut jar, "bob").await.unwrap();
    jar
}

fn kind<T>(result: Result<T, SessionError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[tokio::test]
async fn root_is_bob_and_then_root_again_with_the_old_login_time() {
    let world = World::new();
    let sessions = world.tracked();
    let mut jar = Jar::default();
    log_in(&sessions, &mut jar, "root").await;
    let before = jar.clone();
    let login = world.now();
    world.advance(60);
    impersonate(&sessions, &mut jar, "bob").await.unwrap();
    assert_eq!(who(&sessions, &mut jar).await, acting("bob"));
    assert_eq!(jar.value(PARKED), before.value(SESSION));
    world.advance(60);
    assert_eq!(stop(&sessions, &mut jar).await.unwrap(), Stopped::Restored);
    assert_eq!(who(&sessions, &mut jar).await, is("root"));
    assert_eq!(jar.value(SESSION), before.value(SESSION));
    assert_eq!(jar.value(PARKED), None);
    assert_eq!(request(&sessions, &jar).await.status().authenticated_at, Some(login));
    assert!(world.records(&sessions, "bob").await.is_empty());
}

#[tokio::test]
async fn the_stopped_session_is_over_at_once() {
    let world = World::new();
    let sessions = world.tracked();
    let mut jar = acts(&sessions).await;
    let mut copy = jar.clone();
    stop(&sessions, &mut jar).await.unwrap();
    assert_eq!(who(&sessions, &mut copy).await, None);
}

#[tokio::test]
async fn a_thief_of_the_one_session_does_not_get_the_other() {
    let world = World::new();
    let sessions = world.tracked();
    let mut jar = acts(&sessions).await;
    let mut thief = jar.clone();
    thief.change(|jar| drop(jar.remove(PARKED)));
    assert_eq!(stop(&sessions, &mut thief).await.unwrap(), Stopped::LoggedOut);
    assert_eq!(who(&sessions, &mut thief).await, None);
    // Root lost bob, and nothing else.
    assert_eq!(world.records(&sessions, "root").await.len(), 1);
    assert_eq!(stop(&sessions, &mut jar).await.unwrap(), Stopped::Restored);
}

#[tokio::test]
async fn another_ones_parked_token_restores_nobody() {
    let world = World::new();
    let sessions = world.tracked();
    let mut jar = acts(&sessions).await;
    let mut eve = Jar::default();
    log_in(&sessions, &mut eve, "eve").await;
    jar.change(|jar| drop(jar.insert(PARKED.to_owned(), eve.value(SESSION).unwrap().to_owned())));
    assert_eq!(stop(&sessions, &mut jar).await.unwrap(), Stopped::LoggedOut);
    assert_eq!(jar.names(""), Vec::<String>::new());
}

#[tokio::test]
async fn a_parked_token_is_no_session() {
    let world = World::new();
    let sessions = world.tracked();
    let mut jar = acts(&sessions).await;
    jar.change(|jar| drop(jar.remove(SESSION)));
    assert_eq!(who(&sessions, &mut jar).await, None);
}

#[tokio::test]
async fn whatever_ends_the_session_of_whoever_acts_ends_the_other_with_the_next_request() {
    for end in ["revoke_account", "revoke_session", "logout", "expiry", "eviction"] {
        let world = World::new();
        let sessions = world.builder().store(world.store.clone());
        let sessions = sessions
            .session_limit(session_core::store::SessionLimit::EvictLeastRecentlySeen(1))
            .build()
            .unwrap();
        let mut root = Jar::default();
        log_in(&sessions, &mut root, "root").await;
        let mut jar = root.clone();
        impersonate(&sessions, &mut jar, "bob").await.unwrap();
        match end {
            "revoke_account" => assert_eq!(sessions.revoke_account("root").await.unwrap(), 1),
            "revoke_session" => {
                let device = sessions.list_account("root").await.unwrap().remove(0).id;
                assert!(sessions.revoke_session("root", &device).await.unwrap());
            }
            "logout" => drop(request(&sessions, &root).await.destroy().await.unwrap()),
            "expiry" => world.advance(86_400),
            _ => log_in(&sessions, &mut Jar::default(), "root").await,
        }
        assert_eq!(who(&sessions, &mut jar).await, None, "{end}");
        assert!(world.records(&sessions, "bob").await.is_empty(), "{end}");
        assert_eq!(stop(&sessions, &mut jar).await.unwrap(), Stopped::LoggedOut, "{end}");
        assert!(jar.names("").is_empty(), "{end}: both cookies are cleared");
    }
}

#[tokio::test]
async fn in_hybrid_mode_too_each_request_asks_for_both() {
    let world = World::new();
    let hybrid = || world.builder().store(world.store.clone()).hybrid(seconds(30)).build().unwrap();
    let (here, elsewhere) = (hybrid(), hybrid());
    let mut jar = acts(&here).await;
    assert_eq!(who(&here, &mut jar).await, acting("bob"));
    elsewhere.revoke_account("root").await.unwrap();
    assert_eq!(who(&here, &mut jar).await, None);
}

#[tokio::test]
async fn both_count_as_seen() {
    let world = World::new();
    let sessions = world.idle(900);
    let mut jar = acts(&sessions).await;
    for _ in 0..4 {
        world.advance(600);
        assert_eq!(who(&sessions, &mut jar).await, acting("bob"));
    }
    assert_eq!(stop(&sessions, &mut jar).await.unwrap(), Stopped::Restored);
}

#[tokio::test]
async fn one_who_only_looks_ends_nothing() {
    let world = World::new();
    let sessions = world.tracked();
    let jar = acts(&sessions).await;
    sessions.revoke_account("root").await.unwrap();
    let trip = Trip::of(&sessions);
    trip.receive(&jar.request("GET", "/"));
    assert_eq!(kind(trip.peek().await), Some(ErrorKind::NotFound));
    assert_eq!(world.records(&sessions, "bob").await.len(), 1);
}

#[tokio::test]
async fn it_ends_with_the_parked_token_or_earlier_and_no_refresh_passes_that() {
    let world = World::new();
    let sessions = world.tracked();
    let mut jar = Jar::default();
    log_in(&sessions, &mut jar, "root").await;
    let end = request(&sessions, &jar).await.status().expires_at.unwrap();
    world.advance(3600);
    let mut short = jar.clone();
    let trip = request(&sessions, &short).await;
    trip.impersonate(user("bob")).at_most(seconds(900)).await.unwrap();
    short.keep(&trip.close(&()));
    assert_eq!(request(&sessions, &short).await.status().expires_at, Some(world.now().plus(seconds(900))));
    impersonate(&sessions, &mut jar, "carol").await.unwrap();
    let trip = request(&sessions, &jar).await;
    trip.refresh().await.unwrap();
    assert_eq!(trip.status().expires_at, Some(end));
    world.advance(900);
    assert_eq!(who(&sessions, &mut short).await, None);
}

#[tokio::test]
async fn a_rotation_keeps_who_acts() {
    let world = World::new();
    let lifetimes = Lifetimes::default().max_age(seconds(3600)).absolute_lifetime(seconds(86_400));
    let sessions = world.builder().lifetimes(lifetimes).store(world.store.clone()).build().unwrap();
    let mut jar = acts(&sessions).await;
    let trip = request(&sessions, &jar).await;
    trip.update(|user| user.visits += 1).await.unwrap();
    let _ = trip.refresh().await.unwrap();
    jar.keep(&trip.close(&()));
    assert_eq!(who(&sessions, &mut jar).await, acting("bob"));
}

#[tokio::test]
async fn a_logout_ends_both_and_clears_both() {
    let world = World::new();
    let sessions = world.tracked();
    let mut jar = acts(&sessions).await;
    let trip = request(&sessions, &jar).await;
    trip.destroy().await.unwrap();
    jar.keep(&trip.close(&()));
    assert!(jar.names("").is_empty());
    assert!(
        world.records(&sessions, "root").await.is_empty() && world.records(&sessions, "bob").await.is_empty()
    );
}

#[tokio::test]
async fn another_login_ends_both_and_clears_the_second_cookie() {
    let world = World::new();
    let sessions = world.tracked();
    let mut jar = acts(&sessions).await;
    log_in(&sessions, &mut jar, "carol").await;
    assert_eq!(jar.names(""), [SESSION]);
    assert_eq!(who(&sessions, &mut jar).await, is("carol"));
    assert!(
        world.records(&sessions, "root").await.is_empty() && world.records(&sessions, "bob").await.is_empty()
    );
}

#[tokio::test]
async fn nobody_acts_as_somebody_twice_nor_as_themselves_nor_as_a_guest_nor_as_a_guest_themselves() {
    let world = World::new();
    let sessions = world.tracked();
    let mut jar = acts(&sessions).await;
    assert_eq!(kind(impersonate(&sessions, &mut jar, "carol").await), Some(ErrorKind::Forbidden));
    stop(&sessions, &mut jar).await.unwrap();
    assert_eq!(kind(impersonate(&sessions, &mut jar, "root").await), Some(ErrorKind::Forbidden));
    assert_eq!(kind(impersonate(&sessions, &mut jar, "guest").await), Some(ErrorKind::Forbidden));
    let mut guest = Jar::default();
    log_in(&sessions, &mut guest, "guest").await;
    assert_eq!(kind(impersonate(&sessions, &mut guest, "bob").await), Some(ErrorKind::Forbidden));
    assert_eq!(kind(impersonate(&sessions, &mut Jar::default(), "bob").await), Some(ErrorKind::NotFound));
    assert_eq!(kind(stop(&sessions, &mut jar).await), Some(ErrorKind::Forbidden));
    assert_eq!(who(&sessions, &mut jar).await, is("root"));
}

#[tokio::test]
async fn a_login_that_waits_for_its_second_factor_acts_as_nobody() {
    let world = World::new();
    let sessions = world.tracked();
    let mut jar = Jar::default();
    let trip = request(&sessions, &jar).await;
    trip.create(user("root")).level(0).await.unwrap();
    jar.keep(&trip.close(&()));
    assert_eq!(kind(impersonate(&sessions, &mut jar, "bob").await), Some(ErrorKind::LoginIncomplete));
}

#[tokio::test]
async fn without_a_store_nobody_acts_as_anybody() {
    let world = World::new();
    let sessions = world.stateless();
    let mut jar = Jar::default();
    log_in(&sessions, &mut jar, "root").await;
    assert_eq!(kind(impersonate(&sessions, &mut jar, "bob").await), Some(ErrorKind::StoreRequired));
    assert_eq!(kind(stop(&sessions, &mut jar).await), Some(ErrorKind::StoreRequired));
}

#[tokio::test]
async fn with_a_bearer_token_nobody_acts_as_anybody() {
    let world = World::new();
    let sessions = world.builder().store(world.store.clone()).bearer(true).build().unwrap();
    let browser = Browser::login(&sessions, user("root")).await;
    let token = browser.cookie().split_once('=').unwrap().1.to_owned();
    let trip = Trip::of(&sessions);
    trip.receive(&TestRequest::new("POST", "/").header("authorization", format!("Bearer {token}")));
    assert_eq!(kind(trip.impersonate(user("bob")).await), Some(ErrorKind::Forbidden));
}

#[tokio::test]
async fn methods_and_a_level_say_that_somebody_was_verified_and_are_refused() {
    let world = World::new();
    let sessions = world.tracked();
    let mut jar = Jar::default();
    log_in(&sessions, &mut jar, "root").await;
    let trip = request(&sessions, &jar).await;
    assert_eq!(kind(trip.impersonate(user("bob")).methods(["pwd"]).await), Some(ErrorKind::Misuse));
    assert_eq!(kind(trip.impersonate(user("bob")).level(2).await), Some(ErrorKind::Misuse));
    assert!(world.records(&sessions, "bob").await.is_empty());
}

#[tokio::test]
async fn what_nobody_may_do_in_anothers_name_is_refused() {
    let world = World::new();
    let sessions = world.tracked();
    log_in(&sessions, &mut Jar::default(), "bob").await;
    let jar = acts(&sessions).await;
    let trip = request(&sessions, &jar).await;
    let device = world.records(&sessions, "bob").await.len();
    assert_eq!(device, 2);
    let other = trip.list().await.unwrap().into_iter().find(|device| !device.current).unwrap();
    assert_eq!(kind(trip.revoke(&other.id).await), Some(ErrorKind::Forbidden));
    assert_eq!(kind(trip.revoke_others().await), Some(ErrorKind::Forbidden));
    assert_eq!(kind(trip.revoke_all().await), Some(ErrorKind::Forbidden));
    assert_eq!(kind(trip.reauthenticate().await), Some(ErrorKind::Forbidden));
    assert_eq!(kind(trip.step_up(["otp"], 2).await), Some(ErrorKind::Forbidden));
    assert_eq!(kind(trip.complete(["otp"]).await), Some(ErrorKind::Forbidden));
    assert_eq!(world.records(&sessions, "bob").await.len(), 2);
}

#[tokio::test]
async fn fresh_and_every_level_are_refused_and_a_guard_says_who_is_themselves() {
    let world = World::new();
    let sessions = world.tracked();
    let mut jar = Jar::default();
    log_in(&sessions, &mut jar, "root").await;
    let (_, myself) = arrive::<NotImpersonated<User>>(&sessions, &jar.post("/")).await;
    assert_eq!(myself.user_id, "root");
    impersonate(&sessions, &mut jar, "bob").await.unwrap();
    let trip = request(&sessions, &jar).await;
    assert_eq!(kind(trip.extract::<NotImpersonated<User>>().await), Some(ErrorKind::Forbidden));
    assert_eq!(kind(trip.extract::<Fresh<User, 3600>>().await), Some(ErrorKind::Forbidden));
    assert_eq!(kind(trip.extract::<Level<User, 1>>().await), Some(ErrorKind::Forbidden));
    assert_eq!(trip.extract::<Authenticated<User>>().await.unwrap().user_id, "bob");
    let nobody = request(&sessions, &Jar::default()).await;
    assert_eq!(kind(nobody.extract::<NotImpersonated<User>>().await), Some(ErrorKind::NotFound));
}

#[tokio::test]
async fn bob_sees_it_for_what_it_is_and_ends_it_and_not_root() {
    let world = World::new();
    let sessions = world.tracked();
    let mut bob = Jar::default();
    log_in(&sessions, &mut bob, "bob").await;
    let mut root = acts(&sessions).await;
    let trip = request(&sessions, &bob).await;
    let list = trip.list().await.unwrap();
    let actors: Vec<_> = list.iter().map(|device| (device.current, device.actor.as_deref())).collect();
    assert!(actors.contains(&(false, Some("root"))) && actors.contains(&(true, None)), "{actors:?}");
    let json = serde_json::to_string(&list).unwrap();
    assert_eq!(json.matches(r#""actor":"root""#).count(), 1);
    assert_eq!(json.matches("actor").count(), 1);
    assert_eq!(trip.revoke_others().await.unwrap(), 1);
    assert_eq!(who(&sessions, &mut root).await, None);
    assert_eq!(world.records(&sessions, "root").await.len(), 1);
}

#[tokio::test]
async fn it_counts_towards_no_limit_and_neither_evicts_nor_is_evicted() {
    let world = World::new();
    let one = session_core::store::SessionLimit::EvictLeastRecentlySeen(1);
    let sessions = world.builder().store(world.store.clone()).session_limit(one).build().unwrap();
    let mut bob = Jar::default();
    log_in(&sessions, &mut bob, "bob").await;
    world.advance(60);
    let mut root = acts(&sessions).await;
    assert_eq!(who(&sessions, &mut bob).await, is("bob"));
    world.advance(60);
    log_in(&sessions, &mut Jar::default(), "bob").await;
    assert_eq!(who(&sessions, &mut bob).await, None);
    assert_eq!(who(&sessions, &mut root).await, acting("bob"));
    assert_eq!(sessions.count().await.unwrap(), 3);
}

#[tokio::test]
async fn every_event_names_both() {
    let world = World::new();
    let sessions = world.tracked();
    let mut jar = acts(&sessions).await;
    let trip = request(&sessions, &jar).await;
    trip.update(|user| user.visits += 1).await.unwrap();
    stop(&sessions, &mut jar).await.unwrap();
    impersonate(&sessions, &mut jar, "bob").await.unwrap();
    request(&sessions, &jar).await.destroy().await.unwrap();
    let events = world.events.lock().unwrap();
    let of_bob: Vec<_> = events.iter().filter(|event| event.subject.as_deref() == Some("bob")).collect();
    let names: Vec<_> = of_bob.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(names, ["created", "updated", "destroyed", "created", "destroyed"]);
    assert!(of_bob.iter().all(|event| event.actor.as_deref() == Some("root")));
    assert!(
        events
            .iter()
            .filter(|event| event.subject.as_deref() == Some("root"))
            .all(|event| event.actor.is_none())
    );
}

#[tokio::test]
async fn the_status_names_who_acts() {
    let world = World::new();
    let sessions = world.tracked();
    let jar = acts(&sessions).await;
    let status = request(&sessions, &jar).await.status();
    assert_eq!((status.is_valid, status.actor.as_deref()), (true, Some("root")));
}

#[tokio::test]
async fn an_outage_ends_nothing_and_is_told() {
    let world = World::new();
    let store = Faulty::default();
    let sessions = world.tracked_on(store.clone());
    let mut jar = acts(&sessions).await;
    store.down.store(true, Ordering::SeqCst);
    assert_eq!(kind(stop(&sessions, &mut jar.clone()).await), Some(ErrorKind::StoreUnavailable));
    store.down.store(false, Ordering::SeqCst);
    assert_eq!(stop(&sessions, &mut jar).await.unwrap(), Stopped::Restored);
}

#[tokio::test]
async fn a_failure_of_any_call_of_stop_can_be_repeated() {
    for failing in 0..8 {
        let world = World::new();
        let store = FaultyStore::new(world.store.clone());
        let sessions = world.tracked_on(store.clone());
        let mut jar = acts(&sessions).await;
        let calls = std::sync::atomic::AtomicUsize::new(0);
        store.inject_by(move |_| {
            if calls.fetch_add(1, Ordering::SeqCst) == failing { Fault::Fail } else { Fault::None }
        });
        let first = stop(&sessions, &mut jar).await;
        store.recover();
        match first {
            Ok(stopped) => assert_eq!(stopped, Stopped::Restored),
            Err(_) => {
                assert_eq!(stop(&sessions, &mut jar).await.unwrap(), Stopped::Restored, "call {failing}")
            }
        }
        assert_eq!(who(&sessions, &mut jar).await, is("root"));
    }
}

#[tokio::test]
async fn an_unremembered_login_acts_in_cookies_that_go_with_the_browser() {
    let world = World::new();
    let sessions = world.tracked();
    let mut jar = Jar::default();
    let trip = request(&sessions, &jar).await;
    trip.create(user("root")).remember(false).await.unwrap();
    jar.keep(&trip.close(&()));
    let trip = request(&sessions, &jar).await;
    trip.impersonate(user("bob")).await.unwrap();
    let changes = trip.close(&());
    let lines: Vec<_> = changes.set_cookies().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| !line.contains("Max-Age")), "{lines:?}");
}

#[tokio::test]
async fn the_second_cookie_has_the_attributes_of_the_first_and_is_cleared_with_them() {
    let world = World::new();
    let cookie = CookieSettings::default().name("__Secure-id").domain("example.com");
    let sessions = world.builder().cookie(cookie).store(world.store.clone()).build().unwrap();
    let mut jar = Jar::default();
    log_in(&sessions, &mut jar, "root").await;
    let trip = request(&sessions, &jar).await;
    trip.impersonate(user("bob")).await.unwrap();
    let changes = trip.close(&());
    let parked =
        changes.set_cookies().find(|line| line.starts_with("__Secure-id-actor=")).unwrap().to_owned();
    assert!(parked.ends_with("; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax"), "{parked}");
    jar.keep(&changes);
    assert_eq!(who(&sessions, &mut jar).await, acting("bob"));
    assert_eq!(stop(&sessions, &mut jar).await.unwrap(), Stopped::Restored);
    assert_eq!(jar.names(""), ["__Secure-id"]);
}

#[tokio::test]
async fn a_login_of_the_user_that_a_revocation_overtakes_is_not_acted_out_either() {
    let world = World::new();
    let sessions = world.tracked();
    let mut jar = Jar::default();
    log_in(&sessions, &mut jar, "root").await;
    let attempt = sessions.attempt("bob").await.unwrap();
    sessions.revoke_account("bob").await.unwrap();
    let trip = request(&sessions, &jar).await;
    assert_eq!(kind(trip.impersonate(user("bob")).verified(attempt).await), Some(ErrorKind::LoginOvertaken));
}

#[tokio::test]
async fn another_manager_on_the_same_store_restores_as_well() {
    let world = World::new();
    let manager = || world.builder().store(world.store.clone()).build().unwrap();
    let (here, there) = (manager(), manager());
    let mut jar = acts(&here).await;
    assert_eq!(who(&there, &mut jar).await, acting("bob"));
    assert_eq!(stop(&there, &mut jar).await.unwrap(), Stopped::Restored);
}

#[tokio::test]
async fn a_plain_request_asks_the_store_no_more_than_before() {
    let world = World::new();
    let store = FaultyStore::new(world.store.clone());
    let sessions = world.tracked_on(store.clone());
    let mut jar = Jar::default();
    log_in(&sessions, &mut jar, "root").await;
    let calls = |from: usize| store.calls().len() - from;
    let before = store.calls().len();
    who(&sessions, &mut jar).await;
    assert_eq!(calls(before), 1);
    impersonate(&sessions, &mut jar, "bob").await.unwrap();
    let before = store.calls().len();
    who(&sessions, &mut jar).await;
    assert_eq!(calls(before), 2);
}

/// A double click: the second request was under way with the cookies from before.
#[tokio::test]
async fn to_stop_twice_leads_back_twice() {
    let world = World::new();
    let sessions = world.tracked();
    let mut jar = acts(&sessions).await;
    let second = Trip::of(&sessions);
    second.receive(&jar.post("/"));
    assert_eq!(stop(&sessions, &mut jar).await.unwrap(), Stopped::Restored);
    assert_eq!(second.stop_impersonating().await.unwrap(), Stopped::Restored);
    jar.keep(&second.close(&()));
    assert_eq!(who(&sessions, &mut jar).await, is("root"));
    assert_eq!(world.records(&sessions, "root").await.len(), 1);
}

#[tokio::test]
async fn from_a_session_that_bob_or_the_clock_has_ended_the_way_leads_back_too() {
    for by_bob in [true, false] {
        let world = World::new();
        let sessions = world.tracked();
        let mut jar = Jar::default();
        log_in(&sessions, &mut jar, "root").await;
        let trip = request(&sessions, &jar).await;
        trip.impersonate(user("bob")).at_most(seconds(60)).await.unwrap();
        jar.keep(&trip.close(&()));
        match by_bob {
            true => drop(sessions.revoke_account("bob").await.unwrap()),
            false => world.advance(60),
        }
        assert_eq!(stop(&sessions, &mut jar).await.unwrap(), Stopped::Restored);
        assert_eq!(who(&sessions, &mut jar).await, is("root"));
    }
}

/// What waits must be a login that waits for nothing: the second cookie is no way around the second factor.
#[tokio::test]
async fn a_login_that_waits_is_not_restored_from_the_second_cookie() {
    let world = World::new();
    let sessions = world.tracked();
    for (name, level) in [("root", 0), ("guest", 1)] {
        let login = sessions.create_session(user(name), &TestRequest::new("POST", "/login"));
        let login = if level == 0 { login.level(0) } else { login };
        let token = login.await.unwrap().token.unwrap();
        let trip = Trip::of(&sessions);
        trip.receive(&TestRequest::new("POST", "/").cookie(&format!("{PARKED}={}", token.expose())));
        assert_eq!(trip.stop_impersonating().await.unwrap(), Stopped::LoggedOut, "{name}");
        assert!(trip.user().is_none());
    }
}

#[tokio::test]
async fn a_logout_in_the_request_that_began_to_act_ends_both() {
    let world = World::new();
    let sessions = world.tracked();
    let trip = request(&sessions, &Jar::default()).await;
    trip.create(user("root")).await.unwrap();
    trip.impersonate(user("bob")).await.unwrap();
    trip.destroy().await.unwrap();
    for name in ["root", "bob"] {
        assert!(world.records(&sessions, name).await.is_empty(), "{name}");
    }
}

//! Sessions of another system are taken over, once, and nothing that ended comes back by them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use session_core::store::{SessionLimit, SessionStore as _};
use session_core::testing::{Fault, FaultyStore, StoreMethod, TestRequest};
use session_core::{
    Authenticated, CookieSettings, ErrorKind, Foreign, ForeignCookies, Fresh, Level, Lifetimes, Revalidation,
    SessionManager, SessionManagerBuilder, Timestamp, TokenForm,
};

use crate::faulty::Faulty;
use crate::jar::{Jar, arrive};
use crate::support::{START, Trip, User, World, seconds, user};

const OLD: &str = "__Host-old";
/// Adopting is over then.
const UNTIL: u64 = 10 * 86_400;
/// A foreign session lasts so long.
const LIFE: u64 = 5 * 86_400;

/// The other system's cookie: who, the session's id or nothing, and when it was issued.
fn foreign_cookie(name: &str, id: &str, issued_at: Timestamp) -> String {
    format!("{OLD}={name}.{id}.{}", issued_at.unix_seconds())
}

fn read(cookies: &ForeignCookies) -> Option<(User, Foreign)> {
    let value = String::from_utf8(cookies.named(OLD).next()?.to_vec()).ok()?;
    let mut parts = value.split('.');
    let (name, id, issued_at) = (parts.next()?, parts.next()?, parts.next()?.parse().ok()?);
    let issued_at = Timestamp::from_unix_seconds(issued_at);
    let foreign = Foreign::new(OLD).issued_at(issued_at).ends_at(issued_at.plus(seconds(LIFE)));
    let foreign = foreign.clear(CookieSettings::default().name(OLD));
    Some((user(name), if id.is_empty() { foreign } else { foreign.id(id) }))
}

fn adopting(world: &World) -> SessionManagerBuilder<User> {
    let builder = world.builder().store(world.store.clone()).adopt_until(START.plus(seconds(UNTIL)));
    builder.adopt_from(|cookies| async move { Ok(read(&cookies)) })
}

fn manager(world: &World) -> SessionManager<User> {
    adopting(world).build().unwrap()
}

/// A browser that was logged in to the other system a minute ago.
fn newcomer(world: &World, name: &str, id: &str) -> Jar {
    let at = world.now().minus(seconds(60));
    let cookie = foreign_cookie(name, id, at);
    let mut jar = Jar::default();
    jar.change(|cookies| {
        let (name, value) = cookie.split_once('=').unwrap();
        cookies.insert(name.to_owned(), value.to_owned());
    });
    jar
}

/// Who the manager says this is; the browser keeps what it is sent.
async fn who(sessions: &SessionManager<User>, jar: &mut Jar) -> Option<String> {
    let outcome = sessions.get_session(&jar.get("/")).await.unwrap()?;
    jar.keep(&outcome.changes);
    outcome.user().map(|user| user.user_id.clone())
}

async fn log_out(sessions: &SessionManager<User>, jar: &Jar) {
    drop(sessions.destroy_session(&jar.post("/logout")).await.unwrap());
}

/// With an id of the foreign session, and without.
const IDS: [&str; 2] = ["k1", ""];

#[tokio::test]
async fn whoever_comes_with_a_foreign_session_is_logged_in_and_loses_its_cookie() {
    for id in IDS {
        let world = World::new();
        let sessions = manager(&world);
        let mut jar = newcomer(&world, "ann", id);
        assert_eq!(who(&sessions, &mut jar).await.as_deref(), Some("ann"));
        assert_eq!(jar.names(""), ["__Host-session"]);
        assert_eq!(world.event_names(), ["adopted"]);
        assert_eq!(who(&sessions, &mut jar).await.as_deref(), Some("ann"));
        assert_eq!(world.records(&sessions, "ann").await.len(), 1);
    }
}

#[tokio::test]
async fn eight_first_requests_make_one_session() {
    for hybrid in [false, true] {
        let world = World::new();
        let builder = adopting(&world);
        let builder = if hybrid { builder.hybrid(seconds(30)) } else { builder };
        let sessions = builder.build().unwrap();
        let jar = newcomer(&world, "ann", "k1");
        let calls = (0..8).map(|_| who_else(&sessions, jar.clone()));
        let jars = join_all(calls).await;
        assert_eq!(world.records(&sessions, "ann").await.len(), 1);
        let cookies: Vec<_> = jars.iter().map(|jar| jar.value("__Host-session").unwrap()).collect();
        assert!(cookies.iter().all(|cookie| *cookie == cookies[0]));
    }
}

/// Eight first requests, of whose answers one is late: it brings the first token when another tab has had a newer one.
#[tokio::test]
async fn a_late_answer_to_a_first_request_logs_nobody_out() {
    let world = World::new();
    let sessions = manager(&world);
    let (mut jar, mut late) = (newcomer(&world, "ann", "k1"), newcomer(&world, "ann", "k1"));
    for tab in [&mut jar, &mut late] {
        assert_eq!(who(&sessions, tab).await.as_deref(), Some("ann"));
    }
    world.advance(2);
    for _ in 0..2 {
        jar.keep(&sessions.refresh_session(&jar.post("/refresh")).await.unwrap().changes);
    }
    // It has overtaken that of the refresh.
    world.advance(40);
    assert_eq!(who(&sessions, &mut late).await.as_deref(), Some("ann"));
}

async fn who_else(sessions: &SessionManager<User>, mut jar: Jar) -> Jar {
    assert_eq!(who(sessions, &mut jar).await.as_deref(), Some("ann"));
    jar
}

#[tokio::test]
async fn where_records_are_sealed_so_is_an_adopted_one() {
    let world = World::new();
    let sessions = adopting(&world).seal_records(true).build().unwrap();
    let (mut jar, mut other_tab) = (newcomer(&world, "ann", "k1"), newcomer(&world, "ann", "k1"));
    for browser in [&mut jar, &mut other_tab] {
        assert_eq!(who(&sessions, browser).await.as_deref(), Some("ann"));
    }
    let record = world.records(&sessions, "ann").await.remove(0);
    assert!(!String::from_utf8_lossy(&record.payload).contains("userId"));
}

#[tokio::test]
async fn after_a_logout_a_copy_of_the_foreign_cookie_opens_nothing_on_any_node() {
    for id in IDS {
        let world = World::new();
        let (sessions, elsewhere) = (manager(&world), manager(&world));
        let (mut jar, mut thief) = (newcomer(&world, "ann", id), newcomer(&world, "ann", id));
        who(&sessions, &mut jar).await;
        log_out(&sessions, &jar).await;
        for node in [&sessions, &elsewhere] {
            assert_eq!(who(node, &mut thief).await, None, "{id}");
        }
        world.advance(LIFE - 61);
        assert_eq!(who(&elsewhere, &mut thief).await, None, "{id}");
    }
}

#[tokio::test]
async fn a_logout_before_the_first_visit_ends_the_foreign_session_too() {
    for id in IDS {
        let world = World::new();
        let sessions = manager(&world);
        let (jar, mut thief) = (newcomer(&world, "ann", id), newcomer(&world, "ann", id));
        let changes = sessions.destroy_session(&jar.post("/logout")).await.unwrap();
        assert!(changes.set_cookies().any(|line| line.starts_with("__Host-old=; Max-Age=0")));
        assert_eq!(who(&sessions, &mut thief).await, None, "{id}");
        assert!(world.records(&sessions, "ann").await.is_empty());
    }
}

/// Between the two steps of such a logout, and after one that came to nothing.
#[tokio::test]
async fn nobody_joins_what_a_logout_before_the_first_visit_has_marked() {
    for id in IDS {
        let world = World::new();
        let store = FaultyStore::new(world.store.clone());
        let builder = world.builder().store(store.clone()).adopt_until(START.plus(seconds(UNTIL)));
        let sessions = builder.adopt_from(|cookies| async move { Ok(read(&cookies)) }).build().unwrap();
        let (jar, mut copy) = (newcomer(&world, "ann", id), newcomer(&world, "ann", id));
        store.inject_by(|method| if method == StoreMethod::Delete { Fault::Fail } else { Fault::None });
        assert_eq!(sessions.destroy_session(&jar.post("/logout")).await.map(drop).unwrap_err().status(), 503);
        assert_eq!(who(&sessions, &mut copy).await, None, "{id}");
        assert!(world.records(&sessions, "ann").await.is_empty());
    }
}

#[tokio::test]
async fn a_login_ends_the_foreign_session_that_its_request_shows() {
    for id in IDS {
        let world = World::new();
        let sessions = manager(&world);
        let (mut jar, mut thief) = (newcomer(&world, "ann", id), newcomer(&world, "ann", id));
        jar.log_in(&sessions, user("bob")).await;
        assert_eq!(jar.names(""), ["__Host-session"]);
        assert_eq!(who(&sessions, &mut thief).await, None, "{id}");
        assert_eq!(who(&sessions, &mut jar).await.as_deref(), Some("bob"));
    }
}

#[tokio::test]
async fn whatever_else_ends_the_session_leaves_no_way_back() {
    for id in IDS {
        for end in ["device", "account", "others", "everyone", "replaced", "rotated", "replay", "revalidated"]
        {
            let world = World::new();
            let sessions = adopting(&world)
                .revalidate_every(seconds(600), move |_| async move {
                    if end == "revalidated" { Revalidation::End } else { Revalidation::Keep }
                })
                .build()
                .unwrap();
            let (mut jar, mut thief) = (newcomer(&world, "ann", id), newcomer(&world, "ann", id));
            who(&sessions, &mut jar).await;
            match end {
                "device" => {
                    let device = sessions.list_account("ann").await.unwrap().remove(0);
                    assert!(sessions.revoke_session("ann", &device.id).await.unwrap());
                }
                "account" => assert_eq!(sessions.revoke_account("ann").await.unwrap(), 1),
                "others" => {
                    let mut other = Jar::default();
                    other.log_in(&sessions, user("ann")).await;
                    let (trip, _) = arrive::<Authenticated<User>>(&sessions, &other.post("/")).await;
                    assert_eq!(trip.revoke_others().await.unwrap(), 1);
                }
                "everyone" => assert_eq!(sessions.revoke_everyone().await.unwrap(), 1),
                "replaced" => jar.log_in(&sessions, user("bob")).await,
                "rotated" => {
                    let (trip, _) = arrive::<Authenticated<User>>(&sessions, &jar.post("/")).await;
                    trip.reauthenticate().await.unwrap();
                    jar.keep(&trip.close(&()));
                    log_out(&sessions, &jar).await;
                }
                "replay" => {
                    let stolen = jar.clone();
                    world.advance(86_400 - 100);
                    who(&sessions, &mut jar).await;
                    who(&sessions, &mut jar).await;
                    world.advance(90);
                    let mut stolen = stolen;
                    assert_eq!(who(&sessions, &mut stolen).await, None);
                }
                _ => {
                    world.advance(600);
                    assert_eq!(who(&sessions, &mut jar).await, None);
                }
            }
            assert_eq!(who(&sessions, &mut thief).await, None, "{id}: {end}");
        }
    }
}

#[tokio::test]
async fn who_was_evicted_does_not_come_back_by_the_foreign_cookie() {
    for id in IDS {
        let world = World::new();
        let sessions =
            adopting(&world).session_limit(SessionLimit::EvictLeastRecentlySeen(1)).build().unwrap();
        let (mut jar, mut copy) = (newcomer(&world, "ann", id), newcomer(&world, "ann", id));
        who(&sessions, &mut jar).await;
        Jar::default().log_in(&sessions, user("ann")).await;
        assert_eq!(who(&sessions, &mut copy).await, None, "{id}");
        assert_eq!(world.records(&sessions, "ann").await.len(), 1);
    }
}

#[tokio::test]
async fn a_session_that_ran_out_here_is_not_begun_anew() {
    let world = World::new();
    let lifetimes = Lifetimes::default().idle_timeout(seconds(3600));
    let sessions = adopting(&world).lifetimes(lifetimes).build().unwrap();
    let (mut jar, mut copy) = (newcomer(&world, "ann", "k1"), newcomer(&world, "ann", "k1"));
    who(&sessions, &mut jar).await;
    world.advance(3600);
    assert_eq!(who(&sessions, &mut copy).await, None);
}

#[tokio::test]
async fn an_account_that_was_revoked_before_its_first_visit_stays_out() {
    for id in IDS {
        let world = World::new();
        let sessions = manager(&world);
        let (mut before, mut other) = (newcomer(&world, "ann", id), newcomer(&world, "bob", id));
        sessions.revoke_account("ann").await.unwrap();
        assert_eq!(who(&sessions, &mut before).await, None);
        assert_eq!(who(&sessions, &mut other).await.as_deref(), Some("bob"));
        world.advance(600);
        let mut after = newcomer(&world, "ann", "k2");
        assert_eq!(who(&sessions, &mut after).await.as_deref(), Some("ann"));
        sessions.revoke_everyone().await.unwrap();
        for name in ["ann", "bob", "eve"] {
            assert_eq!(who(&sessions, &mut newcomer(&world, name, "k3")).await, None);
        }
    }
}

#[tokio::test]
async fn it_is_never_fresh_until_somebody_proves_who_they_are() {
    let world = World::new();
    let sessions = manager(&world);
    let mut jar = newcomer(&world, "ann", "k1");
    who(&sessions, &mut jar).await;
    let trip = Trip::of(&sessions);
    trip.receive(&jar.post("/"));
    let refused = trip.extract::<Fresh<User, 3600>>().await.map(drop).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ReauthenticationRequired);
    trip.reauthenticate().await.unwrap();
    jar.keep(&trip.close(&()));
    arrive::<Fresh<User, 3600>>(&sessions, &jar.post("/")).await;
}

#[tokio::test]
async fn it_ends_with_the_foreign_session_or_with_ours() {
    let world = World::new();
    let sessions = manager(&world);
    let mut jar = newcomer(&world, "ann", "k1");
    who(&sessions, &mut jar).await;
    for _ in 0..(LIFE - 60) / 85_000 {
        world.advance(85_000);
        // The first use of a token, and one that refreshes it.
        for _ in 0..2 {
            assert_eq!(who(&sessions, &mut jar).await.as_deref(), Some("ann"));
        }
    }
    world.advance((LIFE - 60) % 85_000);
    assert_eq!(who(&sessions, &mut jar).await, None);
}

#[tokio::test]
async fn where_nothing_says_when_it_ends_it_ends_with_adopting() {
    let world = World::new();
    let builder = world.builder().store(world.store.clone()).adopt_until(START.plus(seconds(100)));
    let sessions =
        builder.adopt_from(|_| async { Ok(Some((user("ann"), Foreign::new(OLD).id("1")))) }).build().unwrap();
    let mut jar = newcomer(&world, "ann", "1");
    assert_eq!(who(&sessions, &mut jar).await.as_deref(), Some("ann"));
    world.advance(99);
    assert_eq!(who(&sessions, &mut jar).await.as_deref(), Some("ann"));
    world.advance(1);
    assert_eq!(who(&sessions, &mut jar).await, None);
    assert_eq!(who(&sessions, &mut newcomer(&world, "ann", "1")).await, None, "adopting is over");
}

/// A node whose clock is ahead adopts nothing any more, and one whose clock is behind still does.
#[tokio::test]
async fn what_ends_where_adopting_is_over_is_not_adopted_by_a_clock_that_is_behind() {
    for id in IDS {
        for end in ["account", "everyone", "logout", "first visit", "login"] {
            let behind = World::new();
            behind.advance(UNTIL - 20);
            let ahead = World { store: behind.store.clone(), ..World::new() };
            ahead.advance(UNTIL + 20);
            let (still, no_more) = (manager(&behind), manager(&ahead));
            let (mut jar, mut copy) = (newcomer(&behind, "ann", id), newcomer(&behind, "ann", id));
            match end {
                "account" => drop(no_more.revoke_account("ann").await.unwrap()),
                "everyone" => drop(no_more.revoke_everyone().await.unwrap()),
                "logout" => {
                    assert_eq!(who(&still, &mut jar).await.as_deref(), Some("ann"));
                    log_out(&no_more, &jar).await;
                }
                "first visit" => log_out(&no_more, &jar).await,
                _ => jar.log_in(&no_more, user("bob")).await,
            }
            // What others do there takes away only what nobody needs any more.
            for name in ["bob", "eve"] {
                no_more.revoke_account(name).await.unwrap();
            }
            assert_eq!(who(&no_more, &mut copy).await, None, "{id}: {end}");
            assert_eq!(who(&still, &mut copy).await, None, "{id}: {end}");
        }
    }
}

#[tokio::test]
async fn whoever_has_a_session_here_keeps_it() {
    let world = World::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let sessions = adopting(&world)
        .adopt_from(move |cookies| {
            counted.fetch_add(1, Ordering::SeqCst);
            async move { Ok(read(&cookies)) }
        })
        .build()
        .unwrap();
    let mut jar = Jar::default();
    jar.log_in(&sessions, user("bob")).await;
    let cookie = foreign_cookie("ann", "k1", world.now());
    jar.change(|cookies| drop(cookies.insert(OLD.to_owned(), cookie.split_once('=').unwrap().1.to_owned())));
    assert_eq!(who(&sessions, &mut jar).await.as_deref(), Some("bob"));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let (trip, _) = arrive::<Authenticated<User>>(&sessions, &jar.post("/")).await;
    let kept = trip.adopt(user("ann"), Foreign::new(OLD).id("k1")).await.unwrap();
    assert_eq!(kept.user_id, "bob");
}

#[tokio::test]
async fn a_cookie_of_a_clock_that_is_ahead_does_not_outlive_the_logout() {
    let world = World::new();
    let lifetimes = Lifetimes::default().leeway(seconds(60));
    let sessions = adopting(&world).lifetimes(lifetimes).build().unwrap();
    let cookie = foreign_cookie("ann", "", world.now().plus(seconds(60)));
    let request = || TestRequest::new("GET", "/").cookie(&cookie);
    assert!(sessions.get_session(&request()).await.unwrap().is_some());
    sessions.revoke_account("ann").await.unwrap();
    assert!(sessions.get_session(&request()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_session_here_that_this_program_cannot_read_is_not_replaced() {
    let world = World::new();
    let sessions = manager(&world);
    let mut jar = Jar::default();
    jar.log_in(&sessions, user("bob")).await;
    let record = world.records(&sessions, "bob").await.remove(0);
    let unreadable = record.with(|record| (record.version, record.payload) = (1, b"[]".to_vec()));
    world.store.replace(sessions.realm(), &unreadable, world.now()).await.unwrap();
    let cookie = foreign_cookie("ann", "k1", world.now());
    jar.change(|cookies| drop(cookies.insert(OLD.to_owned(), cookie.split_once('=').unwrap().1.to_owned())));
    assert_eq!(who(&sessions, &mut jar).await, None);
    assert!(world.records(&sessions, "ann").await.is_empty());
}

#[tokio::test]
async fn a_guest_keeps_the_cart() {
    let world = World::new();
    let sessions = manager(&world);
    let mut jar = Jar::default();
    jar.log_in(&sessions, user("guest")).await;
    let cookie = foreign_cookie("ann", "k1", world.now());
    jar.change(|cookies| drop(cookies.insert(OLD.to_owned(), cookie.split_once('=').unwrap().1.to_owned())));
    assert_eq!(who(&sessions, &mut jar).await.as_deref(), Some("guest"));
}

#[tokio::test]
async fn the_status_writes_nothing_and_adopts_nobody() {
    let world = World::new();
    let sessions = manager(&world);
    let jar = newcomer(&world, "ann", "k1");
    assert!(!sessions.check_session_status(&jar.get("/session")).await.unwrap().is_valid);
    assert!(world.records(&sessions, "ann").await.is_empty());
}

#[tokio::test]
async fn a_full_account_is_401_and_never_409() {
    let world = World::new();
    let sessions = adopting(&world).session_limit(SessionLimit::Refuse(1)).build().unwrap();
    Jar::default().log_in(&sessions, user("ann")).await;
    let trip = Trip::of(&sessions);
    trip.receive(&newcomer(&world, "ann", "k1").get("/"));
    let refused = trip.extract::<Authenticated<User>>().await.map(drop).unwrap_err();
    assert_eq!((refused.status(), refused.kind()), (401, ErrorKind::NotFound));
    assert_eq!(world.event_names().last(), Some(&"rejected"));
}

#[tokio::test]
async fn what_is_no_good_is_refused_and_told() {
    let world = World::new();
    let sessions = manager(&world);
    let ahead = world.now().plus(seconds(3600));
    let bad = [
        (user("ann"), Foreign::new("old").id("1")),
        (user("ann"), Foreign::new("__host-old").id("1")),
        (user("ann"), Foreign::new(OLD).id("1").ends_at(world.now())),
        (user("ann"), Foreign::new(OLD).id("1").issued_at(ahead)),
        (user("ann"), Foreign::new(OLD).id("1").authenticated_at(ahead)),
        (user("ann"), Foreign::new(OLD).id("1").authenticated_at(Timestamp::EPOCH)),
        (user("ann"), Foreign::new(OLD).id("")),
        (user("ann"), Foreign::new(OLD).id("x".repeat(513))),
        (user("ann"), Foreign::new(OLD).id("1").clear(CookieSettings::default().name("a b"))),
        (user(""), Foreign::new(OLD).id("1")),
        (user("guest"), Foreign::new(OLD)),
    ];
    for (who, foreign) in bad {
        world.events.lock().unwrap().clear();
        let trip = Trip::of(&sessions);
        trip.receive(&TestRequest::new("POST", "/"));
        let shown = format!("{foreign:?}");
        let refused = trip.adopt(who, foreign).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NotFound, "{shown}");
        assert_eq!(world.event_names(), ["rejected"], "{shown}");
    }
    assert_eq!(sessions.count().await.unwrap(), 0);
}

#[tokio::test]
async fn another_name_is_taken_where_that_is_allowed() {
    let world = World::new();
    let sessions = manager(&world);
    let trip = Trip::of(&sessions);
    trip.receive(&TestRequest::new("POST", "/"));
    let foreign = Foreign::new("connect.sid").id("1").allow_any_name();
    assert_eq!(trip.adopt(user("ann"), foreign).await.unwrap().user_id, "ann");
    assert!(trip.close(&()).set_cookie().is_some());
}

#[tokio::test]
async fn a_bearer_token_and_another_origin_bring_nobody() {
    let world = World::new();
    let sessions = adopting(&world).bearer(true).build().unwrap();
    let jar = newcomer(&world, "ann", "k1");
    let bearer = jar.get("/").header("authorization", b"Bearer nonsense");
    assert!(sessions.get_session(&bearer).await.unwrap().is_none());
    let elsewhere = jar.request("POST", "/").header("sec-fetch-site", "cross-site");
    assert_eq!(sessions.get_session(&elsewhere).await.map(drop).unwrap_err().kind(), ErrorKind::CrossOrigin);
    let trip = Trip::of(&sessions);
    trip.receive(&bearer);
    let refused = trip.adopt(user("ann"), Foreign::new(OLD).id("k1")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Misuse, "its client would not get the session");
    assert!(trip.close(&()).set_cookie().is_none());
    assert!(world.records(&sessions, "ann").await.is_empty());
}

#[tokio::test]
async fn a_reader_or_a_store_that_fails_is_503_and_the_next_request_succeeds() {
    let world = World::new();
    let store = FaultyStore::new(world.store.clone());
    let broken = Arc::new(AtomicUsize::new(1));
    let left = Arc::clone(&broken);
    let builder = world.builder().store(store.clone()).adopt_until(START.plus(seconds(UNTIL)));
    let sessions = builder
        .adopt_from(move |cookies| {
            let fails =
                left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            async move { if fails { Err("the other database is down".into()) } else { Ok(read(&cookies)) } }
        })
        .build()
        .unwrap();
    let mut jar = newcomer(&world, "ann", "k1");
    assert_eq!(sessions.get_session(&jar.get("/")).await.map(drop).unwrap_err().status(), 503);
    store.inject_by(|method| if method == StoreMethod::Adopt { Fault::LoseAnswers } else { Fault::None });
    assert_eq!(sessions.get_session(&jar.get("/")).await.map(drop).unwrap_err().status(), 503);
    store.recover();
    assert_eq!(
        who(&sessions, &mut jar).await.as_deref(),
        Some("ann"),
        "the lost answer made a session to join"
    );
    store.inject_by(|method| if method == StoreMethod::Bar { Fault::Fail } else { Fault::None });
    assert_eq!(sessions.revoke_account("ann").await.unwrap_err().status(), 503);
    assert_eq!(who(&sessions, &mut jar).await.as_deref(), Some("ann"), "nothing was ended");
}

#[tokio::test]
async fn a_session_that_came_without_a_store_goes_on_with_one() {
    for form in [TokenForm::Typed, TokenForm::Plain, TokenForm::Sealed] {
        let world = World::new();
        let before = world.builder().token_form(form).build().unwrap();
        let mut jar = Jar::default();
        let request = jar.post("/login");
        let login = before.create_session(user("ann"), &request).methods(["pwd"]).level(2).remember(false);
        jar.keep(&login.await.unwrap().changes);
        let copy = jar.clone();

        let builder = world.builder().store(world.store.clone()).adopt_until(START.plus(seconds(UNTIL)));
        let sessions = builder.adopt_tokens(form).build().unwrap();
        world.advance(100);
        assert_eq!(who(&sessions, &mut jar).await.as_deref(), Some("ann"));
        let (trip, _) = arrive::<Level<User, 2>>(&sessions, &jar.post("/")).await;
        assert_eq!(trip.status().authenticated_at, Some(START));
        let record = world.records(&sessions, "ann").await.remove(0);
        assert!(record.ends_at <= START.plus(seconds(86_400)));
        assert_eq!(world.event_names(), ["created", "adopted"]);

        log_out(&sessions, &jar).await;
        let mut copy = copy;
        assert_eq!(who(&sessions, &mut copy).await, None, "a copy of the old token opens nothing");
    }
}

#[tokio::test]
async fn a_guest_from_before_the_store_keeps_the_cart() {
    let world = World::new();
    let mut jar = Jar::default();
    jar.log_in(&world.stateless(), user("guest")).await;
    let builder = world.builder().store(world.store.clone()).adopt_until(START.plus(seconds(UNTIL)));
    let sessions = builder.adopt_tokens(TokenForm::Typed).build().unwrap();
    assert_eq!(who(&sessions, &mut jar).await.as_deref(), Some("guest"));
    assert_eq!(sessions.count().await.unwrap(), 1);
}

#[tokio::test]
async fn tokens_of_two_accounts_bring_nobody() {
    let world = World::new();
    let old = world.stateless();
    let cookie = async |name| {
        let mut jar = Jar::default();
        jar.log_in(&old, user(name)).await;
        format!("__Host-session={}", jar.value("__Host-session").unwrap())
    };
    let both = format!("{}; {}", cookie("ann").await, cookie("eve").await);
    let builder = world.builder().store(world.store.clone()).adopt_until(START.plus(seconds(UNTIL)));
    let sessions = builder.adopt_tokens(TokenForm::Typed).build().unwrap();
    assert!(sessions.get_session(&TestRequest::new("GET", "/").cookie(&both)).await.unwrap().is_none());
}

#[tokio::test]
async fn from_a_store_to_hybrid_mode_and_back_nobody_is_logged_out() {
    let world = World::new();
    let (tracked, hybrid) = (world.tracked(), world.hybrid());
    let mut jar = Jar::default();
    jar.log_in(&tracked, user("ann")).await;
    for sessions in [&hybrid, &tracked, &hybrid] {
        assert_eq!(who(sessions, &mut jar).await.as_deref(), Some("ann"));
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let world = World::new();
    let refused = |builder: SessionManagerBuilder<User>| builder.build().map(drop).unwrap_err().to_string();
    let until = START.plus(seconds(UNTIL));
    assert!(refused(world.builder().adopt_tokens(TokenForm::Typed)).contains("adopt_until"));
    assert!(refused(world.builder().adopt_until(until)).contains(".store(..)"));
    let store = Faulty::default();
    store.adopts_nothing.store(true, Ordering::SeqCst);
    assert!(refused(world.builder().store(store).adopt_until(until)).contains("can_adopt"));
}

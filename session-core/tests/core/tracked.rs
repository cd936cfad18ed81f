//! Sessions in a store.

use std::borrow::Cow;
use std::sync::Arc;

use session_core::store::{MemoryStore, RecordKey, SessionLimit, SessionStore};
use session_core::testing::{TestRequest, logged_in_cookie};
use session_core::{ErrorKind, KeyRing, Lifetimes, ReplayPolicy, SessionManager, SessionPayload};

use crate::support::{Browser, SECRET, Trip, User, World, seconds, user};

/// In the last 30 minutes of the first token.
const NEAR_EXPIRY: u64 = 86_400 - 600;

#[tokio::test]
async fn the_cookie_holds_a_reference_and_not_the_payload() {
    let sessions = World::new().tracked();
    let tracked = logged_in_cookie(&sessions, user("ann-with-a-long-name")).await.unwrap();
    let other = logged_in_cookie(&sessions, crate::support::big_user("bob", 10_000)).await.unwrap();
    assert_eq!(tracked.len(), other.len());
}

#[tokio::test]
async fn sixty_four_parallel_increments_all_count() {
    let sessions = World::new().tracked();
    let browser = Arc::new(Browser::login(&sessions, user("ann")).await);
    let tasks = (0..64).map(|_| {
        let (sessions, browser) = (sessions.clone(), Arc::clone(&browser));
        tokio::spawn(async move {
            let session = Trip::of(&sessions);
            session.receive(&browser.post("/visits"));
            session.update(|user| user.visits += 1).await.unwrap();
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let outcome = sessions.get_session(&browser.get("/")).await.unwrap().unwrap();
    assert_eq!(outcome.user().unwrap().visits, 64);
}

#[tokio::test]
async fn an_update_is_applied_again_to_what_another_request_stored() {
    let sessions = World::new().tracked();
    let browser = Browser::login(&sessions, user("ann")).await;
    let (one, two) = (Trip::of(&sessions), Trip::of(&sessions));
    for session in [&one, &two] {
        session.receive(&browser.post("/visits"));
        session.open().await.unwrap();
    }
    one.update(|user| user.visits += 1).await.unwrap();
    assert_eq!(two.update(|user| user.visits += 10).await.unwrap().visits, 11);
}

#[tokio::test]
async fn an_update_in_flight_does_not_bring_a_session_back() {
    let sessions = World::new().tracked();
    let browser = Browser::login(&sessions, user("ann")).await;
    let in_flight = Trip::of(&sessions);
    in_flight.receive(&browser.post("/visits"));
    in_flight.open().await.unwrap();
    let _ = sessions.destroy_session(&browser.post("/logout")).await.unwrap();
    let outcome = in_flight.update(|user| user.visits += 1).await;
    assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    assert_eq!(browser.clone().who(&sessions).await, None);
}

in_every_mode! {
    async fn an_update_may_not_change_the_account(_world, sessions) {
        let browser = Browser::login(&sessions, user("ann")).await;
        let session = Trip::of(&sessions);
        session.receive(&browser.post("/"));
        let outcome = session.update(|user| user.user_id = "bob".to_owned()).await;
        assert_eq!(outcome.map_err(|error| error.kind()), Err(ErrorKind::Misuse));
        assert_eq!(session.user().unwrap().user_id, "ann");
    }
}

#[tokio::test]
async fn while_the_successor_is_unused_every_answer_to_its_predecessor_carries_the_same_one() {
    let world = World::new();
    let sessions = world.tracked();
    let browser = Browser::login(&sessions, user("ann")).await;
    world.advance(NEAR_EXPIRY);
    let mut cookies = Vec::new();
    for _ in 0..5 {
        let outcome = sessions.get_session(&browser.get("/")).await.unwrap().unwrap();
        cookies.push(outcome.changes.set_cookie().unwrap().to_owned());
        world.advance(10);
    }
    cookies.dedup();
    assert_eq!(cookies.len(), 1, "{cookies:?}");
}

#[tokio::test]
async fn after_the_first_use_of_the_successor_the_predecessor_is_served_for_the_grace_and_then_is_a_replay() {
    let world = World::new();
    let sessions = world.tracked();
    let mut browser = Browser::login(&sessions, user("ann")).await;
    let old = browser.clone();
    world.advance(NEAR_EXPIRY);
    browser.who(&sessions).await;
    assert_ne!(browser.cookie(), old.cookie());
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"), "first use");
    world.advance(29);
    let late = sessions.get_session(&old.get("/")).await.unwrap().unwrap();
    assert_eq!(late.changes.set_cookie(), None);
    world.advance(1);
    assert_eq!(old.clone().who(&sessions).await, None);
    assert_eq!(browser.who(&sessions).await, None, "the session ended for both");
    assert!(world.event_names().contains(&"replay_detected"));
}

#[tokio::test]
async fn a_replay_can_be_refused_without_ending_the_session() {
    let world = World::new();
    let sessions = world.builder().store(world.store.clone()).replay(ReplayPolicy::Refuse).build().unwrap();
    let mut browser = Browser::login(&sessions, user("ann")).await;
    let old = browser.clone();
    world.advance(NEAR_EXPIRY);
    browser.who(&sessions).await;
    browser.who(&sessions).await;
    world.advance(30);
    assert_eq!(old.clone().who(&sessions).await, None);
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
}

#[tokio::test]
async fn asking_for_the_status_with_a_replayed_token_ends_nothing() {
    let world = World::new();
    let sessions = world.tracked();
    let mut browser = Browser::login(&sessions, user("ann")).await;
    let old = browser.clone();
    world.advance(NEAR_EXPIRY);
    browser.who(&sessions).await;
    browser.who(&sessions).await;
    world.advance(60);
    assert!(!sessions.check_session_status(&old.get("/")).await.unwrap().is_valid);
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
}

#[tokio::test]
async fn a_stale_twin_under_another_path_is_no_replay() {
    let world = World::new();
    let sessions = world.tracked();
    let mut browser = Browser::login(&sessions, user("ann")).await;
    let old = browser.clone();
    world.advance(NEAR_EXPIRY);
    browser.who(&sessions).await;
    browser.who(&sessions).await;
    world.advance(60);
    for line in
        [format!("{}; {}", old.cookie(), browser.cookie()), format!("{}; {}", browser.cookie(), old.cookie())]
    {
        assert_eq!(Browser::holding(&line).who(&sessions).await.as_deref(), Some("ann"));
    }
}

#[tokio::test]
async fn a_store_that_lost_the_refresh_catches_up_from_the_token() {
    let world = World::new();
    let sessions = world.tracked();
    let mut browser = Browser::login(&sessions, user("ann")).await;
    let key = |sessions: &SessionManager<User>| sessions.realm().to_owned();
    let realm = key(&sessions);
    let before = world.records(&sessions, "ann").await.remove(0);
    world.advance(NEAR_EXPIRY);
    browser.who(&sessions).await;
    // The store fails over to a copy from before the refresh.
    let copy = MemoryStore::new();
    copy.create(&realm, &before, Default::default(), before.last_seen).await.unwrap();
    let survivors = world.tracked_on(copy.clone());
    assert_eq!(browser.who(&survivors).await.as_deref(), Some("ann"));
    let record =
        copy.read(RecordKey { realm: &realm, id: before.id }, before.last_seen).await.unwrap().unwrap();
    assert_eq!(record.generation, 1);
}

#[tokio::test]
async fn a_store_that_lost_the_refresh_leaves_a_late_tab_its_grace() {
    let world = World::new();
    let sessions = world.tracked();
    let mut browser = Browser::login(&sessions, user("ann")).await;
    let refresh = async |browser: &mut Browser| {
        let outcome = sessions.refresh_session(&browser.post("/session/refresh")).await.unwrap();
        assert!(browser.take(&outcome.changes));
    };
    world.advance(60);
    refresh(&mut browser).await;
    browser.who(&sessions).await;
    world.advance(600);
    let mut late = browser.clone();
    let before = world.records(&sessions, "ann").await.remove(0);
    refresh(&mut browser).await;
    let copy = MemoryStore::new();
    copy.create(sessions.realm(), &before, Default::default(), before.last_seen).await.unwrap();
    let survivors = world.tracked_on(copy);
    // For this store it is used now for the first time, whatever it knew of the one before.
    assert_eq!(browser.who(&survivors).await.as_deref(), Some("ann"));
    world.advance(29);
    assert_eq!(late.who(&survivors).await.as_deref(), Some("ann"));
    world.advance(1);
    assert_eq!(late.who(&survivors).await, None);
}

#[tokio::test]
async fn reading_keeps_a_session_alive_under_an_idle_timeout() {
    let world = World::new();
    let sessions = world.idle(900);
    let mut browser = Browser::login(&sessions, user("ann")).await;
    for _ in 0..10 {
        world.advance(800);
        assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    }
    world.advance(900);
    assert_eq!(browser.who(&sessions).await, None);
}

/// Under `Refuse` the session goes on when an old token is shown: whoever has that must not keep it going.
async fn a_refused_token_keeps_no_session_from_idling_out(hybrid: bool) {
    let world = World::new();
    let lifetimes = || Lifetimes::default().idle_timeout(seconds(900));
    let builder = || world.builder().store(world.store.clone()).replay(ReplayPolicy::Refuse);
    {
        let builder = builder().lifetimes(lifetimes());
        let builder = if hybrid { builder.hybrid(seconds(5)) } else { builder };
        let sessions = builder.build().unwrap();
        let mut browser = Browser::login(&sessions, user("ann")).await;
        let old = browser.clone();
        world.advance(60);
        browser.take(&sessions.refresh_session(&browser.post("/")).await.unwrap().changes);
        browser.who(&sessions).await;
        world.advance(29);
        assert_eq!(old.clone().who(&sessions).await.as_deref(), Some("ann"), "in its grace");
        for _ in 0..8 {
            world.advance(100);
            assert_eq!(old.clone().who(&sessions).await, None);
            assert!(sessions.refresh_session(&old.post("/")).await.is_err());
        }
        world.advance(70);
        assert!(
            sessions.check_session_status(&browser.get("/")).await.unwrap().is_valid,
            "one second before"
        );
        world.advance(1);
        assert_eq!(browser.who(&sessions).await, None, "it has idled out");
    }
}

#[tokio::test]
async fn a_token_that_is_refused_does_not_keep_a_session_from_idling_out() {
    a_refused_token_keeps_no_session_from_idling_out(false).await;
}

#[tokio::test]
async fn a_token_that_is_refused_does_not_keep_a_session_from_idling_out_in_hybrid_mode() {
    a_refused_token_keeps_no_session_from_idling_out(true).await;
}

#[tokio::test]
async fn asking_for_the_status_does_not_keep_it_alive() {
    let world = World::new();
    let sessions = world.idle(900);
    let browser = Browser::login(&sessions, user("ann")).await;
    for _ in 0..8 {
        world.advance(100);
        assert!(sessions.check_session_status(&browser.get("/")).await.unwrap().is_valid);
    }
    world.advance(99);
    assert!(sessions.check_session_status(&browser.get("/")).await.unwrap().is_valid);
    world.advance(1);
    assert!(!sessions.check_session_status(&browser.get("/")).await.unwrap().is_valid);
}

#[tokio::test]
async fn last_seen_is_written_at_most_once_a_minute() {
    let world = World::new();
    let sessions = world.tracked();
    let mut browser = Browser::login(&sessions, user("ann")).await;
    let version = async || world.records(&sessions, "ann").await.remove(0).version;
    for _ in 0..59 {
        world.advance(1);
        browser.who(&sessions).await;
    }
    assert_eq!(version().await, 0);
    world.advance(1);
    browser.who(&sessions).await;
    browser.who(&sessions).await;
    assert_eq!(version().await, 1);
}

#[tokio::test]
async fn devices_are_listed_newest_first_and_revoked_one_by_one() {
    let world = World::new();
    let sessions = world.tracked();
    let mut phone = Browser::login(&sessions, user("ann")).await;
    world.advance(10);
    let laptop = Browser::login(&sessions, user("ann")).await;
    let _stranger = Browser::login(&sessions, user("bob")).await;
    let session = Trip::of(&sessions);
    session.receive(&laptop.get("/"));
    let devices = session.list().await.unwrap();
    assert_eq!(devices.iter().map(|device| device.current).collect::<Vec<_>>(), [true, false]);
    assert!(!session.revoke("unknown").await.unwrap());
    assert!(session.revoke(&devices[1].id).await.unwrap());
    assert_eq!(phone.who(&sessions).await, None);
    assert_eq!(laptop.clone().who(&sessions).await.as_deref(), Some("ann"));
}

#[tokio::test]
async fn a_handle_of_another_account_revokes_nothing() {
    let world = World::new();
    let sessions = world.tracked();
    let (ann, mut bob) =
        (Browser::login(&sessions, user("ann")).await, Browser::login(&sessions, user("bob")).await);
    let of_bob = sessions.list_account("bob").await.unwrap().remove(0).id;
    let session = Trip::of(&sessions);
    session.receive(&ann.post("/"));
    assert!(!session.revoke(&of_bob).await.unwrap());
    assert_eq!(bob.who(&sessions).await.as_deref(), Some("bob"));
}

#[tokio::test]
async fn revoke_others_keeps_this_one() {
    let sessions = World::new().tracked();
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(Browser::login(&sessions, user("ann")).await);
    }
    let mut mine = Browser::login(&sessions, user("ann")).await;
    let session = Trip::of(&sessions);
    session.receive(&mine.post("/"));
    assert_eq!(session.revoke_others().await.unwrap(), 3);
    assert_eq!(mine.who(&sessions).await.as_deref(), Some("ann"));
    for mut other in others {
        assert_eq!(other.who(&sessions).await, None);
    }
}

#[tokio::test]
async fn an_account_and_everybody_can_be_ended_by_an_administrator() {
    let sessions = World::new().tracked();
    let (mut ann, mut bob) =
        (Browser::login(&sessions, user("ann")).await, Browser::login(&sessions, user("bob")).await);
    let mut guest = Browser::login(&sessions, user("guest")).await;
    assert_eq!(sessions.revoke_account("ann").await.unwrap(), 1);
    assert_eq!(ann.who(&sessions).await, None);
    assert_eq!(bob.who(&sessions).await.as_deref(), Some("bob"));
    assert_eq!(sessions.revoke_everyone().await.unwrap(), 2);
    assert_eq!(bob.who(&sessions).await, None);
    assert_eq!(guest.who(&sessions).await, None);
}

#[tokio::test]
async fn an_administrator_sees_the_devices_of_an_account_and_ends_one() {
    let world = World::new();
    let builder = || world.builder().store(world.store.clone());
    for sessions in [builder().build().unwrap(), builder().hybrid(seconds(30)).build().unwrap()] {
        let mut phone = Browser::login(&sessions, user("ann")).await;
        world.advance(10);
        let mut laptop = Browser::login(&sessions, user("ann")).await;
        let mut bob = Browser::login(&sessions, user("bob")).await;
        for browser in [&mut phone, &mut laptop, &mut bob] {
            browser.who(&sessions).await;
        }
        let session = Trip::of(&sessions);
        session.receive(&laptop.get("/"));
        let mut own = session.list().await.unwrap();
        own.iter_mut().for_each(|device| device.current = false);
        let devices = sessions.list_account("ann").await.unwrap();
        assert_eq!(devices, own, "newest first, and none of them is the administrator's");
        let of_bob = sessions.list_account("bob").await.unwrap().remove(0).id;
        for (subject, device) in [("ann", of_bob.as_str()), ("ann", "unknown"), ("bob", &devices[1].id)] {
            assert!(!sessions.revoke_session(subject, device).await.unwrap(), "{subject} {device}");
        }
        assert!(sessions.revoke_session("ann", &devices[1].id).await.unwrap());
        let told = world.events.lock().unwrap().pop().unwrap();
        let about = (told.kind.as_str(), told.subject.as_deref(), told.session.as_deref());
        assert_eq!(about, ("revoked", Some("ann"), Some(devices[1].id.as_str())));
        assert_eq!(told.detail.as_deref(), Some("revoked by an administrator"));
        assert_eq!(phone.who(&sessions).await, None);
        assert_eq!(laptop.who(&sessions).await.as_deref(), Some("ann"));
        assert_eq!(bob.who(&sessions).await.as_deref(), Some("bob"));
        assert!(!sessions.revoke_session("ann", &devices[1].id).await.unwrap(), "it ended before");
        sessions.revoke_everyone().await.unwrap();
    }
}

#[tokio::test]
async fn a_guest_sees_only_itself() {
    let sessions = World::new().tracked();
    let (one, _two) =
        (Browser::login(&sessions, user("guest")).await, Browser::login(&sessions, user("guest")).await);
    let session = Trip::of(&sessions);
    session.receive(&one.get("/"));
    assert_eq!(session.list().await.unwrap().len(), 1);
    assert_eq!(session.revoke_others().await.unwrap(), 0);
}

#[tokio::test]
async fn the_limit_evicts_whoever_was_seen_least_recently() {
    let world = World::new();
    let sessions = world
        .builder()
        .store(world.store.clone())
        .session_limit(SessionLimit::EvictLeastRecentlySeen(2))
        .build()
        .unwrap();
    let mut first = Browser::login(&sessions, user("ann")).await;
    world.advance(60);
    let mut second = Browser::login(&sessions, user("ann")).await;
    world.advance(60);
    first.who(&sessions).await;
    let mut third = Browser::login(&sessions, user("ann")).await;
    assert_eq!(second.who(&sessions).await, None);
    assert!(first.who(&sessions).await.is_some() && third.who(&sessions).await.is_some());
}

#[tokio::test]
async fn the_limit_can_refuse_and_holds_under_parallel_logins() {
    let world = World::new();
    let sessions =
        world.builder().store(world.store.clone()).session_limit(SessionLimit::Refuse(5)).build().unwrap();
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let sessions = sessions.clone();
            tokio::spawn(async move {
                sessions.create_session(user("ann"), &TestRequest::new("POST", "/")).await.is_ok()
            })
        })
        .collect();
    let mut logged_in = 0;
    for task in tasks {
        logged_in += usize::from(task.await.unwrap());
    }
    assert_eq!(logged_in, 5);
    let refused = sessions.create_session(user("ann"), &TestRequest::new("POST", "/")).await.map(drop);
    assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::SessionLimit));
}

#[tokio::test]
async fn a_login_in_the_same_browser_does_not_count_against_the_limit() {
    let world = World::new();
    let sessions =
        world.builder().store(world.store.clone()).session_limit(SessionLimit::Refuse(1)).build().unwrap();
    let browser = Browser::login(&sessions, user("ann")).await;
    assert!(sessions.create_session(user("ann"), &browser.post("/login")).await.is_ok());
}

#[tokio::test]
async fn a_login_ends_the_session_of_its_cookie_even_one_whose_token_has_expired() {
    let world = World::new();
    let sessions = world.tracked();
    let browser = Browser::login(&sessions, user("ann")).await;
    let old = browser.clone();
    world.advance(NEAR_EXPIRY);
    browser.clone().who(&sessions).await;
    world.advance(700);
    assert!(!sessions.check_session_status(&old.get("/")).await.unwrap().is_valid, "the token is over");
    assert_eq!(sessions.list_account("ann").await.unwrap().len(), 1, "the session is not");
    let _ = sessions.create_session(user("ann"), &old.post("/login")).await.unwrap();
    assert_eq!(sessions.list_account("ann").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_late_request_with_the_cookie_from_before_login_changes_no_cookie() {
    let sessions = World::new().tracked();
    let before = Browser::login(&sessions, user("ann")).await;
    let late = Trip::of(&sessions);
    late.receive(&before.get("/slow"));
    let _ = sessions.create_session(user("ann"), &before.post("/login")).await.unwrap();
    assert!(late.open().await.is_err());
    assert_eq!(late.close(&()).set_cookie(), None);
}

#[tokio::test]
async fn a_record_that_does_not_decode_is_no_session_and_is_kept() {
    let world = World::new();
    let sessions = world.tracked();
    let browser = Browser::login(&sessions, user("ann")).await;
    let mut record = world.records(&sessions, "ann").await.remove(0);
    record.payload = br#"{"another":"shape"}"#.to_vec();
    record.version += 1;
    world.store.replace(sessions.realm(), &record, record.last_seen).await.unwrap();
    world.advance(NEAR_EXPIRY);
    let session = Trip::of(&sessions);
    session.receive(&browser.get("/"));
    assert_eq!(session.open().await.map_err(|error| error.kind()), Err(ErrorKind::Invalid));
    let kept = world.records(&sessions, "ann").await.remove(0);
    assert_eq!(kept.payload, record.payload);
}

#[tokio::test]
async fn two_managers_on_one_store_never_see_each_others_records() {
    let world = World::new();
    let users = world.tracked();
    let admins = world.builder().realm("admins").store(world.store.clone()).build().unwrap();
    let mut user_browser = Browser::login(&users, user("ann")).await;
    let _admin = Browser::login(&admins, user("ann")).await;
    assert_eq!(users.list_account("ann").await.unwrap().len(), 1);
    assert_eq!(admins.revoke_everyone().await.unwrap(), 1);
    assert_eq!(user_browser.who(&users).await.as_deref(), Some("ann"));
}

#[tokio::test]
async fn expired_sessions_leave_the_store_in_batches() {
    let world = World::new();
    let sessions = world.tracked();
    for _ in 0..5 {
        Browser::login(&sessions, user("ann")).await;
    }
    world.advance(86_400);
    assert_eq!(sessions.delete_expired(3).await.unwrap(), 3);
    assert_eq!(sessions.delete_expired(100).await.unwrap(), 2);
    assert!(world.store.is_empty());
}

/// A program whose next version names accounts in another way.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
struct Renamed(User);

impl SessionPayload for Renamed {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some("somebody else".into())
    }
}

/// A program whose next version names no accounts.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
struct Nameless(User);

impl SessionPayload for Nameless {
    fn subject(&self) -> Option<Cow<'_, str>> {
        None
    }
}

#[tokio::test]
async fn what_the_store_lists_under_an_account_is_no_guest_that_may_end_it_without_a_recent_login() {
    let world = World::new();
    let sessions = world.tracked();
    let browser = Browser::login(&sessions, user("ann")).await;
    Browser::login(&sessions, user("ann")).await;
    let deployed = SessionManager::<Nameless>::builder()
        .keys(KeyRing::from_secret(SECRET).unwrap())
        .clock(world.clock.clone())
        .store(world.store.clone())
        .fresh_for_revocation(seconds(300))
        .build()
        .unwrap();
    world.advance(300);
    for (method, path) in [("DELETE", "/list"), ("POST", "/revoke-others")] {
        let session = Trip::of(&deployed);
        session.receive(&browser.request(method, "/"));
        assert_eq!(session_core::adapter::routes::answer(session.incoming(), method, path).await.status, 401);
    }
    assert_eq!(sessions.list_account("ann").await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_deploy_that_names_accounts_in_another_way_still_reaches_their_sessions() {
    let world = World::new();
    let sessions = world.tracked();
    let mut phone = Browser::login(&sessions, user("ann")).await;
    let laptop = Browser::login(&sessions, user("ann")).await;
    let deployed = SessionManager::<Renamed>::builder()
        .keys(KeyRing::from_secret(SECRET).unwrap())
        .clock(world.clock.clone())
        .store(world.store.clone())
        .build()
        .unwrap();
    let session = Trip::of(&deployed);
    session.receive(&laptop.post("/"));
    assert_eq!(session.list().await.unwrap().len(), 2);
    assert_eq!(session.revoke_others().await.unwrap(), 1);
    assert_eq!(phone.who(&sessions).await, None);
}

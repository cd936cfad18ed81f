//! What an administrator does to open sessions.

use std::sync::atomic::{AtomicUsize, Ordering};

use session_core::store::SessionStore as _;
use session_core::testing::{Fault, FaultyStore, StoreMethod};
use session_core::{ErrorKind, SessionManager};

use crate::faulty::Faulty;
use crate::jar::Jar;
use crate::support::{Browser, Trip, User, World, seconds, user};

async fn visits(sessions: &SessionManager<User>, browser: &Browser) -> Option<u64> {
    let outcome = sessions.get_session(&browser.get("/")).await.unwrap()?;
    outcome.user().map(|user| user.visits)
}

#[tokio::test]
async fn a_new_role_takes_effect_in_every_open_session_of_the_account_and_in_no_other() {
    let world = World::new();
    let sessions = world.tracked();
    let ann = [Browser::login(&sessions, user("ann")).await, Browser::login(&sessions, user("ann")).await];
    let bob = Browser::login(&sessions, user("bob")).await;
    assert_eq!(sessions.update_account("ann", |user| user.visits = 7).await.unwrap(), 2);
    for browser in &ann {
        assert_eq!(visits(&sessions, browser).await, Some(7));
    }
    assert_eq!(visits(&sessions, &bob).await, Some(0));
    assert_eq!(world.event_names(), ["created", "created", "created", "updated", "updated"]);
    assert_eq!(sessions.update_account("nobody", |_| ()).await.unwrap(), 0);
}

#[tokio::test]
async fn it_extends_nothing_and_each_session_keeps_what_is_its_own() {
    let world = World::new();
    let sessions = world.tracked();
    let browser = Browser::login(&sessions, user("ann")).await;
    let before = world.records(&sessions, "ann").await.remove(0);
    world.advance(600);
    sessions.update_account("ann", |user| user.visits += 1).await.unwrap();
    let after = world.records(&sessions, "ann").await.remove(0);
    assert_eq!(
        (after.expires_at, after.last_seen, after.generation),
        (before.expires_at, before.last_seen, 0)
    );
    assert_eq!(visits(&sessions, &browser).await, Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn among_a_hundred_updates_of_the_user_s_own_none_is_lost() {
    let world = World::new();
    let store = Faulty::default();
    store.is_remote.store(true, Ordering::SeqCst);
    let sessions = world.tracked_on(store.clone());
    let browser = Browser::login(&sessions, user("ann")).await;
    let mut tasks = tokio::task::JoinSet::new();
    for nth in 0..100 {
        let (sessions, browser) = (sessions.clone(), browser.clone());
        tasks.spawn(async move {
            if nth % 2 == 0 {
                assert_eq!(sessions.update_account("ann", |user| user.visits += 1).await.unwrap(), 1);
            } else {
                let trip = Trip::of(&sessions);
                trip.receive(&browser.post("/"));
                trip.update(|user| user.visits += 1).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(visits(&sessions, &browser).await, Some(100));
}

#[tokio::test]
async fn a_session_that_ends_meanwhile_is_left_out() {
    let world = World::new();
    let store = FaultyStore::new(world.store.clone());
    let sessions = world.tracked_on(store.clone());
    let browser = Browser::login(&sessions, user("ann")).await;
    let stop = store.stop_before(StoreMethod::Replace);
    let changing = sessions.clone();
    let task = tokio::spawn(async move { changing.update_account("ann", |user| user.visits = 7).await });
    stop.reached().await;
    browser.log_out(&sessions).await;
    stop.go_on();
    assert_eq!(task.await.unwrap().unwrap(), 0);
    assert!(world.records(&sessions, "ann").await.is_empty());
}

#[tokio::test]
async fn in_hybrid_mode_it_is_seen_here_at_once_and_elsewhere_within_the_bound() {
    let world = World::new();
    let hybrid = || world.builder().store(world.store.clone()).hybrid(seconds(30)).build().unwrap();
    let (here, elsewhere) = (hybrid(), hybrid());
    let browser = Browser::login(&here, user("ann")).await;
    for sessions in [&here, &elsewhere] {
        assert_eq!(visits(sessions, &browser).await, Some(0));
    }
    here.update_account("ann", |user| user.visits = 7).await.unwrap();
    assert_eq!(visits(&here, &browser).await, Some(7));
    world.advance(30);
    assert_eq!(visits(&elsewhere, &browser).await, Some(7));
}

#[tokio::test]
async fn an_account_stays_itself() {
    let world = World::new();
    let sessions = world.tracked();
    let browser = Browser::login(&sessions, user("ann")).await;
    let error = sessions.update_account("ann", |user| user.user_id = "eve".to_owned()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    let outcome = sessions.get_session(&browser.get("/")).await.unwrap().unwrap();
    assert_eq!(outcome.user().unwrap().user_id, "ann");
}

#[tokio::test]
async fn an_outage_is_told_and_it_can_be_repeated() {
    let world = World::new();
    let store = FaultyStore::new(world.store.clone());
    let sessions = world.tracked_on(store.clone());
    let browser = Browser::login(&sessions, user("ann")).await;
    store.inject_by(|method| if method == StoreMethod::Replace { Fault::Fail } else { Fault::None });
    let error = sessions.update_account("ann", |user| user.visits = 7).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    store.inject(Fault::Fail);
    assert_eq!(sessions.count().await.unwrap_err().kind(), ErrorKind::StoreUnavailable);
    store.recover();
    assert_eq!(sessions.update_account("ann", |user| user.visits = 7).await.unwrap(), 1);
    assert_eq!(visits(&sessions, &browser).await, Some(7));
}

#[tokio::test]
async fn a_session_that_somebody_acts_in_and_one_that_waits_are_changed_too() {
    let world = World::new();
    let sessions = world.tracked();
    let mut jar = Jar::default();
    jar.log_in(&sessions, user("root")).await;
    let trip = Trip::of(&sessions);
    trip.receive(&jar.post("/"));
    trip.impersonate(user("ann")).await.unwrap();
    assert_eq!(sessions.update_account("ann", |user| user.visits = 7).await.unwrap(), 1);
    assert_eq!(trip.still_open().await.unwrap().unwrap().visits, 7);
}

#[tokio::test]
async fn open_sessions_are_counted_those_of_guests_too_and_those_of_other_realms_not() {
    let world = World::new();
    let sessions = world.tracked();
    let other = world.builder().store(world.store.clone()).realm("other").build().unwrap();
    for name in ["ann", "ann", "bob", "guest"] {
        Browser::login(&sessions, user(name)).await;
    }
    Browser::login(&other, user("ann")).await;
    assert_eq!((sessions.count().await.unwrap(), other.count().await.unwrap()), (4, 1));
    world.advance(86_400);
    assert_eq!(sessions.count().await.unwrap(), 0);
}

#[tokio::test]
async fn what_is_no_subject_is_a_mistake_and_reaches_no_store() {
    let world = World::new();
    let store = FaultyStore::new(world.store.clone());
    let sessions = world.tracked_on(store.clone());
    let long = "x".repeat(256);
    for subject in ["", "a\0b", long.as_str()] {
        let kinds = [
            sessions.attempt(subject).await.err(),
            sessions.revoke_account(subject).await.err(),
            sessions.list_account(subject).await.err(),
            sessions.revoke_session(subject, "x").await.err(),
            sessions.update_account(subject, |_| ()).await.err(),
        ];
        assert!(
            kinds.iter().all(|error| error.as_ref().is_some_and(|error| error.kind() == ErrorKind::Misuse))
        );
    }
    assert!(store.calls().is_empty());
}

#[tokio::test]
async fn without_a_store_there_is_nothing_to_change_or_to_count() {
    let sessions = World::new().stateless();
    assert_eq!(sessions.update_account("ann", |_| ()).await.unwrap_err().kind(), ErrorKind::StoreRequired);
    assert_eq!(sessions.count().await.unwrap_err().kind(), ErrorKind::StoreRequired);
}

/// Two calls fit into one deadline here; in the field it is some thousand.
#[tokio::test]
async fn an_account_with_many_sessions_is_changed_in_all_of_them() {
    let (world, store) = (World::new(), Faulty::default());
    let sessions = world.tracked_on(store.clone());
    for _ in 0..5 {
        Browser::login(&sessions, user("ann")).await;
    }
    store.is_remote.store(true, Ordering::SeqCst);
    *store.takes.lock().unwrap() = Some((world.clock.clone(), seconds(1)));
    assert_eq!(sessions.update_account("ann", |user| user.visits = 7).await.unwrap(), 5);
    *store.takes.lock().unwrap() = None;
    let account = session_core::store::Account { realm: sessions.realm(), subject: "ann" };
    let records = store.inner.list(account, world.now()).await.unwrap();
    let changed = records.iter().filter(|record| record.payload.windows(10).any(|at| at == b"\"visits\":7"));
    assert_eq!(changed.count(), 5);
}

#[tokio::test]
async fn where_one_session_cannot_be_changed_the_others_are_and_the_error_is_told() {
    let world = World::new();
    let store = FaultyStore::new(world.store.clone());
    let sessions = world.tracked_on(store.clone());
    let mut browsers = Vec::new();
    for _ in 0..5 {
        browsers.push(Browser::login(&sessions, user("ann")).await);
    }
    let replaced = AtomicUsize::new(0);
    store.inject_by(move |method| {
        let is_second = method == StoreMethod::Replace && replaced.fetch_add(1, Ordering::SeqCst) == 1;
        if is_second { Fault::Fail } else { Fault::None }
    });
    let error = sessions.update_account("ann", |user| user.visits = 7).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    store.recover();
    let mut seen = Vec::new();
    for browser in &browsers {
        seen.push(visits(&sessions, browser).await);
    }
    assert_eq!(seen.iter().filter(|visits| **visits == Some(7)).count(), 4, "{seen:?}");
}

//! Asking every so often whether an account may go on: once for all requests of a session, and extending nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use session_core::store::SessionStore;
use session_core::testing::{Fault, FaultyStore, StoreMethod};
use session_core::{ErrorKind, Revalidation, SessionManager, SessionManagerBuilder};

use crate::faulty::Faulty;
use crate::jar::Jar;
use crate::support::{Browser, Trip, User, World, seconds, user};

const EVERY: u64 = 300;

/// A user database that says what the test wants, and counts.
#[derive(Clone, Default)]
struct Users {
    asked: Arc<AtomicUsize>,
    answer: Arc<Mutex<Option<Revalidation<User>>>>,
}

impl Users {
    fn answers(&self, answer: Revalidation<User>) {
        *self.answer.lock().unwrap() = Some(answer);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn asked_by(&self, builder: SessionManagerBuilder<User>) -> SessionManagerBuilder<User> {
        let this = self.clone();
        builder.revalidate_every(seconds(EVERY), move |_| {
            this.asked.fetch_add(1, Ordering::SeqCst);
            let answer = this.answer.lock().unwrap().clone().unwrap_or(Revalidation::Keep);
            async move {
                tokio::task::yield_now().await;
                answer
            }
        })
    }
}

fn sessions(world: &World, users: &Users, store: impl SessionStore) -> SessionManager<User> {
    users.asked_by(world.builder().store(store)).build().unwrap()
}

#[tokio::test]
async fn it_is_asked_with_the_first_use_that_long_after_the_login_and_after_the_last_time() {
    let (world, users) = (World::new(), Users::default());
    let sessions = sessions(&world, &users, world.store.clone());
    let mut browser = Browser::login(&sessions, user("ann")).await;
    for (passed, asked) in [(0, 0), (EVERY - 1, 0), (1, 1), (0, 1), (EVERY - 1, 1), (1, 2), (10 * EVERY, 3)] {
        world.advance(passed);
        assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
        assert_eq!(users.asked(), asked);
    }
}

#[tokio::test]
async fn a_refresh_asks_no_more_often() {
    let (world, users) = (World::new(), Users::default());
    let sessions = sessions(&world, &users, world.store.clone());
    let browser = Browser::login(&sessions, user("ann")).await;
    world.advance(EVERY - 1);
    let trip = Trip::of(&sessions);
    trip.receive(&browser.post("/"));
    assert!(trip.refresh().await.unwrap().is_some());
    assert_eq!(users.asked(), 0);
}

#[tokio::test]
async fn it_extends_nothing() {
    let (world, users) = (World::new(), Users::default());
    let sessions = sessions(&world, &users, world.store.clone());
    let mut browser = Browser::login(&sessions, user("ann")).await;
    let before = world.records(&sessions, "ann").await.remove(0);
    world.advance(EVERY);
    let cookie = browser.cookie().to_owned();
    browser.who(&sessions).await;
    let after = world.records(&sessions, "ann").await.remove(0);
    assert_eq!(users.asked(), 1);
    assert_eq!(browser.cookie(), cookie);
    assert_eq!(
        (after.expires_at, after.ends_at, after.generation),
        (before.expires_at, before.ends_at, before.generation)
    );
}

#[tokio::test]
async fn a_disabled_account_is_logged_out() {
    let (world, users) = (World::new(), Users::default());
    let sessions = sessions(&world, &users, world.store.clone());
    let mut browser = Browser::login(&sessions, user("ann")).await;
    users.answers(Revalidation::End);
    world.advance(EVERY);
    assert_eq!(browser.who(&sessions).await, None);
    assert!(world.records(&sessions, "ann").await.is_empty());
}

#[tokio::test]
async fn a_disabled_account_is_not_served_even_if_that_cannot_be_written_down() {
    let (world, users) = (World::new(), Users::default());
    let store = FaultyStore::new(world.store.clone());
    let sessions = sessions(&world, &users, store.clone());
    let browser = Browser::login(&sessions, user("ann")).await;
    users.answers(Revalidation::End);
    world.advance(EVERY);
    store.inject_by(|method| if method == StoreMethod::Delete { Fault::Fail } else { Fault::None });
    let error = sessions.get_session(&browser.get("/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
}

#[tokio::test]
async fn another_role_is_seen_at_once_and_kept() {
    let (world, users) = (World::new(), Users::default());
    let sessions = sessions(&world, &users, world.store.clone());
    let browser = Browser::login(&sessions, user("ann")).await;
    users.answers(Revalidation::Replace(User { visits: 7, ..user("ann") }));
    world.advance(EVERY);
    for _ in 0..2 {
        let outcome = sessions.get_session(&browser.get("/")).await.unwrap().unwrap();
        assert_eq!(outcome.user().unwrap().visits, 7);
    }
    assert_eq!(users.asked(), 1);
}

#[tokio::test]
async fn an_answer_of_another_account_changes_nothing_and_is_told() {
    let (world, users) = (World::new(), Users::default());
    let sessions = sessions(&world, &users, world.store.clone());
    let mut browser = Browser::login(&sessions, user("ann")).await;
    users.answers(Revalidation::Replace(user("eve")));
    world.advance(EVERY);
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    assert_eq!(world.event_names(), ["created", "rejected"]);
}

#[tokio::test]
async fn in_an_outage_of_the_user_database_the_session_goes_on_and_is_asked_about_later() {
    let (world, users) = (World::new(), Users::default());
    let sessions = sessions(&world, &users, world.store.clone());
    let mut browser = Browser::login(&sessions, user("ann")).await;
    users.answers(Revalidation::Defer);
    world.advance(EVERY);
    for _ in 0..3 {
        assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    }
    assert_eq!(users.asked(), 1);
    users.answers(Revalidation::End);
    world.advance(EVERY);
    assert_eq!(browser.who(&sessions).await, None);
}

#[tokio::test]
async fn an_answer_that_never_comes_counts_as_an_outage() {
    let (world, store) = (World::new(), Faulty::default());
    store.never_waits.store(true, Ordering::SeqCst);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let sessions = world.builder().store(store.clone()).revalidate_every(seconds(EVERY), move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::pending()
    });
    let sessions = sessions.build().unwrap();
    let mut browser = Browser::login(&sessions, user("ann")).await;
    world.advance(EVERY);
    for _ in 0..3 {
        assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

async fn two_hundred(sessions: &SessionManager<User>, browser: &Browser) -> usize {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let (sessions, mut browser) = (sessions.clone(), browser.clone());
        tasks.spawn(async move { browser.who(&sessions).await });
    }
    tasks.join_all().await.into_iter().flatten().count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_hundred_requests_at_once_one_asks() {
    for (answer, served) in [(Revalidation::Keep, 200), (Revalidation::Defer, 200), (Revalidation::End, 0)] {
        let (world, users) = (World::new(), Users::default());
        let store = Faulty::default();
        store.is_remote.store(true, Ordering::SeqCst);
        let sessions = sessions(&world, &users, store);
        let browser = Browser::login(&sessions, user("ann")).await;
        users.answers(answer);
        world.advance(EVERY);
        assert_eq!(two_hundred(&sessions, &browser).await, served);
        assert_eq!(users.asked(), 1);
    }
}

#[tokio::test]
async fn what_one_process_has_asked_another_need_not_ask() {
    let (world, users) = (World::new(), Users::default());
    let (here, there) =
        (sessions(&world, &users, world.store.clone()), sessions(&world, &users, world.store.clone()));
    let mut browser = Browser::login(&here, user("ann")).await;
    world.advance(EVERY);
    browser.who(&here).await;
    browser.who(&there).await;
    assert_eq!(users.asked(), 1);
}

#[tokio::test]
async fn in_hybrid_mode_it_is_asked_as_often_and_the_answer_is_remembered() {
    let (world, users) = (World::new(), Users::default());
    let store = FaultyStore::new(world.store.clone());
    let builder = world.builder().store(store.clone()).hybrid(seconds(30));
    let sessions = users.asked_by(builder).build().unwrap();
    let mut browser = Browser::login(&sessions, user("ann")).await;
    world.advance(EVERY - 10);
    browser.who(&sessions).await;
    world.advance(10);
    users.answers(Revalidation::Replace(User { visits: 7, ..user("ann") }));
    browser.who(&sessions).await;
    browser.who(&sessions).await;
    let calls = store.calls().len();
    let outcome = sessions.get_session(&browser.get("/")).await.unwrap().unwrap();
    assert_eq!((outcome.user().unwrap().visits, users.asked()), (7, 1));
    assert_eq!(store.calls().len(), calls, "served from memory");
}

#[tokio::test]
async fn where_the_answer_cannot_be_written_down_the_session_goes_on() {
    let (world, users) = (World::new(), Users::default());
    let store = Faulty::default();
    let sessions = sessions(&world, &users, store.clone());
    let mut browser = Browser::login(&sessions, user("ann")).await;
    world.advance(EVERY);
    store.read_only.store(true, Ordering::SeqCst);
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    store.read_only.store(false, Ordering::SeqCst);
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    assert_eq!(users.asked(), 2);
}

#[tokio::test]
async fn one_who_only_looks_and_a_token_that_opens_nothing_ask_nobody() {
    let (world, users) = (World::new(), Users::default());
    let sessions = sessions(&world, &users, world.store.clone());
    let browser = Browser::login(&sessions, user("ann")).await;
    world.advance(EVERY);
    let trip = Trip::of(&sessions);
    trip.receive(&browser.get("/"));
    trip.peek().await.unwrap();
    world.advance(86_400);
    assert!(sessions.get_session(&browser.get("/")).await.unwrap().is_none());
    assert_eq!(users.asked(), 0);
}

#[tokio::test]
async fn whoever_acts_as_another_one_is_asked_about_as_well() {
    let world = World::new();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let sessions = world.builder().store(world.store.clone()).revalidate_every(seconds(EVERY), move |user| {
        log.lock().unwrap().push(user.user_id.clone());
        async move { if user.user_id == "root" { Revalidation::End } else { Revalidation::Keep } }
    });
    let sessions = sessions.build().unwrap();
    let mut jar = Jar::default();
    jar.log_in(&sessions, user("root")).await;
    let trip = Trip::of(&sessions);
    trip.receive(&jar.post("/"));
    trip.impersonate(user("bob")).await.unwrap();
    jar.keep(&trip.close(&()));
    world.advance(EVERY);
    let trip = Trip::of(&sessions);
    trip.receive(&jar.get("/"));
    assert!(trip.open().await.is_err());
    assert_eq!(*asked.lock().unwrap(), ["root"]);
    assert!(
        world.records(&sessions, "bob").await.is_empty() && world.records(&sessions, "root").await.is_empty()
    );
}

#[tokio::test]
async fn contradictions_say_what_to_change() {
    let (world, users) = (World::new(), Users::default());
    let error = users.asked_by(world.builder()).build().unwrap_err().to_string();
    assert!(error.contains("revalidate_every needs a store"), "{error}");
    let builder = world.builder().store(world.store.clone());
    let error =
        builder.revalidate_every(seconds(0), async |_| Revalidation::Keep).build().unwrap_err().to_string();
    assert!(error.contains("less than a second"), "{error}");
}

/// An administrator changes the payload while the application's answer to "may the account go on?" is under way.
#[tokio::test]
async fn an_answer_that_was_under_way_undoes_no_change_of_an_administrator() {
    let world = World::new();
    let manager: Arc<OnceLock<SessionManager<User>>> = Arc::default();
    let inside = Arc::clone(&manager);
    let sessions = world
        .builder()
        .store(world.store.clone())
        .revalidate_every(seconds(300), move |old: Arc<User>| {
            let sessions = inside.get().unwrap().clone();
            async move {
                // The application has read its database; now the role is taken away, there and here.
                sessions.update_account("ann", |user| user.visits = 7).await.unwrap();
                let notes = [("seen".to_owned(), "yes".to_owned())].into();
                Revalidation::Replace(User { notes, ..User::clone(&old) })
            }
        })
        .build()
        .unwrap();
    assert!(manager.set(sessions.clone()).is_ok());
    let browser = Browser::login(&sessions, user("ann")).await;
    world.advance(300);
    let outcome = sessions.get_session(&browser.get("/")).await.unwrap().unwrap();
    assert_eq!(outcome.user().unwrap().visits, 7);
}

#[tokio::test]
async fn a_socket_learns_of_it_though_its_browser_sends_nothing_else() {
    let (world, users) = (World::new(), Users::default());
    let sessions = sessions(&world, &users, world.store.clone());
    let browser = Browser::login(&sessions, user("ann")).await;
    let socket = Trip::of(&sessions);
    socket.receive(&browser.get("/socket"));
    socket.open().await.unwrap();
    users.answers(Revalidation::Replace(User { visits: 7, ..user("ann") }));
    world.advance(EVERY);
    for _ in 0..2 {
        assert_eq!(socket.still_open().await.unwrap().unwrap().visits, 7);
        assert_eq!(users.asked(), 1);
    }
    users.answers(Revalidation::End);
    world.advance(EVERY);
    assert!(socket.still_open().await.unwrap().is_none());
    assert!(world.records(&sessions, "ann").await.is_empty());
}

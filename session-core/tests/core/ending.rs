//! What a token may end: at a login and at a logout that shows it, and who is told.

use std::sync::atomic::Ordering;

use session_core::testing::TestRequest;
use session_core::{EventKind, ReplayPolicy, SessionEvent, SessionManager};

use crate::faulty::Faulty;
use crate::support::{Browser, Trip, User, World, seconds, user};

/// In the last 30 minutes of the first token.
const NEAR_EXPIRY: u64 = 86_400 - 600;
const POLICIES: [ReplayPolicy; 2] = [ReplayPolicy::Refuse, ReplayPolicy::EndSession];

/// What somebody does with a token.
#[derive(Clone, Copy, Debug)]
enum Shows {
    Logout,
    /// In a handler, behind an extractor.
    LogoutOnceOpened,
    LoginAs(&'static str),
    LoginOnceOpened(&'static str),
}

const ALL: [Shows; 4] =
    [Shows::Logout, Shows::LogoutOnceOpened, Shows::LoginAs("eve"), Shows::LoginOnceOpened("eve")];

impl Shows {
    async fn run(self, sessions: &SessionManager<User>, token: &Browser) {
        let session = Trip::of(sessions);
        session.receive(&token.post("/"));
        if matches!(self, Self::LogoutOnceOpened | Self::LoginOnceOpened(_)) {
            let _ = session.open().await;
        }
        match self {
            Self::Logout | Self::LogoutOnceOpened => {
                session.destroy().await.unwrap();
                let cookie = session.close(&());
                assert!(cookie.set_cookie().unwrap().contains("Max-Age=0"), "{self:?}: it clears the cookie");
            }
            Self::LoginAs(name) | Self::LoginOnceOpened(name) => {
                session.create(user(name)).await.unwrap();
            }
        }
    }
}

/// A session of ann's whose first token was replaced.
struct Replaced {
    world: World,
    sessions: SessionManager<User>,
    old: Browser,
    new: Browser,
}

impl Replaced {
    async fn new(replay: ReplayPolicy) -> Self {
        Self::with(replay, None).await
    }

    async fn with(replay: ReplayPolicy, hybrid: Option<u64>) -> Self {
        let world = World::new();
        let builder = world.builder().store(world.store.clone()).replay(replay);
        let builder = match hybrid {
            Some(bound) => builder.hybrid(seconds(bound)),
            None => builder,
        };
        let sessions = builder.build().unwrap();
        let old = Browser::login(&sessions, user("ann")).await;
        world.advance(NEAR_EXPIRY);
        let mut new = old.clone();
        new.who(&sessions).await;
        assert_ne!(new.cookie(), old.cookie());
        Self { world, sessions, old, new }
    }

    /// The successor is used; after this long its predecessor is looked at.
    async fn in_use_for(mut self, grace: u64) -> Self {
        assert!(self.is_alive().await);
        self.world.advance(grace);
        self
    }

    async fn is_alive(&mut self) -> bool {
        self.new.who(&self.sessions).await.is_some()
    }

    /// The events about sessions that ended or did not.
    fn told(&self) -> Vec<(&'static str, Option<String>)> {
        let told = |event: &SessionEvent| {
            let kind = event.kind;
            (!matches!(kind, EventKind::Created | EventKind::Refreshed | EventKind::Expired))
                .then(|| (kind.as_str(), event.subject.clone()))
        };
        self.world.events.lock().unwrap().iter().filter_map(told).collect()
    }
}

#[tokio::test]
async fn a_replaced_token_that_has_expired_is_a_replay_and_ends_what_the_policy_says() {
    for replay in POLICIES {
        for shows in ALL {
            let mut session = Replaced::new(replay).await.in_use_for(3_600).await;
            let status = session.sessions.check_session_status(&session.old.get("/")).await.unwrap();
            assert!(!status.is_valid, "it opens nothing");
            shows.run(&session.sessions, &session.old.clone()).await;
            let told = session.told();
            let ann = Some("ann".to_owned());
            assert!(told.contains(&("replay_detected", ann)), "{shows:?} under {replay:?}: {told:?}");
            assert!(told.iter().all(|(kind, _)| !matches!(*kind, "destroyed" | "revoked")), "{told:?}");
            assert_eq!(session.is_alive().await, replay == ReplayPolicy::Refuse, "{shows:?}");
        }
    }
}

#[tokio::test]
async fn a_replaced_token_beyond_its_grace_is_a_replay_once_for_each_request() {
    for replay in POLICIES {
        for shows in ALL {
            let mut session = Replaced::new(replay).await.in_use_for(30).await;
            shows.run(&session.sessions, &session.old.clone()).await;
            let replays = session.told().iter().filter(|(kind, _)| *kind == "replay_detected").count();
            assert_eq!(replays, 1, "{shows:?} under {replay:?}: {:?}", session.told());
            assert_eq!(session.is_alive().await, replay == ReplayPolicy::Refuse, "{shows:?}");
        }
    }
}

#[tokio::test]
async fn a_token_two_generations_old_is_a_replay_whether_the_newest_was_used_or_not() {
    for shows in ALL {
        let mut session = Replaced::new(ReplayPolicy::Refuse).await.in_use_for(60).await;
        let outcome = session.sessions.refresh_session(&session.new.post("/")).await.unwrap();
        assert!(session.new.take(&outcome.changes));
        shows.run(&session.sessions, &session.old.clone()).await;
        assert!(session.is_alive().await, "{shows:?}");
    }
}

#[tokio::test]
async fn a_token_ends_what_it_opens() {
    for replay in POLICIES {
        for shows in ALL {
            let mut newest = Replaced::new(replay).await.in_use_for(60).await;
            shows.run(&newest.sessions, &newest.new.clone()).await;
            assert!(!newest.is_alive().await, "{shows:?}: the newest one");

            let mut graceful = Replaced::new(replay).await.in_use_for(29).await;
            shows.run(&graceful.sessions, &graceful.old.clone()).await;
            assert!(!graceful.is_alive().await, "{shows:?}: its predecessor in the grace");

            let mut unused = Replaced::new(replay).await;
            shows.run(&unused.sessions, &unused.old.clone()).await;
            assert!(!unused.is_alive().await, "{shows:?}: its predecessor while it is unused");
        }
    }
}

/// The answer with the successor may have been lost: then the user logs in once more, and nobody else can.
#[tokio::test]
async fn a_predecessor_that_has_expired_ends_an_unused_successor_for_its_own_account_only() {
    for (shows, survives) in [
        (Shows::Logout, true),
        (Shows::LogoutOnceOpened, true),
        (Shows::LoginAs("eve"), true),
        (Shows::LoginAs("guest"), true),
        (Shows::LoginOnceOpened("eve"), true),
        (Shows::LoginAs("ann"), false),
        (Shows::LoginOnceOpened("ann"), false),
    ] {
        let mut session = Replaced::new(ReplayPolicy::EndSession).await;
        session.world.advance(700);
        shows.run(&session.sessions, &session.old.clone()).await;
        assert_eq!(session.is_alive().await, survives, "{shows:?}");
        let replays = session.told().iter().any(|(kind, _)| *kind == "replay_detected");
        assert!(!replays, "{shows:?}: nobody can tell");
    }
}

#[tokio::test]
async fn a_login_ends_the_session_of_a_newest_token_whose_time_is_over() {
    let world = World::new();
    let sessions = world.tracked();
    let browser = Browser::login(&sessions, user("ann")).await;
    world.advance(86_400);
    let _ = sessions.create_session(user("bob"), &browser.post("/login")).await.unwrap();
    assert_eq!(world.store.len(), 1, "its record left with it");
}

#[tokio::test]
async fn a_token_ahead_of_a_store_that_lost_its_refresh_ends_the_session() {
    let world = World::new();
    let sessions = world.tracked();
    let mut browser = Browser::login(&sessions, user("ann")).await;
    let before = world.records(&sessions, "ann").await.remove(0);
    world.advance(NEAR_EXPIRY);
    browser.who(&sessions).await;
    let copy = World { store: Default::default(), events: Default::default(), clock: world.clock.clone() };
    let survivors = copy.tracked();
    use session_core::store::SessionStore as _;
    copy.store.create(sessions.realm(), &before, Default::default(), copy.now()).await.unwrap();
    browser.log_out(&survivors).await;
    assert!(copy.store.is_empty());
}

#[tokio::test]
async fn of_two_tokens_of_one_session_the_newer_decides_whatever_their_order() {
    for newer_first in [false, true] {
        let mut session = Replaced::new(ReplayPolicy::Refuse).await.in_use_for(60).await;
        let (old, new) = (session.old.cookie().to_owned(), session.new.cookie().to_owned());
        let line = if newer_first { format!("{new}; {old}") } else { format!("{old}; {new}") };
        Browser::holding(&line).log_out(&session.sessions).await;
        assert!(!session.is_alive().await, "newer first: {newer_first}");
        assert!(session.told().contains(&("destroyed", Some("ann".to_owned()))), "{:?}", session.told());
    }
}

#[tokio::test]
async fn in_hybrid_mode_too_the_store_says_how_old_a_token_is() {
    for shows in ALL {
        let mut session = Replaced::with(ReplayPolicy::Refuse, Some(60)).await.in_use_for(31).await;
        shows.run(&session.sessions, &session.old.clone()).await;
        assert!(session.is_alive().await, "{shows:?}");
    }
}

#[tokio::test]
async fn a_login_and_a_logout_ask_the_store_once_and_once_more_for_each_token_not_opened() {
    let (world, store) = (World::new(), Faulty::default());
    let sessions = world.tracked_on(store.clone());
    let calls = || store.calls.swap(0, Ordering::SeqCst);
    let ann = Browser::login(&sessions, user("ann")).await;
    assert_eq!(calls(), 1, "a login without a cookie");
    let session = Trip::of(&sessions);
    session.receive(&ann.post("/login"));
    session.open().await.unwrap();
    assert_eq!(calls(), 1, "opening");
    session.create(user("ann")).await.unwrap();
    assert_eq!(calls(), 1, "a login in an opened session");
    session.destroy().await.unwrap();
    assert_eq!(calls(), 1, "a logout of an opened session");
    let ann = Browser::login(&sessions, user("ann")).await;
    calls();
    let _ = sessions.create_session(user("ann"), &ann.post("/login")).await.unwrap();
    assert_eq!(calls(), 2, "a login that has to look at its cookie");
    ann.log_out(&sessions).await;
    assert_eq!(calls(), 2, "a logout that has to look at its cookie");
    Browser::default().log_out(&sessions).await;
    assert_eq!(calls(), 0, "a logout without a cookie");
}

#[tokio::test]
async fn without_a_store_a_token_ends_its_session_until_its_own_time_is_over() {
    for shows in ALL {
        let world = World::new();
        let sessions = world.stateless();
        let old = Browser::login(&sessions, user("ann")).await;
        let mut new = old.clone();
        world.advance(NEAR_EXPIRY);
        new.who(&sessions).await;
        world.advance(599);
        shows.run(&sessions, &old).await;
        assert_eq!(new.who(&sessions).await, None, "{shows:?}: one second before");

        let world = World::new();
        let sessions = world.stateless();
        let old = Browser::login(&sessions, user("ann")).await;
        let mut new = old.clone();
        world.advance(NEAR_EXPIRY);
        new.who(&sessions).await;
        world.advance(600);
        shows.run(&sessions, &old).await;
        assert_eq!(new.who(&sessions).await.as_deref(), Some("ann"), "{shows:?}: at it");
    }
}

in_every_mode! {
    async fn a_logout_that_found_no_session_says_so(world, sessions) {
        let told = || std::mem::take(&mut *world.events.lock().unwrap());
        let names =
            |events: Vec<SessionEvent>| events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>();
        let ann = Browser::login(&sessions, user("ann")).await;
        let late = Browser::login(&sessions, user("ann")).await;
        ann.log_out(&sessions).await;
        assert_eq!(names(told()), ["created", "created", "destroyed"], "{sessions:?}");
        ann.log_out(&sessions).await;
        assert_eq!(names(told()), ["logout_without_session"], "{sessions:?}: the second click");
        Browser::default().log_out(&sessions).await;
        assert_eq!(names(told()), ["logout_without_session"], "{sessions:?}: no cookie");
        let _ = sessions.destroy_session(&TestRequest::new("POST", "/").cookie("__Host-session=x.y.z")).await;
        assert_eq!(names(told()), ["rejected", "logout_without_session"], "{sessions:?}: a bad cookie");
        let _ = sessions.create_session(user("ann"), &late.post("/login")).await.unwrap();
        let told = names(told());
        assert!(!told.contains(&"logout_without_session"), "{sessions:?}: a login says nothing: {told:?}");
    }
}

#[tokio::test]
async fn a_token_that_was_extended_ends_nothing_but_for_its_own_account_once_its_time_is_over() {
    for (shows, survives) in
        ALL.map(|shows| (shows, true)).into_iter().chain([(Shows::LoginAs("ann"), false)])
    {
        let world = World::new();
        let sessions = world.tracked();
        let mut browser = Browser::login(&sessions, user("ann")).await;
        for passed in [60, 86_400 - 20] {
            world.advance(passed);
            let old = browser.clone();
            assert!(browser.take(&sessions.refresh_session(&old.post("/")).await.unwrap().changes));
            if passed > 60 {
                world.advance(20);
                shows.run(&sessions, &old).await;
            }
        }
        assert_eq!(browser.who(&sessions).await.is_some(), survives, "{shows:?}");
    }
}

#[tokio::test]
async fn logging_out_everywhere_found_a_session() {
    let world = World::new();
    let sessions = world.tracked();
    for name in ["ann", "guest"] {
        let browser = Browser::login(&sessions, user(name)).await;
        let session = Trip::of(&sessions);
        session.receive(&browser.post("/"));
        assert_eq!(session.revoke_all().await.unwrap(), 1);
    }
    let told = world.event_names();
    assert_eq!(told, ["created", "revoked", "created", "destroyed"]);
}

//! Hybrid mode: what this process read a moment ago needs no store, and nothing that ended is served for longer than
//! the bound.

use std::sync::atomic::Ordering;

use session_core::store::{Account, Mark, RecordKey, SessionStore};
use session_core::testing::TestRequest;
use session_core::{
    ErrorKind, Fresh, Lifetimes, ReplayPolicy, SessionManager, SessionManagerBuilder, adapter::routes,
};

use crate::faulty::Faulty;
use crate::support::{Browser, Trip, User, World, seconds, user};

const BOUND: u64 = 30;
const NEAR_EXPIRY: u64 = 86_400 - 600;

struct Fleet {
    world: World,
    store: Faulty,
}

impl Fleet {
    fn new() -> Self {
        Self { world: World::new(), store: Faulty::default() }
    }

    /// A process of its own: it remembers nothing that another one read.
    fn node(&self) -> SessionManager<User> {
        self.with(|builder| builder)
    }

    fn with(
        &self,
        more: impl FnOnce(SessionManagerBuilder<User>) -> SessionManagerBuilder<User>,
    ) -> SessionManager<User> {
        more(self.world.builder().store(self.store.clone()).hybrid(seconds(BOUND))).build().unwrap()
    }

    fn calls(&self) -> usize {
        self.store.calls.swap(0, Ordering::SeqCst)
    }

    fn fail(&self, is_down: bool) {
        self.store.down.store(is_down, Ordering::SeqCst);
    }

    /// Somebody is logged in, and `sessions` has just read it.
    async fn logged_in(&self, sessions: &SessionManager<User>) -> Browser {
        let mut browser = Browser::login(sessions, user("ann")).await;
        assert_eq!(browser.who(sessions).await.as_deref(), Some("ann"));
        self.calls();
        browser
    }
}

async fn opened(sessions: &SessionManager<User>, browser: &Browser) -> Trip {
    let session = Trip::of(sessions);
    session.receive(&browser.post("/"));
    session.open().await.unwrap();
    session
}

async fn reads(sessions: &SessionManager<User>, browser: &Browser) -> Result<Option<String>, ErrorKind> {
    let outcome = sessions.get_session(&browser.get("/")).await.map_err(|error| error.kind())?;
    Ok(outcome.and_then(|outcome| outcome.user().map(|user| user.user_id.clone())))
}

fn ann() -> Result<Option<String>, ErrorKind> {
    Ok(Some("ann".to_owned()))
}

#[tokio::test]
async fn within_the_bound_the_store_has_no_work() {
    let fleet = Fleet::new();
    let sessions = fleet.node();
    let browser = fleet.logged_in(&sessions).await;
    for _ in 0..BOUND {
        assert_eq!(reads(&sessions, &browser).await, ann());
        assert_eq!(fleet.calls(), 0);
        fleet.world.advance(1);
    }
    assert_eq!(reads(&sessions, &browser).await, ann());
    assert_eq!(fleet.calls(), 1);
}

#[tokio::test]
async fn without_this_mode_every_read_asks_the_store() {
    let fleet = Fleet::new();
    let sessions = fleet.world.tracked_on(fleet.store.clone());
    let browser = fleet.logged_in(&sessions).await;
    assert_eq!(reads(&sessions, &browser).await, ann());
    assert_eq!(fleet.calls(), 1);
}

#[tokio::test]
async fn a_session_that_this_process_has_not_read_needs_the_store() {
    let fleet = Fleet::new();
    let (here, there) = (fleet.node(), fleet.node());
    let browser = fleet.logged_in(&here).await;
    fleet.fail(true);
    assert_eq!(reads(&there, &browser).await, Err(ErrorKind::StoreUnavailable));
    assert_eq!(reads(&here, &browser).await, ann());
}

#[tokio::test]
async fn an_outage_is_not_noticed_within_the_bound_and_is_503_after_it() {
    let fleet = Fleet::new();
    let sessions = fleet.node();
    let browser = fleet.logged_in(&sessions).await;
    fleet.fail(true);
    fleet.world.advance(BOUND - 1);
    assert_eq!(reads(&sessions, &browser).await, ann());
    fleet.world.advance(1);
    let error = sessions.get_session(&browser.get("/")).await.map(drop).unwrap_err();
    assert_eq!((error.status(), error.is_retryable()), (503, true));
    fleet.fail(false);
    assert_eq!(reads(&sessions, &browser).await, ann(), "it recovers by itself");
}

#[tokio::test]
async fn a_logout_is_effective_at_once_here_and_within_the_bound_elsewhere() {
    let fleet = Fleet::new();
    let (here, there) = (fleet.node(), fleet.node());
    let browser = fleet.logged_in(&here).await;
    assert_eq!(reads(&there, &browser).await, ann());
    browser.log_out(&here).await;
    assert_eq!(reads(&here, &browser).await, Ok(None));
    assert_eq!(reads(&there, &browser).await, ann(), "it read the session a moment ago");
    fleet.world.advance(BOUND);
    assert_eq!(reads(&there, &browser).await, Ok(None));
}

#[tokio::test]
async fn a_logout_that_failed_is_not_answered_from_memory() {
    let fleet = Fleet::new();
    let sessions = fleet.node();
    let browser = fleet.logged_in(&sessions).await;
    fleet.fail(true);
    let failed = sessions.destroy_session(&browser.post("/logout")).await.map(drop);
    assert_eq!(failed.map_err(|error| error.kind()), Err(ErrorKind::StoreUnavailable));
    assert_eq!(reads(&sessions, &browser).await, Err(ErrorKind::StoreUnavailable));
}

#[tokio::test]
async fn revoking_an_account_or_everyone_drops_what_is_remembered() {
    let fleet = Fleet::new();
    let sessions = fleet.node();
    let (one, two) = (fleet.logged_in(&sessions).await, fleet.logged_in(&sessions).await);
    let mut bob = Browser::login(&sessions, user("bob")).await;
    bob.who(&sessions).await;
    assert_eq!(sessions.revoke_account("ann").await.unwrap(), 2);
    assert_eq!(reads(&sessions, &one).await, Ok(None));
    assert_eq!(reads(&sessions, &two).await, Ok(None));
    fleet.calls();
    assert_eq!(reads(&sessions, &bob).await, Ok(Some("bob".to_owned())));
    assert_eq!(fleet.calls(), 0, "another account is not affected");
    sessions.revoke_everyone().await.unwrap();
    assert_eq!(reads(&sessions, &bob).await, Ok(None));
}

#[tokio::test]
async fn a_login_drops_what_it_replaces_and_whom_it_evicts() {
    let fleet = Fleet::new();
    let sessions = fleet
        .with(|builder| builder.session_limit(session_core::store::SessionLimit::EvictLeastRecentlySeen(2)));
    let first = fleet.logged_in(&sessions).await;
    fleet.world.advance(1);
    let second = fleet.logged_in(&sessions).await;
    let _ = sessions.create_session(user("ann"), &second.post("/login")).await.unwrap();
    assert_eq!(reads(&sessions, &second).await, Ok(None), "replaced");
    assert_eq!(reads(&sessions, &first).await, ann());
    Browser::login(&sessions, user("ann")).await;
    assert_eq!(reads(&sessions, &first).await, Ok(None), "evicted");
}

#[tokio::test]
async fn an_update_is_seen_at_once_here_and_within_the_bound_elsewhere() {
    let fleet = Fleet::new();
    let (here, there) = (fleet.node(), fleet.node());
    let browser = fleet.logged_in(&here).await;
    reads(&there, &browser).await.unwrap();
    opened(&here, &browser).await.update(|user| user.visits = 7).await.unwrap();
    let visits = async |sessions| opened(sessions, &browser).await.user().unwrap().visits;
    assert_eq!((visits(&here).await, visits(&there).await), (7, 0));
    fleet.world.advance(BOUND);
    assert_eq!(visits(&there).await, 7);
}

#[tokio::test]
async fn updates_on_two_nodes_that_remember_the_same_all_count() {
    let fleet = Fleet::new();
    let (here, there) = (fleet.node(), fleet.node());
    let browser = fleet.logged_in(&here).await;
    reads(&there, &browser).await.unwrap();
    for sessions in [&here, &there, &there, &here] {
        opened(sessions, &browser).await.update(|user| user.visits += 1).await.unwrap();
    }
    assert_eq!(opened(&fleet.node(), &browser).await.user().unwrap().visits, 4);
}

#[tokio::test]
async fn an_update_of_a_session_that_ended_elsewhere_is_refused() {
    let fleet = Fleet::new();
    let (here, there) = (fleet.node(), fleet.node());
    let browser = fleet.logged_in(&here).await;
    browser.log_out(&there).await;
    let session = opened(&here, &browser).await;
    let refused = session.update(|user| user.visits += 1).await.map(drop);
    assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    assert!(session.user().is_none());
}

#[tokio::test]
async fn the_fresh_guard_asks_the_store() {
    let fleet = Fleet::new();
    let (here, there) = (fleet.node(), fleet.node());
    let browser = fleet.logged_in(&here).await;
    assert!(opened(&here, &browser).await.extract::<Fresh<User, 300>>().await.is_ok());
    assert_eq!(fleet.calls(), 1);
    browser.log_out(&there).await;
    let session = opened(&here, &browser).await;
    let refused = session.extract::<Fresh<User, 300>>().await.map(drop);
    assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    fleet.calls();
    assert!(session.extract::<Fresh<User, 300>>().await.is_err(), "and says the same when asked again");
    assert_eq!(fleet.calls(), 0);
}

#[tokio::test]
async fn the_fresh_guard_is_503_when_the_store_is_down() {
    let fleet = Fleet::new();
    let sessions = fleet.node();
    let browser = fleet.logged_in(&sessions).await;
    fleet.fail(true);
    let session = opened(&sessions, &browser).await;
    let refused = session.extract::<Fresh<User, 300>>().await.map(drop);
    assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::StoreUnavailable));
}

#[tokio::test]
async fn a_use_by_its_route_is_written_down_where_others_are_served_from_memory() {
    let fleet = Fleet::new();
    let sessions = fleet.with(|builder| builder.hybrid(seconds(90)));
    let mut browser = fleet.logged_in(&sessions).await;
    fleet.world.advance(70);
    let last_seen = async || {
        let record = sessions.list_account("ann").await.unwrap().remove(0);
        record.last_seen
    };
    let login = last_seen().await;
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    assert_eq!(last_seen().await, login, "served from memory");
    let session = Trip::of(&sessions);
    session.receive(&browser.post(""));
    assert_eq!(routes::answer(session.incoming(), "POST", "").await.status, 200);
    assert_eq!(last_seen().await, fleet.world.now());
}

#[tokio::test]
async fn every_session_route_asks_the_store() {
    let requests = [
        ("GET", "", 200),
        ("POST", "", 401),
        ("POST", "/refresh", 401),
        ("GET", "/list", 401),
        ("DELETE", "/list", 401),
        ("DELETE", "/list/some-device", 401),
        ("POST", "/revoke-others", 401),
    ];
    for (method, path, expected) in requests {
        let fleet = Fleet::new();
        let (here, there) = (fleet.node(), fleet.node());
        let browser = fleet.logged_in(&here).await;
        browser.log_out(&there).await;
        let session = Trip::of(&here);
        session.receive(&browser.request(method, path));
        let answer = routes::answer(session.incoming(), method, path).await;
        assert_eq!(answer.status, expected, "{method} {path}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("ann"), "{method} {path}");
        assert!(session.user().is_none(), "{method} {path}");
    }
}

#[tokio::test]
async fn an_operation_on_a_remembered_session_reads_it_once() {
    let fleet = Fleet::new();
    let sessions = fleet.node();
    let browser = fleet.logged_in(&sessions).await;
    let session = opened(&sessions, &browser).await;
    session.recheck().await.unwrap();
    session.recheck().await.unwrap();
    assert_eq!(fleet.calls(), 1);
    assert_eq!(session.list().await.unwrap().len(), 1);
    assert_eq!(fleet.calls(), 1, "the list itself");
}

#[tokio::test]
async fn only_the_newest_generation_is_served_from_memory() {
    let fleet = Fleet::new();
    let (here, there) = (fleet.node(), fleet.with(|builder| builder.replay(ReplayPolicy::Refuse)));
    let old = fleet.logged_in(&here).await;
    fleet.world.advance(NEAR_EXPIRY);
    let mut new = old.clone();
    new.who(&here).await;
    assert_ne!(new.cookie(), old.cookie());
    reads(&there, &new).await.unwrap();
    assert_eq!(reads(&there, &new).await, ann());
    fleet.calls();
    fleet.world.advance(10);
    assert_eq!(reads(&there, &old).await, ann(), "in its grace");
    assert_eq!(fleet.calls(), 1, "which only the store can tell");
    fleet.world.advance(30);
    assert_eq!(reads(&there, &old).await, Ok(None), "a replay");
    assert_eq!(reads(&there, &new).await, ann());
}

#[tokio::test]
async fn a_due_refresh_and_the_first_use_of_its_token_ask_the_store() {
    let fleet = Fleet::new();
    let sessions = fleet.node();
    let mut browser = fleet.logged_in(&sessions).await;
    fleet.world.advance(NEAR_EXPIRY);
    let old = browser.cookie().to_owned();
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    assert_ne!(browser.cookie(), old);
    fleet.calls();
    assert_eq!(reads(&sessions, &browser).await, ann());
    assert_eq!(fleet.calls(), 2, "read and confirmed");
    assert_eq!(reads(&sessions, &browser).await, ann());
    assert_eq!(fleet.calls(), 1, "read again after the write");
    assert_eq!(reads(&sessions, &browser).await, ann());
    assert_eq!(fleet.calls(), 0);
}

#[tokio::test]
async fn an_explicit_refresh_asks_the_store() {
    let fleet = Fleet::new();
    let (here, there) = (fleet.node(), fleet.node());
    let browser = fleet.logged_in(&here).await;
    browser.log_out(&there).await;
    let refused = here.refresh_session(&browser.post("/refresh")).await.map(drop);
    assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
}

#[tokio::test]
async fn a_read_that_a_logout_overtakes_is_not_remembered() {
    let fleet = Fleet::new();
    let sessions = fleet.node();
    let browser = Browser::login(&sessions, user("ann")).await;
    // The read has the store's answer and does not know that the logout is done.
    let session = Trip::of(&sessions);
    session.receive(&browser.get("/"));
    let slow = fleet.store.pause_after_read();
    let reading = tokio::spawn(async move { session.open().await });
    slow.reached().await;
    browser.log_out(&sessions).await;
    slow.go_on();
    assert!(reading.await.unwrap().is_ok(), "it was served as it was before the logout");
    assert_eq!(reads(&sessions, &browser).await, Ok(None));
}

#[tokio::test]
async fn idle_sessions_of_active_users_stay() {
    let fleet = Fleet::new();
    let sessions = fleet.with(|builder| builder.lifetimes(Lifetimes::default().idle_timeout(seconds(600))));
    let browser = fleet.logged_in(&sessions).await;
    for _ in 0..400 {
        fleet.world.advance(7);
        assert_eq!(reads(&sessions, &browser).await, ann());
    }
    fleet.world.advance(600);
    assert_eq!(reads(&sessions, &browser).await, Ok(None));
}

#[tokio::test]
async fn a_remembered_session_ends_in_its_time() {
    let fleet = Fleet::new();
    let sessions =
        fleet.with(|builder| builder.lifetimes(Lifetimes::default().refresh_threshold(seconds(31))));
    let mut browser = Browser::login(&sessions, user("ann")).await;
    fleet.world.advance(86_400 - 40);
    browser.who(&sessions).await;
    fleet.calls();
    fleet.world.advance(40);
    assert_eq!(reads(&sessions, &browser).await, Ok(None));
}

#[tokio::test]
async fn another_realm_is_not_served_what_is_remembered() {
    let fleet = Fleet::new();
    let (users, admins) = (fleet.node(), fleet.with(|builder| builder.realm("admins")));
    let browser = fleet.logged_in(&users).await;
    assert_eq!(reads(&admins, &browser).await, Ok(None));
}

#[tokio::test]
async fn news_ends_a_session_here_at_once() {
    use session_core::store::Invalidation;
    let fleet = Fleet::new();
    let sessions = fleet.node();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let upkeep = tokio::spawn({
        let sessions = sessions.clone();
        async move { sessions.maintain(async { drop(stopped.await) }).await }
    });
    let browser = fleet.logged_in(&sessions).await;
    let realm = sessions.realm().to_owned();
    let id =
        fleet.store.list(Account { realm: &realm, subject: "ann" }, fleet.world.now()).await.unwrap()[0].id;
    let end = async |news| {
        fleet.store.inner.delete(RecordKey { realm: &realm, id }).await.unwrap();
        fleet.store.news.send(Some(news));
    };
    end(Invalidation::Ended(id)).await;
    while reads(&sessions, &browser).await == ann() {
        tokio::task::yield_now().await;
    }
    assert_eq!(reads(&sessions, &browser).await, Ok(None));

    // A connection that is cut is made again.
    fleet.store.news.send(None);
    fleet.store.ticks.send(());
    fleet.store.ticks.send(());
    let browser = fleet.logged_in(&sessions).await;
    sessions.get_session(&browser.get("/")).await.unwrap();
    fleet.store.inner.delete_realm(&realm, Mark::from_bytes([1; 16])).await.unwrap();
    fleet.store.news.send(Some(Invalidation::EveryoneEnded));
    while reads(&sessions, &browser).await == ann() {
        tokio::task::yield_now().await;
    }
    assert!(fleet.world.event_names().contains(&"store_failed"));
    drop(stop);
    upkeep.await.unwrap();
}

#[test]
fn settings_that_cannot_work_say_what_to_change() {
    let world = World::new();
    let built = |builder: SessionManagerBuilder<User>| builder.build().map(drop).unwrap_err().to_string();
    let store = || Faulty::default();
    let idle = Lifetimes::default().idle_timeout(seconds(600));
    let cases = [
        (built(world.builder().hybrid(seconds(30))), ".store(..)"),
        (built(world.builder().store(store()).hybrid(seconds(0))), "30 s"),
        (built(world.builder().store(store()).hybrid(seconds(30)).hybrid_capacity(0)), "some thousand"),
        (built(world.builder().store(store()).hybrid(seconds(61)).lifetimes(idle)), "idle_timeout"),
    ];
    for (error, word) in cases {
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn the_auditor_is_told_the_bound() {
    assert!(Fleet::new().node().describe().contains("in others within 30 s"));
}

#[tokio::test]
async fn without_a_session_nothing_is_confirmed() {
    let fleet = Fleet::new();
    let session = Trip::of(&fleet.node());
    session.receive(&TestRequest::new("GET", "/"));
    assert!(session.open().await.is_err());
    assert_eq!(session.recheck().await.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
}

//! Many changes of one session at once: they cost what they are worth, and end.

use std::future::Future;
use std::sync::atomic::Ordering;

use session_core::{ErrorKind, SessionError, SessionManager};

use crate::faulty::Faulty;
use crate::support::{Browser, Trip, User, World, seconds, user};

const MANY: usize = 180;

/// A login on a store that is not in this process's memory.
struct Scene {
    world: World,
    store: Faulty,
    sessions: SessionManager<User>,
    browser: Browser,
}

impl Scene {
    async fn new() -> Self {
        let (world, store) = (World::new(), Faulty::default());
        let sessions = world.tracked_on(store.clone());
        let browser = Browser::login(&sessions, user("ann")).await;
        store.is_remote.store(true, Ordering::SeqCst);
        Self { world, store, sessions, browser }
    }

    /// A request that has opened its session.
    async fn opened(&self) -> Trip {
        let session = Trip::of(&self.sessions);
        session.receive(&self.browser.post("/"));
        session.open().await.unwrap();
        session
    }

    async fn many(&self) -> Vec<Trip> {
        let mut opened = Vec::new();
        for _ in 0..MANY {
            opened.push(self.opened().await);
        }
        self.store.calls.store(0, Ordering::SeqCst);
        opened
    }

    fn calls(&self) -> usize {
        self.store.calls.swap(0, Ordering::SeqCst)
    }

    async fn visits(&self) -> u64 {
        self.opened().await.user().unwrap().visits
    }
}

async fn count(session: Trip) -> Result<(), SessionError> {
    session.update(|user| user.visits += 1).await.map(drop)
}

async fn refresh(session: Trip) -> Result<(), SessionError> {
    session.refresh().await.map(drop)
}

async fn reauthenticate(session: Trip) -> Result<(), SessionError> {
    session.reauthenticate().await.map(drop)
}

/// Starts all together; the answers in that order.
async fn at_once<F: Future<Output = Result<(), SessionError>> + Send + 'static>(
    operations: impl IntoIterator<Item = F>,
) -> Vec<Result<(), SessionError>> {
    let tasks: Vec<_> = operations.into_iter().map(tokio::spawn).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

fn kind(answer: Result<(), SessionError>) -> Result<(), (ErrorKind, bool)> {
    answer.map_err(|error| (error.kind(), error.is_retryable()))
}

const UNAVAILABLE: Result<(), (ErrorKind, bool)> = Err((ErrorKind::StoreUnavailable, true));

#[tokio::test]
async fn many_updates_at_once_cost_three_calls_each_and_all_count() {
    let scene = Scene::new().await;
    let opened = scene.many().await;
    for answer in at_once(opened.into_iter().map(count)).await {
        answer.unwrap();
    }
    let calls = scene.calls();
    assert!(calls <= 3 * MANY, "{calls} calls");
    assert_eq!(scene.visits().await, MANY as u64);
}

#[tokio::test]
async fn updates_that_arrive_while_others_wait_join_the_line() {
    let scene = Scene::new().await;
    let opened = scene.many().await;
    let latecomers = async |session: Trip, after: usize| {
        for _ in 0..after {
            tokio::task::yield_now().await;
        }
        count(session).await
    };
    let operations = opened.into_iter().enumerate().map(|(n, session)| latecomers(session, n));
    for answer in at_once(operations).await {
        answer.unwrap();
    }
    let calls = scene.calls();
    assert!(calls <= 3 * MANY, "{calls} calls");
    assert_eq!(scene.visits().await, MANY as u64);
}

#[tokio::test]
async fn an_update_without_a_rival_is_one_call() {
    let scene = Scene::new().await;
    let session = scene.opened().await;
    scene.calls();
    count(session).await.unwrap();
    assert_eq!(scene.calls(), 1);
}

#[tokio::test]
async fn many_refreshes_at_once_cost_three_calls_each() {
    let scene = Scene::new().await;
    scene.world.advance(1_000);
    let opened = scene.many().await;
    for answer in at_once(opened.into_iter().map(refresh)).await {
        answer.unwrap();
    }
    let calls = scene.calls();
    assert!(calls <= 3 * MANY, "{calls} calls");
}

/// The updates before it count; those after it find the session gone.
#[tokio::test]
async fn a_reauthentication_among_many_updates_waits_for_its_turn() {
    let scene = Scene::new().await;
    let mut opened = scene.many().await;
    let session = opened.remove(MANY / 2);
    let own = tokio::spawn(reauthenticate(session.clone()));
    let answers = at_once(opened.into_iter().map(count)).await;
    own.await.unwrap().unwrap();
    assert!(answers.iter().all(|answer| {
        answer.as_ref().map_err(SessionError::kind).err().is_none_or(|kind| kind == ErrorKind::NotFound)
    }));
    let calls = scene.calls();
    assert!(calls <= 3 * MANY, "{calls} calls");
    let counted = answers.iter().filter(|answer| answer.is_ok()).count() as u64;
    assert_eq!(session.user().unwrap().visits, counted);
}

#[tokio::test]
async fn whoever_loses_every_race_gives_up_and_has_changed_nothing() {
    for is_remote in [true, false] {
        let scene = Scene::new().await;
        scene.world.advance(1_000);
        scene.store.is_remote.store(is_remote, Ordering::SeqCst);
        let [update, renew, login] = [scene.opened().await, scene.opened().await, scene.opened().await];
        scene.calls();
        scene.store.conflicts.store(true, Ordering::SeqCst);
        assert_eq!(kind(count(update).await), UNAVAILABLE);
        assert!(scene.calls() <= 200);
        assert_eq!(kind(reauthenticate(login).await), UNAVAILABLE);
        assert!(scene.calls() <= 200);
        assert_eq!(kind(refresh(renew).await), UNAVAILABLE);
        assert!(scene.calls() <= 40);
        scene.store.conflicts.store(false, Ordering::SeqCst);
        assert_eq!(scene.visits().await, 0);
    }
}

/// Two processes that wait equally long meet again.
#[tokio::test]
async fn who_lost_to_another_process_pauses_for_a_random_time_of_some_milliseconds() {
    let scene = Scene::new().await;
    let update = scene.opened().await;
    scene.store.conflicts.store(true, Ordering::SeqCst);
    assert_eq!(kind(count(update).await), UNAVAILABLE);
    let mut pauses = scene.store.pauses.lock().unwrap().clone();
    assert!(pauses.len() > 90 && pauses.iter().all(|pause| pause.as_millis() <= 32), "{pauses:?}");
    pauses.sort();
    pauses.dedup();
    assert!(pauses.len() > 80, "{pauses:?}");
}

#[tokio::test]
async fn an_automatic_write_that_loses_every_race_fails_no_request() {
    for is_remote in [true, false] {
        let scene = Scene::new().await;
        scene.world.advance(86_400 - 600);
        scene.store.is_remote.store(is_remote, Ordering::SeqCst);
        scene.store.conflicts.store(true, Ordering::SeqCst);
        scene.calls();
        let mut browser = scene.browser.clone();
        assert_eq!(browser.who(&scene.sessions).await.as_deref(), Some("ann"));
        assert!(scene.calls() <= 8);
    }
}

#[tokio::test]
async fn all_calls_of_an_operation_share_one_deadline() {
    let scene = Scene::new().await;
    scene.world.advance(1_000);
    let opened = [scene.opened().await, scene.opened().await, scene.opened().await];
    scene.calls();
    scene.store.conflicts.store(true, Ordering::SeqCst);
    *scene.store.takes.lock().unwrap() = Some((scene.world.clock.clone(), seconds(1)));
    let [update, login, renew] = opened;
    for answer in [count(update).await, reauthenticate(login).await, refresh(renew).await] {
        assert_eq!(kind(answer), UNAVAILABLE);
    }
    assert!(scene.calls() <= 6, "each had two seconds, and every call took one");
}

/// Its patience ends; the one that it waits for, and strangers, go on.
#[tokio::test]
async fn waiting_for_others_counts_against_the_deadline_and_holds_up_no_stranger() {
    let scene = Scene::new().await;
    let (first, second, third) = (scene.opened().await, scene.opened().await, scene.opened().await);
    let stranger = Browser::login(&scene.sessions, user("bob")).await;
    count(scene.opened().await).await.unwrap();
    // The first loses to the update above, takes the turn, and is stopped in its second attempt.
    let stop = scene.store.pause_before_replace();
    let first = tokio::spawn(count(first));
    stop.reached().await;
    stop.go_on();
    let stop = scene.store.pause_before_replace();
    stop.reached().await;

    let session = Trip::of(&scene.sessions);
    session.receive(&stranger.post("/"));
    count(session).await.unwrap();

    scene.calls();
    scene.store.hangs.store(true, Ordering::SeqCst);
    let waiting = [kind(count(second).await), kind(count(third).await)];
    scene.store.hangs.store(false, Ordering::SeqCst);
    assert_eq!(waiting, [UNAVAILABLE, UNAVAILABLE]);
    assert_eq!(scene.calls(), 0, "who waits does not ask");
    stop.go_on();
    first.await.unwrap().unwrap();
    assert_eq!(scene.visits().await, 2);
}

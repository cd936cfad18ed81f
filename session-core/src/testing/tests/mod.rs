//! Each fault, as a manager on the store sees it.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::*;
use crate::error::ErrorKind;
use crate::store::MemoryStore;
use crate::token::KeyRing;

#[derive(Clone, Serialize, Deserialize)]
struct User {
    id: String,
    visits: u64,
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.id).into())
    }
}

/// Ann is logged in.
struct Scene {
    clock: ManualClock,
    store: FaultyStore,
    sessions: SessionManager<User>,
    cookie: String,
}

impl Scene {
    async fn on(store: FaultyStore) -> Self {
        let clock = ManualClock::at(Timestamp::from_unix_seconds(1_790_000_000));
        let keys = KeyRing::from_secret("0123456789abcdef0123456789abcdef").unwrap();
        let sessions = SessionManager::builder().keys(keys).clock(clock.clone()).store(store.clone());
        let sessions = sessions.build().unwrap();
        let cookie = logged_in_cookie(&sessions, User { id: "ann".to_owned(), visits: 0 }).await.unwrap();
        Self { clock, store, sessions, cookie }
    }

    async fn new() -> Self {
        Self::on(FaultyStore::default()).await
    }

    fn request(&self) -> TestRequest {
        TestRequest::new("GET", "/").cookie(&self.cookie)
    }

    async fn visits(&self) -> Result<Option<u64>, ErrorKind> {
        let outcome = self.sessions.get_session(&self.request()).await.map_err(|error| error.kind())?;
        Ok(outcome.and_then(|outcome| outcome.user().map(|user| user.visits)))
    }

    fn visit(&self) -> impl Future<Output = Result<(), ErrorKind>> + use<> {
        let session = self.sessions.slot().receive(&self.request()).session();
        async move { session.update(|user| user.visits += 1).await.map(drop).map_err(|error| error.kind()) }
    }
}

const DOWN: ErrorKind = ErrorKind::StoreUnavailable;

#[tokio::test]
async fn a_call_that_fails_changes_nothing() {
    let scene = Scene::new().await;
    scene.store.inject(Fault::Fail);
    assert_eq!((scene.visits().await, scene.visit().await), (Err(DOWN), Err(DOWN)));
    scene.store.recover();
    assert_eq!(scene.visits().await, Ok(Some(0)));
}

/// Also when last-seen could move on, which needs a write.
#[tokio::test]
async fn a_store_that_only_reads_is_read() {
    let scene = Scene::new().await;
    scene.clock.advance(Duration::from_secs(1_000));
    scene.store.inject(Fault::FailWrites);
    assert_eq!((scene.visits().await, scene.visit().await), (Ok(Some(0)), Err(DOWN)));
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_has_happened() {
    let scene = Scene::new().await;
    scene.store.inject(Fault::LoseAnswers);
    assert_eq!((scene.visit().await, scene.visits().await), (Err(DOWN), Ok(Some(1))));
}

/// In no time: nobody advances a clock here.
#[tokio::test]
async fn a_call_that_hangs_runs_into_its_deadline() {
    let scene = Scene::new().await;
    scene.store.inject(Fault::Hang);
    assert_eq!((scene.visits().await, scene.visits().await), (Err(DOWN), Err(DOWN)));
    scene.store.recover();
    assert_eq!(scene.visits().await, Ok(Some(0)));
}

#[tokio::test]
async fn a_slow_call_is_answered_within_the_deadline_and_not_after() {
    let a_turn_per_second = |time: Duration| async move {
        for _ in 0..time.as_secs() {
            tokio::task::yield_now().await;
        }
    };
    let scene = Scene::on(FaultyStore::with_timer(MemoryStore::new(), a_turn_per_second)).await;
    scene.store.inject(Fault::Slow(Duration::from_secs(1)));
    assert_eq!(scene.visits().await, Ok(Some(0)));
    scene.store.inject(Fault::Slow(Duration::from_secs(3)));
    assert_eq!(scene.visits().await, Err(DOWN));
}

#[tokio::test]
async fn a_script_says_which_call_fails() {
    let scene = Scene::new().await;
    let replaces = AtomicU64::new(0);
    scene.store.inject_by(move |method| match method {
        StoreMethod::Replace if replaces.fetch_add(1, Ordering::SeqCst) == 1 => Fault::Fail,
        _ => Fault::None,
    });
    let visits = [scene.visit().await, scene.visit().await, scene.visit().await];
    assert_eq!(visits, [Ok(()), Err(DOWN), Ok(())]);
    assert_eq!(scene.visits().await, Ok(Some(2)));
}

#[tokio::test]
async fn a_logout_comes_between_the_read_and_the_write_of_an_update() {
    let scene = Scene::new().await;
    let stop = scene.store.stop_before(StoreMethod::Replace);
    let update = tokio::spawn(scene.visit());
    stop.reached().await;
    drop(scene.sessions.destroy_session(&scene.request()).await.unwrap());
    stop.go_on();
    assert_eq!(update.await.unwrap(), Err(ErrorKind::NotFound));
    assert!(scene.store.inner().is_empty());
}

#[tokio::test]
async fn a_call_that_is_held_afterwards_has_happened() {
    let scene = Scene::new().await;
    let stop = scene.store.stop_after(StoreMethod::Replace);
    let update = tokio::spawn(scene.visit());
    stop.reached().await;
    assert_eq!(scene.visits().await, Ok(Some(1)));
    drop(stop);
    assert_eq!(update.await.unwrap(), Ok(()));
}

#[tokio::test]
async fn calls_are_told_in_their_order() {
    let scene = Scene::new().await;
    assert_eq!(scene.visit().await, Ok(()));
    let [create, rest @ .., replace] = &scene.store.calls()[..] else { unreachable!("three at least") };
    assert_eq!((*create, *replace), (StoreMethod::Create, StoreMethod::Replace));
    assert!(!rest.iter().any(|call| call.is_write()), "{rest:?}");
}

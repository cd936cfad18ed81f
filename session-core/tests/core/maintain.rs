//! What goes on beside the requests.

use std::sync::atomic::Ordering;

use session_core::SessionManager;
use session_core::store::SessionStore;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::faulty::Faulty;
use crate::support::{Browser, User, World, seconds, user};

struct Upkeep {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Upkeep {
    fn of(sessions: &SessionManager<User>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let sessions = sessions.clone();
        let task = tokio::spawn(async move { sessions.maintain(async { drop(stopped.await) }).await });
        Self { stop, task }
    }

    async fn stops(self) {
        drop(self.stop);
        self.task.await.unwrap();
    }
}

async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn expired_sessions_are_deleted_at_every_tick() {
    let (world, store) = (World::new(), Faulty::default());
    let sessions = world.tracked_on(store.clone());
    let upkeep = Upkeep::of(&sessions);
    for _ in 0..3 {
        Browser::login(&sessions, user("ann")).await;
        world.advance(86_400);
        let living = Browser::login(&sessions, user("bob")).await;
        store.ticks.send(());
        until(|| store.inner.len() == 1).await;
        assert_eq!(living.clone().who(&sessions).await.as_deref(), Some("bob"));
        living.log_out(&sessions).await;
    }
    upkeep.stops().await;
}

#[tokio::test]
async fn more_than_a_batch_is_deleted_at_one_tick() {
    let (world, store) = (World::new(), Faulty::default());
    let sessions = world.builder().store(store.clone()).session_limit(None).build().unwrap();
    for _ in 0..500 {
        Browser::login(&sessions, user("ann")).await;
    }
    world.advance(86_400);
    let upkeep = Upkeep::of(&sessions);
    store.calls.store(0, Ordering::SeqCst);
    store.ticks.send(());
    until(|| store.inner.is_empty()).await;
    upkeep.stops().await;
    assert_eq!(store.calls.load(Ordering::SeqCst), 3, "two full batches and what was left");
}

#[tokio::test]
async fn a_failure_is_told_and_the_next_tick_tries_again() {
    let (world, store) = (World::new(), Faulty::default());
    let sessions = world.tracked_on(store.clone());
    Browser::login(&sessions, user("ann")).await;
    world.advance(86_400);
    let upkeep = Upkeep::of(&sessions);
    store.down.store(true, Ordering::SeqCst);
    store.ticks.send(());
    until(|| world.event_names().contains(&"store_failed")).await;
    assert_eq!(store.inner.len(), 1);
    store.down.store(false, Ordering::SeqCst);
    store.ticks.send(());
    until(|| store.inner.is_empty()).await;
    upkeep.stops().await;
}

#[tokio::test]
async fn a_batch_in_flight_is_finished_and_no_other_begun() {
    let (world, store) = (World::new(), Faulty::default());
    let sessions = world.builder().store(store.clone()).session_limit(None).build().unwrap();
    for _ in 0..500 {
        Browser::login(&sessions, user("ann")).await;
    }
    world.advance(86_400);
    let upkeep = Upkeep::of(&sessions);
    let slow = store.pause_before_cleanup();
    store.ticks.send(());
    slow.reached().await;
    drop(upkeep.stop);
    tokio::task::yield_now().await;
    assert!(!upkeep.task.is_finished(), "the batch is still under way");
    slow.go_on();
    upkeep.task.await.unwrap();
    assert_eq!(store.inner.len(), 300);
}

#[tokio::test]
async fn it_stops_at_once_while_it_waits() {
    let (world, store) = (World::new(), Faulty::default());
    Upkeep::of(&world.tracked_on(store)).stops().await;
}

#[tokio::test]
async fn without_a_store_it_waits_for_the_end() {
    Upkeep::of(&World::new().stateless()).stops().await;
}

#[tokio::test]
async fn two_may_do_it_at_once() {
    let (world, store) = (World::new(), Faulty::default());
    let sessions = world.tracked_on(store.clone());
    for _ in 0..50 {
        Browser::login(&sessions, user("ann")).await;
    }
    world.advance(86_400);
    let (one, two) = (Upkeep::of(&sessions), Upkeep::of(&sessions));
    store.ticks.send(());
    store.ticks.send(());
    until(|| store.inner.is_empty()).await;
    one.stops().await;
    two.stops().await;
    assert_eq!(store.delete_expired(world.now(), 10).await.unwrap(), 0);
}

#[tokio::test]
async fn it_stops_also_when_neither_calls_nor_pauses_of_the_store_take_time() {
    let world = World::new();
    let store = Faulty::default();
    store.never_waits.store(true, Ordering::SeqCst);
    let sessions = world.builder().store(store.clone()).hybrid(seconds(30)).build().unwrap();
    let upkeep = Upkeep::of(&sessions);
    until(|| store.calls.load(Ordering::SeqCst) > 2).await;
    upkeep.stops().await;
}

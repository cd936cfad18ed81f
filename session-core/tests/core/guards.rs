//! Guards of the application: its own data, and those that need no session.

use std::sync::atomic::Ordering;

use session_core::{ErrorKind, Guard, Session, SessionError};

use crate::faulty::Faulty;
use crate::support::{Browser, Trip, User, World, user};

struct Greeting(String);

/// Says the greeting that the application configured.
struct Greeted(String);

impl Guard for Greeted {
    type Payload = User;

    async fn check(session: Session<User>) -> Result<Self, SessionError> {
        let name = session.require_user()?.user_id.clone();
        Ok(Self(format!("{} {name}", session.data::<Greeting>()?.0)))
    }
}

/// Looks at nothing.
struct Anybody;

impl Guard for Anybody {
    type Payload = User;
    const OPENS: bool = false;

    async fn check(_: Session<User>) -> Result<Self, SessionError> {
        Ok(Self)
    }
}

#[tokio::test]
async fn a_guard_has_the_data_that_the_application_gave() {
    let sessions = World::new().builder().data(Greeting("Hello".into())).data(7_u8).build().unwrap();
    let browser = Browser::login(&sessions, user("ann")).await;
    let session = Trip::of(&sessions);
    session.receive(&browser.get("/"));
    assert_eq!(session.extract::<Greeted>().await.map(|greeted| greeted.0).unwrap(), "Hello ann");
    assert_eq!(session.data::<u8>().unwrap(), &7);
}

#[tokio::test]
async fn data_that_nobody_gave_is_a_mistake_that_names_its_type() {
    let sessions = World::new().stateless();
    let browser = Browser::login(&sessions, user("ann")).await;
    let session = Trip::of(&sessions);
    session.receive(&browser.get("/"));
    let error = session.extract::<Greeted>().await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misuse);
    assert!(error.to_string().contains("Greeting") && error.to_string().contains(".data(..)"), "{error}");
}

#[test]
fn the_same_type_twice_is_refused_when_the_manager_is_built() {
    let error = World::new().builder().data(1_u8).data(2_u8).build().unwrap_err();
    assert!(error.to_string().contains("u8"), "{error}");
}

#[tokio::test]
async fn a_guard_that_needs_no_session_costs_no_store_call_and_says_nothing() {
    let world = World::new();
    let store = Faulty::default();
    let sessions = world.tracked_on(store.clone());
    let browser = Browser::login(&sessions, user("ann")).await;
    let before = store.calls.load(Ordering::SeqCst);
    let session = Trip::of(&sessions);
    session.receive(&browser.get("/"));
    assert!(session.extract::<Anybody>().await.is_ok());
    assert_eq!(store.calls.load(Ordering::SeqCst), before);
    assert!(session.close(&()).is_empty());
}

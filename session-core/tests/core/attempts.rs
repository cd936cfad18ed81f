//! A login that began before its account was revoked does not happen.

use session_core::testing::{FaultyStore, StoreMethod, TestRequest};
use session_core::{Attempt, ErrorKind, SessionError, SessionManager};

use crate::jar::Jar;
use crate::support::{Browser, Trip, User, World, seconds, user};

async fn log_in(sessions: &SessionManager<User>, name: &str, attempt: Attempt) -> Result<(), SessionError> {
    let request = TestRequest::new("POST", "/login");
    sessions.create_session(user(name), &request).verified(attempt).await.map(drop)
}

fn kind<T>(result: Result<T, SessionError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[tokio::test]
async fn an_attempt_that_nobody_overtook_logs_in_and_more_than_once() {
    let world = World::new();
    let sessions = world.tracked();
    let attempt = sessions.attempt("ann").await.unwrap();
    assert!(log_in(&sessions, "ann", attempt.clone()).await.is_ok());
    assert!(log_in(&sessions, "ann", attempt).await.is_ok());
}

#[tokio::test]
async fn whatever_ends_the_others_overtakes_and_what_ends_one_does_not() {
    for (end, overtakes) in [
        ("revoke_account", true),
        ("revoke_everyone", true),
        ("revoke_others", true),
        ("revoke_all", true),
        ("logout", false),
        ("revoke_session", false),
        ("revoke", false),
        ("revoke_account of another", false),
        ("eviction", false),
    ] {
        let world = World::new();
        let limit = session_core::store::SessionLimit::EvictLeastRecentlySeen(2);
        let sessions = world.builder().store(world.store.clone()).session_limit(limit).build().unwrap();
        let (own, other) =
            (Browser::login(&sessions, user("ann")).await, Browser::login(&sessions, user("ann")).await);
        let attempt = sessions.attempt("ann").await.unwrap();
        let trip = Trip::of(&sessions);
        trip.receive(&own.post("/"));
        trip.open().await.unwrap();
        let device = trip.list().await.unwrap().into_iter().find(|device| !device.current).unwrap().id;
        match end {
            "revoke_account" => drop(sessions.revoke_account("ann").await.unwrap()),
            "revoke_everyone" => drop(sessions.revoke_everyone().await.unwrap()),
            "revoke_others" => drop(trip.revoke_others().await.unwrap()),
            "revoke_all" => drop(trip.revoke_all().await.unwrap()),
            "logout" => other.log_out(&sessions).await,
            "revoke_session" => assert!(sessions.revoke_session("ann", &device).await.unwrap()),
            "revoke" => assert!(trip.revoke(&device).await.unwrap()),
            "eviction" => drop(Browser::login(&sessions, user("ann")).await),
            _ => drop(sessions.revoke_account("bob").await.unwrap()),
        }
        let answer = log_in(&sessions, "ann", attempt).await;
        assert_eq!(kind(answer) == Some(ErrorKind::LoginOvertaken), overtakes, "{end}");
    }
}

#[tokio::test]
async fn it_answers_401_login_overtaken_and_ends_nothing() {
    let world = World::new();
    let sessions = world.tracked();
    let attempt = sessions.attempt("ann").await.unwrap();
    sessions.revoke_account("ann").await.unwrap();
    let mut jar = Jar::default();
    jar.log_in(&sessions, user("eve")).await;
    let trip = Trip::of(&sessions);
    trip.receive(&jar.post("/login"));
    let error = trip.create(user("ann")).verified(attempt).await.unwrap_err();
    assert_eq!((error.to_response().status, error.code()), (401, "LOGIN_OVERTAKEN"));
    assert_eq!(world.records(&sessions, "eve").await.len(), 1);
    assert!(trip.close(&()).set_cookie().is_none());
}

#[tokio::test]
async fn an_attempt_is_good_for_a_quarter_of_an_hour_and_not_before_it_began() {
    let world = World::new();
    let sessions = world.tracked();
    let attempt = sessions.attempt("ann").await.unwrap();
    world.advance(15 * 60 - 1);
    assert!(log_in(&sessions, "ann", attempt.clone()).await.is_ok());
    world.advance(1);
    assert_eq!(kind(log_in(&sessions, "ann", attempt).await), Some(ErrorKind::LoginOvertaken));
    // Another node's clock is ahead, by the leeway and by more.
    world.advance(61);
    let ahead = sessions.attempt("ann").await.unwrap();
    world.clock.set(world.now().minus(seconds(60)));
    assert!(log_in(&sessions, "ann", ahead.clone()).await.is_ok());
    world.clock.set(world.now().minus(seconds(1)));
    assert_eq!(kind(log_in(&sessions, "ann", ahead).await), Some(ErrorKind::LoginOvertaken));
}

#[tokio::test]
async fn an_attempt_of_another_account_or_realm_is_a_mistake() {
    let world = World::new();
    let sessions = world.tracked();
    let attempt = sessions.attempt("bob").await.unwrap();
    assert_eq!(kind(log_in(&sessions, "ann", attempt.clone()).await), Some(ErrorKind::Misuse));
    assert_eq!(kind(log_in(&sessions, "guest", attempt).await), Some(ErrorKind::Misuse));
    let admin = world.builder().store(world.store.clone()).realm("admin").build().unwrap();
    let elsewhere = admin.attempt("ann").await.unwrap();
    assert_eq!(kind(log_in(&sessions, "ann", elsewhere).await), Some(ErrorKind::Misuse));
}

#[tokio::test]
async fn an_attempt_travels_between_two_requests_and_shows_nothing() {
    let world = World::new();
    let sessions = world.tracked();
    let attempt = sessions.attempt("ann").await.unwrap();
    assert_eq!(format!("{attempt:?}"), "Attempt");
    let json = serde_json::to_string(&attempt).unwrap();
    let back: Attempt = serde_json::from_str(&json).unwrap();
    assert!(back == attempt && json.len() < 512);
    assert!(log_in(&sessions, "ann", back).await.is_ok());
}

#[tokio::test]
async fn to_begin_writes_nothing_after_the_first_in_a_realm() {
    let world = World::new();
    let store = FaultyStore::new(world.store.clone());
    let sessions = world.tracked_on(store.clone());
    for name in ["ann", "nobody", "ann"] {
        sessions.attempt(name).await.unwrap();
    }
    assert_eq!(store.calls(), [StoreMethod::Fence; 3]);
}

#[tokio::test]
async fn a_plain_login_is_one_call_of_the_store_with_an_attempt_or_without() {
    let world = World::new();
    let store = FaultyStore::new(world.store.clone());
    let sessions = world.tracked_on(store.clone());
    Browser::login(&sessions, user("ann")).await;
    assert_eq!(store.calls(), [StoreMethod::Create]);
    let attempt = sessions.attempt("ann").await.unwrap();
    log_in(&sessions, "ann", attempt).await.unwrap();
    assert_eq!(store.calls(), [StoreMethod::Create, StoreMethod::Fence, StoreMethod::Create]);
}

#[tokio::test]
async fn where_attempts_are_required_a_login_without_one_is_a_mistake_but_not_a_guest_s() {
    let world = World::new();
    let sessions = world.builder().store(world.store.clone()).require_verified(true).build().unwrap();
    let request = TestRequest::new("POST", "/login");
    let error = sessions.create_session(user("ann"), &request).await.err().unwrap();
    assert!(error.kind() == ErrorKind::Misuse && error.to_string().contains(".verified(attempt)"), "{error}");
    assert!(sessions.create_session(user("guest"), &request).await.is_ok());
    let attempt = sessions.attempt("ann").await.unwrap();
    assert!(log_in(&sessions, "ann", attempt).await.is_ok());
}

#[tokio::test]
async fn without_a_store_nothing_is_revoked_and_nothing_begun() {
    let world = World::new();
    let sessions = world.stateless();
    assert_eq!(kind(sessions.attempt("ann").await), Some(ErrorKind::StoreRequired));
    let attempt = world.tracked().attempt("ann").await.unwrap();
    let mut jar = Jar::default();
    jar.log_in(&sessions, user("ann")).await;
    let trip = Trip::of(&sessions);
    trip.receive(&jar.post("/"));
    assert_eq!(kind(trip.reauthenticate().verified(attempt).await), Some(ErrorKind::StoreRequired));
    let error = world.builder().require_verified(true).build().unwrap_err().to_string();
    assert!(error.contains("require_verified needs a store"), "{error}");
}

#[tokio::test]
async fn a_second_step_may_be_behind_an_attempt_too() {
    let world = World::new();
    let sessions = world.tracked();
    let mut jar = Jar::default();
    jar.log_in(&sessions, user("ann")).await;
    let attempt = sessions.attempt("ann").await.unwrap();
    let trip = Trip::of(&sessions);
    trip.receive(&jar.post("/"));
    trip.revoke_others().await.unwrap();
    assert_eq!(kind(trip.reauthenticate().verified(attempt).await), Some(ErrorKind::LoginOvertaken));
    assert!(trip.reauthenticate().await.is_ok());
}

/// One step of the two who race: somebody who knows the old password, and its owner who changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Attempt,
    ReadTheHash,
    /// Up to the store's door.
    CallCreate,
    Create,
    ChangeThePassword,
    /// Up to the store's door.
    CallRevoke,
    Revoke,
}

const THIEF: [Step; 4] = [Step::Attempt, Step::ReadTheHash, Step::CallCreate, Step::Create];
const OWNER: [Step; 3] = [Step::ChangeThePassword, Step::CallRevoke, Step::Revoke];

/// Every order of the two.
fn orders(one: &[Step], other: &[Step]) -> Vec<Vec<Step>> {
    match (one, other) {
        ([], rest) | (rest, []) => vec![rest.to_vec()],
        ([first, rest @ ..], [second, others @ ..]) => {
            let then = |step: Step, orders: Vec<Vec<Step>>| {
                orders.into_iter().map(move |order| [vec![step], order].concat()).collect::<Vec<_>>()
            };
            [then(*first, orders(rest, other)), then(*second, orders(one, others))].concat()
        }
    }
}

/// How the owner, who is logged in, ends what others may have.
#[derive(Clone, Copy, Debug)]
enum End {
    Account,
    Others,
    All,
    Everyone,
}

impl End {
    fn method(self) -> StoreMethod {
        match self {
            Self::Everyone => StoreMethod::DeleteRealm,
            Self::Account | Self::Others | Self::All => StoreMethod::DeleteAccount,
        }
    }

    async fn run(self, sessions: SessionManager<User>, owner: Trip) {
        match self {
            Self::Account => drop(sessions.revoke_account("ann").await.unwrap()),
            Self::Others => drop(owner.revoke_others().await.unwrap()),
            Self::All => drop(owner.revoke_all().await.unwrap()),
            Self::Everyone => drop(sessions.revoke_everyone().await.unwrap()),
        }
    }

    /// What is left of the account when it has returned: nothing but the owner's own session.
    fn leaves(self) -> usize {
        usize::from(matches!(self, Self::Others))
    }
}

#[tokio::test]
async fn in_every_order_at_every_await_on_two_nodes_the_stolen_password_opens_nothing_after_the_revocation() {
    let orders = orders(&THIEF, &OWNER);
    assert_eq!(orders.len(), 35);
    for end in [End::Account, End::Others, End::All, End::Everyone] {
        let mut overtaken = 0;
        for order in &orders {
            overtaken += usize::from(in_order(order, end).await);
        }
        assert!(overtaken > 0, "{end:?}");
    }
}

/// Whether the thief's login was overtaken.
async fn in_order(order: &[Step], end: End) -> bool {
    let world = World::new();
    let store = FaultyStore::new(world.store.clone());
    // Two processes, as far as they can tell.
    let (here, there) = (world.tracked_on(store.clone()), world.tracked_on(store.clone()));
    let owner = Browser::login(&there, user("ann")).await;
    let (mut attempt, mut knows, mut overtaken, mut changed) = (None, false, false, false);
    let (mut create, mut revoke) = (None, None);
    for step in order {
        match step {
            Step::Attempt => attempt = Some(here.attempt("ann").await.unwrap()),
            Step::ReadTheHash => knows = !changed,
            Step::CallCreate if knows => {
                let (stop, attempt) = (store.stop_before(StoreMethod::Create), attempt.clone().unwrap());
                let sessions = here.clone();
                let task = tokio::spawn(async move { log_in(&sessions, "ann", attempt).await });
                stop.reached().await;
                create = Some((stop, task));
            }
            Step::CallCreate => {}
            Step::Create => {
                if let Some((stop, task)) = create.take() {
                    stop.go_on();
                    let answer = kind(task.await.unwrap());
                    assert!(matches!(answer, None | Some(ErrorKind::LoginOvertaken)), "{answer:?}");
                    overtaken = answer.is_some();
                }
            }
            Step::ChangeThePassword => changed = true,
            Step::CallRevoke => {
                let trip = Trip::of(&there);
                trip.receive(&owner.post("/"));
                trip.open().await.unwrap();
                let stop = store.stop_before(end.method());
                let task = tokio::spawn(end.run(there.clone(), trip));
                stop.reached().await;
                revoke = Some((stop, task));
            }
            Step::Revoke => {
                let (stop, task) = revoke.take().unwrap();
                stop.go_on();
                task.await.unwrap();
                let left = world.records(&here, "ann").await.len();
                assert_eq!(left, end.leaves(), "when the revocation returns: {end:?} {order:?}");
            }
        }
    }
    let left = world.records(&here, "ann").await.len();
    assert_eq!(left, end.leaves(), "in the end: {end:?} {order:?}");
    overtaken
}

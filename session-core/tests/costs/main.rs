//! What a plain session costs, in allocations, calls of the store and bytes of its cookie. Whoever uses nothing of what
//! else there is pays nothing for it: these numbers may fall, and must not grow.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::borrow::Cow;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use serde::{Deserialize, Serialize};
use session_core::adapter::ResponseChanges;
use session_core::store::MemoryStore;
use session_core::testing::{FaultyStore, ManualClock, StoreMethod, TestRequest};
use session_core::{
    Authenticated, KeyRing, SessionManager, SessionManagerBuilder, SessionPayload, Timestamp, TokenForm,
};

#[derive(Clone, Serialize, Deserialize)]
struct User {
    user_id: String,
    name: String,
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.user_id).into())
    }
}

fn ann() -> User {
    User { user_id: "u-1".to_owned(), name: "ann".to_owned() }
}

fn builder() -> SessionManagerBuilder<User> {
    SessionManager::builder()
        .keys(KeyRing::from_secret("0123456789abcdef0123456789abcdef").unwrap())
        .clock(ManualClock::at(Timestamp::from_unix_seconds(1_790_000_000)))
}

/// Without a store and with one in memory, nothing waits.
fn done<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("nothing here waits for anything"),
    }
}

fn counted<T>(mut work: impl FnMut() -> T) -> u64 {
    // What is made once, and the parts of a store, are made by the first time.
    drop(work());
    allocation_counter::measure(|| drop(work())).count_total
}

fn login(sessions: &SessionManager<User>) -> ResponseChanges {
    done(sessions.create_session(ann(), &TestRequest::new("POST", "/login"))).unwrap().changes
}

fn request(changes: &ResponseChanges) -> TestRequest {
    let browser = TestRequest::new("GET", "/").header("user-agent", [b'x'; 150]);
    browser.cookie(changes.set_cookie().unwrap().split(';').next().unwrap())
}

fn read(sessions: &SessionManager<User>, request: &TestRequest) -> u64 {
    counted(|| done(sessions.get_session(request)).unwrap().unwrap())
}

#[test]
fn a_read_without_a_store() {
    let sessions = builder().build().unwrap();
    let allocations = read(&sessions, &request(&login(&sessions)));
    assert!(allocations <= STATELESS_READ, "{allocations}");
}

#[test]
fn a_read_with_a_store_in_memory() {
    let sessions = builder().store(MemoryStore::new()).build().unwrap();
    let allocations = read(&sessions, &request(&login(&sessions)));
    assert!(allocations <= TRACKED_READ, "{allocations}");
}

/// Frameworks allocate a handler's future, with what its extractors wait for in it; glibc has up to 1 KB at hand.
#[test]
fn a_handler_s_future_has_nothing_in_it_of_what_a_store_needs() {
    let sessions = builder().build().unwrap();
    let incoming = sessions.slot().receive(&request(&login(&sessions)));
    let bytes = size_of_val(&incoming.extract::<Authenticated<User>>());
    assert!(bytes <= EXTRACTION, "{bytes}");
}

#[test]
fn a_login_without_a_store() {
    let sessions = builder().build().unwrap();
    let allocations = counted(|| login(&sessions));
    assert!(allocations <= STATELESS_LOGIN, "{allocations}");
}

#[test]
fn a_login_with_a_store_in_memory() {
    let sessions = builder().store(MemoryStore::new()).session_limit(None).build().unwrap();
    let allocations = counted(|| login(&sessions));
    assert!(allocations <= TRACKED_LOGIN, "{allocations}");
}

#[test]
fn a_login_a_read_and_a_logout_are_one_call_of_the_store_each() {
    let store = FaultyStore::new(MemoryStore::new());
    let sessions = builder().store(store.clone()).build().unwrap();
    let request = request(&login(&sessions));
    let session = done(sessions.get_session(&request)).unwrap().unwrap().session;
    done(session.destroy()).unwrap();
    assert_eq!(store.calls(), [StoreMethod::Create, StoreMethod::ReadAndTouch, StoreMethod::Delete]);
}

#[test]
fn a_cookie_has_no_byte_for_what_a_login_was_not_given() {
    let bytes = |sessions: SessionManager<User>| {
        let changes = login(&sessions);
        assert_eq!(changes.set_cookies().count(), 1);
        changes.set_cookie().unwrap().split(';').next().unwrap().len()
    };
    assert_eq!(bytes(builder().build().unwrap()), STATELESS_COOKIE);
    assert_eq!(bytes(builder().store(MemoryStore::new()).build().unwrap()), TRACKED_COOKIE);
}

/// Who seals pays for it, and the others do not.
#[test]
fn what_is_sealed() {
    let sealed = builder().token_form(TokenForm::Sealed).build().unwrap();
    let records = builder().store(MemoryStore::new()).session_limit(None).seal_records(true).build().unwrap();
    let changes = login(&sealed);
    assert_eq!(changes.set_cookie().unwrap().split(';').next().unwrap().len(), SEALED_COOKIE);
    let counts = [
        read(&sealed, &request(&changes)),
        counted(|| login(&sealed)),
        read(&records, &request(&login(&records))),
        counted(|| login(&records)),
    ];
    let at_most = [SEALED_READ, SEALED_LOGIN, SEALED_RECORD_READ, SEALED_RECORD_LOGIN];
    assert!(
        counts.iter().zip(at_most).all(|(count, most)| *count <= most),
        "{counts:?}, and not {at_most:?}"
    );
}

/// Bytes.
const EXTRACTION: usize = 450;
const SEALED_COOKIE: usize = 336;
const SEALED_READ: u64 = 4;
const SEALED_LOGIN: u64 = 20;
const SEALED_RECORD_READ: u64 = 13;
const SEALED_RECORD_LOGIN: u64 = 34;
const STATELESS_READ: u64 = 4;
const TRACKED_READ: u64 = 9;
const STATELESS_LOGIN: u64 = 17;
/// One of them for the list of an account's sessions, which its second one makes.
const TRACKED_LOGIN: u64 = 27;
const STATELESS_COOKIE: usize = 321;
const TRACKED_COOKIE: usize = 293;

//! Every feature of serde_json that a crate of the program could switch on: a payload is read back, or its login is
//! refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use session_core::store::MemoryStore;
use session_core::testing::{TestRequest, logged_in_cookie};
use session_core::{ErrorKind, KeyRing, SessionManager, SessionPayload, TokenForm};

/// Whatever a test puts into a session.
#[derive(Clone, Serialize, Deserialize)]
struct User<T> {
    id: String,
    data: T,
}

impl<T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static> SessionPayload for User<T> {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.id).into())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Place {
    latitude: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    #[serde(flatten)]
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Float(f64),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    Place(Place),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "place")]
enum Adjacent {
    Place(Place),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum External {
    Place(Place),
}

/// The top level is flattened, too: the one that claims and payload share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct TopLevel {
    id: String,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

impl SessionPayload for TopLevel {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.id).into())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct FlatTopLevel {
    id: String,
    #[serde(flatten)]
    place: Place,
}

impl SessionPayload for FlatTopLevel {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.id).into())
    }
}

/// A store in memory is ready at once.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("not ready at once"),
    }
}

fn managers<U: SessionPayload>() -> [SessionManager<U>; 3] {
    let builder =
        || SessionManager::builder().keys(KeyRing::from_secret("0123456789abcdef0123456789abcdef").unwrap());
    let managers = [builder().store(MemoryStore::new()), builder(), builder().token_form(TokenForm::Plain)];
    managers.map(|manager| manager.build().unwrap())
}

/// What the next request finds, in each mode.
fn after_login<U: SessionPayload>(user: &U) -> [Result<U, ErrorKind>; 3] {
    managers().map(|sessions| {
        let cookie = ready(logged_in_cookie(&sessions, user.clone())).map_err(|error| error.kind())?;
        let incoming = sessions.slot().receive(&TestRequest::new("GET", "/").cookie(&cookie));
        ready(incoming.open()).map_err(|error| error.kind())?;
        Ok(U::clone(&incoming.session().user().unwrap()))
    })
}

#[track_caller]
fn reads_back<T>(data: T)
where
    T: Serialize + DeserializeOwned + Clone + Send + Sync + PartialEq + std::fmt::Debug + 'static,
{
    for found in after_login(&User { id: "ann".into(), data: data.clone() }) {
        assert_eq!(found.map(|user| user.data), Ok(data.clone()));
    }
}

#[track_caller]
fn is_refused<U: SessionPayload>(user: &U) {
    for found in after_login(user) {
        assert_eq!(found.map(drop), Err(ErrorKind::Misuse));
    }
}

fn place() -> Place {
    Place { latitude: 51.47 }
}

#[test]
fn most_shapes_are_read_back() {
    reads_back(0.1);
    reads_back(place());
    reads_back(External::Place(place()));
    reads_back(Adjacent::Place(place()));
    reads_back(vec![Some(0.1), None]);
    reads_back((u64::MAX, i64::MIN, u128::MAX));
    reads_back(serde_json::json!({ "b": [0.1, 1e300, { "a": -0.5 }], "a": u64::MAX }));
    reads_back(serde_json::from_str::<Value>("123456789012345678901234567890.5").unwrap());
    let rest = BTreeMap::from([("ratio".to_owned(), Value::from(0.5)), ("n".to_owned(), Value::from(1))]);
    let user = TopLevel { id: "ann".into(), rest };
    assert_eq!(after_login(&user), [Ok(user.clone()), Ok(user.clone()), Ok(user)]);
}

/// With `arbitrary_precision` serde hands a float on as a map where it does not know the type yet.
#[test]
fn a_float_that_serde_buffers_is_refused_at_login() {
    is_refused(&User { id: "ann".into(), data: Flat { place: place() } });
    is_refused(&User { id: "ann".into(), data: Untagged::Float(0.1) });
    is_refused(&User { id: "ann".into(), data: Tagged::Place(place()) });
    is_refused(&FlatTopLevel { id: "ann".into(), place: place() });
}

#[test]
fn the_refusal_names_the_field_and_not_the_value() {
    let [sessions, ..] = managers();
    let user = User { id: "ann".into(), data: Untagged::Float(0.125) };
    let error = ready(logged_in_cookie(&sessions, user)).unwrap_err().to_string();
    assert!(error.contains("`data`") && error.contains("arbitrary_precision"), "{error}");
    assert!(!error.contains("0.125"), "{error}");
}

/// Raw JSON is not seen while it is written: how deep it is shows when it is read back.
#[test]
fn raw_json_is_read_back_or_refused() {
    let raw = |depth: usize| {
        let json = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        User { id: "ann".into(), data: RawValue::from_string(json).unwrap() }
    };
    for found in after_login(&raw(50)) {
        assert_eq!(found.map(|user| user.data.get().len()), Ok(100));
    }
    let whole = RawValue::from_string(r#"{"sid":"mine"}"#.to_owned()).unwrap();
    #[derive(Clone, Serialize, Deserialize)]
    struct Whole(Box<RawValue>);
    impl SessionPayload for Whole {
        fn subject(&self) -> Option<Cow<'_, str>> {
            None
        }
    }
    is_refused(&Whole(whole));
}

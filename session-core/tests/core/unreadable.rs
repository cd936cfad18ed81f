//! Payloads that could be written and not read back are neither stored nor signed.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use session_core::store::MemoryStore;
use session_core::testing::{TestRequest, logged_in_cookie};
use session_core::{
    ErrorKind, KeyRing, Lifetimes, Revalidation, SessionError, SessionManager, SessionManagerBuilder,
    SessionPayload, TokenForm,
};

use crate::support::{SECRET, Trip, World, seconds};

/// Reads back unless a test makes it odd.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Odd {
    #[serde(deserialize_with = "lower_case")]
    name: String,
    profile: Profile,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Profile {
    scores: Vec<f64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    motto: String,
}

fn lower_case<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(|name| name.to_lowercase())
}

impl SessionPayload for Odd {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.name).into())
    }
}

fn good() -> Odd {
    Odd { name: "ann".into(), profile: Profile { scores: vec![0.5], motto: "carpe diem".into() } }
}

/// What makes it odd, and what the error says of it.
type Oddity = (fn(&mut Odd), &'static str);

const ODDITIES: [Oddity; 3] = [
    (|user| user.profile.scores.push(f64::NAN), "`profile.scores.1`"),
    (|user| user.profile.scores[0] = f64::INFINITY, "`profile.scores.0`"),
    (|user| user.profile.motto.clear(), "`profile.motto`"),
];

fn odd(change: fn(&mut Odd)) -> Odd {
    let mut user = good();
    change(&mut user);
    user
}

fn builder(world: &World) -> SessionManagerBuilder<Odd> {
    SessionManager::builder().keys(KeyRing::from_secret(SECRET).unwrap()).clock(world.clock.clone())
}

/// Tracked, stateless, and stateless in the plain form.
fn managers(world: &World) -> [SessionManager<Odd>; 3] {
    let managers = [
        builder(world).store(world.store.clone()),
        builder(world),
        builder(world).token_form(TokenForm::Plain),
    ];
    managers.map(|manager| manager.build().unwrap())
}

fn shown(sessions: &SessionManager<Odd>, cookie: &str) -> Trip<Odd> {
    let session = Trip::of(sessions);
    session.receive(&TestRequest::new("POST", "/").cookie(cookie));
    session
}

#[track_caller]
fn is_misuse(error: &SessionError, place: &str) {
    assert_eq!(error.kind(), ErrorKind::Misuse);
    let text = format!("{error} {error:?}");
    assert!(text.contains(place) && !text.contains("carpe") && !text.contains("0.5"), "{text}");
}

#[tokio::test]
async fn a_login_with_one_is_a_misuse_that_names_the_field() {
    let world = World::new();
    for sessions in managers(&world) {
        for (change, place) in ODDITIES {
            let cookie = logged_in_cookie(&sessions, good()).await.unwrap();
            let session = shown(&sessions, &cookie);
            is_misuse(&session.create(odd(change)).await.unwrap_err(), place);
            assert_eq!(session.close(&()).set_cookie(), None);
            assert_eq!(shown(&sessions, &cookie).open().await.map_err(|error| error.kind()), Ok(()));
        }
    }
}

#[tokio::test]
async fn an_update_to_one_changes_nothing() {
    let world = World::new();
    for sessions in managers(&world) {
        for (change, place) in ODDITIES {
            let cookie = logged_in_cookie(&sessions, good()).await.unwrap();
            let session = shown(&sessions, &cookie);
            is_misuse(&session.update(change).await.unwrap_err(), place);
            assert_eq!(session.user().as_deref(), Some(&good()));
            assert_eq!(session.close(&()).set_cookie(), None);
            let later = shown(&sessions, &cookie);
            later.open().await.unwrap();
            assert_eq!(later.user().as_deref(), Some(&good()));
            later.reauthenticate().await.unwrap();
        }
    }
}

in_every_mode! {
    // The session goes on with the payload that it has; only who asks for the refresh is told.
    async fn a_revalidation_that_answers_one_replaces_nothing(_world, sessions) {
        let tracked = sessions.revoke_account("nobody").await.is_ok();
        for (change, place) in ODDITIES {
            let world = World::new();
            let sessions = builder(&world)
                .lifetimes(Lifetimes::default().max_age(seconds(1_000)).refresh_threshold(seconds(500)))
                .revalidate(move |_| async move { Revalidation::Replace(odd(change)) });
            let sessions = if tracked { sessions.store(MemoryStore::new()) } else { sessions };
            let sessions = sessions.build().unwrap();
            let cookie = logged_in_cookie(&sessions, good()).await.unwrap();
            world.advance(800);
            let session = shown(&sessions, &cookie);
            session.open().await.unwrap();
            assert_eq!(session.user().as_deref(), Some(&good()));
            assert_eq!(session.close(&()).set_cookie(), None);
            is_misuse(&shown(&sessions, &cookie).refresh().await.unwrap_err(), place);
        }
    }
}

#[tokio::test]
async fn one_that_reads_back_as_another_account_is_a_misuse() {
    let world = World::new();
    for sessions in managers(&world) {
        let session = shown(&sessions, "");
        let error = session.create(Odd { name: "Ann".into(), ..good() }).await.unwrap_err();
        is_misuse(&error, "another subject");
        assert!(!error.to_string().contains("Ann"));
        assert_eq!(session.close(&()).set_cookie(), None);
    }
    assert_eq!(builder(&world).store(world.store).build().unwrap().list_account("Ann").await.unwrap(), []);
}

//! What an attacker tries, where no HTTP is involved.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use session_core::testing::TestRequest;
use session_core::{
    Authenticated, ErrorKind, MaybeAuthenticated, RandomSource as _, Revalidation, SessionManager,
    SystemRandom,
};
use tracing::field::{Field, Visit};

use crate::support::{Browser, SECRET, Trip, User, World, user};

/// In the last 30 minutes of the first token.
const NEAR_EXPIRY: u64 = 86_400 - 600;

#[test]
fn a_million_session_ids_are_distinct_and_use_every_bit() {
    let (mut seen, mut ones, mut zeros) = (HashSet::new(), 0, 0);
    for _ in 0..1_000_000 {
        let mut bytes = [0; 16];
        SystemRandom.fill(&mut bytes).unwrap();
        let id = u128::from_ne_bytes(bytes);
        ones |= id;
        zeros |= !id;
        assert!(seen.insert(id));
    }
    assert_eq!((ones, zeros), (u128::MAX, u128::MAX));
}

#[tokio::test]
async fn every_login_draws_its_id_from_the_system_unless_a_test_says_otherwise() {
    let world = World::new();
    let sessions = world.builder().store(world.store.clone()).session_limit(None).build().unwrap();
    for _ in 0..1000 {
        Browser::login(&sessions, user("ann")).await;
    }
    let ids: HashSet<_> = world.records(&sessions, "ann").await.iter().map(|record| record.id).collect();
    assert_eq!(ids.len(), 1000);
}

// The moments in which a request that has opened its session still uses it after the user has logged out.
in_every_mode! {
    async fn no_operation_in_flight_undoes_a_logout(_world, sessions) {
        let operations = ["refresh", "update", "reauthenticate"];
        for operation in operations {
            let browser = Browser::login(&sessions, user("ann")).await;
            let in_flight = Trip::of(&sessions);
            in_flight.receive(&browser.post("/slow"));
            in_flight.open().await.unwrap();
            let _ = sessions.destroy_session(&browser.post("/logout")).await.unwrap();
            let outcome = match operation {
                "refresh" => in_flight.refresh().await.map(drop),
                "update" => in_flight.update(|user| user.visits += 1).await.map(drop),
                _ => in_flight.reauthenticate().await.map(drop),
            };
            let kind = outcome.map_err(|error| error.kind());
            assert_eq!(kind, Err(ErrorKind::NotFound), "{operation} in {sessions:?}");
            assert_eq!(in_flight.user(), None, "{operation} in {sessions:?}");
            assert_eq!(in_flight.close(&()).set_cookie(), None, "{operation} in {sessions:?}");
        }
    }
}

/// A native client's refresh is an answer without a cookie: nothing holds it back on the way out.
#[tokio::test]
async fn a_bearer_refresh_that_waits_for_the_account_does_not_undo_a_logout() {
    let world = World::new();
    type Other = (SessionManager<User>, Browser);
    let other: Arc<Mutex<Option<Other>>> = Arc::default();
    let seen = Arc::clone(&other);
    let clock = world.clock.clone();
    let sessions = world
        .builder()
        .bearer(true)
        .revalidate(move |_| {
            let (seen, clock) = (Arc::clone(&seen), clock.clone());
            async move {
                let logout = seen.lock().unwrap().take();
                if let Some((sessions, browser)) = logout {
                    let _ = sessions.destroy_session(&browser.post("/logout")).await.unwrap();
                    clock.advance(crate::support::seconds(3600));
                }
                Revalidation::Keep
            }
        })
        .build()
        .unwrap();
    let browser = Browser::login(&sessions, user("ann")).await;
    *other.lock().unwrap() = Some((sessions.clone(), browser.clone()));
    let token = browser.cookie().split_once('=').unwrap().1.to_owned();
    let request = TestRequest::new("POST", "/").header("authorization", format!("Bearer {token}"));
    let outcome = sessions.refresh_session(&request).await;
    assert_eq!(outcome.map(drop).map_err(|error| error.kind()), Err(ErrorKind::NotFound));
}

/// What opening refused is refused by every guard.
#[tokio::test]
async fn a_session_that_did_not_open_passes_no_guard() {
    let world = World::new();
    let clock = world.clock.clone();
    let slow = move |_| {
        let clock = clock.clone();
        async move {
            clock.advance(crate::support::seconds(3600));
            Revalidation::Keep
        }
    };
    let sessions = world.builder().revalidate(slow).build().unwrap();
    let browser = Browser::login(&sessions, user("ann")).await;
    world.advance(NEAR_EXPIRY);
    let session = Trip::of(&sessions);
    session.receive(&browser.get("/"));
    assert_eq!(session.open().await.map_err(|error| error.kind()), Err(ErrorKind::Expired));
    assert_eq!(session.user(), None);
    let guard = session.extract::<Authenticated<User>>().await;
    assert_eq!(guard.map(drop).map_err(|error| error.kind()), Err(ErrorKind::Expired));
    if let Ok(visitor) = session.extract::<MaybeAuthenticated<User>>().await {
        assert_eq!(visitor.user(), None);
    }
    assert!(!session.status().is_valid);
}

/// Collects what this crate logs, as text.
#[derive(Clone, Default)]
pub(crate) struct Log(pub(crate) Arc<Mutex<String>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Line<'a>(&'a mut String);

        impl Visit for Line<'_> {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                let _ = write!(self.0, "{field}={value:?} ");
            }
        }

        let mut text = self.0.lock().unwrap();
        let _ = write!(text, "{} ", event.metadata().level());
        event.record(&mut Line(&mut text));
        text.push('\n');
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// A life with everything that makes an event, and what must not be in any of them.
#[tokio::test]
async fn no_event_no_log_line_and_no_error_holds_a_token_an_id_or_the_secret() {
    let log = Log::default();
    let _capture = tracing::subscriber::set_default(log.clone());
    let world = World::new();
    let mut secrets = vec![SECRET.to_owned()];
    let mut errors = String::new();
    let told_in_confidence = "told in confidence, and for the session only";
    secrets.push(told_in_confidence.to_owned());
    for sessions in world.all().into_iter().chain([world.sealed(), world.sealed_records()]) {
        let mut ann = user("ann");
        ann.notes.insert("note".to_owned(), told_in_confidence.to_owned());
        let mut browser = Browser::login(&sessions, ann).await;
        let thief = browser.clone();
        secrets.push(browser.cookie().to_owned());
        for record in world.records(&sessions, "ann").await {
            secrets.push(record.id.to_text());
            secrets.push(String::from_utf8_lossy(&record.payload).into_owned());
        }
        world.advance(NEAR_EXPIRY);
        browser.who(&sessions).await;
        browser.who(&sessions).await;
        secrets.push(browser.cookie().to_owned());
        let session = Trip::of(&sessions);
        session.receive(&browser.post("/"));
        session.update(|user| user.visits += 1).await.unwrap();
        browser.take(&session.close(&()));
        secrets.push(browser.cookie().to_owned());
        world.advance(60);
        thief.clone().who(&sessions).await;
        let mut browser = Browser::login(&sessions, user("ann")).await;
        secrets.push(browser.cookie().to_owned());
        let forged = format!("{}x", browser.cookie());
        let requests = [
            TestRequest::new("GET", "/").cookie(&forged),
            browser.post("/").header("origin", "https://evil.example"),
            browser.get("/").header("host", "other.example"),
        ];
        for request in requests {
            let session = Trip::of(&sessions);
            session.receive(&request);
            if let Err(error) = session.open().await {
                let _ = write!(errors, "{error} {error:?} {:?} ", error.to_response().body);
            }
            let _ = write!(errors, "{session:?}");
        }
        let _ = sessions.destroy_session(&browser.post("/logout")).await.unwrap();
        browser.who(&sessions).await;
        world.advance(86_400);
        browser.who(&sessions).await;
    }
    let seen = world.event_names();
    for kind in ["created", "refreshed", "updated", "destroyed", "expired", "rejected", "replay_detected"] {
        assert!(seen.contains(&kind), "no {kind} in {seen:?}");
    }
    let events = format!("{:?}", world.events.lock().unwrap());
    let log = log.0.lock().unwrap().clone();
    assert!(log.contains("event=\"created\"") && log.contains("subject=\"ann\""), "{log}");
    // A cookie is name=header.claims.signature: neither of the parts that make it one may be there.
    let parts = secrets.iter().flat_map(|secret| secret.split(['=', '.'])).filter(|part| part.len() > 20);
    for part in parts {
        for (name, text) in [("event", &events), ("log", &log), ("error", &errors)] {
            assert!(!text.contains(part), "{part} in an {name}: {text}");
        }
    }
}

/// Names of accounts come from outside: they must not forge lines of the log.
#[tokio::test]
async fn a_subject_with_line_ends_is_one_line_of_the_log() {
    let log = Log::default();
    let _capture = tracing::subscriber::set_default(log.clone());
    Browser::login(&World::new().stateless(), user("ann\nevent=\"created\"")).await;
    assert_eq!(log.0.lock().unwrap().lines().count(), 1);
}

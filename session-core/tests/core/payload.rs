//! Payloads that change with a deploy, accounts that are no strings, and what the browser is told.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use session_core::adapter::routes;
use session_core::testing::TestRequest;
use session_core::{ErrorKind, KeyRing, SessionManager, SessionPayload};

use crate::security::Log;
use crate::support::{Browser, SECRET, Trip, User, World, user};

/// The next version of [`User`]: the account is called otherwise, and the visits are gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Account {
    name: String,
}

impl SessionPayload for Account {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.name).into())
    }

    fn upgrade(old: serde_json::Value) -> Option<Self> {
        let old: User = serde_json::from_value(old).ok()?;
        // One user was given another name by mistake.
        let name = if old.user_id == "eve" { "ann".into() } else { old.user_id };
        Some(Self { name })
    }
}

/// A version that forgot to read what the last one wrote.
#[derive(Clone, Serialize, Deserialize)]
struct Forgetful {
    name: String,
}

impl SessionPayload for Forgetful {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.name).into())
    }
}

fn deployed<U: SessionPayload>(world: &World, with_store: bool) -> SessionManager<U> {
    let builder = SessionManager::builder().keys(KeyRing::from_secret(SECRET).unwrap());
    let builder = builder.clock(world.clock.clone());
    if with_store { builder.store(world.store.clone()) } else { builder }.build().unwrap()
}

fn text(log: &Log) -> String {
    log.0.lock().unwrap().clone()
}

fn warnings(log: &Log) -> usize {
    text(log).lines().filter(|line| line.starts_with("WARN ")).count()
}

async fn who(sessions: &SessionManager<Account>, browser: &mut Browser) -> Option<String> {
    let outcome = sessions.get_session(&browser.get("/")).await.unwrap()?;
    browser.take(&outcome.changes);
    outcome.user().map(|user| user.name.clone())
}

#[tokio::test]
async fn a_deploy_that_upgrades_the_payload_logs_nobody_out_without_a_store() {
    let world = World::new();
    let mut browser = Browser::login(&world.stateless(), user("ann")).await;
    let sessions = deployed::<Account>(&world, false);
    assert_eq!(who(&sessions, &mut browser).await.as_deref(), Some("ann"));
    // The refresh writes the new form, which needs no upgrade any more.
    world.advance(86_400 - 60);
    let before = browser.cookie().to_owned();
    assert_eq!(who(&sessions, &mut browser).await.as_deref(), Some("ann"));
    assert_ne!(browser.cookie(), before);
    assert!(deployed::<Forgetful>(&world, false).get_session(&browser.get("/")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_deploy_that_upgrades_the_payload_logs_nobody_out_with_a_store() {
    let world = World::new();
    let mut browser = Browser::login(&world.tracked(), user("ann")).await;
    let sessions = deployed::<Account>(&world, true);
    assert_eq!(who(&sessions, &mut browser).await.as_deref(), Some("ann"));
    // Nothing was written for that; an update writes the new form.
    let old = world.records(&sessions, "ann").await;
    assert!(String::from_utf8_lossy(&old[0].payload).contains("userId"));
    let session = Trip::of(&sessions);
    session.receive(&browser.post("/"));
    session.update(|_| {}).await.unwrap();
    assert_eq!(world.records(&sessions, "ann").await[0].payload, br#"{"name":"ann"}"#);
}

#[tokio::test]
async fn an_upgrade_to_another_account_is_no_session() {
    let world = World::new();
    let browser = Browser::login(&world.tracked(), user("eve")).await;
    let session = Trip::of(&deployed::<Account>(&world, true));
    session.receive(&browser.get("/"));
    assert_eq!(session.open().await.map_err(|error| error.kind()), Err(ErrorKind::Invalid));
    assert_eq!(world.records(&world.tracked(), "eve").await.len(), 1, "and nothing overwrites it");
}

in_every_mode! {
    async fn a_deploy_that_logs_people_out_is_a_warning_ten_times_a_minute(world, before) {
        let browser = Browser::login(&before, user("ann")).await;
        let log = Log::default();
        let _capture = tracing::subscriber::set_default(log.clone());
        let with_store = !world.records(&before, "ann").await.is_empty();
        let sessions = deployed::<Forgetful>(&world, with_store);
        for _ in 0..30 {
            assert!(sessions.get_session(&browser.get("/")).await.unwrap().is_none());
        }
        assert_eq!(warnings(&log), 10);
        world.advance(60);
        assert!(sessions.get_session(&browser.get("/")).await.unwrap().is_none());
        assert!(text(&log).contains("20 more since the last warning"), "{}", text(&log));
    }
}

#[tokio::test]
async fn an_account_may_be_a_number() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Numbered {
        id: i64,
    }
    impl SessionPayload for Numbered {
        fn subject(&self) -> Option<Cow<'_, str>> {
            Some(self.id.to_string().into())
        }
    }
    let world = World::new();
    let sessions = deployed::<Numbered>(&world, true);
    let outcome = sessions.create_session(Numbered { id: 7 }, &TestRequest::new("POST", "/")).await.unwrap();
    assert_eq!(outcome.user().unwrap().id, 7);
    assert_eq!(sessions.revoke_account("7").await.unwrap(), 1);
}

#[tokio::test]
async fn the_browser_is_told_what_is_public_of_a_user() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Scored {
        name: String,
        risk: u8,
    }
    impl SessionPayload for Scored {
        fn subject(&self) -> Option<Cow<'_, str>> {
            Some((&self.name).into())
        }

        fn public(&self) -> impl Serialize {
            #[derive(Serialize)]
            struct Public<'a> {
                name: &'a str,
            }
            Public { name: &self.name }
        }
    }
    let world = World::new();
    let sessions = deployed::<Scored>(&world, true);
    let scored = Scored { name: "ann".into(), risk: 99 };
    let outcome = sessions.create_session(scored, &TestRequest::new("POST", "/")).await.unwrap();
    let mut browser = Browser::default();
    browser.take(&outcome.changes);
    let incoming = sessions.slot().receive(&browser.get("/session"));
    let body = String::from_utf8(routes::answer(&incoming, "GET", "").await.body).unwrap();
    assert!(body.contains(r#""user":{"name":"ann"}"#), "{body}");
    assert_eq!(outcome.user().unwrap().risk, 99, "the application still knows");
}

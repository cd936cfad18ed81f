//! The demo on every store that `--store` takes: login, status, list of devices, revocation and logout, on all three; and
//! once what the forms for accounts do.

use std::time::Duration;

use serde_json::Value;
use session_core::{Clock as _, SystemClock};

use super::person::{Person, code};
use super::{Demo, Store};
use crate::fleet::Backend;
use crate::harness::World;
use crate::wire::{Request, Response};

macro_rules! on_each_store {
    ($($name:ident $backend:ident)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                let Some(url) = Backend::$backend.url() else { return };
                let demo = Demo::start(&url.parse().unwrap(), "".as_ref()).await;
                devices_are_listed_and_ended(&demo).await;
                accounts_are_looked_at_and_changed(&demo).await;
            }
        )+
    };
}

on_each_store! {
    postgres Postgres
    mariadb MariaDb
    redis Redis
    redis_cluster RedisCluster
    sqlite Sqlite
}

#[tokio::test]
async fn memory() {
    let demo = Demo::in_memory().await;
    devices_are_listed_and_ended(&demo).await;
    accounts_are_looked_at_and_changed(&demo).await;
}

#[tokio::test]
async fn embedded_and_a_restart_logs_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start(&Store::Embedded, folder.path()).await;
    devices_are_listed_and_ended(&demo).await;
    accounts_are_looked_at_and_changed(&demo).await;
    let cookie = demo.log_in_elsewhere(1).await;
    drop(demo);
    let demo = Demo::start(&Store::Embedded, folder.path()).await;
    assert!(demo.is_logged_in(&cookie).await);
}

#[tokio::test]
async fn stateless_has_no_list_and_says_why() {
    let demo = Demo::start(&Store::Stateless, "".as_ref()).await;
    let cookie = demo.log_in_elsewhere(0).await;
    for framework in 0..3 {
        assert_eq!(session(&demo, framework, &cookie, "GET", "").await.json()["isValid"], true);
        session(&demo, framework, &cookie, "GET", "/list").await.expect_error(501, "STORE_REQUIRED");
    }
}

async fn devices_are_listed_and_ended(demo: &Demo) {
    for framework in 0..3 {
        let own = demo.log_in_elsewhere(framework).await;
        let others = [
            demo.log_in_elsewhere((framework + 1) % 3).await,
            demo.log_in_elsewhere((framework + 2) % 3).await,
        ];
        let listed = session(demo, framework, &own, "GET", "/list").await.expect(200).json();
        let (current, elsewhere): (Vec<&Value>, Vec<&Value>) =
            listed.as_array().unwrap().iter().partition(|device| device["current"] == true);
        assert_eq!((current.len(), elsewhere.len()), (1, 2), "{listed}");

        let one = format!("/list/{}", elsewhere[0]["id"].as_str().unwrap());
        session(demo, framework, &own, "DELETE", &one).await.expect(204);
        assert_eq!(logged_in(demo, &others).await, 1);
        let revoked = session(demo, framework, &own, "POST", "/revoke-others").await.expect(200).json();
        assert_eq!(revoked["revoked"], 1);
        assert_eq!(logged_in(demo, &others).await, 0);
        session(demo, framework, &own, "POST", "/refresh").await.expect(200);
        session(demo, framework, &own, "DELETE", "").await.expect(204);
        assert!(!demo.is_logged_in(&own).await);
    }
}

/// The time is the system's, here and in the demo.
async fn accounts_are_looked_at_and_changed(demo: &Demo) {
    let world = World::new();
    let mut alice = Person::logged_in(demo, 1, &world, "alice", "wonderland").await;
    let mut bob = Person::logged_in(demo, 0, &world, "bob", "builder").await;
    Person::logged_in(demo, 2, &world, "bob", "builder").await;

    alice.submit("/admin/look", "username=bob").await.expect(303);
    assert_eq!(alice.me().await.unwrap().0, "bob");
    assert_eq!(alice.told("/back", "").await, "You are yourself again.");
    assert_eq!(alice.me().await.unwrap().0, "alice");
    for new in ["admin", "user"] {
        let said = alice.told("/admin/role", &format!("username=bob&role={new}")).await;
        assert_eq!(said, "The role is changed, in 2 open sessions, too.");
        assert_eq!(bob.me().await.unwrap().1, new);
    }
    let device = bob.other_devices().await.pop().unwrap();
    assert!(bob.told("/not-me", &format!("id={device}")).await.starts_with("One other session"));

    let now = SystemClock.now();
    let totp = bob.switches_codes_on(now).await;
    bob.submit("/logout", "").await.expect(303);
    bob.submit("/login", "username=bob&password=builder").await.expect(303);
    assert_eq!(bob.me().await, None);
    let next = format!("code={}", code(&totp, now.plus(Duration::from_secs(30))));
    assert_eq!(bob.told("/login/code", &next).await, "You are logged in.");
    assert!(bob.me().await.is_some());
}

async fn logged_in(demo: &Demo, cookies: &[String]) -> usize {
    let mut count = 0;
    for cookie in cookies {
        count += usize::from(demo.is_logged_in(cookie).await);
    }
    count
}

async fn session(demo: &Demo, framework: u16, cookie: &str, method: &str, path: &str) -> Response {
    demo.send(framework, Request::new(method, &format!("/session{path}")).cookie(cookie)).await
}

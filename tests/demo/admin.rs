//! What an administrator does to other accounts, and a user to other devices.

use super::Demo;
use super::person::{Person, said};
use crate::harness::World;
use crate::wire::Request;

struct Scene {
    demo: Demo,
    world: World,
    alice: Person,
    bob: Person,
}

impl Scene {
    /// Alice and bob are logged in. At a demo of its own: accounts belong to all three.
    async fn at(framework: u16) -> Self {
        let world = World::new();
        let demo = Demo::of(&world).await;
        let alice = Person::logged_in(&demo, framework, &world, "alice", "wonderland").await;
        let bob = Person::logged_in(&demo, framework, &world, "bob", "builder").await;
        Self { demo, world, alice, bob }
    }
}

fn named(username: &str, role: &str) -> Option<(String, String)> {
    Some((username.to_owned(), role.to_owned()))
}

#[tokio::test]
async fn an_administrator_looks_as_bob_under_a_banner_and_comes_back() {
    for framework in 0..3 {
        let Scene { demo: _running, mut alice, .. } = Scene::at(framework).await;
        assert_eq!(alice.told("/admin/look", "username=bob").await, "You see what they see.");
        assert_eq!(alice.me().await, named("bob", "user"));
        let page = alice.page().await;
        assert!(page.contains(r#"id="banner""#) && page.contains("Back to alice"), "{page}");
        assert!(!page.contains(r#"id="second-factor""#), "{page}");
        for target in ["/nothing", "/api/admin"] {
            let page = alice.send(Request::get(target).navigation()).await;
            assert!(page.text().contains(r#"id="banner""#), "{page}");
        }
        assert_eq!(alice.told("/back", "").await, "You are yourself again.");
        assert_eq!(alice.me().await, named("alice", "admin"));
        assert!(!alice.page().await.contains(r#"id="banner""#));
    }
}

#[tokio::test]
async fn a_logout_while_looking_as_bob_ends_both_and_bob_stays() {
    for framework in 0..3 {
        let Scene { demo: _running, mut alice, mut bob, .. } = Scene::at(framework).await;
        let own = alice.cookie("session-demo").unwrap().to_owned();
        alice.submit("/admin/look", "username=bob").await.expect(303);
        let looking = alice.cookie("session-demo").unwrap().to_owned();
        assert_eq!(alice.told("/logout", "").await, "You are logged out, on all three frameworks.");
        for name in ["session-demo", "session-demo-actor"] {
            assert_eq!(alice.cookie(name), None);
        }
        for token in [own, looking] {
            let request = Request::get("/api/me").cookie(format!("session-demo={token}"));
            alice.send(request).await.expect_error(401, "SESSION_NOT_FOUND");
        }
        assert_eq!(bob.me().await, named("bob", "user"));
    }
}

#[tokio::test]
async fn nothing_of_bob_s_is_changed_by_who_only_looks() {
    for framework in 0..3 {
        let Scene { demo: _running, mut alice, mut bob, .. } = Scene::at(framework).await;
        alice.submit("/admin/look", "username=bob").await.expect(303);
        let device = alice.other_devices().await.pop().unwrap();
        for (path, body) in [
            ("/second-factor/new", String::new()),
            ("/not-me", format!("id={device}")),
            ("/admin/look", "username=bob".into()),
            ("/admin/role", "username=alice&role=user".into()),
        ] {
            alice.submit(path, &body).await.expect(403);
        }
        assert_eq!(bob.me().await, named("bob", "user"));
    }
}

#[tokio::test]
async fn only_an_administrator_looks_or_changes_a_role_and_never_their_own() {
    for framework in 0..3 {
        let Scene { demo, world, mut alice, mut bob } = Scene::at(framework).await;
        assert!(!bob.page().await.contains(r#"id="accounts""#));
        for (path, body) in [("/admin/look", "username=alice"), ("/admin/role", "username=alice&role=user")] {
            bob.submit(path, body).await.expect(403);
            let request = Request::post(path).header("Content-Type", "application/json").body("{}");
            demo.send(framework, request).await.expect_error(401, "SESSION_NOT_FOUND");
            let mut nobody = Person::at(&demo, framework, &world);
            assert_eq!(nobody.submit(path, body).await.expect(303).header("location"), Some("/"));
        }
        for (path, body) in [
            ("/admin/look", "username=alice"),
            ("/admin/role", "username=alice&role=user"),
            ("/admin/role", "username=bob&role=king"),
            ("/admin/role", "username=carol&role=user"),
            ("/admin/role", "username=bob"),
        ] {
            alice.submit(path, body).await.expect_error(400, "BAD_REQUEST");
        }
        assert_eq!(alice.me().await, named("alice", "admin"));
    }
}

#[tokio::test]
async fn a_new_role_holds_in_sessions_that_are_open_and_in_those_to_come() {
    for framework in 0..3 {
        let Scene { demo, world, mut alice, mut bob } = Scene::at(framework).await;
        let said = alice.told("/admin/role", "username=bob&role=admin").await;
        assert_eq!(said, "The role is changed, in one open session, too.");
        assert!(alice.page().await.contains("Make bob a user"));
        assert_eq!(bob.me().await, named("bob", "admin"));
        bob.send(Request::get("/api/admin")).await.expect(200);
        let mut again = Person::logged_in(&demo, framework, &world, "bob", "builder").await;
        assert_eq!(again.me().await, named("bob", "admin"));

        let said = alice.told("/admin/role", "username=bob&role=user").await;
        assert_eq!(said, "The role is changed, in 2 open sessions, too.");
        bob.send(Request::get("/api/admin")).await.expect_error(403, "FORBIDDEN");
    }
}

/// A restart: the accounts are as at first, and the sessions as they were.
#[tokio::test]
async fn a_session_follows_its_account_within_a_minute() {
    for framework in 0..3 {
        let Scene { demo, world, mut alice, mut bob } = Scene::at(framework).await;
        alice.submit("/admin/role", "username=bob&role=admin").await.expect(303);
        drop(demo);
        let demo = Demo::of(&world).await;
        bob.moves_to(demo.address(framework));
        assert_eq!(bob.me().await, named("bob", "admin"));
        world.advance(60);
        assert_eq!(bob.me().await, named("bob", "user"));
    }
}

#[tokio::test]
async fn this_was_not_me_ends_that_device_and_all_others() {
    for framework in 0..3 {
        let Scene { demo, world, mut alice, mut bob } = Scene::at(framework).await;
        let mut elsewhere = Vec::new();
        for other in 0..2 {
            let person = Person::logged_in(&demo, (framework + other) % 3, &world, "bob", "builder").await;
            elsewhere.push(person);
        }
        let device = bob.other_devices().await.pop().unwrap();
        let said = bob.told("/not-me", &format!("id={device}")).await;
        assert!(said.starts_with("2 other sessions of your account ended."), "{said}");
        assert!(said.contains("change it"), "{said}");
        for other in &mut elsewhere {
            assert_eq!(other.me().await, None);
        }
        assert_eq!(bob.me().await, named("bob", "user"));
        assert_eq!(alice.me().await, named("alice", "admin"));
    }
}

#[tokio::test]
async fn a_form_of_a_session_that_has_ended_leads_to_the_login_form() {
    for framework in 0..3 {
        let Scene { world, demo, mut bob, .. } = Scene::at(framework).await;
        world.advance(86_400);
        for path in ["/second-factor/new", "/back"] {
            assert_eq!(bob.submit(path, "").await.expect(303).header("location"), Some("/"), "{path}");
        }
        let page = Person::at(&demo, framework, &world).page().await;
        assert!(page.contains(r#"id="login-form""#) && said(&page).is_none());
    }
}

//! `GET` and `DELETE /session/list`, `DELETE /session/list/{id}`, `POST /session/revoke-others`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{App, Browser, Fault, Framework, Mode, World, on_each_framework};
use crate::wire::Request;

on_each_framework! {
    the_list_says_what_a_person_can_recognize
    the_list_is_newest_first
    an_id_is_no_credential
    a_device_can_be_revoked
    another_account_s_id_is_404
    an_unknown_id_is_404
    revoking_the_current_device_logs_out
    revoke_others_keeps_the_current_one
    revoking_all_ends_the_current_one_too
    revoking_all_claims_nothing_while_the_store_is_down
    a_guest_sees_only_itself
    without_a_session_they_are_401
    without_a_store_they_are_501
    ending_others_can_need_a_recent_login
    a_guest_may_end_its_own_session_whatever_that_needs
    an_administrator_ends_one_session_of_an_account(tracked hybrid)
}

async fn list(browser: &mut Browser) -> Vec<Value> {
    let list = browser.get("/session/list").await.expect(200).json();
    list.as_array().expect("a list").clone()
}

fn id(device: &Value) -> &str {
    device["id"].as_str().expect("an id")
}

fn current(devices: &[Value]) -> &Value {
    devices.iter().find(|device| device["current"] == json!(true)).expect("the current device")
}

fn other(devices: &[Value]) -> &Value {
    devices.iter().find(|device| device["current"] == json!(false)).expect("another device")
}

async fn the_list_says_what_a_person_can_recognize<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut browser = server.browser();
    let login = Request::post("/login").header("User-Agent", "Test/1.0").body("name=alice");
    browser.send(login).await.expect(200);
    world.advance(120);
    let devices = list(&mut browser).await;
    let expected = json!([{
        "id": id(&devices[0]), "current": true, "createdAt": "2026-01-01T00:00:00Z",
        "lastAccessed": "2026-01-01T00:02:00Z", "expiresAt": "2026-01-02T00:00:00Z",
        "userAgent": "Test/1.0", "ipAddress": "127.0.0.1",
    }]);
    assert_eq!(Value::Array(devices), expected);
}

async fn the_list_is_newest_first<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    for _ in 0..3 {
        server.logged_in("alice").await;
        server.logged_in("bob").await;
        world.advance(10);
    }
    let mut twin = server.logged_in("alice").await;
    server.logged_in("alice").await;
    let devices = list(&mut twin).await;
    let keys: Vec<_> =
        devices.iter().map(|device| (device["createdAt"].to_string(), id(device).to_owned())).collect();
    let mut sorted = keys.clone();
    sorted.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    assert_eq!((keys.len(), &keys), (5, &sorted));
    assert_eq!(devices.iter().filter(|device| device["current"] == json!(true)).count(), 1);
}

async fn an_id_is_no_credential<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    let devices = list(&mut browser).await;
    let stolen = Request::get("/me").cookie(format!("__Host-session={}", id(&devices[0])));
    server.send(stolen).await.expect_error(401, "JWT_INVALID");
}

async fn a_device_can_be_revoked<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut phone = server.logged_in("alice").await;
    let mut laptop = server.logged_in("alice").await;
    let devices = list(&mut laptop).await;
    let target = format!("/session/list/{}", id(other(&devices)));
    let response = laptop.delete(&target).await.expect(204).expect_no_cookie();
    assert_eq!((response.body.len(), response.header("cache-control")), (0, Some("no-store")));
    phone.get("/me").await.expect_error(401, "SESSION_NOT_FOUND");
    assert_eq!(laptop.who().await, "alice");
    laptop.delete(&target).await.expect_error(404, "NOT_FOUND");
}

async fn another_account_s_id_is_404<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut bob = server.logged_in("bob").await;
    let mut alice = server.logged_in("alice").await;
    let devices = list(&mut bob).await;
    alice.delete(&format!("/session/list/{}", id(&devices[0]))).await.expect_error(404, "NOT_FOUND");
    assert_eq!(bob.who().await, "bob");
}

async fn an_unknown_id_is_404<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    for unknown in ["x", "AAAAAAAAAAAAAAAAAAAAAA", "current"] {
        browser.delete(&format!("/session/list/{unknown}")).await.expect_error(404, "NOT_FOUND");
    }
}

async fn revoking_the_current_device_logs_out<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    let old = browser.cookie();
    let devices = list(&mut browser).await;
    let response = browser.delete(&format!("/session/list/{}", id(current(&devices)))).await.expect(204);
    assert!(response.header("set-cookie").is_some_and(|line| line.contains("Max-Age=0")), "{response}");
    assert!(browser.jar.is_empty());
    server.send(Request::get("/me").cookie(old)).await.expect_error(401, "SESSION_NOT_FOUND");
}

async fn revoke_others_keeps_the_current_one<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut others = [server.logged_in("alice").await, server.logged_in("alice").await];
    let mut bob = server.logged_in("bob").await;
    let mut browser = server.logged_in("alice").await;
    let response = browser.post("/session/revoke-others").await.expect(200).expect_no_cookie();
    assert_eq!(response.text(), r#"{"revoked":2}"#);
    for other in &mut others {
        other.get("/me").await.expect_error(401, "SESSION_NOT_FOUND");
    }
    assert_eq!((browser.who().await.as_str(), bob.who().await.as_str()), ("alice", "bob"));
    assert_eq!(browser.post("/session/revoke-others").await.text(), r#"{"revoked":0}"#);
}

async fn revoking_all_ends_the_current_one_too<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let others = [server.logged_in("alice").await, server.logged_in("alice").await];
    let mut bob = server.logged_in("bob").await;
    let mut browser = server.logged_in("alice").await;
    let own = browser.cookie();
    let response = browser.delete("/session/list").await.expect(200);
    assert_eq!(response.text(), r#"{"revoked":3}"#);
    assert_eq!(response.set_cookies(), [CLEARING]);
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert!(browser.jar.is_empty());
    for cookie in others.iter().map(Browser::cookie).chain([own]) {
        server.send(Request::get("/me").cookie(cookie)).await.expect_error(401, "SESSION_NOT_FOUND");
    }
    assert_eq!(bob.who().await, "bob");
    browser.delete("/session/list").await.expect_error(401, "SESSION_NOT_FOUND").expect_no_cookie();
}

const CLEARING: &str = "__Host-session=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax";

async fn revoking_all_claims_nothing_while_the_store_is_down<F: Framework>() {
    let (world, server) = World::with_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    world.store.inject(Fault::Fail);
    browser.delete("/session/list").await.expect_error(503, "STORE_UNAVAILABLE").expect_no_cookie();
    world.store.recover();
    assert_eq!(browser.who().await, "alice");
}

async fn a_guest_sees_only_itself<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    let mut other = server.logged_in("guest").await;
    let mut guest = server.logged_in("guest").await;
    assert_eq!(list(&mut guest).await.len(), 1);
    assert_eq!(guest.post("/session/revoke-others").await.expect(200).text(), r#"{"revoked":0}"#);
    let cookie = guest.cookie();
    assert_eq!(guest.delete("/session/list").await.expect(200).text(), r#"{"revoked":1}"#);
    server.send(Request::get("/session/list").cookie(cookie)).await.expect_error(401, "SESSION_NOT_FOUND");
    assert_eq!(list(&mut other).await.len(), 1);
}

async fn without_a_session_they_are_401<F: Framework>() {
    let (_world, server) = World::with_store::<F>().await;
    for request in all_four() {
        server.send(request).await.expect_error(401, "SESSION_NOT_FOUND").expect_no_cookie();
    }
}

async fn without_a_store_they_are_501<F: Framework>() {
    let (_world, server) = World::without_store::<F>().await;
    let mut browser = server.logged_in("alice").await;
    for request in all_four() {
        browser.send(request.clone()).await.expect_error(501, "STORE_REQUIRED");
        server.send(request).await.expect_error(501, "STORE_REQUIRED");
    }
}

fn all_four() -> [Request; 4] {
    [
        Request::get("/session/list"),
        Request::delete("/session/list"),
        Request::delete("/session/list/x"),
        Request::post("/session/revoke-others"),
    ]
}

async fn ending_others_can_need_a_recent_login<F: Framework>() {
    let world = World::new();
    let server = world.serve::<F>(world.tracked().fresh_for_revocation(Duration::from_secs(300))).await;
    let mut phone = server.logged_in("alice").await;
    let mut browser = server.logged_in("alice").await;
    let devices = list(&mut browser).await;
    let target = format!("/session/list/{}", id(other(&devices)));
    world.advance(300);
    browser.post("/session/revoke-others").await.expect_error(403, "REAUTHENTICATION_REQUIRED");
    browser.delete(&target).await.expect_error(403, "REAUTHENTICATION_REQUIRED");
    browser.delete("/session/list").await.expect_error(403, "REAUTHENTICATION_REQUIRED").expect_no_cookie();
    assert_eq!(phone.who().await, "alice");
    browser.post("/reauthenticate").await.expect(200);
    browser.delete(&target).await.expect(204);
    phone.get("/me").await.expect(401);
    assert_eq!(browser.delete("/session/list").await.expect(200).text(), r#"{"revoked":1}"#);
}

async fn a_guest_may_end_its_own_session_whatever_that_needs<F: Framework>() {
    let world = World::new();
    let server = world.serve::<F>(world.tracked().fresh_for_revocation(Duration::from_secs(300))).await;
    let mut guest = server.logged_in("guest").await;
    world.advance(300);
    assert_eq!(guest.post("/session/revoke-others").await.expect(200).text(), r#"{"revoked":0}"#);
    let devices = list(&mut guest).await;
    guest.delete("/session/list/x").await.expect_error(404, "NOT_FOUND");
    guest.delete(&format!("/session/list/{}", id(current(&devices)))).await.expect(204);
    assert!(guest.jar.is_empty());
}

async fn an_administrator_ends_one_session_of_an_account<F: Framework>(mode: Mode) {
    let world = World::new();
    let users = world.users(mode).build().unwrap();
    let app = App { users: users.clone(), admins: None, world: world.clone() };
    let server = F::serve(app).await;
    let mut phone = server.logged_in("alice").await;
    world.advance(1);
    let mut laptop = server.logged_in("alice").await;
    assert_eq!((phone.who().await.as_str(), laptop.who().await.as_str()), ("alice", "alice"));
    let devices = users.list_account("u-alice").await.unwrap();
    let own = list(&mut laptop).await;
    assert_eq!(
        devices.iter().map(|device| device.id.as_str()).collect::<Vec<_>>(),
        [id(&own[0]), id(&own[1])]
    );
    assert!(!users.revoke_session("u-bob", &devices[1].id).await.unwrap());
    assert!(users.revoke_session("u-alice", &devices[1].id).await.unwrap());
    phone.get("/me").await.expect_error(401, "SESSION_NOT_FOUND");
    assert_eq!(laptop.who().await, "alice");
}

//! Two kinds of user in one app.

use crate::harness::{Framework, World, on_each_framework};
use crate::wire::Request;

on_each_framework! {
    two_managers_work_side_by_side
    one_s_cookie_is_nothing_to_the_other
    both_cookies_can_be_set_and_cleared
    one_store_keeps_them_apart
}

async fn two_managers_work_side_by_side<F: Framework>() {
    let world = World::new();
    let server = world.serve_both::<F>().await;
    let mut browser = server.browser();
    assert_eq!(browser.get("/both").await.expect(200).text(), "nobody and nobody");
    browser.log_in("alice").await;
    assert_eq!(browser.get("/both").await.text(), "alice and nobody");
    browser.get("/admin/me").await.expect_error(401, "SESSION_NOT_FOUND");
    browser.post("/admin/login").await.expect(200);
    assert_eq!(browser.get("/both").await.text(), "alice and root");
    assert_eq!(browser.get("/admin/me").await.expect(200).text(), r#"{"adminId":"root"}"#);
    assert_eq!(browser.get("/me").await.expect(200).json()["name"], "alice");
}

async fn one_s_cookie_is_nothing_to_the_other<F: Framework>() {
    let world = World::new();
    let server = world.serve_both::<F>().await;
    let mut browser = server.browser();
    browser.post("/admin/login").await.expect(200);
    let token = browser.jar.get("__Host-admin").unwrap();
    let as_user = Request::get("/me").cookie(format!("__Host-session={token}"));
    server.send(as_user).await.expect_error(401, "JWT_INVALID");
    let user = server.logged_in("alice").await;
    let token = user.jar.get("__Host-session").unwrap();
    let as_admin = Request::get("/admin/me").cookie(format!("__Host-admin={token}"));
    server.send(as_admin).await.expect_error(401, "JWT_INVALID");
}

async fn both_cookies_can_be_set_and_cleared<F: Framework>() {
    let world = World::new();
    let server = world.serve_both::<F>().await;
    let mut browser = server.logged_in("alice").await;
    browser.post("/admin/login").await.expect(200);
    world.advance(24 * 3600 - 60);
    let response = browser.get("/both").await.expect(200);
    let names: Vec<_> = response.set_cookies().iter().filter_map(|line| line.split('=').next()).collect();
    assert!(
        names.len() == 2 && names.contains(&"__Host-session") && names.contains(&"__Host-admin"),
        "{response}"
    );
    assert_eq!(response.header("cache-control"), Some("no-store"));
    browser.post("/logout").await.expect(200);
    assert_eq!(browser.get("/both").await.text(), "nobody and root");
}

async fn one_store_keeps_them_apart<F: Framework>() {
    let world = World::new();
    let server = world.serve_both::<F>().await;
    let mut browser = server.logged_in("alice").await;
    browser.post("/admin/login").await.expect(200);
    assert_eq!(browser.get("/session/list").await.json().as_array().unwrap().len(), 1);
    assert_eq!(world.admins().revoke_everyone().await.unwrap(), 1);
    assert_eq!(browser.get("/both").await.text(), "alice and nobody");
}

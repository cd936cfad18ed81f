//! What people and programs get where there is nothing for them, and what the page tells whom.

use serde_json::json;

use super::Demo;
use crate::harness::{Fault, World};
use crate::wire::{Request, Response};

const HTML: &str = "text/html; charset=utf-8";

/// As a browser asks that does not say `Sec-Fetch-Mode`.
fn by_accept(target: &str) -> Request {
    Request::get(target).header("Accept", "text/html,application/xhtml+xml;q=0.9")
}

async fn log_in(demo: &Demo, framework: u16, username: &str, password: &str) -> String {
    let body = json!({ "username": username, "password": password }).to_string();
    let login = Request::post("/login").header("Content-Type", "application/json").body(body);
    let response = demo.send(framework, login).await.expect(200);
    response.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

#[track_caller]
fn is_page(response: &Response, framework: u16, status: u16) {
    assert_eq!(response.status, status, "{response}");
    assert_eq!(response.header("content-type"), Some(HTML), "{response}");
    assert!(response.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert!(response.text().contains(&format!(r#"id="status">{status}</p>"#)), "{response}");
    let name = ["axum", "actix-web", "Rocket"][usize::from(framework)];
    assert!(response.text().contains(&format!(r#"<strong id="framework">{name}</strong>"#)), "{response}");
    assert!(response.text().contains(r#"href="/">Back"#), "{response}");
}

#[tokio::test]
async fn an_address_that_is_not_there_is_a_page_for_people_and_json_for_programs() {
    let demo = Demo::in_memory().await;
    for framework in 0..3 {
        for target in ["/nothing", "/nothing?next=//evil", "/assets/nothing"] {
            for request in [Request::get(target).navigation(), by_accept(target)] {
                let response = demo.send(framework, request).await;
                is_page(&response, framework, 404);
                assert!(!response.text().contains("nothing?"), "{response}");
            }
            demo.send(framework, Request::get(target)).await.expect_error(404, "NOT_FOUND");
            let fetch = by_accept(target).header("Sec-Fetch-Mode", "cors");
            demo.send(framework, fetch).await.expect_error(404, "NOT_FOUND");
        }
        demo.send(framework, Request::post("/nothing").navigation()).await.expect_error(404, "NOT_FOUND");
        let login = demo.send(framework, Request::get("/login").navigation()).await;
        is_page(&login, framework, 405);
        assert_eq!(login.header("allow"), Some("POST"));
        demo.send(framework, Request::get("/login")).await.expect_error(405, "METHOD_NOT_ALLOWED");
    }
}

#[tokio::test]
async fn what_is_for_admins_is_a_page_for_other_people_and_json_for_programs() {
    let demo = Demo::in_memory().await;
    for framework in 0..3 {
        let bob = log_in(&demo, framework, "bob", "builder").await;
        let alice = log_in(&demo, framework, "alice", "wonderland").await;
        for request in [Request::get("/api/admin").navigation(), by_accept("/api/admin")] {
            is_page(&demo.send(framework, request.clone().cookie(&bob)).await, framework, 403);
            let nobody = demo.send(framework, request.clone()).await.expect(303);
            assert_eq!(nobody.header("location"), Some("/?next=/api/admin"));
            let admin = demo.send(framework, request.cookie(&alice)).await.expect(200).json();
            assert_eq!(admin["username"], "alice");
        }
        let program = demo.send(framework, Request::get("/api/admin").cookie(&bob)).await;
        program.expect_error(403, "FORBIDDEN");
        demo.send(framework, Request::get("/api/admin")).await.expect_error(401, "SESSION_NOT_FOUND");
    }
}

#[tokio::test]
async fn an_outage_is_a_page_for_people_and_json_for_programs() {
    let world = World::new();
    let demo = Demo::of(&world).await;
    for framework in 0..3 {
        let cookie = demo.log_in_elsewhere(framework).await;
        world.store.inject(Fault::Fail);
        for target in ["/", "/api/admin"] {
            let person = demo.send(framework, Request::get(target).navigation().cookie(&cookie)).await;
            is_page(&person, framework, 503);
            assert_eq!(person.header("retry-after"), Some("1"));
            let program = demo.send(framework, Request::get(target).cookie(&cookie)).await;
            program.expect_error(503, "STORE_UNAVAILABLE").expect_no_cookie();
        }
        world.store.recover();
    }
}

/// A stranger with an old cookie sees what anybody sees: not whether it was a session, nor how that ended.
#[tokio::test]
async fn an_old_cookie_learns_nothing_from_the_page() {
    let demo = Demo::in_memory().await;
    for framework in 0..3 {
        let page = |cookie: Option<String>| {
            let request = Request::get("/").navigation();
            demo.send(framework, cookie.into_iter().fold(request, |request, cookie| request.cookie(cookie)))
        };
        let revoked = demo.log_in_elsewhere(framework).await;
        let owner = demo.log_in_elsewhere(framework).await;
        demo.revoke_another(framework, &owner).await;
        demo.send(framework, Request::delete("/session").cookie(&owner)).await.expect(204);
        let anybody = page(None).await.expect(200);
        for cookie in [revoked, owner] {
            let answer = page(Some(cookie)).await;
            assert_eq!((answer.status, answer.text()), (200, anybody.text()));
            assert_eq!(names(&answer), names(&anybody));
        }
    }
}

fn names(response: &Response) -> Vec<&str> {
    let mut names: Vec<&str> = response.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
}

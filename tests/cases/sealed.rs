//! Sealed cookies: what a browser holds tells nothing, and a hostile one yields nothing, by the same answer as any.

use std::sync::{Arc, Mutex};

use session_core::{SessionEvent, TokenForm};

use super::security::expect_nothing;
use crate::harness::{Framework, World, on_each_framework};
use crate::wire::{Request, Transcript};

on_each_framework! {
    a_hostile_sealed_cookie_yields_nothing_on_any_route
    a_hostile_cookie_is_answered_as_a_hostile_signed_one
    what_the_browser_holds_shows_nothing_of_the_user
    moving_the_form_logs_nobody_out
}

fn flipped(text: &str) -> String {
    let first = if text.starts_with('A') { "B" } else { "A" };
    format!("{first}{}", &text[1..])
}

async fn a_hostile_sealed_cookie_yields_nothing_on_any_route<F: Framework>() {
    let world = World::new();
    let server = world.serve::<F>(world.stateless().token_form(TokenForm::Sealed)).await;
    let cookie = server.logged_in("alice").await.cookie();
    let token = cookie.split_once('=').unwrap().1;
    let [header, "", nonce, content, tag] = *token.split('.').collect::<Vec<_>>() else { panic!("{token}") };
    let compressed = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwiemlwIjoiREVGIn0";
    let others = world.stateless().token_form(TokenForm::Sealed).realm("others");
    let theirs = world.serve::<F>(others).await.logged_in("alice").await.cookie();
    let theirs = theirs.split_once('=').unwrap().1.to_owned();
    for bad in [
        format!("{}..{nonce}.{content}.{tag}", flipped(header)),
        format!("{header}..{}.{content}.{tag}", flipped(nonce)),
        format!("{header}..{nonce}.{}.{tag}", flipped(content)),
        format!("{header}..{nonce}.{content}.{}", flipped(tag)),
        format!("{header}.AAAA.{nonce}.{content}.{tag}"),
        format!("{header}..{nonce}.{content}.{}", &tag[..16]),
        format!("{header}..{nonce}.{content}."),
        format!("{header}..{nonce}.{content}"),
        format!("{header}..{nonce}.{content}.{tag}.{tag}"),
        format!("{header}.{content}.{tag}"),
        format!("{compressed}..{nonce}.{content}.{tag}"),
        "....".to_owned(),
        theirs,
    ] {
        expect_nothing(&server, &format!("__Host-session={bad}")).await;
    }
    server.send(Request::get("/me").cookie(&cookie)).await.expect(200);
    world.advance(24 * 3600);
    expect_nothing(&server, &cookie).await;
}

/// Byte for byte, and by the same event: nothing tells why it does not open, nor that it would be sealed.
async fn a_hostile_cookie_is_answered_as_a_hostile_signed_one<F: Framework>() {
    let mut answers = Vec::new();
    for form in [TokenForm::Typed, TokenForm::Sealed] {
        let world = World::new();
        let events = Arc::new(Mutex::new(Vec::new()));
        let trail = Arc::clone(&events);
        let observer = move |event: &SessionEvent| {
            let told = (event.kind, event.reason, event.subject.clone(), event.session.clone());
            trail.lock().unwrap().push(told);
        };
        let server = world.serve::<F>(world.stateless().token_form(form).observer(observer)).await;
        let cookie = server.logged_in("alice").await.cookie();
        events.lock().unwrap().clear();
        let mut transcript = Transcript::default();
        let damaged = format!("{}{}", &cookie[..cookie.len() - 4], flipped(&cookie[cookie.len() - 4..]));
        for (method, path) in
            [("GET", "/me"), ("GET", "/session"), ("POST", "/visits"), ("POST", "/session/refresh")]
        {
            let request = Request::new(method, path).cookie(&damaged);
            let answer = server.try_send(&request).await;
            transcript.exchange(&request, &answer);
        }
        let events = events.lock().unwrap().clone();
        answers.push((transcript.text().to_owned(), format!("{events:?}")));
    }
    assert_eq!(answers[0], answers[1]);
    assert!(answers[0].0.contains("JWT_INVALID"), "{}", answers[0].0);
}

async fn what_the_browser_holds_shows_nothing_of_the_user<F: Framework>() {
    let world = World::new();
    let server = world.serve::<F>(world.stateless().token_form(TokenForm::Sealed)).await;
    let cookie = server.logged_in("alice").await.cookie();
    let read = |part: &str| base64_simd::URL_SAFE_NO_PAD.decode_to_vec(part).unwrap_or_default();
    let token = cookie.split_once('=').unwrap().1;
    let text: String =
        token.split('.').map(|part| String::from_utf8_lossy(&read(part)).into_owned()).collect();
    assert!(text.starts_with(r#"{"alg":"dir","enc":"A256GCM","typ":"session+jwe","kid":""#), "{text}");
    for told in ["alice", "userId", "exp", "sid", "__Host-session"] {
        assert!(!text.contains(told), "{told}");
    }
}

/// A service that moves, one node after the other, and back.
async fn moving_the_form_logs_nobody_out<F: Framework>() {
    let world = World::new();
    let typed = world.serve::<F>(world.stateless()).await;
    let sealed = world.serve::<F>(world.stateless().token_form(TokenForm::Sealed)).await;
    let mut browser = typed.logged_in("alice").await;
    for (node, parts) in [(&sealed, 5), (&typed, 3), (&sealed, 5)] {
        world.advance(3600);
        for path in ["/session/refresh", "/visits"] {
            browser.server = node.address;
            let response = browser.post(path).await.expect(200);
            assert_eq!(response.cookie_value().split('.').count(), parts);
        }
        for node in [&typed, &sealed] {
            browser.server = node.address;
            assert_eq!(browser.who().await, "alice");
        }
    }
}

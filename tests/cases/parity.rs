//! One script on all three frameworks: the transcripts are equal, byte for byte, and equal to a snapshot that somebody
//! has read.
//!
//! After a change that is meant: `UPDATE_SNAPSHOTS=1 cargo test -p session-tests parity`, then read the diff.

use std::path::PathBuf;

use session_core::TokenForm;

use crate::harness::{Actix, Axum, Browser, Fault, Framework, Rocket, World};
use crate::wire::{Request, Response, Transcript};

/// A browser whose exchanges are written down.
struct Script {
    transcript: Transcript,
    steps: usize,
    shielded: bool,
}

impl Script {
    async fn step(&mut self, title: &str, browser: &mut Browser, request: Request) {
        let request = browser.jar.attach(request);
        let mut answer = browser.try_send(request.clone()).await;
        if let (true, Ok(response)) = (self.shielded, &mut answer) {
            without_shield(&request, response);
        }
        self.steps += 1;
        self.transcript.step(&format!("{}. {title}", self.steps));
        self.transcript.exchange(&request, &answer);
    }
}

/// Takes off what the framework adds by itself, of responses that are the application's and not ours.
fn without_shield(request: &Request, response: &mut Response) {
    let is_json = response.header("content-type") == Some("application/json");
    let ours = is_json && (request.path().contains("/session") || response.text().starts_with("{\"code\":"));
    if !ours {
        response.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("x-content-type-options"));
    }
}

fn snapshot() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cases/parity.txt")
}

async fn tracked<F: Framework>(script: &mut Script, records: bool) {
    let world = World::new();
    let users = world.tracked().seal_records(records).login_page("/login").bearer(true);
    let server = world.serve::<F>(users).await;
    let (mut alice, mut phone, mut bob) = (server.browser(), server.browser(), server.browser());
    let login = |name: &str| Request::post("/login").body(format!("name={name}"));

    script.step("a visitor is nobody", &mut alice, Request::get("/maybe")).await;
    script.step("and has no status", &mut alice, Request::get("/session")).await;
    script.step("a guard refuses", &mut alice, Request::get("/me")).await;
    script.step("a navigation goes to log in", &mut alice, Request::get("/page?tab=1").navigation()).await;
    script
        .step("nested, too", &mut alice, Request::get("/nested/inner/me").header("Accept", "text/html"))
        .await;
    script.step("a route that ignores the session", &mut alice, Request::get("/open")).await;
    script.step("log in", &mut alice, login("alice").header("User-Agent", "Laptop")).await;
    script.step("who am I", &mut alice, Request::get("/me")).await;
    script.step("the page", &mut alice, Request::get("/page").navigation()).await;
    script.step("nested", &mut alice, Request::get("/nested/inner/me")).await;
    script.step("count", &mut alice, Request::post("/visits")).await;
    script.step("a handler's own caching", &mut alice, Request::get("/cached")).await;
    script.step("an application's error", &mut alice, Request::get("/error")).await;
    script.step("a stream", &mut alice, Request::get("/stream")).await;
    world.advance(60);
    script.step("status", &mut alice, Request::get("/session")).await;
    script.step("refresh", &mut alice, Request::post("/session/refresh")).await;
    script.step("refresh again at once", &mut alice, Request::post("/session/refresh")).await;
    script.step("a use", &mut alice, Request::post("/session")).await;
    script.step("a second device", &mut phone, login("alice").header("User-Agent", "Phone\tx")).await;
    script.step("devices", &mut alice, Request::get("/session/list")).await;
    script.step("somebody else", &mut bob, login("bob")).await;
    script.step("is no vip", &mut bob, Request::get("/vip")).await;
    script.step("has one device", &mut bob, Request::get("/session/list/")).await;
    script
        .step(
            "cannot revoke what is not his",
            &mut bob,
            Request::delete("/session/list/AAAAAAAAAAAAAAAAAAAAAA"),
        )
        .await;
    script.step("end the others", &mut alice, Request::post("/session/revoke-others")).await;
    script.step("the second device is out", &mut phone, Request::get("/me")).await;
    script.step("log out where nobody is logged in", &mut phone, Request::delete("/session")).await;
    world.advance(300);
    script.step("the login is old", &mut alice, Request::get("/fresh")).await;
    script.step("prove it again", &mut alice, Request::post("/reauthenticate")).await;
    script.step("the login is new", &mut alice, Request::get("/fresh")).await;
    let cross = |request: Request| {
        request.header("Sec-Fetch-Site", "cross-site").header("Origin", "https://evil.example")
    };
    script.step("from another origin", &mut alice, cross(Request::post("/visits"))).await;
    script.step("log in from another origin", &mut phone, cross(login("eve"))).await;
    script.step("read from another origin", &mut alice, cross(Request::get("/me"))).await;
    let handshake = Request::get("/ws").header("Connection", "Upgrade").header("Upgrade", "websocket");
    script
        .step(
            "a socket from another origin",
            &mut alice,
            handshake.clone().header("Origin", "https://evil.example"),
        )
        .await;
    script.step("a socket from here", &mut alice, handshake).await;
    script.step("no such route", &mut alice, Request::get("/session/nothing")).await;
    script.step("no such method", &mut alice, Request::post("/session/list")).await;
    script.step("options", &mut alice, Request::new("OPTIONS", "/session")).await;
    script.step("head", &mut alice, Request::head("/session")).await;
    script.step("a bad token", &mut phone, Request::get("/me").cookie("__Host-session=a.b.c")).await;
    script.step("a bad bearer", &mut alice, Request::get("/me").bearer("a.b.c")).await;
    world.store.inject(Fault::Fail);
    script.step("the store is down", &mut alice, Request::get("/me")).await;
    script.step("status then", &mut alice, Request::get("/session")).await;
    script.step("log in then", &mut phone, login("alice")).await;
    script.step("log out then", &mut alice, Request::post("/logout")).await;
    script.step("what ignores the session then", &mut alice, Request::get("/open")).await;
    world.store.recover();
    script.step("the store is back", &mut alice, Request::get("/me")).await;
    let mut dave = server.browser();
    script.step("one more", &mut dave, login("dave")).await;
    world.advance(24 * 3600 - 60);
    script.step("near the end", &mut alice, Request::get("/session")).await;
    script.step("a use refreshes", &mut alice, Request::get("/maybe")).await;
    script.step("also with an error", &mut dave, Request::get("/error")).await;
    script.step("log in and fail", &mut phone, Request::post("/login-then-error").body("name=carol")).await;
    script.step("the login stands", &mut phone, Request::get("/me")).await;
    script.step("log out", &mut alice, Request::post("/logout")).await;
    script.step("nobody again", &mut alice, Request::get("/session")).await;
    script.step("no use", &mut alice, Request::post("/session")).await;
    world.advance(24 * 3600 - 20);
    script.step("a refresh at the end", &mut phone, Request::post("/session/refresh")).await;
    script.step("a second device again", &mut bob, login("carol")).await;
    world.advance(24 * 3600 - 20);
    script.step("and at the next end", &mut phone, Request::post("/session/refresh")).await;
    script.step("log out everywhere", &mut phone, Request::delete("/session/list")).await;
    script.step("is everywhere", &mut bob, Request::get("/me")).await;
}

async fn stateless<F: Framework>(script: &mut Script, form: TokenForm) {
    let world = World::new();
    let server = world.serve::<F>(world.stateless().token_form(form)).await;
    let mut alice = server.browser();
    script.step("without a store: log in", &mut alice, Request::post("/login").body("name=alice")).await;
    script.step("count", &mut alice, Request::post("/visits")).await;
    script.step("too much", &mut alice, Request::post("/update-big")).await;
    script.step("status", &mut alice, Request::get("/session")).await;
    script.step("no list", &mut alice, Request::get("/session/list")).await;
    script.step("no revocation", &mut alice, Request::post("/session/revoke-others")).await;
    script.step("of nobody", &mut alice, Request::delete("/session/list")).await;
    world.advance(3600);
    script.step("refresh", &mut alice, Request::post("/session/refresh")).await;
    script.step("log out", &mut alice, Request::delete("/session")).await;
    script.step("nobody", &mut alice, Request::get("/me")).await;
}

async fn two_managers<F: Framework>(script: &mut Script) {
    let world = World::new();
    let server = world.serve_both::<F>().await;
    let mut alice = server.browser();
    script.step("two managers: a user", &mut alice, Request::post("/login").body("name=alice")).await;
    script.step("and an administrator", &mut alice, Request::post("/admin/login")).await;
    script.step("both", &mut alice, Request::get("/both")).await;
}

async fn transcript<F: Framework>() -> (String, usize) {
    let mut script = Script { transcript: Transcript::default(), steps: 0, shielded: F::SHIELDED };
    tracked::<F>(&mut script, false).await;
    stateless::<F>(&mut script, TokenForm::Typed).await;
    two_managers::<F>(&mut script).await;
    (script.transcript.text().to_owned(), script.steps)
}

/// The same script with what can be sealed, sealed or not.
async fn transcript_of<F: Framework>(sealed: bool) -> String {
    let mut script = Script { transcript: Transcript::default(), steps: 0, shielded: F::SHIELDED };
    tracked::<F>(&mut script, sealed).await;
    stateless::<F>(&mut script, if sealed { TokenForm::Sealed } else { TokenForm::Typed }).await;
    script.transcript.text().to_owned()
}

/// Fails at the first line that differs, with what led to it.
#[track_caller]
fn assert_same(left: (&str, &str), right: (&str, &str)) {
    let (mut a, mut b) = (left.1.lines(), right.1.lines());
    let mut heading = "";
    loop {
        match (a.next(), b.next()) {
            (None, None) => return,
            (x, y) if x == y => heading = x.filter(|line| line.starts_with("## ")).unwrap_or(heading),
            (x, y) => panic!("in \"{heading}\"\n{}: {:?}\n{}: {:?}", left.0, x, right.0, y),
        }
    }
}

#[tokio::test]
async fn transcripts_are_identical() {
    let (axum, steps) = transcript::<Axum>().await;
    assert!(steps >= 40, "only {steps} steps");
    assert_same((Axum::NAME, &axum), (Actix::NAME, &transcript::<Actix>().await.0));
    assert_same((Axum::NAME, &axum), (Rocket::NAME, &transcript::<Rocket>().await.0));
}

#[tokio::test]
async fn sealed_tokens_and_records_answer_as_others_do() {
    async fn on<F: Framework>() {
        let [typed, sealed] = [transcript_of::<F>(false).await, transcript_of::<F>(true).await];
        assert_same(("typed", &typed), ("sealed", &sealed));
    }
    on::<Axum>().await;
    on::<Actix>().await;
    on::<Rocket>().await;
}

#[tokio::test]
async fn the_transcript_is_the_reviewed_one() {
    let (axum, _) = transcript::<Axum>().await;
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some_and(|value| value == "1") {
        std::fs::write(snapshot(), &axum).unwrap();
    }
    let reviewed = std::fs::read_to_string(snapshot()).expect("the snapshot");
    assert_same(("reviewed", &reviewed), (Axum::NAME, &axum));
}

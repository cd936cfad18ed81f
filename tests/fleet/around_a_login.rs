//! What comes before and around a login holds on all nodes, and what was acknowledged of it outlives the store's process.

use std::fmt::Display;
use std::time::Instant;

use session_core::testing::TestRequest;
use session_core::{Attempt, ErrorKind, SessionManager};

use super::backend::on_each_backend;
use super::fleet::{Fleet, PATIENT};
use crate::harness::{Browser, User};
use crate::wire::{Request, Response};

on_each_backend! {
    half_a_login_on_one_is_half_a_login_on_all_and_completed_on_any
    who_looks_as_another_one_does_so_on_all_nodes_and_comes_back_on_any
    a_login_that_goes_with_the_browser_does_so_on_all_nodes
    a_login_that_began_on_one_is_overtaken_by_a_revocation_on_another
}

async fn act(fleet: &Fleet, browser: &mut Browser, node: usize, what: &str) -> Response {
    fleet.visit(browser, node).send(Request::post("/act").body(what)).await
}

async fn half_a_login_on_one_is_half_a_login_on_all_and_completed_on_any(fleet: &Fleet) {
    let mut browser = fleet.browser();
    act(fleet, &mut browser, 0, "first factor").await.expect(200);
    for node in 0..3 {
        fleet.visit(&mut browser, node).get("/pending").await.expect(200);
        fleet.visit(&mut browser, node).get("/me").await.expect_error(401, "LOGIN_INCOMPLETE");
    }
    act(fleet, &mut browser, 1, "second factor").await.expect(200);
    for node in 0..3 {
        let status = fleet.visit(&mut browser, node).get("/session").await.expect(200).json();
        assert_eq!(status["methods"], serde_json::json!(["pwd", "otp"]));
    }
}

async fn who_looks_as_another_one_does_so_on_all_nodes_and_comes_back_on_any(fleet: &Fleet) {
    for home in 0..3 {
        let name = format!("staff-{home}");
        let mut browser = fleet.logged_in(&name, home).await;
        act(fleet, &mut browser, home + 1, "look as bob").await.expect(200);
        for node in 0..3 {
            assert_eq!(fleet.visit(&mut browser, node).who().await, "bob");
            fleet.visit(&mut browser, node).get("/myself").await.expect_error(403, "FORBIDDEN");
        }
        let back = act(fleet, &mut browser, home + 2, "back").await.expect(200);
        assert_eq!(back.text(), "restored");
        assert_eq!(fleet.visit(&mut browser, home).who().await, name);
    }
}

async fn a_login_that_goes_with_the_browser_does_so_on_all_nodes(fleet: &Fleet) {
    let mut browser = fleet.browser();
    let login = act(fleet, &mut browser, 0, "log in for now").await.expect(200);
    assert!(!login.set_cookies()[0].contains("Max-Age"), "{login}");
    for node in 0..3 {
        let again = fleet.visit(&mut browser, node).post("/reauthenticate").await.expect(200);
        assert!(!again.set_cookies()[0].contains("Max-Age"), "{again}");
    }
}

async fn a_login_that_began_on_one_is_overtaken_by_a_revocation_on_another(fleet: &Fleet) {
    // This process is a node of its own.
    let (sessions, _clock) = fleet.member().await;
    let mut own = fleet.logged_in("owner-of-a-password", 0).await;
    for node in 0..3 {
        let stolen = sessions.attempt("u-owner-of-a-password").await.unwrap();
        let other = sessions.attempt("u-somebody-else").await.unwrap();
        fleet.visit(&mut own, node).post("/session/revoke-others").await.expect(200);
        assert_eq!(log_in(&sessions, "owner-of-a-password", stolen).await, Some(ErrorKind::LoginOvertaken));
        assert_eq!(log_in(&sessions, "somebody-else", other).await, None);
        fleet.visit(&mut own, node + 1).get("/me").await.expect(200);
    }
    assert_eq!(fleet.records_of("owner-of-a-password").await.len(), 1);
}

async fn log_in(sessions: &SessionManager<User>, name: &str, attempt: Attempt) -> Option<ErrorKind> {
    let request = TestRequest::new("POST", "/login");
    let login = sessions.create_session(User::named(name), &request).verified(attempt).await;
    login.err().map(|error| error.kind())
}

/// What was acknowledged before the store's process dies: a revocation, and who acts as whom.
pub(super) struct Acknowledged {
    sessions: SessionManager<User>,
    stolen: Attempt,
    looking: Browser,
}

impl Acknowledged {
    pub(super) async fn by(fleet: &Fleet) -> Self {
        let (sessions, _clock) = fleet.member().await;
        let stolen = sessions.attempt("u-owner").await.unwrap();
        sessions.revoke_account("u-owner").await.unwrap();
        let mut looking = fleet.logged_in("staff", 0).await;
        act(fleet, &mut looking, 1, "look as bob").await.expect(200);
        Self { sessions, stolen, looking }
    }

    pub(super) async fn holds(mut self, fleet: &Fleet) {
        let patience = Patience::new();
        let refused = loop {
            let refused = log_in(&self.sessions, "owner", self.stolen.clone()).await;
            if refused != Some(ErrorKind::StoreUnavailable) {
                break refused;
            }
            patience.ask_again("a login").await;
        };
        assert_eq!(refused, Some(ErrorKind::LoginOvertaken));
        assert_eq!(self.once_served(fleet, 2, || Request::get("/maybe")).await.expect(200).text(), "bob");
        self.once_served(fleet, 2, || Request::get("/myself")).await.expect_error(403, "FORBIDDEN");
        let back = self.once_served(fleet, 0, || Request::post("/act").body("back")).await;
        assert_eq!(back.expect(200).text(), "restored");
        assert_eq!(self.once_served(fleet, 0, || Request::get("/maybe")).await.expect(200).text(), "staff");
    }

    async fn once_served(&mut self, fleet: &Fleet, node: usize, request: impl Fn() -> Request) -> Response {
        let patience = Patience::new();
        loop {
            let answer = fleet.visit(&mut self.looking, node).send(request()).await;
            if answer.status != 503 {
                return answer;
            }
            patience.ask_again(&answer).await;
        }
    }
}

/// After the fleet has found the store again, a connection of one of its processes may have it to do yet, when it is used.
struct Patience(Instant);

impl Patience {
    fn new() -> Self {
        Self(Instant::now())
    }

    async fn ask_again(&self, unanswered: impl Display) {
        assert!(self.0.elapsed() < PATIENT, "for too long the store did not answer: {unanswered}");
        tokio::task::yield_now().await;
    }
}

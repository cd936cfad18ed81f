//! A whole login with an OpenID provider (`oidc-provider` from npm) on each framework: the code flow with PKCE and a nonce,
//! answered by a redirect or by a form (`response_mode=form_post`). Needs `node` and `npm`; what is left out without them is
//! said, and fails where everything is required. Chromium does the same in `browser`.

mod provider;
mod visitor;

use serde_json::json;

use crate::harness::{Framework, Mode, on_each_framework};
use visitor::Site;
pub(crate) use visitor::client;

on_each_framework! {
    a_code_becomes_a_login(stateless tracked)
    a_posted_code_becomes_a_login(stateless tracked)
    the_login_is_as_old_as_the_provider_says(stateless tracked)
    a_flow_leaves_no_cookie(stateless tracked)
    a_state_that_is_guessed_or_stolen_is_refused(stateless tracked)
    an_answer_that_comes_twice_is_refused(stateless tracked)
    an_answer_that_comes_twice_leads_to_the_login_page(stateless tracked)
    a_code_with_the_state_of_another_tab_is_refused(stateless tracked)
    a_token_with_another_nonce_is_refused(stateless tracked)
    an_answer_of_another_provider_is_refused(stateless tracked)
    whoever_gives_up_there_is_nobody_here(stateless tracked)
    two_tabs_log_in_at_once(stateless tracked)
}

const POSTED: &str = "response_mode=form_post&next=/me";
const ALICE: &str = "name=alice";

async fn a_code_becomes_a_login<F: Framework>(mode: Mode) {
    let Some(site) = Site::open::<F>(mode).await else { return };
    let mut visitor = site.visitor();
    let back = visitor.log_in("next=/me", ALICE).await.expect(303);
    assert_eq!(back.header("location"), Some("/me"));
    assert_eq!(visitor.here.who().await, "alice");
}

async fn a_posted_code_becomes_a_login<F: Framework>(mode: Mode) {
    let Some(site) = Site::open::<F>(mode).await else { return };
    let mut visitor = site.visitor();
    let back = visitor.log_in(POSTED, ALICE).await.expect(303);
    assert_eq!(back.header("location"), Some("/me"));
    assert_eq!(visitor.here.who().await, "alice");
}

async fn the_login_is_as_old_as_the_provider_says<F: Framework>(mode: Mode) {
    let Some(site) = Site::open::<F>(mode).await else { return };
    let mut visitor = site.visitor();
    visitor.log_in("", "name=alice&age=600").await.expect(303);
    let status = visitor.here.get("/session").await.expect(200).json();
    assert_eq!(status["methods"], json!(["pwd", "otp"]), "the provider's amr");
    visitor.here.get("/fresh").await.expect_error(403, "REAUTHENTICATION_REQUIRED");
}

async fn a_flow_leaves_no_cookie<F: Framework>(mode: Mode) {
    for query in ["", POSTED] {
        let Some(site) = Site::open::<F>(mode).await else { return };
        let mut visitor = site.visitor();
        visitor.log_in(query, ALICE).await.expect(303);
        let cookies = visitor.here.cookie();
        assert!(cookies.starts_with("__Host-session=") && !cookies.contains(';'), "{cookies}");
    }
}

async fn a_state_that_is_guessed_or_stolen_is_refused<F: Framework>(mode: Mode) {
    for query in ["", POSTED] {
        let Some(site) = Site::open::<F>(mode).await else { return };
        let (mut visitor, mut thief) = (site.visitor(), site.visitor());
        let address = visitor.begin(query).await;
        let answer = visitor.answer(&address, ALICE).await;
        for state in ["", "guessed", "AAAAAAAAAAAAAAAAAAAAAA"] {
            visitor.come_back(&answer.with("state", state)).await.expect_error(400, "FLOW_NOT_FOUND");
        }
        // Neither takes the thief anything, nor does it end the flow.
        thief.begin(query).await;
        thief.come_back(&answer).await.expect_error(400, "FLOW_NOT_FOUND");
        visitor.come_back(&answer).await.expect(303);
        assert_eq!((visitor.here.who().await, thief.here.who().await), ("alice".into(), "nobody".into()));
    }
}

async fn an_answer_that_comes_twice_is_refused<F: Framework>(mode: Mode) {
    for query in ["", POSTED] {
        let Some(site) = Site::open::<F>(mode).await else { return };
        let mut visitor = site.visitor();
        let address = visitor.begin(query).await;
        let copy = visitor.here.clone();
        let answer = visitor.answer(&address, ALICE).await;
        visitor.come_back(&answer).await.expect(303);
        visitor.come_back(&answer).await.expect_error(400, "FLOW_NOT_FOUND");
        // With the cookies of before, too.
        visitor.here = copy;
        visitor.come_back(&answer).await.expect_error(400, "FLOW_NOT_FOUND");
        assert_eq!(visitor.here.who().await, "nobody");
    }
}

async fn an_answer_that_comes_twice_leads_to_the_login_page<F: Framework>(mode: Mode) {
    let Some(site) = Site::open_with::<F>(mode, |users| users.login_page("/open")).await else { return };
    let mut visitor = site.visitor();
    let address = visitor.begin("").await;
    let answer = visitor.answer(&address, ALICE).await;
    visitor.come_back(&answer).await.expect(303);
    let again = visitor.come_back(&answer).await.expect(303);
    assert!(again.header("location").unwrap().starts_with("/open"), "{again}");
    visitor.come_back(&answer).await.expect_error(400, "FLOW_NOT_FOUND");
    assert_eq!(visitor.here.who().await, "alice");
}

async fn a_code_with_the_state_of_another_tab_is_refused<F: Framework>(mode: Mode) {
    let Some(site) = Site::open::<F>(mode).await else { return };
    let mut visitor = site.visitor();
    let (one, other) = (visitor.begin("").await, visitor.begin("").await);
    let (one, other) = (visitor.answer(&one, ALICE).await, visitor.answer(&other, ALICE).await);
    // The provider looks at the verifier (PKCE).
    let swapped = one.with("state", other.get("state"));
    visitor.come_back(&swapped).await.expect_error(403, "FORBIDDEN");
    assert_eq!(visitor.here.who().await, "nobody");
}

async fn a_token_with_another_nonce_is_refused<F: Framework>(mode: Mode) {
    for query in ["", POSTED] {
        let Some(site) = Site::open::<F>(mode).await else { return };
        let mut visitor = site.visitor();
        let address = visitor.begin(query).await.replace("&nonce=", "&nonce=another");
        let answer = visitor.answer(&address, ALICE).await;
        visitor.come_back(&answer).await.expect_error(403, "FORBIDDEN");
        assert_eq!(visitor.here.who().await, "nobody");
    }
}

async fn an_answer_of_another_provider_is_refused<F: Framework>(mode: Mode) {
    let Some(site) = Site::open::<F>(mode).await else { return };
    let mut visitor = site.visitor();
    let address = visitor.begin("").await;
    let answer = visitor.answer(&address, ALICE).await.with("iss", "https://other.example");
    visitor.come_back(&answer).await.expect_error(403, "FORBIDDEN");
    assert_eq!(visitor.here.who().await, "nobody");
}

async fn whoever_gives_up_there_is_nobody_here<F: Framework>(mode: Mode) {
    for query in ["", POSTED] {
        let Some(site) = Site::open::<F>(mode).await else { return };
        let mut visitor = site.visitor();
        let address = visitor.begin(query).await;
        let answer = visitor.answer(&address, "name=").await;
        assert_eq!(answer.get("error"), "access_denied");
        visitor.come_back(&answer).await.expect_error(403, "FORBIDDEN");
        assert_eq!(visitor.here.who().await, "nobody");
        visitor.come_back(&answer).await.expect_error(400, "FLOW_NOT_FOUND");
    }
}

async fn two_tabs_log_in_at_once<F: Framework>(mode: Mode) {
    let Some(site) = Site::open::<F>(mode).await else { return };
    let mut visitor = site.visitor();
    let one = visitor.begin("next=/one").await;
    let other = visitor.begin("response_mode=form_post&next=/other").await;
    let other = visitor.answer(&other, ALICE).await;
    let one = visitor.answer(&one, ALICE).await;
    for (answer, next) in [(one, "/one"), (other, "/other")] {
        let back = visitor.come_back(&answer).await.expect(303);
        assert_eq!(back.header("location"), Some(next));
    }
    assert_eq!(visitor.here.who().await, "alice");
}

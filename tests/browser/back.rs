//! After a logout, Back shows nobody's page: neither from the browser's cache nor from pages that it keeps alive
//! (the back/forward cache).

use super::Chromium;
use crate::harness::{Actix, Axum, Framework, Rocket, Server, World};

const TEXT: &str = "document.body.innerText";

struct Visit {
    browser: Chromium,
    server: Server,
    _world: World,
}

impl Visit {
    /// Alice is logged in.
    async fn begin<F: Framework>() -> Option<Self> {
        let browser = Chromium::start().await?;
        let (world, server) = World::with_store::<F>().await;
        let visit = Self { browser, server, _world: world };
        visit.go("/open").await;
        visit.post("/login", "name=alice").await;
        Some(visit)
    }

    async fn go(&self, path: &str) {
        self.browser.go(&format!("http://localhost:{}{path}", self.server.address.port())).await;
    }

    async fn post(&self, path: &str, body: &str) {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             fetch('{path}', {{method: 'POST', body: '{body}'}}).then(answer => done(answer.status));"
        );
        let status = self.browser.page.execute_async(&script, Vec::new()).await.unwrap();
        assert_eq!(status, 200, "{path}");
    }

    async fn back(&self) -> String {
        self.browser.page.back().await.unwrap();
        self.browser.until("document.readyState === 'complete'").await;
        self.text().await
    }

    async fn text(&self) -> String {
        self.browser.evaluate(TEXT).await.as_str().expect("text").to_owned()
    }
}

async fn back_after_a_logout_shows_nobody_s_page<F: Framework>() {
    // On the page itself, and on the next one, while the browser may keep the first alive.
    for on_the_page in [true, false] {
        let Some(visit) = Visit::begin::<F>().await else { return };
        visit.go("/page").await;
        assert!(visit.text().await.contains("alice"));
        if on_the_page {
            visit.post("/logout", "").await;
            visit.go("/open").await;
        } else {
            visit.go("/open").await;
            visit.post("/logout", "").await;
        }
        let seen = visit.back().await;
        assert!(seen.contains("SESSION_NOT_FOUND") && !seen.contains("alice"), "on {}: {seen}", F::NAME);
        visit.browser.stop().await;
    }
}

#[tokio::test]
async fn axum_s_pages_are_not_shown_again() {
    back_after_a_logout_shows_nobody_s_page::<Axum>().await;
}

#[tokio::test]
async fn actix_s_pages_are_not_shown_again() {
    back_after_a_logout_shows_nobody_s_page::<Actix>().await;
}

#[tokio::test]
async fn rocket_s_pages_are_not_shown_again() {
    back_after_a_logout_shows_nobody_s_page::<Rocket>().await;
}

/// Where the handler allows it, the page is shown again, as a rule alive (with what its scripts had stored): so the tests
/// above can fail. From which of the two caches depends on the machine's memory.
#[tokio::test]
async fn a_page_that_may_be_kept_is_shown_again() {
    let Some(visit) = Visit::begin::<Axum>().await else { return };
    visit.go("/cached").await;
    visit.go("/open").await;
    visit.post("/logout", "").await;
    assert_eq!(visit.back().await, "cached");
    visit.browser.stop().await;
}

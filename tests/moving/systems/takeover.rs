//! What must hold whatever the service takes over: the browser that is logged in there stays so, and no longer than here.

use serde_json::{Value, json};
use session_core::store::SessionStore as _;
use session_core::{Clock as _, SessionManagerBuilder, SystemClock};

use super::application::Application;
use crate::browser::Chromium;
use crate::harness::{Axum, Server, User, World};
use crate::wire::Request;

/// In seconds: adopting ends.
pub(super) const UNTIL: u64 = 7 * 24 * 3600;

/// Logs in at the application; the page after it says who it is.
pub(super) async fn log_in(browser: &Chromium, application: &Application, page: &str) {
    browser.go(&application.url(page)).await;
    browser.fill("input[name=username]", "alice").await;
    browser.fill("input[name=password]", "wonderland").await;
    browser.click("button").await;
    assert_eq!(browser.text("#name").await, "alice");
}

/// A browser that is logged in at the application, which ends now: two nodes of ours take its place.
pub(super) struct Takeover {
    browser: Chromium,
    nodes: [Server; 2],
    world: World,
    /// What the browser had of the other system.
    copy: String,
}

impl Takeover {
    pub(super) async fn begin(
        browser: Chromium,
        application: Application,
        adopting: impl Fn(SessionManagerBuilder<User>) -> SessionManagerBuilder<User>,
    ) -> Self {
        let cookies = browser.page.get_all_cookies().await.unwrap();
        let copy: Vec<_> =
            cookies.iter().map(|cookie| format!("{}={}", cookie.name(), cookie.value())).collect();
        application.stop().await;
        let world = World::new();
        world.clock.set(SystemClock.now());
        let until = world.clock.now().plus(std::time::Duration::from_secs(UNTIL));
        let node = || world.serve::<Axum>(adopting(world.tracked().adopt_until(until)));
        let nodes = [node().await, node().await];
        Self { browser, nodes, world, copy: copy.join("; ") }
    }

    /// The rest of the way. `most` sessions may come of eight first requests.
    pub(super) async fn goes_well(self, most: u64) {
        self.eight_first_requests_are_all_served(most).await;
        self.a_page_of_either_node_knows_her().await;
        self.nobody_counts_as_fresh().await;
        self.after_a_logout_the_old_cookie_is_dead_everywhere().await;
        self.browser.stop().await;
    }

    async fn eight_first_requests_are_all_served(&self, most: u64) {
        self.go(0, "/open").await;
        let seen = self.fetch("Promise.all(Array.from({ length: 8 }, () => ask('/me')))").await;
        let seen = seen.as_array().expect("eight answers");
        assert_eq!(seen.len(), 8);
        for answer in seen {
            assert_eq!(
                (&answer["status"], &answer["body"]["name"]),
                (&json!(200), &json!("alice")),
                "{answer}"
            );
        }
        let sessions = self.world.store.count("__Host-session", self.world.clock.now()).await.unwrap();
        assert!((1..=most).contains(&sessions), "{sessions} sessions, at most {most} are allowed");
    }

    async fn a_page_of_either_node_knows_her(&self) {
        for node in [1, 0] {
            self.go(node, "/page").await;
            self.browser.until("document.body.innerText.includes('alice')").await;
        }
        let cookies = self.browser.page.get_all_cookies().await.unwrap();
        let names: Vec<_> = cookies.iter().map(|cookie| cookie.name()).collect();
        assert!(names.contains(&"__Host-session"), "{names:?}");
        let is_session =
            |name: &&str| name.contains("session-token") || name.contains("sid") || *name == "sessionid";
        assert!(!names.iter().any(is_session), "the old cookie is cleared: {names:?}");
    }

    async fn nobody_counts_as_fresh(&self) {
        let answer = self.fetch("ask('/fresh')").await;
        assert_eq!(
            (&answer["status"], &answer["body"]["code"]),
            (&json!(403), &json!("REAUTHENTICATION_REQUIRED"))
        );
    }

    async fn after_a_logout_the_old_cookie_is_dead_everywhere(&self) {
        assert_eq!(self.fetch("ask('/logout', 'POST')").await["status"], json!(200));
        assert_eq!(self.fetch("ask('/me')").await["status"], json!(401));
        for node in &self.nodes {
            let stolen = node.send(Request::get("/maybe").header("cookie", &self.copy)).await;
            assert_eq!(stolen.expect(200).text(), "nobody", "a copy of {:?}", self.copy.split('=').next());
        }
    }

    async fn go(&self, node: usize, path: &str) {
        self.browser.go(&format!("http://localhost:{}{path}", self.nodes[node].address.port())).await;
    }

    /// What comes of an expression in the page, in which `ask` sends a request.
    async fn fetch(&self, expression: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             const ask = async (path, method = 'GET') => {{
                 const response = await fetch(path, {{ method }});
                 const text = await response.text();
                 let body = null;
                 try {{ body = JSON.parse(text); }} catch (_) {{}}
                 return {{ status: response.status, body }};
             }};
             ({expression}).then(done, (error) => done(String(error)));"
        );
        self.browser.page.execute_async(&script, Vec::new()).await.unwrap()
    }
}

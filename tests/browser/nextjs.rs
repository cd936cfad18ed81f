//! The example with Next.js (`examples/nextjs`): one login for a Next.js application and a Rust service, in a browser
//! that sees both as one site.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::Value;
use session_core::{Clock, KeyRing, SystemClock, Timestamp};
use session_nextjs_example::{router, sessions};
use tokio::net::TcpListener;

use super::Chromium;
use super::nextjs_app::{NextApp, built};
use crate::harness::SECRET;
use crate::wire::{Connection, Request, Response};

const COOKIE: &str = "__Host-session";
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// The Rust service's clock: the real time, which Next.js has, and so many seconds.
#[derive(Clone, Default)]
struct Ahead(Arc<AtomicI64>);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        let ahead = self.0.load(Ordering::Relaxed);
        Timestamp::from_unix_seconds(SystemClock.now().unix_seconds() + ahead)
    }
}

/// Both sides, and a browser with nothing in it.
struct Site {
    browser: Chromium,
    rust: SocketAddr,
    clock: Ahead,
    next: NextApp,
}

impl Site {
    async fn open() -> Option<Self> {
        let browser = Chromium::start().await?;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let rust = listener.local_addr().unwrap();
        let (clock, next) = (Ahead::default(), NextApp::start(rust).await?);
        let keys = KeyRing::from_secret(SECRET).unwrap();
        let origin = format!("http://localhost:{}", next.port);
        let sessions = sessions(keys, &origin).unwrap().clock(clock.clone()).build().unwrap();
        let router = router(sessions).into_make_service_with_connect_info::<SocketAddr>();
        // It ends with the test's runtime.
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Some(Self { browser, rust, clock, next })
    }

    /// The service's clock is so far ahead of everybody's, or behind.
    fn rust_is_ahead(&self, seconds: i64) {
        self.clock.0.store(seconds, Ordering::Relaxed);
    }

    async fn go(&self, path: &str) {
        self.browser.go(&format!("http://localhost:{}{path}", self.next.port)).await;
    }

    /// From the page that asks for it, by one of its two forms.
    async fn give_password(&self, form: &str) {
        self.browser.fill(&format!("{form} input[name=username]"), "alice").await;
        self.browser.fill(&format!("{form} input[name=password]"), "wonderland").await;
        self.browser.click(&format!("{form} button")).await;
    }

    async fn log_in(&self, form: &str) {
        self.go("/login?next=/me").await;
        self.give_password(form).await;
        // On the page after it; no script asks while the browser leaves one.
        self.browser.find("#exp").await;
    }

    /// Who is logged in, as both sides say it on a page of Next.js, where Rust is asked by Next.js ...
    async fn both_know(&self, name: &str) {
        self.go("/me").await;
        assert_eq!(self.browser.text("#next").await, name);
        assert_eq!(self.browser.text("#rust").await, name);
        // ... and by the browser.
        self.go("/rust/me").await;
        assert_eq!(self.browser.text("#rust-who").await, name);
    }

    async fn nobody_is_logged_in(&self) {
        self.go("/").await;
        assert_eq!(self.browser.text("#home-who").await, "nobody");
        self.go("/rust/me").await;
        self.browser.find("#by-next").await;
        assert_eq!(self.path().await, "/login?next=/rust/me");
    }

    /// What the browser shows where it is.
    async fn path(&self) -> String {
        let url = self.browser.page.current_url().await.unwrap();
        url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
    }

    /// The session as the page of Next.js shows it.
    async fn session(&self) -> Shown {
        self.go("/me").await;
        self.shown().await
    }

    async fn shown(&self) -> Shown {
        let text = async |css: &str| self.browser.text(css).await;
        Shown {
            sid: text("#sid").await,
            auth_time: text("#auth-time").await.parse().unwrap(),
            exp: text("#exp").await.parse().unwrap(),
            theme: text("#theme").await,
        }
    }

    /// The cookie, as somebody who copied it would send it.
    async fn copy(&self) -> String {
        let cookies = self.browser.page.get_all_cookies().await.unwrap();
        let cookie = cookies.iter().find(|cookie| cookie.name() == COOKIE).expect("a session cookie");
        format!("{COOKIE}={}", cookie.value())
    }

    async fn has_a_cookie(&self) -> bool {
        !self.browser.page.get_all_cookies().await.unwrap().is_empty()
    }

    /// The Rust service is asked without a browser.
    async fn ask_rust(&self, path: &str, cookie: &str) -> Response {
        let request = Request::get(path).cookie(cookie);
        Connection::open(self.rust).await.unwrap().exchange(&request).await.unwrap()
    }
}

#[derive(Debug)]
struct Shown {
    sid: String,
    auth_time: i64,
    exp: i64,
    theme: String,
}

#[tokio::test]
async fn a_login_on_either_side_is_known_on_the_other() {
    let Some(site) = Site::open().await else { return };
    for form in ["#by-next", "#by-rust"] {
        site.log_in(form).await;
        site.both_know("alice").await;
        site.browser.click("#logout").await;
        site.browser.find("#home-who").await;
        site.nobody_is_logged_in().await;
    }
    site.browser.stop().await;
}

#[tokio::test]
async fn a_login_of_the_other_side_is_recent_until_its_time_is_over_whatever_is_renewed() {
    let Some(site) = Site::open().await else { return };
    site.log_in("#by-next").await;
    site.ask_rust("/rust/account", &site.copy().await).await.expect(200);
    let before = site.session().await;

    site.rust_is_ahead(10 * MINUTE);
    site.go("/rust/me").await;
    site.browser.click("#refresh").await;
    site.browser.find("#rust-who").await;
    let after = site.session().await;
    assert_eq!(after.auth_time, before.auth_time);
    assert!(after.exp >= before.exp + 10 * MINUTE);
    let stale = site.ask_rust("/rust/account", &site.copy().await).await;
    stale.expect_error(403, "REAUTHENTICATION_REQUIRED");
    site.browser.stop().await;
}

#[tokio::test]
async fn a_refresh_on_either_side_keeps_the_session_and_what_only_the_other_knows() {
    let Some(site) = Site::open().await else { return };
    // A login of an hour ago.
    site.rust_is_ahead(-HOUR);
    site.go("/login?next=/rust/me").await;
    site.give_password("#by-rust").await;
    site.browser.find("#rust-who").await;
    site.rust_is_ahead(0);
    let before = site.session().await;
    site.browser.click("#refresh").await;
    site.browser.find(&format!("#exp:not([data-exp='{}'])", before.exp)).await;
    let after = site.shown().await;
    assert_eq!((&after.sid, after.auth_time), (&before.sid, before.auth_time));
    assert!((HOUR..HOUR + 10 * MINUTE).contains(&(after.exp - before.exp)), "{before:?} {after:?}");
    site.both_know("alice").await;
    site.browser.click("#logout").await;
    site.browser.find("#home-who").await;

    site.log_in("#by-next").await;
    let before = site.session().await;
    assert_eq!(before.theme, "dark");
    site.rust_is_ahead(HOUR);
    site.go("/rust/me").await;
    site.browser.click("#refresh").await;
    site.browser.find("#rust-who").await;
    let after = site.session().await;
    assert!(after.exp >= before.exp + HOUR, "{before:?} {after:?}");
    assert_eq!((&after.sid, after.auth_time), (&before.sid, before.auth_time));
    assert_eq!(after.theme, "dark", "of which Rust knows nothing");
    site.browser.stop().await;
}

#[tokio::test]
async fn a_session_in_its_last_half_hour_goes_on_by_itself_on_either_side() {
    let Some(site) = Site::open().await else { return };
    let now = SystemClock.now().unix_seconds();
    for page in ["/me", "/rust/me"] {
        // It ends ten minutes from now.
        site.rust_is_ahead(-24 * HOUR + 10 * MINUTE);
        site.go("/login?next=/rust/me").await;
        site.give_password("#by-rust").await;
        site.browser.find("#rust-who").await;
        site.rust_is_ahead(0);
        let old = site.copy().await;
        site.go(page).await;
        site.browser.find("#logout").await;
        assert_ne!(site.copy().await, old, "{page}");
        let session = site.session().await;
        assert!(session.exp >= now + 24 * HOUR, "{session:?} on {page}");
    }
    site.browser.stop().await;
}

#[tokio::test]
async fn a_logout_on_either_side_leaves_no_cookie_and_ends_earlier_copies_of_it() {
    let Some(site) = Site::open().await else { return };
    for page in ["/me", "/rust/me"] {
        site.rust_is_ahead(0);
        site.log_in("#by-next").await;
        let first = site.copy().await;
        site.rust_is_ahead(HOUR);
        site.go("/rust/me").await;
        site.browser.click("#refresh").await;
        site.browser.find("#rust-who").await;
        let second = site.copy().await;
        assert_ne!(first, second);

        site.go(page).await;
        site.browser.click("#logout").await;
        site.browser.find("#home-who").await;
        assert!(!site.has_a_cookie().await, "{page}");
        for copy in [first, second] {
            site.ask_rust("/rust/account", &copy).await.expect_error(401, "SESSION_NOT_FOUND");
        }
        site.nobody_is_logged_in().await;
    }
    site.browser.stop().await;
}

#[tokio::test]
async fn an_expired_session_is_none_on_either_side() {
    let Some(site) = Site::open().await else { return };
    // Of the day before yesterday: the browser still has its cookie.
    site.rust_is_ahead(-25 * HOUR);
    site.go("/login?next=/rust/me").await;
    site.give_password("#by-rust").await;
    site.browser.find("#rust-who").await;
    site.rust_is_ahead(0);
    assert!(site.has_a_cookie().await);
    site.go("/me").await;
    site.browser.find("#by-next").await;
    assert_eq!(site.path().await, "/login?next=%2Fme");
    site.ask_rust("/rust/account", &site.copy().await).await.expect_error(401, "SESSION_EXPIRED");
    site.nobody_is_logged_in().await;
    site.browser.stop().await;
}

#[tokio::test]
async fn a_login_leads_back_to_where_it_was_asked_for() {
    let Some(site) = Site::open().await else { return };
    for (page, form) in [("/rust/me?tab=2", "#by-next"), ("/me?tab=2", "#by-rust")] {
        site.go(page).await;
        site.browser.find("#by-next").await;
        site.give_password(form).await;
        site.browser.find("#logout").await;
        assert_eq!(site.path().await, page);
        site.browser.click("#logout").await;
        site.browser.find("#home-who").await;
    }
    for elsewhere in ["//evil.example", "https://evil.example", "/%5Cevil.example"] {
        for (form, home) in [("#by-next", "/me"), ("#by-rust", "/me")] {
            site.go(&format!("/login?next={elsewhere}")).await;
            site.give_password(form).await;
            site.browser.find("#logout").await;
            assert_eq!(site.path().await, home, "{elsewhere}");
            site.browser.click("#logout").await;
            site.browser.find("#home-who").await;
        }
    }
    site.browser.stop().await;
}

#[tokio::test]
async fn a_wrong_password_logs_nobody_in_on_either_side() {
    let Some(site) = Site::open().await else { return };
    for form in ["#by-next", "#by-rust"] {
        site.go("/login").await;
        site.browser.fill(&format!("{form} input[name=username]"), "alice").await;
        site.browser.fill(&format!("{form} input[name=password]"), "looking-glass").await;
        site.browser.click(&format!("{form} button")).await;
        site.browser.find("#error").await;
        assert!(!site.has_a_cookie().await, "{form}");
    }
    site.browser.stop().await;
}

/// Each export of a file with "use server" is an endpoint. `createSession` is none.
#[test]
fn only_actions_that_check_are_endpoints() {
    let Some(folder) = built() else { return };
    let manifest = folder.join(".next/server/server-reference-manifest.json");
    let manifest: Value = serde_json::from_str(&std::fs::read_to_string(manifest).unwrap()).unwrap();
    let actions = manifest["node"].as_object().expect("the actions of the application");
    let mut names: Vec<_> = actions.values().filter_map(|action| action["exportedName"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["login", "logout", "refresh"]);
    assert_eq!(actions.len(), names.len());
}

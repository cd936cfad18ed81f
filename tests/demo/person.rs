//! A person with a browser that runs no scripts, at one of the three.

use std::net::SocketAddr;

use session_core::Timestamp;
use totp_rs::Totp;

use super::Demo;
use crate::harness::{Browser, World};
use crate::wire::{Request, Response};

const FORM: &str = "application/x-www-form-urlencoded";

pub(crate) struct Person {
    browser: Browser,
}

impl Person {
    pub(crate) fn at(demo: &Demo, framework: u16, world: &World) -> Self {
        Self { browser: Browser::new(demo.address(framework), &world.clock) }
    }

    /// Logged in.
    pub(crate) async fn logged_in(
        demo: &Demo,
        framework: u16,
        world: &World,
        username: &str,
        password: &str,
    ) -> Self {
        let mut person = Self::at(demo, framework, world);
        person.submit("/login", &format!("username={username}&password={password}")).await.expect(303);
        person
    }

    /// The page at `/`.
    pub(crate) async fn page(&mut self) -> String {
        let request = Request::get("/").navigation();
        self.browser.send(request).await.expect(200).text().to_owned()
    }

    /// Sends a form. The answer is not followed.
    pub(crate) async fn submit(&mut self, path: &str, body: &str) -> Response {
        self.browser.send(Request::post(path).header("Content-Type", FORM).body(body)).await
    }

    /// Sends a form, and says what the page has to say then.
    pub(crate) async fn told(&mut self, path: &str, body: &str) -> String {
        assert_eq!(self.submit(path, body).await.expect(303).header("location"), Some("/"));
        said(&self.page().await).unwrap_or_default()
    }

    pub(crate) async fn send(&mut self, request: Request) -> Response {
        self.browser.send(request).await
    }

    /// Cookies know no port.
    pub(crate) fn moves_to(&mut self, address: SocketAddr) {
        self.browser.server = address;
    }

    /// Who `/api/me` says that this is, and in which role.
    pub(crate) async fn me(&mut self) -> Option<(String, String)> {
        let response = self.browser.send(Request::get("/api/me")).await;
        let text = |name: &str| response.json()[name].as_str().map(str::to_owned);
        Some((text("username")?, text("role")?))
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.browser.jar.get(name)
    }

    /// Sets up a second factor; the answer is what an authenticator app then has.
    pub(crate) async fn switches_codes_on(&mut self, now: Timestamp) -> Totp {
        self.submit("/second-factor/new", "").await.expect(303);
        let totp = app(&self.page().await);
        let body = format!("code={}", code(&totp, now));
        assert!(self.told("/second-factor/on", &body).await.contains("From now on a login asks for a code"));
        totp
    }

    /// The handles of the account's other sessions.
    pub(crate) async fn other_devices(&mut self) -> Vec<String> {
        let list = self.browser.send(Request::get("/session/list")).await.expect(200).json();
        let others = list.as_array().unwrap().iter().filter(|device| device["current"] == false);
        others.map(|device| device["id"].as_str().unwrap().to_owned()).collect()
    }
}

/// What the page says that a form did: on a login form it is where other reasons are.
pub(crate) fn said(page: &str) -> Option<String> {
    let said = |id: &str| page.split_once(&format!(r#"id="{id}""#))?.1.split_once('>')?.1.split('<').next();
    let text = ["flash", "login-error", "reason"].into_iter().filter_map(said).find(|text| !text.is_empty());
    text.map(|text| text.replace("&#39;", "'"))
}

/// The app that has read the key from the page.
fn app(page: &str) -> Totp {
    let (_, url) = page.split_once(r#"id="otpauth" href=""#).expect("a key");
    Totp::from_url(url.split('"').next().unwrap().replace("&amp;", "&")).expect("a key for an app")
}

pub(crate) fn code(totp: &Totp, at: Timestamp) -> String {
    totp.generate(at.unix_seconds().try_into().unwrap()).to_string()
}

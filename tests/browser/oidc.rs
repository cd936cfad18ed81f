//! A login with an OpenID provider on another site: `127.0.0.1` there, `localhost` here. With `response_mode=form_post` no
//! cookie of ours comes with the provider's form, and our own page posts it once more.

use session_core::{Clock as _, SystemClock};

use super::Chromium;
use crate::harness::{Actix, Axum, Framework, Rocket, Server, World};
use crate::oidc::client;

const TEXT: &str = "document.body.innerText";

struct Site {
    server: Server,
    _world: World,
}

impl Site {
    async fn open<F: Framework>() -> Option<Self> {
        let (world, client) = (World::new(), client("localhost")?);
        world.clock.set(SystemClock.now());
        let server = world.serve::<F>(world.tracked().data(client.clone())).await;
        client.listens(server.address);
        Some(Self { server, _world: world })
    }

    fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.server.address.port())
    }

    /// From a page of ours to the provider, which asks who it is, and back.
    async fn log_in(&self, browser: &Chromium, name: &str, query: &str) {
        browser.go(&self.url("/open")).await;
        browser.go(&self.url(&format!("/oidc?{query}"))).await;
        browser.fill("input[name=name]", name).await;
        browser.click("button").await;
        // How Chromium shows text. No script asks for it: one that runs while the page is left gets no answer.
        browser.find("pre").await;
        browser.until(&format!("location.pathname === '/page' && {TEXT}.includes('{name}')")).await;
    }

    /// The names of the cookies that the browser has of us.
    async fn cookies(&self, browser: &Chromium) -> Vec<String> {
        browser.go(&self.url("/open")).await;
        let cookies = browser.page.get_all_cookies().await.unwrap();
        cookies.iter().map(|cookie| cookie.name().to_owned()).collect()
    }
}

async fn a_provider_of_another_site_logs_in<F: Framework>() {
    for query in ["next=/page", "next=/page&response_mode=form_post"] {
        let Some(site) = Site::open::<F>().await else { return };
        let Some(browser) = Chromium::start().await else { return };
        site.log_in(&browser, "alice", query).await;
        assert_eq!(site.cookies(&browser).await, ["__Host-session"], "{query} on {}", F::NAME);
        browser.stop().await;
    }
}

#[tokio::test]
async fn a_provider_of_another_site_logs_in_on_axum() {
    a_provider_of_another_site_logs_in::<Axum>().await;
}

#[tokio::test]
async fn a_provider_of_another_site_logs_in_on_actix() {
    a_provider_of_another_site_logs_in::<Actix>().await;
}

#[tokio::test]
async fn a_provider_of_another_site_logs_in_on_rocket() {
    a_provider_of_another_site_logs_in::<Rocket>().await;
}

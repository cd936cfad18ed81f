//! A browser, as far as cookies go.

use std::net::SocketAddr;

use session_core::testing::ManualClock;

use crate::wire::{Broken, Connection, Jar, Request, Response};

/// Sends what a strict cookie jar holds and stores what comes back. A cookie that browsers refuse fails the test.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    pub(crate) server: SocketAddr,
    pub(crate) jar: Jar,
}

impl Browser {
    pub(crate) fn new(server: SocketAddr, clock: &ManualClock) -> Self {
        Self { server, jar: Jar::new(clock.clone()) }
    }

    /// Sends a request with its cookies, unless it brings a `Cookie` line itself.
    pub(crate) async fn try_send(&mut self, request: Request) -> Result<Response, Broken> {
        let own_cookies = request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("cookie"));
        let request = if own_cookies { request } else { self.jar.attach(request) };
        let response = Connection::open(self.server).await?.exchange(&request).await?;
        for line in response.set_cookies() {
            if let Err(refused) = self.jar.store(line, request.path()) {
                panic!("no browser stores this, because of {refused}: {line}");
            }
        }
        Ok(response)
    }

    pub(crate) async fn send(&mut self, request: Request) -> Response {
        let what = format!("{} {}", request.method, request.target);
        self.try_send(request)
            .await
            .unwrap_or_else(|broken| panic!("{broken:?} instead of a response to {what}"))
    }

    pub(crate) async fn get(&mut self, target: &str) -> Response {
        self.send(Request::get(target)).await
    }

    pub(crate) async fn post(&mut self, target: &str) -> Response {
        self.send(Request::post(target)).await
    }

    pub(crate) async fn delete(&mut self, target: &str) -> Response {
        self.send(Request::delete(target)).await
    }

    pub(crate) async fn log_in(&mut self, name: &str) -> Response {
        self.send(Request::post("/login").body(format!("name={name}"))).await.expect(200)
    }

    /// What it would send as `Cookie`: a copy to use later, or elsewhere.
    pub(crate) fn cookie(&self) -> String {
        let request = self.jar.attach(Request::get("/"));
        let (_, line) = request.headers.into_iter().next().expect("a browser with a cookie");
        String::from_utf8(line).expect("cookies in UTF-8")
    }

    /// Who the server says that this is: the name, or `nobody`.
    pub(crate) async fn who(&mut self) -> String {
        self.get("/maybe").await.expect(200).text().to_owned()
    }
}

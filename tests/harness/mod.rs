//! One app on three frameworks, over real TCP, on a clock and a store that belong to the test.

mod actix;
pub(crate) mod app;
mod axum;
mod browser;
pub(crate) mod oidc;
mod rocket;
mod world;

use std::future::Future;
use std::net::SocketAddr;

pub(crate) use actix::Actix;
pub(crate) use app::{Admin, App, User};
pub(crate) use axum::Axum;
pub(crate) use browser::Browser;
pub(crate) use rocket::Rocket;
pub(crate) use session_core::testing::{Fault, StoreMethod};
pub(crate) use world::{SECRET, World};

use crate::wire::{Broken, Connection, Request, Response};

/// One of the three.
pub(crate) trait Framework: 'static {
    /// As its authors write it.
    const NAME: &'static str;
    /// Whether a handler's panic closes the connection; otherwise it is answered with 500.
    const PANIC_CLOSES: bool;
    /// Whether it sends `X-Content-Type-Options` with every response by itself.
    const SHIELDED: bool;

    /// Serves the app on a free port of 127.0.0.1, until the server is dropped.
    fn serve(app: App) -> impl Future<Output = Server>;
}

/// A running server. Stops when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) is_tracked: bool,
    world: World,
    stop: Option<Box<dyn FnOnce()>>,
}

impl Server {
    fn new(address: SocketAddr, world: World, stop: impl FnOnce() + 'static) -> Self {
        Self { address, is_tracked: true, world, stop: Some(Box::new(stop)) }
    }

    /// A browser without cookies.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.address, &self.world.clock)
    }

    /// A browser in which `name` has just logged in.
    pub(crate) async fn logged_in(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        browser.log_in(name).await;
        browser
    }

    /// Sends a request on a connection of its own.
    pub(crate) async fn try_send(&self, request: &Request) -> Result<Response, Broken> {
        Connection::open(self.address).await?.exchange(request).await
    }

    /// Sends a request that gets a response.
    #[track_caller]
    pub(crate) fn send(&self, request: Request) -> impl Future<Output = Response> {
        let address = self.address;
        let caller = std::panic::Location::caller();
        async move {
            let answer = async { Connection::open(address).await?.exchange(&request).await }.await;
            answer.unwrap_or_else(|broken| {
                panic!(
                    "{broken:?} instead of a response to {} {}, at {caller}",
                    request.method, request.target
                )
            })
        }
    }

    pub(crate) async fn get(&self, target: &str) -> Response {
        self.send(Request::get(target)).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop();
        }
    }
}

/// Where sessions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// In the cookie.
    Stateless,
    /// In the store.
    Tracked,
    /// In the store, with copies in the memory of the process.
    Hybrid,
}

/// Stamps one test per case and framework: `logout::axum::logout_stays_logged_out` and so on. A case is a function
/// `async fn name<F: Framework>()`.
///
/// A case that must hold in several modes names them, `name(stateless tracked)`, and is an
/// `async fn name<F: Framework>(mode: Mode)`: one test per framework and mode, `cookies::axum::name::tracked`.
macro_rules! on_each_framework {
    (@test $framework:ident $case:ident) => {
        #[tokio::test]
        async fn $case() {
            super::$case::<crate::harness::$framework>().await;
        }
    };
    (@test $framework:ident $case:ident $($mode:ident)+) => {
        mod $case {
            $(
                #[tokio::test]
                async fn $mode() {
                    let mode = crate::harness::on_each_framework!(@mode $mode);
                    super::super::$case::<crate::harness::$framework>(mode).await;
                }
            )+
        }
    };
    (@mode stateless) => { crate::harness::Mode::Stateless };
    (@mode tracked) => { crate::harness::Mode::Tracked };
    (@mode hybrid) => { crate::harness::Mode::Hybrid };
    (@$module:ident $framework:ident, $($case:ident $(($($mode:ident)+))?)+) => {
        mod $module {
            $(crate::harness::on_each_framework!(@test $framework $case $($($mode)+)?);)+
        }
    };
    ($($case:ident $(($($mode:ident)+))?)+) => {
        crate::harness::on_each_framework!(@axum Axum, $($case $(($($mode)+))?)+);
        crate::harness::on_each_framework!(@actix Actix, $($case $(($($mode)+))?)+);
        crate::harness::on_each_framework!(@rocket Rocket, $($case $(($($mode)+))?)+);
    };
}

pub(crate) use on_each_framework;

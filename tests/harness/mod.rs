//! One test, three frameworks.
//!
//! A case is a generic function over [`Framework`]; [`cases!`] stamps one named test per framework out of each:
//!
//! ```ignore
//! cases! { anonymous_get_sets_no_cookie, logout_wins }
//!
//! async fn anonymous_get_sets_no_cookie<F: Framework>() {
//!     let server = F::serve(TestApp::default()).await;
//!     let mut visitor = Visitor::new(server.address());
//!     let response = visitor.send(Request::get("/ignores")).await.expect_status(200);
//!     assert!(response.set_cookies().is_empty());
//! }
//! ```
//!
//! gives `axum::anonymous_get_sets_no_cookie`, `actix::..` and `rocket::..`. A case that is not listed is dead
//! code, and so a warning, and so a failure.

pub(crate) mod actix;
mod app;
pub(crate) mod axum;
pub(crate) mod responder;
pub(crate) mod rocket;
mod server;
mod tests;

pub(crate) use self::{
    app::TestApp,
    server::{Server, Stop},
};

/// A framework with its adapter, serving the test app.
pub(crate) trait Framework {
    /// As in the names of tests and transcripts.
    const NAME: &'static str;

    /// Starts the app on a free port of 127.0.0.1 and returns once it answers. Each server is its own: own
    /// routes, own thread, own store unless the app brings one.
    async fn serve(app: TestApp) -> Server;
}

/// Stamps one test per case and framework; see the [module](self).
///
/// `cases! { on a = Type, b = Type; { case, .. } }` names the frameworks. Beside a list, the crates are `::axum`
/// and `::rocket`: the plain names are the modules with the tests.
macro_rules! cases {
    (on $($module:ident = $framework:ty),+; $cases:tt) => {
        $( $crate::harness::cases!(@framework $module, $framework, $cases); )+
    };
    (@framework $module:ident, $framework:ty, { $($(#[$meta:meta])* $case:ident),+ $(,)? }) => {
        mod $module {
            $(
                $(#[$meta])*
                #[tokio::test]
                async fn $case() {
                    super::$case::<$framework>().await;
                }
            )+
        }
    };
    ($($cases:tt)+) => {
        $crate::harness::cases! {
            on axum = $crate::harness::axum::Axum,
               actix = $crate::harness::actix::Actix,
               rocket = $crate::harness::rocket::Rocket;
            { $($cases)+ }
        }
    };
}
pub(crate) use cases;

//! The HTTP contract, each sentence as a case, each case on each framework.
//!
//! # How to add a case
//!
//! A case is `async fn what_must_hold<F: Framework>()` in the module of its subject, and its name in the
//! `on_each_framework!` list at the top of that module; a name that is missing there is an unused function, which
//! clippy refuses. It then runs as `cases::<module>::<axum|actix|rocket>::<name>`. A new module goes below.
//!
//! ```text
//! on_each_framework! { a_visitor_is_nobody }
//!
//! async fn a_visitor_is_nobody<F: Framework>() {
//!     let (world, server) = World::with_store::<F>().await;     // or without_store, or world.serve::<F>(builder)
//!     let mut browser = server.browser();                       // keeps cookies as strictly as Chromium
//!     assert_eq!(browser.who().await, "nobody");
//!     server.get("/me").await.expect_error(401, "SESSION_NOT_FOUND");   // no cookies, a connection of its own
//!     world.advance(60);                                        // nobody sleeps: the clock is the test's own
//!     world.store.inject(Fault::Fail);                             // see FaultyStore for what else can go wrong
//! }
//! ```
//!
//! What must hold in several modes names them in the list, `a_visitor_is_nobody(stateless tracked)` (and `hybrid`), and
//! takes the mode: `async fn a_visitor_is_nobody<F: Framework>(mode: Mode)`, which begins with
//! `World::in_mode::<F>(mode).await`. The mode is the test's last name: `cases::<module>::axum::<name>::tracked`.
//!
//! The app's routes are listed in `harness/app.rs`; what it does is written there once, for all three. Where
//! frameworks may differ, ask `F` (`F::PANIC_CLOSES`), and only for what HTTP-CONTRACT calls a framework's limit.

mod caching;
mod challenges;
mod cookies;
mod cross_origin;
mod deployments;
mod devices;
mod ending;
mod errors;
mod flows;
mod guards;
mod handlers;
mod levels;
mod limits;
mod managers;
mod parity;
mod peer_defects;
mod routes;
mod sealed;
mod security;
mod status;

//! Tests across the three frameworks, and of the repository itself.
//!
//! | folder | what is there |
//! |---|---|
//! | `wire` | HTTP as bytes, a strict cookie jar, transcripts |
//! | `harness` | one app on three frameworks, on the test's own clock and store |
//! | `cases` | the contract, one test per case and framework |
//! | `costs` | what a session adds to a request, in allocations |
//! | `fleet` | three processes on one store, while all is well and while the store fails |
//! | `demo` | the demo on every store |
//! | `repository` | architecture, README |
//! | `browser` | Chromium |
//! | `interop` | `jose`, as a Next.js module uses it |
//! | `moving` | from one mode to another, and from another system |
//! | `oidc` | a login with an OpenID provider |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod browser;
mod cases;
mod costs;
mod demo;
mod fleet;
mod harness;
mod interop;
mod moving;
mod oidc;
mod repository;
mod wire;

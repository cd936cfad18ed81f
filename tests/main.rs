//! All tests that look at more than one package, or at the repository itself.
//!
//! - [`wire`]: HTTP as bytes; requests, responses, a strict cookie jar, transcripts
//! - [`harness`]: the same app on three frameworks, and the macro that stamps a test per framework
//! - [`cases`]: what must hold on each framework
//! - [`browser`]: what must hold in a real browser
//! - [`repository`]: what must hold of the source: its architecture, its README

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "this is how a test fails")]

mod browser;
mod cases;
mod harness;
mod repository;
mod requirements;
mod wire;

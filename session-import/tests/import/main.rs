//! What every reader must do, on cookies that the real libraries made (`vectors/`).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod clauses;
mod particular;
mod systems;
mod vectors;

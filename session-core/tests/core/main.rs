//! What the core promises, through its public door: a request in plain data goes in, an answer in plain data comes
//! out. Every test owns its clock.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[cfg(feature = "asymmetric")]
mod asymmetric;
mod bearer;
mod ending;
mod errors;
mod events;
mod faults;
mod faulty;
mod guards;
mod guests;
mod handle;
mod hybrid;
mod hybrid_edges;
mod hybrid_model;
mod login;
mod maintain;
mod memory;
mod origins;
mod payload;
mod races;
mod refresh;
mod security;
mod stateless;
mod support;
mod tracked;
mod unreadable;

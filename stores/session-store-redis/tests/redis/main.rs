//! Against real servers that the tests start: one node, and a cluster of three.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod adoption;
#[cfg(feature = "cluster")]
mod cluster;
mod conformance;
mod evicted;
mod faults;
mod fence;
mod full;
mod hostile;
mod keys;
mod listen;
mod load;
mod operations;
mod reads;
mod realm;
mod refusals;
mod support;
#[cfg(feature = "tls")]
mod tls;
mod unwritable;

/// A mark for a revocation that no login races with.
const MARK: session_core::store::Mark = session_core::store::Mark::from_bytes([7; 16]);

//! The stores with many sessions, and beside the stores of other libraries.

pub mod db;
pub mod fill;
pub mod operation;
pub mod peers;
pub mod plan;
pub mod proxy;
pub mod redis_counts;
pub mod report;
pub mod sample;
pub mod servers;
pub mod statements;
pub mod timing;
pub mod wire;

/// What ending an account writes down.
pub const MARK: session_core::store::Mark = session_core::store::Mark::from_bytes([7; 16]);

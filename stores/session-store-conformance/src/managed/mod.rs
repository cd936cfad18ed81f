//! What a session manager promises that keeps its sessions in the store under test.

mod counts;
mod ending;
mod interleavings;
mod operation;
mod paused;
mod payloads;
mod service;

pub use counts::*;
pub use interleavings::*;
pub use payloads::*;

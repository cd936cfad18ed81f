//! Against real servers that the tests start: one node, and a cluster of three.

#[cfg(feature = "cluster")]
mod cluster;
mod faults;
mod keys;
mod operations;
mod realm;
mod refusals;
mod support;

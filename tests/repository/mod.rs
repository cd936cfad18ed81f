//! What must hold of the repository itself: the arrows between its packages, what core's public API may name,
//! what its documents promise.

mod architecture;
mod documents;
mod habits;
mod public_api;
mod rust_source;
mod workspace;

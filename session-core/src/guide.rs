//! Guides: how things are done, in whole examples.

#[doc = include_str!("../guides/adapter.md")]
pub mod adapter {}

#[doc = include_str!("../guides/comparison.md")]
pub mod comparison {}

#[doc = include_str!("../guides/store.md")]
///
/// ```
#[doc = include_str!("../guides/map_store.rs")]
/// ```
pub mod store {}

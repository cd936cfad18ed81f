//! Guides: what to choose, and how to run it. They are here only in the documentation.

#[doc = include_str!("../guides/modes.md")]
pub mod modes {}

#[doc = include_str!("../guides/lifetimes.md")]
pub mod lifetimes {}

#[doc = include_str!("../guides/guards.md")]
pub mod guards {}

#[doc = include_str!("../guides/recipes.md")]
pub mod recipes {}

#[doc = include_str!("../guides/testing.md")]
pub mod testing {}

#[doc = include_str!("../guides/deployment.md")]
pub mod deployment {}

#[doc = include_str!("../guides/moving.md")]
pub mod moving {}

#[doc = include_str!("../guides/performance.md")]
#[doc = include_str!("../guides/performance-requests.svg")]
#[doc = include_str!("../guides/performance-stores.svg")]
pub mod performance {}

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

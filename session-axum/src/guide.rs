//! Guides: how to come here from another session library.

#[doc = include_str!("../guides/from_axum_session.md")]
pub mod from_axum_session {}

#[doc = include_str!("../guides/from_next_js.md")]
pub mod from_next_js {}

#[doc = include_str!("../guides/from_tower_sessions.md")]
pub mod from_tower_sessions {}

//! Guides: how to come here from another session library.

#[doc = include_str!("../guides/from_rocket_flex_session.md")]
pub mod from_rocket_flex_session {}

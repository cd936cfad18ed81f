//! Guides: how to come here from another session library.

#[doc = include_str!("../guides/from_actix_session.md")]
pub mod from_actix_session {}

//! Guides: your users stay logged in. Each shows the whole way from one system, as the tests of the repository go it with the
//! real one in a real browser.

#![allow(clippy::doc_markdown, reason = "names of systems and libraries")]

#[cfg(feature = "auth-js")]
#[doc = include_str!("../guides/auth_js.md")]
pub mod auth_js {}

#[cfg(feature = "django")]
#[doc = include_str!("../guides/django.md")]
pub mod django {}

#[cfg(feature = "express-session")]
#[doc = include_str!("../guides/express_session.md")]
pub mod express_session {}

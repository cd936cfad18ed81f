//! The test app on actix-web. Its `Framework` implementation comes with the adapter.

/// The test app on actix-web.
pub(crate) struct Actix;

//! The test app on axum. Its `Framework` implementation comes with the adapter.

/// The test app on axum.
pub(crate) struct Axum;

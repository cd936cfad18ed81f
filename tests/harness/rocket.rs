//! The test app on Rocket. Its `Framework` implementation comes with the adapter.

/// The test app on Rocket.
pub(crate) struct Rocket;

//! The test app on axum: `pub(crate) struct Axum;` and its `Framework` implementation come with the adapter.
//!
//! ```ignore
//! Server::start(|listener, stop| async move {
//!     let listener = tokio::net::TcpListener::from_std(listener).unwrap();
//!     axum::serve(listener, router).with_graceful_shutdown(stop.requested()).await.unwrap();
//! })
//! ```

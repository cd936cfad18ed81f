//! The test app on actix-web: `pub(crate) struct Actix;` and its `Framework` implementation come with the adapter.
//!
//! ```ignore
//! Server::start(|listener, stop| async move {
//!     let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run();
//!     let handle = server.handle();
//!     tokio::task::spawn_local(async move { stop.requested().await; handle.stop(false).await });
//!     server.await.unwrap();
//! })
//! ```

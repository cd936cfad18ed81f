//! The test app on Rocket: `pub(crate) struct Rocket;` and its `Framework` implementation come with the adapter.
//! Rocket takes no listener: it binds port 0 itself, and a fairing says where.
//!
//! ```ignore
//! Server::start_unbound(|announce, stop| async move {
//!     let announce = Mutex::new(Some(announce));
//!     let listens = AdHoc::on_liftoff("listens", move |rocket| Box::pin(async move {
//!         let config = rocket.config();
//!         announce.lock().unwrap().take().unwrap().listening_on((config.address, config.port).into());
//!     }));
//!     let rocket = rocket::custom(config).attach(listens).ignite().await.unwrap();    // signals off, port 0
//!     let shutdown = rocket.shutdown();
//!     tokio::task::spawn_local(async move { stop.requested().await; shutdown.notify() });
//!     rocket.launch().await.unwrap();
//! })
//! ```

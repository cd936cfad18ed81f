//! The test app on Rocket: `pub(crate) struct Rocket;` and its `Framework` implementation come with the adapter.
//! `serve` hands `Server::start_unbound` a function that binds port 0 itself, since Rocket takes no listener, says
//! in a fairing's `on_liftoff` where it listens, and serves until `Stop::requested`.

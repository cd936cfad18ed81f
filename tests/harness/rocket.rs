//! The test app on Rocket: `pub(crate) struct Rocket;` and its `Framework` implementation come with the adapter.
//! `serve` hands `Server::start` a function that serves on the listener it is given until `Stop::requested`.

//! The test app on actix-web: `pub(crate) struct Actix;` and its `Framework` implementation come with the adapter.
//! `serve` hands `Server::start` a function that serves on the listener it is given until `Stop::requested`.

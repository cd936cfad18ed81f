//! What an adapter for another framework, or a server of your own, is made of: requests in plain data, answers in plain
//! data, and the sessions of one request.
//!
//! | an adapter | with |
//! |---|---|
//! | reads a request | [`RequestHead`], or with the feature `http` a ready one, `HttpHead` |
//! | keeps the sessions of a request | [`Slots`] in the framework's request extensions, one [`Slot`] for each manager |
//! | opens one in an extractor | [`Slots::receive`], [`Incoming::extract`] |
//! | closes it with the response, an error's too | [`Slot::close`], [`ResponseChanges`] (`apply`, with the feature `http`) |
//! | answers a [`SessionError`](crate::SessionError) | [`to_response`](crate::SessionError::to_response), [`PlainResponse`] (`http::Response::from`, with the feature `http`) |
//! | mounts the session routes | [`routes::answer`] |
//!
//! The macro `session_core::adapter::types!(extractor)` defines the handlers' types `Session`, `Authenticated`,
//! `MaybeAuthenticated`, `Fresh`, `Flows`, `Flash` and `Extract` as structs of your crate; it calls `extractor!([generics] Type)`, a macro of
//! yours that makes an extractor of a [`Guard`](crate::Guard). `session_core::adapter::rejection!()` defines `Rejection`, the
//! error that extractors answer. `session-axum` is the example to read, and the guide "adapter" builds a whole one.

#[cfg(feature = "http")]
mod http;
pub mod routes;
mod slots;
mod types;

pub use crate::request::{CrossOriginRefusal, Headers, RequestHead};
pub use crate::response::{HeaderChange, IntoChanges, PlainResponse, ResponseChanges};
pub use crate::session::{Incoming, Slot};
#[doc(hidden)]
pub use crate::{__adapter_rejection as rejection, __adapter_types as types};
#[cfg(feature = "http")]
pub use http::HttpHead;
pub use slots::{Slots, no_layer};

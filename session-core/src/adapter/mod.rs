//! What an adapter for another framework, or a server of your own, is made of: requests in plain data, answers in plain
//! data, and the sessions of one request.

#[cfg(feature = "http")]
mod http;
pub mod routes;
mod slots;
mod types;

pub use crate::request::{CrossOriginRefusal, Headers, RequestHead};
pub use crate::response::{HeaderChange, PlainResponse, ResponseChanges};
pub use crate::session::{Incoming, Slot};
#[doc(hidden)]
pub use crate::{__adapter_rejection as rejection, __adapter_types as types};
#[cfg(feature = "http")]
pub use http::HttpHead;
pub use slots::{Slots, no_layer};

//! What an adapter for another framework, or a server of your own, is made of: requests in plain data, answers in plain
//! data, and the sessions of one request.

pub mod routes;
mod slots;

pub use crate::request::{CrossOriginRefusal, Headers, RequestHead};
pub use crate::response::{HeaderChange, PlainResponse, ResponseChanges};
pub use slots::{Slots, no_layer};

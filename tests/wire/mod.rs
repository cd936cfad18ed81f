//! HTTP/1.1 as bytes over TCP: what a test writes is what the server reads, and nothing is tidied up on the way back.
//!
//! [`Request`] builds the bytes, [`Connection`] carries them, [`Response`] keeps status, header lines in order and
//! body. [`Jar`] keeps cookies as strictly as a browser; [`Transcript`] writes down what happened.

mod connection;
mod jar;
mod request;
mod response;
mod transcript;

pub(crate) use connection::{Broken, Connection};
pub(crate) use jar::Jar;
pub(crate) use request::Request;
pub(crate) use response::Response;
pub(crate) use transcript::Transcript;

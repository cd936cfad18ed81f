//! Requests and header lines of actix-web, as core reads them.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::http::uri::{Authority, PathAndQuery};
use session_core::{Headers, RequestHead};

/// A request as core reads it, for handlers that call a manager's operations themselves.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a>(pub &'a HttpRequest);

/// The header lines of a request or a response.
pub(crate) struct Lines<'a>(pub(crate) &'a HeaderMap);

impl RequestHead for Head<'_> {
    fn method(&self) -> &str {
        self.0.method().as_str()
    }

    fn target(&self) -> &str {
        self.0.uri().path_and_query().map_or("", PathAndQuery::as_str)
    }

    fn authority(&self) -> Option<&str> {
        self.0.uri().authority().map(Authority::as_str)
    }

    fn peer(&self) -> Option<IpAddr> {
        self.0.peer_addr().map(|peer| peer.ip())
    }
}

impl Headers for Head<'_> {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0.headers().get_all(name).map(HeaderValue::as_bytes)
    }
}

impl Headers for Lines<'_> {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0.get_all(name).map(HeaderValue::as_bytes)
    }
}

//! Rocket's requests in plain data.

use std::net::IpAddr;

use rocket::Request;
use rocket::http::Cookie;
use session_core::adapter::{Headers, RequestHead};

/// A request as core sees it, for [`SessionManager::check_origin`](crate::SessionManager::check_origin) and the
/// like.
#[derive(Clone, Copy)]
pub struct Head<'a, 'r>(pub &'a Request<'r>);

impl Headers for Head<'_, '_> {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0.headers().get(name).map(str::as_bytes)
    }
}

impl RequestHead for Head<'_, '_> {
    fn method(&self) -> &str {
        self.0.method().as_str()
    }

    fn target(&self) -> &str {
        struct Target(String);
        &self.0.local_cache(|| Target(self.0.uri().to_string())).0
    }

    fn authority(&self) -> Option<&str> {
        struct Authority(String);
        // Where there is a Host line, as always on HTTP/1, that is Rocket's host.
        let host = self.0.host().filter(|_| !self.0.headers().contains("host"))?;
        Some(&self.0.local_cache(|| Authority(host.to_string())).0)
    }

    fn peer(&self) -> Option<IpAddr> {
        self.0.remote().map(|address| address.ip())
    }

    /// Rocket's test client puts its cookies here alone; a server fills it from the header lines.
    fn jar(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.cookies().iter().map(Cookie::name_value)
    }
}

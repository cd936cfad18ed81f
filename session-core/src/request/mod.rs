//! What a session needs to know of a request, in plain data: frameworks differ, bytes do not.

mod bearer;
mod client;
mod cross_origin;
mod login;
mod navigation;
mod origin;
mod received;

use std::net::IpAddr;

pub use client::{ClientAddress, TrustedProxies};
pub use cross_origin::{CrossOrigin, CrossOriginRefusal};
pub use login::ReturnTo;
pub(crate) use login::{LoginPage, configured_prefix};
pub use navigation::checked_next;
pub(crate) use origin::ends_in_a_number;
pub(crate) use received::{Client, Form, Received, Rules};

/// The header lines of a request or a response.
///
/// Adapters implement it on their framework's types; so does a server of your own.
pub trait Headers {
    /// Every value of the header `name` (given in lower case), in the order of arrival.
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]>;
}

/// No header at all.
impl Headers for () {
    fn header<'a>(&'a self, _name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        std::iter::empty()
    }
}

/// The head of a request.
pub trait RequestHead: Headers {
    /// The method, as sent (`GET`).
    fn method(&self) -> &str;

    /// Path and query as sent (`/path?query`), before any router or mount took a part away. Not percent-decoded.
    fn target(&self) -> &str;

    /// The `:authority` of HTTP/2, or the authority of a target in absolute form. `None` otherwise: the `Host`
    /// header is read from the header lines.
    fn authority(&self) -> Option<&str>;

    /// The address of the peer of the connection, when it is known. Never one that a header claims.
    fn peer(&self) -> Option<IpAddr>;

    /// Cookies that the framework keeps beside the header lines, as a test client of its own may: names and values as
    /// they were set. Looked at only where the request has no `Cookie` line. Default: none.
    fn jar(&self) -> impl Iterator<Item = (&str, &str)> {
        std::iter::empty()
    }
}

/// The one value of a header that may come once only: `Ok(None)` without one, `Err` when two contradict each other.
fn single<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Result<Option<&'a [u8]>, Conflict> {
    let first = values.next();
    if values.all(|value| Some(value) == first) { Ok(first) } else { Err(Conflict) }
}

/// A header came twice with different values.
struct Conflict;

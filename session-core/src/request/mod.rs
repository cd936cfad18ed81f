//! What a session needs to know of a request, in plain data: frameworks differ, bytes do not.

use std::net::IpAddr;

/// The header lines of a request or a response.
///
/// Adapters implement it on their framework's types; so does a server of your own.
pub trait Headers {
    /// Every value of the header `name` (given in lower case), in the order of arrival.
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]>;
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
}

/// No header at all.
impl Headers for () {
    fn header<'a>(&'a self, _name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        std::iter::empty()
    }
}
mod stub {
    #![allow(missing_docs, dead_code)]
    use crate::*;
    use std::net::IpAddr;
    #[derive(Default)]
    pub struct CrossOrigin;
    #[derive(Debug)]
    pub struct CrossOriginRefusal;
    impl CrossOriginRefusal {
        pub fn reason(&self) -> &'static str {
            ""
        }
    }
    impl CrossOrigin {
        pub fn check(&self, _h: &impl RequestHead) -> Result<(), CrossOriginRefusal> {
            Ok(())
        }
    }
    #[derive(Default)]
    pub struct TrustedProxies;
    impl TrustedProxies {
        pub(crate) fn client(&self, _h: &impl RequestHead) -> Option<IpAddr> {
            None
        }
    }
    pub fn checked_next(n: &str) -> Option<&str> {
        Some(n)
    }
    pub(crate) enum Bearer {
        Absent,
        Token(Vec<u8>),
        Malformed,
    }
    pub(crate) fn bearer(_h: &impl Headers) -> Bearer {
        Bearer::Absent
    }
    pub(crate) fn user_agent(_h: &impl Headers) -> Option<String> {
        None
    }
    pub(crate) fn is_navigation(_h: &impl RequestHead) -> bool {
        false
    }
    pub(crate) fn login_location(a: &str, _b: &str) -> String {
        a.into()
    }
}
pub use stub::*;

//! The session cookie: its settings, how it is written, and how it is found in a request.

mod candidates;
mod check;
mod companion;
mod write;

use std::sync::Arc;

pub(crate) use candidates::Candidates;
pub(crate) use companion::{Companion, CompanionWriter, Companions, Finder, PARKED};
pub(crate) use write::CookieWriter;

/// Name and value together, as browsers keep at most (RFC 6265bis section 5.6).
pub(crate) const MAX_SIZE: usize = 4096;

/// When a browser sends the cookie with requests from other sites (RFC 6265bis section 5.5.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SameSite {
    /// Never: a link from another site arrives logged out.
    Strict,
    /// With top-level navigations only. The default.
    #[default]
    Lax,
    /// Always. Needs Secure.
    None,
}

/// How the session cookie looks. Always HttpOnly. Checked when the manager is built; setting and clearing go through
/// the same settings, so the clearing cookie reaches the one that was set.
///
/// ```
/// use session_core::{CookieSettings, SameSite};
///
/// let admin = CookieSettings::default().name("__Host-admin").same_site(SameSite::Strict);
/// let shared = CookieSettings::default().name("__Secure-session").domain("example.com");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieSettings {
    name: Arc<str>,
    domain: Option<String>,
    path: String,
    same_site: SameSite,
    secure: bool,
    partitioned: bool,
    browser_session: bool,
}

impl Default for CookieSettings {
    /// `__Host-session`, Secure, HttpOnly, SameSite=Lax, Path=/.
    fn default() -> Self {
        Self {
            name: Arc::from("__Host-session"),
            domain: None,
            path: "/".to_owned(),
            same_site: SameSite::Lax,
            secure: true,
            partitioned: false,
            browser_session: false,
        }
    }
}

impl CookieSettings {
    /// For plain http on a developer's machine: `session`, without Secure.
    #[must_use]
    pub fn development() -> Self {
        Self::default().name("session").secure(false)
    }

    /// The name. Default `__Host-session`: browsers then insist on Secure, Path=/ and no Domain, so that no sibling
    /// subdomain can plant one. Names without the prefix lose that protection.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Arc::from(name);
        self
    }

    /// Sends the cookie to `domain` (`example.com`) and all its subdomains, and lets each of them plant one. Default:
    /// to this host only.
    #[must_use]
    pub fn domain(mut self, domain: &str) -> Self {
        self.domain = Some(domain.to_owned());
        self
    }

    /// Sends the cookie below `path` only. Default `/`. Not a security boundary.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Whether other sites' requests carry it. Default [`SameSite::Lax`](crate::SameSite::Lax).
    #[must_use]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// Only over https (and to localhost). Default `true`.
    #[must_use]
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// One cookie per embedding site (CHIPS), for pages shown in frames of other sites. Default `false`. Needs Secure,
    /// and [`SameSite::None`](crate::SameSite::None) for such frames to send it at all.
    #[must_use]
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.partitioned = partitioned;
        self
    }

    /// Ends with the browser: no Max-Age. Default `false`. The session itself still has its lifetimes.
    #[must_use]
    pub fn browser_session(mut self, ends_with_browser: bool) -> Self {
        self.browser_session = ends_with_browser;
        self
    }

    pub(crate) fn get_name(&self) -> &str {
        &self.name
    }
}

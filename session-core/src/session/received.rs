//! What is taken from a request, once, before anything is decided.

use std::net::IpAddr;

use crate::SessionPayload;
use crate::cookie::Candidates;
use crate::error::Challenge;
use crate::manager::Manager;
use crate::request::{self, Bearer};
use crate::request::{CrossOriginRefusal, RequestHead};

/// Everything a session needs of its request, owned: the head is gone when an operation runs.
pub(crate) struct Received {
    pub(crate) credential: Credential,
    /// Why the request counts as one from another origin.
    pub(crate) cross_origin: Option<CrossOriginRefusal>,
    pub(crate) ip_address: Option<IpAddr>,
    pub(crate) user_agent: Option<String>,
    /// Where a browser navigation goes to log in.
    pub(crate) login_redirect: Option<String>,
}

/// What the client shows. A bearer token decides alone.
pub(crate) enum Credential {
    Cookies(Candidates),
    Bearer(Vec<u8>),
    MalformedBearer,
}

impl Received {
    pub(crate) fn of<U: SessionPayload>(manager: &Manager<U>, head: &impl RequestHead) -> Self {
        let credential = Credential::of(manager, head);
        let cross_origin = match credential {
            Credential::Cookies(_) => manager.cross_origin.check(head).err(),
            // Not an ambient credential: no other origin can make a browser send it.
            Credential::Bearer(_) | Credential::MalformedBearer => None,
        };
        // A client that shows a token is told so; no browser navigates with one.
        let login_redirect = match credential {
            Credential::Cookies(_) => login_redirect(manager, head),
            Credential::Bearer(_) | Credential::MalformedBearer => None,
        };
        Self {
            credential,
            cross_origin,
            ip_address: manager.proxies.client(head),
            user_agent: request::user_agent(head),
            login_redirect,
        }
    }

    pub(crate) fn is_bearer(&self) -> bool {
        !matches!(self.credential, Credential::Cookies(_))
    }

    pub(crate) fn challenge(&self, accepts_bearer: bool) -> Challenge {
        match &self.credential {
            Credential::Bearer(_) | Credential::MalformedBearer => Challenge::Token,
            Credential::Cookies(cookies) if accepts_bearer && cookies.iter().next().is_none() => {
                Challenge::Scheme
            }
            Credential::Cookies(_) => Challenge::None,
        }
    }
}

impl Credential {
    fn of<U: SessionPayload>(manager: &Manager<U>, head: &impl RequestHead) -> Self {
        let bearer = if manager.bearer { request::bearer(head) } else { Bearer::Absent };
        match bearer {
            Bearer::Absent => Self::Cookies(Candidates::from_head(head, manager.cookie.name())),
            Bearer::Token(token) => Self::Bearer(token),
            Bearer::Malformed => Self::MalformedBearer,
        }
    }

    /// The tokens to try, in the order of arrival.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = &[u8]> {
        let (cookies, bearer) = match self {
            Self::Cookies(candidates) => (Some(candidates.iter()), None),
            Self::Bearer(token) => (None, Some(token.as_slice())),
            Self::MalformedBearer => (None, Some(&[] as &[u8])),
        };
        cookies.into_iter().flatten().chain(bearer)
    }
}

fn login_redirect<U: SessionPayload>(manager: &Manager<U>, head: &impl RequestHead) -> Option<String> {
    let login_page = manager.login_page.as_ref()?;
    request::is_navigation(head).then(|| login_page.location(manager.proxies.prefix(head), head.target()))
}

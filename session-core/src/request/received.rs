//! What is taken from a request, once, before anything is decided.

use std::net::IpAddr;
use std::sync::Arc;

use super::RequestHead;
use super::bearer::{Bearer, bearer};
use super::client::{ClientAddress, TrustedProxies, UserAgent};
use super::cross_origin::{CrossOrigin, CrossOriginRefusal};
use super::login::LoginPage;
use super::navigation::is_navigation;
use crate::cookie::{Candidates, Companions, Finder, PARKED};
use crate::error::Challenge;

/// The manager's settings about requests.
pub(crate) struct Rules {
    pub(crate) cookie: Arc<str>,
    /// What the names of the cookies beside it begin with.
    pub(crate) companions: Box<str>,
    /// The name of the cookie of a token that waits, where it does not begin like that.
    pub(crate) parked: Option<Box<str>>,
    pub(crate) cross_origin: CrossOrigin,
    pub(crate) proxies: TrustedProxies,
    pub(crate) address: ClientAddress,
    pub(crate) user_agent: bool,
    pub(crate) bearer: bool,
    pub(crate) login_page: Option<LoginPage>,
}

/// What a session needs of its request beside its tokens, owned: the head is gone when an operation runs.
pub(crate) struct Received {
    /// A bearer token decides alone.
    pub(crate) is_bearer: bool,
    /// The cookies beside the session's.
    pub(crate) companions: Companions,
    pub(crate) form: Form,
    /// Why the request counts as one from another origin.
    pub(crate) cross_origin: Option<CrossOriginRefusal>,
    pub(crate) client: Client,
    /// Where a browser navigation goes to log in.
    pub(crate) login_redirect: Option<String>,
    /// The path that a trusted proxy has taken off, for such a navigation.
    pub(crate) told_prefix: Option<String>,
    /// How a refusal answers.
    pub(crate) challenge: Challenge,
}

/// Who asks.
#[derive(Default)]
pub(crate) struct Client {
    pub(crate) ip_address: Option<IpAddr>,
    pub(crate) user_agent: UserAgent,
}

/// What the client shows. A bearer token decides alone.
enum Credential<'a> {
    Cookies(Candidates<'a>),
    Bearer(&'a [u8]),
    MalformedBearer,
}

impl Rules {
    /// Takes what is needed. `read` gets the tokens, unless the request is one from another origin.
    pub(crate) fn receive<'a>(
        &self,
        head: &'a impl RequestHead,
        read: impl FnOnce(&mut dyn Iterator<Item = &'a [u8]>),
    ) -> Received {
        let (credential, companions) = self.credential(head);
        let (mut cross_origin, mut login_redirect) = (None, None);
        // A bearer token is no ambient credential: no other origin can make a browser send it, and no browser navigates
        // with one.
        if let Credential::Cookies(_) = credential {
            cross_origin = self.cross_origin.check(head).err();
            login_redirect = self.login_redirect(head);
        }
        if cross_origin.is_none() {
            credential.show(read);
        }
        Received {
            cross_origin,
            client: self.client(head),
            form: Form::of(head),
            told_prefix: login_redirect.as_ref().and_then(|_| self.proxies.prefix(head)).map(str::to_owned),
            login_redirect,
            companions,
            challenge: self.challenge(&credential),
            is_bearer: !matches!(credential, Credential::Cookies(_)),
        }
    }

    /// As much of who asks as may be kept.
    fn client(&self, head: &impl RequestHead) -> Client {
        let ip_address = self.proxies.client(head).and_then(|address| self.address.of(address));
        let user_agent = if self.user_agent { UserAgent::of(head) } else { UserAgent::default() };
        Client { ip_address, user_agent }
    }

    fn credential<'a>(&self, head: &'a impl RequestHead) -> (Credential<'a>, Companions) {
        match if self.bearer { bearer(head) } else { Bearer::Absent } {
            Bearer::Absent => {
                let mut finder = Finder::new(&self.companions).and_parked(self.parked.as_deref());
                let session = Candidates::from_head(head, &self.cookie, &mut finder);
                (Credential::Cookies(session), finder.finish())
            }
            Bearer::Token(token) => (Credential::Bearer(token), Companions::default()),
            Bearer::Malformed => (Credential::MalformedBearer, Companions::default()),
        }
    }

    fn login_redirect(&self, head: &impl RequestHead) -> Option<String> {
        let login_page = self.login_page.as_ref()?;
        is_navigation(head).then(|| login_page.location(self.proxies.prefix(head), head.target()))
    }

    /// A client that shows a token learns what is wrong with it; one that shows nothing, that it could show one.
    fn challenge(&self, credential: &Credential<'_>) -> Challenge {
        match credential {
            Credential::Bearer(_) | Credential::MalformedBearer => Challenge::Token,
            Credential::Cookies(cookies) if self.bearer && cookies.iter().next().is_none() => {
                Challenge::Scheme
            }
            Credential::Cookies(_) => Challenge::None,
        }
    }
}

/// How the request came about, as far as flows must know.
#[derive(Clone, Copy, Default)]
pub(crate) struct Form {
    pub(crate) is_post: bool,
    /// A page of another site made the browser send it (Fetch Metadata, `Sec-Fetch-Site`).
    pub(crate) is_cross_site: bool,
    /// It is a POST, and the answer becomes the page that the browser shows (`Sec-Fetch-Dest`).
    pub(crate) is_posted_document: bool,
    /// It is a POST to a target with a query.
    pub(crate) has_query: bool,
}

impl Form {
    fn of(head: &impl RequestHead) -> Self {
        let says = |name, value: &[u8]| head.header(name).any(|sent| sent == value);
        let is_post = head.method() == "POST";
        Self {
            is_post,
            is_cross_site: says("sec-fetch-site", b"cross-site"),
            is_posted_document: is_post && says("sec-fetch-dest", b"document"),
            // What a target costs depends on the framework.
            has_query: is_post && head.target().contains('?'),
        }
    }
}

impl Received {
    /// The tokens that wait while their user acts as another one, as the request shows them.
    pub(crate) fn parked(&self) -> impl Iterator<Item = &str> {
        let parked = self.companions.iter().filter(|cookie| cookie.suffix == PARKED);
        parked.map(|cookie| &*cookie.value)
    }
}

impl<'a> Credential<'a> {
    /// The tokens to try, in the order of arrival.
    fn show(&self, read: impl FnOnce(&mut dyn Iterator<Item = &'a [u8]>)) {
        match self {
            Self::Cookies(candidates) => read(&mut candidates.iter()),
            Self::Bearer(token) => read(&mut std::iter::once(*token)),
            Self::MalformedBearer => read(&mut std::iter::once(&[] as &[u8])),
        }
    }
}

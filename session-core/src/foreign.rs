//! Sessions that another system began, as the application reads them.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use sha2::{Digest, Sha256};

use crate::cookie::CookieSettings;
use crate::id::{Place, SessionId};
use crate::login::LoginOptions;
use crate::payload::SessionPayload;
use crate::request::RequestHead;
use crate::time::Timestamp;
use crate::token::{Carried, Codec, MAX_TOKEN_LEN, Tries};

/// In bytes. Servers take request lines of 8 KiB to 16 KiB; what is longer is not looked at.
const MAX_COOKIES: usize = 4 * MAX_TOKEN_LEN;
const MAX_ID: usize = 512;

/// A session that another system began, for [`SessionManagerBuilder::adopt_from`](crate::SessionManagerBuilder::adopt_from)
/// and [`Session::adopt`](crate::Session::adopt). `Debug` shows the cookie's name.
///
/// Say of it what the other system's cookie **proves**, and nothing more:
///
/// ```
/// use session_core::{Foreign, Timestamp};
///
/// # let (sid, login, expires) = ("", Timestamp::EPOCH, Timestamp::EPOCH);
/// let foreign = Foreign::new("__Host-sid").id(sid).authenticated_at(login).ends_at(expires);
/// ```
#[derive(Clone)]
pub struct Foreign {
    cookie: String,
    id: Option<Vec<u8>>,
    authenticated_at: Option<Timestamp>,
    issued_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    allows_any_name: bool,
    cleared: Vec<CookieSettings>,
}

impl Foreign {
    /// A session that came in the cookie of this name. One without `__Host-` or `__Secure-` before its name is refused,
    /// unless [allowed](Self::allow_any_name).
    #[must_use]
    pub fn new(cookie: impl Into<String>) -> Self {
        Self {
            cookie: cookie.into(),
            id: None,
            authenticated_at: None,
            issued_at: None,
            ends_at: None,
            allows_any_name: false,
            cleared: Vec::new(),
        }
    }

    /// What names the session there as long as it lives: the key of express-session or Django, the `session_id` of Rails.
    /// 1 to 512 bytes. Never a `jti`, a time or the ciphertext, which are others after each visit.
    ///
    /// With an id the session is adopted once: requests that come together share one session, and after its end, be it by
    /// logout, eviction, revocation or time, a copy of the foreign cookie opens nothing. Without one, see
    /// [`adopt_from`](crate::SessionManagerBuilder::adopt_from). Default: none.
    #[must_use]
    pub fn id(mut self, id: impl AsRef<[u8]>) -> Self {
        self.id = Some(id.as_ref().to_vec());
        self
    }

    /// When the user logged in there. The absolute lifetime counts from it. Default: unknown.
    #[must_use]
    pub fn authenticated_at(mut self, at: impl Into<Option<Timestamp>>) -> Self {
        self.authenticated_at = at.into();
        self
    }

    /// When the cookie was made, at the earliest. Default: unknown.
    #[must_use]
    pub fn issued_at(mut self, at: impl Into<Option<Timestamp>>) -> Self {
        self.issued_at = at.into();
        self
    }

    /// When the session ends there; ours ends then at the latest. Default: unknown, and ours ends when
    /// [adopting](crate::SessionManagerBuilder::adopt_until) does.
    #[must_use]
    pub fn ends_at(mut self, at: impl Into<Option<Timestamp>>) -> Self {
        self.ends_at = at.into();
        self
    }

    /// Takes a cookie whose name has no `__Host-` and no `__Secure-`.
    ///
    /// Danger: any subdomain, and whoever can answer plain http in your name, can plant such a cookie: with a session of
    /// their own, your user works in the attacker's account (login CSRF). The other system has that danger today.
    #[must_use]
    pub fn allow_any_name(mut self) -> Self {
        self.allows_any_name = true;
        self
    }

    /// Clears a cookie of the other system when this session is adopted, and at a login or logout here. Give it the name,
    /// path and domain with which it was set: a browser ignores others. Default: none, as the other system may still need
    /// them.
    #[must_use]
    pub fn clear(mut self, cookie: CookieSettings) -> Self {
        self.cleared.push(cookie);
        self
    }

    /// The latest time that a revocation must lie after to leave it alone: what is unknown is as old as can be.
    pub(crate) fn proven_at(&self) -> Timestamp {
        let times = [self.authenticated_at, self.issued_at];
        times.into_iter().flatten().min().unwrap_or(Timestamp::EPOCH)
    }

    /// The earliest that is known of the login.
    pub(crate) fn begun_at(&self) -> Option<Timestamp> {
        self.authenticated_at.or(self.issued_at)
    }

    pub(crate) fn end(&self) -> Option<Timestamp> {
        self.ends_at
    }

    pub(crate) fn has_id(&self) -> bool {
        self.id.is_some()
    }

    /// The id that ours has.
    pub(crate) fn our_id(&self, realm: &str, subject: Option<&str>) -> Option<SessionId> {
        let mut hash = Sha256::new();
        hash.update(b"session adopted\0");
        for part in [realm.as_bytes(), subject.unwrap_or_default().as_bytes(), self.id.as_deref()?] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        let mut bytes = [0; SessionId::LEN];
        bytes.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
        let [_, _, random @ ..] = bytes;
        let id = subject.map(|subject| SessionId::new(Place::of(subject), random));
        Some(id.unwrap_or(SessionId::from_bytes(bytes)))
    }

    /// Why it is not adopted, whoever comes with it. Times may lie ahead as far as clocks differ.
    pub(crate) fn problem(&self, now: Timestamp, latest: Timestamp) -> Option<&'static str> {
        let is_known = ["__Host-", "__Secure-"].iter().any(|prefix| self.cookie.starts_with(prefix));
        let times = [self.authenticated_at, self.issued_at];
        if !is_known && !self.allows_any_name {
            Some("its cookie has neither __Host- nor __Secure- before its name: see Foreign::allow_any_name")
        } else if self.ends_at.is_some_and(|end| end <= now) {
            Some("it is over")
        } else if times.into_iter().flatten().any(|at| at > latest) {
            Some("it is from the future")
        } else if self.id.as_ref().is_some_and(|id| !(1..=MAX_ID).contains(&id.len())) {
            Some("its id is not 1 to 512 bytes long")
        } else if self.cleared.iter().any(|cookie| cookie.validate().is_err()) {
            Some("a cookie to clear has settings that browsers drop")
        } else {
            None
        }
    }

    /// The `Set-Cookie` values that clear its cookies.
    pub(crate) fn clearing(&self) -> impl Iterator<Item = String> {
        self.cleared.iter().map(|cookie| cookie.clone().into_writer().clear())
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foreign").field("cookie", &self.cookie).finish_non_exhaustive()
    }
}

/// The cookies of a request, for a reader of another system's sessions: bytes as they were sent. At most 16 KiB; of a
/// request with more nothing is shown. `Debug` shows nothing of them.
#[derive(Clone)]
pub struct ForeignCookies(Box<[u8]>);

impl ForeignCookies {
    /// `None` for a request without cookies.
    pub(crate) fn of(head: &impl RequestHead) -> Option<Self> {
        let mut line = Vec::new();
        for part in head.header("cookie") {
            append(&mut line, &[part]);
        }
        if line.is_empty() {
            head.jar()
                .for_each(|(name, value)| append(&mut line, &[name.as_bytes(), b"=", value.as_bytes()]));
        }
        (1..=MAX_COOKIES).contains(&line.len()).then(|| Self(line.into()))
    }

    /// All of them in one `Cookie` line (RFC 6265 section 4.2).
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The values of the cookies of this name, in the order of arrival. There may be several: one that decodes to another
    /// account than the next is no ground to choose, and both are to be refused.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.0.split(|&byte| byte == b';').filter_map(move |pair| {
            let rest = pair.trim_ascii().strip_prefix(name.as_bytes())?;
            Some(rest.trim_ascii_start().strip_prefix(b"=")?.trim_ascii())
        })
    }
}

fn append(line: &mut Vec<u8>, parts: &[&[u8]]) {
    if line.len() > MAX_COOKIES {
        return;
    }
    if !line.is_empty() {
        line.extend_from_slice(b"; ");
    }
    parts.iter().for_each(|part| line.extend_from_slice(part));
}

impl fmt::Debug for ForeignCookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForeignCookies")
    }
}

/// Somebody who comes with a session of another system.
pub(crate) struct Newcomer<U> {
    pub(crate) user: U,
    pub(crate) foreign: Foreign,
    /// What is known of their login beyond that.
    pub(crate) options: LoginOptions,
}

type Failure = Box<dyn Error + Send + Sync>;

/// Looks for a session of another system in these cookies.
pub(crate) type ReadForeign<U> = Box<
    dyn Fn(ForeignCookies) -> Pin<Box<dyn Future<Output = Result<Option<(U, Foreign)>, Failure>> + Send>>
        + Send
        + Sync,
>;

/// Where sessions are adopted from.
pub(crate) struct Sources<U> {
    pub(crate) read: Option<ReadForeign<U>>,
    /// Of tokens that this manager wrote before it had a store.
    pub(crate) tokens: Option<Codec>,
}

/// What a request shows beside the tokens of its session.
pub(crate) struct Shows<U> {
    pub(crate) cookies: Option<ForeignCookies>,
    /// Tokens from before there was a store.
    pub(crate) tokens: Vec<Carried<U>>,
}

impl<U> Shows<U> {
    pub(crate) fn new(cookies: Option<ForeignCookies>, tokens: Vec<Carried<U>>) -> Option<Box<Self>> {
        (cookies.is_some() || !tokens.is_empty()).then(|| Box::new(Self { cookies, tokens }))
    }
}

impl<U: SessionPayload> Sources<U> {
    /// What a token from before there was a store says.
    pub(crate) fn carried(&self, token: &[u8], now: Timestamp, tries: &Tries) -> Option<Carried<U>> {
        self.tokens.as_ref()?.verify_in(token, now, tries).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use crate::testing::TestRequest;

    #[test]
    fn our_id_is_the_same_for_the_same_session_and_another_for_any_other() {
        let foreign = |id: &str| Foreign::new("sid").id(id);
        let ours = foreign("a").our_id("r", Some("ann")).unwrap();
        assert_eq!(ours.place(), Place::of("ann"));
        assert_eq!(Some(ours), foreign("a").our_id("r", Some("ann")));
        for (id, realm, subject) in
            [("b", "r", "ann"), ("a", "s", "ann"), ("a", "r", "bob"), ("na", "r", "an")]
        {
            assert_ne!(Some(ours), foreign(id).our_id(realm, Some(subject)));
        }
        assert_eq!(Foreign::new("sid").our_id("r", Some("ann")), None);
    }

    #[test]
    fn what_is_known_earliest_counts_and_the_unknown_is_as_old_as_can_be() {
        let at = Timestamp::from_unix_seconds;
        let foreign = || Foreign::new("sid");
        assert_eq!(foreign().proven_at(), Timestamp::EPOCH);
        assert_eq!(foreign().authenticated_at(at(5)).issued_at(at(9)).proven_at(), at(5));
        assert_eq!(foreign().authenticated_at(at(9)).issued_at(at(5)).proven_at(), at(5));
    }

    #[test]
    fn cookies_of_several_lines_are_found_by_their_exact_name() {
        let head =
            TestRequest::new("GET", "/").header("cookie", b"a=1; sid=x").header("cookie", b"sid2=y; sid = z");
        let cookies = ForeignCookies::of(&head).unwrap();
        assert_eq!(cookies.named("sid").collect::<Vec<_>>(), [&b"x"[..], b"z"]);
        assert_eq!(cookies.as_bytes(), b"a=1; sid=x; sid2=y; sid = z");
        assert!(ForeignCookies::of(&TestRequest::new("GET", "/")).is_none());
    }

    #[test]
    fn of_more_cookies_than_servers_take_nothing_is_shown() {
        let head = TestRequest::new("GET", "/").header("cookie", b"x=1; ".repeat(MAX_COOKIES / 5 + 1));
        assert!(ForeignCookies::of(&head).is_none());
    }
}

//! Building a manager: every setting, its default, and the checks between them.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::SessionManager;
use crate::clock::{Clock, RandomSource, SystemClock, SystemRandom};
use crate::cookie::{CompanionWriter, CookieSettings, PARKED};
use crate::data::Data;
use crate::engine::Engine;
use crate::error::ConfigError;
use crate::event::SessionObserver;
use crate::flow::FLOW_LIFETIME;
use crate::foreign::{Foreign, ForeignCookies, ReadForeign, Sources};
use crate::lifetimes::Lifetimes;
use crate::mode::{EndedList, Mode, ReplayPolicy, Stateless, Tracked};
use crate::payload::SessionPayload;
use crate::request::{ClientAddress, CrossOrigin, LoginPage, Rules, TrustedProxies, configured_prefix};
use crate::revalidation::{Revalidate, Revalidation};
use crate::service::{Service, Warnings};
use crate::store::{Hybrid, RecentRecords, SessionLimit, SessionStore, Turns};
use crate::time::Timestamp;
use crate::token::{Codec, KeyRing, Sealing, TokenForm};

/// Collects the settings of a [`SessionManager`]; [`build`](Self::build) checks them against each other.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use session_core::{KeyRing, SessionManager, SessionPayload, store::MemoryStore};
/// # #[derive(Clone, Serialize, Deserialize)]
/// # struct User { user_id: String }
/// # impl SessionPayload for User { fn subject(&self) -> Option<std::borrow::Cow<'_, str>> { Some((&self.user_id).into()) } }
/// # fn main() -> Result<(), session_core::ConfigError> {
/// let keys = KeyRing::from_secret("a secret of at least thirty-two bytes")?;
/// let sessions = SessionManager::<User>::builder().keys(keys).store(MemoryStore::new()).build()?;
/// # Ok(()) }
/// ```
#[must_use = "nothing is built before .build()"]
pub struct SessionManagerBuilder<U: SessionPayload> {
    keys: Option<KeyRing>,
    sealing_keys: Option<KeyRing>,
    token_form: TokenForm,
    seal_records: bool,
    sub_field: Option<String>,
    issuer: Option<String>,
    cookie: CookieSettings,
    lifetimes: Lifetimes,
    realm: Option<String>,
    store: Option<Box<dyn SessionStore>>,
    store_deadline: Duration,
    hybrid: Option<Duration>,
    hybrid_capacity: usize,
    ended_capacity: usize,
    session_limit: Option<SessionLimit>,
    replay: ReplayPolicy,
    fresh_for_revocation: Option<Duration>,
    requires_attempts: bool,
    cross_origin: CrossOrigin,
    proxies: TrustedProxies,
    address: ClientAddress,
    user_agent: bool,
    bearer: bool,
    login_page: Option<String>,
    public_origin: Option<String>,
    public_prefix: Option<String>,
    data: Data,
    adopt_until: Option<Timestamp>,
    adopt_from: Option<ReadForeign<U>>,
    adopt_tokens: Option<TokenForm>,
    revalidate: Option<Revalidate<U>>,
    revalidate_every: Option<Duration>,
    observer: Option<Box<dyn SessionObserver>>,
    clock: Arc<dyn Clock>,
    random: Box<dyn RandomSource>,
}

impl<U: SessionPayload> SessionManagerBuilder<U> {
    pub(super) fn new() -> Self {
        Self {
            keys: None,
            sealing_keys: None,
            token_form: TokenForm::default(),
            seal_records: false,
            sub_field: None,
            issuer: None,
            cookie: CookieSettings::default(),
            lifetimes: Lifetimes::default(),
            realm: None,
            store: None,
            store_deadline: Duration::from_secs(2),
            hybrid: None,
            hybrid_capacity: 100_000,
            ended_capacity: 1_000_000,
            session_limit: Some(SessionLimit::EvictLeastRecentlySeen(100)),
            replay: ReplayPolicy::default(),
            fresh_for_revocation: None,
            requires_attempts: false,
            cross_origin: CrossOrigin::default(),
            proxies: TrustedProxies::default(),
            address: ClientAddress::default(),
            user_agent: true,
            bearer: false,
            login_page: None,
            public_origin: None,
            public_prefix: None,
            data: Data::default(),
            adopt_until: None,
            adopt_from: None,
            adopt_tokens: None,
            revalidate: None,
            revalidate_every: None,
            observer: None,
            clock: Arc::new(SystemClock),
            random: Box::new(SystemRandom),
        }
    }

    /// The keys that sign and verify tokens. Required.
    pub fn keys(mut self, keys: KeyRing) -> Self {
        self.keys = Some(keys);
        self
    }

    /// The keys that seal [flows](crate::Flows), [flashes](crate::Flash), tokens ([`TokenForm::Sealed`]) and payloads
    /// ([`seal_records`](Self::seal_records)), where the ring of [`keys`](Self::keys) has key pairs: keys that seal are
    /// derived from secrets (HS256, HS384, HS512), another one for each purpose and realm. They rotate as all keys do;
    /// let one seal at most 2^32 things for one purpose (its nonces are random, NIST SP 800-38D section 8.3). Default:
    /// `keys`.
    pub fn sealing_keys(mut self, keys: KeyRing) -> Self {
        self.sealing_keys = Some(keys);
        self
    }

    /// Keeps sessions in a store: logout everywhere at once, lists of devices, no lost updates. Costs one round trip
    /// per request that uses the session. Default: none, the cookie holds everything (stateless).
    pub fn store(mut self, store: impl SessionStore) -> Self {
        self.store = Some(Box::new(store));
        self
    }

    /// How long one operation, such as opening a session or an update, may wait for the store: for all its calls
    /// together, and for others who change the same session. Then it is 503, and a later attempt can succeed. Default
    /// 2 s.
    pub fn store_deadline(mut self, deadline: Duration) -> Self {
        self.store_deadline = deadline;
        self
    }

    /// Hybrid mode: a session that this process read less than `staleness_bound` ago is used without asking the store
    /// (30 s is a good bound). Needs a store. Default: none, every request that uses a session asks.
    ///
    /// A logout, and whatever else ends a session or its old token, is effective at once in the manager that did it and
    /// its clones, and in other processes within the bound; near-instantly where the store can push and
    /// [`SessionManager::maintain`](crate::SessionManager::maintain) runs. What the store did although it had not answered in time counts as done
    /// elsewhere. An update made elsewhere may take as long to be seen. The store is asked all the same by whatever
    /// changes a session, by a refresh, the first use of a refreshed token, [`Fresh`](crate::Fresh), the session
    /// routes, and for a session that this process has not read lately. When the store is down, the sessions read
    /// lately are served until the bound is over, and then it is 503, as without this mode.
    ///
    /// A use that is served from memory is not written down as last-seen, so an idle timeout may err early by the bound,
    /// beside [`Lifetimes::last_seen_interval`](crate::Lifetimes::last_seen_interval).
    pub fn hybrid(mut self, staleness_bound: Duration) -> Self {
        self.hybrid = Some(staleness_bound);
        self
    }

    /// How many sessions hybrid mode remembers, the last ones read. Default 100,000; each takes about 500 bytes and
    /// its payload.
    pub fn hybrid_capacity(mut self, sessions: usize) -> Self {
        self.hybrid_capacity = sessions;
        self
    }

    /// Without a store: how many ended sessions this process remembers, so that their tokens stay refused. Default
    /// 1,000,000, of about 100 bytes each.
    ///
    /// Each is kept for `max_age` and the leeway ([`TokenForm::Plain`](crate::TokenForm::Plain): for the absolute lifetime), so with the defaults
    /// 11 logouts a second, all day long, fill it. When it is full, a logout is
    /// [`CookieOnly`](crate::Destroyed::CookieOnly); that, a login or a re-authentication whose old session could not be
    /// remembered is told as [`EndedListFull`](crate::EventKind::EndedListFull).
    pub fn ended_capacity(mut self, sessions: usize) -> Self {
        self.ended_capacity = sessions;
        self
    }

    /// Settings for plain http on a developer's machine: a cookie `session` without Secure.
    pub fn development(self) -> Self {
        self.cookie(CookieSettings::development())
    }

    /// The cookie. Default `__Host-session`, Secure, HttpOnly, SameSite=Lax, Path=/.
    pub fn cookie(mut self, cookie: CookieSettings) -> Self {
        self.cookie = cookie;
        self
    }

    /// How long sessions live. Default: 24 h, refreshed in the last 30 minutes, at most 30 days.
    pub fn lifetimes(mut self, lifetimes: Lifetimes) -> Self {
        self.lifetimes = lifetimes;
        self
    }

    /// Sets this manager apart from others with the same keys or store: written and checked as the claim `aud`
    /// (RFC 7519 section 4.1.3), and the manager's part of the store. Default: the cookie's name.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// Writes and checks the claim `iss` (RFC 7519 section 4.1.1). Default: none.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// The shape of tokens. [`TokenForm::Plain`](crate::TokenForm::Plain) shares a login with a Next.js module on `jose`; read its warning.
    /// Only without a store. [`TokenForm::Sealed`](crate::TokenForm::Sealed) hides the payload from the browser.
    /// Default [`TokenForm::Typed`](crate::TokenForm::Typed).
    pub fn token_form(mut self, form: TokenForm) -> Self {
        self.token_form = form;
        self
    }

    /// Keeps the payload of each session, and what flows carry, sealed in the store (A256GCM), so that whoever reads the
    /// store or a backup does not read them, and nobody without the key writes one that opens. Each is bound to its
    /// realm and session: a row that was copied or moved opens nowhere. Needs a store and secret keys ([`keys`](Self::keys), or
    /// [`sealing_keys`](Self::sealing_keys)). Costs each read and write some microseconds, and the payload a
    /// third more room and some 150 bytes. Default: off.
    ///
    /// **In the clear stay** the account ([`subject`](SessionPayload::subject): lists and revocation go by it), all times,
    /// the browser's name and address ([`user_agent`](Self::user_agent), [`address`](Self::address)), and what a login
    /// was given (level, methods, who acts as whom). Those are not authenticated either: whoever writes to the store
    /// can still end sessions, move their times and levels, and put an old payload of a session back. In
    /// [hybrid mode](Self::hybrid) the memory has the sealed payload, too.
    ///
    /// **Switching on and off** logs nobody out: both kinds are read, whatever the setting, and each record is
    /// brought to the setting with its next write (a refresh at the latest). So is one that an older key of the ring sealed, so
    /// that a key can be retired `max_age` after another was promoted, as for tokens. A record whose key is gone, or that does not open
    /// at its place, is no session (401 `SESSION_INVALID`, with an event) and is left as it is. Let one key seal at most
    /// 2^32 records (NIST SP 800-38D section 8.3): each login, refresh and update seals one.
    pub fn seal_records(mut self, sealed: bool) -> Self {
        self.seal_records = sealed;
        self
    }

    /// In the [plain form](crate::TokenForm::Plain): this field of the payload, named as in its JSON (`userId`), is the
    /// claim `sub` (RFC 7519 section 4.1.2), for modules that name the account there. A token without the field is read
    /// with `sub` in its place; one in which the two differ is refused. Tokens of ours have both with the same value, so
    /// that every reader finds the one that it looks for. The field must be a string, or `null` or absent for a guest;
    /// a login says so otherwise. Costs a second look at each token. Default: none, `sub` is only kept.
    pub fn sub_field(mut self, field: impl Into<String>) -> Self {
        self.sub_field = Some(field.into());
        self
    }

    /// How many sessions one account may have, with a store. Default: 100, one more ends the least recently seen.
    pub fn session_limit(mut self, limit: impl Into<Option<SessionLimit>>) -> Self {
        self.session_limit = limit.into();
        self
    }

    /// What a replayed token does to its session, with a store. Default: end it.
    pub fn replay(mut self, policy: ReplayPolicy) -> Self {
        self.replay = policy;
        self
    }

    /// The session routes end other sessions only within so long after a login (ASVS 7.5.2). Default: no limit.
    pub fn fresh_for_revocation(mut self, limit: Duration) -> Self {
        self.fresh_for_revocation = Some(limit);
        self
    }

    /// Takes no login of an account without an [attempt](SessionManager::attempt): a login handler that forgets
    /// `.verified(attempt)` fails, with `Misuse`. Needs a store. Default: off.
    ///
    /// [`reauthenticate`](crate::Session::reauthenticate), [`complete`](crate::Session::complete) and
    /// [`step_up`](crate::Session::step_up) need none: they go on with an open session, and whoever ends the account's
    /// sessions ends that one. They take an attempt all the same.
    pub fn require_verified(mut self, required: bool) -> Self {
        self.requires_attempts = required;
        self
    }

    /// Protection against requests from other origins. Default: on, no other origin trusted.
    pub fn cross_origin(mut self, settings: CrossOrigin) -> Self {
        self.cross_origin = settings;
        self
    }

    /// The proxies whose word on the client's address counts. Default: none, the address is the peer's.
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// Accepts `Authorization: Bearer` (RFC 6750) from native clients. If present it decides alone: no cookie is looked
    /// at, no redirect to the login page is sent, and a 401 or 403 has a `WWW-Authenticate` that says what is wrong (see
    /// [`SessionError::to_response`](crate::SessionError::to_response)). Default: off.
    pub fn bearer(mut self, accept: bool) -> Self {
        self.bearer = accept;
        self
    }

    /// Where guards send a browser navigation without a session: a path of this service, as it knows it (`/login`), or
    /// a URL of another one (`https://login.example.com/`). Default: none, the answer is 401.
    ///
    /// It gets the query parameter `next`, the way back: a path, to be checked with [`checked_next`](crate::checked_next);
    /// or, for a login page on another origin, a URL that begins with [`public_origin`](Self::public_origin), to be
    /// checked there with [`ReturnTo`](crate::ReturnTo).
    pub fn login_page(mut self, page: impl Into<String>) -> Self {
        self.login_page = Some(page.into());
        self
    }

    /// This service as browsers see it, such as `https://app.example.com`: what the way back from a login page on another
    /// origin begins with. Needed for such a page, unused otherwise. It is never taken from the `Host` header, which
    /// clients and proxies write.
    pub fn public_origin(mut self, origin: impl Into<String>) -> Self {
        self.public_origin = Some(origin.into());
        self
    }

    /// The path that a proxy takes off before it passes requests on, such as `/rust`: it is put before the login page's
    /// path and before what `next` names. Paths in your own pages and redirects stay yours. Default: none. A proxy can
    /// tell it with each request, too: see [`TrustedProxies::prefix_header`](crate::TrustedProxies::prefix_header).
    pub fn public_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.public_prefix = Some(prefix.into());
        self
    }

    /// Asks at each refresh whether the account may go on, so that a disabled one ends in every mode. Default: yes.
    pub fn revalidate<F, Answer>(mut self, ask: F) -> Self
    where
        F: Fn(Arc<U>) -> Answer + Send + Sync + 'static,
        Answer: Future<Output = Revalidation<U>> + Send + 'static,
    {
        self.revalidate = Some(Box::new(move |user| Box::pin(ask(user))));
        self.revalidate_every = None;
        self
    }

    /// Asks whether the account may go on, in the place of [`revalidate`](Self::revalidate): with the first use of a
    /// session that is this long after its login or after it was last asked about, in whole seconds. A disabled account,
    /// or one with another role, is noticed so soon in browsers that are logged in. Extends nothing. Needs a store,
    /// which keeps when it was asked. Default: off.
    ///
    /// Of all requests of one session one asks in each process, and the others wait for its answer, at most for the
    /// [store's deadline](Self::store_deadline). An answer that takes longer counts as
    /// [`Defer`](Revalidation::Defer): the session goes on as it is and is asked about after this long again, so
    /// that an outage of the user database costs one request in each session a wait. Asking costs two round trips of the store
    /// beside the application's own; in hybrid mode, too.
    pub fn revalidate_every<F, Answer>(mut self, every: Duration, ask: F) -> Self
    where
        F: Fn(Arc<U>) -> Answer + Send + Sync + 'static,
        Answer: Future<Output = Revalidation<U>> + Send + 'static,
    {
        self = self.revalidate(ask);
        self.revalidate_every = Some(Duration::from_secs(every.as_secs()));
        self
    }

    /// Adopts sessions of another system until then: a team moves here, and nobody is logged out. Needs a store that
    /// [can](crate::store::SessionStore::can_adopt). Default: never.
    ///
    /// Choose a date after which who has not come back may log in anew: the longest life of a session there. Do not move it
    /// once it has passed: what kept ended sessions out is gone soon after. Give it to every node before any adopts, as a
    /// node without it ends sessions without barring the way back.
    pub fn adopt_until(mut self, until: Timestamp) -> Self {
        self.adopt_until = Some(until);
        self
    }

    /// Looks for a session of another system in the cookies of a request that has none here. Whoever is found is logged in
    /// with that very request. The crate `session-import` reads the cookies of Auth.js, express-session, Django and others;
    /// what they name may have to be looked up in the other system's store, so the answer may be awaited. Default: nothing.
    ///
    /// `read` is asked by guards and whatever else opens a session, never by `GET /session`, which writes nothing. It must
    /// map one foreign user to one [subject](SessionPayload::subject), the same as long as this is on, and answer `None` for
    /// disabled accounts. An error, and no answer within the [store's deadline](Self::store_deadline), is 503.
    ///
    /// * **Once.** With an [id](crate::Foreign::id) first requests that come together share one session, and after its end a
    ///   copy of the foreign cookie opens nothing.
    /// * **Without an id** the end of an adopted session, and an eviction, bars the account: nothing is adopted that was
    ///   [issued](crate::Foreign::issued_at) up to then, on any browser of that account. Where the other system goes on
    ///   issuing cookies, end its session there, too, or a copy gets in after the logout.
    /// * **Revocations hold** ([`revoke_account`](SessionManager::revoke_account) and its like): nothing is adopted that was
    ///   proven before, nor where nothing says when it was.
    /// * **A login or logout here** ends the foreign session that its request shows.
    /// * It counts as a login, may evict, and is told as [`Adopted`](crate::EventKind::Adopted); where the limit
    ///   [refuses](crate::store::SessionLimit::Refuse), it is 401, never 409.
    /// * [`Fresh`](crate::Fresh) does not pass, whatever the other system says of the login. Ask by it, and not by the status'
    ///   `authenticatedAt`: of an adopted session that is the earliest time that its cookie proves, which for Auth.js is the
    ///   last visit.
    /// * **Two cookies that contradict each other** are no error: answer `None`, or a subdomain that plants one makes every
    ///   request of its victim a 503.
    pub fn adopt_from<F, Answer>(mut self, read: F) -> Self
    where
        F: Fn(ForeignCookies) -> Answer + Send + Sync + 'static,
        Answer: Future<Output = Result<Option<(U, Foreign)>, Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        self.adopt_from = Some(Box::new(move |cookies| Box::pin(read(cookies))));
        self
    }

    /// Adopts this manager's own sessions from before it had a store: tokens of this form, under the same keys, realm and
    /// cookie. They go on with their user, level and end; claims of plain ones that the payload leaves out stay behind. A
    /// [`sub_field`](Self::sub_field) counts for them, too. Default: none.
    pub fn adopt_tokens(mut self, form: TokenForm) -> Self {
        self.adopt_tokens = Some(form);
        self
    }

    /// How much of a client's address is kept, in records, lists of devices and events. Default: all of it.
    pub fn address(mut self, kept: ClientAddress) -> Self {
        self.address = kept;
        self
    }

    /// Whether the browser's name (`User-Agent`) is kept, in records, lists of devices and events. Default: yes.
    pub fn user_agent(mut self, kept: bool) -> Self {
        self.user_agent = kept;
        self
    }

    /// What [guards](crate::Guard) of your own need beside the session, such as a database pool: one value of each type,
    /// which they ask for with [`Session::data`](crate::Session::data). Default: nothing.
    pub fn data<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.data.add(value);
        self
    }

    /// Sees every event, beside `tracing` (target `session`). Default: none.
    pub fn observer(mut self, observer: impl SessionObserver) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Where the time comes from. Default: the system.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where session ids, and the nonces of what is sealed, come from. Default: the system's secure source. Anything else belongs in tests.
    pub fn random(mut self, random: impl RandomSource) -> Self {
        self.random = Box::new(random);
        self
    }

    /// Checks the settings and builds the manager.
    ///
    /// # Errors
    /// A sentence that says which settings contradict each other and what to change.
    pub fn build(mut self) -> Result<SessionManager<U>, ConfigError> {
        self.check()?;
        let keys = self.keys.take().ok_or_else(|| {
            ConfigError::new("the manager has no keys: add .keys(KeyRing::from_env()?) or another key ring")
        })?;
        let login_page = self.checked_login_page()?;
        let realm = self.realm.take().unwrap_or_else(|| self.cookie.get_name().to_owned());
        let mode = self.mode();
        let sealing_keys = self.sealing_keys.take();
        // A secret that was given for flows and flashes makes no session that nobody asked for.
        let seals_all = keys.is_symmetric() && sealing_keys.is_none();
        let sealing = Arc::new(Sealing::new(sealing_keys.unwrap_or_else(|| keys.clone()), &realm));
        let Lifetimes { leeway, absolute_lifetime, .. } = self.lifetimes;
        let issuer = self.issuer.take();
        let sub_field = self.sub_field.take();
        let codec_of = |form| {
            let (keys, realm, issuer) = (keys.clone(), realm.clone(), issuer.clone());
            let codec = Codec::new(keys, realm, issuer, form, leeway, absolute_lifetime)
                .with_sub_field(sub_field.clone());
            if seals_all || form == TokenForm::Sealed { codec.sealed_by(Arc::clone(&sealing)) } else { codec }
        };
        let (codec, tokens) = (codec_of(self.token_form), self.adopt_tokens.map(codec_of));
        let read = self.adopt_from.take();
        let sources = (read.is_some() || tokens.is_some()).then_some(Sources { read, tokens });
        let companions = CompanionWriter::of(&self.cookie);
        let parked = self.cookie.clone().name(&format!("{}-{PARKED}", self.cookie.get_name())).into_writer();
        let has_the_stem = **parked.name() == *format!("{}{PARKED}", companions.stem());
        let service = Service {
            codec,
            sealing,
            seals_records: self.seal_records,
            cookie: self.cookie.into_writer(),
            lifetimes: self.lifetimes,
            realm,
            store_deadline: self.store_deadline,
            revalidate: self.revalidate,
            revalidate_every: self.revalidate_every,
            observer: self.observer,
            clock: self.clock,
            random: self.random,
            warnings: Warnings::default(),
        };
        let rules = Rules {
            cookie: Arc::clone(service.cookie.name()),
            companions: companions.stem().into(),
            parked: (!has_the_stem).then(|| (**parked.name()).into()),
            cross_origin: self.cross_origin,
            proxies: self.proxies,
            address: self.address,
            user_agent: self.user_agent,
            bearer: self.bearer,
            login_page,
        };
        let (fresh_for_revocation, requires_attempts) = (self.fresh_for_revocation, self.requires_attempts);
        let engine = Engine {
            service,
            mode,
            rules,
            keys,
            companions,
            parked,
            fresh_for_revocation,
            requires_attempts,
            sources,
            data: self.data,
        };
        Ok(SessionManager(Arc::new(engine)))
    }

    fn mode(&mut self) -> Mode {
        let Some(store) = self.store.take() else {
            let list = |keep| EndedList::new(self.ended_capacity, keep);
            return Mode::Stateless(Stateless::new(list(self.keep_ended()), list(FLOW_LIFETIME)));
        };
        let recent = self.hybrid.map(|bound| Arc::new(RecentRecords::new(bound, self.hybrid_capacity)));
        let store = match &recent {
            Some(recent) => {
                let (recent, clock) = (Arc::clone(recent), Arc::clone(&self.clock));
                Box::new(Hybrid { store, recent, clock })
            }
            None => store,
        };
        let (session_limit, replay) = (self.session_limit, self.replay);
        Mode::Tracked(Tracked {
            store,
            recent,
            turns: Turns::default(),
            asking: Turns::default(),
            session_limit,
            replay,
            adopt_until: self.adopt_until,
        })
    }

    fn check_adopting(&self) -> Result<(), ConfigError> {
        let wants = self.adopt_from.is_some() || self.adopt_tokens.is_some();
        let problem = match (self.adopt_until, &self.store) {
            (None, _) if wants => {
                "adopt_from and adopt_tokens need a time after which they are over: add .adopt_until(..)"
            }
            (Some(_), None) => {
                "sessions of another system are adopted into a store, which keeps those out that have ended: add \
                 .store(..), or leave adopt_until out"
            }
            (Some(_), Some(store)) if !store.can_adopt() => {
                "this store cannot adopt sessions of another system (SessionStore::can_adopt): take one that can"
            }
            _ => return Ok(()),
        };
        Err(ConfigError::new(problem))
    }

    /// Of the tokens that a session may have left behind, one lives longest: issued now, by the clock that is ahead
    /// most. In the plain form others issue them, and give them what life they like.
    fn keep_ended(&self) -> Duration {
        self.lifetimes.leeway.saturating_add(match self.token_form {
            TokenForm::Typed | TokenForm::Sealed => self.lifetimes.max_age,
            TokenForm::Plain => self.lifetimes.absolute_lifetime,
        })
    }

    fn checked_login_page(&mut self) -> Result<Option<LoginPage>, ConfigError> {
        let prefix = self.public_prefix.as_deref().map_or(Ok(""), configured_prefix)?;
        let page = self.login_page.take();
        page.map(|page| LoginPage::new(page, self.public_origin.as_deref(), prefix)).transpose()
    }

    fn check_hybrid(&self) -> Result<(), ConfigError> {
        let Some(bound) = self.hybrid else { return Ok(()) };
        let problem = if self.store.is_none() {
            "hybrid mode keeps recent sessions of a store, and there is none: add .store(..), or leave hybrid out"
        } else if bound.is_zero() || self.hybrid_capacity == 0 {
            "hybrid mode without time or room serves nothing: use 30 s and some thousand sessions, or leave it out"
        } else if self.lifetimes.idle_timeout.is_some_and(|idle| bound > idle / 10) {
            "the staleness bound of hybrid mode is above a tenth of idle_timeout, so active users would be logged out: \
             lower the bound or raise idle_timeout"
        } else {
            return Ok(());
        };
        Err(ConfigError::new(problem))
    }

    fn check_revalidation(&self) -> Result<(), ConfigError> {
        let problem = match self.revalidate_every {
            Some(_) if self.store.is_none() => {
                "revalidate_every needs a store, which keeps when an account was last asked about: add .store(..), or use \
                 revalidate, which asks with each refresh"
            }
            Some(every) if every.is_zero() => {
                "revalidate_every is less than a second, so each request would ask: give it a minute or more"
            }
            _ => return Ok(()),
        };
        Err(ConfigError::new(problem))
    }

    fn check_sealing(&self) -> Result<(), ConfigError> {
        let is_pairs = |keys: &Option<KeyRing>| keys.as_ref().is_some_and(|keys| !keys.is_symmetric());
        let is_sealed = |form| form == TokenForm::Sealed;
        let seals =
            self.seal_records || is_sealed(self.token_form) || self.adopt_tokens.is_some_and(is_sealed);
        let problem = if is_pairs(&self.sealing_keys) {
            "sealing_keys has key pairs, and only secrets seal: give it a ring of HS256, HS384 or HS512 keys"
        } else if self.seal_records && self.store.is_none() {
            "seal_records seals what a store keeps, and there is none: add .store(..), or use TokenForm::Sealed, which \
             seals what the cookie holds"
        } else if seals && self.sealing_keys.is_none() && is_pairs(&self.keys) {
            "TokenForm::Sealed and seal_records need a secret, and keys has key pairs only: add \
             .sealing_keys(KeyRing::from_env()?) or another ring of HS256, HS384 or HS512 keys"
        } else {
            return Ok(());
        };
        Err(ConfigError::new(problem))
    }

    fn check(&self) -> Result<(), ConfigError> {
        self.cookie.validate()?;
        self.lifetimes.validate(self.store.is_some())?;
        if self.store.is_some() && self.token_form == TokenForm::Plain {
            return Err(ConfigError::new(
                "plain tokens carry the payload and a store keeps it: use TokenForm::Typed, or no store",
            ));
        }
        let reads_plain = self.token_form == TokenForm::Plain || self.adopt_tokens == Some(TokenForm::Plain);
        if self.sub_field.is_some() && !reads_plain {
            return Err(ConfigError::new(
                "sub_field is for plain tokens, since no other form is shared with a module that has the claim `sub`: add \
                 .token_form(TokenForm::Plain), with a store .adopt_tokens(TokenForm::Plain), or leave it out",
            ));
        }
        if self.requires_attempts && self.store.is_none() {
            return Err(ConfigError::new(
                "require_verified needs a store, since without one nothing is ever revoked: add .store(..), or leave it \
                 out",
            ));
        }
        self.check_revalidation()?;
        self.check_adopting()?;
        if self.store_deadline.is_zero() {
            return Err(ConfigError::new("store_deadline is zero, so no call could succeed: use 2 s or so"));
        }
        self.check_sealing()?;
        self.check_hybrid()?;
        self.data.check()?;
        if let Some(SessionLimit::EvictLeastRecentlySeen(0) | SessionLimit::Refuse(0)) = self.session_limit {
            return Err(ConfigError::new(
                "session_limit is zero, so nobody could log in: use 1 or more, or None",
            ));
        }
        if self
            .realm
            .as_deref()
            .is_some_and(|realm| realm.is_empty() || realm.len() > 255 || realm.contains('\0'))
        {
            return Err(ConfigError::new("realm must be 1 to 255 bytes long and without NUL"));
        }
        Ok(())
    }
}

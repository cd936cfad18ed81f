//! Sessions of the other system, from which the fleet moves: how they begin, and what their cookies say.

use std::sync::{Arc, Mutex};

use session_core::testing::TestRequest;
use session_core::{Clock as _, KeyRing, SessionManager, TokenForm};

use crate::clock::NodeClock;
use crate::node::{OLD_KEY, REALM, key};
use crate::payload::{NewUser, OldUser, Payload};
use crate::random::{NodeRandom, Random};
use crate::settings::{Settings, Times};
use crate::stage::{lock, ready};
use crate::token::Change;

/// The cookie of a system that is not ours.
pub(crate) const COOKIE: &str = "__Host-other";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The other system has a name for each session, which lasts as long as it does.
    Named,
    /// Its cookies say who somebody is, and have no name for the session.
    Nameless,
    /// The other system is this one, from before it had a store.
    Token(TokenForm),
}

/// What the fleet knows of the system that it moves from.
#[derive(Clone, Debug)]
pub(crate) struct Moving {
    pub(crate) kind: Kind,
    /// When adopting is over, in seconds.
    pub(crate) until: i64,
    pub(crate) tells_when: bool,
    pub(crate) tells_the_end: bool,
    /// The other system's cookie is cleared when its session is adopted.
    pub(crate) clears: bool,
    /// Somebody else uses copies of its cookies.
    pub(crate) are_copied: bool,
    /// Planted faults.
    pub(crate) loses_the_end: bool,
    pub(crate) names_change: bool,
}

/// A session there.
#[derive(Clone, Debug)]
pub(crate) struct Visa {
    pub(crate) account: String,
    /// Which login it came from, as of a login here.
    pub(crate) serial: u64,
    /// `name=value`.
    pub(crate) cookie: String,
    pub(crate) kind: Kind,
    /// By the clock there, in seconds; `None` if the cookie does not say it.
    pub(crate) proven_at: Option<i64>,
    /// From then on it brings nobody in.
    pub(crate) good_until: i64,
    /// From then on its session here is over.
    pub(crate) ends_at: i64,
    /// From then on it is, whether adopting is or not.
    pub(crate) over_at: i64,
}

/// The system that the fleet moves from.
pub(crate) struct OtherSystem {
    clock: NodeClock,
    visas: Mutex<Vec<Arc<Visa>>>,
}

impl Moving {
    /// `end` is that of the run.
    pub(crate) fn draw(random: &mut Random, beginning: i64, end: u64) -> Self {
        let token = Kind::Token(random.pick(&[TokenForm::Typed, TokenForm::Sealed]));
        let kind = random.pick(&[Kind::Named, Kind::Named, Kind::Nameless, token]);
        let lasts = random.within(60..=end / 1000 + 200);
        Self {
            kind,
            until: beginning + seconds(lasts),
            tells_when: !random.chance(200),
            tells_the_end: !random.chance(300),
            clears: random.chance(300),
            are_copied: random.chance(300),
            loses_the_end: false,
            names_change: false,
        }
    }
}

impl Visa {
    pub(crate) fn is_named(&self) -> bool {
        self.kind != Kind::Nameless
    }

    /// Whether the key of its token counts no more.
    pub(crate) fn is_of(&self, kid: Option<&str>) -> bool {
        matches!(self.kind, Kind::Token(_)) && kid == Some(OLD_KEY)
    }
}

impl OtherSystem {
    pub(crate) fn new(clock: NodeClock) -> Self {
        Self { clock, visas: Mutex::default() }
    }

    /// Somebody logged in there some seconds ago, for so many.
    pub(crate) fn log_in(
        &self,
        settings: &Settings,
        account: usize,
        serial: u64,
        (age, life): (u64, u64),
    ) -> Option<Arc<Visa>> {
        let moving = settings.moving.as_ref()?;
        let visa = match moving.kind {
            Kind::Token(form) if settings.events.deploy => {
                self.token::<OldUser>(settings, form, account, serial)?
            }
            Kind::Token(form) => self.token::<NewUser>(settings, form, account, serial)?,
            _ => self.cookie(settings, moving, (account, serial), (age, life)),
        };
        let visa = Arc::new(visa);
        lock(&self.visas).push(Arc::clone(&visa));
        Some(visa)
    }

    /// One of all that there ever were.
    pub(crate) fn any(&self, random: &mut Random) -> Option<Arc<Visa>> {
        let visas = lock(&self.visas);
        visas.get(random.index(visas.len())).cloned()
    }

    fn cookie(
        &self,
        settings: &Settings,
        moving: &Moving,
        (account, serial): (usize, u64),
        (age, life): (u64, u64),
    ) -> Visa {
        let began = self.clock.now().unix_seconds() - seconds(age);
        let proven_at = moving.tells_when.then_some(began);
        let end = moving.tells_the_end.then_some(began + seconds(life));
        let text = |time: Option<i64>| time.map(|time| time.to_string()).unwrap_or_default();
        let good_until = end.unwrap_or(moving.until);
        let absolute = proven_at.map(|at| at + seconds(settings.times.absolute));
        Visa {
            account: settings.account(account),
            serial,
            cookie: format!("{COOKIE}={account}.{serial}.{}.{}", text(proven_at), text(end)),
            kind: moving.kind,
            proven_at,
            good_until,
            ends_at: absolute.map_or(good_until, |absolute| good_until.min(absolute)),
            over_at: end.into_iter().chain(absolute).min().unwrap_or(i64::MAX),
        }
    }

    /// As the fleet made them before it had a store.
    fn token<U: Payload>(
        &self,
        settings: &Settings,
        form: TokenForm,
        account: usize,
        serial: u64,
    ) -> Option<Visa> {
        // Idle timeouts need a store.
        let times = Times { idle: None, ..settings.times.clone() };
        let before = SessionManager::<U>::builder()
            .keys(KeyRing::new(key(OLD_KEY).ok()?).ok()?)
            .clock(self.clock.clone())
            .random(NodeRandom::new(serial ^ 0x5eed, false))
            .realm(REALM)
            .token_form(form)
            .lifetimes(times.lifetimes())
            .build()
            .ok()?;
        let name = settings.account(account);
        let request = TestRequest::new("POST", "/login");
        let login = ready(before.create_session(U::begin(&name, serial), &request))?.ok()?;
        let Change::Keep(token) = Change::read(login.changes.set_cookie()?)? else { return None };
        let began = self.clock.now().unix_seconds();
        Some(Visa {
            account: name,
            serial,
            cookie: token.cookie,
            kind: Kind::Token(form),
            proven_at: Some(began),
            good_until: token.expires_at,
            ends_at: began + seconds(settings.times.absolute),
            over_at: token.expires_at,
        })
    }
}

pub(crate) fn seconds(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

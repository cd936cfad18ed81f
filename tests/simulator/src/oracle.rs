//! Who knows what was promised, and looks at every answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use session_core::{ErrorKind, SessionId};

use crate::backend::{Backend, Why};
use crate::payload::Seen;
use crate::settings::{Mode, Settings};
use crate::stage::{Millis, Stage, lock};
use crate::token::Token;

/// Where and when a request was worked on.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    pub(crate) at: Millis,
    pub(crate) place: Place,
    /// What the node's clock showed, in seconds, and how often it had been set.
    pub(crate) wall: i64,
    pub(crate) jumps: u64,
    pub(crate) token: Option<Token>,
    /// A node with the program from before the deploy.
    pub(crate) is_old_program: bool,
    /// The node takes this key no more.
    pub(crate) retired: Option<&'static str>,
}

/// A node, between two starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) node: usize,
    pub(crate) life: u64,
}

/// How it was when the answer was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    pub(crate) wall: i64,
    pub(crate) jumps: u64,
}

/// How a request came to see a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// In hybrid mode perhaps from memory.
    Used,
    /// By an operation that asks the store in every mode.
    Asked,
    /// The same, and it was no use of the session.
    LookedAt,
}

/// What a session was begun with.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) account: String,
    pub(crate) serial: u64,
    /// A revocation that is done by then leaves it alone ..
    pub(crate) asked: Millis,
    /// .. and one that is called later ends it.
    pub(crate) began: Millis,
    pub(crate) done: Millis,
    /// By the node's clock, the latest that it can be.
    pub(crate) authenticated_at: i64,
    /// In seconds.
    pub(crate) lifetime: u64,
    pub(crate) rotated_from: Option<SessionId>,
}

struct Session {
    login: Login,
    /// Somebody asked for its end, with or without success.
    is_to_end: bool,
    ends: Vec<End>,
    is_stolen: bool,
    /// The last use that must count, and the last one that may.
    used: Millis,
    touched: Millis,
}

/// An end that was acknowledged.
#[derive(Clone, Copy)]
struct End {
    at: Millis,
    place: Place,
    /// Without a store: no token that the node has seen of it is good then, by its wall clock.
    until: i64,
}

/// The end of an account's sessions, or of everybody's.
struct Revocation {
    account: Option<String>,
    keep: Option<SessionId>,
    start: Millis,
    done: Option<End>,
}

#[derive(Default)]
struct Counter {
    sent: u64,
    /// By which session's token.
    done: Vec<(End, SessionId)>,
}

struct Grant {
    account: String,
    start: Millis,
    done: Option<End>,
}

#[derive(Default)]
struct Known {
    sessions: BTreeMap<SessionId, Session>,
    counters: BTreeMap<u64, Counter>,
    revocations: Vec<Revocation>,
    grants: Vec<Grant>,
    tally: Tally,
}

/// What came of the requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Sent by browsers.
    pub requests: u64,
    /// Answered with a session.
    pub served: u64,
    /// Answered with 401.
    pub refused: u64,
    /// Answered with 503.
    pub unavailable: u64,
    /// Acknowledged logins, rotations included.
    pub logins: u64,
    /// Acknowledged logouts.
    pub logouts: u64,
    /// Acknowledged updates.
    pub updates: u64,
    /// Acknowledged ends of an account's sessions, or of everybody's.
    pub revocations: u64,
    /// Times that somebody who had to be served was, in weather that must log nobody out.
    pub stayed_in: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.served += other.served;
        self.refused += other.refused;
        self.unavailable += other.unavailable;
        self.logins += other.logins;
        self.logouts += other.logouts;
        self.updates += other.updates;
        self.revocations += other.revocations;
        self.stayed_in += other.stayed_in;
    }
}

pub(crate) struct Oracle {
    stage: Stage,
    settings: Settings,
    backend: Arc<Backend>,
    known: Mutex<Known>,
}

/// What the requests tell it.
impl Oracle {
    pub(crate) fn new(stage: &Stage, settings: &Settings, backend: &Arc<Backend>) -> Self {
        let (stage, settings, backend) = (stage.clone(), settings.clone(), Arc::clone(backend));
        Self { stage, settings, backend, known: Mutex::default() }
    }

    pub(crate) fn tally(&self, count: impl FnOnce(&mut Tally)) -> Tally {
        let mut known = lock(&self.known);
        count(&mut known.tally);
        known.tally
    }

    pub(crate) fn logged_in(&self, token: &Token, login: Login) {
        let mut known = lock(&self.known);
        known.tally.logins += 1;
        let (used, touched) = (login.done, login.done);
        let session = Session { login, is_to_end: false, ends: Vec::new(), is_stolen: false, used, touched };
        if known.sessions.insert(token.sid, session).is_some() {
            drop(known);
            self.stage.fail(|| format!("two logins got the session id {:?}", token.sid));
        }
    }

    /// The login that a session came from, if the answer to it was ever made.
    pub(crate) fn login(&self, sid: SessionId) -> Option<Login> {
        lock(&self.known).sessions.get(&sid).map(|session| session.login.clone())
    }

    pub(crate) fn is_to_end(&self, token: Option<&Token>) {
        self.about(token, |session| session.is_to_end = true);
    }

    /// A request that showed this token is over, or was cut: it may have counted as a use.
    pub(crate) fn is_over(&self, begun: &Begun) {
        let now = self.stage.now();
        self.about(begun.token.as_ref(), |session| session.touched = session.touched.max(now));
    }

    pub(crate) fn is_stolen(&self, token: &Token) {
        self.about(Some(token), |session| session.is_stolen = true);
    }

    /// The end of the session that this token names was acknowledged. Does it say more than that the cookie is gone?
    pub(crate) fn ended(&self, begun: &Begun, is_certain: bool) {
        let Some(token) = &begun.token else { return };
        let is_live = self.is_live_everywhere(token);
        let end = self.end(begun.place, token.expires_at);
        let is_calm = self.settings.weather.is_calm;
        self.about(Some(token), |session| {
            if is_certain || (is_calm && is_live && !session.is_stolen) {
                session.ends.push(end);
            }
        });
    }

    /// Answers by what name the end of this revocation is to be told.
    pub(crate) fn revokes(&self, account: Option<&str>, keep: Option<SessionId>) -> usize {
        let mut known = lock(&self.known);
        let account = account.map(str::to_owned);
        known.revocations.push(Revocation { account, keep, start: self.stage.now(), done: None });
        known.revocations.len() - 1
    }

    pub(crate) fn revoked(&self, name: usize, place: Place) {
        let mut known = lock(&self.known);
        known.tally.revocations += 1;
        known.revocations[name].done = Some(self.end(place, 0));
    }

    /// A login that began then was told that it was overtaken: was there anything to overtake it?
    pub(crate) fn overtaken(&self, account: &str, began: Millis) {
        let known = lock(&self.known);
        let may_be = known.revocations.iter().any(|revocation| {
            revocation.concerns(account) && revocation.done.is_none_or(|done| done.at >= began)
        });
        drop(known);
        if !may_be && self.settings.weather.is_calm {
            self.stage
                .fail(|| format!("a login of {account} was overtaken, and nobody had ended its sessions"));
        }
    }

    pub(crate) fn update_sent(&self, serial: u64) {
        lock(&self.known).counters.entry(serial).or_default().sent += 1;
    }

    pub(crate) fn update_done(&self, serial: u64, begun: &Begun) {
        let Some(token) = &begun.token else { return };
        let mut known = lock(&self.known);
        known.tally.updates += 1;
        let end = self.end(begun.place, 0);
        known.counters.entry(serial).or_default().done.push((end, token.sid));
    }

    pub(crate) fn grants(&self, account: &str) -> usize {
        let mut known = lock(&self.known);
        known.grants.push(Grant { account: account.to_owned(), start: self.stage.now(), done: None });
        known.grants.len() - 1
    }

    pub(crate) fn granted(&self, name: usize, place: Place) {
        lock(&self.known).grants[name].done = Some(self.end(place, 0));
    }

    pub(crate) fn listed(&self, sessions: usize) {
        use session_core::store::SessionLimit::{EvictLeastRecentlySeen, Refuse};
        if let Some(EvictLeastRecentlySeen(most) | Refuse(most)) = self.settings.limit
            && sessions > most as usize
            // What has expired by the clock of a login's node is there by another one's.
            && self.settings.weather.skew == 0
        {
            self.stage.fail(|| format!("an account has {sessions} sessions, and may have {most}"));
        }
    }

    fn end(&self, place: Place, until: i64) -> End {
        End { at: self.stage.now(), place, until }
    }

    fn about(&self, token: Option<&Token>, note: impl FnOnce(&mut Session)) {
        let Some(token) = token else { return };
        if let Some(session) = lock(&self.known).sessions.get_mut(&token.sid) {
            note(session);
        }
    }
}

/// What must be true of an answer.
impl Oracle {
    /// A request was shown this.
    pub(crate) fn served(&self, begun: &Begun, done: Done, seen: &Seen, how: How) {
        let asked = how != How::Used;
        let mut known = lock(&self.known);
        known.tally.served += 1;
        let wrong = self.wrong(&known, begun, done, seen, asked);
        if let (None, Some(token)) = (&wrong, &begun.token) {
            if self.must_be_served(&known, begun, token).is_ok() {
                known.tally.stayed_in += 1;
            }
            if let Some(session) = known.sessions.get_mut(&token.sid).filter(|_| how != How::LookedAt) {
                session.used = session.used.max(begun.at);
            }
        }
        drop(known);
        if let Some(wrong) = wrong {
            self.stage.fail(|| wrong);
        }
    }

    fn wrong(&self, known: &Known, begun: &Begun, done: Done, seen: &Seen, asked: bool) -> Option<String> {
        let Some(token) = &begun.token else { return Some(format!("{seen:?} was shown to nobody")) };
        let Some(session) = known.sessions.get(&token.sid) else {
            return Some(format!("{:?} is served, and nobody was ever told of it", token.sid));
        };
        let login = &session.login;
        if (seen.account.as_str(), seen.login) != (login.account.as_str(), login.serial) {
            return Some(format!("a session of {} showed {seen:?}: {login:?}", login.account));
        }
        self.outlived(known, session, token, begun, asked)
            .or_else(|| self.too_old(session, token, begun, done))
            .or_else(|| self.miscounted(known, login, token, begun, seen, asked))
            .or_else(|| {
                let is_retired = begun.retired.is_some_and(|kid| kid == token.kid);
                is_retired.then(|| format!("a token of the retired key {} was taken", token.kid))
            })
    }

    /// Something ended it, and the request came after that.
    fn outlived(
        &self,
        known: &Known,
        session: &Session,
        token: &Token,
        begun: &Begun,
        asked: bool,
    ) -> Option<String> {
        let what = |what: &str, at: Millis| {
            Some(format!("{what} at {at} ms, and served to a request of {} ms: {:?}", begun.at, token.sid))
        };
        if let Some(end) = session.ends.iter().find(|end| self.is_known(**end, begun, asked)) {
            return what("logged out", end.at);
        }
        let lineage = self.lineage(known, token.sid);
        for revocation in &known.revocations {
            let Some(done) = revocation.done else { continue };
            let spares = revocation.keep.is_some_and(|keep| lineage.contains(&keep));
            if revocation.concerns(&session.login.account)
                && !spares
                && session.login.began < revocation.start
                && self.is_known(done, begun, asked)
            {
                return what("revoked", done.at);
            }
        }
        let (at, why) = self.backend.gone(token.sid)?;
        let everywhere = End { at, place: Place { node: usize::MAX, life: 0 }, until: 0 };
        if self.is_known(everywhere, begun, asked) { what(&format!("gone ({why:?})"), at) } else { None }
    }

    /// The session and those whose place it took.
    fn lineage(&self, known: &Known, sid: SessionId) -> Vec<SessionId> {
        let mut lineage = vec![sid];
        while let Some(before) = lineage.last().and_then(|last| known.sessions.get(last)?.login.rotated_from)
        {
            lineage.push(before);
        }
        lineage
    }

    /// Whether the node must know of something that was acknowledged somewhere.
    fn is_known(&self, end: End, begun: &Begun, asked: bool) -> bool {
        let is_here = end.place == begun.place;
        let delay = match self.settings.mode {
            // Until its entry in the list may go: the session goes on elsewhere, where nobody knows of it.
            Mode::Stateless => {
                let is_kept = begun.at < end.at + self.settings.times.max_age * 1000;
                return is_here
                    && end.at < begun.at
                    && (is_kept || (begun.jumps == 0 && begun.wall < end.until));
            }
            _ if is_here => 0,
            Mode::Tracked => 0,
            Mode::Hybrid(_) if asked => 0,
            Mode::Hybrid(bound) => bound,
        };
        // Of the same millisecond it may have come first.
        end.at + delay < begun.at
    }

    fn too_old(&self, session: &Session, token: &Token, begun: &Begun, done: Done) -> Option<String> {
        let Login { authenticated_at, lifetime, done: since, .. } = &session.login;
        let end = authenticated_at + i64::try_from(*lifetime).unwrap_or(i64::MAX);
        let wall = begun.wall.min(done.wall);
        if begun.jumps == done.jumps && wall >= end {
            return Some(format!("served {} s after its absolute end", wall - end));
        }
        if begun.jumps == done.jumps && wall >= token.expires_at {
            return Some(format!("served {} s after its token's expiry", wall - token.expires_at));
        }
        // By the one clock that is right, and what the others are allowed to be wrong by.
        let slack = 2 * self.settings.weather.skew + 2_000;
        if begun.at > since + lifetime * 1000 + slack {
            return Some(format!(
                "a login of {since} ms is served at {} ms, with {lifetime} s to live",
                begun.at
            ));
        }
        let idle = self.settings.times.idle? * 1000;
        // A touch may be under way for some seconds after its request has gone.
        let late = if self.settings.weather.store_is_well() { 0 } else { 10_000 };
        (begun.at > session.touched + idle + slack + late)
            .then(|| format!("last used at {} ms, and served at {} ms", session.touched, begun.at))
    }

    fn miscounted(
        &self,
        known: &Known,
        login: &Login,
        token: &Token,
        begun: &Begun,
        seen: &Seen,
        asked: bool,
    ) -> Option<String> {
        let counter = known.counters.get(&login.serial);
        let sent = counter.map_or(0, |counter| counter.sent);
        if seen.count > sent {
            return Some(format!("{sent} updates were sent, and {} happened", seen.count));
        }
        if !self.settings.has_store() {
            return None;
        }
        // One that took its place has updates that it has not, while it is still served from memory.
        let lineage = self.lineage(known, token.sid);
        let done = counter.map_or(0, |counter| {
            let known =
                |(end, sid): &&(End, SessionId)| lineage.contains(sid) && self.is_known(*end, begun, asked);
            counter.done.iter().filter(known).count() as u64
        });
        if seen.count < done {
            return Some(format!("{done} updates were acknowledged, and {} are there", seen.count));
        }
        // Open sessions are changed: those that are open by the clock of the administrator's node, and that it can read.
        if self.settings.weather.skew > 0 || self.settings.events.deploy {
            return None;
        }
        // One whose place another took is not open, though its copies are served for a while.
        let gone = self.backend.gone(token.sid).map_or(Millis::MAX, |(at, _)| at);
        let grants = known.grants.iter().filter(|grant| {
            grant.account == login.account
                && grant.done.is_some_and(|done| done.at < gone)
                && login.done < grant.start
                && grant.done.is_some_and(|done| self.is_known(done, begun, asked))
        });
        let granted = grants.count() as u64;
        (seen.grants < granted)
            .then(|| format!("the account was changed {granted} times since, and shows {}", seen.grants))
    }

    /// A request was told that nobody is logged in.
    pub(crate) fn refused(&self, begun: &Begun, kind: ErrorKind) {
        let mut known = lock(&self.known);
        known.tally.refused += 1;
        let Some(token) = &begun.token else { return };
        // What a node refuses once it goes on refusing, as long as such a token is good.
        if let Some(session) = known.sessions.get_mut(&token.sid) {
            for end in session.ends.iter_mut().filter(|end| end.place == begun.place) {
                end.until = end.until.max(token.expires_at);
            }
        }
        if kind == ErrorKind::Invalid && begun.is_old_program && self.settings.events.deploy {
            return;
        }
        let must = self.must_be_served(&known, begun, token);
        drop(known);
        match must {
            Ok(()) => self.stage.fail(|| {
                format!("{:?} (generation {:?}) is logged out: {kind:?}", token.sid, token.generation)
            }),
            Err(why) => self.stage.note(|| format!("as it may be: {why}")),
        }
    }

    pub(crate) fn unavailable(&self, kind: ErrorKind) {
        self.tally(|tally| tally.unavailable += 1);
        // Where each call takes long, whoever loses a race or two comes too late.
        if self.settings.weather.store_is_well() && self.settings.weather.latency <= 50 {
            self.stage.fail(|| format!("the store is well, and the answer is {kind:?}"));
        }
    }

    /// Whether whoever shows this token must be let in; if not, why not.
    fn must_be_served(&self, known: &Known, begun: &Begun, token: &Token) -> Result<(), &'static str> {
        let session = known.sessions.get(&token.sid).ok_or("nobody knows of it")?;
        let (now, weather) = (self.stage.now(), &self.settings.weather);
        let must = |is_so: bool, why: &'static str| if is_so { Ok(()) } else { Err(why) };
        must(weather.is_calm, "the weather is worse than the documentation allows")?;
        must(!session.is_to_end, "somebody asked for its end")?;
        must(!session.is_stolen, "it was stolen")?;
        must(self.is_live_everywhere(token), "its token is about to expire, or has")?;
        let slack = 2 * weather.skew + 2_000;
        let end = session.login.done + session.login.lifetime * 1000;
        must(now + slack < end, "its absolute lifetime is about to end")?;
        must(self.is_in_use(session, begun), "it was idle")?;
        must(begun.retired.is_none_or(|kid| kid != token.kid), "its key is retired")?;
        let revoked = known.revocations.iter().any(|revocation| {
            revocation.concerns(&session.login.account)
                && revocation.keep != Some(token.sid)
                && revocation.done.is_none_or(|done| session.login.asked <= done.at)
        });
        must(!revoked, "its account was revoked")?;
        let evicted = self.backend.gone(token.sid).is_some_and(|(_, why)| why == Why::Evicted);
        must(!evicted, "it was evicted")
    }

    /// Its time is not over by any clock.
    fn is_live_everywhere(&self, token: &Token) -> bool {
        let now = i64::try_from(self.stage.now() + self.settings.weather.skew).unwrap_or(i64::MAX);
        crate::clock::BEGINNING * 1000 + now + 2_000 < token.expires_at * 1000
    }

    fn is_in_use(&self, session: &Session, begun: &Begun) -> bool {
        let Some(idle) = self.settings.times.idle else { return true };
        let weather = &self.settings.weather;
        let bound = if let Mode::Hybrid(bound) = self.settings.mode { bound } else { 0 };
        let errs = self.settings.times.seen_interval * 1000 + bound + 2 * weather.skew + 2 * weather.flight;
        // A touch that was lost with its store counts for nothing.
        weather.store_is_well() && begun.at + errs + 10_000 < session.used + idle * 1000
    }
}

impl Revocation {
    fn concerns(&self, account: &str) -> bool {
        self.account.as_deref().is_none_or(|revoked| revoked == account)
    }
}

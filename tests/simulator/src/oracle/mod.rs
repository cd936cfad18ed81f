//! Who knows what was promised, and looks at every answer: what requests tell it is here, what it says in the other files.

mod refusal;
mod verdict;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use session_core::SessionId;

use crate::backend::Backend;
use crate::happened::Happened;
use crate::node::REALM;
use crate::settings::Settings;
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
    /// When the latest uses began that must count, and when they were over.
    uses: VecDeque<(Millis, Millis)>,
    /// The last use that may count.
    touched: Millis,
}

impl Session {
    fn is_used(&mut self, began: Millis, done: Millis) {
        self.uses.push_back((began, done));
        // More than are under way at once.
        if self.uses.len() > 32 {
            self.uses.pop_front();
        }
    }

    /// The last one that was over before `begun`: of two at once either may be the first.
    fn last_use_before(&self, begun: Millis) -> Millis {
        let over = self.uses.iter().filter(|(_, done)| *done < begun).map(|(began, _)| *began);
        over.max().unwrap_or(self.login.done)
    }
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
    /// Accounts by the names that lists of devices have for sessions.
    handles: BTreeMap<String, String>,
    /// The old key was retired before its tokens had expired.
    is_urgent: bool,
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

    pub(crate) fn logged_in(&self, token: &Token, login: Login) {
        let mut known = lock(&self.known);
        self.stage.count(Happened::LoggedIn);
        known.handles.insert(token.sid.handle(REALM), login.account.clone());
        let (uses, touched) = (VecDeque::from([(login.done, login.done)]), login.done);
        let session = Session { login, is_to_end: false, ends: Vec::new(), is_stolen: false, uses, touched };
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

    pub(crate) fn old_key_is_compromised(&self) {
        lock(&self.known).is_urgent = true;
    }

    /// The end of the session that this token names was acknowledged. Does it say more than that the cookie is gone?
    pub(crate) fn ended(&self, begun: &Begun, is_certain: bool) {
        let Some(token) = &begun.token else { return };
        let is_live = self.is_live_everywhere(token) && begun.retired.is_none_or(|kid| kid != token.kid);
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
        known.revocations[name].done = Some(self.end(place, 0));
    }

    /// A login that began then was told that it was overtaken: was there anything to overtake it?
    pub(crate) fn overtaken(&self, account: &str, began: Millis) {
        let known = lock(&self.known);
        let may_be = known.revocations.iter().any(|revocation| {
            revocation.concerns(account) && revocation.done.is_none_or(|done| done.at >= began)
        });
        drop(known);
        self.stage.count(Happened::Overtaken);
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
        self.stage.count(Happened::Updated);
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

impl Revocation {
    fn concerns(&self, account: &str) -> bool {
        self.account.as_deref().is_none_or(|revoked| revoked == account)
    }
}

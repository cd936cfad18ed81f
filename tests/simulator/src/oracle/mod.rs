//! Who knows what was promised, and looks at every answer: what requests tell it is here, what it says in the other files.

mod adoption;
mod changes;
mod foreign;
mod refusal;
mod verdict;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use session_core::SessionId;

use self::foreign::Newcomer;
use crate::backend::Backend;
use crate::happened::Happened;
use crate::node::REALM;
use crate::settings::Settings;
use crate::stage::{Millis, Stage, lock};
use crate::token::Token;
use crate::visa::Visa;

/// Where and when a request was worked on.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    pub(crate) at: Millis,
    pub(crate) place: Place,
    /// What the node's clock showed, in seconds, and how often it had been set.
    pub(crate) wall: i64,
    pub(crate) jumps: u64,
    pub(crate) token: Option<Token>,
    /// The other system's session.
    pub(crate) visa: Option<Arc<Visa>>,
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
    /// In seconds: how long it may last from its login, or from a proof that comes later.
    pub(crate) lifetime: u64,
    /// When it is over: by the node's clock, the latest that it can be, in seconds ..
    pub(crate) ends_at: i64,
    /// .. and by a clock that is right.
    pub(crate) ends: Millis,
    pub(crate) rotated_from: Option<SessionId>,
}

struct Session {
    login: Login,
    /// The other system's session that it was made from, and nobody has proven since who they are.
    visa: Option<u64>,
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
    fn new(login: Login) -> Self {
        Self {
            visa: None,
            is_to_end: false,
            ends: Vec::new(),
            is_stolen: false,
            uses: VecDeque::from([(login.done, login.done)]),
            touched: login.done,
            login,
        }
    }

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
    /// By its node's clock, the earliest that it can be: it bars what was proven up to then.
    wall: i64,
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
    visas: BTreeMap<u64, Newcomer>,
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
        if known.sessions.insert(token.sid, Session::new(login)).is_some() {
            drop(known);
            self.stage.fail(|| format!("two logins got the session id {:?}", token.sid));
        }
    }

    /// The login that a session came from, if the answer to it was ever made.
    pub(crate) fn login(&self, sid: SessionId) -> Option<Login> {
        lock(&self.known).sessions.get(&sid).map(|session| session.login.clone())
    }

    pub(crate) fn is_to_end(&self, token: Option<&Token>, visa: Option<&Visa>) {
        let mut made_from = None;
        self.about(token, |session| {
            session.is_to_end = true;
            made_from = session.visa;
        });
        for serial in made_from.into_iter().chain(visa.map(|visa| visa.serial)) {
            self.is_to_end_for(serial);
        }
    }

    /// A request that showed this token is over, or was cut: it may have counted as a use.
    pub(crate) fn is_over(&self, begun: &Begun) {
        let now = self.stage.now();
        let touch = |session: &mut Session| session.touched = session.touched.max(now);
        self.about(begun.token.as_ref(), touch);
        if let Some(visa) = &begun.visa {
            self.about_newcomer(visa.serial, |_| {}, touch);
        }
    }

    pub(crate) fn is_stolen(&self, token: &Token) {
        let mut made_from = None;
        self.about(Some(token), |session| {
            session.is_stolen = true;
            made_from = session.visa;
        });
        if let Some(serial) = made_from {
            self.is_copied(serial);
        }
    }

    pub(crate) fn old_key_is_compromised(&self) {
        lock(&self.known).is_urgent = true;
    }

    /// The end of the session that this token names was acknowledged. Does it say more than that the cookie is gone?
    pub(crate) fn ended(&self, begun: &Begun, done: Done, is_certain: bool) {
        let Some(token) = &begun.token else { return };
        let is_live = self.is_live_everywhere(token) && begun.retired.is_none_or(|kid| kid != token.kid);
        let end = self.end(begun.place, token.expires_at);
        let is_calm = self.settings.weather.is_calm;
        let mut visa = None;
        self.about(Some(token), |session| {
            if is_certain || (is_calm && is_live && !session.is_stolen) {
                session.ends.push(end);
                // Of a session that is gone already nothing says whose it was.
                visa = session.visa.filter(|_| self.is_there(session, begun) && !self.is_evicted(token.sid));
            }
        });
        if let Some(serial) = visa {
            self.is_ended_for(serial, begun, done);
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

impl Revocation {
    fn concerns(&self, account: &str) -> bool {
        self.account.as_deref().is_none_or(|revoked| revoked == account)
    }
}

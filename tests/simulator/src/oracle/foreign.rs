//! Who comes with a session of the other system: what requests tell of them. What must be true of them is in `adoption`.

use std::sync::Arc;

use session_core::SessionId;

use super::{Begun, Done, End, Known, Login, Oracle, Session};
use crate::clock::{BEGINNING, since_the_beginning};
use crate::happened::Happened;
use crate::stage::{Millis, lock};
use crate::token::Token;
use crate::visa::{Kind, Visa, seconds};

/// How far clocks may be apart, by the settings that nobody changed: what was proven so much later than a bar is barred, too.
pub(super) const LEEWAY: i64 = 60;

/// What is known of a session of the other system.
pub(super) struct Newcomer {
    pub(super) visa: Arc<Visa>,
    /// Its sessions here: of one that has a name there is one.
    pub(super) sids: Vec<SessionId>,
    pub(super) first_shown: Option<Millis>,
    pub(super) is_to_end: bool,
    pub(super) is_copied: bool,
    /// What must keep it out from then on.
    pub(super) ends: Vec<End>,
}

/// What the requests tell of them.
impl Oracle {
    pub(crate) fn is_issued(&self, visa: &Arc<Visa>) {
        let newcomer = Newcomer {
            visa: Arc::clone(visa),
            sids: Vec::new(),
            first_shown: None,
            is_to_end: false,
            is_copied: false,
            ends: Vec::new(),
        };
        lock(&self.known).visas.insert(visa.serial, newcomer);
    }

    /// Who shows it may be adopted from now on, whether anybody hears of it or not.
    pub(crate) fn is_shown(&self, serial: u64) {
        let now = self.stage.now();
        if let Some(newcomer) = lock(&self.known).visas.get_mut(&serial) {
            newcomer.first_shown.get_or_insert(now);
        }
    }

    /// There are two who use it.
    pub(crate) fn is_copied(&self, serial: u64) {
        self.about_newcomer(serial, |newcomer| newcomer.is_copied = true, |session| session.is_stolen = true);
    }

    pub(super) fn is_to_end_for(&self, serial: u64) {
        self.about_newcomer(serial, |newcomer| newcomer.is_to_end = true, |session| session.is_to_end = true);
    }

    pub(super) fn about_newcomer(
        &self,
        serial: u64,
        note: impl FnOnce(&mut Newcomer),
        also: impl Fn(&mut Session),
    ) {
        let mut known = lock(&self.known);
        let Known { visas, sessions, .. } = &mut *known;
        let Some(newcomer) = visas.get_mut(&serial) else { return };
        note(newcomer);
        for sid in &newcomer.sids {
            sessions.get_mut(sid).into_iter().for_each(&also);
        }
    }

    /// Whether it must bring nobody in.
    pub(crate) fn is_out(&self, serial: u64) -> bool {
        let known = lock(&self.known);
        let Some(newcomer) = known.visas.get(&serial) else { return false };
        let visa = &newcomer.visa;
        let is_revoked = known.revocations.iter().any(|revocation| {
            revocation.done.is_some() && revocation.concerns(&visa.account) && self.stops(revocation, visa)
        });
        is_revoked || !newcomer.ends.is_empty()
    }

    pub(crate) fn came_with(&self, sid: SessionId, serial: u64) -> bool {
        lock(&self.known).sessions.get(&sid).is_some_and(|session| session.visa == Some(serial))
    }

    /// A login or a logout that showed it was acknowledged.
    pub(crate) fn visa_ended(&self, begun: &Begun, done: Done) {
        let Some(visa) = &begun.visa else { return };
        // Where adopting is over by this clock, it may go on by another.
        let latest = BEGINNING + seconds((self.stage.now() + self.settings.weather.skew) / 1000) + 2;
        if latest >= visa.over_at || visa.is_of(begun.retired) {
            return;
        }
        let is_new = lock(&self.known).visas.get(&visa.serial).is_some_and(|known| known.sids.is_empty());
        if is_new {
            self.stage.count(Happened::EndedBeforeItsFirstVisit);
        }
        self.is_ended_for(visa.serial, begun, done);
    }

    /// Its session here has ended by a request to this node.
    pub(super) fn is_ended_for(&self, serial: u64, begun: &Begun, done: Done) {
        let end = self.end(begun.place, 0);
        let is_calm = self.settings.weather.is_calm && begun.jumps == done.jumps;
        if let Some(newcomer) = lock(&self.known).visas.get_mut(&serial) {
            // By a clock that is far behind it is not from before this end.
            let is_from_before = newcomer.visa.proven_at.is_none_or(|at| at <= begun.wall + LEEWAY);
            if is_calm && is_from_before {
                newcomer.ends.push(end);
            }
        }
    }

    /// A request that showed it got this token.
    pub(crate) fn adopted(&self, begun: &Begun, done: Done, token: &Token, latest_wall: i64) {
        let Some(visa) = &begun.visa else { return };
        let mut known = lock(&self.known);
        let known = &mut *known;
        let wrong = self.wrongly_adopted(known, begun, done, visa, token.sid);
        let newcomer = known.visas.get(&visa.serial);
        if newcomer.is_some_and(|newcomer| self.must_be_adopted(known, newcomer, begun).is_ok()) {
            self.stage.count(Happened::MovedIn);
        }
        let Some(newcomer) = known.visas.get_mut(&visa.serial) else { return };
        if !newcomer.sids.contains(&token.sid) {
            newcomer.sids.push(token.sid);
        }
        let login = self.login_of(newcomer, latest_wall);
        let session = known.sessions.entry(token.sid).and_modify(|_| self.stage.count(Happened::Joined));
        session.or_insert_with(|| {
            if matches!(visa.kind, Kind::Token(_)) {
                self.stage.count(Happened::TokenAdopted);
            }
            Session {
                visa: Some(visa.serial),
                is_to_end: newcomer.is_to_end,
                is_stolen: newcomer.is_copied,
                ..Session::new(login)
            }
        });
        if let Some(wrong) = wrong {
            self.stage.fail(|| wrong);
        }
    }

    pub(crate) fn login_with(&self, visa: &Visa, latest_wall: i64) -> Option<Login> {
        lock(&self.known).visas.get(&visa.serial).map(|newcomer| self.login_of(newcomer, latest_wall))
    }

    fn login_of(&self, newcomer: &Newcomer, latest_wall: i64) -> Login {
        let (visa, now, lifetime) = (&newcomer.visa, self.stage.now(), self.settings.times.absolute);
        // Where nothing says when it began there, it begins here.
        let ends_at = match visa.proven_at {
            Some(_) => visa.ends_at,
            None => visa.ends_at.min(latest_wall + seconds(lifetime)),
        };
        let fixed = since_the_beginning(visa.ends_at);
        Login {
            account: visa.account.clone(),
            serial: visa.serial,
            asked: newcomer.first_shown.unwrap_or(now),
            began: now,
            done: now,
            lifetime,
            ends_at,
            ends: if visa.proven_at.is_some() { fixed } else { fixed.min(now + lifetime * 1000) },
            rotated_from: None,
        }
    }
}

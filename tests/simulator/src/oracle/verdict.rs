//! What must be true of an answer that shows a session.

use session_core::SessionId;
use session_core::store::SessionLimit;

use super::{Begun, Done, End, How, Known, Login, Oracle, Place, Session};
use crate::happened::Happened;
use crate::payload::Seen;
use crate::settings::Mode;
use crate::stage::{Millis, lock};
use crate::token::Token;

impl Oracle {
    /// A request was shown this.
    pub(crate) fn served(&self, begun: &Begun, done: Done, seen: &Seen, how: How) {
        let asked = how != How::Used;
        let mut known = lock(&self.known);
        self.stage.count(Happened::Served);
        let wrong = self.wrong(&known, begun, done, seen, asked);
        if let (None, Some(token)) = (&wrong, &begun.token) {
            if self.must_be_served(&known, begun, token).is_ok() {
                self.stage.count(Happened::StayedIn);
            }
            if let Some(session) = known.sessions.get_mut(&token.sid).filter(|_| how != How::LookedAt) {
                session.is_used(begun.at, self.stage.now());
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
                && (session.login.began < revocation.start || self.bars(known, session.visa, revocation))
                && self.is_known(done, begun, asked)
            {
                return what("revoked", done.at);
            }
        }
        if !self.settings.has_store() && session.ends.iter().any(|end| end.at < begun.at) {
            self.stage.count(Happened::ServedElsewhere);
        }
        let (at, why) = self.backend.gone(token.sid)?;
        let everywhere = End { at, place: Place { node: usize::MAX, life: 0 }, until: 0 };
        if self.is_known(everywhere, begun, asked) {
            return what(&format!("gone ({why:?})"), at);
        }
        if at < begun.at {
            self.stage.count(Happened::ServedWithinTheBound);
        }
        None
    }

    /// The session and those whose place it took.
    pub(super) fn lineage(&self, known: &Known, sid: SessionId) -> Vec<SessionId> {
        let mut lineage = vec![sid];
        while let Some(before) = lineage.last().and_then(|last| known.sessions.get(last)?.login.rotated_from)
        {
            lineage.push(before);
        }
        lineage
    }

    /// Whether the node must know of something that was acknowledged somewhere.
    pub(super) fn is_known(&self, end: End, begun: &Begun, asked: bool) -> bool {
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
        let Login { ends_at: end, ends, lifetime, done: since, .. } = &session.login;
        let wall = begun.wall.min(done.wall);
        if begun.jumps == done.jumps && wall >= *end {
            return Some(format!("served {} s after its absolute end", wall - end));
        }
        if begun.jumps == done.jumps && wall >= token.expires_at {
            return Some(format!("served {} s after its token's expiry", wall - token.expires_at));
        }
        // By the one clock that is right, and what the others are allowed to be wrong by.
        let slack = 2 * self.settings.weather.skew + 2_000;
        if begun.at > ends + slack {
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
        let cannot_read = self.settings.events.deploy || (known.is_urgent && self.settings.seals.any());
        if self.settings.weather.skew > 0 || cannot_read {
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

    /// Devices were listed for whoever shows this token.
    pub(crate) fn listed(&self, begun: &Begun, handles: &[String]) {
        self.stage.count(Happened::Listed);
        let Some(token) = &begun.token else { return };
        let known = lock(&self.known);
        let Some(session) = known.sessions.get(&token.sid) else { return };
        let strange = handles.iter().filter_map(|handle| known.handles.get(handle));
        let strange = strange.into_iter().find(|account| **account != session.login.account);
        if let Some(account) = strange {
            self.stage
                .fail(|| format!("a list of {}'s devices has one of {account}'s", session.login.account));
        }
        drop(known);
        if let Some(SessionLimit::EvictLeastRecentlySeen(most) | SessionLimit::Refuse(most)) = self.settings.limit
            && handles.len() > most as usize
            // What has expired by the clock of a login's node is there by another one's.
            && self.settings.weather.skew == 0
        {
            self.stage.fail(|| format!("an account has {} sessions, and may have {most}", handles.len()));
        }
    }
}

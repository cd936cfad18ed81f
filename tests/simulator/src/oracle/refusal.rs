//! What must be true of an answer that shows nobody.

use session_core::{ErrorKind, SessionId};

use super::{Begun, Known, Oracle, Session};
use crate::backend::Why;
use crate::clock::BEGINNING;
use crate::happened::Happened;
use crate::settings::Mode;
use crate::stage::lock;
use crate::token::Token;

impl Oracle {
    /// A request was told that nobody is logged in; it may be one that adopts.
    pub(crate) fn refused(&self, begun: &Begun, kind: ErrorKind, adopts: bool) {
        let mut known = lock(&self.known);
        self.stage.count(Happened::Refused);
        if adopts {
            self.refused_newcomer(&known, begun, kind);
        }
        let Some(token) = &begun.token else { return };
        // What a node refuses once it goes on refusing, as long as such a token is good.
        if let Some(session) = known.sessions.get_mut(&token.sid) {
            for end in session.ends.iter_mut().filter(|end| end.place == begun.place) {
                end.until = end.until.max(token.expires_at);
            }
        }
        if kind == ErrorKind::Invalid && begun.is_old_program && self.settings.events.deploy {
            return self.stage.count(Happened::TooNew);
        }
        let must = self.must_be_served(&known, begun, token);
        if let Some(session) = known.sessions.get(&token.sid) {
            self.count_ends(session, begun, token);
        }
        drop(known);
        match must {
            Ok(()) => self.stage.fail(|| {
                format!("{:?} (generation {:?}) is logged out: {kind:?}", token.sid, token.generation)
            }),
            Err(why) => self.stage.note(|| format!("as it may be: {why}")),
        }
    }

    /// Which of the ends that time brings was reached.
    fn count_ends(&self, session: &Session, begun: &Begun, token: &Token) {
        let slack = 2 * self.settings.weather.skew + 2_000;
        let ends = session.login.ends;
        let idle =
            self.settings.times.idle.map(|idle| session.last_use_before(begun.at) + idle * 1000 + slack);
        let has_no_other_end = !session.is_to_end && self.backend.gone(token.sid).is_none();
        let is_idle = has_no_other_end && idle.is_some_and(|end| end < begun.at);
        for (is_reached, end) in [
            (begun.retired.is_some_and(|kid| kid == token.kid), Happened::RetiredKeyRefused),
            (begun.wall >= token.expires_at, Happened::TokenEnd),
            (begun.at > ends + slack, Happened::AbsoluteEnd),
            (begun.wall < token.expires_at && is_idle, Happened::IdleEnd),
        ] {
            if is_reached {
                self.stage.count(end);
            }
        }
    }

    pub(crate) fn unavailable(&self, kind: ErrorKind) {
        self.stage.count(Happened::Unavailable);
        // Where each call takes long, whoever loses a race or two comes too late.
        if self.settings.weather.store_is_quick() {
            self.stage.fail(|| format!("the store is well, and the answer is {kind:?}"));
        }
    }

    /// Whether whoever shows this token must be let in; if not, why not.
    pub(super) fn must_be_served(
        &self,
        known: &Known,
        begun: &Begun,
        token: &Token,
    ) -> Result<(), &'static str> {
        let session = known.sessions.get(&token.sid).ok_or("nobody knows of it")?;
        let weather = &self.settings.weather;
        let must = |is_so: bool, why: &'static str| if is_so { Ok(()) } else { Err(why) };
        must(weather.is_calm, "the weather is worse than the documentation allows")?;
        must(!session.is_to_end, "somebody asked for its end")?;
        must(!session.is_stolen, "it was stolen")?;
        must(self.is_live_everywhere(token), "its token is about to expire, or has")?;
        must(!self.is_at_its_end(session), "its absolute lifetime is about to end")?;
        must(self.is_in_use(session, begun), "it was idle")?;
        let is_retired = begun.retired.is_some_and(|kid| kid == token.kid);
        must(!(known.is_urgent && is_retired), "its key was retired before it expired")?;
        let sealed_away = known.is_urgent && self.settings.has_store() && self.settings.seals.any();
        must(!sealed_away, "its record may be sealed with the retired key")?;
        let revoked = known.revocations.iter().any(|revocation| {
            revocation.concerns(&session.login.account)
                && revocation.keep != Some(token.sid)
                && revocation.done.is_none_or(|done| session.login.asked <= done.at)
        });
        must(!revoked, "its account was revoked")?;
        must(!self.is_evicted(token.sid), "it was evicted")
    }

    pub(super) fn is_evicted(&self, sid: SessionId) -> bool {
        self.backend.gone(sid).is_some_and(|(_, why)| why == Why::Evicted)
    }

    /// Its time is not over by any clock.
    pub(super) fn is_live_everywhere(&self, token: &Token) -> bool {
        let now = i64::try_from(self.stage.now() + self.settings.weather.skew).unwrap_or(i64::MAX);
        BEGINNING * 1000 + now + 2_000 < token.expires_at * 1000
    }

    fn is_at_its_end(&self, session: &Session) -> bool {
        let slack = 2 * self.settings.weather.skew + 2_000;
        // One that was adopted may have begun when a request first showed what it was made from.
        let end = session.login.ends.saturating_sub(session.login.done - session.login.asked);
        self.stage.now() + slack >= end
    }

    /// Time has not ended it: who ends it then ends what it was made from, too.
    pub(super) fn is_there(&self, session: &Session, begun: &Begun) -> bool {
        !self.is_at_its_end(session) && self.is_in_use(session, begun)
    }

    fn is_in_use(&self, session: &Session, begun: &Begun) -> bool {
        let Some(idle) = self.settings.times.idle else { return true };
        let weather = &self.settings.weather;
        let bound = if let Mode::Hybrid(bound) = self.settings.mode { bound } else { 0 };
        let errs = self.settings.times.seen_interval * 1000 + bound + 2 * weather.skew + 2 * weather.flight;
        // A touch that was lost with its store counts for nothing.
        weather.store_is_well() && begun.at + errs + 10_000 < session.last_use_before(begun.at) + idle * 1000
    }
}

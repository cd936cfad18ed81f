//! What must be true of whoever comes with a session of the other system.

use session_core::{ErrorKind, SessionId};

use super::foreign::{LEEWAY, Newcomer};
use super::{Begun, Done, Known, Oracle, Revocation};
use crate::clock::{BEGINNING, since_the_beginning};
use crate::happened::Happened;
use crate::settings::Mode;
use crate::stage::lock;
use crate::visa::{Visa, seconds};

impl Oracle {
    fn adopted_until(&self, visa: &Visa) -> i64 {
        self.settings.moving.as_ref().map_or(i64::MIN, |moving| moving.until).min(visa.good_until)
    }

    /// Whether a revocation keeps out what this cookie proves.
    pub(super) fn stops(&self, revocation: &Revocation, visa: &Visa) -> bool {
        visa.proven_at.is_none_or(|at| at <= revocation.wall + LEEWAY) && self.settings.weather.is_calm
    }

    pub(super) fn bars(&self, known: &Known, visa: Option<u64>, revocation: &Revocation) -> bool {
        let newcomer = visa.and_then(|serial| known.visas.get(&serial));
        newcomer.is_some_and(|newcomer| self.stops(revocation, &newcomer.visa))
    }

    pub(super) fn wrongly_adopted(
        &self,
        known: &Known,
        begun: &Begun,
        done: Done,
        visa: &Visa,
        sid: SessionId,
    ) -> Option<String> {
        let newcomer = known.visas.get(&visa.serial)?;
        let serial = visa.serial;
        let until = self.adopted_until(visa);
        let slack = 2 * self.settings.weather.skew + 2_000;
        let late = begun.at.saturating_sub(slack) > since_the_beginning(until);
        if late || (begun.jumps == done.jumps && begun.wall.min(done.wall) >= until) {
            return Some(format!(
                "foreign session {serial} was adopted at {}, and may be until {until}",
                begun.wall
            ));
        }
        if visa.is_of(begun.retired) {
            return Some(format!("foreign session {serial}, a token of the retired key, was adopted"));
        }
        if let Some(end) = newcomer.ends.iter().find(|end| self.is_known(**end, begun, true)) {
            return Some(format!(
                "foreign session {serial} was logged out at {} ms, and adopted by a request of {} ms",
                end.at, begun.at
            ));
        }
        let revocation = known.revocations.iter().find(|revocation| {
            revocation.done.is_some_and(|done| self.is_known(done, begun, true))
                && revocation.keep != Some(sid)
                && revocation.concerns(&visa.account)
                && self.stops(revocation, visa)
        });
        if let Some(revocation) = revocation {
            return Some(format!(
                "{} was revoked at {} ms, and foreign session {serial} adopted by a request of {} ms",
                visa.account, revocation.start, begun.at
            ));
        }
        let has_another = visa.is_named() && newcomer.sids.iter().any(|known| *known != sid);
        has_another.then(|| format!("foreign session {serial} has become several"))
    }

    pub(super) fn refused_newcomer(&self, known: &Known, begun: &Begun, kind: ErrorKind) {
        let Some(visa) = &begun.visa else { return };
        let Some(newcomer) = known.visas.get(&visa.serial) else { return };
        if kind == ErrorKind::Invalid && begun.is_old_program && self.settings.events.deploy {
            return;
        }
        self.count_refusal(known, newcomer, begun);
        match self.must_be_adopted(known, newcomer, begun) {
            Ok(()) => self
                .stage
                .fail(|| format!("foreign session {} is logged out by the move: {kind:?}", visa.serial)),
            Err(why) => self.stage.note(|| format!("foreign session {}: as it may be: {why}", visa.serial)),
        }
    }

    fn count_refusal(&self, known: &Known, newcomer: &Newcomer, begun: &Begun) {
        let visa = &newcomer.visa;
        let is_revoked = known.revocations.iter().any(|revocation| {
            revocation.concerns(&visa.account)
                && self.stops(revocation, visa)
                && revocation.done.is_some_and(|done| self.is_known(done, begun, true))
        });
        let is_over = self.settings.moving.as_ref().is_some_and(|moving| begun.wall >= moving.until);
        for (is_so, what) in [
            (newcomer.ends.iter().any(|end| self.is_known(*end, begun, true)), Happened::StayedOut),
            (is_revoked && newcomer.sids.is_empty(), Happened::BarredBeforeItsFirstVisit),
            (is_over, Happened::AdoptingOver),
            (!is_over && begun.wall >= visa.good_until, Happened::ForeignEnd),
        ] {
            if is_so {
                self.stage.count(what);
            }
        }
    }

    /// Whether whoever shows it must be let in; if not, why not.
    pub(super) fn must_be_adopted(
        &self,
        known: &Known,
        newcomer: &Newcomer,
        begun: &Begun,
    ) -> Result<(), &'static str> {
        let (settings, visa) = (&self.settings, &newcomer.visa);
        let (weather, now) = (&settings.weather, self.stage.now());
        let must = |is_so: bool, why: &'static str| if is_so { Ok(()) } else { Err(why) };
        must(weather.is_calm, "the weather is worse than the documentation allows")?;
        must(!newcomer.is_to_end, "somebody asked for its end")?;
        must(!newcomer.is_copied, "somebody else has a copy")?;
        must(settings.limit.is_none(), "its account may be full, or have been")?;
        let latest = BEGINNING + seconds((now + weather.skew) / 1000) + 2;
        must(latest < self.adopted_until(visa), "it is too late for it, or about to be")?;
        must(latest < visa.ends_at, "its end is near, or has come")?;
        let is_retired = known.is_urgent && (begun.retired.is_some() || settings.seals.any());
        must(!is_retired && !visa.is_of(begun.retired), "its key was retired, or that of its record")?;
        must(!self.may_have_run_out(newcomer, begun), "its session here may have run out")?;
        let of_account = |other: &Newcomer| other.visa.account == visa.account;
        let may_be_barred = !visa.is_named()
            && known
                .visas
                .values()
                .filter(|other| of_account(other))
                .any(|other| other.is_to_end || other.is_copied);
        must(!may_be_barred, "the end of another session may have barred it")?;
        let may_be_stopped = |revocation: &Revocation| {
            let Some(done) = revocation.done else { return true };
            let bar = BEGINNING + seconds((done.at + weather.skew) / 1000) + LEEWAY + 1;
            visa.proven_at.is_none_or(|at| at <= bar)
        };
        let mut revocations = known.revocations.iter();
        let is_revoked =
            revocations.any(|revocation| revocation.concerns(&visa.account) && may_be_stopped(revocation));
        must(!is_revoked, "its account was revoked")
    }

    /// It was made when somebody first showed this, and nobody may have come since.
    fn may_have_run_out(&self, newcomer: &Newcomer, begun: &Begun) -> bool {
        let Some(first) = newcomer.first_shown else { return false };
        let (times, weather) = (&self.settings.times, &self.settings.weather);
        let bound = if let Mode::Hybrid(bound) = self.settings.mode { bound } else { 0 };
        let errs = times.seen_interval * 1000 + bound + 2 * weather.skew + 2 * weather.flight + 10_000;
        let shortest = times.idle.unwrap_or(times.max_age).min(times.max_age) * 1000;
        begun.at + errs >= first + shortest
    }

    /// A handler asked whether somebody has proven lately who they are.
    pub(crate) fn asked_for_proof(&self, begun: &Begun, is_fresh: bool) {
        let known = lock(&self.known);
        let session = begun.token.as_ref().and_then(|token| known.sessions.get(&token.sid));
        let Some(session) = session else { return };
        let is_adopted = session.visa.is_some();
        drop(known);
        match (is_adopted, is_fresh) {
            (true, true) => {
                self.stage.fail(|| "an adopted session passes for a login that was proven here".to_owned());
            }
            (true, false) => self.stage.count(Happened::NotFresh),
            (false, true) => self.stage.count(Happened::Fresh),
            (false, false) => self.stage.fail(|| "a login of this run is not fresh".to_owned()),
        }
    }
}

//! What requests and administrators change: revocations and updates, from when they are called to when they are acknowledged.

use session_core::SessionId;

use super::{Begun, Grant, Oracle, Place, Revocation};
use crate::happened::Happened;
use crate::stage::{Millis, lock};

impl Oracle {
    /// Answers by what name the end of this revocation is to be told.
    pub(crate) fn revokes(&self, account: Option<&str>, wall: i64) -> usize {
        let mut known = lock(&self.known);
        let account = account.map(str::to_owned);
        let revocation = Revocation { account, keep: None, start: self.stage.now(), wall, done: None };
        known.revocations.push(revocation);
        known.revocations.len() - 1
    }

    pub(crate) fn revoked(&self, name: usize, keep: Option<SessionId>, place: Place, wall: i64) {
        let mut known = lock(&self.known);
        let revocation = &mut known.revocations[name];
        revocation.keep = keep;
        revocation.wall = revocation.wall.min(wall);
        revocation.done = Some(self.end(place, 0));
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
}

//! What a request saw and did, for the oracle. Which session it was is known when the answer is made: who is adopted gets a
//! cookie then.

use session_core::SessionId;

use super::fulfil::Visit;
use crate::oracle::{Begun, How};
use crate::payload::{Payload, Seen};
use crate::stage::lock;
use crate::token::Token;

pub(super) enum Note {
    Saw(Seen, How),
    Updated(Seen),
    /// The names of all devices.
    Listed(Vec<String>),
    /// Whether it passed where a login must be fresh.
    Proof(bool),
    OthersRevoked(usize),
}

impl<U: Payload> Visit<'_, U> {
    pub(super) fn note(&self, note: Note) {
        lock(&self.notes).push(note);
    }

    /// Tells everything, of the session of this token if the request was adopted with it.
    pub(super) fn tell(&self, kept: Option<&Token>) {
        let shown = self.begun.token.as_ref();
        let opens = |token: &Token| {
            self.begun.retired.is_none_or(|kid| kid != token.kid)
                && self.node.done().wall.max(self.begun.wall) < token.expires_at
        };
        // Where its own token opens nothing any more, the other system's cookie has brought it back to the session that came
        // with it.
        let is_new = |token: &&Token| {
            let Some(visa) = &self.begun.visa else { return false };
            let is_back =
                |shown: &Token| !opens(shown) && self.world.oracle.came_with(token.sid, visa.serial);
            shown.is_none_or(|shown| shown.sid != token.sid || is_back(shown))
        };
        let adopted = kept.filter(is_new).filter(|token| Some(token.sid) != self.began());
        let Some(token) = adopted else { return self.tell_of(self.begun) };
        self.world.oracle.adopted(self.begun, self.node.done(), token, self.latest_wall());
        *lock(&self.began) = Some(token.sid);
        self.tell_of(&Begun { token: Some(token.clone()), ..self.begun.clone() });
    }

    pub(super) fn began(&self) -> Option<SessionId> {
        *lock(&self.began)
    }

    fn tell_of(&self, begun: &Begun) {
        let (oracle, done) = (&self.world.oracle, self.node.done());
        for note in std::mem::take(&mut *lock(&self.notes)) {
            match note {
                Note::Saw(seen, how) => oracle.served(begun, done, &seen, how),
                Note::Updated(seen) => {
                    oracle.served(begun, done, &seen, How::Asked);
                    oracle.update_done(seen.login, begun);
                }
                Note::Listed(handles) => oracle.listed(begun, &handles),
                Note::Proof(is_fresh) => oracle.asked_for_proof(begun, is_fresh),
                Note::OthersRevoked(name) => {
                    let keep = begun.token.as_ref().map(|token| token.sid);
                    oracle.revoked(name, keep, begun.place, done.wall);
                }
            }
        }
    }
}

//! Which flows a browser keeps: four, and one that another site made it begin.

use std::time::Duration;

use super::proof::{self, Proof};
use super::{FLOW_LIFETIME, Flow, Flows};
use crate::cookie::Companion;
use crate::error::{ErrorKind, SessionError};
use crate::id::SessionId;
use crate::time::Timestamp;
use crate::token::Purpose;

/// Flows that other sites made this browser begin share this place, so that they push out only each other.
const SHARED: &str = "flow-x";
/// Set with a redirect to the login page: the next one that would follow is an answer.
const LOST: &str = "flow-lost";
const LOST_FOR: Duration = Duration::from_secs(60);
const MOST: usize = 4;
/// Names and values together. Servers take 8 KiB of headers and more.
const MOST_BYTES: usize = 4096;

impl<F: Flow> Flows<F> {
    /// Gives a flow that has just begun its cookie.
    pub(super) fn keep(&self, proof: &Proof, is_cross_site: bool) -> Result<(), SessionError> {
        let request = &self.session.0;
        let value = request.seal(Purpose::Flow, proof.to_bytes())?;
        let suffix = if is_cross_site { SHARED.to_owned() } else { proof::place(proof.id) };
        let cookie = Companion { suffix, value };
        let size = request.engine.companions.size(&cookie);
        if size >= MOST_BYTES {
            return Err(request.error(ErrorKind::PayloadTooLarge).detail(format!(
                "the flow's cookie would have {size} bytes of name and value, and all together must stay below \
                 {MOST_BYTES}: put less into it, or give the key a shorter name"
            )));
        }
        if !is_cross_site {
            self.make_room(size)?;
        }
        request.put_companion(cookie, FLOW_LIFETIME)
    }

    /// Clears the oldest until another one fits, and what is no flow any more.
    fn make_room(&self, size: usize) -> Result<(), SessionError> {
        let request = &self.session.0;
        let mut own: Vec<(Timestamp, Companion)> = Vec::new();
        for cookie in request.companions().into_iter().filter(is_own) {
            match self.open(&cookie) {
                Some(proof) => own.push((proof.ends_at, cookie)),
                None => self.clear(&cookie.suffix)?,
            }
        }
        own.sort_by_key(|(ends_at, _)| *ends_at);
        let sizes = own.iter().map(|(_, cookie)| request.engine.companions.size(cookie));
        let (mut count, mut total) = (own.len() + 1, sizes.sum::<usize>() + size);
        for (_, oldest) in own {
            if count <= MOST && total < MOST_BYTES {
                break;
            }
            (count, total) = (count - 1, total - request.engine.companions.size(&oldest));
            self.clear(&oldest.suffix)?;
        }
        Ok(())
    }

    /// The cookie of a flow, with what it says.
    pub(super) fn find(&self, id: SessionId) -> Option<(Companion, Proof)> {
        let place = proof::place(id);
        let cookies = self.session.0.companions().into_iter();
        let mut places = cookies.filter(|cookie| cookie.suffix == place || cookie.suffix == SHARED);
        places.find_map(|cookie| {
            let proof = self.open(&cookie).filter(|proof| proof.id == id)?;
            Some((cookie, proof))
        })
    }

    fn open(&self, cookie: &Companion) -> Option<Proof> {
        let request = &self.session.0;
        let proof = Proof::from_bytes(&request.open_sealed(Purpose::Flow, cookie)?)?;
        (request.now() < proof.ends_at).then_some(proof)
    }

    pub(super) fn clear(&self, suffix: &str) -> Result<(), SessionError> {
        let cookie = Companion { suffix: suffix.to_owned(), value: String::new() };
        self.session.0.put_companion(cookie, FLOW_LIFETIME)
    }

    /// There is no such flow: a navigation goes to the login page, and if that leads here once more within a minute, it
    /// is an answer.
    pub(super) fn not_found(&self, why: &'static str) -> SessionError {
        let request = &self.session.0;
        let error = request.error(ErrorKind::FlowNotFound).detail(why);
        let was_sent = request.companions().iter().any(|cookie| cookie.suffix == LOST);
        let Some(page) = request.login_page().filter(|_| !was_sent) else { return error };
        let mark = Companion { suffix: LOST.to_owned(), value: "1".to_owned() };
        match request.put_companion(mark, LOST_FOR) {
            Ok(()) => error.redirect_to(page),
            Err(_) => error,
        }
    }

    /// The way from the login page led somewhere.
    pub(super) fn found(&self) -> Result<(), SessionError> {
        let was_sent = self.session.0.companions().iter().any(|cookie| cookie.suffix == LOST);
        if was_sent { self.clear(LOST) } else { Ok(()) }
    }
}

fn is_own(cookie: &Companion) -> bool {
    cookie.suffix.starts_with("flow-") && cookie.suffix != SHARED && cookie.suffix != LOST
}

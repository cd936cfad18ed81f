//! Which of the tokens that a request shows are ours.

use super::named::{Named, Shown};
use crate::error::{ErrorKind, SessionError};
use crate::event::{EventKind, Who};
use crate::payload::SessionPayload;
use crate::service::Operation;
use crate::token::{Refused, Tries};

/// The tokens of a request, read when it was received.
pub(crate) struct Verified<U> {
    /// The newest usable token of each session.
    pub(super) usable: Named<U>,
    refused: Vec<Refused>,
}

impl<U> Verified<U> {
    /// Of a request that shows none.
    pub(crate) const NONE: Self = Self { usable: Named::NONE, refused: Vec::new() };

    pub(super) fn of(
        tokens: &mut dyn Iterator<Item = &[u8]>,
        verify: impl Fn(&[u8], &Tries) -> Result<Shown<U>, Refused>,
    ) -> Self {
        let mut verified = Self::NONE;
        let tries = Tries::new();
        for token in tokens {
            match verify(token, &tries) {
                Ok(shown) => verified.usable.push(shown),
                Err(refused) => verified.refused.push(refused),
            }
        }
        verified
    }

    /// The one token, where it is usable and there is no other.
    pub(super) fn only(&self) -> Option<&Shown<U>> {
        if self.refused.is_empty() { self.usable.only() } else { None }
    }

    /// Whether a token says something that this mode can use.
    pub(crate) fn has_usable(&self) -> bool {
        self.usable.iter().next().is_some()
    }

    /// The sessions that the request names under our signature, usable or not.
    pub(crate) fn named(&self) -> Named<U> {
        let mut named = self.usable.clone();
        self.refused.iter().filter_map(|refused| refused.claims).for_each(|claims| named.also(claims));
        named
    }
}

impl<U: SessionPayload> Verified<U> {
    /// The sessions that the request names, for a login or a logout that need not know more.
    pub(crate) fn tell(&self, op: &Operation<'_, U>) -> Named<U> {
        drop(self.refuse(op));
        self.named()
    }

    /// Tells of the others. The answer is the best reason to refuse them.
    pub(super) fn refuse(&self, op: &Operation<'_, U>) -> Option<SessionError> {
        self.refused.iter().fold(None, |known, refused| more_telling(known, refusal(op, refused)))
    }
}

fn refusal<U: SessionPayload>(op: &Operation<'_, U>, refused: &Refused) -> SessionError {
    let who = Who::session_or_nobody(refused.claims.map(|claims| claims.sid));
    if refused.kind == ErrorKind::Invalid {
        return op.unusable(who, refused.reason);
    }
    op.emit_failure(EventKind::Rejected, who, refused.kind, refused.reason);
    op.error(refused.kind).detail(refused.reason)
}

/// The reason that tells most: an expired session, then one not usable here, then one unknown, then a bad token.
pub(super) fn more_telling(known: Option<SessionError>, other: SessionError) -> Option<SessionError> {
    let weight = |error: &SessionError| match error.kind() {
        ErrorKind::Expired => 4,
        ErrorKind::Invalid => 3,
        ErrorKind::NotFound => 2,
        _ => 1,
    };
    match known {
        Some(known) if weight(&known) >= weight(&other) => Some(known),
        _ => Some(other),
    }
}

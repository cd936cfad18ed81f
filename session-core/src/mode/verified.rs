//! Which of the tokens that a request shows are ours.

use super::named::{Named, Shown};
use crate::error::{ErrorKind, SessionError};
use crate::event::{EventKind, Who};
use crate::payload::SessionPayload;
use crate::request::Credential;
use crate::service::Operation;
use crate::token::{Refused, Tries};

pub(super) struct Verified<U> {
    /// The sessions that the request names under our signature, usable or not.
    pub(super) named: Named<U>,
    /// The newest usable token of each session.
    pub(super) usable: Named<U>,
    /// The best reason to refuse the others.
    pub(super) failure: Option<SessionError>,
}

impl<U: SessionPayload> Verified<U> {
    pub(super) fn of(
        op: &Operation<'_, U>,
        shown: &Credential,
        verify: impl Fn(&[u8], &Tries) -> Result<Shown<U>, Refused>,
    ) -> Self {
        let mut verified = Self { named: Named::NONE, usable: Named::NONE, failure: None };
        let tries = Tries::new();
        for token in shown.tokens() {
            match verify(token, &tries) {
                Ok(shown) => {
                    verified.named.push(shown.clone());
                    verified.usable.push(shown);
                }
                Err(refused) => verified.refuse(op, &refused),
            }
        }
        verified
    }

    fn refuse(&mut self, op: &Operation<'_, U>, refused: &Refused) {
        let who = Who::session_or_nobody(refused.claims.map(|claims| claims.sid));
        let error = if refused.kind == ErrorKind::Invalid {
            op.unusable(who, refused.reason)
        } else {
            op.emit_failure(EventKind::Rejected, who, refused.kind, refused.reason);
            op.error(refused.kind).detail(refused.reason)
        };
        if let Some(claims) = refused.claims {
            self.named.push(Shown::without(claims));
        }
        self.failure = more_telling(self.failure.take(), error);
    }
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

//! The sessions that a request names.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::few::Few;
use crate::id::SessionId;
use crate::terms::Terms;
use crate::time::Timestamp;
use crate::token::{Carried, Claims};

/// A token that the request shows under our signature.
pub(crate) struct Shown<U> {
    pub(crate) claims: Claims,
    /// The payload, where it is known without asking the store.
    pub(crate) user: Option<Arc<U>>,
    /// What the login was given, where a token says so.
    pub(super) terms: Option<Arc<Terms>>,
}

impl<U> Shown<U> {
    /// A token that carries its payload.
    pub(super) fn with(carried: Carried<U>) -> Self {
        let Carried { claims, terms, user } = carried;
        Self { claims, user: Some(Arc::new(user)), terms }
    }

    /// A token that refers to a record, or whose payload is of no use here.
    pub(super) fn without(claims: Claims) -> Self {
        Self { claims, user: None, terms: None }
    }
}

impl<U> Clone for Shown<U> {
    fn clone(&self) -> Self {
        Self { claims: self.claims, user: self.user.clone(), terms: self.terms.clone() }
    }
}

/// The newest token of each session; almost always one or none.
pub(crate) struct Named<U>(Few<Shown<U>, 1>);

impl<U> Named<U> {
    pub(crate) const NONE: Self = Self(Few::new_const());

    /// Of one session only the newest token counts: a twin under another path is not a replay.
    pub(super) fn push(&mut self, shown: Shown<U>) {
        match self.0.iter_mut().find(|known| known.claims.sid == shown.claims.sid) {
            None => self.0.push(shown),
            Some(known) if rank(&known.claims) < rank(&shown.claims) => *known = shown,
            Some(_) => {}
        }
    }

    /// Adds a session by what a token says of it.
    pub(crate) fn also(&mut self, claims: Claims) {
        self.push(Shown::without(claims));
    }

    pub(crate) fn forget(&mut self, sid: SessionId) {
        self.0.retain(|known| known.claims.sid != sid);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Shown<U>> {
        self.0.iter()
    }

    /// The one session, if there is no other.
    pub(super) fn only(&self) -> Option<&Shown<U>> {
        match &*self.0 {
            [shown] => Some(shown),
            _ => None,
        }
    }

    /// The newest login first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Shown<U>> {
        let mut shown: Few<&Shown<U>, 1> = self.0.iter().collect();
        shown.sort_by_key(|shown| Reverse(shown.claims.authenticated_at));
        shown.into_iter()
    }
}

impl<U> Clone for Named<U> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// With a store the highest generation, and of one generation the token that was extended last: when it was issued is
/// the word of one node's clock. Without one the latest change, which extends nothing.
fn rank(claims: &Claims) -> (Option<u64>, Timestamp, Timestamp) {
    match claims.generation {
        Some(_) => (claims.generation, claims.expires_at, claims.issued_at),
        None => (None, claims.issued_at, claims.expires_at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(generation: Option<u64>, issued_at: i64, expires_at: i64) -> Claims {
        Claims {
            sid: SessionId::from_bytes([1; 18]),
            generation,
            issued_at: Timestamp::from_unix_seconds(issued_at),
            expires_at: Timestamp::from_unix_seconds(expires_at),
            authenticated_at: Timestamp::from_unix_seconds(0),
            ends_by: None,
        }
    }

    #[test]
    fn of_one_session_the_newest_token_counts_in_whatever_order_they_come() {
        let newer_and_older = [
            (token(Some(2), 10, 100), token(Some(1), 20, 200)),
            // Extended by a node whose clock is behind.
            (token(Some(1), 10, 200), token(Some(1), 20, 100)),
            // Without a store the payload that was changed last.
            (token(None, 20, 100), token(None, 10, 100)),
        ];
        for (newer, older) in newer_and_older {
            for pair in [[newer, older], [older, newer]] {
                let mut named = Named::<()>::NONE;
                pair.into_iter().for_each(|claims| named.push(Shown::without(claims)));
                assert!(named.iter().map(|shown| shown.claims).eq([newer]));
            }
        }
    }
}

//! The sessions that a request names.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::token::Claims;
use crate::{SessionId, Timestamp};

/// A token that the request shows under our signature.
pub(super) struct Shown<U> {
    pub(super) claims: Claims,
    /// The payload, where it is known without asking the store.
    pub(super) user: Option<Arc<U>>,
}

impl<U> Shown<U> {
    /// A token that carries its payload.
    pub(super) fn with((claims, user): (Claims, U)) -> Self {
        Self { claims, user: Some(Arc::new(user)) }
    }

    /// A token that refers to a record, or whose payload is of no use here.
    pub(super) fn without(claims: Claims) -> Self {
        Self { claims, user: None }
    }
}

impl<U> Clone for Shown<U> {
    fn clone(&self) -> Self {
        Self { claims: self.claims, user: self.user.clone() }
    }
}

/// The newest token of each session; almost always one or none.
pub(super) struct Named<U> {
    first: Option<Shown<U>>,
    rest: Vec<Shown<U>>,
}

impl<U> Named<U> {
    pub(super) const NONE: Self = Self { first: None, rest: Vec::new() };

    /// Of one session only the highest generation counts, then the latest issue: a twin under another path is
    /// not a replay.
    pub(super) fn push(&mut self, shown: Shown<U>) {
        if self.first.is_none() {
            self.first = Some(shown);
            return;
        }
        match self.first.iter_mut().chain(&mut self.rest).find(|known| known.claims.sid == shown.claims.sid) {
            None => self.rest.push(shown),
            Some(known) if rank(&known.claims) < rank(&shown.claims) => *known = shown,
            Some(_) => {}
        }
    }

    pub(super) fn forget(&mut self, sid: SessionId) {
        self.first.take_if(|known| known.claims.sid == sid);
        self.rest.retain(|known| known.claims.sid != sid);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Shown<U>> {
        self.first.iter().chain(&self.rest)
    }

    /// The newest login first.
    pub(super) fn newest_first(mut self) -> impl Iterator<Item = Shown<U>> {
        if !self.rest.is_empty() {
            self.rest.splice(..0, self.first.take());
            self.rest.sort_by_key(|shown| Reverse(shown.claims.authenticated_at));
        }
        self.first.into_iter().chain(self.rest)
    }
}

fn rank(claims: &Claims) -> (Option<u64>, Timestamp, Timestamp) {
    (claims.generation, claims.issued_at, claims.expires_at)
}

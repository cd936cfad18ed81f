//! Opening: which of the tokens that a request shows is its session.

use super::tracked::Served;
use super::{Intent, Named, Session, Shown, Who};
use crate::token::{Claims, Refused, Tries};
use crate::{ErrorKind, EventKind, SessionError, SessionPayload};

/// Of several sessions in one request so many are looked up.
const STORE_READS: usize = 2;

impl<U: SessionPayload> Session<U> {
    /// Finds out who is logged in: verifies the token and, with a store, reads the record (one round trip). Only
    /// the first call does so; parallel ones wait for it. Refreshes the session when that is due.
    ///
    /// # Errors
    /// A kind with [`is_unauthenticated`](ErrorKind::is_unauthenticated) when nobody is logged in; `CrossOrigin`;
    /// `StoreUnavailable`, when the answer is not known; `Misuse` before [`receive`](Self::receive).
    pub async fn open(&self) -> Result<(), SessionError> {
        self.open_for(Intent::Use).await
    }

    /// [`open`](Self::open) that writes nothing, sets no cookie and ends nothing. Asks the store in hybrid mode, too.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn peek(&self) -> Result<(), SessionError> {
        self.recheck_for(Intent::Peek).await
    }

    /// [`open`](Self::open) that makes sure that the session has not ended elsewhere. Only hybrid mode has more to do: a
    /// session that was opened without asking the store is read from it now, once, and [`user`](Self::user) is from then
    /// on what the store has. For handlers that do what must not be done with a revoked session;
    /// [`Fresh`](crate::Fresh), the session routes and every operation do it themselves.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn recheck(&self) -> Result<(), SessionError> {
        self.recheck_for(Intent::Use).await
    }

    async fn recheck_for(&self, intent: Intent) -> Result<(), SessionError> {
        if self.0.manager.recent.is_none() {
            return self.open_for(intent).await;
        }
        let _turn = self.take_turn().await;
        self.open_in_turn(intent).await?;
        self.recheck_in_turn().await
    }

    pub(super) async fn recheck_in_turn(&self) -> Result<(), SessionError> {
        let Some(current) = self.current() else { return Ok(()) };
        let Some(shown_at) = current.recent_at else { return Ok(()) };
        // Whoever came within the grace is no thief because the handler asks later: that ends nothing.
        let served = self.use_tracked_at(shown_at, &current.claims, Intent::Peek).await;
        self.show(served.inspect_err(|error| self.lost(error))?);
        Ok(())
    }

    /// [`open`](Self::open) as a use that the store learns of: hybrid mode writes down no last-seen of a session that it
    /// serves from memory.
    pub(crate) async fn open_in_store(&self) -> Result<(), SessionError> {
        let _turn = self.take_turn().await;
        self.open_in_turn(Intent::Use).await?;
        let Some(current) = self.current() else { return Ok(()) };
        let Some(shown_at) = current.recent_at else { return Ok(()) };
        let served = self.use_tracked_at(shown_at, &current.claims, self.possible(Intent::Use)).await;
        self.show(served.inspect_err(|error| self.lost(error))?);
        Ok(())
    }

    pub(super) async fn open_for(&self, intent: Intent) -> Result<(), SessionError> {
        if let Some(outcome) = self.outcome() {
            return outcome;
        }
        let _turn = self.take_turn().await;
        self.open_in_turn(intent).await
    }

    /// For callers that hold the turn.
    pub(super) async fn open_in_turn(&self, intent: Intent) -> Result<(), SessionError> {
        if let Some(outcome) = self.outcome() {
            return outcome;
        }
        let outcome = match self.admit() {
            Ok(()) => self.find(intent).await,
            Err(error) => Err(error),
        };
        self.state().opened = Some(outcome.clone());
        outcome
    }

    /// What [`open`](Self::open) answered, if it was called.
    pub(crate) fn outcome(&self) -> Option<Result<(), SessionError>> {
        self.state().opened.clone()
    }

    /// Refuses a request from another origin, before anything else is looked at.
    pub(super) fn admit(&self) -> Result<(), SessionError> {
        let Some(received) = self.0.received.get() else {
            return Err(self.error(ErrorKind::Misuse).detail(
                "the session was opened before it received the request: call Session::receive(&head) first",
            ));
        };
        match &received.cross_origin {
            None => Ok(()),
            Some(refusal) => Err(self.0.manager.refuse_origin(received, refusal)),
        }
    }

    async fn find(&self, intent: Intent) -> Result<(), SessionError> {
        let intent = self.possible(intent);
        if self.0.manager.store.is_some() {
            self.find_tracked(intent).await
        } else {
            self.find_stateless(intent).await
        }
    }

    /// There is no cookie to carry a refresh that a native client did not ask for.
    fn possible(&self, intent: Intent) -> Intent {
        match intent {
            Intent::Use if self.is_bearer() => Intent::UseAsIs,
            intent => intent,
        }
    }

    pub(crate) fn is_bearer(&self) -> bool {
        self.0.received.get().is_some_and(super::Received::is_bearer)
    }

    async fn find_stateless(&self, intent: Intent) -> Result<(), SessionError> {
        let codec = &self.0.manager.codec;
        let now = self.now();
        let found = self.verified(|token, tries| codec.verify_in::<U>(token, now, tries).map(Shown::with));
        let mut failure = found.failure;
        for Shown { claims, user } in found.shown.newest_first() {
            let Some(user) = user else { continue };
            match self.use_stateless(claims, user, intent).await {
                Ok(()) => return Ok(()),
                Err(error) => failure = more_telling(failure, error),
            }
            self.state().current = None;
        }
        Err(failure.unwrap_or_else(|| self.error(ErrorKind::NotFound)))
    }

    async fn find_tracked(&self, intent: Intent) -> Result<(), SessionError> {
        let codec = &self.0.manager.codec;
        let now = self.now();
        let found =
            self.verified(|token, tries| codec.verify_reference_in(token, now, tries).map(Shown::without));
        let mut failure = found.failure;
        let mut reads = 0;
        for Shown { claims, .. } in found.shown.newest_first() {
            if now >= claims.expires_at {
                failure = more_telling(failure, self.expired(&claims, None));
                continue;
            }
            if reads == STORE_READS {
                break;
            }
            reads += 1;
            let served = match self.recently_read(&claims, intent) {
                Some(served) => served,
                None => self.use_tracked(&claims, intent).await,
            };
            match served {
                Ok(served) => {
                    self.show(served);
                    return Ok(());
                }
                Err(error) if error.kind().is_unauthenticated() => failure = more_telling(failure, error),
                Err(error) => return Err(error),
            }
        }
        Err(failure.unwrap_or_else(|| self.error(ErrorKind::NotFound)))
    }

    /// Verifies every token that the request shows, and notes the sessions that they name.
    fn verified(&self, verify: impl Fn(&[u8], &Tries) -> Result<Shown<U>, Refused>) -> Found<U> {
        let mut found = Found { shown: Named::NONE, failure: None };
        let Some(received) = self.0.received.get() else { return found };
        let tries = Tries::new();
        for token in received.credential.tokens() {
            match verify(token, &tries) {
                Ok(shown) => {
                    self.state().named.push(shown.clone());
                    found.shown.push(shown);
                }
                Err(refused) => found.failure = more_telling(found.failure, self.rejected(&refused)),
            }
        }
        found
    }

    /// Notes the sessions that the request names, for a login that need not know more.
    pub(super) fn name_sessions(&self) {
        let codec = &self.0.manager.codec;
        let now = self.now();
        if self.0.manager.store.is_some() {
            self.verified(|token, tries| codec.verify_reference_in(token, now, tries).map(Shown::without));
        } else {
            self.verified(|token, tries| codec.verify_in::<U>(token, now, tries).map(Shown::with));
        }
    }

    fn rejected(&self, refused: &Refused) -> SessionError {
        if let Some(claims) = refused.claims {
            self.state().named.push(Shown::without(claims));
        }
        let who = Who { sid: refused.claims.map(|claims| claims.sid), subject: None };
        self.emit(EventKind::Rejected, who, Some(refused.kind), Some(refused.reason.to_owned()));
        self.error(refused.kind).detail(refused.reason)
    }

    pub(super) fn expired(&self, claims: &Claims, subject: Option<&str>) -> SessionError {
        self.emit(EventKind::Expired, Who::session(claims, subject), Some(ErrorKind::Expired), None);
        self.error(ErrorKind::Expired)
    }

    /// Makes what the store served the session of this request.
    pub(super) fn show(&self, served: Served<U>) {
        let Served { current, token } = served;
        let mut state = self.state();
        if let Some(token) = token.filter(|_| !state.closed) {
            state.outgoing = super::Outgoing::Send { token, claims: current.newest() };
        }
        state.current = Some(current);
    }
}

/// The well signed tokens of a request, and the best reason to refuse the others.
struct Found<U> {
    shown: Named<U>,
    failure: Option<SessionError>,
}

/// The reason that tells most: an expired session, then one not usable here, then one unknown, then a bad token.
fn more_telling(known: Option<SessionError>, other: SessionError) -> Option<SessionError> {
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

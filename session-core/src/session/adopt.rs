//! Somebody without a session here comes with one of another system.

use std::sync::Arc;

use super::Session;
use super::request::{Request, Turn};
use crate::error::{ErrorKind, SessionError};
use crate::foreign::{Foreign, Newcomer, Shows};
use crate::login::LoginOptions;
use crate::mode::{Current, Effect, Intent, Issued};
use crate::payload::SessionPayload;
use crate::service::Operation;
use crate::terms::Terms;
use crate::token::Carried;

impl<U: SessionPayload> Session<U> {
    /// A session for `user`, who has none here but comes with one of another system. Who has a session, whoever that is,
    /// keeps it. The answer is the payload of whoever it is.
    ///
    /// It counts as a login, and may end the account's least recently seen session; it never passes [`Fresh`](crate::Fresh)
    /// and ends with the foreign session at the latest. Most applications let
    /// [`SessionManagerBuilder::adopt_from`](crate::SessionManagerBuilder::adopt_from) do this with the first request. Where
    /// you do it by hand, a login or logout here knows nothing of the foreign cookie: end that session yourself.
    ///
    /// With a store that can, one round trip; two where another request has made the session already.
    ///
    /// # Errors
    /// `NotFound` for a session that was adopted and is over, that is from before the account's sessions were ended, or
    /// that is not good for this: an [event](crate::EventKind::Rejected) says why. `StoreRequired`; `StoreUnavailable`;
    /// `Invalid` for a session here whose payload this program cannot read; `Misuse` without
    /// [`adopt_until`](crate::SessionManagerBuilder::adopt_until), for a request with a bearer token, whose client would not
    /// get its session, and for a payload that cannot be stored; `CrossOrigin`;
    /// `ResponseSent`.
    pub async fn adopt(&self, user: U, foreign: Foreign) -> Result<Arc<U>, SessionError> {
        let turn = self.0.turn().await;
        self.0.require_browser()?;
        match self.0.opened_in(&turn, Intent::Use).await {
            Ok(current) => return self.0.complete(current).map(|current| current.user),
            Err(error) if error.kind().is_unauthenticated() && error.kind() != ErrorKind::Invalid => {}
            Err(error) => return Err(error),
        }
        let tracked = self.0.engine.mode.require_store(&turn.op)?;
        if tracked.adopt_until.is_none() {
            return Err(self.0.error(ErrorKind::Misuse).detail(
                "nothing says until when sessions of another system are adopted: add .adopt_until(..) to the manager",
            ));
        }
        let clearing: Vec<_> = foreign.clearing().collect();
        let newcomer = Newcomer { user, foreign, options: LoginOptions::default() };
        let adopted = Box::pin(tracked.adopt(&turn.op, newcomer)).await?;
        let Some((current, issued)) = adopted else { return Err(self.0.error(ErrorKind::NotFound)) };
        let user = Arc::clone(&current.user);
        self.0.takes_over(current, issued, clearing);
        Ok(user)
    }
}

impl<U: SessionPayload> Request<U> {
    /// A session for a request that has none, if it shows one of another system.
    pub(super) async fn adopt_shown(
        &self,
        op: &Operation<'_, U>,
        shows: &Shows<U>,
    ) -> Result<Option<Effect<U>>, SessionError> {
        let Some(tracked) = self.engine.mode.tracked() else { return Ok(None) };
        if tracked.adopts_until(op).is_none() {
            return Ok(None);
        }
        let Some(newcomer) = self.newcomer(op, shows).await? else { return Ok(None) };
        let clearing = newcomer.foreign.clearing().collect();
        Ok(tracked.adopt(op, newcomer).await?.map(|(current, issued)| {
            self.state().cleared = clearing;
            Effect::Show(current, Some(issued))
        }))
    }

    /// Whoever logs in or out here leaves no way back by a session of another system.
    pub(super) async fn end_foreign(&self, turn: &Turn<'_, U>) -> Result<(), SessionError> {
        let (Some(shows), Some(tracked)) = (self.shows(), self.engine.mode.tracked()) else { return Ok(()) };
        if tracked.keeps_out_until(&turn.op).is_none() {
            return Ok(());
        }
        if let Some(newcomer) = self.newcomer(&turn.op, shows).await? {
            tracked.end_foreign(&turn.op, &newcomer).await?;
            self.state().cleared = newcomer.foreign.clearing().collect();
        }
        Ok(())
    }

    /// Who comes with a session of another system: by a token of our own first.
    async fn newcomer(
        &self,
        op: &Operation<'_, U>,
        shows: &Shows<U>,
    ) -> Result<Option<Newcomer<U>>, SessionError> {
        let (Some(sources), Some(tracked)) = (&self.engine.sources, self.engine.mode.tracked()) else {
            return Ok(None);
        };
        if let Some(carried) = one_of(op, &shows.tokens) {
            return Ok(Some(of_token(op, carried)));
        }
        match (&sources.read, &shows.cookies) {
            (Some(read), Some(cookies)) => tracked.read_foreign(op, read, cookies.clone()).await,
            _ => Ok(None),
        }
    }

    fn takes_over(&self, current: Current<U>, issued: Box<Issued>, clearing: Vec<String>) {
        let mut state = self.state();
        state.cleared = clearing;
        // Where the response has left meanwhile, the foreign cookie brings the same session with the next request.
        drop(state.apply(Effect::Show(current, Some(issued))));
        state.opened = Some(Ok(()));
    }
}

/// The newest of them that is good, unless they are of several accounts: nothing says which one is meant.
fn one_of<'a, U: SessionPayload>(op: &Operation<'_, U>, tokens: &'a [Carried<U>]) -> Option<&'a Carried<U>> {
    let is_live = |carried: &&Carried<U>| op.lifetimes.judge(&carried.claims.times(), op.now()).is_live;
    let newest = tokens.iter().filter(is_live).max_by_key(|carried| {
        let claims = &carried.claims;
        (claims.authenticated_at, claims.issued_at)
    })?;
    let subject = newest.user.subject();
    tokens.iter().filter(is_live).all(|carried| carried.user.subject() == subject).then_some(newest)
}

/// The session goes on as it was: with its level, its methods and its end.
fn of_token<U: SessionPayload>(op: &Operation<'_, U>, carried: &Carried<U>) -> Newcomer<U> {
    let Carried { claims, terms, user } = carried;
    let usual = Terms::default();
    let terms = terms.as_deref().unwrap_or(&usual);
    let options = LoginOptions {
        remember: Some(terms.is_remembered),
        at_most: terms.at_most,
        methods: terms.methods.clone(),
        level: Some(terms.level),
        ends_by: Some(op.lifetimes.absolute_end(claims.start())),
        ..LoginOptions::default()
    };
    let foreign = Foreign::new(&**op.cookie.name())
        .allow_any_name()
        .id(claims.sid.as_bytes())
        .authenticated_at(claims.authenticated_at)
        .issued_at(claims.issued_at);
    Newcomer { user: user.clone(), foreign, options }
}

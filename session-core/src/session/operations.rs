//! What a handler does to a session. Each has happened when it returns.

use std::sync::Arc;

use super::Session;
use super::request::{Request, Turn};
use super::state::Outgoing;
use crate::error::{ErrorKind, SessionError};
use crate::login::{Login, LoginOptions};
use crate::mode::{Current, Destroyed, Effect, Intent, LoggedIn, Named};
use crate::payload::{SessionPayload, is_subject, no_subject};
use crate::response::SessionToken;
use crate::terms::USUAL_LEVEL;

impl<U: SessionPayload> Session<U> {
    /// Logs a user in: a new session id, always, and a cookie with the response. The session that the request's
    /// cookie names is ended; nothing of it is carried over (ASVS 7.2.4). An old token ends only what it could have
    /// opened: see [`destroy`](Self::destroy). Of the user's own account it may also have run out, as long as nobody
    /// has used its successor.
    ///
    /// With a store one round trip; one more for each cookie of ours in a request that no extractor has
    /// opened, to see how old its token is. The payload is decoded once, to make sure that the next request
    /// can read it. The token is for native clients; browsers get it as a cookie.
    ///
    /// Before the `.await` the [`Login`] may be told more: `.remember(false)`, `.methods(["pwd"])`, `.verified(attempt)`.
    ///
    /// # Errors
    /// `PayloadTooLarge`, `SessionLimit`, `StoreUnavailable`; `CrossOrigin`; `ResponseSent` after
    /// the response has left; `LoginOvertaken`; `Expired` for an
    /// [earlier login](crate::Login::authenticated_at) that is too old; `Misuse` for a payload that is no JSON object,
    /// that has a reserved name, that [cannot be read back](SessionPayload), or whose subject is not 1 to 255 bytes
    /// without NUL, and for a value of the [`Login`] that is out of range.
    pub fn create(&self, user: U) -> Login<'_, SessionToken> {
        Login::new(move |options| async move { self.create_with(user, &options).await })
    }

    pub(crate) async fn create_with(
        &self,
        user: U,
        options: &LoginOptions,
    ) -> Result<SessionToken, SessionError> {
        let turn = self.0.turn().await;
        self.0.create_in(&turn, user, options).await
    }

    /// A session for a visitor who has none: that of a guest, whose payload names no
    /// [subject](SessionPayload::subject), with a cart for instance. Who has a session, guest or not, keeps it. The
    /// answer is the payload of whoever it is.
    ///
    /// Call it when there is something to keep, never for each page: every robot would get a session. A guest's ends at
    /// the latest [`Lifetimes::guest`](crate::Lifetimes::guest) after it began. A login ends it and carries nothing over:
    /// read [`user`](Self::user) first.
    ///
    /// # Errors
    /// As [`create`](Self::create); `LoginIncomplete` for a login that waits for its second factor; `Invalid` for a
    /// session whose payload this program cannot read, which it may be while a deploy is rolled out: nothing is lost by a
    /// visit; `Misuse` for a payload with a subject.
    pub async fn visit(&self, guest: impl FnOnce() -> U) -> Result<Arc<U>, SessionError> {
        let turn = self.0.turn().await;
        match self.0.opened_in(&turn, Intent::Use).await {
            Ok(current) => return self.0.complete(current).map(|current| current.user),
            Err(error) if error.kind().is_unauthenticated() && error.kind() != ErrorKind::Invalid => {}
            Err(error) => return Err(error),
        }
        let guest = guest();
        if guest.subject().is_some() {
            return Err(self.0.error(ErrorKind::Misuse).detail(
                "a visitor's payload names an account: log it in with Session::create, or answer None for its subject",
            ));
        }
        self.0.create_in(&turn, guest, &LoginOptions::default()).await?;
        self.0.current().map(|current| current.user).ok_or_else(|| self.0.refusal())
    }

    /// The user has just proven who they are once more: a new session id, the same payload, and both clocks start
    /// again. The old token is dead at once; in hybrid mode elsewhere within the bound. Without a store, see
    /// [`ended_capacity`](crate::SessionManagerBuilder::ended_capacity). [`methods`](crate::Login::methods) are added to
    /// those of before, of which the newest 8 stay; a [`level`](crate::Login::level) only rises.
    ///
    /// # Errors
    /// As [`create`](Self::create); `NotFound` when nobody is logged in, or the session has ended meanwhile;
    /// `LoginIncomplete`; `Forbidden` while somebody [acts as the user](Self::impersonate).
    pub fn reauthenticate(&self) -> Login<'_, SessionToken> {
        self.again(|request, current, _| request.complete(current).map(drop))
    }

    /// The second factor was right: a login of level 0 becomes one of level 1, with a new session id. `methods` are added
    /// to those of the first step.
    ///
    /// # Errors
    /// As [`reauthenticate`](Self::reauthenticate); `Forbidden` for a login that waits for nothing.
    pub fn complete(&self, methods: impl IntoIterator<Item = impl Into<String>>) -> Login<'_, SessionToken> {
        let login = self.again(|request, current, options| {
            if current.is_guest() || current.level() > 0 {
                return Err(request.error(ErrorKind::Forbidden).detail("the login waits for no second step"));
            }
            options.level = Some(options.level.unwrap_or(USUAL_LEVEL).max(USUAL_LEVEL));
            Ok(())
        });
        login.methods(methods)
    }

    /// The user has given a stronger proof of who they are: a new session id, and the level is `level` from now on, if
    /// it was lower. `methods` are added to those of before.
    ///
    /// # Errors
    /// As [`reauthenticate`](Self::reauthenticate).
    pub fn step_up(
        &self,
        methods: impl IntoIterator<Item = impl Into<String>>,
        level: u8,
    ) -> Login<'_, SessionToken> {
        let login = self.again(|request, current, _| request.complete(current).map(drop));
        login.methods(methods).level(level)
    }

    /// A login of the same user in the place of this one, if `check` lets it.
    fn again(
        &self,
        check: impl FnOnce(&Request<U>, Current<U>, &mut LoginOptions) -> Result<(), SessionError>
        + Send
        + 'static,
    ) -> Login<'_, SessionToken> {
        Login::new(move |mut options| async move {
            let turn = self.0.turn().await;
            self.0.not_closed()?;
            let current = self.0.opened_in(&turn, Intent::Use).await?;
            self.0.in_own_name(&current)?;
            check(&self.0, current, &mut options)?;
            let present = self.0.shown();
            let login = self.0.engine.mode.reauthenticate(&turn.op, &options, &present).await;
            self.0.install(&turn, self.0.answer(login)?, Outgoing::Nothing).await
        })
    }

    /// Changes the payload. With a store `change` runs again on the newest payload when somebody else changed it
    /// meanwhile, so no update is lost; without one, parallel updates of two requests can be.
    ///
    /// With a store one round trip; where many change one session at once, three, in the order of their losses. Who is
    /// still too late after a hundred attempts or the [store's deadline](crate::SessionManagerBuilder::store_deadline)
    /// gets `StoreUnavailable`: nothing was changed, and a later attempt can succeed.
    ///
    /// Extends nothing. With a store it works after the response has left, too.
    ///
    /// # Errors
    /// `NotFound` and the like when nobody is logged in or the session has ended meanwhile; `LoginIncomplete`, see
    /// [`Pending::update`](crate::Pending::update); `PayloadTooLarge`; `StoreUnavailable`; `Misuse` when the subject
    /// changed or the payload cannot be read back.
    pub async fn update(&self, change: impl FnMut(&mut U) + Send) -> Result<Arc<U>, SessionError> {
        self.update_if(change, Request::complete).await
    }

    /// [`update`](Self::update), unless `check` refuses.
    pub(crate) async fn update_if(
        &self,
        mut change: impl FnMut(&mut U) + Send,
        check: impl FnOnce(&Request<U>, Current<U>) -> Result<Current<U>, SessionError> + Send,
    ) -> Result<Arc<U>, SessionError> {
        let turn = self.0.turn().await;
        let current = self.0.opened_in(&turn, Intent::Use).await?;
        let current = check(&self.0, current)?;
        if self.0.engine.mode.update_needs_a_response() {
            self.0.not_closed()?;
        }
        let updated = self.0.answer(self.0.engine.mode.update(&turn.op, current, &mut change).await)?;
        let user = Arc::clone(&updated.current().user);
        self.0.take(updated)?;
        Ok(user)
    }

    /// Refreshes now. The answer is the longer token that the client is sent, or `None` when it gets none, as
    /// [`refreshable_in`](Self::refreshable_in) then says: a token was sent only just now and is far from its end, or
    /// the absolute lifetime ends with this one. A refresh in the last `2 * replay_grace` of a token always brings a longer
    /// one before that.
    ///
    /// # Errors
    /// `NotFound` and the like when nobody is logged in; `StoreUnavailable`.
    pub async fn refresh(&self) -> Result<Option<SessionToken>, SessionError> {
        let turn = self.0.turn().await;
        self.0.not_closed()?;
        if self.0.outcome().is_none() && !self.0.is_bearer() {
            self.0.open_in(&turn, Intent::Refresh).await?;
            return Ok(self.0.outgoing_token());
        }
        let current = self.0.opened_in(&turn, Intent::Peek).await?;
        match self.0.engine.mode.refresh(&turn.op, current).await {
            Ok(refreshed) => self.0.take(refreshed)?,
            Err(denied) => return Err(self.0.state().denied(denied)),
        }
        Ok(self.0.outgoing_token())
    }

    /// Logs out: ends the session that the request names, and clears the cookie, also when there was no session: an
    /// [event](crate::EventKind::LogoutWithoutSession) says so then.
    ///
    /// A token ends what it could open: with a store the newest token of a session does, and its predecessor in its
    /// [grace](crate::Lifetimes::replay_grace). Anything older is a replay: it ends what
    /// [`ReplayPolicy`](crate::ReplayPolicy) says, and is told as one. Without a store every token of a session does
    /// until it expires.
    ///
    /// With a store one round trip for an opened session, two for one that no extractor has opened.
    ///
    /// # Errors
    /// `StoreUnavailable`: then nobody is logged out and no cookie is cleared. `CrossOrigin`.
    pub async fn destroy(&self) -> Result<Destroyed, SessionError> {
        let turn = self.0.turn().await;
        self.0.destroy_in(&turn).await
    }
}

impl<U: SessionPayload> Request<U> {
    async fn create_in(
        &self,
        turn: &Turn<'_, U>,
        user: U,
        options: &LoginOptions,
    ) -> Result<SessionToken, SessionError> {
        self.not_closed()?;
        let received = self.admit()?;
        self.check_subject(user.subject().as_deref())?;
        if self.engine.requires_attempts && options.attempt.is_none() && user.subject().is_some() {
            return Err(self.error(ErrorKind::Misuse).detail(
                "this manager takes no login without an attempt: begin with SessionManager::attempt and add \
                 .verified(attempt)",
            ));
        }
        if self.shows().is_some() {
            Box::pin(self.end_foreign(turn)).await?;
        }
        let mut present = self.present(turn, received);
        let login = self.engine.mode.create(&turn.op, user, options, &mut present).await;
        self.state().named = present.named;
        let token = self.install(turn, login?, self.unparked(received)).await?;
        self.state().named = Named::NONE;
        Ok(token)
    }

    /// The session, unless it waits for its second factor.
    pub(super) fn complete(&self, current: Current<U>) -> Result<Current<U>, SessionError> {
        if current.is_pending() { Err(self.incomplete()) } else { Ok(current) }
    }

    pub(super) async fn destroy_in(&self, turn: &Turn<'_, U>) -> Result<Destroyed, SessionError> {
        let received = self.admit()?;
        if self.shows().is_some() {
            Box::pin(self.end_foreign(turn)).await?;
        }
        let mut present = self.present(turn, received);
        let destroyed = self.engine.mode.destroy(&turn.op, &mut present).await;
        self.state().named = present.named;
        let destroyed = destroyed?;
        let (over, parked) = (self.error(ErrorKind::NotFound), self.unparked(received));
        self.state().clear(over, parked);
        Ok(destroyed)
    }

    pub(super) fn check_subject(&self, subject: Option<&str>) -> Result<(), SessionError> {
        subject
            .filter(|subject| !is_subject(subject))
            .map_or(Ok(()), |_| Err(no_subject(self.error(ErrorKind::Misuse))))
    }

    /// Makes a new session the one of this request; takes it back when the response has left meanwhile.
    pub(super) async fn install(
        &self,
        turn: &Turn<'_, U>,
        login: LoggedIn<U>,
        parked: Outgoing,
    ) -> Result<SessionToken, SessionError> {
        let LoggedIn { current, issued, replaced } = login;
        let token = issued.token.clone();
        let installed = self.state().install(current.clone(), issued, parked);
        if installed.is_err() {
            self.engine.mode.undo(&turn.op, &current).await?;
            return Err(self.response_left());
        }
        self.engine.mode.settle(&turn.op, &current, replaced).await;
        Ok(token)
    }

    fn take(&self, effect: Effect<U>) -> Result<(), SessionError> {
        let applied = self.state().apply(effect);
        applied.map_err(|_| self.response_left())
    }

    /// What a verb answered; the session is over where that says so.
    pub(super) fn answer<T>(&self, answer: Result<T, SessionError>) -> Result<T, SessionError> {
        answer.inspect_err(|error| self.state().failed(error))
    }

    fn outgoing_token(&self) -> Option<SessionToken> {
        match &self.state().outgoing {
            Outgoing::Send(issued) => Some(issued.token.clone()),
            Outgoing::Nothing | Outgoing::Clear => None,
        }
    }
}

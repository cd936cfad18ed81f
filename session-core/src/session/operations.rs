//! What a handler does to a session. Each has happened when it returns.

use std::sync::Arc;

use super::{Current, Intent, Named, Outgoing, Session, Shown, Who};
use crate::manager::Revalidation;
use crate::store::SessionRecord;
use crate::token::{Claims, IssueError};
use crate::{Device, ErrorKind, EventKind, SessionError, SessionId, SessionPayload, SessionToken};

/// What a logout reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destroyed {
    /// The session is over: its token is refused from now on.
    Session,
    /// Without a store, and [the list of ended sessions](crate::SessionManagerBuilder::ended_capacity) is full: the
    /// cookie is cleared, but a copy of the token stays good until it expires.
    CookieOnly,
}

impl<U: SessionPayload> Session<U> {
    /// Logs a user in: a new session id, always, and a cookie with the response. The session that the request's
    /// cookie names is ended; nothing of it is carried over (ASVS 7.2.4). An old token ends only what it could have
    /// opened: see [`destroy`](Self::destroy). Of the user's own account it may also have run out, as long as nobody
    /// has used its successor.
    ///
    /// With a store one round trip; one more for each cookie of ours in a request that nobody has
    /// [opened](Self::open), to see how old its token is. The payload is decoded once, to make sure that the next request
    /// can read it. The token is for native clients; browsers get it as a cookie.
    ///
    /// # Errors
    /// `PayloadTooLarge`, `SessionLimit`, `StoreUnavailable`; `CrossOrigin`; `ResponseSent` after
    /// [`close`](Self::close); `Misuse` for a payload that is no JSON object, that has a reserved name, that
    /// [cannot be read back](SessionPayload), or whose subject is not 1 to 255 bytes without NUL.
    pub async fn create(&self, user: U) -> Result<SessionToken, SessionError> {
        let _turn = self.take_turn().await;
        self.not_closed()?;
        self.admit()?;
        self.check_subject(user.subject().as_deref())?;
        if self.outcome().is_none() {
            self.name_sessions();
        }
        let token = match self.is_tracked() {
            true => self.create_tracked(user).await?,
            false => self.create_stateless(user)?,
        };
        let mut state = self.state();
        state.named = Named::NONE;
        state.opened = Some(Ok(()));
        Ok(token)
    }

    /// The user has just proven who they are once more: a new session id, the same payload, and both clocks start
    /// again. The old token is dead at once; in hybrid mode elsewhere within the bound. Without a store, see
    /// [`ended_capacity`](crate::SessionManagerBuilder::ended_capacity).
    ///
    /// # Errors
    /// As [`create`](Self::create); `NotFound` when nobody is logged in, or the session has ended meanwhile.
    pub async fn reauthenticate(&self) -> Result<SessionToken, SessionError> {
        let _turn = self.take_turn().await;
        self.not_closed()?;
        let current = self.opened(Intent::Use).await?;
        match self.is_tracked() {
            true => self.reauthenticate_tracked(&current).await,
            false => self.reauthenticate_stateless(&current),
        }
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
    /// `NotFound` and the like when nobody is logged in or the session has ended meanwhile; `PayloadTooLarge`;
    /// `StoreUnavailable`; `Misuse` when the subject changed or the payload cannot be read back.
    pub async fn update(&self, mut change: impl FnMut(&mut U) + Send) -> Result<Arc<U>, SessionError> {
        let _turn = self.take_turn().await;
        let current = self.opened(Intent::Use).await?;
        if self.is_tracked() {
            return self.update_tracked(&current, &mut change).await;
        }
        self.not_closed()?;
        let mut user = U::clone(&current.user);
        change(&mut user);
        self.same_account(current.user.subject().as_deref(), user.subject().as_deref())?;
        self.update_stateless(&current, user)
    }

    /// Refreshes now. The answer is the longer token that the client is sent, or `None` when it gets none, as
    /// [`refreshable_in`](Self::refreshable_in) then says: a token was sent only just now and is far from its end, or
    /// the absolute lifetime ends with this one. A refresh in the last `2 * replay_grace` of a token always brings a longer
    /// one before that.
    ///
    /// # Errors
    /// `NotFound` and the like when nobody is logged in; `StoreUnavailable`.
    pub async fn refresh(&self) -> Result<Option<SessionToken>, SessionError> {
        let _turn = self.take_turn().await;
        self.not_closed()?;
        if self.outcome().is_none() && !self.is_bearer() {
            self.open_in_turn(Intent::Refresh).await?;
            return Ok(self.outgoing_token());
        }
        let current = self.opened(Intent::Peek).await?;
        if !self.is_tracked() {
            return self.renew_stateless(Intent::Refresh).await.inspect_err(|error| self.lost(error));
        }
        let served = self.use_tracked(&current.claims, Intent::Refresh).await;
        self.show(served.inspect_err(|error| self.lost(error))?);
        Ok(self.outgoing_token())
    }

    /// Logs out: ends the session that the request names, and clears the cookie, also when there was no session: an
    /// [event](EventKind::LogoutWithoutSession) says so then.
    ///
    /// A token ends what it could open: with a store the newest token of a session does, and its predecessor in its
    /// [grace](crate::Lifetimes::replay_grace). Anything older is a replay: it ends what
    /// [`ReplayPolicy`](crate::ReplayPolicy) says, and is told as one. Without a store every token of a session does
    /// until it expires.
    ///
    /// With a store one round trip for an opened session, two for one that nobody has [opened](Self::open).
    ///
    /// # Errors
    /// `StoreUnavailable`: then nobody is logged out and no cookie is cleared. `CrossOrigin`.
    pub async fn destroy(&self) -> Result<Destroyed, SessionError> {
        let _turn = self.take_turn().await;
        self.admit()?;
        if self.outcome().is_none() {
            self.name_sessions();
        }
        let remembered = match self.is_tracked() {
            true => self.destroy_tracked().await.map(|()| true)?,
            false => self.destroy_stateless(),
        };
        let mut state = self.state();
        state.current = None;
        state.named = Named::NONE;
        state.outgoing = Outgoing::Clear;
        drop(state);
        let over = self.error(ErrorKind::NotFound);
        self.state().opened = Some(Err(over));
        Ok(if remembered { Destroyed::Session } else { Destroyed::CookieOnly })
    }

    /// The sessions of this account, newest first; of a guest only this one.
    ///
    /// # Errors
    /// `StoreRequired` without a store; `NotFound` and the like when nobody is logged in; `StoreUnavailable`.
    pub async fn list(&self) -> Result<Vec<Device>, SessionError> {
        let (current, records) = self.account_records().await?;
        Ok(self.devices(&records, Some(current.claims.sid)))
    }

    /// Ends one session of this account, by its [`Device::id`]. `false` when the account has none of that name.
    /// Ending the current one is [`destroy`](Self::destroy).
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn revoke(&self, device: &str) -> Result<bool, SessionError> {
        let (current, records) = self.account_records().await?;
        let Some(record) = self.named_device(&records, device) else { return Ok(false) };
        if record.id == current.claims.sid {
            return self.destroy().await.map(|_| true);
        }
        self.end_record(record, "revoked from another session").await
    }

    /// Ends every other session of this account (ASVS 7.4.3). Answers how many; zero for a guest.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn revoke_others(&self) -> Result<u64, SessionError> {
        let current = self.tracked_current().await?;
        let Some(subject) = current.account() else { return Ok(0) };
        Ok(self.manager().end_account(subject, Some(current.claims.sid)).await?.len() as u64)
    }

    /// Ends every session of this account, this one included, and clears the cookie: "log out everywhere". Answers how
    /// many; of a guest only this one.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn revoke_all(&self) -> Result<u64, SessionError> {
        let current = self.tracked_current().await?;
        let ended = match current.account() {
            Some(subject) => self.manager().end_account(subject, None).await?,
            None => Vec::new(),
        };
        self.destroy().await?;
        // A guest's is in no account, and a store that has lost the account's index (Redis that evicts) finds none.
        let others = ended.iter().filter(|id| **id != current.claims.sid).count();
        Ok(others as u64 + 1)
    }

    async fn account_records(&self) -> Result<(Current<U>, Vec<SessionRecord>), SessionError> {
        let current = self.tracked_current().await?;
        let mut records = match current.account() {
            Some(subject) => self.records_of(subject).await?,
            None => current.record.iter().map(|record| SessionRecord::clone(record)).collect(),
        };
        // It has ended meanwhile, or the store has lost the account's index, as Redis does when it evicts.
        if records.iter().all(|record| record.id != current.claims.sid) {
            records.push(self.fresh_record(&current.claims).await?);
        }
        Ok((current, records))
    }

    async fn tracked_current(&self) -> Result<Current<U>, SessionError> {
        self.require_store()?;
        let _turn = self.take_turn().await;
        self.opened(Intent::Use).await?;
        self.recheck_in_turn().await?;
        self.opened(Intent::Use).await
    }

    /// Refuses what only a store can do; a request from another origin learns not even that.
    pub(crate) fn require_store(&self) -> Result<(), SessionError> {
        self.admit()?;
        if self.is_tracked() { Ok(()) } else { Err(self.error(ErrorKind::StoreRequired)) }
    }

    /// Newest first.
    pub(crate) fn devices(&self, records: &[SessionRecord], current: Option<SessionId>) -> Vec<Device> {
        let mut devices: Vec<Device> = records.iter().map(|record| self.device(record, current)).collect();
        devices.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| a.id.cmp(&b.id)));
        devices
    }

    fn device(&self, record: &SessionRecord, current: Option<SessionId>) -> Device {
        Device {
            id: record.id.handle(&self.0.manager.realm),
            current: Some(record.id) == current,
            created_at: record.authenticated_at,
            last_seen: record.last_seen,
            expires_at: record.expires_at,
            user_agent: record.user_agent.clone(),
            ip_address: record.ip_address,
        }
    }

    pub(crate) fn named_device<'r>(
        &self,
        records: &'r [SessionRecord],
        device: &str,
    ) -> Option<&'r SessionRecord> {
        records.iter().find(|record| record.id.handle(&self.0.manager.realm) == device)
    }

    /// The session, opened if nobody did, for callers that hold the turn.
    async fn opened(&self, intent: Intent) -> Result<Current<U>, SessionError> {
        self.open_in_turn(intent).await?;
        let current = self.current().ok_or_else(|| self.refusal())?;
        self.not_ended(&current.claims)?;
        Ok(current)
    }

    fn is_tracked(&self) -> bool {
        self.0.manager.store.is_some()
    }

    fn not_closed(&self) -> Result<(), SessionError> {
        if self.state().closed {
            return Err(self
                .error(ErrorKind::ResponseSent)
                .detail("the response has left, so no cookie can follow it: do this before you answer"));
        }
        Ok(())
    }

    pub(super) fn lost(&self, error: &SessionError) {
        if error.kind().is_unauthenticated() {
            let mut state = self.state();
            state.lose();
            state.opened = Some(Err(error.clone()));
        }
    }

    fn outgoing_token(&self) -> Option<SessionToken> {
        match &self.state().outgoing {
            Outgoing::Send { token, .. } => Some(token.clone()),
            Outgoing::Nothing | Outgoing::Clear => None,
        }
    }

    fn check_subject(&self, subject: Option<&str>) -> Result<(), SessionError> {
        match subject {
            Some(subject) if subject.is_empty() || subject.len() > 255 || subject.contains('\0') => Err(self
                .error(ErrorKind::Misuse)
                .detail("a subject must be 1 to 255 bytes long and without NUL")),
            _ => Ok(()),
        }
    }

    pub(super) fn same_account(&self, before: Option<&str>, after: Option<&str>) -> Result<(), SessionError> {
        if before == after {
            return Ok(());
        }
        Err(self.error(ErrorKind::Misuse).detail(
            "the change gave the session to another account: log that one in with Session::create instead",
        ))
    }

    /// Refuses a token whose cookie browsers would drop.
    pub(super) fn check_size(&self, token: &SessionToken) -> Result<(), SessionError> {
        self.0
            .manager
            .cookie
            .check_size(token.expose().len())
            .map_err(|too_large| self.too_large(too_large.size))
    }

    pub(super) fn not_issued(&self, error: &IssueError) -> SessionError {
        match error {
            IssueError::TooLong(length) => self.too_large(self.0.manager.cookie.name().len() + length),
            _ => self.error(ErrorKind::Misuse).detail(error.to_string()),
        }
    }

    fn too_large(&self, size: usize) -> SessionError {
        self.error(ErrorKind::PayloadTooLarge).detail(format!(
            "the cookie would have {size} bytes of name and value, and browsers keep at most 4096: put less into the \
             payload, or add a store, which keeps the payload out of the cookie"
        ))
    }

    /// The sessions that the request names, the current one first.
    pub(super) fn named_and_current(&self) -> Vec<Shown<U>> {
        let state = self.state();
        let current = state.current.as_ref().map(Current::shown);
        let sid = current.as_ref().map(|current| current.claims.sid);
        let others = state.named.iter().filter(|shown| Some(shown.claims.sid) != sid).cloned();
        current.into_iter().chain(others).collect()
    }

    pub(super) async fn revalidate(&self, user: &Arc<U>) -> Revalidation<U> {
        match &self.0.manager.revalidate {
            Some(revalidate) => revalidate(Arc::clone(user)).await,
            None => Revalidation::Keep,
        }
    }

    /// Tells of the current session.
    pub(super) fn emit_about(&self, kind: EventKind, claims: &Claims) {
        let user = self.user();
        self.emit(kind, Who::session(claims, user.as_deref().and_then(U::subject).as_deref()), None, None);
    }
}

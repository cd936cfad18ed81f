//! Sessions whose truth is in a store: the driver of [`decide`](super::decide).

use std::future::Future;
use std::sync::Arc;

use super::decide::{Change, Step, decide};
use super::ending::Endable;
use super::race::Race;
use super::{Current, Intent, Session, Who};
use crate::manager::{ReplayPolicy, Revalidation};
use crate::store::{
    Account, Create, Created, Moment, RecordKey, Replaced, Replaces, SessionRecord, SessionStore, StoreError,
    Touch, Whose,
};
use crate::token::{Claims, record_json};
use crate::{ErrorKind, EventKind, SessionError, SessionId, SessionPayload, SessionToken, Timestamp};

/// Lost races and writes of one request before it gives up.
const ROUNDS: usize = 16;
/// So many races an automatic write may lose before the request is served without.
const AUTOMATIC_LOSSES: usize = 3;

/// A session good for this request, and its newest token when the client should have it.
pub(super) struct Served<U> {
    pub(super) current: Current<U>,
    pub(super) token: Option<SessionToken>,
}

impl<U: SessionPayload> Session<U> {
    pub(super) async fn use_tracked(
        &self,
        token: &Claims,
        wanted: Intent,
    ) -> Result<Served<U>, SessionError> {
        self.use_tracked_at(self.now(), token, wanted).await
    }

    /// Reads, decides, writes, until there is an answer. A confirmation or automatic refresh that fails never fails
    /// the request: it is then served as one that only observes. The token was shown at `now`.
    pub(super) async fn use_tracked_at(
        &self,
        mut now: Timestamp,
        token: &Claims,
        wanted: Intent,
    ) -> Result<Served<U>, SessionError> {
        let explicit = wanted == Intent::Refresh;
        let mut intent = wanted;
        let (mut race, mut losses) = (Race::default(), 0);
        let mut record = self.read(token, intent).await?;
        for _ in 0..ROUNDS {
            match decide(&self.0.manager.lifetimes, token, record.as_ref(), now, intent) {
                Step::NotFound => return Err(self.error(ErrorKind::NotFound)),
                Step::Expired => {
                    return Err(self.expired(token, record.as_ref().and_then(SessionRecord::subject)));
                }
                Step::Replay => return Err(Box::pin(self.replay(token, record, wanted)).await),
                Step::Serve { send_token } => {
                    let send_token = send_token && matches!(wanted, Intent::Use | Intent::Refresh);
                    let Some(record) = record else { return Err(self.error(ErrorKind::NotFound)) };
                    return self.serve(token, Arc::new(record), send_token);
                }
                Step::Write(change, next) => match Box::pin(self.write(change, *next)).await {
                    Ok(Written::Done(next)) if change.sends_the_token() => {
                        return self.serve(token, Arc::new(next), true);
                    }
                    Ok(Written::Done(next)) => record = Some(next),
                    Ok(Written::Lost) if explicit => {
                        Box::pin(self.lost_race(&mut race, token.sid)).await?;
                        now = self.now();
                        record = self.read(token, Intent::Peek).await?;
                    }
                    Ok(Written::Lost) => {
                        now = self.now();
                        losses += 1;
                        match self.read(token, Intent::Peek).await {
                            Ok(newest) => record = newest,
                            Err(_) => intent = Intent::Peek,
                        }
                        if losses == AUTOMATIC_LOSSES {
                            intent = Intent::Peek;
                        }
                    }
                    Ok(Written::Deferred) => intent = Intent::Peek,
                    Ok(Written::Ended(failure)) => {
                        return Err(failure.unwrap_or_else(|| self.error(ErrorKind::NotFound)));
                    }
                    // The store's failure, or a replacement payload that cannot be written: an event has told.
                    Err(error)
                        if explicit
                            || !matches!(error.kind(), ErrorKind::StoreUnavailable | ErrorKind::Misuse) =>
                    {
                        return Err(error);
                    }
                    Err(_) => intent = Intent::Peek,
                },
            }
        }
        Err(self.kept_changing())
    }

    /// Hybrid mode: the session as this process read it less than the bound ago, if nothing is to be written for this
    /// request and its token is the newest then.
    pub(super) fn recently_read(
        &self,
        token: &Claims,
        intent: Intent,
    ) -> Option<Result<Served<U>, SessionError>> {
        let manager = &self.0.manager;
        let recent = manager.recent.as_ref().filter(|_| matches!(intent, Intent::Use | Intent::UseAsIs))?;
        let now = self.now();
        let record = recent.get(token.sid, Moment::now(&*manager.clock, now))?;
        let newest = (Some(record.generation), record.expires_at);
        let is_newest = (token.generation, token.expires_at) == newest;
        let step = decide(&manager.lifetimes, token, Some(&record), now, intent);
        (is_newest && step == Step::Serve { send_token: false }).then(|| {
            let mut served = self.serve(token, record, false)?;
            served.current.recent_at = Some(now);
            Ok(served)
        })
    }

    async fn read(&self, token: &Claims, intent: Intent) -> Result<Option<SessionRecord>, SessionError> {
        let now = self.now();
        let key = RecordKey { realm: &self.0.manager.realm, id: token.sid };
        let touch = self.touch_by(token);
        let record = match intent {
            Intent::Peek => self.call(|store| store.read(key, now)).await?,
            Intent::UseAsIs | Intent::Use | Intent::Refresh => {
                self.call(|store| store.read_and_touch(key, touch, now)).await?
            }
        };
        record.as_ref().map_or(Ok(()), |record| self.can_change(record))?;
        Ok(record)
    }

    /// Whether there is a number for the record's next version. It is no session otherwise, and nothing overwrites it.
    fn can_change(&self, record: &SessionRecord) -> Result<(), SessionError> {
        if record.is_at_an_end() {
            return Err(
                self.unusable(record, "the stored record's counters are full, so that it cannot change")
            );
        }
        Ok(())
    }

    /// Reads for a login or a logout, which may end the session, whatever is in it. Whoever wants to leave is not served
    /// from memory any more, even if the store cannot be asked.
    pub(super) async fn read_to_end(&self, token: &Claims) -> Result<Option<SessionRecord>, SessionError> {
        if let Some(recent) = &self.0.manager.recent {
            recent.forget(Whose::Session(token.sid));
        }
        let now = self.now();
        let key = RecordKey { realm: &self.0.manager.realm, id: token.sid };
        self.call(|store| store.read(key, now)).await
    }

    pub(super) fn touch_by(&self, token: &Claims) -> Touch {
        let lifetimes = &self.0.manager.lifetimes;
        Touch {
            interval: lifetimes.last_seen_interval,
            idle_timeout: lifetimes.idle_timeout,
            generation: token.generation.unwrap_or(0),
            grace: lifetimes.replay_grace,
        }
    }

    fn serve(
        &self,
        shown: &Claims,
        record: Arc<SessionRecord>,
        send_token: bool,
    ) -> Result<Served<U>, SessionError> {
        let user = Arc::new(self.decode(&record)?);
        let token = if send_token { Some(self.token_of(&record)?) } else { None };
        Ok(Served { current: Current::tracked(user, *shown, record), token })
    }

    /// A record that does not decode (a deploy changed the type) is no session, and nothing overwrites it.
    fn decode(&self, record: &SessionRecord) -> Result<U, SessionError> {
        self.can_change(record)?;
        serde_json::from_slice(&record.payload).map_err(|error| {
            // The error of serde could quote the payload.
            let place = std::io::Error::other(format!("line {}, column {}", error.line(), error.column()));
            self.unusable(record, "the stored payload does not decode into this program's type")
                .source_is(place)
        })
    }

    fn unusable(&self, record: &SessionRecord, detail: &'static str) -> SessionError {
        let kind = ErrorKind::Invalid;
        let who = Who { sid: Some(record.id), subject: record.subject() };
        self.emit(EventKind::Rejected, who, Some(kind), Some(detail.to_owned()));
        self.error(kind).detail(detail)
    }

    async fn write(&self, change: Change, mut next: SessionRecord) -> Result<Written, SessionError> {
        // What this program cannot read it does not keep alive.
        self.decode(&next)?;
        if change.sends_the_token() {
            match self.revalidate_record(&next).await? {
                Revalidation::Keep => {}
                Revalidation::Defer => return Ok(Written::Deferred),
                Revalidation::Replace(user) => {
                    next.payload = self.payload_of(&user, next.subject()).inspect_err(|error| {
                        let who = Who { sid: Some(next.id), subject: next.subject() };
                        self.emit(EventKind::Rejected, who, Some(error.kind()), Some(error.to_string()));
                    })?;
                }
                Revalidation::End => {
                    let ended = self.end_record(&next, "revalidation ended it").await;
                    return Ok(Written::Ended(ended.err()));
                }
            }
        }
        let now = self.now();
        match self.call(|store| store.replace(&self.0.manager.realm, &next, now)).await? {
            Replaced::Done => {
                if change.sends_the_token() {
                    let who = Who { sid: Some(next.id), subject: next.subject() };
                    self.emit(EventKind::Refreshed, who, None, None);
                }
                Ok(Written::Done(next))
            }
            Replaced::Conflict => Ok(Written::Lost),
            Replaced::Gone => Ok(Written::Ended(None)),
        }
    }

    async fn revalidate_record(&self, record: &SessionRecord) -> Result<Revalidation<U>, SessionError> {
        if self.0.manager.revalidate.is_none() {
            return Ok(Revalidation::Keep);
        }
        let user = Arc::new(self.decode(record)?);
        Ok(self.revalidate(&user).await)
    }

    /// Somebody has a copy of an old token. Never decided from a cache.
    async fn replay(&self, token: &Claims, record: Option<SessionRecord>, intent: Intent) -> SessionError {
        let refusal = self.error(ErrorKind::NotFound);
        let Some(record) = record.filter(|_| intent != Intent::Peek) else { return refusal };
        self.end_replayed(token, &record).await.err().unwrap_or(refusal)
    }

    /// Ends the session of a replayed token, if the policy says so, and tells. For this request the token is settled.
    pub(super) async fn end_replayed(
        &self,
        token: &Claims,
        record: &SessionRecord,
    ) -> Result<(), SessionError> {
        let login = record.ip_address.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string());
        let detail = format!("a replaced token was used again; the session began at {login}");
        if self.0.manager.replay == ReplayPolicy::EndSession {
            let key = RecordKey { realm: &self.0.manager.realm, id: record.id };
            self.call(|store| store.delete(key)).await?;
        }
        self.state().named.forget(token.sid);
        let who = Who::session(token, record.subject());
        self.emit(EventKind::ReplayDetected, who, Some(ErrorKind::NotFound), Some(detail));
        Ok(())
    }

    pub(super) async fn create_tracked(&self, user: U) -> Result<SessionToken, SessionError> {
        let payload = self.payload_of(&user, user.subject().as_deref())?;
        let subject = user.subject();
        let record = self.new_record(subject.as_deref(), payload)?;
        let mut replaced = self.endable(subject.as_deref()).await?.into_iter();
        let first = replaced.next();
        let replaces = first.as_ref().map(|first| Replaces::IfPresent(first.id));
        let (record, token) = self.store_new(record, replaces).await?;
        if let Some(first) = first.filter(|first| first.is_live) {
            self.tell_replaced(&first);
        }
        self.install(Arc::new(user), record, &token).await?;
        self.delete_others(replaced).await;
        Ok(token)
    }

    pub(super) async fn reauthenticate_tracked(
        &self,
        current: &Current<U>,
    ) -> Result<SessionToken, SessionError> {
        let sid = current.claims.sid;
        let mut race = self.race(sid).await?;
        loop {
            let mut old = self.fresh_record(&current.claims).await?;
            let user = Arc::new(self.decode(&old)?);
            let record = self.new_record(old.subject(), old.payload.clone())?;
            let replaces = Replaces::MustExist { id: old.id, version: old.version };
            match self.store_new(record, Some(replaces)).await {
                Ok((record, token)) => {
                    let subject = old.subject.take();
                    self.tell_replaced(&Endable { id: old.id, subject, is_live: true });
                    self.install(user, record, &token).await?;
                    return Ok(token);
                }
                Err(error) if error.kind() == ErrorKind::Invalid => {
                    Box::pin(self.lost_race(&mut race, sid)).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Stores a new record under a fresh id, with the token that will open it. The token is made first: nothing is
    /// stored whose cookie could not be sent.
    async fn store_new(
        &self,
        mut record: SessionRecord,
        replaces: Option<Replaces>,
    ) -> Result<(SessionRecord, SessionToken), SessionError> {
        let options = Create { replaces, limit: record.subject().and(self.0.manager.session_limit) };
        for _ in 0..3 {
            let token = self.token_of(&record)?;
            self.check_size(&token)?;
            let now = self.now();
            match self.call(|store| store.create(&self.0.manager.realm, &record, options, now)).await? {
                Created::Done { evicted } => {
                    self.tell_created(&record, &evicted);
                    return Ok((record, token));
                }
                Created::IdTaken => record.id = self.new_claims(Some(0))?.sid,
                Created::LimitReached => return Err(self.error(ErrorKind::SessionLimit)),
                Created::PredecessorGone => return Err(self.error(ErrorKind::NotFound)),
                Created::PredecessorChanged => return Err(self.error(ErrorKind::Invalid)),
            }
        }
        Err(self.error(ErrorKind::Randomness).detail("three new session ids in a row were taken"))
    }

    /// Makes a stored session the one of this request; takes it back when the response has left meanwhile.
    async fn install(
        &self,
        user: Arc<U>,
        record: SessionRecord,
        token: &SessionToken,
    ) -> Result<(), SessionError> {
        let sent = {
            let mut state = self.state();
            if !state.closed {
                let current = Current::tracked(user, record.claims(), Arc::new(record.clone()));
                state.outgoing = super::Outgoing::Send { token: token.clone(), claims: current.claims };
                state.current = Some(current);
                state.opened = Some(Ok(()));
            }
            state.closed
        };
        if sent {
            self.end_record(&record, "the response had left without its cookie").await?;
            return Err(self.error(ErrorKind::ResponseSent));
        }
        Ok(())
    }

    pub(super) async fn update_tracked(
        &self,
        current: &Current<U>,
        change: &mut (dyn FnMut(&mut U) + Send),
    ) -> Result<Arc<U>, SessionError> {
        let sid = current.claims.sid;
        let mut race = self.race(sid).await?;
        let (mut record, mut user) = match current.record.as_deref().filter(|_| !race.has_turn()) {
            Some(record) => (record.clone(), U::clone(&current.user)),
            None => self.newest(&current.claims).await?,
        };
        loop {
            change(&mut user);
            let mut next = record.clone();
            next.payload = self.payload_of(&user, record.subject())?;
            next.version = next.version.saturating_add(1);
            let now = self.now();
            match self.call(|store| store.replace(&self.0.manager.realm, &next, now)).await? {
                Replaced::Done => return Ok(self.installed_update(&current.claims, user, next)),
                Replaced::Gone => return Err(self.gone()),
                Replaced::Conflict => {
                    Box::pin(self.lost_race(&mut race, sid)).await?;
                    (record, user) = self.newest(&current.claims).await?;
                }
            }
        }
    }

    /// What the store has now.
    async fn newest(&self, claims: &Claims) -> Result<(SessionRecord, U), SessionError> {
        let record = self.fresh_record(claims).await?;
        let user = self.decode(&record)?;
        Ok((record, user))
    }

    fn installed_update(&self, shown: &Claims, user: U, record: SessionRecord) -> Arc<U> {
        let user = Arc::new(user);
        self.emit(EventKind::Updated, Who { sid: Some(record.id), subject: record.subject() }, None, None);
        self.state().current = Some(Current::tracked(Arc::clone(&user), *shown, Arc::new(record)));
        user
    }

    pub(super) async fn destroy_tracked(&self) -> Result<(), SessionError> {
        let mut found = false;
        for Endable { id, subject, is_live } in self.endable(None).await? {
            // Somebody else may end it first, as "log out everywhere" has.
            found |= is_live;
            let key = RecordKey { realm: &self.0.manager.realm, id };
            if self.call(|store| store.delete(key)).await? {
                let who = Who { sid: Some(id), subject: subject.as_deref() };
                self.emit(EventKind::Destroyed, who, None, None);
                found = true;
            }
        }
        if !found {
            self.tell_of_no_session();
        }
        Ok(())
    }

    /// The record as it is now, when it is still good.
    pub(super) async fn fresh_record(&self, claims: &Claims) -> Result<SessionRecord, SessionError> {
        let now = self.now();
        let record = self.read(claims, Intent::Peek).await?.ok_or_else(|| self.gone())?;
        if self.0.manager.lifetimes.judge(&record.times(), now).is_live {
            Ok(record)
        } else {
            Err(self.gone())
        }
    }

    /// The session ended elsewhere while this request was using it.
    pub(super) fn gone(&self) -> SessionError {
        let error = self.error(ErrorKind::NotFound);
        let mut state = self.state();
        state.lose();
        state.opened = Some(Err(error.clone()));
        error
    }

    pub(crate) async fn records_of(&self, subject: &str) -> Result<Vec<SessionRecord>, SessionError> {
        let now = self.now();
        let account = Account { realm: &self.0.manager.realm, subject };
        self.call(|store| store.list(account, now)).await
    }

    pub(crate) async fn end_record(&self, record: &SessionRecord, why: &str) -> Result<bool, SessionError> {
        let key = RecordKey { realm: &self.0.manager.realm, id: record.id };
        let deleted = self.call(|store| store.delete(key)).await?;
        if deleted {
            let who = Who { sid: Some(record.id), subject: record.subject() };
            self.emit(EventKind::Revoked, who, None, Some(why.to_owned()));
        }
        Ok(deleted)
    }

    async fn delete_others(&self, replaced: impl Iterator<Item = Endable>) {
        for replaced in replaced {
            let key = RecordKey { realm: &self.0.manager.realm, id: replaced.id };
            // The login has happened; a failure is told by the event of `call`.
            if self.call(|store| store.delete(key)).await.unwrap_or(false) {
                self.tell_replaced(&replaced);
            }
        }
    }

    fn tell_created(&self, record: &SessionRecord, evicted: &[SessionId]) {
        let subject = record.subject();
        self.emit(EventKind::Created, Who { sid: Some(record.id), subject }, None, None);
        for &id in evicted {
            let detail = "the account had as many sessions as it may have".to_owned();
            self.emit(EventKind::Revoked, Who { sid: Some(id), subject }, None, Some(detail));
        }
    }

    fn new_record(&self, subject: Option<&str>, payload: Vec<u8>) -> Result<SessionRecord, SessionError> {
        let manager = &self.0.manager;
        let claims = self.new_claims(Some(0))?;
        let received = self.0.received.get();
        let mut record = SessionRecord {
            id: claims.sid,
            subject: subject.map(str::to_owned),
            version: 0,
            payload,
            authenticated_at: claims.authenticated_at,
            last_seen: claims.issued_at,
            generation: 0,
            issued_at: claims.issued_at,
            expires_at: claims.expires_at,
            // The first generation has no predecessor that its first use could retire.
            first_used_at: Some(claims.issued_at),
            ends_at: claims.expires_at,
            user_agent: received.and_then(|received| received.user_agent.clone()),
            ip_address: received.and_then(|received| received.ip_address),
        };
        record.ends_at = manager.lifetimes.ends_at(&record.times());
        Ok(record)
    }

    /// The payload as the store keeps it. Its subject names the account and never changes.
    fn payload_of(&self, user: &U, subject: Option<&str>) -> Result<Vec<u8>, SessionError> {
        self.same_account(subject, user.subject().as_deref())?;
        record_json(user).map_err(|error| self.not_issued(&error))
    }

    fn token_of(&self, record: &SessionRecord) -> Result<SessionToken, SessionError> {
        let issued = self.0.manager.codec.issue_reference(&record.claims());
        issued.map(SessionToken::new).map_err(|error| self.not_issued(&error))
    }

    /// One call of the store: within what is left of the operation's time, and never without a trace when it fails.
    pub(crate) async fn call<'s, T, F>(
        &'s self,
        call: impl FnOnce(&'s dyn SessionStore) -> F,
    ) -> Result<T, SessionError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let manager = &self.0.manager;
        let Some(store) = manager.store.as_deref() else {
            return Err(self.error(ErrorKind::StoreRequired));
        };
        self.0.patience.within(store, &*manager.clock, call(store)).await.map_err(|error| {
            self.emit(
                EventKind::StoreFailed,
                Who::default(),
                Some(ErrorKind::StoreUnavailable),
                Some(error.to_string()),
            );
            let retryable = error.is_retryable();
            self.error(ErrorKind::StoreUnavailable)
                .detail(error.to_string())
                .source_is(error)
                .retryable(retryable)
        })
    }
}

impl<U> Current<U> {
    fn tracked(user: Arc<U>, shown: Claims, record: Arc<SessionRecord>) -> Self {
        Self { user, claims: shown, record: Some(record), recent_at: None }
    }

    /// The account as the store knows it, which may differ from what the payload says after a deploy.
    pub(super) fn account(&self) -> Option<&str> {
        self.record.as_ref().and_then(|record| record.subject())
    }

    /// What the newest token of the session says.
    pub(super) fn newest(&self) -> Claims {
        self.record.as_ref().map_or(self.claims, |record| record.claims())
    }
}

enum Written {
    Done(SessionRecord),
    Lost,
    Deferred,
    /// The account is disabled: it is not served, even where that could not be written down.
    Ended(Option<SessionError>),
}

impl SessionRecord {
    /// The account, `None` for a guest.
    pub(crate) fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }
}

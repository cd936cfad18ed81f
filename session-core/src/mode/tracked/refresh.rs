//! Using a session: the driver of [`decide`].

use std::sync::Arc;

use super::super::current::{Current, Denied, Effect, Issued};
use super::ask::Asked;
use super::decide::{Change, Intent, Step, decide};
use super::race::Race;
use super::{Tracked, decode, serve};
use crate::error::{ErrorKind, SessionError};
use crate::event::{EventKind, Who};
use crate::payload::SessionPayload;
use crate::revalidation::Revalidation;
use crate::service::Operation;
use crate::store::{Replaced, SessionRecord};
use crate::time::Timestamp;
use crate::token::Claims;

/// Steps of one use before it gives up.
const STEPS: usize = 16;
/// So many races an automatic write may lose before the request is served without.
const AUTOMATIC_LOSSES: usize = 3;

/// One use of a session: what it knows, and what it still wants.
struct Use<'a> {
    token: &'a Claims,
    now: Timestamp,
    /// A refresh that somebody asked for, whose failure is an answer.
    is_explicit: bool,
    intent: Intent,
    record: Option<SessionRecord>,
    race: Race<'a>,
    losses: usize,
    has_asked: bool,
}

/// What became of a write.
enum Written {
    Done(SessionRecord),
    /// Somebody else changed the session first.
    Lost,
    /// The application could not say whether the account may go on.
    Deferred,
    /// The session is over. It is not served, even where that could not be written down.
    Ended(Option<SessionError>),
}

impl Tracked {
    pub(in crate::mode) async fn refresh<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        current: Current<U>,
    ) -> Result<Effect<U>, Denied> {
        self.use_at(op, op.now(), &current.claims, Intent::Refresh).await
    }

    /// Reads, decides, writes, until there is an answer. The token was shown at `now`.
    pub(super) async fn use_at<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        now: Timestamp,
        token: &Claims,
        wanted: Intent,
    ) -> Result<Effect<U>, Denied> {
        let is_explicit = wanted == Intent::Refresh;
        let record = self.read(op, token, wanted).await?;
        let race = Race::default();
        let mut this =
            Use { token, now, is_explicit, intent: wanted, record, race, losses: 0, has_asked: false };
        for _ in 0..STEPS {
            let Some(record) = this.record.take() else { return Err(this.absent(op).into()) };
            let step = decide(&op.lifetimes, token, &record, this.now, this.intent);
            if !this.has_asked && self.must_ask(op, &record, &step, wanted) {
                Box::pin(self.ask_first(op, &mut this, record)).await?;
                continue;
            }
            match step {
                Step::Expired => return Err(op.expired(Who::record(&record)).into()),
                Step::Replay => return Err(Box::pin(self.replay(op, &record, wanted)).await),
                Step::Serve { send_token } => {
                    let send_token = send_token && matches!(wanted, Intent::Use | Intent::Refresh);
                    return Ok(show(serve(op, token, Arc::new(record), send_token)?));
                }
                Step::Write(change, next) => match Box::pin(self.write(op, change, *next)).await {
                    Ok(Written::Done(next)) if change.sends_the_token() => {
                        return Ok(show(serve(op, token, Arc::new(next), true)?));
                    }
                    Ok(Written::Done(next)) => this.record = Some(next),
                    Ok(Written::Ended(failure)) => {
                        return Err(failure.unwrap_or_else(|| op.error(ErrorKind::NotFound)).into());
                    }
                    Ok(Written::Deferred) => this.only_look(record),
                    Ok(Written::Lost) => Box::pin(self.read_again(op, &mut this, record)).await?,
                    Err(error) => this.failed(record, error)?,
                },
            }
        }
        Err(self.kept_changing(op).into())
    }

    /// May the account go on? Where that cannot be asked or written down, the session goes on until it can.
    async fn ask_first<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        this: &mut Use<'_>,
        record: SessionRecord,
    ) -> Result<(), SessionError> {
        this.has_asked = true;
        match self.ask(op, this.token, record.clone()).await {
            Ok(Asked::GoesOn(asked)) => this.record = Some(asked),
            Ok(Asked::Ended(failure)) => return Err(failure.unwrap_or_else(|| op.error(ErrorKind::NotFound))),
            Err(error) => return this.failed(record, error),
        }
        Ok(())
    }

    /// After a lost race: who asked for a refresh tries again, everybody else a few times.
    async fn read_again<'a, U: SessionPayload>(
        &'a self,
        op: &'a Operation<'_, U>,
        this: &mut Use<'a>,
        record: SessionRecord,
    ) -> Result<(), SessionError> {
        if this.is_explicit {
            Box::pin(self.lost_race(op, &mut this.race, this.token.sid)).await?;
        }
        this.now = op.now();
        this.losses += 1;
        match self.read(op, this.token, Intent::Peek).await {
            Ok(newest) => this.record = newest,
            Err(error) => return this.failed(record, error),
        }
        if let Some(newest) = this.record.take_if(|_| !this.is_explicit && this.losses == AUTOMATIC_LOSSES) {
            this.only_look(newest);
        }
        Ok(())
    }

    async fn write<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        change: Change,
        mut next: SessionRecord,
    ) -> Result<Written, SessionError> {
        // Never extends a session whose payload cannot be decoded.
        let user = decode(op, &next)?;
        if change.sends_the_token() && op.revalidate_every.is_none() {
            match op.revalidate(|| Arc::new(user)).await {
                Revalidation::Keep => {}
                Revalidation::Defer => return Ok(Written::Deferred),
                Revalidation::Replace(user) => {
                    next.payload = self.replacement(op, &next, &user)?;
                }
                Revalidation::End => {
                    let ended = self.end_record(op, &next, "revalidation ended it").await;
                    return Ok(Written::Ended(ended.err()));
                }
            }
        }
        match self.replace(op, &mut next).await? {
            Replaced::Done => {
                if change.sends_the_token() {
                    op.emit(EventKind::Refreshed, Who::record(&next));
                }
                Ok(Written::Done(next))
            }
            Replaced::Conflict => Ok(Written::Lost),
            Replaced::Gone => Ok(Written::Ended(None)),
        }
    }

    /// Somebody has a copy of an old token. Never decided from a cache.
    async fn replay<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        record: &SessionRecord,
        wanted: Intent,
    ) -> Denied {
        let refusal = op.error(ErrorKind::NotFound);
        if wanted == Intent::Peek {
            return refusal.into();
        }
        match self.end_replayed(op, record).await {
            Ok(()) => Denied { error: refusal, is_replay: true },
            Err(error) => error.into(),
        }
    }
}

impl Use<'_> {
    /// An automatic write that fails never fails the request: the session is served as to one that only looks.
    fn only_look(&mut self, record: SessionRecord) {
        self.intent = Intent::Peek;
        self.record = Some(record);
    }

    /// The store failed, or a replacement payload cannot be written. An event has told.
    fn failed(&mut self, record: SessionRecord, error: SessionError) -> Result<(), SessionError> {
        let may_fail = matches!(error.kind(), ErrorKind::StoreUnavailable | ErrorKind::Misuse);
        if self.is_explicit || !may_fail {
            return Err(error);
        }
        self.only_look(record);
        Ok(())
    }

    fn absent<U: SessionPayload>(&self, op: &Operation<'_, U>) -> SessionError {
        if self.now >= self.token.expires_at {
            return op.expired(Who::session(self.token.sid, None));
        }
        op.error(ErrorKind::NotFound)
    }
}

fn show<U>((current, issued): (Current<U>, Option<Box<Issued>>)) -> Effect<U> {
    Effect::Show(current, issued)
}

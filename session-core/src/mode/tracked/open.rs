//! Opening: which of the tokens that a request shows is its session.

use std::sync::Arc;

use super::super::current::{Current, Denied, Effect, Opened};
use super::super::named::{Named, Shown};
use super::super::verified::{Verified, more_telling};
use super::ask::Asked;
use super::decide::{Intent, Step, decide};
use super::{Tracked, decode, moment, serve};
use crate::error::{ErrorKind, SessionError};
use crate::event::Who;
use crate::payload::SessionPayload;
use crate::service::Operation;
use crate::store::SessionRecord;
use crate::time::Timestamp;
use crate::token::Claims;

/// Of several sessions in one request at most this many are looked up.
const STORE_READS: usize = 2;

impl Tracked {
    pub(in crate::mode) async fn open<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        shown: &Verified<U>,
        intent: Intent,
    ) -> Opened<U> {
        let (mut named, failure) = (shown.named(), shown.refuse(op));
        let outcome = self.first_of(op, &mut named, &shown.usable, failure, intent).await;
        Opened { named, outcome }
    }

    async fn first_of<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        named: &mut Named<U>,
        usable: &Named<U>,
        mut failure: Option<SessionError>,
        intent: Intent,
    ) -> Result<Effect<U>, SessionError> {
        let now = op.now();
        let mut reads = 0;
        for Shown { claims, .. } in usable.newest_first() {
            if now >= claims.expires_at {
                failure = more_telling(failure, op.expired(Who::session(claims.sid, None)));
                continue;
            }
            if reads == STORE_READS {
                break;
            }
            reads += 1;
            match self.take(op, claims, now, intent).await {
                Ok(effect) => return Ok(effect),
                Err(Denied { error, .. }) if !error.kind().is_unauthenticated() => return Err(error),
                Err(Denied { error, is_replay }) => {
                    if is_replay {
                        named.forget(claims.sid);
                    }
                    failure = more_telling(failure, error);
                }
            }
        }
        Err(failure.unwrap_or_else(|| op.error(ErrorKind::NotFound)))
    }

    async fn take<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        token: &Claims,
        now: Timestamp,
        intent: Intent,
    ) -> Result<Effect<U>, Denied> {
        match self.recently_read(op, token, intent) {
            Some(current) => Ok(Effect::Show(current?, None)),
            None => self.use_at(op, now, token, intent).await,
        }
    }

    /// Hybrid mode: the session as this process read it less than the bound ago, if nothing is to be written for this
    /// request and its token is the newest then.
    fn recently_read<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        token: &Claims,
        intent: Intent,
    ) -> Option<Result<Current<U>, SessionError>> {
        let recent = self.recent.as_ref().filter(|_| matches!(intent, Intent::Use | Intent::UseAsIs))?;
        let moment = moment(op);
        // Who acts as somebody must be logged in each time, and whether an account may go on is written down.
        let record = recent.get(token.sid, moment)?;
        if record.actor().is_some() || self.is_due(op, &record) {
            return None;
        }
        let newest = (Some(record.generation), record.expires_at);
        let is_newest = (token.generation, token.expires_at) == newest;
        let step = decide(&op.lifetimes, token, &record, moment.wall, intent);
        (is_newest && step == Step::Serve { send_token: false }).then(|| {
            let (current, _) = serve(op, token, record, false)?;
            Ok(Current { recent_at: Some(moment.wall), ..current })
        })
    }

    pub(in crate::mode) async fn newest_of<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        current: &Current<U>,
    ) -> Result<Current<U>, SessionError> {
        let (record, user) = self.newest(op, &current.claims).await?;
        let (record, user) = match self.is_due(op, &record) {
            true => Box::pin(self.ask_for(op, &current.claims, record)).await?,
            false => (record, user),
        };
        Ok(Current::tracked(Arc::new(user), current.claims, Arc::new(record)))
    }

    /// The session, if its account may go on.
    async fn ask_for<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        token: &Claims,
        record: SessionRecord,
    ) -> Result<(SessionRecord, U), SessionError> {
        match self.ask(op, token, record).await? {
            Asked::GoesOn(record) => decode(op, &record).map(|user| (record, user)),
            Asked::Ended(failed) => Err(failed.unwrap_or_else(|| op.error(ErrorKind::NotFound))),
        }
    }

    pub(in crate::mode) async fn recheck<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        current: &Current<U>,
        intent: Intent,
    ) -> Result<Option<Effect<U>>, Denied> {
        // A token that was valid when it arrived stays valid for this request, however late the handler asks.
        let Some(shown_at) = current.recent_at else { return Ok(None) };
        self.use_at(op, shown_at, &current.claims, intent).await.map(Some)
    }
}

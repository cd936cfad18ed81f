//! Changing the payload: again on the newest one, as long as somebody else is faster.

use std::sync::Arc;

use super::super::current::{Current, Effect};
use super::{Tracked, decode, payload_of};
use crate::error::{ErrorKind, SessionError};
use crate::event::{EventKind, Who};
use crate::payload::SessionPayload;
use crate::service::Operation;
use crate::store::{Replaced, SessionRecord};
use crate::token::Claims;

impl Tracked {
    pub(in crate::mode) async fn update<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        current: Current<U>,
        change: &mut (dyn FnMut(&mut U) + Send),
    ) -> Result<Effect<U>, SessionError> {
        let shown = current.claims;
        let mut race = self.race(op, shown.sid).await?;
        let (mut record, mut user) = match current.record.as_deref().filter(|_| !race.has_turn()) {
            Some(record) => (record.clone(), U::clone(&current.user)),
            None => self.newest(op, &shown).await?,
        };
        loop {
            change(&mut user);
            let payload = payload_of(op, &user, record.subject())?;
            record.payload = payload;
            record.version = record.version.saturating_add(1);
            match self.replace(op, &mut record).await? {
                Replaced::Done => {
                    op.emit(EventKind::Updated, Who::record(&record));
                    let updated = Current::tracked(Arc::new(user), shown, Arc::new(record));
                    return Ok(Effect::Show(updated, None));
                }
                Replaced::Gone => return Err(op.error(ErrorKind::NotFound)),
                Replaced::Conflict => {
                    Box::pin(self.lost_race(op, &mut race, shown.sid)).await?;
                    (record, user) = self.newest(op, &shown).await?;
                }
            }
        }
    }

    /// For nobody's request. `false`: the session has ended meanwhile, or cannot be used anyway.
    pub(crate) async fn update_record<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        record: SessionRecord,
        change: &mut (dyn FnMut(&mut U) + Send),
    ) -> Result<bool, SessionError> {
        let Ok(user) = decode(op, &record) else { return Ok(false) };
        let current = Current::tracked(Arc::new(user), record.claims(), Arc::new(record));
        match self.update(op, current, change).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind().is_unauthenticated() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What the store has now.
    pub(super) async fn newest<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        claims: &Claims,
    ) -> Result<(SessionRecord, U), SessionError> {
        let record = self.live_record(op, claims).await?;
        let user = decode(op, &record)?;
        Ok((record, user))
    }
}

//! The sessions of an account, for its user and for an administrator.

use super::super::current::Current;
use super::{Tracked, key};
use crate::error::SessionError;
use crate::event::{EventKind, Who};
use crate::id::SessionId;
use crate::payload::SessionPayload;
use crate::service::Operation;
use crate::store::{Account, SessionRecord, Whose};

impl Tracked {
    /// The sessions of an account, in any order.
    pub(crate) async fn account<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        subject: &str,
    ) -> Result<Vec<SessionRecord>, SessionError> {
        let now = op.now();
        let account = Account { realm: &op.realm, subject };
        self.call(op, |store| store.list(account, now)).await
    }

    /// The sessions of this one's account; of a guest only this one.
    pub(crate) async fn account_of<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        current: &Current<U>,
    ) -> Result<Vec<SessionRecord>, SessionError> {
        let mut records = match current.account() {
            Some(subject) => self.account(op, subject).await?,
            None => current.record.iter().map(|record| SessionRecord::clone(record)).collect(),
        };
        // It has ended meanwhile, or the store has lost the account's index, as Redis does when it evicts.
        if records.iter().all(|record| record.id != current.claims.sid) {
            records.push(self.live_record(op, &current.claims).await?);
        }
        Ok(records)
    }

    /// Of sessions that another process has ended the store's list knows nothing.
    pub(crate) fn forget_account(&self, subject: &str) {
        if let Some(recent) = &self.recent {
            recent.forget(Whose::Account(subject));
        }
    }

    pub(crate) async fn end_record<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        record: &SessionRecord,
        why: &str,
    ) -> Result<bool, SessionError> {
        self.bar_for(op, record).await?;
        let key = key(op, record.id);
        let deleted = self.call(op, |store| store.delete(key)).await?;
        if deleted {
            op.emit_because(EventKind::Revoked, Who::record(record), why);
        }
        Ok(deleted)
    }

    /// Ends the sessions of an account, all but `keep`. Answers which.
    pub(crate) async fn end_account<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
        subject: &str,
        keep: Option<SessionId>,
    ) -> Result<Vec<SessionId>, SessionError> {
        self.bar(op, Some(subject)).await?;
        let (now, account, fresh) = (op.now(), Account { realm: &op.realm, subject }, op.new_mark()?);
        let ended = self.call(op, |store| store.delete_account(account, keep, fresh, now)).await?;
        for &sid in &ended {
            let who = Who::session(sid, Some(subject.into()));
            op.emit_because(EventKind::Revoked, who, "the account's sessions were ended");
        }
        Ok(ended)
    }

    /// Ends every session of the realm. Answers how many.
    pub(crate) async fn end_everyone<U: SessionPayload>(
        &self,
        op: &Operation<'_, U>,
    ) -> Result<u64, SessionError> {
        self.bar(op, None).await?;
        let fresh = op.new_mark()?;
        let ended = self.call(op, |store| store.delete_realm(&op.realm, fresh)).await?;
        op.emit_because(EventKind::Revoked, Who::NOBODY, format!("every session was ended: {ended}"));
        Ok(ended)
    }
}

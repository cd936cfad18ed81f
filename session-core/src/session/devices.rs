//! The sessions of an account, as its user sees and ends them.

use super::Session;
use super::request::{Request, Turn};
use crate::error::SessionError;
use crate::mode::{Current, Intent, Tracked};
use crate::payload::SessionPayload;
use crate::status::{Device, devices, named_device};

impl<U: SessionPayload> Session<U> {
    /// The sessions of this account, newest first; of a guest only this one.
    ///
    /// # Errors
    /// `StoreRequired` without a store; `NotFound` and the like when nobody is logged in; `LoginIncomplete`;
    /// `StoreUnavailable`.
    pub async fn list(&self) -> Result<Vec<Device>, SessionError> {
        let turn = self.0.turn().await;
        let (tracked, current) = self.0.tracked_in(&turn).await?;
        let records = self.0.answer(tracked.account_of(&turn.op, &current).await)?;
        Ok(devices(&records, &turn.op.realm, Some(current.claims.sid)))
    }

    /// Ends one session of this account, by its [`Device::id`](crate::Device::id). `false` when the account has none of that name.
    /// Ending the current one is [`destroy`](Self::destroy).
    ///
    /// # Errors
    /// As [`list`](Self::list); `Forbidden` while somebody [acts as the user](Self::impersonate).
    pub async fn revoke(&self, device: &str) -> Result<bool, SessionError> {
        let turn = self.0.turn().await;
        let (tracked, current) = self.0.tracked_in(&turn).await?;
        let records = self.0.answer(tracked.account_of(&turn.op, &current).await)?;
        let Some(record) = named_device(&records, &turn.op.realm, device) else { return Ok(false) };
        if record.id == current.claims.sid {
            return self.0.destroy_in(&turn).await.map(|_| true);
        }
        self.0.in_own_name(&current)?;
        tracked.end_record(&turn.op, record, "revoked from another session").await
    }

    /// Ends every other session of this account (ASVS 7.4.3). Answers how many; zero for a guest.
    ///
    /// # Errors
    /// As [`list`](Self::list); `Forbidden` while somebody [acts as the user](Self::impersonate).
    pub async fn revoke_others(&self) -> Result<u64, SessionError> {
        let turn = self.0.turn().await;
        let (tracked, current) = self.0.tracked_in(&turn).await?;
        self.0.in_own_name(&current)?;
        let Some(subject) = current.account() else { return Ok(0) };
        Ok(tracked.end_account(&turn.op, subject, Some(current.claims.sid)).await?.len() as u64)
    }

    /// Ends every session of this account, this one included, and clears the cookie: "log out everywhere". Answers how
    /// many; of a guest only this one.
    ///
    /// # Errors
    /// As [`list`](Self::list); `Forbidden` while somebody [acts as the user](Self::impersonate).
    pub async fn revoke_all(&self) -> Result<u64, SessionError> {
        let turn = self.0.turn().await;
        let (tracked, current) = self.0.tracked_in(&turn).await?;
        self.0.in_own_name(&current)?;
        let ended = match current.account() {
            Some(subject) => tracked.end_account(&turn.op, subject, None).await?,
            None => Vec::new(),
        };
        self.0.destroy_in(&turn).await?;
        // A guest's is in no account, and a store that has lost the account's index (Redis that evicts) finds none.
        let others = ended.iter().filter(|id| **id != current.claims.sid).count();
        Ok(others as u64 + 1)
    }
}

impl<U: SessionPayload> Request<U> {
    /// The session as the store has it, and the store.
    pub(super) async fn tracked_in(
        &self,
        turn: &Turn<'_, U>,
    ) -> Result<(&Tracked, Current<U>), SessionError> {
        self.admit()?;
        let tracked = self.engine.mode.require_store(&turn.op)?;
        self.opened_in(turn, Intent::Use).await?;
        self.recheck_in(turn, Intent::Peek).await?;
        let current = self.opened_in(turn, Intent::Use).await?;
        Ok((tracked, self.complete(current)?))
    }
}

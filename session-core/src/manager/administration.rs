//! What an administrator does to sessions: of one account, of all, of nobody's request.

use crate::error::SessionError;
use crate::mode::Tracked;
use crate::payload::SessionPayload;
use crate::service::Operation;
use crate::status::{Device, devices, named_device};

use super::SessionManager;

impl<U: SessionPayload> SessionManager<U> {
    /// The sessions of an account, newest first, for an administrator. None of them is
    /// [`current`](Device::current). One round trip.
    ///
    /// # Errors
    /// `StoreRequired` without a store; `StoreUnavailable`.
    pub async fn list_account(&self, subject: &str) -> Result<Vec<Device>, SessionError> {
        let (op, tracked) = self.administration()?;
        let records = tracked.account(&op, subject).await?;
        Ok(devices(&records, &op.realm, None))
    }

    /// Ends one session of an account, by its [`Device::id`](crate::Device::id), for an administrator. `false` when the account has none of
    /// that name: it ended before, or is another account's. Two round trips.
    ///
    /// In hybrid mode the session is refused at once here, and elsewhere within the bound.
    ///
    /// # Errors
    /// `StoreRequired` without a store; `StoreUnavailable`.
    pub async fn revoke_session(&self, subject: &str, device: &str) -> Result<bool, SessionError> {
        let (op, tracked) = self.administration()?;
        tracked.forget_account(subject);
        let records = tracked.account(&op, subject).await?;
        match named_device(&records, &op.realm, device) {
            Some(record) => tracked.end_record(&op, record, "revoked by an administrator").await,
            None => Ok(false),
        }
    }

    /// Ends every session of an account (ASVS 7.4.2). Answers how many. A login racing with it is either ended or
    /// newer.
    ///
    /// # Errors
    /// `StoreRequired` without a store; `StoreUnavailable`.
    pub async fn revoke_account(&self, subject: &str) -> Result<u64, SessionError> {
        let (op, tracked) = self.administration()?;
        Ok(tracked.end_account(&op, subject, None).await?.len() as u64)
    }

    /// Ends every session of this manager, guests included (ASVS 7.4.5). Answers how many.
    ///
    /// # Errors
    /// `StoreRequired` without a store; `StoreUnavailable`.
    pub async fn revoke_everyone(&self) -> Result<u64, SessionError> {
        let (op, tracked) = self.administration()?;
        tracked.end_everyone(&op).await
    }

    /// Deletes at most `limit` expired records from the store. Answers how many there were.
    ///
    /// # Errors
    /// `StoreRequired` without a store; `StoreUnavailable`.
    pub async fn delete_expired(&self, limit: usize) -> Result<usize, SessionError> {
        let (op, tracked) = self.administration()?;
        let now = op.now();
        tracked.call(&op, |store| store.delete_expired(now, limit)).await
    }

    fn administration(&self) -> Result<(Operation<'_, U>, &Tracked), SessionError> {
        let op = Operation::new(&self.0.service, None);
        let tracked = self.0.mode.require_store(&op)?;
        Ok((op, tracked))
    }
}

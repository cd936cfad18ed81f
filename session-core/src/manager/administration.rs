//! What an administrator does to sessions: of one account, of all, of nobody's request.

use crate::attempt::Attempt;
use crate::error::{ErrorKind, SessionError};
use crate::mode::Tracked;
use crate::payload::{SessionPayload, is_subject, no_subject};
use crate::service::Operation;
use crate::status::{Device, devices, named_device};
use crate::store::Account;

use super::SessionManager;

impl<U: SessionPayload> SessionManager<U> {
    /// The sessions of an account, newest first, for an administrator. None of them is
    /// [`current`](Device::current). One round trip.
    ///
    /// # Errors
    /// `StoreRequired` without a store; `StoreUnavailable`; `Misuse` for what is no subject: not 1 to 255 bytes long, or
    /// with NUL.
    pub async fn list_account(&self, subject: &str) -> Result<Vec<Device>, SessionError> {
        let (op, tracked) = self.administration_of(subject)?;
        let records = tracked.account(&op, subject).await?;
        Ok(devices(&records, &op.realm, None))
    }

    /// Ends one session of an account, by its [`Device::id`](crate::Device::id), for an administrator. `false` when the account has none of
    /// that name: it ended before, or is another account's. Two round trips.
    ///
    /// In hybrid mode the session is refused at once here, and elsewhere within the bound.
    ///
    /// # Errors
    /// As [`list_account`](Self::list_account).
    pub async fn revoke_session(&self, subject: &str, device: &str) -> Result<bool, SessionError> {
        let (op, tracked) = self.administration_of(subject)?;
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
    /// As [`list_account`](Self::list_account).
    pub async fn revoke_account(&self, subject: &str) -> Result<u64, SessionError> {
        let (op, tracked) = self.administration_of(subject)?;
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

    /// How many sessions are open, guests included. One statement in SQL, which reads the table; with Redis a pass
    /// over its keys.
    ///
    /// # Errors
    /// `StoreRequired` without a store; `StoreUnavailable`.
    pub async fn count(&self) -> Result<u64, SessionError> {
        let (op, tracked) = self.administration()?;
        let now = op.now();
        tracked.call(&op, |store| store.count(&op.realm, now)).await
    }

    /// Changes the payload of every open session of an account, so that a new role takes effect in browsers that are
    /// logged in. Answers how many it changed. None of their changes is lost, nor does this one undo any: `change` runs
    /// again on the newest payload where somebody was faster. In hybrid mode other processes see it within the bound.
    ///
    /// One round trip, and one for each session, each with a [deadline](crate::SessionManagerBuilder::store_deadline) of
    /// its own. Where one fails the others are changed all the same; to repeat it is safe if `change` is.
    ///
    /// A login that read the role before it was changed in your database, and creates its session after this call, has
    /// the old one: change the database first, and let logins that must not be overtaken begin with an
    /// [`attempt`](Self::attempt), or ask every so often with
    /// [`revalidate_every`](crate::SessionManagerBuilder::revalidate_every).
    ///
    /// # Errors
    /// The first that a session met, after all were tried: `StoreRequired` without a store; `StoreUnavailable`;
    /// `PayloadTooLarge` and `Misuse` as for [`Session::update`](crate::Session::update).
    pub async fn update_account(
        &self,
        subject: &str,
        mut change: impl FnMut(&mut U) + Send,
    ) -> Result<u64, SessionError> {
        let (op, tracked) = self.administration_of(subject)?;
        let (mut changed, mut failed) = (0, None);
        for record in tracked.account(&op, subject).await? {
            // An account may have more sessions than one operation has time for.
            let op = Operation::new(&self.0.service, None);
            match tracked.update_record(&op, record, &mut change).await {
                Ok(is_changed) => changed += u64::from(is_changed),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(changed), Err)
    }

    /// Begins a login of an account that is about to be checked, so that it cannot be overtaken: a login whose password
    /// was right when it was looked up, and is not any more when it is through, creates nothing.
    ///
    /// The order matters. In the login handler: find the account's id; `attempt(id)`; **then** read the password's hash,
    /// from the primary database; verify; `session.create(user).verified(attempt)`. For an unknown name attempt the id of
    /// nobody, so that it takes as long. Where a password is changed: commit it; **then** end the sessions, with
    /// [`revoke_account`](Self::revoke_account) or [`Session::revoke_others`](crate::Session::revoke_others). A login
    /// that began before that is 401 `LOGIN_OVERTAKEN`.
    ///
    /// One round trip; writes nothing.
    ///
    /// # Errors
    /// As [`list_account`](Self::list_account); without a store nothing is revoked.
    pub async fn attempt(&self, subject: &str) -> Result<Attempt, SessionError> {
        let (op, tracked) = self.administration_of(subject)?;
        let (now, account, fresh) = (op.now(), Account { realm: &op.realm, subject }, op.new_mark()?);
        let fence = tracked.call(&op, |store| store.fence(account, fresh, now)).await?;
        Ok(Attempt::new(&op.realm, subject, fence, now))
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

    /// Refuses what is no subject: some stores keep something else under the empty one.
    fn administration_of(&self, subject: &str) -> Result<(Operation<'_, U>, &Tracked), SessionError> {
        let (op, tracked) = self.administration()?;
        if is_subject(subject) { Ok((op, tracked)) } else { Err(no_subject(op.error(ErrorKind::Misuse))) }
    }

    fn administration(&self) -> Result<(Operation<'_, U>, &Tracked), SessionError> {
        let op = Operation::new(&self.0.service, None);
        let tracked = self.0.mode.require_store(&op)?;
        Ok((op, tracked))
    }
}

//! Where tracked sessions live: the contract, and a store in memory.

mod adoption;
mod deadline;
mod fence;
mod hybrid;
mod memory;
mod recent;
mod record;
mod seen;
mod together;
mod turns;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::id::SessionId;
use crate::time::Timestamp;

pub use adoption::{Adopted, Adoption, Bar};
pub(crate) use deadline::{Patience, give_way};
pub use fence::{Fence, Mark};
pub(crate) use hybrid::Hybrid;
pub use memory::MemoryStore;
pub(crate) use recent::{Moment, RecentRecords, Whose};
pub use record::{SessionRecord, Touch};
pub use seen::Seen;
pub use together::Together;
pub(crate) use turns::{Turn, Turns};

pub use crate::terms::Terms;

/// A store of sessions. The contract, one clause a sentence; the crate `session-store-conformance` has a test for each:
///
/// 1. **Realms are apart.** Records and account indexes of one realm are never seen or changed through another.
/// 2. **Create never overwrites.** An id that exists answers [`Created::IdTaken`] and nothing has changed. Of several
///    reasons not to create it answers the first: the id is taken, the fence does not hold, the predecessor is gone or
///    changed, the limit is reached.
/// 3. **Compare and swap.** [`replace`](Self::replace) changes a record only while its version is the one that
///    was read, in one atomic step.
/// 4. **Delete wins.** No operation but `create` makes a record; `replace` of a deleted one answers
///    [`Replaced::Gone`]. A replace never changes the subject: the manager does not ask for it, and a store that is
///    asked answers a permanent error or moves the session with its place in the index.
/// 5. **Expired is absent.** A record with `ends_at <= now` is not read, replaced, listed or counted.
/// 6. **Subjects are bytes.** Two that differ by case or trailing space are two accounts; guests (no subject) are
///    never listed or deleted together. Subject and realm have 1 to 255 bytes without NUL; what is longer is a permanent
///    error or is kept whole, never cut short.
/// 7. **The limit holds** however many logins of one account arrive together; expired records and the one being
///    replaced do not count. Evicted is whoever was seen least recently, then created first. A record that is
///    [uncounted](SessionRecord::uncounted) does not count, is not evicted, and evicts nobody.
/// 8. **Replacing is safe.** `create` makes the new record before (or at once with) deleting the one that it
///    replaces; if it fails, the old one is still there. Both are at one [place](crate::Place): the manager ends what is
///    elsewhere once the login stands, and a store that is asked to replace that answers a permanent error or does it.
/// 9. **A rotation needs its predecessor.** With [`Replaces::MustExist`] nothing is created when that record is
///    absent or has another version, and a concurrent deletion of the account or the realm either takes the new record
///    along or prevents it. A deletion of the predecessor alone prevents it, or comes too late and deletes nothing.
/// 10. **Deleting is idempotent** and says whether it was this call that deleted.
/// 11. **Cost follows the account**, not the table: listing and revoking go through an index.
/// 12. **Cleanup is bounded:** `delete_expired` removes at most `limit` expired records, and never a live one.
/// 13. **Errors are honest:** `Ok` means that it happened; an error says whether trying again can help.
/// 14. **Invalidation is a matter of speed:** [`listen`](Self::listen) tells of nothing that has not happened, and nothing
///     depends on it; to listen, or to stop, changes no session.
/// 15. **A login that began before a revocation does not happen.** [`fence`](Self::fence) answers the realm's mark, which
///     it makes if there is none, and the account's. [`delete_account`](Self::delete_account), with or without `keep`,
///     sets a new mark of the account, and [`delete_realm`](Self::delete_realm) one of the realm, in the same atomic
///     step as the deletion and, where steps are not rolled back, before it; also where there is nothing to delete.
///     `create` with a fence answers [`Created::Overtaken`], in its own atomic step, when either mark differs or the
///     realm has none. Marks of accounts live for [a day](Fence::SECONDS). A store may refuse too much, never too little.
/// 16. **Places may be apart.** The id of an account's session begins with the account's [`Place`](crate::Place), so a
///     store may keep each place on a machine of its own: what concerns one account is one atomic step, and
///     [`delete_realm`](Self::delete_realm) is one at each place. Where it fails in the middle it has ended some, and can
///     be repeated.
/// 17. **A foreign session is adopted once, and not after a bar.** A store may leave this out
///     ([`can_adopt`](Self::can_adopt)). [`adopt`](Self::adopt) creates as `create` does, and in the same atomic step looks
///     for, and leaves, the mark of the record's id: while that is kept, nothing is adopted under this id, whatever has become
///     of the record (logout, eviction, revocation, expiry, the end of everybody), so none of these has to leave one. It looks
///     for the account's bar and the realm's, too: nothing is adopted that was proven at or before either. Of several reasons it
///     answers the first: the id is taken, a mark or a bar, the limit. [`bar`](Self::bar) never takes one back: of two the later
///     times count. Marks and bars are kept until their time, also by `delete_realm` and cleanup, and not for ever.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// The record, if it is there and not expired at `now`.
    async fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError>;

    /// Reads, and moves last-seen on when `touch` says so. The answer is the record as it stands afterwards; where
    /// somebody else changes it at the same time, it may be the one from just before that change. A later write is
    /// conditional on its version, so nothing is lost.
    ///
    /// **A token that opens nothing keeps no session alive.** Last-seen moves only when the generation that asks is the
    /// newest or ahead of it, or the one before the newest while that is unused or was first used less than the grace
    /// before `now`. For any other token this is [`read`](Self::read). [`Touch::apply`] is the rule as code.
    ///
    /// The default is a read followed, once per interval, by a [`replace`](Self::replace) whose failure is
    /// ignored: a lost touch costs nothing but a later one. A store that can do both in one round trip should, and must
    /// still answer the record where it can read and not write: during a failover that is everybody who is logged in.
    async fn read_and_touch(
        &self,
        key: RecordKey<'_>,
        touch: Touch,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let Some(record) = self.read(key, now).await? else { return Ok(None) };
        let Some(seen) = touch.apply(&record, now) else { return Ok(Some(record)) };
        match self.replace(key.realm, &seen, now).await {
            Ok(Replaced::Done) => Ok(Some(seen)),
            Ok(Replaced::Conflict) | Err(_) => Ok(Some(record)),
            Ok(Replaced::Gone) => Ok(None),
        }
    }

    /// Stores a new record, as [`Create`] says.
    async fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError>;

    /// Replaces the record whose version is `record.version - 1`.
    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError>;

    /// Deletes one session. `true` if it was there, expired or not.
    async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError>;

    /// The sessions of an account, in any order.
    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError>;

    /// How many sessions of a realm are open, guests included.
    async fn count(&self, realm: &str, now: Timestamp) -> Result<u64, StoreError>;

    /// Where an account stands. Writes nothing unless the realm has no mark: then that becomes `fresh`.
    async fn fence(&self, account: Account<'_>, fresh: Mark, now: Timestamp) -> Result<Fence, StoreError>;

    /// Deletes the sessions of an account, all but `keep`, and makes `fresh` its mark. Answers the ids that it deleted,
    /// expired ones left out.
    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        fresh: Mark,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError>;

    /// Deletes every session of a realm, guests included, and makes `fresh` its mark. Answers how many.
    async fn delete_realm(&self, realm: &str, fresh: Mark) -> Result<u64, StoreError>;

    /// Deletes at most `limit` records that are expired at `now`, of all realms. Answers how many.
    async fn delete_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// Whether the store can [`adopt`](Self::adopt) and [`bar`](Self::bar). Default: no.
    fn can_adopt(&self) -> bool {
        false
    }

    /// Stores the record of a session that another system began, once, as clause 17 says. The default is a permanent error.
    async fn adopt(
        &self,
        realm: &str,
        record: &SessionRecord,
        adoption: Adoption,
        now: Timestamp,
    ) -> Result<Adopted, StoreError> {
        let _ = (realm, record, adoption, now);
        Err(cannot_adopt())
    }

    /// Adopts nothing from now on that the bar stops: of an account, or with `None` of the realm. The default is a permanent
    /// error.
    async fn bar(
        &self,
        realm: &str,
        subject: Option<&str>,
        bar: Bar,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let _ = (realm, subject, bar, now);
        Err(cannot_adopt())
    }

    /// Calls `heard` whenever a session of `realm` was ended, by whatever process, until the connection that brings
    /// the news is lost: an error, after which it is called again.
    ///
    /// Invalidation may come late, twice or never; nothing may depend on it but speed. A store that cannot push answers
    /// `Ok(())` at once and is not asked again: the default.
    async fn listen(
        &self,
        realm: &str,
        heard: &(dyn Fn(Invalidation) + Send + Sync),
    ) -> Result<(), StoreError> {
        let _ = (realm, heard);
        Ok(())
    }

    /// A timer of the runtime that the store lives in: for the deadline of a call, made only when a call is pending; for
    /// the pauses of milliseconds after a lost race, only after a call was pending; and for the pauses of
    /// [`maintain`](crate::SessionManager::maintain), which one that is ready at once makes busy.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// A store that is chosen at run time, or shared.
#[async_trait]
impl<S: SessionStore + ?Sized> SessionStore for Arc<S> {
    async fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        (**self).read(key, now).await
    }

    async fn read_and_touch(
        &self,
        key: RecordKey<'_>,
        touch: Touch,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        (**self).read_and_touch(key, touch, now).await
    }

    async fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        (**self).create(realm, record, options, now).await
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        (**self).replace(realm, record, now).await
    }

    async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        (**self).delete(key).await
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        (**self).list(account, now).await
    }

    async fn count(&self, realm: &str, now: Timestamp) -> Result<u64, StoreError> {
        (**self).count(realm, now).await
    }

    async fn fence(&self, account: Account<'_>, fresh: Mark, now: Timestamp) -> Result<Fence, StoreError> {
        (**self).fence(account, fresh, now).await
    }

    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        fresh: Mark,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        (**self).delete_account(account, keep, fresh, now).await
    }

    async fn delete_realm(&self, realm: &str, fresh: Mark) -> Result<u64, StoreError> {
        (**self).delete_realm(realm, fresh).await
    }

    async fn delete_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        (**self).delete_expired(now, limit).await
    }

    fn can_adopt(&self) -> bool {
        (**self).can_adopt()
    }

    async fn adopt(
        &self,
        realm: &str,
        record: &SessionRecord,
        adoption: Adoption,
        now: Timestamp,
    ) -> Result<Adopted, StoreError> {
        (**self).adopt(realm, record, adoption, now).await
    }

    async fn bar(
        &self,
        realm: &str,
        subject: Option<&str>,
        bar: Bar,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        (**self).bar(realm, subject, bar, now).await
    }

    async fn listen(
        &self,
        realm: &str,
        heard: &(dyn Fn(Invalidation) + Send + Sync),
    ) -> Result<(), StoreError> {
        (**self).listen(realm, heard).await
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        (**self).sleep(duration)
    }
}

fn cannot_adopt() -> StoreError {
    StoreError::permanent("this store adopts no sessions of other systems: take one whose can_adopt says yes")
}

/// Names a record.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a name has no more parts")]
pub struct RecordKey<'a> {
    /// The manager's realm.
    pub realm: &'a str,
    /// The session.
    pub id: SessionId,
}

/// Names an account.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::exhaustive_structs, reason = "a name has no more parts")]
pub struct Account<'a> {
    /// The manager's realm.
    pub realm: &'a str,
    /// The subject, compared as bytes.
    pub subject: &'a str,
}

/// What goes with a new record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Create {
    /// The session that this one takes the place of.
    pub replaces: Option<Replaces>,
    /// How many sessions the account may have.
    pub limit: Option<SessionLimit>,
    /// Where the account stood when the login began.
    pub fence: Option<Fence>,
}

impl Create {
    /// In the place of another session, under a limit.
    #[must_use]
    pub const fn new(replaces: Option<Replaces>, limit: Option<SessionLimit>) -> Self {
        Self { replaces, limit, fence: None }
    }

    /// Only while the account stands where it stood when the login began.
    #[must_use]
    pub const fn behind(self, fence: Option<Fence>) -> Self {
        Self { fence, ..self }
    }
}

/// The session that a new one takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a store must do all of them")]
pub enum Replaces {
    /// A login: the session that the cookie names, if there is one.
    IfPresent(SessionId),
    /// A re-authentication: nothing happens unless this one is live and unchanged.
    MustExist {
        /// The session.
        id: SessionId,
        /// The version that the new record was made from.
        version: u64,
    },
}

impl Replaces {
    /// The session to delete.
    #[must_use]
    pub fn id(self) -> SessionId {
        match self {
            Self::IfPresent(id) | Self::MustExist { id, .. } => id,
        }
    }
}

/// How many sessions an account may have, and what happens to the next login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a store must do all of them")]
pub enum SessionLimit {
    /// At most so many; the least recently seen is ended to make room.
    EvictLeastRecentlySeen(u32),
    /// At most so many; the login fails with `SESSION_LIMIT`.
    Refuse(u32),
}

/// What [`SessionStore::create`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a store around another must tell them apart")]
pub enum Created {
    /// The record is stored; these were evicted for it.
    Done {
        /// Sessions of the same account that were ended to keep the limit.
        evicted: Vec<SessionId>,
    },
    /// A record with this id exists. Nothing changed.
    IdTaken,
    /// The account is full. Nothing changed.
    LimitReached,
    /// The session to replace is not there. Nothing changed.
    PredecessorGone,
    /// The session to replace has another version. Nothing changed.
    PredecessorChanged,
    /// The account's sessions, or everybody's, were ended after the login had begun. Nothing changed.
    Overtaken,
}

/// What [`SessionStore::replace`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a store around another must tell them apart")]
pub enum Replaced {
    /// The record is stored.
    Done,
    /// Somebody else changed it first. Nothing changed.
    Conflict,
    /// There is none, or it has expired. Nothing changed.
    Gone,
}

/// What [`SessionStore::listen`] heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a store that passes them on must know all of them")]
pub enum Invalidation {
    /// This session was ended: logged out, revoked, evicted or replaced by a login.
    Ended(SessionId),
    /// Every session of the realm was ended.
    EveryoneEnded,
}

/// A store that failed or did not answer. `Debug` prints the sentence and what caused it.
pub struct StoreError {
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
    retryable: bool,
}

impl StoreError {
    /// A failure that may pass: a lost connection, a timeout.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None, retryable: true }
    }

    /// A failure that stays until somebody changes something: a missing table, a wrong password.
    #[must_use]
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None, retryable: false }
    }

    /// Keeps what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says first what it is about: the address that cannot be reached. Never a password.
    #[must_use]
    pub fn about(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Whether the same call can succeed later without a change.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::error::write_sentences(self, f)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

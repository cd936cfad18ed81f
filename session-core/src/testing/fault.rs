//! What can go wrong, and with which call.

use std::time::Duration;

#[cfg(doc)]
use super::FaultyStore;
#[cfg(doc)]
use crate::store::{MemoryStore, SessionStore};

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// It fails and changes nothing: the store cannot be reached.
    Fail,
    /// It fails and changes nothing if it is a write: a full disk, or a failover that has left a replica. A read that
    /// would move last-seen on only reads.
    FailWrites,
    /// If it is a write, it happens, and its answer is lost: the connection broke in between.
    LoseAnswers,
    /// It is never sent and never answered, and its deadline passes at once, so that no test waits for it.
    Hang,
    /// It is sent so much later. A [`MemoryStore`] has no timer to wait with: give it one with
    /// [`FaultyStore::with_timer`].
    Slow(Duration),
}

/// A call of [`SessionStore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreMethod {
    /// [`SessionStore::read`].
    Read,
    /// [`SessionStore::read_and_touch`].
    ReadAndTouch,
    /// [`SessionStore::create`].
    Create,
    /// [`SessionStore::replace`].
    Replace,
    /// [`SessionStore::delete`].
    Delete,
    /// [`SessionStore::list`].
    List,
    /// [`SessionStore::count`].
    Count,
    /// [`SessionStore::fence`].
    Fence,
    /// [`SessionStore::delete_account`].
    DeleteAccount,
    /// [`SessionStore::delete_realm`].
    DeleteRealm,
    /// [`SessionStore::delete_expired`].
    DeleteExpired,
    /// [`SessionStore::adopt`].
    Adopt,
    /// [`SessionStore::bar`].
    Bar,
}

impl StoreMethod {
    /// Whether it is there to change something. [`ReadAndTouch`](Self::ReadAndTouch) is not, and
    /// [`Fence`](Self::Fence) is not: they may do without.
    #[must_use]
    pub fn is_write(self) -> bool {
        !matches!(self, Self::Read | Self::ReadAndTouch | Self::List | Self::Count | Self::Fence)
    }
}

//! A connection for one call, and what the call answered.

use std::ops::{Deref, DerefMut};
use std::time::Instant;

#[cfg(feature = "sqlite")]
use sqlx::Error;

use super::own::Borrowed;
use super::pooled::Pooled;
use crate::engine::Engine;

/// A connection for one call, handed on by [`Lease::done`] when nothing went wrong.
pub(crate) enum Lease<DB: Engine> {
    Own(Borrowed<DB>),
    Pool(Pooled<DB>),
}

/// What a call answered, with the connection that it needs no longer.
pub(crate) struct Done<DB: Engine, T> {
    pub(super) lease: Lease<DB>,
    answer: T,
    pub(super) doubt: Doubt,
    pub(super) undo: bool,
    /// It was said in a transaction of ours.
    pub(super) in_transaction: bool,
}

/// Why an answer may be worth less than it seems, as the connection said beside it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Doubt {
    /// The server takes no writes: it may be one of yesterday.
    pub(crate) read_only: bool,
    /// The connection's settings make something else of a bare statement.
    pub(crate) settings: bool,
}

impl<DB: Engine> Lease<DB> {
    /// Closes the connection at the end even if it is one of the user's: it holds something that ends with it.
    #[cfg(any(feature = "mysql", feature = "sqlite"))]
    pub(crate) fn never_reuse(&mut self) {
        if let Self::Pool(pooled) = self {
            pooled.connection.close_on_drop();
        }
    }

    /// Whether the connection is closed, and a transaction on it with it, when the call is given up.
    #[cfg(feature = "sqlite")]
    pub(crate) fn ends_with_its_call(&self) -> bool {
        matches!(self, Self::Own(_))
    }

    /// Answers, unless a transaction on it failed: a database may have ended that by itself, without sqlx's knowledge.
    #[cfg(feature = "sqlite")]
    pub(crate) fn finish<T>(mut self, answer: Result<T, Error>) -> Result<Done<DB, T>, Error> {
        match answer {
            Ok(answer) => Ok(self.done(answer)),
            Err(error) => {
                self.never_reuse();
                Err(error)
            }
        }
    }

    /// The answer, after which the connection is handed on.
    pub(crate) fn done<T>(self, answer: T) -> Done<DB, T> {
        Done { lease: self, answer, doubt: Doubt::default(), undo: false, in_transaction: false }
    }

    /// The answer, after which the transaction is rolled back.
    #[cfg(feature = "mysql")]
    pub(crate) fn undone<T>(self, answer: T) -> Done<DB, T> {
        Done { undo: true, ..self.done(answer) }
    }

    pub(super) fn hand_on(self) {
        match self {
            Self::Own(borrowed) => borrowed.hand_on(),
            Self::Pool(pooled) => pooled.hand_on(),
        }
    }
}

impl<DB: Engine> Deref for Lease<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        match self {
            Self::Own(borrowed) => &borrowed.connection,
            Self::Pool(pooled) => &pooled.connection,
        }
    }
}

impl<DB: Engine> DerefMut for Lease<DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        match self {
            Self::Own(borrowed) => &mut borrowed.connection,
            Self::Pool(pooled) => &mut pooled.connection,
        }
    }
}

impl<DB: Engine, T> Done<DB, T> {
    pub(crate) fn with(self, doubt: Doubt) -> Self {
        Self { doubt, ..self }
    }

    /// When the connection was made that led to a server that takes no writes; of one of the user's that is not known.
    pub(super) fn read_only_since(&self) -> Option<Instant> {
        match &self.lease {
            _ if !self.doubt.read_only => None,
            Lease::Own(borrowed) => Some(borrowed.opened),
            Lease::Pool(pooled) => Some(pooled.leased),
        }
    }

    pub(super) fn hand_on(self) -> T {
        self.lease.hand_on();
        self.answer
    }
}

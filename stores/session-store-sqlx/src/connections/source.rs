//! Where the connections come from.

use std::sync::Arc;
use std::time::Instant;

use sqlx::{Error, Pool};

use super::connect::Options;
use super::lease::Lease;
use super::own::Own;
use super::pooled::Pooled;
use crate::engine::Engine;

pub(super) enum Source<DB: Engine> {
    Own(Arc<Own<DB>>),
    Pool(Pool<DB>),
}

impl<DB: Engine> Source<DB> {
    pub(super) fn is_pool(&self) -> bool {
        matches!(self, Self::Pool(_))
    }

    pub(super) fn options(&self) -> Options<DB> {
        match self {
            Self::Own(own) => own.options.clone(),
            Self::Pool(pool) => pool.connect_options().as_ref().clone(),
        }
    }

    /// A connection that works, if `fresh`; else one that most likely does.
    pub(super) async fn lease(&self, fresh: bool) -> Result<Lease<DB>, Error> {
        Ok(match self {
            Self::Own(own) => Lease::Own(own.borrow().await?),
            Self::Pool(pool) => Lease::Pool(Pooled::acquire(pool, fresh).await?),
        })
    }

    /// Closes what was opened before, as soon as nobody uses it.
    pub(super) fn retire(&self, before: Instant) {
        match self {
            Self::Own(own) => own.retire(before),
            Self::Pool(pool) => {
                for _ in 0..pool.options().get_max_connections() {
                    let Some(mut idle) = pool.try_acquire() else { break };
                    idle.close_on_drop();
                }
            }
        }
    }

    /// When one connection died, the idle ones likely did, too.
    pub(super) fn forget_idle(&self) {
        if let Self::Own(own) = self {
            own.forget_idle();
        }
    }

    /// A pool of the user's is left alone.
    pub(super) async fn close(&self) {
        if let Self::Own(own) = self {
            own.close().await;
        }
    }
}

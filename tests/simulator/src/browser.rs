//! A browser: one jar for all its tabs.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::stage::{Millis, lock};
use crate::token::{Change, Token};

pub(crate) struct Browser {
    pub(crate) number: usize,
    jar: Mutex<Option<Token>>,
    /// When the newest response that it has was sent.
    newest: AtomicU64,
}

impl Browser {
    pub(crate) fn new(number: usize, cookie: Option<Token>) -> Self {
        Self { number, jar: Mutex::new(cookie), newest: AtomicU64::new(0) }
    }

    pub(crate) fn cookie(&self) -> Option<Token> {
        lock(&self.jar).clone()
    }

    /// What arrives last counts, whatever was sent last. Answers whether something newer was there already.
    pub(crate) fn take(&self, change: Change, sent: Millis) -> bool {
        *lock(&self.jar) = match change {
            Change::Keep(token) => Some(token),
            Change::Forget => None,
        };
        self.newest.fetch_max(sent, Ordering::Relaxed) > sent
    }
}

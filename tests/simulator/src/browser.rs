//! A browser: one jar for all its tabs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::stage::{Millis, lock};
use crate::token::{Change, Token};
use crate::visa::{Kind, Visa};

pub(crate) struct Browser {
    pub(crate) number: usize,
    jar: Mutex<Option<Token>>,
    /// The other system's cookie. A token of ours from before the store has the name of a session's: one replaces the other.
    visa: Mutex<Option<Arc<Visa>>>,
    /// When the newest response that it has was sent.
    newest: AtomicU64,
}

impl Browser {
    pub(crate) fn new(number: usize, cookie: Option<Token>) -> Self {
        Self { number, jar: Mutex::new(cookie), visa: Mutex::default(), newest: AtomicU64::new(0) }
    }

    pub(crate) fn cookie(&self) -> Option<Token> {
        lock(&self.jar).clone()
    }

    pub(crate) fn visa(&self) -> Option<Arc<Visa>> {
        lock(&self.visa).clone()
    }

    /// It has been to the other system.
    pub(crate) fn comes_with(&self, visa: Arc<Visa>) {
        if matches!(visa.kind, Kind::Token(_)) {
            *lock(&self.jar) = None;
        }
        *lock(&self.visa) = Some(visa);
    }

    pub(crate) fn forget_visa(&self) {
        *lock(&self.visa) = None;
    }

    /// What arrives last counts, whatever was sent last. Answers whether something newer was there already.
    pub(crate) fn take(&self, change: Change, sent: Millis) -> bool {
        if self.visa().is_some_and(|visa| matches!(visa.kind, Kind::Token(_))) {
            self.forget_visa();
        }
        *lock(&self.jar) = match change {
            Change::Keep(token) => Some(token),
            Change::Forget => None,
        };
        self.newest.fetch_max(sent, Ordering::Relaxed) > sent
    }
}

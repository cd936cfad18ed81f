//! A browser: one jar for all its tabs.

use std::sync::Mutex;

use crate::stage::lock;
use crate::token::{Change, Token};

pub(crate) struct Browser {
    pub(crate) number: usize,
    jar: Mutex<Option<Token>>,
}

impl Browser {
    pub(crate) fn new(number: usize, cookie: Option<Token>) -> Self {
        Self { number, jar: Mutex::new(cookie) }
    }

    pub(crate) fn cookie(&self) -> Option<Token> {
        lock(&self.jar).clone()
    }

    /// What arrives last counts, whatever was sent last.
    pub(crate) fn take(&self, change: Change) {
        *lock(&self.jar) = match change {
            Change::Keep(token) => Some(token),
            Change::Forget => None,
        };
    }
}

//! What the sessions carry: two versions of one type, so that a deploy can change it.

use std::borrow::Cow;
use std::cell::RefCell;

use serde::{Deserialize, Serialize};
use session_core::SessionPayload;

use crate::happened::Happened;
use crate::planted::Planted;
use crate::stage::Stage;

/// What a request was shown of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) account: String,
    /// Which login it came from; kept when the id is rotated.
    pub(crate) login: u64,
    /// Updates by the user's own requests.
    pub(crate) count: u64,
    /// Updates of the whole account.
    pub(crate) grants: u64,
}

pub(crate) trait Payload: SessionPayload {
    fn begin(account: &str, login: u64) -> Self;
    fn add_one(&mut self);
    fn grant(&mut self);
    fn seen(&self) -> Seen;
}

/// As it was before the deploy.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct OldUser {
    account: String,
    login: u64,
    count: u64,
    grants: u64,
}

/// As it is after it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct NewUser {
    name: String,
    login: u64,
    counters: Counters,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Counters {
    count: u64,
    grants: u64,
}

thread_local! {
    /// Of the run on this thread: `upgrade` is given nothing but the payload.
    static STAGE: RefCell<Option<(Stage, Option<Planted>)>> = const { RefCell::new(None) };
}

pub(crate) fn upgrades_are_of(stage: &Stage, planted: Option<Planted>) {
    STAGE.set(Some((stage.clone(), planted)));
}

impl SessionPayload for OldUser {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.account).into())
    }
}

impl SessionPayload for NewUser {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.name).into())
    }

    fn upgrade(old: serde_json::Value) -> Option<Self> {
        let old: OldUser = serde_json::from_value(old).ok()?;
        let mut counters = Counters { count: old.count, grants: old.grants };
        STAGE.with_borrow(|run| {
            let Some((stage, planted)) = run else { return };
            stage.count(Happened::Upgraded);
            if *planted == Some(Planted::UpgradeForgets) {
                counters = Counters::default();
            }
        });
        Some(Self { name: old.account, login: old.login, counters })
    }
}

impl Payload for OldUser {
    fn begin(account: &str, login: u64) -> Self {
        Self { account: account.to_owned(), login, count: 0, grants: 0 }
    }

    fn add_one(&mut self) {
        self.count += 1;
    }

    fn grant(&mut self) {
        self.grants += 1;
    }

    fn seen(&self) -> Seen {
        Seen { account: self.account.clone(), login: self.login, count: self.count, grants: self.grants }
    }
}

impl Payload for NewUser {
    fn begin(account: &str, login: u64) -> Self {
        Self { name: account.to_owned(), login, counters: Counters::default() }
    }

    fn add_one(&mut self) {
        self.counters.count += 1;
    }

    fn grant(&mut self) {
        self.counters.grants += 1;
    }

    fn seen(&self) -> Seen {
        let Counters { count, grants } = self.counters;
        Seen { account: self.name.clone(), login: self.login, count, grants }
    }
}

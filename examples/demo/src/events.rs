//! What happened to an account's sessions lately, for its owner to see.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use session_core::{SessionEvent, Timestamp};

use crate::Framework;

/// How many events of an account are kept.
const PER_ACCOUNT: usize = 20;
/// How many accounts are remembered; then the one that was quiet for longest is forgotten.
const ACCOUNTS: usize = 4096;

tokio::task_local! {
    /// The framework whose handler is running. One session manager serves all three, so an event does not know.
    static SERVED_BY: Framework;
}

/// Runs `handler` so that the events it causes name `framework`.
pub(crate) async fn served_by<T>(framework: Framework, handler: impl Future<Output = T>) -> T {
    SERVED_BY.scope(framework, handler).await
}

/// Something that happened to a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Whose session. Events without an account are not kept: nobody could see them.
    #[serde(skip)]
    pub account: Option<String>,
    /// What happened: [`session_core::EventKind::as_str`].
    pub kind: &'static str,
    /// When.
    pub at: Timestamp,
    /// The session's handle, as in the list of devices.
    pub session: Option<String>,
    /// Where the request came from.
    pub ip: Option<IpAddr>,
    /// What sent it.
    pub user_agent: Option<String>,
    /// The administrator who did it, looking as this user: the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Which of the three answered; filled in by [`Events::record`] where it is known.
    pub framework: Option<Framework>,
}

impl From<&SessionEvent> for Event {
    fn from(event: &SessionEvent) -> Self {
        Self {
            account: event.subject.clone(),
            kind: event.kind.as_str(),
            at: event.at,
            session: event.session.clone(),
            ip: event.ip_address,
            user_agent: event.user_agent.clone(),
            actor: event.actor.clone(),
            framework: None,
        }
    }
}

/// The last events of each account, in memory, bounded in every direction.
#[derive(Debug, Default)]
pub struct Events(Mutex<Log>);

#[derive(Debug, Default)]
struct Log {
    accounts: HashMap<String, Recent>,
    /// Counts records, to tell which account was quiet for longest.
    clock: u64,
}

#[derive(Debug, Default)]
struct Recent {
    events: VecDeque<Event>,
    touched: u64,
}

impl Events {
    /// Remembers an event.
    pub fn record(&self, mut event: Event) {
        let Some(account) = event.account.clone() else { return };
        event.framework = event.framework.or_else(|| SERVED_BY.try_with(|framework| *framework).ok());
        self.log().record(account, event);
    }

    /// The last events of `account`, newest first.
    #[must_use]
    pub fn of(&self, account: &str) -> Vec<Event> {
        let log = self.log();
        log.accounts
            .get(account)
            .map_or_else(Vec::new, |recent| recent.events.iter().rev().cloned().collect())
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn record(&mut self, account: String, event: Event) {
        if self.accounts.len() >= ACCOUNTS && !self.accounts.contains_key(&account) {
            self.forget_the_quietest();
        }
        self.clock += 1;
        let recent = self.accounts.entry(account).or_default();
        recent.touched = self.clock;
        if recent.events.len() >= PER_ACCOUNT {
            recent.events.pop_front();
        }
        recent.events.push_back(event);
    }

    fn forget_the_quietest(&mut self) {
        let quietest = self.accounts.iter().min_by_key(|(_, recent)| recent.touched);
        if let Some(account) = quietest.map(|(account, _)| account.clone()) {
            self.accounts.remove(&account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(account: &str, second: i64) -> Event {
        Event {
            account: Some(account.into()),
            kind: "created",
            at: Timestamp::from_unix_seconds(second),
            session: None,
            ip: None,
            user_agent: None,
            actor: None,
            framework: None,
        }
    }

    #[test]
    fn an_account_sees_its_own_last_twenty_newest_first() {
        let events = Events::default();
        events.record(event("bob", 99));
        (0..25).for_each(|second| events.record(event("alice", second)));
        let seconds: Vec<_> = events.of("alice").iter().map(|event| event.at.unix_seconds()).collect();
        assert_eq!(seconds, (5..25).rev().collect::<Vec<_>>());
        assert_eq!(events.of("bob").len(), 1);
        assert_eq!(events.of("nobody"), []);
    }

    #[test]
    fn the_quietest_account_makes_room() {
        let events = Events::default();
        (0..ACCOUNTS).for_each(|n| events.record(event(&n.to_string(), 0)));
        events.record(event("0", 1));
        events.record(event("new", 2));
        assert_eq!(events.log().accounts.len(), ACCOUNTS);
        assert_eq!(events.of("0").len(), 2);
        assert_eq!(events.of("1"), []);
    }

    #[tokio::test]
    async fn an_event_names_the_framework_whose_handler_caused_it() {
        let events = Events::default();
        events.record(event("alice", 0));
        served_by(Framework::Rocket, async { events.record(event("alice", 1)) }).await;
        let frameworks: Vec<_> = events.of("alice").iter().map(|event| event.framework).collect();
        assert_eq!(frameworks, [Some(Framework::Rocket), None]);
    }
}

//! What a store is asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use session_core::store::{Account, Create, Created, RecordKey, SessionLimit, SessionStore, Touch};

use crate::sample::{REALM, Sample, id_of};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    Validate,
    ValidateAgain,
    Touch,
    Login,
    LoginFull,
    List,
    Revoke,
}

pub const ALL: [Operation; 7] = [
    Operation::Validate,
    Operation::ValidateAgain,
    Operation::Touch,
    Operation::List,
    Operation::Login,
    Operation::LoginFull,
    Operation::Revoke,
];

impl Operation {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Validate => "validate, first time in this process",
            Self::ValidateAgain => "validate",
            Self::Touch => "validate, last-seen due",
            Self::Login => "login, limit 100",
            Self::LoginFull => "login, limit 3, ends one",
            Self::List => "list one account (3)",
            Self::Revoke => "revoke all of one account (3)",
        }
    }

    /// Operations that only look share accounts; those that change one have their own.
    fn role(self) -> u64 {
        match self {
            Self::Validate | Self::ValidateAgain | Self::List => 0,
            Self::Touch => 1,
            Self::Login => 2,
            Self::LoginFull => 3,
            Self::Revoke => 4,
        }
    }
}

const ROLES: u64 = 5;
/// Each account is used once in a phase: so many of each role and phase, and two phases.
pub const ACCOUNTS: u64 = 320;
const PHASES: u64 = 2;

/// A store that holds a sample.
#[derive(Clone)]
pub struct Place {
    pub store: Arc<dyn SessionStore>,
    pub sample: Sample,
}

impl Place {
    #[must_use]
    pub fn new(store: impl SessionStore, sessions: u64) -> Self {
        Self { store: Arc::new(store), sample: Sample::new(sessions) }
    }

    /// Runs it on the `nth` account of its role, of which all are spread over the table.
    pub async fn run(&self, operation: Operation, phase: u64, nth: u64) {
        let sample = self.sample;
        let used = ROLES * PHASES * ACCOUNTS;
        let account = ((nth * PHASES + phase) * ROLES + operation.role()) * (sample.accounts() / used).max(1);
        assert!(nth < ACCOUNTS && account < sample.accounts(), "the table is too small");
        let subject = sample.subject(account);
        let named = Account { realm: REALM, subject: &subject };
        match operation {
            Operation::Validate | Operation::ValidateAgain => {
                self.validate(account, Duration::from_secs(40 * 86_400)).await
            }
            Operation::Touch => self.validate(account, Duration::ZERO).await,
            Operation::Login => assert_eq!(self.login(&subject, 100).await, 0),
            Operation::LoginFull => assert_eq!(self.login(&subject, 3).await, 1),
            Operation::List => {
                assert!(self.store.list(named, sample.now).await.expect("an answer").len() >= 3);
            }
            Operation::Revoke => {
                let ended =
                    self.store.delete_account(named, None, crate::MARK, sample.now).await.expect("an answer");
                assert_eq!(ended.len(), 3);
            }
        }
    }

    async fn validate(&self, number: u64, interval: Duration) {
        let touch = Touch::new(interval, None, 0, Duration::ZERO);
        let key = RecordKey { realm: REALM, id: self.sample.id(number) };
        let found = self.store.read_and_touch(key, touch, self.sample.now).await.expect("an answer");
        assert!(found.is_some());
    }

    async fn login(&self, subject: &str, most: u32) -> usize {
        static NEXT: AtomicU64 = AtomicU64::new(1 << 40);
        let mut record = self.sample.record(1);
        record.id = id_of(subject, NEXT.fetch_add(1, Ordering::Relaxed));
        record.subject = Some(subject.to_owned());
        record.last_seen = self.sample.now;
        let options = Create::new(None, Some(SessionLimit::EvictLeastRecentlySeen(most)));
        match self.store.create(REALM, &record, options, self.sample.now).await.expect("an answer") {
            Created::Done { evicted } => evicted.len(),
            refusal => panic!("{refusal:?}"),
        }
    }
}

//! The sessions that the stores are filled with: any of them can be made again from its number.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use session_benches::workload::User;
use session_core::store::{Account, RecordKey, SessionRecord, SessionStore};
use session_core::{Place, SessionId, Timestamp};

pub const REALM: &str = "__Host-session";
pub const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                              Chrome/142.0.0.0 Safari/537.36";
const DAY: u64 = 86_400;

/// Sessions of a table: three of each account, which lie far apart.
#[derive(Clone, Copy)]
pub struct Sample {
    pub sessions: u64,
    pub now: Timestamp,
}

impl Sample {
    #[must_use]
    pub fn new(sessions: u64) -> Self {
        Self { sessions, now: std::time::SystemTime::now().into() }
    }

    #[must_use]
    pub fn accounts(self) -> u64 {
        self.sessions / 3
    }

    /// The sessions of an account.
    pub fn of(self, account: u64) -> impl Iterator<Item = u64> {
        (0..3).map(move |nth| account + nth * self.accounts())
    }

    #[must_use]
    pub fn id(self, number: u64) -> SessionId {
        id_of(&self.subject(number), number)
    }

    #[must_use]
    pub fn subject(self, number: u64) -> String {
        format!("user-{:07}", number % self.accounts())
    }

    /// How long ago this session began: up to 22 hours, so that all are live and ends are spread like beginnings.
    /// Those past the table's size have expired, in the last day.
    #[must_use]
    pub fn age(self, number: u64) -> u64 {
        let spread = mix(number) % (DAY - 7200);
        if number < self.sessions { spread } else { DAY + 1 + spread }
    }

    #[must_use]
    pub fn record(self, number: u64) -> SessionRecord {
        let began = self.now.minus(Duration::from_secs(self.age(number)));
        SessionRecord::new(self.id(number), payload(), began, began.plus(Duration::from_secs(DAY))).with(
            |record| {
                record.subject = Some(self.subject(number));
                record.last_seen = began;
                record.issued_at = began;
                record.first_used_at = Some(began);
                record.ends_at = began.plus(Duration::from_secs(DAY));
                record.user_agent = Some(USER_AGENT.to_owned());
                record.ip_address = Some(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)));
            },
        )
    }

    /// Whether the store's own eyes see what its `create` would have written.
    pub async fn check(self, store: &dyn SessionStore, numbers: impl Iterator<Item = u64>) {
        for number in numbers {
            let key = RecordKey { realm: REALM, id: self.id(number) };
            let found = store.read(key, self.now).await.expect("an answer");
            assert_eq!(found, Some(self.record(number)), "session {number}");
        }
        let subject = self.subject(1);
        let account = Account { realm: REALM, subject: &subject };
        assert_eq!(store.list(account, self.now).await.expect("an answer").len(), 3);
    }
}

#[must_use]
pub fn payload() -> Vec<u8> {
    serde_json::to_vec(&User::alice()).expect("plain data")
}

/// The id of an account's session: random bytes, and always the same ones.
#[must_use]
pub fn id_of(subject: &str, number: u64) -> SessionId {
    let (high, low) = (mix(number ^ 0x5eed << 40), mix(number ^ 0xfeed << 44));
    SessionId::new(Place::of(subject), (u128::from(high) << 64 | u128::from(low)).to_be_bytes())
}

/// The finaliser of splitmix64.
fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

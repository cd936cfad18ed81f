//! Random calls against a model that nobody can get wrong, then threads.

mod model;

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use self::model::Model;
use super::MemoryStore;
use crate::id::SessionId;
use crate::store::{
    Account, Create, Mark, RecordKey, Replaces, SessionLimit, SessionRecord, SessionStore, StoreError, Touch,
};
use crate::time::Timestamp;

const REALMS: [&str; 2] = ["users", "admins"];
const MARK: Mark = Mark::from_bytes([1; 16]);
const SUBJECTS: [Option<&str>; 3] = [None, Some("ann"), Some("bob")];

/// One call. Small numbers, so that calls meet each other's records.
#[derive(Clone, Debug)]
enum Call {
    Read { id: u8 },
    Touch { id: u8, idle: Option<u64> },
    Create { id: u8, subject: usize, age: u64, lasts: u64, options: Create },
    Replace { id: u8, skip: u64, lasts: u64 },
    Delete { id: u8 },
    List { subject: usize },
    DeleteAccount { subject: usize, keep: Option<u8> },
    DeleteRealm,
    DeleteExpired { limit: usize },
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn answers_as_the_model_does(calls in prop::collection::vec((0..2_usize, 0..3_u64, call()), 0..120)) {
        let (store, mut model) = (MemoryStore::new(), Model::default());
        let mut now = Timestamp::from_unix_seconds(1_000);
        for (realm, passed, call) in calls {
            now = now.plus(Duration::from_secs(passed));
            let (actual, expected) = answers(&store, &mut model, REALMS[realm], &call, now);
            prop_assert_eq!(actual, expected, "{:?} in {} at {}", call, REALMS[realm], now);
            store.realms.iter().for_each(|realm| realm.check());
            prop_assert_eq!(store.len(), model.len());
        }
    }
}

#[test]
fn indexes_fit_the_records_after_calls_from_many_threads() {
    let store = MemoryStore::new();
    thread::scope(|scope| {
        for seed in 1..=4_u64 {
            let store = &store;
            scope.spawn(move || storm(store, seed));
        }
    });
    store.realms.iter().for_each(|realm| realm.check());
}

#[test]
fn an_account_may_have_many_sessions_and_lose_them_again() {
    let store = MemoryStore::new();
    let account = Account { realm: "users", subject: "ann" };
    let ids: Vec<_> = (0..300_u16).map(numbered).collect();
    let log_in = |id: SessionId| {
        let record = SessionRecord { id, ..record(0, Some("ann"), 0, Timestamp::EPOCH, Timestamp::MAX) };
        now(store.create("users", &record, Create::default(), Timestamp::EPOCH)).unwrap();
        store.realms.iter().for_each(|realm| realm.check());
    };
    let log_out = |id: SessionId| {
        assert!(now(store.delete(RecordKey { realm: "users", id })).unwrap());
        store.realms.iter().for_each(|realm| realm.check());
    };
    let listed = || now(store.list(account, Timestamp::EPOCH)).unwrap().len();

    ids.iter().copied().for_each(log_in);
    assert_eq!(listed(), 300);
    ids[..298].iter().copied().for_each(log_out);
    assert_eq!(listed(), 2);
    ids[..200].iter().copied().for_each(log_in);
    let ended = now(store.delete_account(account, Some(ids[299]), MARK, Timestamp::EPOCH)).unwrap();
    assert_eq!((ended.len(), listed()), (201, 1));
    log_out(ids[299]);
    assert_eq!(listed(), 0);
    log_in(ids[0]);
    assert_eq!(listed(), 1);
}

#[test]
fn a_login_waits_for_no_other_account() {
    let (realm, at) = (super::realm::Realm::default(), Timestamp::from_unix_seconds(1_000));
    let logins = (1..=100).filter_map(|id| {
        let subject = format!("user-{id}");
        let login = record(id, Some(&subject), 0, at, at.plus(std::time::Duration::from_secs(60)));
        realm.log_in_beside("ann", &login, at)
    });
    // One in 64 shares Ann's roster, whichever those are.
    let done =
        logins.filter(|created| *created == crate::store::Created::Done { evicted: Vec::new() }).count();
    assert!((80..=100).contains(&done), "{done}");
    realm.check();
}

#[test]
fn a_poisoned_lock_is_recovered() {
    let store = MemoryStore::new();
    let record = record(1, Some("ann"), 0, Timestamp::EPOCH, Timestamp::MAX);
    now(store.create("users", &record, Create::default(), Timestamp::EPOCH)).unwrap();
    store.realms.iter().for_each(|realm| realm.poison());
    let key = RecordKey { realm: "users", id: record.id };
    assert_eq!(now(store.read(key, Timestamp::EPOCH)).unwrap(), Some(record));
    assert!(now(store.delete(key)).unwrap());
}

#[test]
fn a_session_cannot_move_to_another_account() {
    let store = MemoryStore::new();
    let record = record(1, Some("ann"), 0, Timestamp::EPOCH, Timestamp::MAX);
    now(store.create("users", &record, Create::default(), Timestamp::EPOCH)).unwrap();
    for subject in [None, Some("bob".to_owned())] {
        let moved = SessionRecord { subject, version: 1, ..record.clone() };
        assert!(
            now(store.replace("users", &moved, Timestamp::EPOCH)).is_err_and(|error| !error.is_retryable())
        );
    }
    assert_eq!(
        now(store.list(Account { realm: "users", subject: "ann" }, Timestamp::EPOCH)).unwrap(),
        [record]
    );
}

#[test]
fn a_large_cleanup_goes_on_after_a_batch() {
    let store = MemoryStore::new();
    for id in 0..=u8::MAX {
        for more in 0..=u8::MAX / 8 {
            let mut record = record(0, Some("ann"), 0, Timestamp::EPOCH, Timestamp::EPOCH.plus(MINUTE));
            // All in one shard.
            record.id = SessionId::from_bytes([id, more, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            now(store.create("users", &record, Create::default(), Timestamp::EPOCH)).unwrap();
        }
    }
    assert_eq!(now(store.delete_expired(Timestamp::MAX, 1_000)).unwrap(), 1_000);
    assert_eq!(now(store.delete_expired(Timestamp::MAX, usize::MAX)).unwrap(), 256 * 32 - 1_000);
    assert!(store.is_empty());
    store.realms.iter().for_each(|realm| realm.check());
}

#[test]
fn logins_clear_away_what_has_expired() {
    let store = MemoryStore::new();
    let mut at = Timestamp::EPOCH;
    for day in 0..20 {
        for place in 0..200 {
            let mut record = record(0, Some("ann"), 0, at, at.plus(MINUTE));
            record.id =
                SessionId::from_bytes([place, day, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, place]);
            now(store.create("users", &record, Create::default(), at)).unwrap();
        }
        at = at.plus(MINUTE);
    }
    assert!(store.len() <= 400, "{} of 4,000 are left, and 200 live", store.len());
    store.realms.iter().for_each(|realm| realm.check());
}

#[test]
fn debug_shows_no_record() {
    assert_eq!(format!("{:?}", MemoryStore::new()), "MemoryStore { len: 0 }");
}

const MINUTE: Duration = Duration::from_secs(60);

fn call() -> impl Strategy<Value = Call> {
    let id = 0..8_u8;
    let subject = 0..SUBJECTS.len();
    let lasts = 0..12_u64;
    prop_oneof![
        2 => id.clone().prop_map(|id| Call::Read { id }),
        3 => (id.clone(), prop::option::of(0..12_u64)).prop_map(|(id, idle)| Call::Touch { id, idle }),
        6 => (id.clone(), subject.clone(), 0..3_u64, lasts.clone(), options())
            .prop_map(|(id, subject, age, lasts, options)| Call::Create { id, subject, age, lasts, options }),
        4 => (id.clone(), 0..3_u64, lasts).prop_map(|(id, skip, lasts)| Call::Replace { id, skip, lasts }),
        2 => id.clone().prop_map(|id| Call::Delete { id }),
        2 => subject.clone().prop_map(|subject| Call::List { subject }),
        1 => (subject, prop::option::of(id)).prop_map(|(subject, keep)| Call::DeleteAccount { subject, keep }),
        1 => Just(Call::DeleteRealm),
        1 => (0..4_usize).prop_map(|limit| Call::DeleteExpired { limit }),
    ]
}

fn options() -> impl Strategy<Value = Create> {
    let replaces = (any::<bool>(), 0..8_u8, 0..3_u64).prop_map(|(must, id, version)| match must {
        true => Replaces::MustExist { id: session(id), version },
        false => Replaces::IfPresent(session(id)),
    });
    let limit = (any::<bool>(), 0..4_u32).prop_map(|(refuse, limit)| match refuse {
        true => SessionLimit::Refuse(limit),
        false => SessionLimit::EvictLeastRecentlySeen(limit),
    });
    (prop::option::of(replaces), prop::option::of(limit))
        .prop_map(|(replaces, limit)| Create::new(replaces, limit))
}

/// What the store answers, and what the model does.
fn answers(
    store: &MemoryStore,
    model: &mut Model,
    realm: &str,
    call: &Call,
    at: Timestamp,
) -> (String, String) {
    let key = |id: u8| RecordKey { realm, id: session(id) };
    let account = |subject: usize| Account { realm, subject: SUBJECTS[subject].unwrap_or_default() };
    match *call {
        Call::Read { id } => texts(now(store.read(key(id), at)), model.read(key(id), at)),
        Call::Touch { id, idle } => {
            let touch = Touch {
                interval: Duration::from_secs(2),
                idle_timeout: idle.map(Duration::from_secs),
                generation: 0,
                grace: Duration::ZERO,
            };
            texts(now(store.read_and_touch(key(id), touch, at)), model.read_and_touch(key(id), touch, at))
        }
        Call::Create { id, subject, age, lasts, options } => {
            let record = record(id, SUBJECTS[subject], age, at, at.plus(Duration::from_secs(lasts)));
            let created = model.create(realm, &record, options, at);
            // Each of these ids has a shard of its own.
            model.delete_expired_of(key(id), at);
            texts(now(store.create(realm, &record, options, at)), created)
        }
        Call::Replace { id, skip, lasts } => {
            let Some(mut record) = model.find(key(id)).cloned() else { return Default::default() };
            record.version += skip;
            record.payload = vec![id; usize::try_from(lasts).unwrap()];
            record.ends_at = at.plus(Duration::from_secs(lasts));
            texts(now(store.replace(realm, &record, at)), model.replace(realm, &record, at))
        }
        Call::Delete { id } => texts(now(store.delete(key(id))), model.delete(key(id))),
        Call::List { subject } => {
            let mut listed = now(store.list(account(subject), at));
            listed.iter_mut().for_each(|records| records.sort_by_key(|record| record.id));
            texts(listed, model.list(account(subject), at))
        }
        Call::DeleteAccount { subject, keep } => {
            let keep = keep.map(session);
            let mut deleted = now(store.delete_account(account(subject), keep, MARK, at));
            deleted.iter_mut().for_each(|ids| ids.sort());
            texts(deleted, model.delete_account(account(subject), keep, at))
        }
        Call::DeleteRealm => texts(now(store.delete_realm(realm, MARK)), model.delete_realm(realm)),
        // Which ones go first is the store's choice, so both go on until none is left.
        Call::DeleteExpired { limit } => {
            let actual = [limit, usize::MAX].map(|limit| now(store.delete_expired(at, limit)).unwrap());
            let expired = model.delete_expired(at);
            let first = expired.min(limit);
            (format!("{actual:?}"), format!("{:?}", [first, expired - first]))
        }
    }
}

fn texts<T: std::fmt::Debug>(actual: Result<T, StoreError>, expected: T) -> (String, String) {
    (format!("{:?}", actual.unwrap()), format!("{expected:?}"))
}

/// Calls that get in each other's way, the same ones for a seed.
fn storm(store: &MemoryStore, seed: u64) {
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for step in 0..5_000_u64 {
        // xorshift64
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let [kind, id, other, choice, ..] = random.to_le_bytes();
        let realm = REALMS[usize::from(choice % 2)];
        let at = Timestamp::EPOCH.plus(Duration::from_secs(step / 100));
        let subject = SUBJECTS[usize::from(choice / 2 % 3)];
        let (id, other) = (id % 32, other % 32);
        let key = RecordKey { realm, id: session(id) };
        let account = Account { realm, subject: subject.unwrap_or_default() };
        let touch = Touch {
            interval: Duration::ZERO,
            idle_timeout: Some(MINUTE),
            generation: 0,
            grace: Duration::ZERO,
        };
        match kind % 16 {
            0..6 => {
                let replaces = (choice > 64).then_some(Replaces::IfPresent(session(other)));
                let options = Create::new(replaces, Some(SessionLimit::EvictLeastRecentlySeen(3)));
                let record = record(id, subject, 0, at, at.plus(MINUTE / 4));
                now(store.create(realm, &record, options, at)).map(drop).unwrap();
            }
            6..10 => now(store.read_and_touch(key, touch, at)).map(drop).unwrap(),
            10..12 => now(store.delete(key)).map(drop).unwrap(),
            12 => now(store.delete_account(account, None, MARK, at)).map(drop).unwrap(),
            13 => now(store.delete_expired(at, 4)).map(drop).unwrap(),
            14 if choice < 16 => now(store.delete_realm(realm, MARK)).map(drop).unwrap(),
            _ => assert!(now(store.list(account, at)).unwrap().len() <= 32),
        }
    }
}

fn session(id: u8) -> SessionId {
    SessionId::from_bytes([id; 18])
}

fn numbered(number: u16) -> SessionId {
    let mut bytes = [0; 18];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    bytes[17] = number.to_be_bytes()[1];
    SessionId::from_bytes(bytes)
}

fn record(id: u8, subject: Option<&str>, age: u64, at: Timestamp, ends_at: Timestamp) -> SessionRecord {
    SessionRecord {
        id: session(id),
        subject: subject.map(str::to_owned),
        version: 0,
        payload: vec![id],
        authenticated_at: at.minus(Duration::from_secs(age)),
        last_seen: at,
        generation: 0,
        issued_at: at,
        expires_at: at.plus(Duration::from_secs(10)),
        first_used_at: None,
        ends_at,
        user_agent: None,
        ip_address: None,
        terms: None,
        uncounted: false,
    }
}

/// The answer of a call, which has to be there at once.
fn now<T>(call: impl Future<Output = T>) -> T {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a call was pending"),
    }
}

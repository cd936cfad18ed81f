//! Records and indexes that nobody here has written: the scripts decide as Rust does, and neither fails or spins.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use session_core::store::{Create, Created, Replaces, SessionStore, Touch};
use session_core::{SessionId, Timestamp};
use std::time::Duration;

use crate::support::{Bench, Server, done, evicting, needs_redis, random_id, random_id_of, replacing};

/// The same at each run.
struct Cases(TestRunner);

impl Cases {
    fn new() -> Self {
        Self(TestRunner::deterministic())
    }

    fn draw<S: Strategy>(&mut self, strategy: S) -> S::Value {
        strategy.new_tree(&mut self.0).unwrap().current()
    }
}

/// Small ones, random ones, and those where a script's numbers or their parts end.
fn numbers() -> impl Strategy<Value = u64> {
    let edges = [1 << 28, 1 << 32, 1 << 35, 1 << 53, 1 << 56, 1 << 63, u64::MAX];
    prop_oneof![
        0..3_u64,
        any::<u64>(),
        (prop::sample::select(edges.to_vec()), -2..=2_i64)
            .prop_map(|(edge, by)| edge.wrapping_add_signed(by)),
    ]
}

/// Close to `now`, or anywhere.
fn times(now: Timestamp) -> impl Strategy<Value = Timestamp> {
    let near = (-3..=3_i64).prop_map(move |by| Timestamp::from_unix_seconds(now.unix_seconds() + by));
    let anywhere = (0..=Timestamp::MAX.unix_seconds()).prop_map(Timestamp::from_unix_seconds);
    prop_oneof![near, anywhere, Just(Timestamp::EPOCH), Just(Timestamp::MAX)]
}

fn touches(generation: u64) -> impl Strategy<Value = Touch> {
    let seconds = |list: &[u64]| prop::sample::select(list.to_vec()).prop_map(Duration::from_secs);
    let asks = prop_oneof![(-2..=1_i64).prop_map(move |by| generation.saturating_add_signed(by)), numbers()];
    let idle = prop::option::of(seconds(&[0, 2, 3_600, u64::MAX]));
    (seconds(&[0, 1, 60, u64::MAX]), idle, asks, seconds(&[0, 2, 30, u64::MAX])).prop_map(
        |(interval, idle_timeout, generation, grace)| Touch::new(interval, idle_timeout, generation, grace),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_that_touches_decides_as_core_does() {
    needs_redis!();
    let server = Server::shared();
    let bench = Bench::new(server.store().await);
    let other = Bench { store: server.store().await, ..bench.clone() };
    let mut cases = Cases::new();
    let (mut touched, mut refused) = (0, 0);
    for _ in 0..2_000 {
        let generation = cases.draw(numbers());
        let touch = cases.draw(touches(generation));
        let record = bench.login("ann").with(|record| {
            record.generation = generation;
            record.version = cases.draw(numbers());
            record.subject = cases.draw(prop_oneof![
                Just(None),
                Just(Some("ann".to_owned())),
                Just(Some("bob".to_owned()))
            ]);
            record.id = record.subject.as_deref().map_or_else(random_id, random_id_of);
            record.payload = br#"{"id":"ann"}"#.to_vec();
            record.authenticated_at = cases.draw(times(bench.now));
            record.last_seen = cases.draw(times(bench.now));
            record.issued_at = cases.draw(times(bench.now));
            record.expires_at = cases.draw(times(bench.now));
            record.first_used_at = cases.draw(prop::option::of(times(bench.now)));
            record.ends_at = bench.at(cases.draw(1..100_u64));
        });
        assert_eq!(bench.create(&record, Create::default()).await, done());
        let found = other.store.read_and_touch(bench.key(record.id), touch, bench.now).await.unwrap();
        let expected = touch.apply(&record, bench.now).unwrap_or_else(|| record.clone());
        assert_eq!(found, Some(expected.clone()), "{touch:?} {record:?}");
        let is_there = bench.now < expected.ends_at;
        assert_eq!(bench.read(record.id).await, is_there.then(|| expected.clone()));
        touched += u32::from(expected != record);
        refused += u32::from(!touch.is_by_a_good_token(&record, bench.now));
    }
    println!("{touched} touched, {refused} of tokens that open nothing");
    assert!(touched > 150 && refused > 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_opens_nothing_keeps_no_session_alive() {
    needs_redis!();
    let server = Server::shared();
    let bench = Bench::new(server.store().await);
    let record = bench.login("ann").with(|record| {
        record.generation = 2;
        record.first_used_at = Some(bench.at(40));
    });
    assert_eq!(bench.create(&record, Create::default()).await, done());
    let seen = async |generation, grace: u64| {
        let grace = Duration::from_secs(grace);
        let touch =
            Touch::new(crate::support::TOUCH.interval, crate::support::TOUCH.idle_timeout, generation, grace);
        // By a process that was there at the login, and so reads first, and by one that was not.
        for store in [bench.store.clone(), server.store().await] {
            let found =
                store.read_and_touch(bench.key(record.id), touch, bench.at(60)).await.unwrap().unwrap();
            if found != record {
                return true;
            }
        }
        false
    };
    assert!(!seen(0, 1_000).await, "older than the predecessor");
    assert!(!seen(1, 20).await, "the predecessor, when its grace is over");
    assert!(seen(1, 21).await, "the predecessor, in the last second of its grace");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_cannot_be_counted_on_is_read_and_stays() {
    needs_redis!();
    let bench = Bench::new(Server::shared().store().await);
    let record = bench.login("ann").with(|record| record.version = u64::MAX);
    assert_eq!(bench.create(&record, Create::default()).await, done());
    assert_eq!(bench.touch(record.id).await, Some(record.clone()));
    let rotation = replacing(Replaces::MustExist { id: record.id, version: u64::MAX });
    assert_eq!(bench.create(&bench.login("ann"), rotation).await, done());
    assert_eq!(bench.read(record.id).await, None);
}

/// Bytes of a record in which something was changed.
fn mangled(cases: &mut Cases, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let extreme = prop::sample::select(vec![0, 1, 0x7f, 0x80, 0xff]);
    for _ in 0..cases.draw(1..4) {
        // All but layout and epoch, which `a_record_of_garbage_is_absent_or_an_error_and_can_be_removed` has.
        let at = cases.draw(5..bytes.len().max(6));
        match cases.draw(0..4) {
            0 => bytes.truncate(at),
            1 => bytes.extend_from_slice(&cases.draw(prop::collection::vec(any::<u8>(), 1..40))),
            2 => {
                let (value, long) = (cases.draw(extreme.clone()), cases.draw(1..12_usize));
                bytes.iter_mut().skip(at).take(long).for_each(|byte| *byte = value);
            }
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = byte.wrapping_add(1)),
        }
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mangled_record_is_read_as_rust_reads_it_and_can_be_ended() {
    needs_redis!();
    let server = Server::shared();
    let bench = Bench::new(server.store().await);
    let mut cases = Cases::new();
    let mut admin = server.admin();
    let (mut sound, mut damaged) = (0, 0);
    for place in 0..1_000 {
        let payload = if place % 2 == 0 { br#"{"id":"ann"}"#.to_vec() } else { b"{}".to_vec() };
        let (generation, version) = (cases.draw(numbers()), cases.draw(numbers()));
        let record = bench.login("ann").with(|record| {
            record.payload = payload;
            record.generation = generation;
            record.version = version;
        });
        assert_eq!(bench.create(&record, Create::default()).await, done());
        let key = bench.session_key(record.id);
        let whole: Vec<u8> = redis::cmd("GET").arg(&key).query(&mut admin).unwrap();
        let bytes = mangled(&mut cases, &whole);
        redis::cmd("SET").arg(&key).arg(&bytes).arg("PX").arg(600_000).exec(&mut admin).unwrap();

        let touch = cases.draw(touches(generation));
        let read = bench.store.read(bench.key(record.id), bench.now).await;
        // A process without a hint, so that the script is asked.
        let found = server.store().await.read_and_touch(bench.key(record.id), touch, bench.now).await;
        match (read, found) {
            (Ok(read), Ok(found)) => {
                let expected = read.map(|read| touch.apply(&read, bench.now).unwrap_or(read));
                assert_eq!(found, expected, "{touch:?} {bytes:?}");
                sound += 1;
            }
            (Err(read), Err(found)) => {
                assert_eq!(read.to_string(), found.to_string());
                assert!(!found.is_retryable() && found.to_string().contains("damaged"), "{found}");
                damaged += 1;
            }
            // It is over, so nobody looks further.
            (Err(_), Ok(None)) => {}
            (read, found) => panic!("{read:?} {found:?} {bytes:?}"),
        }
        ends(&bench, record.id, place).await;
        assert_eq!(bench.read(record.id).await, None);
        bench.store.delete_account(bench.account("ann"), None, crate::MARK, bench.now).await.unwrap();
    }
    println!("{sound} were records, {damaged} were not");
    assert!(sound > 200 && damaged > 200);
}

/// Each way to end a session.
async fn ends(bench: &Bench, id: SessionId, way: usize) {
    match way % 4 {
        0 => {
            assert!(bench.store.delete(bench.key(id)).await.unwrap());
        }
        1 => {
            let new = bench.create(&bench.login("ann"), replacing(Replaces::IfPresent(id))).await;
            assert_eq!(new, done());
        }
        2 => {
            bench.store.delete_account(bench.account("ann"), None, crate::MARK, bench.now).await.unwrap();
        }
        _ => {
            let limited = bench.create(&bench.login("ann"), evicting(1)).await;
            assert!(matches!(limited, Created::Done { .. }));
            bench.store.delete_realm(&bench.realm, crate::MARK).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_garbage_stops_nobody() {
    needs_redis!();
    let server = Server::shared();
    let bench = Bench::new(server.store().await);
    let mut admin = server.admin();
    let mut cases = Cases::new();
    for _ in 0..200 {
        let record = bench.stored("ann").await;
        let keys: Vec<Vec<u8>> =
            redis::cmd("KEYS").arg(format!("{}#*", bench.base())).query(&mut admin).unwrap();
        let garbage = cases.draw(prop::collection::vec(any::<u8>(), 1..70));
        redis::cmd("HSET").arg(&keys[0]).arg("ann").arg(garbage).exec(&mut admin).unwrap();
        assert!(bench.touch(record.id).await.is_some());
        bench.list("ann").await;
        let created = bench.create(&bench.login("ann"), evicting(1)).await;
        assert!(matches!(created, Created::Done { .. }));
        bench.store.delete_account(bench.account("ann"), None, crate::MARK, bench.now).await.unwrap();
        bench.store.delete(bench.key(record.id)).await.unwrap();
    }
}

//! Clauses 1 and 2: what is created stays itself, in its realm.

use std::net::IpAddr;
use std::sync::Arc;

use session_core::store::{Create, Created, Replaced, Replaces, SessionStore, Terms};

use crate::bench::{Bench, done, evict, next};

pub async fn every_field_survives(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let full = bench.login("ü".repeat(127).as_str()).with(|record| {
        record.payload = vec![0, b'"', b'\'', b'\\', 0xff];
        record.generation = 7;
        record.version = 3;
        record.issued_at = bench.at(1);
        record.expires_at = bench.at(7_000);
        record.first_used_at = Some(bench.at(2));
        record.user_agent = Some("Mozilla/5.0 (Bücher; 本)".into());
        record.ip_address = Some(IpAddr::from([0x20, 1, 13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]));
    });
    let terms = |bytes: &[u8]| Some(Arc::new(Terms::from_bytes(bytes)));
    let marked = bench.login("ann").with(|record| {
        record.terms = terms(br#"{"v":1,"acr":2,"amr":["pwd"]}"#);
        record.uncounted = true;
    });
    // Of a later version of this program.
    let later = bench.login("ann").with(|record| record.terms = terms(&[0, b'\'', 0xff]));
    let bare = bench.guest().with(|record| record.payload = Vec::new());
    for record in [full, marked, later, bare] {
        assert_eq!(bench.create(&record).await, done());
        assert_eq!(bench.read(record.id).await, Some(record.clone()));
        let newer = next(&record).with(|record| {
            record.payload = b"{}".to_vec();
            record.first_used_at = None;
            record.terms = match &record.terms {
                Some(_) => None,
                None => terms(br#"{"v":1,"end":1900000000}"#),
            };
        });
        assert_eq!(bench.replace(&newer).await, Replaced::Done);
        assert_eq!(bench.read(record.id).await, Some(newer));
    }
}

pub async fn realms_are_apart(store: Arc<dyn SessionStore>) {
    let here = Bench::new(store.clone());
    let there = Bench::new(store);
    let record = here.stored("ann").await;
    assert_eq!(there.read(record.id).await, None);
    assert_eq!(there.touch(record.id).await, None);
    assert_eq!(there.replace(&next(&record)).await, Replaced::Gone);
    assert_eq!(there.list("ann").await, []);
    assert!(!there.delete(record.id).await);
    assert_eq!(there.delete_account("ann", None).await, []);
    assert_eq!(there.delete_realm().await, 0);
    assert_eq!(here.read(record.id).await, Some(record.clone()));

    let twin = record.clone().with(|record| record.payload = b"other".to_vec());
    assert_eq!(there.create(&twin).await, done(), "the same id is another session there");
    assert_eq!(here.read(record.id).await, Some(record.clone()));
    let replaces = Some(Replaces::IfPresent(record.id));
    assert_eq!(there.create_with(&there.login("ann"), Create::new(replaces, None)).await, done());
    assert_eq!(here.list("ann").await, [record]);
}

pub async fn counts_the_open_sessions_of_a_realm(store: Arc<dyn SessionStore>) {
    let (here, there) = (Bench::new(store.clone()), Bench::new(store));
    assert_eq!(here.count().await, 0);
    let ann = here.stored("ann").await;
    assert_eq!(here.create(&here.guest()).await, done());
    let brief = here.login("bob").with(|record| record.ends_at = here.at(10));
    assert_eq!(here.create(&brief).await, done());
    there.stored("ann").await;
    assert_eq!((here.count().await, here.later(10).count().await, there.count().await), (3, 2, 1));
    assert!(here.delete(ann.id).await);
    assert_eq!(here.count().await, 2);
    here.delete_realm().await;
    assert_eq!((here.count().await, there.count().await), (0, 1));
}

pub async fn create_never_overwrites(store: Arc<dyn SessionStore>) {
    let bench = Bench::new(store);
    let record = bench.stored("ann").await;
    let other = bench.stored("ann").await;
    let second = record.clone().with(|second| second.payload = b"second".to_vec());
    let options = Create::new(Some(Replaces::IfPresent(other.id)), Some(evict(1)));
    assert_eq!(bench.create_with(&second, options).await, Created::IdTaken);
    let itself = Create::new(Some(Replaces::IfPresent(record.id)), None);
    assert_eq!(bench.create_with(&second, itself).await, Created::IdTaken);
    assert_eq!(bench.read(record.id).await, Some(record));
    assert_eq!(bench.read(other.id).await, Some(other));
    assert_eq!(bench.list("ann").await.len(), 2);
}

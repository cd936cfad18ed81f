//! Payloads that whoever reads the store cannot read: sealed, at their place, and nowhere else.

use session_core::store::{Account, Create, MemoryStore, SessionRecord, SessionStore as _};
use session_core::testing::TestRequest;
use session_core::{ErrorKind, Key, KeyRing, Lifetimes, SessionManager, SessionManagerBuilder};

use crate::support::{Browser, SECRET, Trip, User, World, seconds, user};

fn on(world: &World, keys: &KeyRing) -> SessionManagerBuilder<User> {
    world.builder().keys(keys.clone()).store(world.store.clone())
}

fn ring() -> KeyRing {
    KeyRing::from_secret(SECRET).unwrap()
}

async fn record(world: &World, sessions: &SessionManager<User>, subject: &str) -> SessionRecord {
    let mut records = world.records(sessions, subject).await;
    assert_eq!(records.len(), 1);
    records.remove(0)
}

fn is_sealed(record: &SessionRecord) -> bool {
    record.payload.starts_with(b"eyJhbGciOiJkaXIi")
}

/// The key that sealed it, by its header.
fn kid(record: &SessionRecord) -> String {
    let header = record.payload.split(|byte| *byte == b'.').next().unwrap();
    let header = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(header).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

async fn write(world: &World, sessions: &SessionManager<User>, record: &SessionRecord) {
    let next = record.clone().with(|next| next.version += 1);
    world.store.replace(sessions.realm(), &next, world.now()).await.unwrap();
}

async fn update(sessions: &SessionManager<User>, browser: &Browser) {
    let session = Trip::of(sessions);
    session.receive(&browser.post("/visits"));
    session.update(|user| user.visits += 1).await.unwrap();
}

async fn visits(sessions: &SessionManager<User>, browser: &Browser) -> u64 {
    let outcome = sessions.get_session(&browser.get("/")).await.unwrap();
    outcome.unwrap().user().unwrap().visits
}

async fn refused(sessions: &SessionManager<User>, browser: &Browser) -> ErrorKind {
    let trip = Trip::of(sessions);
    trip.receive(&browser.get("/"));
    trip.open().await.unwrap_err().kind()
}

#[tokio::test]
async fn the_store_has_the_payload_sealed_and_the_rest_in_the_clear() {
    let world = World::new();
    let sessions = world.sealed_records();
    let request =
        TestRequest::new("POST", "/login").header("user-agent", "Firefox").from_peer([192, 0, 2, 7].into());
    let outcome = sessions.create_session(user("annabella"), &request).await.unwrap();
    let mut browser = Browser::default();
    browser.take(&outcome.changes);
    let record = record(&world, &sessions, "annabella").await;
    assert!(is_sealed(&record));
    assert!(
        !format!("{:?}", record.payload).contains(format!("{:?}", b"annabella").trim_matches(['[', ']']))
    );
    assert_eq!(record.subject.as_deref(), Some("annabella"));
    assert_eq!(
        (record.user_agent.as_deref(), record.ip_address),
        (Some("Firefox"), Some([192, 0, 2, 7].into()))
    );
    update(&sessions, &browser).await;
    let updated = self::record(&world, &sessions, "annabella").await;
    assert!(is_sealed(&updated) && updated.payload != record.payload);
    assert_eq!(visits(&sessions, &browser).await, 1);
}

#[tokio::test]
async fn whatever_changes_a_session_keeps_it_sealed() {
    let world = World::new();
    let sessions = world.sealed_records();
    let mut browser = Browser::login(&sessions, user("ann")).await;
    update(&sessions, &browser).await;

    world.advance(3600);
    let refreshed = sessions.refresh_session(&browser.post("/refresh")).await.unwrap();
    browser.take(&refreshed.changes);
    assert_eq!(visits(&sessions, &browser).await, 1);
    assert!(is_sealed(&record(&world, &sessions, "ann").await));

    // A new id, to which it is bound anew.
    let session = Trip::of(&sessions);
    session.receive(&browser.post("/reauthenticate"));
    session.reauthenticate().await.unwrap();
    browser.take(&session.close(&()));
    assert_eq!(visits(&sessions, &browser).await, 1);
    assert!(is_sealed(&record(&world, &sessions, "ann").await));

    assert_eq!(sessions.update_account("ann", |user| user.visits += 10).await.unwrap(), 1);
    assert_eq!(visits(&sessions, &browser).await, 11);
    assert_eq!(sessions.list_account("ann").await.unwrap().len(), 1);
    assert!(is_sealed(&record(&world, &sessions, "ann").await));
}

#[tokio::test]
async fn in_hybrid_mode_too() {
    let world = World::new();
    let sessions = on(&world, &ring()).seal_records(true).hybrid(seconds(30)).build().unwrap();
    let browser = Browser::login(&sessions, user("ann")).await;
    for round in 0..3 {
        assert_eq!(visits(&sessions, &browser).await, round);
        assert_eq!(visits(&sessions, &browser).await, round);
        update(&sessions, &browser).await;
        world.advance(40);
    }
    assert!(is_sealed(&record(&world, &sessions, "ann").await));
}

/// Whoever can write to the store moves a row, or copies one account's payload into another's.
#[tokio::test]
async fn a_payload_that_was_moved_to_another_session_opens_nowhere_and_is_left_alone() {
    let world = World::new();
    let sessions = world.sealed_records();
    let ann = Browser::login(&sessions, user("ann")).await;
    let eve = Browser::login(&sessions, user("eve")).await;
    let [anns, eves] = [record(&world, &sessions, "ann").await, record(&world, &sessions, "eve").await];
    let stolen = eves.clone().with(|record| record.payload = anns.payload.clone());
    write(&world, &sessions, &stolen).await;
    assert_eq!(refused(&sessions, &eve).await, ErrorKind::Invalid);
    assert_eq!(visits(&sessions, &ann).await, 0);
    let event = world.events.lock().unwrap().last().cloned().unwrap();
    assert_eq!((event.kind.as_str(), event.reason), ("rejected", Some(ErrorKind::Invalid)));
    assert!(event.detail.unwrap().contains("sealed"));
    // Nothing overwrites it: whoever put it right has the session back.
    let kept = record(&world, &sessions, "eve").await;
    assert_eq!(kept.payload, anns.payload);
    write(&world, &sessions, &kept.with(|record| record.payload = eves.payload)).await;
    assert_eq!(visits(&sessions, &eve).await, 0);
}

#[tokio::test]
async fn a_row_of_another_realm_or_by_another_key_opens_nowhere() {
    let world = World::new();
    let sessions = world.sealed_records();
    let browser = Browser::login(&sessions, user("ann")).await;
    let good = record(&world, &sessions, "ann").await;
    let elsewhere = World { store: MemoryStore::new(), ..World::new() };
    let realms = on(&elsewhere, &ring()).seal_records(true).realm("other").build().unwrap();
    let _ = Browser::login(&realms, user("ann")).await;
    let theirs = KeyRing::new(Key::hs256([9; 32]).unwrap().with_kid(ring().signing_kid()).unwrap()).unwrap();
    let others = on(&elsewhere, &theirs).seal_records(true).build().unwrap();
    let _ = Browser::login(&others, user("ann")).await;
    for from in [&realms, &others] {
        // The same id, so that only the realm or the key is another one.
        let record = record(&elsewhere, from, "ann").await.with(|record| record.id = good.id);
        elsewhere.store.create(from.realm(), &record, Create::default(), world.now()).await.unwrap();
        let planted = self::record(&world, &sessions, "ann").await.with(|kept| kept.payload = record.payload);
        write(&world, &sessions, &planted).await;
        assert_eq!(refused(&sessions, &browser).await, ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn every_byte_counts() {
    let world = World::new();
    let sessions = world.sealed_records();
    let browser = Browser::login(&sessions, user("ann")).await;
    let good = record(&world, &sessions, "ann").await;
    for at in 0..good.payload.len() {
        let mut damaged = record(&world, &sessions, "ann").await;
        damaged.payload.clone_from(&good.payload);
        damaged.payload[at] ^= 1;
        write(&world, &sessions, &damaged).await;
        assert_eq!(refused(&sessions, &browser).await, ErrorKind::Invalid, "{at}");
    }
}

/// Switched on, off and on again, with old and new nodes side by side.
#[tokio::test]
async fn switching_it_on_and_off_logs_nobody_out_and_the_next_write_follows_the_setting() {
    let world = World::new();
    let (off, on) = (world.tracked(), world.sealed_records());
    let mut browser = Browser::login(&off, user("ann")).await;
    for (sessions, others, sealed) in [(&on, &off, true), (&off, &on, false), (&on, &off, true)] {
        assert_eq!(browser.who(sessions).await.as_deref(), Some("ann"));
        assert_eq!(is_sealed(&record(&world, sessions, "ann").await), !sealed, "reading writes nothing");
        world.advance(3600);
        let refreshed = sessions.refresh_session(&browser.post("/refresh")).await.unwrap();
        browser.take(&refreshed.changes);
        assert_eq!(browser.who(sessions).await.as_deref(), Some("ann"));
        assert_eq!(is_sealed(&record(&world, sessions, "ann").await), sealed);
        assert_eq!(browser.who(others).await.as_deref(), Some("ann"));
    }
}

#[tokio::test]
async fn a_write_seals_with_the_newest_key_so_that_an_old_one_can_be_retired_after_max_age() {
    let world = World::new();
    let ring = ring();
    let sessions = on(&world, &ring).seal_records(true).build().unwrap();
    let old = ring.signing_kid();
    let mut browser = Browser::login(&sessions, user("ann")).await;
    let idle = Browser::login(&sessions, user("bob")).await;
    ring.add(Key::hs256([2; 32]).unwrap().with_kid("next").unwrap()).unwrap();
    ring.promote("next").unwrap();
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    assert_eq!(kid(&record(&world, &sessions, "ann").await), old);
    world.advance(3600);
    let refreshed = sessions.refresh_session(&browser.post("/refresh")).await.unwrap();
    browser.take(&refreshed.changes);
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    assert_eq!(kid(&record(&world, &sessions, "ann").await), "next");
    ring.retire(&old).unwrap();
    assert_eq!(browser.who(&sessions).await.as_deref(), Some("ann"));
    // Its token was signed with that key, too, and is over first.
    assert_eq!(refused(&sessions, &idle).await, ErrorKind::TokenInvalid);
}

/// Where the keys that sign stay, and the one that seals goes too early.
#[cfg(feature = "asymmetric")]
#[tokio::test]
async fn a_record_whose_key_is_gone_is_no_session_and_says_why() {
    let world = World::new();
    let pair = Key::ed25519_pem(include_bytes!("../../src/token/tests/keys/ed25519.pem")).unwrap();
    let (pairs, secrets) = (KeyRing::new(pair).unwrap(), ring());
    let sessions = on(&world, &pairs).sealing_keys(secrets.clone()).seal_records(true).build().unwrap();
    let browser = Browser::login(&sessions, user("ann")).await;
    let old = secrets.signing_kid();
    secrets.add(Key::hs256([2; 32]).unwrap().with_kid("next").unwrap()).unwrap();
    secrets.promote("next").unwrap();
    secrets.retire(&old).unwrap();
    assert_eq!(refused(&sessions, &browser).await, ErrorKind::Invalid);
    let detail = world.events.lock().unwrap().last().and_then(|event| event.detail.clone()).unwrap();
    assert!(detail.contains("a key that is not in the ring"), "{detail}");
    let browser = Browser::login(&sessions, user("ann")).await;
    assert_eq!(visits(&sessions, &browser).await, 0);
}

/// An id that is taken is drawn again, and the payload is bound to the one that stays.
#[tokio::test]
async fn a_login_whose_first_id_is_taken_is_sealed_for_the_second() {
    use session_core::RandomSource;
    use std::sync::atomic::{AtomicU8, Ordering};

    /// The first two ids are alike.
    struct Ids(AtomicU8);
    impl RandomSource for Ids {
        fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()> {
            let next = if bytes.len() == 18 { self.0.fetch_add(1, Ordering::Relaxed) / 2 } else { 7 };
            bytes.fill(next);
            Ok(())
        }
    }

    let world = World::new();
    let sessions = on(&world, &ring()).seal_records(true).random(Ids(AtomicU8::new(0))).build().unwrap();
    let _ = Browser::login(&sessions, user("ann")).await;
    let browser = Browser::login(&sessions, user("ann")).await;
    assert_eq!(world.records(&sessions, "ann").await.len(), 2);
    assert_eq!(visits(&sessions, &browser).await, 0);
}

#[tokio::test]
async fn revalidation_that_asks_now_and_then_goes_on_with_sealed_records() {
    use session_core::Revalidation;
    let world = World::new();
    let sessions = on(&world, &ring())
        .seal_records(true)
        .lifetimes(Lifetimes::default())
        .revalidate_every(seconds(60), |user| async move {
            Revalidation::Replace(User { visits: user.visits + 100, ..User::clone(&user) })
        })
        .build()
        .unwrap();
    let browser = Browser::login(&sessions, user("ann")).await;
    world.advance(61);
    assert_eq!(visits(&sessions, &browser).await, 100);
    assert!(is_sealed(&record(&world, &sessions, "ann").await));
    let account = Account { realm: sessions.realm(), subject: "ann" };
    assert_eq!(world.store.list(account, world.now()).await.unwrap().len(), 1);
}

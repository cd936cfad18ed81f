//! A Redis without memory lets everybody out: to end a session makes room.

use std::collections::BTreeSet;

use session_core::store::{Create, Created, Replaces, SessionLimit, SessionRecord, SessionStore};
use session_core::{ErrorKind, SessionId};

use crate::support::{Bench, Server, Service, done, needs_redis, run};

/// A server that has the sessions of a bench and no memory for anything more.
async fn full(subjects: &[&str]) -> (Server, Bench, Vec<SessionRecord>) {
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let mut records = Vec::new();
    for subject in subjects {
        records.push(bench.stored(subject).await);
    }
    run(&mut server.admin(), &["CONFIG", "SET", "maxmemory", "1"]);
    (server, bench, records)
}

fn ids(records: &[SessionRecord]) -> BTreeSet<SessionId> {
    records.iter().map(|record| record.id).collect()
}

/// Gives the server memory, and says what is in the indexes by looking whom a login under a limit would meet.
async fn is_sound(server: &Server, bench: &Bench, left: &[SessionRecord]) {
    run(&mut server.admin(), &["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(ids(&bench.list("ann").await), ids(left));
    let new = bench.stored("ann").await;
    assert_eq!(bench.list("ann").await.len(), left.len() + 1);
    assert!(bench.store.delete(bench.key(new.id)).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_sessions_can_be_ended() {
    needs_redis!();
    let (server, bench, records) = full(&["ann", "ann", "ann"]).await;
    assert!(bench.store.delete(bench.key(records[0].id)).await.unwrap());
    assert_eq!(bench.read(records[0].id).await, None);
    assert_eq!(ids(&bench.list("ann").await), ids(&records[1..]));
    assert!(!bench.store.delete(bench.key(records[0].id)).await.unwrap());
    is_sound(&server, &bench, &records[1..]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_others_can_be_ended() {
    needs_redis!();
    let (server, bench, records) = full(&["ann", "ann", "ann"]).await;
    let keep = Some(records[1].id);
    let ended = bench.store.delete_account(bench.account("ann"), keep, crate::MARK, bench.now).await.unwrap();
    assert_eq!(BTreeSet::from_iter(ended), BTreeSet::from([records[0].id, records[2].id]));
    is_sound(&server, &bench, &records[1..2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_can_be_ended() {
    needs_redis!();
    let (server, bench, records) = full(&["ann", "ann", "bob"]).await;
    let ended = bench.store.delete_account(bench.account("ann"), None, crate::MARK, bench.now).await.unwrap();
    assert_eq!(BTreeSet::from_iter(ended), ids(&records[..2]));
    assert_eq!(bench.read(records[2].id).await.as_ref(), Some(&records[2]));
    is_sound(&server, &bench, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_can_be_ended_and_is_swept_away() {
    needs_redis!();
    let (server, bench, records) = full(&["ann", "ann", "bob", "ann"]).await;
    assert_eq!(bench.store.delete_realm(&bench.realm, crate::MARK).await.unwrap(), 4);
    assert_eq!(bench.read(records[0].id).await, None);
    let left: Vec<Vec<u8>> = redis::cmd("KEYS").arg(bench.all()).query(&mut server.admin()).unwrap();
    assert!(left.len() == 2 && left.contains(&bench.base().into_bytes()), "the epochs stay, and count on");
    is_sound(&server, &bench, &[]).await;
    assert_eq!(bench.read(records[0].id).await, None, "no login brings back what had ended");
}

/// What goes makes room for what comes; where nothing goes, nothing changes.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_ends_a_session_makes_room_for_itself() {
    needs_redis!();
    let (server, bench, records) = full(&["ann", "ann", "ann"]).await;
    let login = async |options: Create| {
        let record = bench.login("ann");
        (record.id, bench.store.create(&bench.realm, &record, options, bench.now).await)
    };
    let (_, refused) = login(Create::default()).await;
    assert!(refused.unwrap_err().is_retryable());
    assert_eq!(ids(&bench.list("ann").await), ids(&records));

    let replaces = Some(Replaces::IfPresent(records[0].id));
    let (first, replacing) = login(Create::new(replaces, None)).await;
    assert_eq!(replacing.unwrap(), done());
    let replaces = Some(Replaces::MustExist { id: records[1].id, version: records[1].version });
    let (second, rotating) = login(Create::new(replaces, None)).await;
    assert_eq!(rotating.unwrap(), done());
    let limit = Some(SessionLimit::EvictLeastRecentlySeen(3));
    let (third, evicting) = login(Create::new(None, limit)).await;
    assert!(matches!(evicting.unwrap(), Created::Done { evicted } if evicted.len() == 1));
    let listed = ids(&bench.list("ann").await);
    assert_eq!(listed.len(), 3);
    assert!(listed.contains(&third) && !listed.contains(&records[0].id) && !listed.contains(&records[1].id));
    assert!(listed.contains(&first) || listed.contains(&second));
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_ends_one_the_others_an_account_and_everybody() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let service = Service::on(&bench);
    let mut ann = Vec::new();
    for _ in 0..5 {
        ann.push(service.login("ann").await);
    }
    let (bob, carl) = (service.login("bob").await, service.login("carl").await);
    run(&mut server.admin(), &["CONFIG", "SET", "maxmemory", "1"]);
    // Last-seen is due: what an operation reads first must not stop it.
    service.clock.advance(std::time::Duration::from_secs(61));

    let _ = service.sessions.destroy_session(&ann[0]).await.unwrap();
    assert!(!service.knows(&ann[0]).await && service.knows(&ann[1]).await);

    let session = service.sessions.get_session(&ann[1]).await.unwrap().unwrap().session;
    let devices = session.list().await.unwrap();
    let other = devices.iter().find(|device| !device.current).unwrap();
    assert!(session.revoke(&other.id).await.unwrap());
    assert_eq!(session.revoke_others().await.unwrap(), 2);
    assert!(service.knows(&ann[1]).await);

    assert_eq!(service.sessions.revoke_account("ann").await.unwrap(), 1);
    assert!(!service.knows(&ann[1]).await && service.knows(&bob).await);

    assert_eq!(service.sessions.revoke_everyone().await.unwrap(), 2);
    assert!(!service.knows(&bob).await && !service.knows(&carl).await);
    let login = service.sessions.create_session(crate::support::User::named("ann"), &bob).await;
    assert_eq!(
        login.err().map(|error| error.kind()),
        Some(ErrorKind::StoreUnavailable),
        "a login needs room"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_may_not_be_written_stops_no_end() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    run(&mut server.admin(), &["ACL", "SETUSER", "poor", "on", ">pw", "~session:*", "&*", "+@all", "-hset"]);
    let url = format!("redis://poor:pw@127.0.0.1:{}", server.port);
    let poor =
        Bench { store: session_store_redis::RedisStore::connect(&url).await.unwrap(), ..bench.clone() };
    let records = [
        bench.stored("ann").await,
        bench.stored("ann").await,
        bench.stored("ann").await,
        bench.stored("ann").await,
    ];
    assert!(poor.store.delete(bench.key(records[0].id)).await.unwrap());
    let ended = poor
        .store
        .delete_account(bench.account("ann"), Some(records[1].id), crate::MARK, bench.now)
        .await
        .unwrap();
    assert_eq!(ended.len(), 2);
    assert_eq!(ids(&bench.list("ann").await), ids(&records[1..2]), "ids that lead nowhere do no harm");
    is_sound(&server, &bench, &records[1..2]).await;
}

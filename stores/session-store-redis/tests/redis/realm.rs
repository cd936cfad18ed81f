//! Ending everybody: at once, whatever their number, and nobody slips through.

use session_core::store::{Create, Created, Replaced, Replaces, SessionLimit, SessionStore};

use crate::support::{Bench, Server, done, needs_redis, next, random_id, replacing};

/// Ends the realm as another process would, without sweeping.
fn end_epoch(server: &Server, bench: &Bench) {
    redis::cmd("SET")
        .arg(bench.base())
        .arg(b"\xff\xff\xff\xff")
        .arg("KEEPTTL")
        .exec(&mut server.admin())
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_an_earlier_epoch_are_absent_before_they_are_removed() {
    needs_redis!();
    let server = Server::shared();
    let bench = Bench::new(server.store().await);
    let (one, two) = (bench.stored("ann").await, bench.stored("ann").await);
    end_epoch(server, &bench);
    assert_eq!(bench.read(one.id).await, None);
    let touch =
        session_core::store::Touch::new(std::time::Duration::ZERO, None, 0, std::time::Duration::ZERO);
    assert_eq!(bench.store.read_and_touch(bench.key(one.id), touch, bench.now).await.unwrap(), None);
    assert_eq!(bench.store.replace(&bench.realm, &next(&one), bench.now).await.unwrap(), Replaced::Gone);
    assert_eq!(bench.list("ann").await, []);
    let rotation = replacing(Replaces::MustExist { id: one.id, version: one.version });
    assert_eq!(bench.create(&bench.login("ann"), rotation).await, Created::PredecessorGone);
    // They do not count, and their ids are free.
    let refuse = Create::new(None, Some(SessionLimit::Refuse(1)));
    assert_eq!(bench.create(&one, refuse).await, done());
    assert_eq!(bench.list("ann").await, std::slice::from_ref(&one));
    assert!(!bench.store.delete(bench.key(two.id)).await.unwrap());
    assert_eq!(
        bench.store.delete_account(bench.account("ann"), None, crate::MARK, bench.now).await.unwrap(),
        [one.id]
    );
    assert_eq!(bench.store.delete_realm(&bench.realm, crate::MARK).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_ended_and_counted() {
    needs_redis!();
    let server = Server::shared();
    let bench = Bench::new(server.store().await);
    for place in 0..3_000 {
        bench.stored(&format!("user-{}", place % 1_000)).await;
    }
    assert_eq!(bench.store.delete_realm(&bench.realm, crate::MARK).await.unwrap(), 3_000);
    let left: Vec<Vec<u8>> = redis::cmd("KEYS").arg(bench.all()).query(&mut server.admin()).unwrap();
    assert!(left.len() <= 256, "records and indexes are removed, the epochs stay");
    assert_eq!(bench.store.delete_realm(&bench.realm, crate::MARK).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_racing_with_the_end_of_the_realm_is_ended() {
    needs_redis!();
    let bench = Bench::new(Server::shared().store().await);
    for _ in 0..50 {
        let mut old = bench.stored("ann").await;
        let rotator = bench.clone();
        let rotating = tokio::spawn(async move {
            // Hops from id to id, to be where a scan has been already.
            for _ in 0..50 {
                let new = rotator.login("ann");
                let options = replacing(Replaces::MustExist { id: old.id, version: old.version });
                match rotator.create(&new, options).await {
                    Created::Done { .. } => old = new,
                    _ => return,
                }
            }
        });
        bench.store.delete_realm(&bench.realm, crate::MARK).await.unwrap();
        rotating.await.unwrap();
        assert_eq!(bench.list("ann").await, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_racing_with_the_end_of_the_realm_is_ended_or_newer() {
    needs_redis!();
    let bench = Bench::new(Server::shared().store().await);
    let before = bench.stored("ann").await;
    let logins: Vec<_> = (0..50)
        .map(|_| {
            let bench = bench.clone();
            tokio::spawn(async move { bench.stored("ann").await.id })
        })
        .collect();
    let ended = bench.store.delete_realm(&bench.realm, crate::MARK).await.unwrap();
    let mut ids = Vec::new();
    for login in logins {
        ids.push(login.await.unwrap());
    }
    let left = bench.list("ann").await;
    assert_eq!(ended as usize + left.len(), 51);
    assert!(left.iter().all(|record| ids.contains(&record.id) && record.id != before.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_realms_cannot_reach_into_others() {
    needs_redis!();
    let store = Server::shared().store().await;
    let tag = random_id().to_text();
    let realms =
        [tag.clone(), format!("{tag}}}."), format!("{{{tag}}}"), format!("{tag}*"), format!("{tag} é")];
    let benches = realms.map(|realm| Bench { realm, ..Bench::new(store.clone()) });
    let mut records = Vec::new();
    for bench in &benches {
        records.push(bench.stored("ann").await);
    }
    assert_eq!(store.delete_realm(&benches[3].realm, crate::MARK).await.unwrap(), 1, "the one with the star");
    for (place, bench) in benches.iter().enumerate() {
        let expected = if place == 3 { None } else { Some(records[place].clone()) };
        assert_eq!(bench.read(records[place].id).await, expected, "{}", bench.realm);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prefixes_are_apart() {
    needs_redis!();
    let bench = Bench::new(Server::shared().store().await);
    let other = Bench { store: bench.store.clone().key_prefix("shop[1]*").unwrap(), ..bench.clone() };
    let (here, there) = (bench.stored("ann").await, other.stored("ann").await);
    assert_eq!(other.read(here.id).await, None);
    assert_eq!(other.store.delete_realm(&other.realm, crate::MARK).await.unwrap(), 1);
    assert_eq!((bench.read(here.id).await, other.read(there.id).await), (Some(here), None));
}

//! A Redis that evicts an index: whoever is used is listed again, and nobody is left out of their own list.

use std::time::Duration;

use session_core::store::{Create, Created, SessionLimit, SessionStore};

use crate::support::{Bench, Server, Service, ask, evicting, needs_redis, run};

/// Removes the accounts' indexes, as a policy of eviction does: whole keys.
fn evict_indexes(server: &Server, bench: &Bench) {
    let mut admin = server.admin();
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg(format!("{}#*", bench.base())).query(&mut admin).unwrap();
    assert!(!keys.is_empty());
    redis::cmd("DEL").arg(keys).exec(&mut admin).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_used_takes_its_place_in_the_index_again() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let (one, two) = (bench.stored("ann").await, bench.stored("ann").await);
    evict_indexes(&server, &bench);
    assert_eq!(bench.list("ann").await, []);
    let one = bench.touch(one.id).await.unwrap();
    assert_eq!(bench.list("ann").await, std::slice::from_ref(&one));
    // An index that others have made since, which lacks this one.
    let new = bench.stored("ann").await;
    let two = bench.touch(two.id).await.unwrap();
    let mut listed = bench.list("ann").await;
    let mut expected = vec![one, two, new];
    listed.sort_by_key(|record| record.id);
    expected.sort_by_key(|record| record.id);
    assert_eq!(listed, expected, "each once");
    let later = Bench { now: bench.at(60), ..bench.clone() };
    for record in &expected {
        later.touch(record.id).await.unwrap();
    }
    assert_eq!(bench.list("ann").await.len(), 3, "whoever is listed is not listed again");
    let ended = bench.store.delete_account(bench.account("ann"), None, crate::MARK, bench.now).await.unwrap();
    assert_eq!(ended.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repaired_index_lives_as_long_as_its_sessions_and_counts() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let record = bench.stored("ann").await;
    evict_indexes(&server, &bench);
    bench.touch(record.id).await.unwrap();
    let mut admin = server.admin();
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg(bench.all()).query(&mut admin).unwrap();
    assert_eq!(keys.len(), 3, "session, index, epoch");
    for key in keys {
        let left: i64 = redis::cmd("PTTL").arg(&key).query(&mut admin).unwrap();
        assert!(left > 3_000_000, "{left} ms");
    }
    let refuse = Create::new(None, Some(SessionLimit::Refuse(1)));
    assert_eq!(bench.create(&bench.login("ann"), refuse).await, Created::LimitReached);
    assert_eq!(
        bench.create(&bench.login("ann"), evicting(1)).await,
        Created::Done { evicted: vec![record.id] }
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_that_asks_is_listed_and_can_be_revoked() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let service = Service::on(&bench);
    let (browser, other) = (service.login("ann").await, service.login("ann").await);
    evict_indexes(&server, &bench);
    // Nothing is due, so nothing is repaired yet.
    let session = service.sessions.get_session(&browser).await.unwrap().unwrap().session;
    let devices = session.list().await.unwrap();
    assert!(devices.len() == 1 && devices[0].current);
    assert_eq!(session.revoke_others().await.unwrap(), 0);
    assert!(service.knows(&browser).await);
    assert!(session.revoke(&devices[0].id).await.unwrap());
    assert!(!service.knows(&browser).await);
    // The other one is in reach from its next use on.
    service.clock.advance(Duration::from_secs(61));
    assert!(service.knows(&other).await);
    assert_eq!(service.sessions.revoke_account("ann").await.unwrap(), 1);
    assert!(!service.knows(&other).await);
}

/// Real evictions, until the keys that were used least are gone: the index must not be among them.
#[tokio::test(flavor = "multi_thread")]
async fn the_index_of_sessions_in_use_is_evicted_after_those_that_are_not() {
    needs_redis!();
    let server = Server::start(&["--maxmemory-samples", "64"]);
    let bench = Bench::new(server.store().await);
    let used = bench.stored("ann").await;
    let mut admin = server.admin();
    run(&mut admin, &["CONFIG", "SET", "maxmemory-policy", "volatile-lfu"]);
    for minute in 0..60 {
        let later = Bench { now: bench.at(60 * minute), ..bench.clone() };
        later.touch(used.id).await.unwrap();
    }
    for place in 0..500 {
        redis::cmd("SET")
            .arg(format!("other-{place}"))
            .arg(&[0_u8; 2_000])
            .arg("EX")
            .arg(900)
            .exec(&mut admin)
            .unwrap();
    }
    let info: String = ask(&mut admin, &["INFO", "memory"]);
    let memory = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().trim().to_owned();
    let less = memory.parse::<u64>().unwrap() - 600_000;
    run(&mut admin, &["CONFIG", "SET", "maxmemory", &less.to_string()]);
    run(&mut admin, &["SET", "one", "more"]);
    let stats: String = ask(&mut admin, &["INFO", "stats"]);
    let evicted = stats.lines().find_map(|line| line.strip_prefix("evicted_keys:")).unwrap();
    assert_ne!(evicted.trim(), "0");
    assert_eq!(bench.list("ann").await.len(), 1, "{evicted} others were evicted");
}

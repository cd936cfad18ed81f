//! What each operation costs in commands, and what holds when many arrive at once.

use std::collections::BTreeMap;

use session_core::store::{
    Adoption, Bar, Create, Created, Replaced, Replaces, SessionLimit, SessionRecord, SessionStore,
};

use crate::support::{Bench, Server, TOUCH, ask, done, evicting, needs_redis, next, run};

/// The commands that came from a client since the counters were reset; what scripts call is not among them.
fn sent(server: &Server) -> BTreeMap<String, u64> {
    let stats: String = ask(&mut server.admin(), &["INFO", "commandstats"]);
    let calls = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), rest.split_once(',')?.0.parse().ok()?))
    };
    let ours = ["eval", "evalsha", "mget", "scan", "script|load"];
    stats.lines().filter_map(calls).filter(|(name, _)| ours.contains(&name.as_str())).collect()
}

fn only(name: &str, calls: u64) -> BTreeMap<String, u64> {
    BTreeMap::from([(name.to_owned(), calls)])
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_one_command() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let reset = || run(&mut server.admin(), &["CONFIG", "RESETSTAT"]);
    let at_limit = Create::new(None, Some(SessionLimit::EvictLeastRecentlySeen(2)));
    // The first call of each script gives it to the server.
    let warm = bench.stored("ann").await;
    bench.store.read_and_touch(bench.key(warm.id), TOUCH, bench.at(60)).await.unwrap();
    bench.store.replace(&bench.realm, &next(&warm), bench.now).await.unwrap();
    bench.list("ann").await;
    bench.store.delete_account(bench.account("ann"), None, crate::MARK, bench.now).await.unwrap();
    bench.store.delete(bench.key(warm.id)).await.unwrap();
    let (adoption, bar) = (Adoption::new(bench.at(9)), Bar { at: bench.now, until: bench.at(60) });
    bench.store.adopt(&bench.realm, &bench.login("bob"), adoption, bench.now).await.unwrap();
    bench.store.bar(&bench.realm, Some("bob"), bar, bench.now).await.unwrap();

    reset();
    bench.store.adopt(&bench.realm, &bench.login("bob"), adoption, bench.now).await.unwrap();
    bench.store.bar(&bench.realm, Some("bob"), bar, bench.now).await.unwrap();
    assert_eq!(sent(&server), only("evalsha", 2), "adoption, bar");

    reset();
    bench.store.bar(&bench.realm, None, bar, bench.now).await.unwrap();
    assert_eq!(sent(&server), only("evalsha", 256), "a bar of everybody");

    reset();
    bench.stored("ann").await;
    bench.stored("ann").await;
    let (old, new) = (bench.login("ann"), bench.login("ann"));
    let Created::Done { evicted } = bench.create(&old, at_limit).await else { panic!("the login failed") };
    assert_eq!(evicted.len(), 1);
    let replaces = Some(Replaces::IfPresent(old.id));
    assert_eq!(bench.create(&new, Create::new(replaces, at_limit.limit)).await, done());
    assert_eq!(sent(&server), only("evalsha", 4), "login");

    reset();
    bench.read(new.id).await.unwrap();
    bench.store.read_and_touch(bench.key(new.id), TOUCH, bench.at(59)).await.unwrap().unwrap();
    assert_eq!(sent(&server), only("mget", 2), "plain reads, nothing due");

    reset();
    let seen = bench.store.read_and_touch(bench.key(new.id), TOUCH, bench.at(60)).await.unwrap().unwrap();
    assert_eq!((seen.last_seen, seen.version), (bench.at(60), new.version + 1));
    assert_eq!(sent(&server), only("evalsha", 1), "a read that slides");

    reset();
    let elsewhere = Bench { store: server.store().await, ..bench.clone() };
    elsewhere.store.read_and_touch(bench.key(new.id), TOUCH, bench.at(70)).await.unwrap().unwrap();
    elsewhere.store.read_and_touch(bench.key(new.id), TOUCH, bench.at(71)).await.unwrap().unwrap();
    assert_eq!(sent(&server), BTreeMap::from([("evalsha".into(), 1), ("mget".into(), 1)]), "a new process");

    reset();
    assert_eq!(bench.store.replace(&bench.realm, &next(&seen), bench.now).await.unwrap(), Replaced::Done);
    assert_eq!(bench.list("ann").await.len(), 2);
    assert_eq!(
        bench
            .store
            .delete_account(bench.account("ann"), Some(new.id), crate::MARK, bench.now)
            .await
            .unwrap()
            .len(),
        1
    );
    assert!(bench.store.delete(bench.key(new.id)).await.unwrap());
    assert_eq!(sent(&server), only("evalsha", 4), "change, list, revoke, logout");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flushed_script_cache_is_noticed_by_nobody() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let flush = || run(&mut server.admin(), &["SCRIPT", "FLUSH"]);
    for _ in 0..3 {
        let record = bench.stored("ann").await;
        flush();
        let touched = bench.store.read_and_touch(bench.key(record.id), TOUCH, bench.at(60)).await.unwrap();
        let touched = touched.unwrap();
        flush();
        assert_eq!(
            bench.store.replace(&bench.realm, &next(&touched), bench.now).await.unwrap(),
            Replaced::Done
        );
        flush();
        assert_eq!(bench.list("ann").await.len(), 1);
        flush();
        assert!(bench.store.delete(bench.key(record.id)).await.unwrap());
        flush();
        assert_eq!(
            bench.store.delete_account(bench.account("ann"), None, crate::MARK, bench.now).await.unwrap(),
            []
        );
        flush();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_increments_all_count() {
    needs_redis!();
    let bench = Bench::new(Server::shared().store().await);
    let start = bench.login("ann").with(|record| record.payload = b"0".to_vec());
    assert_eq!(bench.create(&start, Create::default()).await, done());
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (bench, id) = (bench.clone(), start.id);
            tokio::spawn(async move {
                loop {
                    let record = bench.read(id).await.unwrap();
                    let count: u32 = std::str::from_utf8(&record.payload).unwrap().parse().unwrap();
                    let payload = (count + 1).to_string().into_bytes();
                    let newer = next(&record).with(|record| record.payload = payload);
                    match bench.store.replace(&bench.realm, &newer, bench.now).await.unwrap() {
                        Replaced::Done => return,
                        Replaced::Conflict => {}
                        Replaced::Gone => panic!("nobody deletes it"),
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let counted = bench.read(start.id).await.unwrap();
    assert_eq!((counted.payload.as_slice(), counted.version), (&b"64"[..], 64));
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_logins_of_one_account_keep_the_limit() {
    needs_redis!();
    let bench = Bench::new(Server::shared().store().await);
    for limit in [SessionLimit::EvictLeastRecentlySeen(5), SessionLimit::Refuse(5)] {
        let logins: Vec<_> = (0..50)
            .map(|_| {
                let bench = bench.clone();
                let options = Create::new(None, Some(limit));
                tokio::spawn(async move { bench.create(&bench.login("ann"), options).await })
            })
            .collect();
        for login in logins {
            login.await.unwrap();
        }
        assert_eq!(bench.list("ann").await.len(), 5, "{limit:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_beyond_what_a_script_can_count_are_kept_apart() {
    needs_redis!();
    let bench = Bench::new(Server::shared().store().await);
    for version in [u64::from(u32::MAX), 1 << 53, (1 << 53) + 1, SessionRecord::LAST - 1] {
        let record = bench.login("ann").with(|record| record.version = version);
        assert_eq!(bench.create(&record, Create::default()).await, done());
        let touched = bench.store.read_and_touch(bench.key(record.id), TOUCH, bench.at(60)).await.unwrap();
        assert_eq!(touched.unwrap().version, version + 1);
        assert_eq!(bench.read(record.id).await.unwrap().version, version + 1);
        let stale = record.clone().with(|record| record.version = version + 1);
        assert_eq!(bench.store.replace(&bench.realm, &stale, bench.now).await.unwrap(), Replaced::Conflict);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_cannot_move_to_another_account() {
    needs_redis!();
    let bench = Bench::new(Server::shared().store().await);
    let record = bench.stored("ann").await;
    for subject in [Some("bob".to_owned()), None] {
        let moved = next(&record).with(|record| record.subject = subject);
        let error = bench.store.replace(&bench.realm, &moved, bench.now).await.unwrap_err();
        assert!(!error.is_retryable(), "{error}");
    }
    assert_eq!(bench.list("ann").await, [record]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_is_ours_and_not_the_servers() {
    needs_redis!();
    // Long ago, and far in the future.
    for now in [1_000_000_000, 200_000_000_000] {
        let bench = Bench {
            now: session_core::Timestamp::from_unix_seconds(now),
            ..Bench::new(Server::shared().store().await)
        };
        let record = bench.stored("ann").await;
        assert_eq!(bench.read(record.id).await, Some(record.clone()));
        assert!(
            matches!(bench.create(&bench.login("ann"), evicting(1)).await, Created::Done { evicted } if evicted == [record.id])
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_touch_moves_last_seen_and_the_end() {
    needs_redis!();
    let bench = Bench::new(Server::shared().store().await);
    let record = bench.login("ann").with(|record| record.ends_at = bench.at(3_600));
    assert_eq!(bench.create(&record, Create::default()).await, done());
    let expected = next(&record).with(|record| {
        record.last_seen = bench.at(60);
        record.ends_at = bench.at(3_660);
    });
    let touched = bench.store.read_and_touch(bench.key(record.id), TOUCH, bench.at(60)).await.unwrap();
    assert_eq!(touched, Some(expected.clone()));
    assert_eq!(bench.store.list(bench.account("ann"), bench.at(3_659)).await.unwrap(), [expected]);
    assert_eq!(bench.store.read(bench.key(record.id), bench.at(3_660)).await.unwrap(), None);
    assert_eq!(bench.store.delete_expired(bench.at(99_999), 10).await.unwrap(), 0, "Redis does that");
}

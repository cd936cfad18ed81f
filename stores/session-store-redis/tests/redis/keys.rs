//! What is in Redis: nothing without an end, nothing that grows with the dead, little room.

use session_core::store::{Create, SessionStore};

use crate::support::{Bench, Server, ask, done, evicting, needs_redis, next, run};

fn keys_of(server: &Server, pattern: &str) -> Vec<Vec<u8>> {
    redis::cmd("KEYS").arg(pattern).query(&mut server.admin()).unwrap()
}

/// The accounts' indexes. By type: the bytes of an id can be any, those of a pattern included.
fn indexes_of(server: &Server) -> Vec<Vec<u8>> {
    let mut admin = server.admin();
    let mut keys = keys_of(server, "*");
    keys.retain(|key| redis::cmd("TYPE").arg(key).query::<String>(&mut admin).unwrap() == "hash");
    keys
}

fn milliseconds_left(server: &Server, key: &[u8]) -> i64 {
    redis::cmd("PTTL").arg(key).query(&mut server.admin()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_without_an_end_and_none_ends_before_its_sessions() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let short = bench.login("ann").with(|record| record.ends_at = bench.at(10));
    bench.create(&short, Create::default()).await;
    for key in keys_of(&server, "*") {
        assert!((1..=70_000).contains(&milliseconds_left(&server, &key)), "{key:?}");
    }
    let long = next(&short).with(|record| record.ends_at = bench.at(500));
    bench.store.replace(&bench.realm, &long, bench.now).await.unwrap();
    for _ in 0..3 {
        bench.create(&bench.login("ann").with(|record| record.ends_at = bench.at(20)), evicting(3)).await;
    }
    bench.create(&bench.login("").with(|record| record.subject = None), Create::default()).await;
    let keys = keys_of(&server, "*");
    let longest = |keys: &[Vec<u8>]| keys.iter().map(|key| milliseconds_left(&server, key)).max().unwrap();
    assert_eq!(keys.len(), 3 + 1 + 2, "sessions, a guest, the bucket, the epoch");
    assert!(keys.iter().all(|key| milliseconds_left(&server, key) > 0));
    assert!(longest(&keys) <= 86_460_000);
    bench.store.delete_account(bench.account("ann"), None, crate::MARK, bench.now).await.unwrap();
    let left = keys_of(&server, "*");
    assert_eq!(left.len(), 3, "the guest, the epoch and the mark: an empty index is gone");
    assert!(left.iter().all(|key| milliseconds_left(&server, key) > 0));
    assert!(longest(&left) <= 86_460_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_moves_takes_the_index_along() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let short = bench.login("ann").with(|record| record.ends_at = bench.at(10));
    bench.create(&short, Create::default()).await;
    let touch = session_core::store::Touch::new(
        std::time::Duration::ZERO,
        Some(std::time::Duration::from_secs(1_000)),
        0,
        std::time::Duration::ZERO,
    );
    bench.store.read_and_touch(bench.key(short.id), touch, bench.now).await.unwrap().unwrap();
    for key in keys_of(&server, "*") {
        assert!((1_050_000..=1_060_000).contains(&milliseconds_left(&server, &key)), "{key:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_does_not_grow_with_sessions_that_redis_expired() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let (first, kept) = (bench.stored("ann").await, bench.stored("ann").await);
    for place in 0..200 {
        let subject = if place % 2 == 0 { "ann" } else { "bob" };
        let record = bench.stored(subject).await;
        // As if its time had come.
        redis::cmd("DEL").arg(bench.session_key(record.id)).exec(&mut server.admin()).unwrap();
    }
    let last = bench.stored("ann").await;
    let mut listed = 0;
    for key in indexes_of(&server) {
        let indexes: Vec<(String, Vec<u8>)> =
            redis::cmd("HGETALL").arg(key).query(&mut server.admin()).unwrap();
        listed += indexes.iter().map(|(_, ids)| ids.len() / 16).sum::<usize>();
    }
    assert!(listed <= 12, "{listed} ids are listed and 3 sessions live");
    assert_eq!(bench.list("ann").await.len(), 3);
    let mut ended =
        bench.store.delete_account(bench.account("ann"), None, crate::MARK, bench.now).await.unwrap();
    let mut all = vec![first.id, kept.id, last.id];
    ended.sort();
    all.sort();
    assert_eq!(ended, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_never_come_back_are_cleared_away_by_others() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let living = bench.stored("ann").await;
    let key = indexes_of(&server).remove(0);
    let mut admin = server.admin();
    for stranger in 0..100 {
        redis::cmd("HSET")
            .arg(&key)
            .arg(format!("stranger-{stranger}"))
            .arg(&[7_u8; 16])
            .exec(&mut admin)
            .unwrap();
    }
    for _ in 0..400 {
        bench.create(&bench.login("ann"), evicting(2)).await;
    }
    let left: usize = redis::cmd("HLEN").arg(&key).query(&mut admin).unwrap();
    assert!(left < 10, "{left} accounts of 101 are left");
    assert_eq!(bench.read(living.id).await, None, "evicted meanwhile");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_per_session() {
    needs_redis!();
    let server = Server::start(&["--save", ""]);
    let bench = Bench { realm: "app".into(), ..Bench::new(server.store().await) };
    let used = || -> usize {
        let info: String = ask(&mut server.admin(), &["INFO", "memory"]);
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
        line.trim().parse().unwrap()
    };
    // As many as fill the hash table of the server well, as a million does.
    const SESSIONS: usize = 110_000;
    for (what, per_account, most) in
        [("one session an account", 1, 290), ("four sessions an account", 4, 280)]
    {
        run(&mut server.admin(), &["FLUSHALL"]);
        let before = used();
        let tasks: Vec<_> = (0..32)
            .map(|task| {
                let bench = bench.clone();
                tokio::spawn(async move {
                    for place in (task..SESSIONS).step_by(32) {
                        let subject = format!("u{:07}", place / per_account);
                        let record = bench.login(&subject).with(|record| {
                            record.payload = format!(r#"{{"userId":"{subject}","role":"member"}}"#).into()
                        });
                        assert_eq!(bench.create(&record, Create::default()).await, done());
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let each = (used() - before) / SESSIONS;
        println!("{what}: {each} bytes");
        assert!(each <= most, "{what}: {each} bytes");
    }
}

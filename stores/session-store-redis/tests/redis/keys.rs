//! What is in Redis: nothing without an end, nothing that grows with the dead, little room.

use std::collections::BTreeMap;

use session_core::SessionId;
use session_core::store::{Adopted, Adoption, Bar, Create, SessionStore};

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
        assert!((1..=140_000).contains(&milliseconds_left(&server, &key)), "{key:?}");
    }
    let long = next(&short).with(|record| record.ends_at = bench.at(500));
    bench.store.replace(&bench.realm, &long, bench.now).await.unwrap();
    for _ in 0..3 {
        bench.create(&bench.login("ann").with(|record| record.ends_at = bench.at(20)), evicting(3)).await;
    }
    bench.create(&bench.login("ann").with(|record| record.subject = None), Create::default()).await;
    let keys = keys_of(&server, "*");
    let longest = |keys: &[Vec<u8>]| keys.iter().map(|key| milliseconds_left(&server, key)).max().unwrap();
    assert_eq!(keys.len(), 3 + 1 + 2, "sessions, a guest, the bucket, the epoch");
    assert!(keys.iter().all(|key| milliseconds_left(&server, key) > 0));
    assert!(longest(&keys) <= 2 * 86_460_000);
    bench.store.delete_account(bench.account("ann"), None, crate::MARK, bench.now).await.unwrap();
    let left = keys_of(&server, "*");
    assert_eq!(left.len(), 3, "the guest, the epoch and the mark: an empty index is gone");
    assert!(left.iter().all(|key| milliseconds_left(&server, key) > 0));
    assert!(longest(&left) <= 2 * 86_460_000);
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
        assert!((1_050_000..=2_120_000).contains(&milliseconds_left(&server, &key)), "{key:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_does_not_grow_with_sessions_that_redis_expired() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let (first, kept) = (bench.stored("ann").await, bench.stored("ann").await);
    for place in 0..200_u8 {
        let subject = if place % 2 == 0 { "ann" } else { "bob" };
        let login = bench.login(subject);
        // One in eight of each tidies, by this byte: left to chance, long rows of others would come up.
        let mut id = *login.id.as_bytes();
        id[SessionId::LEN - 1] = place / 2;
        let record = login.with(|login| login.id = SessionId::from_bytes(id));
        assert_eq!(bench.create(&record, Create::default()).await, done());
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
    assert!(listed <= 30, "{listed} ids are listed and 3 sessions live");
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

/// What scripts have run since the last look, by command.
fn inner_commands(server: &Server) -> BTreeMap<String, u64> {
    let stats: String = ask(&mut server.admin(), &["INFO", "commandstats"]);
    run(&mut server.admin(), &["CONFIG", "RESETSTAT"]);
    let of = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let calls = rest.split(',').next()?.parse().ok()?;
        (!["eval", "evalsha", "info", "dbsize"].contains(&name) && !name.contains('|'))
            .then(|| (name.to_owned(), calls))
    };
    stats.lines().filter_map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_usual_login_is_five_commands_and_six_behind_an_attempt() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    // The first of an account, and the one of eight that tidies, do more.
    bench.stored("ann").await;
    let usual = || loop {
        let login = bench.login("ann");
        if login.id.as_bytes().last().is_some_and(|byte| byte % 8 != 0) {
            return login;
        }
    };
    inner_commands(&server);
    bench.create(&usual(), evicting(100)).await;
    let plain = inner_commands(&server);
    let fence = bench.store.fence(bench.account("ann"), crate::MARK, bench.now).await.unwrap();
    inner_commands(&server);
    bench.create(&usual(), evicting(100).behind(Some(fence))).await;
    let behind = inner_commands(&server);
    println!("{plain:?}, behind an attempt {behind:?}");
    assert_eq!((plain.values().sum::<u64>(), behind.values().sum::<u64>()), (5, 6));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_usual_adoption_is_nine_commands_and_a_bar_seven() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    bench.stored("ann").await;
    let usual = || loop {
        let login = bench.login("ann");
        if login.id.as_bytes().last().is_some_and(|byte| byte % 8 != 0) {
            return login;
        }
    };
    inner_commands(&server);
    let adoption = Adoption::new(bench.now).once_until(Some(bench.at(3_600)));
    let adopted = bench.store.adopt(&bench.realm, &usual(), adoption, bench.now).await.unwrap();
    assert_eq!(adopted, Adopted::Done { evicted: Vec::new() });
    let adopting = inner_commands(&server);
    let bar = Bar { at: bench.now, until: bench.at(3_600) };
    bench.store.bar(&bench.realm, Some("ann"), bar, bench.now).await.unwrap();
    let barring = inner_commands(&server);
    println!("{adopting:?}, a bar {barring:?}");
    assert_eq!((adopting.values().sum::<u64>(), barring.values().sum::<u64>()), (9, 7));
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
    // Of which 37 are the payload. As many as fill the hash table of the server well, as a million does.
    const SESSIONS: usize = 110_000;
    for (what, per_account, most) in
        [("one session an account", 1, 263), ("four sessions an account", 4, 248)]
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

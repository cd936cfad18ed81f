//! Marks and bars in Redis: what they cost, how long they are kept, and what ends none of them.

use std::collections::BTreeSet;

use session_core::SessionId;
use session_core::store::{
    Adopted, Adoption, Bar, Create, SessionLimit, SessionRecord, SessionStore as _, StoreError,
};

use crate::support::{Bench, Server, ask, done, needs_redis, neighbours, run};

/// So long marks and bars are kept here.
const KEPT: u64 = 10_000;

impl Bench {
    fn adoption(&self) -> Adoption {
        Adoption::new(self.now).once_until(Some(self.at(KEPT)))
    }

    async fn try_to_adopt(&self, record: &SessionRecord, adoption: Adoption) -> Result<Adopted, StoreError> {
        assert!(self.store.can_adopt());
        self.store.adopt(&self.realm, record, adoption, self.now).await
    }

    async fn adopt(&self, record: &SessionRecord) -> Adopted {
        self.try_to_adopt(record, self.adoption()).await.unwrap()
    }

    async fn bar(&self, subject: Option<&str>, until: u64) {
        let bar = Bar { at: self.now, until: self.at(until) };
        self.store.bar(&self.realm, subject, bar, self.now).await.unwrap();
    }

    fn later(&self, seconds: u64) -> Self {
        Self { now: self.at(seconds), ..self.clone() }
    }

    fn mark(&self, id: SessionId) -> Vec<u8> {
        [self.base().as_bytes(), b"~", &id.as_bytes()[1..]].concat()
    }

    fn bars(&self) -> Vec<u8> {
        format!("{}^", self.base()).into_bytes()
    }
}

fn adopted() -> Adopted {
    Adopted::Done { evicted: Vec::new() }
}

fn milliseconds_left(server: &Server, key: &[u8]) -> i64 {
    redis::cmd("PTTL").arg(key).query(&mut server.admin()).unwrap()
}

fn keys_of(server: &Server, bench: &Bench) -> BTreeSet<Vec<u8>> {
    redis::cmd("KEYS").arg(bench.all()).query(&mut server.admin()).unwrap()
}

/// In milliseconds, from a little less than asked for to what there is to spare.
fn is_kept(server: &Server, key: &[u8]) -> bool {
    let kept = 1_000 * KEPT as i64;
    (kept + 1..=kept + 60_000).contains(&milliseconds_left(server, key))
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_and_bars_live_until_a_minute_after_their_time() {
    needs_redis!();
    let server = Server::shared();
    let bench = Bench::new(server.store().await);
    let record = bench.login("ann");
    assert_eq!(bench.adopt(&record).await, adopted());
    bench.bar(Some("ann"), KEPT).await;
    bench.bar(Some("ann"), 10).await;
    assert!(is_kept(server, &bench.mark(record.id)) && is_kept(server, &bench.bars()));
    // Whatever the server takes for the time.
    for now in [1_000_000_000, 200_000_000_000] {
        let then = Bench { now: session_core::Timestamp::from_unix_seconds(now), ..bench.clone() };
        let record = then.login("bob");
        let bar = Bar { at: then.at(1), until: then.at(KEPT) };
        assert_eq!(then.adopt(&record).await, adopted());
        then.store.delete(then.key(record.id)).await.unwrap();
        assert_eq!(then.adopt(&record).await, Adopted::Barred);
        then.store.bar(&then.realm, Some("bob"), bar, then.now).await.unwrap();
        assert_eq!(then.adopt(&then.login("bob")).await, Adopted::Barred);
        assert_eq!(then.later(KEPT).adopt(&then.login("bob")).await, adopted());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_everybody_and_its_sweep_leave_every_mark_and_bar() {
    needs_redis!();
    let server = Server::shared();
    let bench = Bench::new(server.store().await);
    bench.bar(None, KEPT).await;
    let bars = keys_of(server, &bench);
    assert!(bars.len() == 256 && bars.iter().all(|key| key.ends_with(b"^")), "one at each shard");
    let after = bench.later(1);
    let mut left = bars;
    for number in 0..300 {
        let record = after.login(if number % 2 == 0 { "ann" } else { "bob" });
        assert_eq!(after.adopt(&record).await, adopted());
        left.extend([after.mark(record.id)].into_iter().filter(|_| number % 2 == 0));
    }
    assert_eq!(after.store.delete_realm(&after.realm, crate::MARK).await.unwrap(), 300);
    assert!(keys_of(server, &bench).is_superset(&left));
    for subject in ["ann", "bob"] {
        assert_eq!(bench.adopt(&bench.login(subject)).await, Adopted::Barred);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bars_that_are_over_are_forgotten_as_others_come() {
    needs_redis!();
    let server = Server::shared();
    let bench = Bench::new(server.store().await);
    for subject in neighbours().take(4) {
        bench.bar(Some(&subject), 10).await;
    }
    let kept = || -> u64 { redis::cmd("HLEN").arg(bench.bars()).query(&mut server.admin()).unwrap() };
    bench.later(69).bar(Some("ann"), KEPT).await;
    assert_eq!(kept(), 5, "clocks may differ by a minute");
    for _ in 0..20 {
        bench.later(70).bar(Some("ann"), KEPT).await;
    }
    assert_eq!(kept(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bar_of_nobody_is_none_of_everybody() {
    needs_redis!();
    let bench = Bench::new(Server::shared().store().await);
    let bar = Bar { at: bench.now, until: bench.at(KEPT) };
    for nobody in [String::new(), "a".repeat(256)] {
        let error = bench.store.bar(&bench.realm, Some(&nobody), bar, bench.now).await.unwrap_err();
        assert!(!error.is_retryable(), "{error}");
    }
    assert_eq!(bench.adopt(&bench.login("ann")).await, adopted());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_memory_bars_are_set_and_an_adoption_changes_nothing_unless_it_makes_room() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let old = bench.stored("ann").await;
    let (one, two) = (bench.login("ann"), bench.login("ann"));
    run(&mut server.admin(), &["CONFIG", "SET", "maxmemory", "1"]);
    assert!(bench.try_to_adopt(&one, bench.adoption()).await.unwrap_err().is_retryable());
    let evicting = bench.adoption().limit(Some(SessionLimit::EvictLeastRecentlySeen(1)));
    let answer = bench.try_to_adopt(&two, evicting).await.unwrap();
    assert_eq!(answer, Adopted::Done { evicted: vec![old.id] });
    let [later, soon] = [1, 2].map(|seconds| bench.later(seconds));
    bench.bar(Some("ann"), KEPT).await;
    later.bar(None, KEPT).await;
    run(&mut server.admin(), &["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(bench.adopt(&one).await, Adopted::Barred);
    assert_eq!(later.adopt(&later.login("bob")).await, Adopted::Barred);
    assert_eq!(soon.adopt(&one).await, adopted(), "what failed left no mark");
}

/// What is in the hash or the mark was written by somebody else: no bar, and a mark for good.
#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_no_bar_and_keeps_nobody_from_setting_one() {
    needs_redis!();
    let server = Server::shared();
    let bench = Bench::new(server.store().await);
    let record = bench.login("ann");
    let mut admin = server.admin();
    redis::cmd("HSET").arg(bench.bars()).arg("ann").arg("no bar").exec(&mut admin).unwrap();
    assert_eq!(bench.adopt(&record).await, adopted());
    bench.bar(Some("ann"), KEPT).await;
    assert_eq!(bench.adopt(&bench.login("ann")).await, Adopted::Barred);
    assert!(is_kept(server, &bench.bars()));
    bench.store.delete(bench.key(record.id)).await.unwrap();
    redis::cmd("SET").arg(bench.mark(record.id)).arg("no time").exec(&mut admin).unwrap();
    assert_eq!(bench.later(2 * KEPT).adopt(&record).await, Adopted::Barred);
}

/// As a policy of eviction does: whole keys. No more is lost than the documentation says.
#[tokio::test(flavor = "multi_thread")]
async fn a_mark_that_redis_evicts_is_forgotten_and_bars_stand() {
    needs_redis!();
    let server = Server::shared();
    let bench = Bench::new(server.store().await);
    let record = bench.login("ann");
    bench.adopt(&record).await;
    bench.store.delete(bench.key(record.id)).await.unwrap();
    let delete = |key: Vec<u8>| redis::cmd("DEL").arg(key).exec(&mut server.admin()).unwrap();
    delete(bench.mark(record.id));
    assert_eq!(bench.adopt(&record).await, adopted());
    bench.store.delete(bench.key(record.id)).await.unwrap();
    bench.bar(Some("ann"), KEPT).await;
    delete(bench.mark(record.id));
    assert_eq!(bench.adopt(&record).await, Adopted::Barred);
    delete(bench.bars());
    assert_eq!(bench.adopt(&record).await, adopted());
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_per_mark() {
    needs_redis!();
    let server = Server::start(&["--save", ""]);
    let bench = Bench { realm: "app".into(), ..Bench::new(server.store().await) };
    let used = || -> usize {
        let info: String = ask(&mut server.admin(), &["INFO", "memory"]);
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
        line.trim().parse().unwrap()
    };
    // As many as fill the hash table of the server well.
    const MARKS: usize = 15_000;
    bench.stored("ann").await;
    let before = used();
    for _ in 0..MARKS {
        let record = bench.login("ann").with(|record| record.ends_at = bench.at(60));
        assert_eq!(bench.adopt(&record).await, adopted());
        assert!(bench.store.delete(bench.key(record.id)).await.unwrap());
    }
    let each = (used() - before) / MARKS;
    println!("{each} bytes a mark");
    assert!(each <= 160, "{each} bytes a mark");
    assert_eq!(bench.create(&bench.login("ann"), Create::default()).await, done());
}

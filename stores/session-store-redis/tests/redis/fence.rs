//! What Redis may lose of the marks, and that then too much is refused and never too little.

use session_core::store::{Create, Created, Fence, Mark, SessionStore as _};

use crate::support::{Bench, Server, ask, done, needs_redis, neighbours, run};

fn mark(byte: u8) -> Mark {
    Mark::from_bytes([byte; 16])
}

async fn fence(bench: &Bench, subject: &str) -> Fence {
    bench.store.fence(bench.account(subject), mark(1), bench.now).await.unwrap()
}

async fn log_in(bench: &Bench, fence: Fence) -> Created {
    bench.create(&bench.login("ann"), Create::new(None, None).behind(Some(fence))).await
}

fn marks(bench: &Bench) -> String {
    format!("{}!", bench.base())
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_that_are_lost_overtake_every_login_that_began() {
    needs_redis!();
    let server = Server::shared();
    let bench = Bench::new(server.store().await);
    bench.stored("ann").await;
    let before = fence(&bench, "ann").await;
    run(&mut server.admin(), &["DEL", &marks(&bench)]);
    assert_eq!(log_in(&bench, before).await, Created::Overtaken);
    // A new one has other bytes, though it is asked for with the same fresh mark.
    let other = bench.store.fence(bench.account("ann"), mark(2), bench.now).await.unwrap();
    assert_ne!(other, before);
    assert_eq!(log_in(&bench, before).await, Created::Overtaken);
    assert_eq!(log_in(&bench, other).await, done());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_that_is_lost_overtakes_every_login_that_began() {
    needs_redis!();
    let server = Server::shared();
    let bench = Bench::new(server.store().await);
    let before = fence(&bench, "ann").await;
    run(&mut server.admin(), &["DEL", &bench.base()]);
    assert_eq!(log_in(&bench, before).await, Created::Overtaken);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_memory_a_revocation_overtakes_all_the_same() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let ann = fence(&bench, "ann").await;
    run(&mut server.admin(), &["CONFIG", "SET", "maxmemory", "1"]);
    assert!(
        bench.store.delete_account(bench.account("ann"), None, mark(3), bench.now).await.unwrap().is_empty()
    );
    run(&mut server.admin(), &["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(log_in(&bench, ann).await, Created::Overtaken);
    assert_eq!(log_in(&bench, fence(&bench, "ann").await).await, done());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_mark_cannot_be_set_all_go_and_every_login_is_overtaken() {
    needs_redis!();
    let server = Server::shared();
    let bench = Bench::new(server.store().await);
    let bob = &*neighbours().next().unwrap();
    let (ann, of_bob) = (fence(&bench, "ann").await, fence(&bench, bob).await);
    let mut admin = server.admin();
    run(&mut admin, &["RENAME", &marks(&bench), &format!("{}?", marks(&bench))]);
    run(&mut admin, &["SET", &marks(&bench), "no hash"]);
    bench.store.delete_account(bench.account("ann"), None, mark(3), bench.now).await.unwrap();
    assert_eq!(ask::<u64>(&mut admin, &["EXISTS", &marks(&bench)]), 0);
    assert_eq!(log_in(&bench, ann).await, Created::Overtaken);
    let behind = Create::new(None, None).behind(Some(of_bob));
    assert_eq!(bench.create(&bench.login(bob), behind).await, Created::Overtaken);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fence_writes_only_where_there_is_none() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let first = fence(&bench, "ann").await;
    let mut admin = server.admin();
    let changes = |admin: &mut _| -> String {
        let info: String = ask(admin, &["INFO", "persistence"]);
        info.lines().find(|line| line.starts_with("rdb_changes_since_last_save")).unwrap().to_owned()
    };
    let before = changes(&mut admin);
    for subject in neighbours().take(3) {
        assert_eq!(fence(&bench, &subject).await, first);
    }
    assert_eq!(changes(&mut admin), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_have_a_time_to_live_and_old_ones_are_taken_away() {
    needs_redis!();
    let server = Server::shared();
    let mut bench = Bench::new(server.store().await);
    let mut admin = server.admin();
    for subject in neighbours().take(4) {
        bench.store.delete_account(bench.account(&subject), None, mark(4), bench.now).await.unwrap();
    }
    let (kept, ttl): (u64, i64) =
        (ask(&mut admin, &["HLEN", &marks(&bench)]), ask(&mut admin, &["PTTL", &marks(&bench)]));
    assert_eq!(kept, 4);
    let day = i64::try_from(Fence::SECONDS * 1000).unwrap();
    assert!(ttl > day && ttl < day + 120_000, "{ttl}");
    bench.now = bench.at(Fence::SECONDS + 120);
    for _ in 0..20 {
        bench.store.delete_account(bench.account("ann"), None, mark(5), bench.now).await.unwrap();
    }
    assert_eq!(ask::<u64>(&mut admin, &["HLEN", &marks(&bench)]), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn ending_everybody_overtakes_also_where_there_was_nobody() {
    needs_redis!();
    let server = Server::shared();
    let bench = Bench::new(server.store().await);
    let before = fence(&bench, "ann").await;
    run(&mut server.admin(), &["DEL", &bench.base()]);
    assert_eq!(bench.store.delete_realm(&bench.realm, mark(6)).await.unwrap(), 0);
    assert_eq!(log_in(&bench, before).await, Created::Overtaken);
}

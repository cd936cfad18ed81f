//! Reads that arrive together share a command, and nothing else.

use std::time::{Duration, Instant};

use session_core::store::{SessionStore, Touch};

use crate::support::{Bench, Server, ask, needs_redis, random_id, run};

fn calls(server: &Server, command: &str) -> u64 {
    let stats: String = ask(&mut server.admin(), &["INFO", "commandstats"]);
    let start = format!("cmdstat_{command}:calls=");
    let calls = stats.lines().find_map(|line| line.strip_prefix(&start));
    calls.map_or(0, |calls| calls.split_once(',').unwrap().0.parse().unwrap())
}

fn reads(server: &Server) -> u64 {
    calls(server, "mget")
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_few_commands_and_each_has_its_own_answer() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let (damaged, absent) = (bench.stored("ann").await, random_id());
    let mut records = Vec::new();
    for place in 0..200 {
        records.push(bench.stored(&format!("user-{place}")).await);
    }
    let whole: Vec<u8> =
        redis::cmd("GET").arg(bench.session_key(damaged.id)).query(&mut server.admin()).unwrap();
    redis::cmd("SET").arg(bench.session_key(damaged.id)).arg(&whole[..20]).exec(&mut server.admin()).unwrap();
    run(&mut server.admin(), &["CONFIG", "RESETSTAT"]);
    let tasks: Vec<_> = records
        .into_iter()
        .map(|record| {
            let bench = bench.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    assert_eq!(bench.read(record.id).await.as_ref(), Some(&record));
                    assert_eq!(bench.read(absent).await, None);
                    let error = bench.store.read(bench.key(damaged.id), bench.now).await.unwrap_err();
                    assert!(!error.is_retryable(), "{error}");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let commands = reads(&server);
    println!("6000 reads were {commands} commands");
    assert!(commands < 3_000, "{commands}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_gives_up_stalls_nobody() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    let record = bench.stored("ann").await;
    server.signal("STOP");
    let tasks: Vec<_> = (0..50)
        .map(|place| {
            let (bench, id) = (bench.clone(), record.id);
            tokio::spawn(async move {
                let patience = Duration::from_millis(if place % 2 == 0 { 20 } else { 60_000 });
                tokio::time::timeout(patience, bench.read(id)).await
            })
        })
        .collect();
    while tasks.iter().filter(|task| task.is_finished()).count() < 25 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.signal("CONT");
    for (place, task) in tasks.into_iter().enumerate() {
        let read = task.await.unwrap();
        assert_eq!(read.ok().flatten(), (place % 2 == 1).then(|| record.clone()));
    }
}

#[test]
fn a_runtime_that_ends_leaves_the_store_usable_on_another() {
    needs_redis!();
    let server = Server::start(&[]);
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let first = runtime();
    // The connection must live on.
    let bench = first.block_on(async { Bench::new(server.store().await) });
    let record = first.block_on(bench.stored("ann"));
    assert_eq!(first.block_on(bench.read(record.id)), Some(record.clone()));
    for _ in 0..3 {
        let second = runtime();
        server.signal("STOP");
        for _ in 0..20 {
            let (bench, id) = (bench.clone(), record.id);
            second.spawn(async move { bench.read(id).await });
        }
        second.block_on(tokio::task::yield_now());
        second.shutdown_background();
        server.signal("CONT");
        let read = async { tokio::time::timeout(Duration::from_secs(20), bench.read(record.id)).await };
        assert_eq!(first.block_on(read).unwrap(), Some(record.clone()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_starts_after_a_logout_never_sees_the_session() {
    needs_redis!();
    let bench = Bench::new(Server::shared().store().await);
    let noise: Vec<_> = (0..16)
        .map(|_| {
            let bench = bench.clone();
            tokio::spawn(async move {
                loop {
                    bench.read(random_id()).await;
                }
            })
        })
        .collect();
    let touch = Touch::new(Duration::from_secs(60), None, 0, Duration::ZERO);
    for _ in 0..500 {
        let record = bench.stored("ann").await;
        assert!(bench.store.delete(bench.key(record.id)).await.unwrap());
        assert_eq!(bench.read(record.id).await, None);
        let touched = bench.store.read_and_touch(bench.key(record.id), touch, bench.now).await.unwrap();
        assert_eq!(touched, None);
    }
    noise.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_is_is_asked_once_a_second_and_not_with_each_read() {
    needs_redis!();
    let server = Server::start(&[]);
    let bench = Bench::new(server.store().await);
    run(&mut server.admin(), &["CONFIG", "RESETSTAT"]);
    let began = Instant::now();
    for _ in 0..300 {
        bench.read(random_id()).await;
    }
    let asked = calls(&server, "info");
    assert!(reads(&server) == 300 && asked <= 2 + began.elapsed().as_secs(), "{asked}");
}

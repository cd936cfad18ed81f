//! How much memory wrong logins take. Alone in its process, whose peak is measured.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::thread::available_parallelism;

use session_core::Timestamp;
use session_demo::accounts::{Accounts, WrongCredentials};
use tokio::task::JoinSet;

/// What one check takes, in KiB, as the hashes say.
const CHECK: u64 = 19_456;
/// For threads and all else.
const SLACK: u64 = 16 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn wrong_logins_take_no_more_memory_than_those_that_are_checked_at_once() {
    let accounts = Arc::new(Accounts::new().unwrap());
    let before = peak();
    for _ in 0..2 {
        let mut logins = JoinSet::new();
        for _ in 0..100 {
            let accounts = Arc::clone(&accounts);
            logins.spawn(async move { accounts.check("alice", "wrong".into(), Timestamp::EPOCH).await });
        }
        for answer in logins.join_all().await {
            assert_eq!(answer, Err(WrongCredentials));
        }
    }
    let (grown, at_once) = (peak() - before, available_parallelism().unwrap().get() as u64);
    println!("200 wrong logins, {at_once} at once: {} MiB", grown / 1024);
    assert!(grown < at_once * CHECK + SLACK, "{} MiB for {at_once} checks at once", grown / 1024);
}

/// The most that this process had in memory so far, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

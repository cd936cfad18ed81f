//! No update is lost.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use futures_util::future::join_all;

use super::backend::on_each_backend;
use super::fleet::Fleet;
use crate::harness::{Actix, Axum, Rocket, World};
use crate::wire::{Connection, Request};

const UPDATES: u64 = 64;

on_each_backend! {
    parallel_updates_on_all_nodes_all_count
}

async fn parallel_updates_on_all_nodes_all_count(fleet: &Fleet) {
    let mut browser = fleet.logged_in("busy", 0).await;
    assert_eq!(counted(&fleet.addresses(), &browser.cookie()).await, (1..=UPDATES).collect());
    let me = browser.get("/me").await.expect(200);
    assert_eq!(me.json()["visits"], UPDATES);
    let version = fleet.records_of("busy").await.pop().unwrap().version;
    assert_eq!(version, UPDATES, "one write for each");
}

#[tokio::test]
async fn parallel_updates_on_three_frameworks_in_one_process_all_count() {
    let world = World::new();
    let servers = [
        world.serve::<Axum>(world.tracked()).await,
        world.serve::<Actix>(world.tracked()).await,
        world.serve::<Rocket>(world.tracked()).await,
    ];
    let mut browser = servers[0].logged_in("busy").await;
    let addresses = servers.each_ref().map(|server| server.address);
    assert_eq!(counted(&addresses, &browser.cookie()).await, (1..=UPDATES).collect());
    assert_eq!(browser.get("/me").await.expect(200).json()["visits"], UPDATES);
}

/// Sends all updates at once, in turn to each address. Answers what they say that the count is then.
async fn counted(addresses: &[SocketAddr], cookie: &str) -> BTreeSet<u64> {
    let updates = addresses.iter().cycle().take(UPDATES.try_into().unwrap()).map(|&address| async move {
        let request = Request::post("/visits").cookie(cookie);
        let answer = Connection::open(address).await.unwrap().exchange(&request).await.unwrap();
        answer.expect(200).expect_no_cookie().text().parse::<u64>().unwrap()
    });
    join_all(updates).await.into_iter().collect()
}

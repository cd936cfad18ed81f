//! Nodes that remember what they read: how soon they notice what happened elsewhere, and what they do without a store.

use std::time::{Duration, Instant};

use session_test_servers::{Redis, Sql, SqlServer};

use super::backend::{Backend, Mortal};
use super::fleet::{Fleet, Options};
use crate::wire::{Request, Response};

const BOUND: Duration = Duration::from_secs(30);
const NODES: std::ops::Range<usize> = 0..3;
/// For news, which take some milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a node that does not listen yet is given to notice.
const TRY: Duration = Duration::from_secs(1);

fn hybrid(maintained: bool) -> Options {
    Options { hybrid: Some(BOUND), maintained, deadline: Duration::from_secs(5) }
}

/// Stamps a case, an `async fn name(url: &str)`, for each of these backends.
macro_rules! on {
    ($case:ident: $($module:ident $backend:ident),+) => {
        mod $case {
            $(
                #[tokio::test]
                async fn $module() {
                    if let Some(url) = super::Backend::$backend.url() {
                        super::$case(&url).await;
                    }
                }
            )+
        }
    };
}

on! {
    what_ends_on_one_node_is_refused_there_at_once_and_by_the_others_within_the_bound:
    postgres Postgres, mariadb MariaDb, redis Redis, redis_cluster RedisCluster, sqlite Sqlite
}

on! {
    where_nobody_can_listen_the_bound_holds: pgbouncer PgBouncer
}

on! {
    what_ends_on_one_node_is_refused_at_once_by_those_that_listen_where_the_store_can_push:
    postgres Postgres, redis Redis, redis_cluster RedisCluster
}

/// How a session ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Logout,
    /// By another device of the same account.
    Revocation,
}

const ENDS: [End; 2] = [End::Logout, End::Revocation];

async fn what_ends_on_one_node_is_refused_there_at_once_and_by_the_others_within_the_bound(url: &str) {
    refused_within_the_bound(&Fleet::start(url, hybrid(false))).await;
}

/// Each node tries to listen, through connections that the calls of all of them share.
async fn where_nobody_can_listen_the_bound_holds(url: &str) {
    refused_within_the_bound(&Fleet::start(url, hybrid(true))).await;
}

async fn refused_within_the_bound(fleet: &Fleet) {
    for (exit, how) in NODES.flat_map(|exit| ENDS.map(|how| (exit, how))) {
        let cookie = read_everywhere(fleet, "leaver").await;
        fleet.advance(BOUND - Duration::from_secs(1));
        end(fleet, exit, &cookie, how).await;
        for node in NODES {
            let answer = ask(fleet, node, &cookie).await;
            if node == exit {
                answer.expect_error(401, "SESSION_NOT_FOUND");
            } else {
                // A second before the bound is over, so that the test shows that it is the bound that ends it.
                answer.expect(200);
            }
        }
        fleet.advance(Duration::from_secs(1));
        for node in NODES {
            ask(fleet, node, &cookie).await.expect_error(401, "SESSION_NOT_FOUND");
        }
    }
}

/// The nodes' clocks stand still, so that only news can tell them.
async fn what_ends_on_one_node_is_refused_at_once_by_those_that_listen_where_the_store_can_push(url: &str) {
    let fleet = Fleet::start(url, hybrid(true));
    let start = Instant::now();
    // Nobody says when a node has begun to listen.
    for exit in [0, 1] {
        while ended_elsewhere(&fleet, exit, End::Logout, TRY).await.is_none() {
            assert!(start.elapsed() < PATIENCE, "no news came");
        }
    }
    let mut longest = Duration::ZERO;
    for (exit, how) in NODES.flat_map(|exit| ENDS.map(|how| (exit, how))) {
        let took = ended_elsewhere(&fleet, exit, how, PATIENCE).await;
        longest = longest.max(took.unwrap_or_else(|| panic!("no news of a {how:?} on node {exit}")));
    }
    println!("{} news of an end took at most {} ms", url.split(':').next().unwrap(), longest.as_millis());
}

/// Ends a session on one node. Answers how long it took until all nodes refused it, if they did within `limit`.
async fn ended_elsewhere(fleet: &Fleet, exit: usize, how: End, limit: Duration) -> Option<Duration> {
    let cookie = read_everywhere(fleet, "leaver").await;
    end(fleet, exit, &cookie, how).await;
    let start = Instant::now();
    for node in NODES {
        while ask(fleet, node, &cookie).await.status != 401 {
            if start.elapsed() > limit {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    Some(start.elapsed())
}

async fn end(fleet: &Fleet, exit: usize, cookie: &str, how: End) {
    match how {
        End::Logout => drop(send(fleet, exit, Request::post("/logout").cookie(cookie)).await.expect(200)),
        End::Revocation => {
            let mut other = fleet.logged_in("leaver", exit).await;
            other.post("/session/revoke-others").await.expect(200);
        }
    }
}

#[tokio::test]
async fn without_postgres_a_session_is_served_within_the_bound_and_then_unavailable() {
    if let Some(server) = SqlServer::start(Sql::Postgres) {
        served_within_the_bound(server).await;
    }
}

#[tokio::test]
async fn without_redis_a_session_is_served_within_the_bound_and_then_unavailable() {
    if let Some(server) = Redis::start(Redis::DURABLE) {
        served_within_the_bound(server).await;
    }
}

async fn served_within_the_bound(mut server: impl Mortal) {
    let fleet = Fleet::start(&server.url(), hybrid(true));
    let known = read_everywhere(&fleet, "known").await;
    let unknown = fleet.logged_in("unknown", 0).await.cookie();
    server.kill();

    fleet.advance(BOUND - Duration::from_secs(1));
    for node in NODES {
        ask(&fleet, node, &known).await.expect(200).expect_no_cookie();
        unavailable(&fleet, node, Request::post("/visits").cookie(&known)).await;
    }
    unavailable(&fleet, 1, Request::get("/maybe").cookie(&unknown)).await;
    unavailable(&fleet, 2, Request::post("/login").body("name=late")).await;
    unavailable(&fleet, 0, Request::post("/logout").cookie(&known)).await;

    fleet.advance(Duration::from_secs(1));
    for node in NODES {
        for route in ["/me", "/maybe", "/session"] {
            unavailable(&fleet, node, Request::get(route).cookie(&known)).await;
        }
        send(&fleet, node, Request::get("/open").cookie(&known)).await.expect(200).expect_no_cookie();
    }

    server.restart();
    for node in NODES {
        for cookie in [&known, &unknown] {
            well_again(&fleet, node, cookie).await.expect_no_cookie();
        }
    }
}

/// Never anonymous, and no cookie is touched.
async fn unavailable(fleet: &Fleet, node: usize, request: Request) {
    send(fleet, node, request).await.expect_error(503, "STORE_UNAVAILABLE").expect_no_cookie();
}

/// The first answer that is no 503: a connection to the old server may have to be given up first.
async fn well_again(fleet: &Fleet, node: usize, cookie: &str) -> Response {
    let start = Instant::now();
    loop {
        let answer = ask(fleet, node, cookie).await;
        if answer.status != 503 || start.elapsed() > PATIENCE {
            return answer.expect(200);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A session that every node has read just now.
async fn read_everywhere(fleet: &Fleet, name: &str) -> String {
    let cookie = fleet.logged_in(name, 0).await.cookie();
    for node in NODES {
        ask(fleet, node, &cookie).await.expect(200);
    }
    cookie
}

async fn ask(fleet: &Fleet, node: usize, cookie: &str) -> Response {
    send(fleet, node, Request::get("/me").cookie(cookie)).await
}

async fn send(fleet: &Fleet, node: usize, request: Request) -> Response {
    fleet.visit(&mut fleet.browser(), node).send(request).await
}

//! What Redis says that it did.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use session_core::store::{Create, SessionStore as _};

use crate::operation::{Operation, Place};
use crate::sample::REALM;
use crate::servers::Server;
use crate::timing::TIMED;

const CALLS: u64 = 20;
/// What the store lets a record live beyond its end.
const MINUTE: Duration = Duration::from_secs(60);
const SPARE: Duration = Duration::from_secs(10);
const WATCHED: Duration = Duration::from_secs(20);

pub async fn connect(server: &Server) -> MultiplexedConnection {
    let client = redis::Client::open(server.url()).expect("a URL");
    let patient = AsyncConnectionConfig::new().set_response_timeout(None);
    client.get_multiplexed_async_connection_with_config(&patient).await.expect("a connection")
}

pub async fn info(admin: &mut MultiplexedConnection, section: &str) -> BTreeMap<String, String> {
    let told: String = redis::cmd("INFO").arg(section).query_async(admin).await.expect("an answer");
    told.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

pub async fn number(admin: &mut MultiplexedConnection, section: &str, name: &str) -> u64 {
    info(admin, section).await.get(name).and_then(|value| value.parse().ok()).expect("a number")
}

pub async fn used_memory(admin: &mut MultiplexedConnection) -> u64 {
    number(admin, "memory", "used_memory").await
}

/// The commands that each call makes, those of scripts included, and the time of the one that the client sent.
pub async fn of(admin: &mut MultiplexedConnection, place: &Place, operation: Operation) -> String {
    reset(admin).await;
    for nth in 0..CALLS {
        place.run(operation, 0, TIMED + nth).await;
    }
    commands(admin, CALLS).await
}

pub async fn reset(admin: &mut MultiplexedConnection) {
    redis::cmd("CONFIG").arg("RESETSTAT").exec_async(admin).await.expect("an answer");
}

/// What ran since the reset, divided by the number of calls.
pub async fn commands(admin: &mut MultiplexedConnection, calls: u64) -> String {
    let told = info(admin, "commandstats").await;
    let mut parts = Vec::new();
    for (name, value) in told {
        let name = name.trim_start_matches("cmdstat_");
        let field =
            |key: &str| value.split(',').find_map(|field| field.strip_prefix(key)?.parse::<f64>().ok());
        let (count, micros) = (field("calls=").unwrap_or(0.0), field("usec_per_call=").unwrap_or(0.0));
        if matches!(name, "info" | "config|resetstat") {
            continue;
        }
        let count = count / calls as f64;
        let sent = matches!(name, "evalsha" | "eval" | "mget");
        let micros = if sent { format!(" ({micros:.1} us)") } else { String::new() };
        parts.push(format!("{count:.4} {name}{micros}").replace(".0000 ", " "));
    }
    parts.join(", ")
}

/// Sessions that Redis removes by itself, a minute after their end: how fast, and what that costs the others.
pub async fn expiry(admin: &mut MultiplexedConnection, place: &Place, count: u64) -> String {
    let sample = place.sample;
    for nth in sample.sessions..sample.sessions + count {
        let record = sample.record(nth);
        place.store.create(REALM, &record, Create::default(), sample.now).await.expect("an answer");
    }
    tokio::time::sleep(MINUTE + SPARE).await;
    reset(admin).await;
    let (began, keys) = (Instant::now(), number_of_keys(admin).await);
    let mut times = Vec::new();
    while began.elapsed() < WATCHED {
        let asked = Instant::now();
        place.run(Operation::ValidateAgain, 0, 1).await;
        times.push(asked.elapsed().as_secs_f64() * 1e6);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let gone = keys - number_of_keys(admin).await;
    let before = (sample.sessions + count).saturating_sub(keys);
    let busy = number(admin, "stats", "expire_cycle_cpu_milliseconds").await;
    format!(
        "1 % expired: `delete_expired` has nothing to do. Of {count} records with a minute to live Redis had removed at \
         least {before} some {} s later, and removed {gone} in the next {} s, in {busy} ms of its time; the slowest of \
         {} validations meanwhile took {}.",
        (MINUTE + SPARE).as_secs(),
        WATCHED.as_secs(),
        times.len(),
        crate::report::time(times.iter().copied().fold(0.0, f64::max)),
    )
}

async fn number_of_keys(admin: &mut MultiplexedConnection) -> u64 {
    redis::cmd("DBSIZE").query_async(admin).await.expect("an answer")
}

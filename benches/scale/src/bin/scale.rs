//! Prints what many sessions cost each store: the same calls on a small and a large table in turn, cleanup, bytes, and
//! the plans. Arguments: the number of sessions (default 1000000), then stores (default: all of memory, redis, sqlite,
//! postgres, mariadb).

use session_benches_scale::db::Db;
use session_benches_scale::fill;
use session_benches_scale::operation::{ALL, Operation, Place};
use session_benches_scale::plan::{Plan, Source};
use session_benches_scale::report::{self, CLEANUP_HEAD, Plans};
use session_benches_scale::sample::Sample;
use session_benches_scale::servers::{Kind, Server};
use session_benches_scale::timing::{clean_up, compare};
use session_benches_scale::{redis_counts, statements};
use session_core::store::MemoryStore;
use session_store_redis::RedisStore;
use session_store_sqlx::{MySqlStore, PostgresStore, SqliteStore, StoreOptions};

const SMALL: u64 = 10_000;
const TABLES: [&str; 2] = ["small", "large"];

#[tokio::main]
async fn main() {
    statements::install();
    let mut arguments = std::env::args().skip(1).peekable();
    let large = arguments.next_if(|first| first.parse::<u64>().is_ok());
    let large = large.map_or(1_000_000, |number| number.parse().expect("a number"));
    let named: Vec<String> = arguments.collect();
    let wanted = |name: &str| named.is_empty() || named.iter().any(|known| known == name);
    println!(
        "# {SMALL} sessions and {large}\n\nA session: {}.",
        report::own_bytes(&Sample::new(SMALL).record(1))
    );
    if wanted("memory") {
        memory(large).await;
    }
    if wanted("redis") {
        redis(large).await;
    }
    if wanted("sqlite") {
        let folder = tempfile::tempdir().expect("a folder");
        let files = TABLES.map(|name| format!("sqlite://{}/{name}?mode=rwc", folder.path().display()));
        sql("SQLite", &Source::Sqlite, files, large).await;
    }
    if wanted("postgres") {
        let server = Server::start(Kind::Postgres);
        sql("PostgreSQL", &Source::Postgres(&server), [server.url(), server.url()], large).await;
    }
    if wanted("mariadb") {
        let server = Server::start(Kind::MariaDb);
        sql("MariaDB", &Source::MariaDb(&server), [server.url(), server.url()], large).await;
    }
    println!("\n{}", report::versions());
}

async fn memory(large: u64) {
    println!("\n## Memory\n");
    let places = [Place::new(MemoryStore::new(), SMALL), Place::new(MemoryStore::new(), large)];
    let [small, big] = &places;
    fill::through(&small.store, small.sample, 0..SMALL).await;
    let before = report::resident();
    fill::through(&big.store, big.sample, 0..large).await;
    let bytes = report::resident() - before;
    report::print_times(large, &compare(&places, 0).await, None);
    println!("\nResident memory: {} bytes a session.\n", bytes / large);
    fill::through(&big.store, big.sample, large..large + large / 100).await;
    println!("{CLEANUP_HEAD}");
    report::print_cleanup("1 % expired", &clean_up(big, usize::MAX).await);
}

async fn redis(large: u64) {
    println!("\n## Redis\n");
    let servers = [Server::start(Kind::Redis), Server::start(Kind::Redis)];
    let mut admins = [redis_counts::connect(&servers[0]).await, redis_counts::connect(&servers[1]).await];
    let stores = [RedisStore::connect(&servers[0].url()).await, RedisStore::connect(&servers[1].url()).await];
    let [small, big] = stores.map(|store| store.expect("a store"));
    let places = [Place::new(small, SMALL), Place::new(big, large)];
    let [small, big] = &places;
    fill::through(&small.store, small.sample, 0..SMALL).await;
    let before = redis_counts::used_memory(&mut admins[1]).await;
    fill::through(&big.store, big.sample, 0..large).await;
    let bytes = redis_counts::used_memory(&mut admins[1]).await - before;
    report::print_times(large, &compare(&places, 0).await, None);
    println!("\n`used_memory`: {} bytes a session, account index included.\n", bytes / large);
    println!(
        "| commands for a call, and the server's time for the one that was sent | {SMALL} | {large} |\n|---|---|---|"
    );
    for operation in ALL {
        let few = redis_counts::of(&mut admins[0], small, operation).await;
        let many = redis_counts::of(&mut admins[1], big, operation).await;
        println!("| {} | {few} | {many} |", operation.name());
    }
    println!("\n{}", redis_counts::expiry(&mut admins[1], big, large / 100).await);
}

/// The two tables of a database, in two files for SQLite.
async fn sql(name: &str, source: &Source<'_>, urls: [String; 2], large: u64) {
    println!("\n## {name}\n");
    let [small_url, big_url] = &urls;
    let mut dbs = [Db::connect(small_url).await, Db::connect(big_url).await];
    let places = [place(small_url, "small", SMALL).await, place(big_url, "large", large).await];
    for ((db, place), table) in dbs.iter_mut().zip(&places).zip(TABLES) {
        fill_in_part(db, table, place).await;
    }
    let [_, db] = &mut dbs;
    let bytes = db.bytes("large").await;

    // Statistics from when the tables had 1 % of their rows, none expired.
    let stale = compare(&places, 0).await;
    source.switch_on(db).await;
    let explained = [place(small_url, "small", SMALL).await, place(big_url, "large", large).await];
    let stale_plans = plans(source, &mut dbs, &explained, 0).await;
    let [small, big] = &places;
    let [_, db] = &mut dbs;
    source.switch_off(db).await;
    fill::through(&big.store, big.sample, large..large + large / 100).await;
    source.switch_on(db).await;
    let explained_big = place(big_url, "large", large).await;
    let stale_cleanup_plan = source.of_cleanup(db, &explained_big).await;
    source.switch_off(db).await;
    let stale_cleanup = clean_up(big, usize::MAX).await;

    // Another 1 %, and statistics of now.
    fill::through(&big.store, big.sample, large + large / 100..large + large / 50).await;
    for (db, table) in dbs.iter_mut().zip(TABLES) {
        db.analyze(table).await;
    }
    let fresh = compare(&places, 1).await;
    let [_, db] = &mut dbs;
    source.switch_on(db).await;
    let explained = [place(small_url, "small", SMALL).await, place(big_url, "large", large).await];
    let mut fresh_plans = plans(source, &mut dbs, &explained, 1).await;
    let [_, db] = &mut dbs;
    let cleanup_plan = source.of_cleanup(db, &explained[1]).await;
    source.switch_off(db).await;
    let cleanup = clean_up(big, usize::MAX).await;

    // Half as many expired rows as live ones, of which the statistics know nothing.
    fill::through(&big.store, big.sample, large + large / 50..large + large / 2).await;
    let flood = clean_up(big, 20).await;
    let live = db
        .number(format!(
            "SELECT CAST(count(*) AS CHAR(20)) FROM large WHERE ends_at > {}",
            big.sample.now.unix_seconds()
        ))
        .await;

    report::print_times(large, &fresh, Some(&stale));
    println!(
        "\nTable and indexes: {} bytes a session. Live sessions after all cleanups: {live}.\n",
        bytes / large
    );
    println!("{CLEANUP_HEAD}");
    report::print_cleanup("1 % expired, statistics from before", &stale_cleanup);
    report::print_cleanup("1 % expired, statistics of now", &cleanup);
    report::print_cleanup("a third of all expired, statistics from before, 20 batches", &flood);
    report::print_work(&stale_plans, &fresh_plans, (&stale_cleanup_plan, &cleanup_plan));
    let [_, large_plans] = &mut fresh_plans;
    large_plans.push((None, cleanup_plan));
    let [_, mut large_stale] = stale_plans;
    large_stale.push((None, stale_cleanup_plan));
    report::print_plans("Plans on the large table, statistics of now:", large_plans, None);
    report::print_plans("Those that differ with statistics from before:", &large_stale, Some(large_plans));
    assert_eq!(small.sample.sessions, SMALL);
}

async fn place(url: &str, table: &str, sessions: u64) -> Place {
    let options = StoreOptions::default().table(table);
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("postgres") => {
            Place::new(PostgresStore::connect_with(url, options).await.expect("a store"), sessions)
        }
        Some("mysql") => Place::new(MySqlStore::connect_with(url, options).await.expect("a store"), sessions),
        _ => Place::new(SqliteStore::connect_with(url, options).await.expect("a store"), sessions),
    }
}

/// A hundredth, then statistics, then the rest, then a look through the store's eyes.
async fn fill_in_part(db: &mut Db, table: &str, place: &Place) {
    let (sample, few) = (place.sample, place.sample.sessions / 100);
    fill::through(&place.store, sample, 0..few).await;
    db.analyze(table).await;
    fill::through(&place.store, sample, few..sample.sessions).await;
    sample.check(&*place.store, (0..sample.sessions).step_by((sample.sessions / 50) as usize)).await;
}

async fn plans(source: &Source<'_>, dbs: &mut [Db; 2], places: &[Place; 2], phase: u64) -> [Plans; 2] {
    let mut all = [Vec::new(), Vec::new()];
    for operation in ALL.into_iter().filter(|operation| *operation != Operation::Validate) {
        for ((db, place), plans) in dbs.iter_mut().zip(places).zip(&mut all) {
            let of: Vec<Plan> = source.of(db, place, operation, phase).await;
            plans.push((Some(operation), of));
        }
    }
    all
}

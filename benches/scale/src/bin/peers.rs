//! Prints our stores beside those of tower-sessions and actix-session, on the same servers and in turn: calls a second,
//! round trips, bytes a session, and the same over HTTP. Arguments: which (default: all of redis, postgres, mariadb,
//! sqlite, memory).

use session_benches_scale::db::Db;
use session_benches_scale::peers::http::{self, Route, Service};
use session_benches_scale::peers::load::{Work, rates, repeat};
use session_benches_scale::peers::{Subject, actix, ours, raw, tower};
use session_benches_scale::proxy::Proxy;
use session_benches_scale::report::{self, rate};
use session_benches_scale::sample::Sample;
use session_benches_scale::servers::{Kind, Server};
use session_benches_scale::{redis_counts, statements};
use session_core::store::MemoryStore;
use session_store_redis::RedisStore;
use session_store_sqlx::{MySqlStore, PostgresStore, SqliteStore, StoreOptions};

const OURS: &str = "ours";
const OURS_SHORT: &str = "ours, no user agent nor address";
const TOWER: &str = "tower-sessions";
const ACTIX: &str = "actix-session";
/// For bytes a session; a third of it in SQL, a tenth in SQLite.
const MANY: u64 = 300_000;
/// For round trips.
const TIMES: u64 = 50;

#[tokio::main]
async fn main() {
    statements::install();
    let named: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |name: &str| named.is_empty() || named.iter().any(|known| known == name);
    println!(
        "# Beside the peers' stores\n\nA session of ours: {}.",
        report::own_bytes(&Sample::new(10_000).record(1))
    );
    if wanted("redis") {
        redis().await;
    }
    if wanted("postgres") {
        postgres().await;
    }
    if wanted("mariadb") {
        mariadb().await;
    }
    if wanted("sqlite") {
        sqlite().await;
    }
    if wanted("memory") {
        memory().await;
    }
    println!("\n{}", report::versions());
    // The services' threads do not end by themselves.
    std::process::exit(0);
}

async fn redis() {
    println!("\n## Redis\n");
    let server = Server::start(Kind::Redis);
    let url = server.url();
    let store = async || RedisStore::connect(&url).await.expect("a store");
    let mine = ours::filled(OURS, store().await).await;
    let subjects = [
        mine.clone(),
        mine.of_few("ours, 1,000 sessions in turn", 1000),
        tower::filled(TOWER, tower::redis(&url).await).await,
        actix::filled(ACTIX, actix::redis(&url).await).await,
        raw::redis(&url).await,
    ];
    compare(&subjects).await;

    let proxy = Proxy::before(server.port).await;
    let through = server.url_at(proxy.port);
    round_trips(
        &proxy,
        &[
            ours::filled(
                OURS,
                RedisStore::connect(&through).await.expect("a store").key_prefix("other").expect("a prefix"),
            )
            .await,
            tower::filled(TOWER, tower::redis(&through).await).await,
            actix::filled(ACTIX, actix::redis(&through).await).await,
        ],
    )
    .await;

    let mut admin = redis_counts::connect(&server).await;
    println!("\n| bytes a session | `used_memory`, {MANY} sessions |\n|---|--:|");
    let fresh = RedisStore::connect(&url).await.expect("a store").key_prefix("s").expect("a prefix");
    for subject in [
        ours::subject(OURS, store().await, true).await,
        ours::subject(OURS_SHORT, store().await, false).await,
        ours::subject("ours, likewise, prefix of one letter", fresh, false).await,
        tower::subject(TOWER, tower::redis(&url).await),
        actix::subject(ACTIX, actix::redis(&url).await),
    ] {
        redis::cmd("FLUSHALL").exec_async(&mut admin).await.expect("an answer");
        let before = redis_counts::used_memory(&mut admin).await;
        subject.fill(MANY).await;
        let bytes = redis_counts::used_memory(&mut admin).await - before;
        println!("| {} | {} |", subject.name, bytes / MANY);
    }
    redis::cmd("FLUSHALL").exec_async(&mut admin).await.expect("an answer");

    let (a, b, c, d) = (url.clone(), url.clone(), url.clone(), url.clone());
    over_http(&[
        Service::axum("axum bare", async || http::axum_bare()),
        Service::axum("axum, ours", move || async move {
            http::axum_ours(RedisStore::connect(&a).await.expect("a store"))
        }),
        Service::axum(
            "axum, tower-sessions",
            move || async move { http::axum_tower(tower::redis(&b).await) },
        ),
        Service::actix_bare("actix-web bare"),
        Service::actix_ours("actix-web, ours", c),
        Service::actix_peer("actix-web, actix-session", d),
    ]);
    let (a, b, c, d) = (through.clone(), through.clone(), through.clone(), through);
    http_round_trips(
        &proxy,
        &[
            Service::axum("axum, ours", move || async move {
                http::axum_ours(RedisStore::connect(&a).await.expect("a store"))
            }),
            Service::axum(
                "axum, tower-sessions",
                move || async move { http::axum_tower(tower::redis(&b).await) },
            ),
            Service::actix_ours("actix-web, ours", c),
            Service::actix_peer("actix-web, actix-session", d),
        ],
    );
}

async fn postgres() {
    println!("\n## PostgreSQL\n");
    let server = Server::start(Kind::Postgres);
    let url = server.url();
    let store = async |table: &str| {
        let options = StoreOptions::default().table(table);
        PostgresStore::connect_with(&url, options).await.expect("a store")
    };
    let mine = ours::filled(OURS, store("login_sessions").await).await;
    compare(&[mine, tower::filled(TOWER, tower::postgres(&url).await).await, raw::postgres(&url).await])
        .await;

    let proxy = Proxy::before(server.port).await;
    let through = server.url_at(proxy.port);
    let options = StoreOptions::default().table("other");
    round_trips(
        &proxy,
        &[
            ours::filled(OURS, PostgresStore::connect_with(&through, options).await.expect("a store")).await,
            tower::filled(TOWER, tower::postgres(&through).await).await,
        ],
    )
    .await;

    let mut db = Db::connect(&url).await;
    db.run("DELETE FROM tower_sessions.session").await;
    db.run("VACUUM FULL tower_sessions.session").await;
    let peer = tower::subject(TOWER, tower::postgres(&url).await);
    bytes(
        &mut db,
        MANY / 3,
        &[
            (ours::subject(OURS, store("long").await, true).await, "long"),
            (ours::subject(OURS_SHORT, store("short").await, false).await, "short"),
            (peer, "tower_sessions.session"),
        ],
    )
    .await;

    let (a, b) = (url.clone(), url.clone());
    over_http(&[
        Service::axum("axum bare", async || http::axum_bare()),
        Service::axum("axum, ours", move || async move {
            http::axum_ours(PostgresStore::connect(&a).await.expect("a store"))
        }),
        Service::axum(
            "axum, tower-sessions",
            move || async move { http::axum_tower(tower::postgres(&b).await) },
        ),
    ]);
    let (a, b) = (through.clone(), through);
    http_round_trips(
        &proxy,
        &[
            Service::axum("axum, ours", move || async move {
                http::axum_ours(PostgresStore::connect(&a).await.expect("a store"))
            }),
            Service::axum("axum, tower-sessions", move || async move {
                http::axum_tower(tower::postgres(&b).await)
            }),
        ],
    );
}

async fn mariadb() {
    println!("\n## MariaDB\n");
    let server = Server::start(Kind::MariaDb);
    let url = server.url();
    let store = async |table: &str| {
        let options = StoreOptions::default().table(table);
        MySqlStore::connect_with(&url, options).await.expect("a store")
    };
    let mine = ours::filled(OURS, store("login_sessions").await).await;
    compare(&[mine, tower::filled(TOWER, tower::mysql(&url).await).await, raw::mysql(&url).await]).await;

    let proxy = Proxy::before(server.port).await;
    let through = server.url_at(proxy.port);
    let options = StoreOptions::default().table("other");
    round_trips(
        &proxy,
        &[
            ours::filled(OURS, MySqlStore::connect_with(&through, options).await.expect("a store")).await,
            tower::filled(TOWER, tower::mysql(&through).await).await,
        ],
    )
    .await;

    let mut db = Db::connect(&url).await;
    db.run("TRUNCATE tower_sessions.session").await;
    let peer = tower::subject(TOWER, tower::mysql(&url).await);
    bytes(
        &mut db,
        MANY / 3,
        &[
            (ours::subject(OURS, store("long").await, true).await, "long"),
            (ours::subject(OURS_SHORT, store("short").await, false).await, "short"),
            (peer, "tower_sessions.session"),
        ],
    )
    .await;
}

async fn sqlite() {
    println!("\n## SQLite\n");
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| format!("{}/{name}", folder.path().display());
    let url = |name: &str| format!("sqlite://{}?mode=rwc", path(name));
    let store = async |name: &str| SqliteStore::connect(&url(name)).await.expect("a store");
    let mine = ours::filled(OURS, store("ours").await).await;
    let peer = tower::filled(TOWER, tower::sqlite(&path("tower")).await).await;
    let subjects = [mine, peer, raw::sqlite(&url("ours")).await];
    compare(&subjects).await;

    println!("\n| statements a call | validate | login |\n|---|--:|--:|");
    for subject in &subjects[..2] {
        let mut counts = Vec::new();
        for work in [Work::Load, Work::Login] {
            let caught = statements::during(repeat(subject, work, TIMES)).await;
            counts.push(caught.len() as f64 / TIMES as f64);
        }
        println!("| {} | {} | {} |", subject.name, counts[0], counts[1]);
    }

    println!("\n| bytes a session | file, {} sessions |\n|---|--:|", MANY / 10);
    for (subject, name) in [
        (ours::subject(OURS, store("long").await, true).await, "long"),
        (ours::subject(OURS_SHORT, store("short").await, false).await, "short"),
        (tower::subject(TOWER, tower::sqlite(&path("many")).await), "many"),
    ] {
        subject.fill(MANY / 10).await;
        let bytes = Db::connect(&url(name)).await.bytes(name).await;
        println!("| {} | {} |", subject.name, bytes / (MANY / 10));
    }
}

async fn memory() {
    println!("\n## Memory\n");
    println!("| bytes a session | resident, {MANY} sessions |\n|---|--:|");
    let mut kept = Vec::new();
    for subject in [
        ours::subject(OURS, MemoryStore::new(), true).await,
        ours::subject(OURS_SHORT, MemoryStore::new(), false).await,
        tower::subject(TOWER, tower_sessions::MemoryStore::default()),
    ] {
        let before = report::resident();
        subject.fill(MANY).await;
        println!("| {} | {} |", subject.name, (report::resident() - before) / MANY);
        kept.push(subject);
    }
    println!();
    kept.remove(1);
    compare(&kept).await;
}

/// Calls a second, and how many times those of ours.
async fn compare(subjects: &[Subject]) {
    println!(
        "| calls a second (times ours) | validate, 1 client | validate, 64 | login, 1 client | login, 64 |"
    );
    println!("|---|--:|--:|--:|--:|");
    let mut columns = Vec::new();
    for work in [Work::Load, Work::Login] {
        for clients in [1, 64] {
            columns.push(rates(subjects, work, clients).await);
        }
    }
    for (at, subject) in subjects.iter().enumerate() {
        let cells: Vec<String> = columns.iter().map(|column| rate(column.of(at, 0))).collect();
        println!("| {} | {} |", subject.name, cells.join(" | "));
    }
}

async fn round_trips(proxy: &Proxy, subjects: &[Subject]) {
    println!("\n| round trips a call | validate | login |\n|---|--:|--:|");
    for subject in subjects {
        let mut counts = Vec::new();
        for work in [Work::Load, Work::Login] {
            // Prepares what is prepared once.
            repeat(subject, work, 12).await;
            proxy.take();
            repeat(subject, work, TIMES).await;
            counts.push(proxy.take() as f64 / TIMES as f64);
        }
        println!("| {} | {} | {} |", subject.name, counts[0], counts[1]);
    }
}

async fn bytes(db: &mut Db, count: u64, subjects: &[(Subject, &str)]) {
    println!("\n| bytes a session | table and indexes, {count} sessions |\n|---|--:|");
    for (subject, table) in subjects {
        subject.fill(count).await;
        println!("| {} | {} |", subject.name, db.bytes(table).await / count);
    }
}

fn over_http(services: &[Service]) {
    println!(
        "\n| HTTP requests a second (times bare) | read, 1 connection | read, 64 | login, 1 connection | login, 64 |"
    );
    println!("|---|--:|--:|--:|--:|");
    let mut columns = Vec::new();
    for route in [Route::Read, Route::Login] {
        for connections in [1, 64] {
            columns.push(http::rates(services, route, connections));
        }
    }
    let mut bare = 0;
    for (at, service) in services.iter().enumerate() {
        if service.name.ends_with("bare") {
            bare = at;
        }
        let cells: Vec<String> = columns.iter().map(|column| rate(column.of(at, bare))).collect();
        println!("| {} | {} |", service.name, cells.join(" | "));
    }
}

fn http_round_trips(proxy: &Proxy, services: &[Service]) {
    println!("\n| round trips to the store for a request | read | login |\n|---|--:|--:|");
    for service in services {
        let counts = [Route::Read, Route::Login].map(|route| {
            service.repeat(route, 12);
            proxy.take();
            service.repeat(route, TIMES);
            proxy.take() as f64 / TIMES as f64
        });
        println!("| {} | {} | {} |", service.name, counts[0], counts[1]);
    }
}

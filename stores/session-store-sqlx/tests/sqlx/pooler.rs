//! PostgreSQL through a real PgBouncer that shares its connections between transactions.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use session_core::store::{Create, Invalidation, RecordKey, SessionStore};
use session_store_sqlx::{PostgresStore, StoreOptions};
use session_test_servers::{PgBouncer, Sql, SqlServer};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::backend::{REALM, fresh_table, login, now};

/// How long news may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);
const MODES: [&str; 3] = ["session", "transaction", "statement"];

/// The contract of the trait, clause by clause, with a plain URL.
mod conformance {
    use super::*;

    session_store_conformance::conformance_tests!({
        let Some(pooler) = PgBouncer::shared() else { return };
        let options = StoreOptions::default().table(fresh_table());
        PostgresStore::connect_with(&pooler.url(), options).await.unwrap()
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn many_stores_share_a_few_server_connections_in_every_mode_of_the_pooler() {
    let Some(server) = SqlServer::shared(Sql::Postgres) else { return };
    for mode in MODES {
        // Each of the stores' connections needs one of the pooler's, where those are not shared.
        for more in ["default_pool_size = 40", "server_round_robin = 1"] {
            let mode = format!("pool_mode = {mode}");
            let Some(pooler) = PgBouncer::start(server, &[&mode, more]) else { return };
            let options = StoreOptions::default().table(fresh_table()).max_connections(4);
            let connect = async || PostgresStore::connect_with(&pooler.url(), options.clone()).await;
            let stores = join_all((0..4).map(|_| connect())).await;
            let stores: Vec<_> = stores.into_iter().map(Result::unwrap).collect();
            // Each store begins with another statement, so that names of prepared ones would get mixed up.
            let calls = (0..200).map(async |at| {
                let (one, other) = (&stores[at % 4], &stores[(at + 1) % 4]);
                let record = login(&format!("user {}", at % 7));
                let key = RecordKey { realm: REALM, id: record.id };
                one.create(REALM, &record, Create::default(), now()).await.unwrap();
                assert_eq!(other.read(key, now()).await.unwrap().as_ref(), Some(&record), "{mode}");
                assert!(other.delete(key).await.unwrap());
                assert_eq!(one.read(key, now()).await.unwrap(), None);
            });
            join_all(calls).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_on_the_server_connections_that_others_use() {
    let Some(server) = SqlServer::start(Sql::Postgres) else { return };
    let settings = ["pool_mode = transaction", "default_pool_size = 1"];
    let Some(pooler) = PgBouncer::start(&server, &settings) else { return };
    let mut other = PgConnection::connect_with(&others(&pooler)).await.unwrap();
    let settings = "SELECT string_agg(name || '=' || setting, ',' ORDER BY name) FROM pg_settings
                    WHERE name NOT IN ('transaction_isolation', 'application_name') AND name NOT LIKE 'plpgsql.%'";
    let before: String = other.fetch_one(sqlx::raw_sql(settings)).await.unwrap().get(0);
    let store = PostgresStore::connect(&pooler.url()).await.unwrap();
    for _ in 0..20 {
        let record = login("ann");
        store.create(REALM, &record, Create::default(), now()).await.unwrap();
        store.read(RecordKey { realm: REALM, id: record.id }, now()).await.unwrap().unwrap();
    }
    let after: String = other.fetch_one(sqlx::raw_sql(settings)).await.unwrap().get(0);
    assert_eq!(before, after);
    let prepared = sqlx::raw_sql("SELECT name FROM pg_prepared_statements");
    assert!(other.fetch_all(prepared).await.unwrap().is_empty(), "prepared statements are left");
}

#[tokio::test(flavor = "multi_thread")]
async fn defaults_of_the_server_change_nothing_behind_a_pooler() {
    let Some(server) = SqlServer::start(Sql::Postgres) else { return };
    for setting in [
        "default_transaction_isolation = 'serializable'",
        "bytea_output = 'escape'",
        "standard_conforming_strings = off",
        "backslash_quote = on",
    ] {
        server.run(&format!("ALTER SYSTEM SET {setting}"));
    }
    server.run("SELECT pg_reload_conf()");
    let Some(pooler) = PgBouncer::start(&server, &["pool_mode = transaction"]) else { return };
    let store = Arc::new(PostgresStore::connect(&pooler.url()).await.unwrap());
    let mut record = login(r"a\'b");
    record.payload = (0..=255).collect();
    store.create(REALM, &record, Create::default(), now()).await.unwrap();
    let read = store.read(RecordKey { realm: REALM, id: record.id }, now()).await.unwrap();
    assert_eq!(read, Some(record));
    crate::races::fifty_logins_of_one_account(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens_through_a_pooler_that_shares_and_the_error_says_what_to_set() {
    let Some(pooler) = PgBouncer::shared() else { return };
    let (options, pool) = (StoreOptions::default().table(fresh_table()), pool_of_others(pooler).await);
    let stores = [
        PostgresStore::connect_with(&pooler.url(), options.clone()).await.unwrap(),
        PostgresStore::connect_with(&pooler.url(), options.clone().transaction_pooler(true)).await.unwrap(),
        PostgresStore::connect_with(&pooler.url(), options.clone().listen_url(pooler.url())).await.unwrap(),
        PostgresStore::from_pool_with(pool, options).await.unwrap(),
    ];
    for store in &stores {
        let listening = store.listen(REALM, &|_| panic!("it hears"));
        let error = timeout(PATIENCE, listening).await.expect("it listens").unwrap_err();
        assert!(!error.is_retryable() && error.to_string().contains("listen_url"), "{error}");
    }
    let mut other = PgConnection::connect_with(&others(pooler)).await.unwrap();
    for _ in 0..20 {
        let channels = sqlx::raw_sql("SELECT pg_listening_channels()");
        assert!(other.fetch_all(channels).await.unwrap().is_empty(), "a shared connection listens");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn news_from_behind_a_pooler_is_heard_at_a_direct_address() {
    let (Some(pooler), Some(server)) = (PgBouncer::shared(), SqlServer::shared(Sql::Postgres)) else {
        return;
    };
    let options = StoreOptions::default().table(fresh_table()).listen_url(server.url());
    assert!(!format!("{options:?}").contains("postgres://"), "{options:?}");
    let store = PostgresStore::connect_with(&pooler.url(), options).await.unwrap();
    let (heard, mut news) = mpsc::unbounded_channel();
    let listening = tokio::spawn({
        let store = store.clone();
        let heard = move |news| _ = heard.send(news);
        async move { store.listen(REALM, &heard).await }
    });
    // Nobody says when it has begun.
    let told = async {
        loop {
            let record = login("ann");
            store.create(REALM, &record, Create::default(), now()).await.unwrap();
            store.delete(RecordKey { realm: REALM, id: record.id }).await.unwrap();
            if let Ok(news) = timeout(Duration::from_millis(100), news.recv()).await {
                return news;
            }
        }
    };
    let told = timeout(PATIENCE, told).await.expect("nothing is heard");
    assert!(matches!(told, Some(Invalidation::Ended(_))), "{told:?}");
    store.close().await;
    timeout(PATIENCE, listening).await.expect("it goes on").unwrap().unwrap_err();
}

/// Also what happens where it was not found out.
#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_begins_to_share_while_the_store_is_in_use_is_noticed() {
    let Some(server) = SqlServer::shared(Sql::Postgres) else { return };
    let settings = ["pool_mode = session", "default_pool_size = 2"];
    let Some(mut pooler) = PgBouncer::start(server, &settings) else { return };
    let options = StoreOptions::default().table(fresh_table()).max_connections(2);
    let store = PostgresStore::connect_with(&pooler.url(), options).await.unwrap();
    let record = login("ann");
    let key = RecordKey { realm: REALM, id: record.id };
    store.create(REALM, &record, Create::default(), now()).await.unwrap();
    pooler.restart(&["pool_mode = transaction", "default_pool_size = 1"]);
    for _ in 0..10 {
        let reads = (0..4).map(|_| store.read(key, now()));
        for read in join_all(reads).await {
            assert_eq!(read.unwrap().as_ref(), Some(&record));
        }
    }
    assert!(store.delete(key).await.unwrap());
}

/// The second of the two connections that look waits for the first one; nothing else does.
#[tokio::test(flavor = "multi_thread")]
async fn one_server_connection_for_each_user_is_enough_in_session_mode() {
    let Some(server) = SqlServer::shared(Sql::Postgres) else { return };
    let settings = ["pool_mode = session", "default_pool_size = 1"];
    let Some(pooler) = PgBouncer::start(server, &settings) else { return };
    let options = StoreOptions::default().table(fresh_table()).max_connections(1);
    let url = pooler.url();
    let store = timeout(PATIENCE, PostgresStore::connect_with(&url, options)).await;
    let store = store.expect("it waits for a connection").unwrap();
    begins_and_ends(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_has_all_the_connections_of_its_role_is_enough() {
    let Some(server) = SqlServer::start(Sql::Postgres) else { return };
    server.run("CREATE ROLE app LOGIN PASSWORD 'x' CONNECTION LIMIT 2; GRANT ALL ON SCHEMA public TO app");
    for connections in [1, 2] {
        let pool = PgPoolOptions::new().max_connections(connections).min_connections(connections);
        let pool = pool.connect(&server.url_of("app:x", "sessions")).await.unwrap();
        let store = PostgresStore::from_pool(pool.clone()).await.unwrap();
        begins_and_ends(&store).await;
        pool.close().await;
    }
    server.run("ALTER ROLE app CONNECTION LIMIT 0");
    let error = PostgresStore::connect(&server.url_of("app:x", "sessions")).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(error.is_retryable() && source.contains("too many connections"), "{error}: {source}");
}

/// As an application may do to its own pool; also within the transactions that another isolation level asks for.
#[tokio::test(flavor = "multi_thread")]
async fn prepared_statements_that_somebody_let_go_of_are_noticed() {
    let Some(server) = SqlServer::shared(Sql::Postgres) else { return };
    for (isolation, most_failures) in [("read committed", 0), ("serializable", 1)] {
        let address: PgConnectOptions = server.url().parse().unwrap();
        let address = address.options([("default_transaction_isolation", isolation)]);
        let pool = PgPoolOptions::new().max_connections(1).connect_with(address).await.unwrap();
        let options = StoreOptions::default().table(fresh_table());
        let store = PostgresStore::from_pool_with(pool.clone(), options).await.unwrap();
        begins_and_ends(&store).await;
        sqlx::raw_sql("DEALLOCATE ALL").execute(&pool).await.unwrap();
        let mut failures = 0;
        while let Err(error) = store.create(REALM, &login("ann"), Create::default(), now()).await {
            failures += 1;
            assert!(error.is_retryable() && failures <= most_failures, "{isolation}: {error}");
        }
        begins_and_ends(&store).await;
    }
}

#[tokio::test]
async fn a_startup_parameter_that_the_pooler_refuses_is_said_and_no_lost_connection() {
    let Some(pooler) = PgBouncer::shared() else { return };
    let url = format!("{}&options=-c%20geqo%3Doff", pooler.url());
    let error = PostgresStore::connect(&url).await.unwrap_err();
    let (said, source) = (error.to_string(), std::error::Error::source(&error).unwrap().to_string());
    assert!(!error.is_retryable() && said.contains("startup parameter"), "{error}");
    assert!(source.contains("startup parameter"), "{source}");
    // What sqlx sends by itself.
    let pool = PgPoolOptions::new().connect_lazy(&pooler.url()).unwrap();
    let error = PostgresStore::from_pool(pool).await.unwrap_err();
    assert!(error.to_string().contains("extra_float_digits(None)"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_of_no_statements_leaves_none_on_the_server() {
    let Some(server) = SqlServer::shared(Sql::Postgres) else { return };
    let options = StoreOptions::default().table(fresh_table()).max_connections(1);
    let url = format!("{}&statement-cache-capacity=0", server.url());
    let from_url = PostgresStore::connect_with(&url, options.clone()).await.unwrap();
    let pool = PgPoolOptions::new().max_connections(1).connect(&url).await.unwrap();
    let from_pool = PostgresStore::from_pool_with(pool.clone(), options).await.unwrap();
    for store in [from_url, from_pool] {
        let record = login("ann");
        let key = RecordKey { realm: REALM, id: record.id };
        store.create(REALM, &record, Create::default(), now()).await.unwrap();
        for _ in 0..20 {
            assert_eq!(store.read(key, now()).await.unwrap().as_ref(), Some(&record));
        }
    }
    let left = sqlx::raw_sql("SELECT count(*) FROM pg_prepared_statements").fetch_one(&pool).await.unwrap();
    assert_eq!(left.get::<i64, _>(0), 0, "prepared statements that nobody will use");
}

async fn begins_and_ends(store: &PostgresStore) {
    let record = login("ann");
    let key = RecordKey { realm: REALM, id: record.id };
    store.create(REALM, &record, Create::default(), now()).await.unwrap();
    assert_eq!(store.read(key, now()).await.unwrap().as_ref(), Some(&record));
    assert!(store.delete(key).await.unwrap());
}

/// As another application would connect.
fn others(pooler: &PgBouncer) -> PgConnectOptions {
    pooler.url().parse::<PgConnectOptions>().unwrap().extra_float_digits(None)
}

async fn pool_of_others(pooler: &PgBouncer) -> sqlx::PgPool {
    PgPoolOptions::new().max_connections(3).connect_with(others(pooler)).await.unwrap()
}

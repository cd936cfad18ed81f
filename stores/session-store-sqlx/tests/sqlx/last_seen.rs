//! Reading that moves last-seen on: for whom, and what happens to the read when nothing can be written.

use std::time::Duration;

use session_core::store::{Create, RecordKey, SessionRecord, SessionStore, Touch};

use crate::backend::{Backend, REALM, login, now};
use crate::schema::on_every_database;

const INTERVAL: Duration = Duration::from_secs(60);
const IDLE: Duration = Duration::from_secs(3600);
const GRACE: Duration = Duration::from_secs(30);

on_every_database! {
    only_a_token_that_opens_the_session_moves_last_seen
    a_counter_at_its_end_is_read
}

fn touch(generation: u64) -> Touch {
    Touch::new(INTERVAL, Some(IDLE), generation, GRACE)
}

async fn only_a_token_that_opens_the_session_moves_last_seen<B: Backend>() {
    let Some(backend) = B::start() else { return };
    let store = backend.connect(backend.options().0).await.unwrap();
    let (begin, later) = (now(), now().plus(INTERVAL));
    let used = |ago: Duration| Some(later.minus(ago));
    let second = Duration::from_secs(1);
    for (newest, first_used_at, asks, moves) in [
        (0, None, 0, true),
        (5, used(INTERVAL), 5, true),
        // From a backup that is older than the token.
        (5, used(INTERVAL), 6, true),
        (5, None, 4, true),
        (5, used(GRACE - second), 4, true),
        (5, used(GRACE), 4, false),
        (5, None, 3, false),
        (5, used(second), 3, false),
        (i64::MAX as u64, None, u64::MAX, true),
    ] {
        let record = login("ann").with(|record| {
            record.generation = newest;
            record.first_used_at = first_used_at;
            // The clock may have gone on since the first case.
            record.last_seen = begin;
        });
        store.create(REALM, &record, Create::default(), begin).await.unwrap();
        let key = RecordKey { realm: REALM, id: record.id };
        let began = std::time::Instant::now();
        let mut read = store.read_and_touch(key, touch(asks), later).await.unwrap().unwrap();
        // On a loaded machine a touch may take too long, and the next ones pause.
        while moves && read.last_seen != later && began.elapsed() < Duration::from_secs(10) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            read = store.read_and_touch(key, touch(asks), later).await.unwrap().unwrap();
        }
        let case = format!("{asks} asks for {newest}, first used {first_used_at:?}");
        assert_eq!(read.last_seen, if moves { later } else { record.last_seen }, "{case}");
        assert_eq!(store.read(key, later).await.unwrap(), Some(read), "{case}");
    }
}

/// Of a record that no manager wrote.
async fn a_counter_at_its_end_is_read<B: Backend>() {
    let Some(backend) = B::start() else { return };
    let store = backend.connect(backend.options().0).await.unwrap();
    for version in [i64::MAX as u64 - 1, i64::MAX as u64] {
        let record = login("ann").with(|record| record.version = version);
        store.create(REALM, &record, Create::default(), now()).await.unwrap();
        let key = RecordKey { realm: REALM, id: record.id };
        let at = record.last_seen.plus(INTERVAL);
        let read = store.read_and_touch(key, touch(0), at).await.unwrap().unwrap();
        // A touch may be left out, and the last version has no next one.
        let touched = touch(0).apply(&record, at);
        assert_eq!(touched.is_some(), version < SessionRecord::LAST);
        assert!(read == record || Some(&read) == touched.as_ref(), "{read:?} after {version}");
    }
}

/// Returns when the server has heard of its new setting: writing works, or it does not.
#[cfg(feature = "postgres")]
async fn until_writing(works: bool, store: &dyn SessionStore) {
    let began = std::time::Instant::now();
    while store.create(REALM, &login("bob"), Create::default(), now()).await.is_ok() != works {
        assert!(began.elapsed() < Duration::from_secs(60), "the setting has no effect");
    }
}

/// Several sessions whose last-seen is to be moved on, and a store that has been used.
async fn due(store: &dyn SessionStore) -> Vec<SessionRecord> {
    let mut records = Vec::new();
    for _ in 0..3 {
        let record = login("ann");
        store.create(REALM, &record, Create::default(), now()).await.unwrap();
        records.push(record);
    }
    records
}

/// Each is read as it is, again and again, and soon.
async fn are_read(store: &dyn SessionStore, records: &[SessionRecord], fault: &str) {
    let later = now().plus(INTERVAL);
    for record in records.iter().chain(records) {
        let key = RecordKey { realm: REALM, id: record.id };
        // Core's deadline.
        let read = tokio::time::timeout(Duration::from_secs(2), store.read_and_touch(key, touch(0), later));
        let read = read.await.unwrap_or_else(|_| panic!("{fault}: too late"));
        assert_eq!(read.unwrap_or_else(|error| panic!("{fault}: {error}")).as_ref(), Some(record), "{fault}");
    }
}

async fn is_moved_again(store: &dyn SessionStore, records: &[SessionRecord], fault: &str) {
    let later = now().plus(INTERVAL);
    for record in records {
        let key = RecordKey { realm: REALM, id: record.id };
        // After one that failed, touches pause.
        let began = std::time::Instant::now();
        while store.read_and_touch(key, touch(0), later).await.unwrap().unwrap().last_seen == record.last_seen
        {
            assert!(began.elapsed() < Duration::from_secs(10), "{fault} is over");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[cfg(feature = "postgres")]
mod on_postgres {
    use session_store_sqlx::{PostgresStore, StoreOptions};
    use session_test_servers::{Sql, SqlServer};
    use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

    use super::*;
    use crate::backend::fresh_table;

    /// Each fault is switched on by some statements and off by others.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_session_is_read_whatever_keeps_last_seen_from_being_written() {
        let Some(server) = SqlServer::start(Sql::Postgres) else { return };
        server.run("CREATE ROLE app LOGIN PASSWORD 'secret'; GRANT ALL ON SCHEMA public TO app");
        let table = fresh_table();
        let url = server.url_of("app:secret", "sessions");
        let options = StoreOptions::default().table(&table).announce(false);
        let raise = |code: &str| {
            format!(
                "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                     RAISE EXCEPTION 'as told' USING ERRCODE = '{code}'; END $$;
                 CREATE TRIGGER fail BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION fail()"
            )
        };
        let no_trigger = format!("DROP TRIGGER fail ON {table}");
        let reload =
            |setting: &str| vec![format!("ALTER SYSTEM {setting}"), "SELECT pg_reload_conf()".to_owned()];
        let faults = [
            (
                "a read-only server",
                reload("SET default_transaction_read_only = on"),
                reload("RESET default_transaction_read_only"),
            ),
            (
                "a read-only role",
                vec!["ALTER ROLE app SET default_transaction_read_only = on".to_owned()],
                vec!["ALTER ROLE app RESET ALL".to_owned()],
            ),
            (
                "no right to write",
                vec![format!(
                    "ALTER TABLE {table} OWNER TO postgres; REVOKE ALL ON {table} FROM app; GRANT SELECT ON {table} TO app"
                )],
                vec![format!("ALTER TABLE {table} OWNER TO app; GRANT ALL ON {table} TO app")],
            ),
            (
                "no right to call",
                vec![format!(
                    "ALTER FUNCTION {table}_touch_v7 OWNER TO postgres; REVOKE ALL ON FUNCTION {table}_touch_v7 FROM PUBLIC, app"
                )],
                vec![format!("GRANT ALL ON FUNCTION {table}_touch_v7 TO PUBLIC")],
            ),
            (
                "a function that is missing",
                vec![format!("ALTER FUNCTION {table}_touch_v7 RENAME TO elsewhere")],
                vec![format!("ALTER FUNCTION elsewhere RENAME TO {table}_touch_v7")],
            ),
            ("a statement that takes too long", vec![raise("57014")], vec![no_trigger.clone()]),
            ("a full disk", vec![raise("53100")], vec![no_trigger.clone()]),
            ("a serialization failure", vec![raise("40001")], vec![no_trigger.clone()]),
            (
                "a standby that does not answer",
                reload("SET synchronous_standby_names = 'nobody'"),
                reload("RESET synchronous_standby_names"),
            ),
        ];
        let store = PostgresStore::connect_with(&url, options.clone()).await.unwrap();
        for (fault, begin, end) in faults {
            let records = due(&store).await;
            begin.iter().for_each(|sql| drop(server.run(sql)));
            if fault == "a read-only server" {
                until_writing(false, &store).await;
            }
            // A role's settings are for connections to come.
            let fresh = PostgresStore::connect_with(&url, options.clone().migrate(false)).await.unwrap();
            if fault == "a standby that does not answer" {
                // Nobody waits for it.
                is_moved_again(&store, &records, fault).await;
            } else {
                are_read(&fresh, &records, fault).await;
                if fault != "a read-only role" {
                    are_read(&store, &records, fault).await;
                }
            }
            end.iter().for_each(|sql| drop(server.run(sql)));
            until_writing(true, &store).await;
            is_moved_again(&store, &due(&store).await, fault).await;
        }
        // Held by somebody who makes an index, as long as that takes.
        let records = due(&store).await;
        let mut other = PgConnection::connect(&server.url()).await.unwrap();
        let mut transaction = other.begin().await.unwrap();
        let lock = format!("LOCK TABLE {table} IN SHARE MODE");
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut *transaction).await.unwrap();
        are_read(&store, &records, "a lock").await;
        transaction.rollback().await.unwrap();
        is_moved_again(&store, &records, "a lock").await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_store_that_cannot_write_starts_and_reads() {
        let Some(server) = SqlServer::shared(Sql::Postgres) else { return };
        let options = StoreOptions::default().table(fresh_table());
        let records = due(&PostgresStore::connect_with(&server.url(), options.clone()).await.unwrap()).await;
        server.run("CREATE ROLE reader SUPERUSER LOGIN PASSWORD 'secret'; ALTER ROLE reader SET default_transaction_read_only = on");
        let store =
            PostgresStore::connect_with(&server.url_of("reader:secret", "sessions"), options).await.unwrap();
        are_read(&store, &records, "a role that reads").await;
        let error = store.delete(RecordKey { realm: REALM, id: records[0].id }).await.unwrap_err();
        assert!(error.is_retryable() && error.to_string().contains("takes no writes"), "{error}");
    }
}

#[cfg(feature = "mysql")]
#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_read_whatever_keeps_mariadb_from_writing_last_seen() {
    use session_store_sqlx::{MySqlStore, StoreOptions};
    use session_test_servers::{Sql, SqlServer};

    let Some(server) = SqlServer::start(Sql::MariaDb) else { return };
    server.run("CREATE USER app@localhost IDENTIFIED BY 'secret'; GRANT ALL ON sessions.* TO app@localhost");
    let url = server.url_of("app:secret", "sessions");
    let store = MySqlStore::connect(&url).await.unwrap();
    let raise = "CREATE TRIGGER fail BEFORE UPDATE ON login_sessions FOR EACH ROW
        SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = ";
    for (fault, begin, end) in [
        ("read_only", "SET GLOBAL read_only = 1".to_owned(), "SET GLOBAL read_only = 0"),
        (
            "no right to write",
            "REVOKE ALL ON sessions.* FROM app@localhost; GRANT SELECT ON sessions.* TO app@localhost"
                .to_owned(),
            "GRANT ALL ON sessions.* TO app@localhost",
        ),
        ("a full disk", format!("{raise} 1021"), "DROP TRIGGER fail"),
        ("a lock", format!("{raise} 1205"), "DROP TRIGGER fail"),
        ("a deadlock", format!("{raise} 1213"), "DROP TRIGGER fail"),
    ] {
        let records = due(&store).await;
        server.run(&begin);
        let fresh = MySqlStore::connect_with(&url, StoreOptions::default().migrate(false)).await.unwrap();
        are_read(&fresh, &records, fault).await;
        // A connection keeps the rights of its beginning.
        if fault != "no right to write" {
            are_read(&store, &records, fault).await;
        }
        server.run(end);
        let store = MySqlStore::connect(&url).await.unwrap();
        is_moved_again(&store, &records, fault).await;
    }
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_read_whatever_keeps_sqlite_from_writing_last_seen() {
    use session_store_sqlx::SqliteStore;
    use sqlx::Connection as _;
    use sqlx::sqlite::SqlitePoolOptions;

    let backend = crate::backend::Sqlite::start().unwrap();
    let store = SqliteStore::connect(&backend.url()).await.unwrap();
    let records = due(&store).await;
    let reads = backend.file().pragma("query_only", "on");
    let pool = SqlitePoolOptions::new().connect_with(reads).await.unwrap();
    let on_a_pool = SqliteStore::from_pool(pool).await.unwrap();
    are_read(&on_a_pool, &records, "query_only").await;

    let mut other = sqlx::sqlite::SqliteConnection::connect_with(&backend.file()).await.unwrap();
    let writes = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    are_read(&store, &records, "a writer of another process").await;
    writes.rollback().await.unwrap();
    // Those that were given up may still have been under way.
    is_moved_again(&store, &due(&store).await, "a writer of another process").await;
}

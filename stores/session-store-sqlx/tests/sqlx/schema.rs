//! Migrations, and every way in which a database can be the wrong one.

use std::error::Error as _;

use futures_util::future::join_all;
use session_core::store::{Account, RecordKey, StoreError};
use session_store_sqlx::StoreOptions;

use crate::backend::{Backend, REALM, login, now};

const ANN: Account<'static> = Account { realm: REALM, subject: "ann" };

/// Stamps the tests out for each database.
macro_rules! on_every_database {
    ($($test:ident)*) => {
        #[cfg(feature = "sqlite")]
        mod sqlite { $(#[tokio::test(flavor = "multi_thread")] async fn $test() {
            super::$test::<crate::backend::Sqlite>().await;
        })* }
        #[cfg(feature = "postgres")]
        mod postgres { $(#[tokio::test(flavor = "multi_thread")] async fn $test() {
            super::$test::<crate::backend::Postgres>().await;
        })* }
        #[cfg(feature = "mysql")]
        mod mysql { $(#[tokio::test(flavor = "multi_thread")] async fn $test() {
            super::$test::<crate::backend::MySql>().await;
        })* }
    };
}
pub(crate) use on_every_database;

on_every_database! {
    any_number_of_processes_start_at_once
    a_database_of_version_1_is_migrated_by_any_number_of_processes_at_once
    what_is_printed_migrates_a_database_of_version_1
    what_is_printed_can_be_run_twice_and_is_enough
    a_missing_table_without_migrations_says_what_to_do
    a_newer_schema_is_refused
    somebody_elses_table_is_refused
    garbage_is_an_error_of_that_session_only
    names_that_need_quoting_are_refused
    a_pool_of_the_users_works
}

async fn any_number_of_processes_start_at_once<B: Backend>() {
    let Some(backend) = B::start() else { return };
    let (options, _) = backend.options();
    let stores = join_all((0..8).map(|_| backend.connect(options.clone()))).await;
    let record = login("ann");
    for (at, store) in stores.iter().enumerate() {
        let store = store.as_ref().unwrap();
        if at == 0 {
            store.create(REALM, &record, Default::default(), now()).await.unwrap();
        }
        let key = RecordKey { realm: REALM, id: record.id };
        assert_eq!(store.read(key, now()).await.unwrap().as_ref(), Some(&record));
    }
}

async fn a_database_of_version_1_is_migrated_by_any_number_of_processes_at_once<B: Backend>() {
    let Some(backend) = B::start() else { return };
    let (options, table) = backend.options();
    backend.run(&B::VERSION_1.replace("{table}", &table)).await;
    backend.run(&row_of_version_1::<B>(&table)).await;
    let error = refused(backend.connect(options.clone().migrate(false)).await, false);
    assert!(error.to_string().contains("migrations are off"), "{error}");

    let stores = join_all((0..8).map(|_| backend.connect(options.clone()))).await;
    let new = login("ann");
    let key = RecordKey { realm: REALM, id: new.id };
    for (at, store) in stores.iter().enumerate() {
        let store = store.as_ref().unwrap();
        if at == 0 {
            assert_eq!(store.list(ANN, now()).await.unwrap(), [], "no token leads to it");
            store.create(REALM, &new, Default::default(), now()).await.unwrap();
        }
        assert_eq!(store.read(key, now()).await.unwrap().as_ref(), Some(&new));
    }
}

async fn what_is_printed_migrates_a_database_of_version_1<B: Backend>() {
    let Some(backend) = B::start() else { return };
    let (options, table) = backend.options();
    backend.run(&B::VERSION_1.replace("{table}", &table)).await;
    backend.run(&row_of_version_1::<B>(&table)).await;
    let printed = B::schema_sql(&options);
    backend.run(&said_to_be_first(&printed)).await;
    backend.run(&printed).await;
    let store = backend.connect(options.migrate(false)).await.unwrap();
    assert_eq!(store.list(ANN, now()).await.unwrap(), [], "no token leads to it");
    store.create(REALM, &login("ann"), Default::default(), now()).await.unwrap();
}

/// What SQLite has no condition for, and therefore stands in a comment.
fn said_to_be_first(printed: &str) -> String {
    let lines = printed
        .lines()
        .filter_map(|line| line.strip_prefix("-- "))
        .filter(|line| line.starts_with("DROP TABLE"));
    lines.collect()
}

/// What version 1 wrote.
fn row_of_version_1<B: Backend>(table: &str) -> String {
    let record = login("ann");
    let [realm, id, subject, payload] =
        [REALM.as_bytes(), b"an id of 16 byte", b"ann", &record.payload].map(B::literal);
    let (now, end) = (record.issued_at.unix_seconds(), record.ends_at.unix_seconds());
    format!(
        "INSERT INTO {table} (realm, id, subject, version, payload, authenticated_at, last_seen, generation, issued_at,
             expires_at, ends_at)
         VALUES ({realm}, {id}, {subject}, 0, {payload}, {now}, {now}, 0, {now}, {end}, {end})"
    )
}

async fn what_is_printed_can_be_run_twice_and_is_enough<B: Backend>() {
    let Some(backend) = B::start() else { return };
    let (options, _) = backend.options();
    let sql = B::schema_sql(&options);
    backend.run(&sql).await;
    let store = backend.connect(options.clone().migrate(false)).await.unwrap();
    let record = login("ann");
    store.create(REALM, &record, Default::default(), now()).await.unwrap();
    backend.run(&sql).await;
    let key = RecordKey { realm: REALM, id: record.id };
    assert_eq!(store.read(key, now()).await.unwrap(), Some(record));
    backend.connect(options).await.unwrap();
}

async fn a_missing_table_without_migrations_says_what_to_do<B: Backend>() {
    let Some(backend) = B::start() else { return };
    let (options, table) = backend.options();
    let error = refused(backend.connect(options.clone().migrate(false)).await, false);
    assert!(error.to_string().contains("schema_sql"), "{error}");
    // It goes missing while the store is in use.
    let store = backend.connect(options).await.unwrap();
    backend.run(&format!("DROP TABLE {table}")).await;
    let error = store.read(RecordKey { realm: REALM, id: login("ann").id }, now()).await.unwrap_err();
    assert!(!error.is_retryable() && error.to_string().contains("schema_sql"), "{error}");
    assert!(error.source().is_some());
}

async fn a_newer_schema_is_refused<B: Backend>() {
    let Some(backend) = B::start() else { return };
    let (options, table) = backend.options();
    backend.connect(options.clone()).await.unwrap();
    backend.run(&format!("INSERT INTO {table}_schema (version) VALUES (99)")).await;
    for migrate in [true, false] {
        let error = refused(backend.connect(options.clone().migrate(migrate)).await, false);
        assert!(
            error.to_string().contains("version 99") && error.to_string().contains("update this one"),
            "{error}"
        );
    }
}

async fn somebody_elses_table_is_refused<B: Backend>() {
    let Some(backend) = B::start() else { return };
    let (options, table) = backend.options();
    backend.run(&format!("CREATE TABLE {table} (id INTEGER PRIMARY KEY, data TEXT)")).await;
    let error = refused(backend.connect(options).await, false);
    assert!(error.to_string().contains("another table name"), "{error}");
}

async fn garbage_is_an_error_of_that_session_only<B: Backend>() {
    let Some(backend) = B::start() else { return };
    let (options, table) = backend.options();
    let store = backend.connect(options).await.unwrap();
    let (spoilt, sound) = (login("ann"), login("bob"));
    store.create(REALM, &spoilt, Default::default(), now()).await.unwrap();
    backend.run(&format!("UPDATE {table} SET ip_address = 'xyz'")).await;
    store.create(REALM, &sound, Default::default(), now()).await.unwrap();
    let error = store.read(RecordKey { realm: REALM, id: spoilt.id }, now()).await.unwrap_err();
    assert!(!error.is_retryable() && error.source().is_some(), "{error}");
    assert!(error.to_string().contains("delete that row"), "{error}");
    assert!(store.read(RecordKey { realm: REALM, id: sound.id }, now()).await.unwrap().is_some());
    // Also where they are asked for together.
    for _ in 0..20 {
        let (spoilt, absent) = (RecordKey { realm: REALM, id: spoilt.id }, login("carl").id);
        let sound = RecordKey { realm: REALM, id: sound.id };
        let (one, other, none) = tokio::join!(
            store.read(spoilt, now()),
            store.read(sound, now()),
            store.read(RecordKey { realm: REALM, id: absent }, now())
        );
        assert!(one.is_err() && other.unwrap().is_some() && none.unwrap().is_none());
    }
    assert!(store.delete(RecordKey { realm: REALM, id: spoilt.id }).await.unwrap(), "it can be ended");
}

async fn names_that_need_quoting_are_refused<B: Backend>() {
    let Some(backend) = B::start() else { return };
    for name in ["", "a b", "t; DROP TABLE t", "T"] {
        refused(backend.connect(StoreOptions::default().table(name)).await, false);
    }
    refused(backend.connect(StoreOptions::default().max_connections(0)).await, false);
    // A word of the language is fine.
    backend.connect(StoreOptions::default().table("order")).await.unwrap();
}

async fn a_pool_of_the_users_works<B: Backend>() {
    let Some(backend) = B::start() else { return };
    let (options, _) = backend.options();
    let store = backend.on_a_pool(options).await.unwrap();
    crate::races::fifty_logins_of_one_account(store).await;
}

/// The error, which must be one of this sort.
fn refused<T>(answer: Result<T, StoreError>, retryable: bool) -> StoreError {
    let Err(error) = answer else { panic!("not refused") };
    assert_eq!(error.is_retryable(), retryable, "{error}: {:?}", error.source());
    error
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
mod logins {
    use std::net::TcpListener;

    use session_test_servers::{Sql, SqlServer};

    use super::refused;

    /// No such host, nobody at the port, and somebody who never says a word.
    #[cfg(feature = "postgres")]
    #[tokio::test]
    async fn postgres_that_cannot_be_reached() {
        use session_store_sqlx::PostgresStore;
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        for place in nowhere(&silent) {
            if place.ends_with(&silent.local_addr().unwrap().port().to_string()) {
                // Time runs while everybody waits.
                tokio::time::pause();
            }
            let error = refused(PostgresStore::connect(&format!("postgres://me@{place}/x")).await, true);
            let said = error.to_string();
            assert!(said.contains("cannot be reached") && said.contains(&place), "{place}: {error}");
        }
    }

    #[cfg(feature = "mysql")]
    #[tokio::test]
    async fn mysql_that_cannot_be_reached() {
        use session_store_sqlx::MySqlStore;
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        for place in nowhere(&silent) {
            if place.ends_with(&silent.local_addr().unwrap().port().to_string()) {
                tokio::time::pause();
            }
            let error = refused(MySqlStore::connect(&format!("mysql://me@{place}/x")).await, true);
            let said = error.to_string();
            assert!(said.contains("cannot be reached") && said.contains(&place), "{place}: {error}");
        }
    }

    fn nowhere(silent: &TcpListener) -> [String; 3] {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        ["host.invalid:1".to_owned(), closed.to_string(), silent.local_addr().unwrap().to_string()]
    }

    #[cfg(feature = "postgres")]
    #[tokio::test]
    async fn postgres() {
        use session_store_sqlx::PostgresStore;
        let Some(server) = SqlServer::shared(Sql::Postgres) else { return };
        server.run("CREATE ROLE locked LOGIN PASSWORD 'right'");
        let wrong = server.url_of("locked:wrong", "sessions");
        let error = refused(PostgresStore::connect(&wrong).await, false);
        assert!(error.to_string().contains("password"), "{error}");
        assert!(error.to_string().starts_with("postgres://locked@localhost/sessions at /"), "{error}");
        assert!(!format!("{error:?}").contains("wrong"), "{error:?}");
        // The login is right, but the user may not make tables.
        let right = server.url_of("locked:right", "sessions");
        let error = refused(PostgresStore::connect(&right).await, false);
        assert!(error.to_string().contains("grant"), "{error}");
        let nowhere = server.url_of("postgres", "nowhere");
        let error = refused(PostgresStore::connect(&nowhere).await, false);
        assert!(error.to_string().contains("does not exist"), "{error}");
        let error = refused(PostgresStore::connect("postgres://localhost/x?host=/nonexistent").await, true);
        assert!(error.to_string().contains("cannot be reached"), "{error}");
        refused(PostgresStore::connect("no url").await, false);
    }

    #[cfg(feature = "mysql")]
    #[tokio::test]
    async fn mysql() {
        use session_store_sqlx::MySqlStore;
        let Some(server) = SqlServer::shared(Sql::MariaDb) else { return };
        server.run("CREATE USER locked@localhost IDENTIFIED BY 'right'; GRANT SELECT ON sessions.* TO locked@localhost");
        let wrong = server.url_of("locked:wrong", "sessions");
        let error = refused(MySqlStore::connect(&wrong).await, false);
        assert!(error.to_string().contains("password"), "{error}");
        assert!(error.to_string().starts_with("mysql://locked@localhost/sessions at /"), "{error}");
        assert!(!format!("{error:?}").contains("wrong"), "{error:?}");
        let right = server.url_of("locked:right", "sessions");
        let error = refused(MySqlStore::connect(&right).await, false);
        assert!(error.to_string().contains("grant"), "{error}");
        let nowhere = server.url_of("root", "nowhere");
        let error = refused(MySqlStore::connect(&nowhere).await, false);
        assert!(error.to_string().contains("does not exist"), "{error}");
        let error = refused(MySqlStore::connect("mysql://root@localhost/x?socket=/nonexistent").await, true);
        assert!(error.to_string().contains("cannot be reached"), "{error}");
        refused(MySqlStore::connect("no url").await, false);
    }
}

/// A driver takes any URL for one of its own.
#[cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql"))]
#[tokio::test]
async fn a_url_of_another_database_names_the_right_store_and_no_password() {
    use session_store_sqlx::{MySqlStore, PostgresStore, SqliteStore};
    for (url, right) in [
        ("postgres://me:hush@127.0.0.1:1/x", "PostgresStore"),
        ("mysql://me:hush@127.0.0.1:1/x", "MySqlStore"),
        ("mariadb://me:hush@127.0.0.1:1/x", "MySqlStore"),
        ("sqlite:/nonexistent/hush.sqlite", "SqliteStore"),
        ("redis://:hush@127.0.0.1:1", "RedisStore"),
        ("rediss://:hush@127.0.0.1:1", "RedisStore"),
        ("http://me:hush@127.0.0.1:1", "no URL of a database"),
    ] {
        let answers = [
            ("PostgresStore", PostgresStore::connect(url).await.map(drop)),
            ("MySqlStore", MySqlStore::connect(url).await.map(drop)),
            ("SqliteStore", SqliteStore::connect(url).await.map(drop)),
        ];
        for (store, answer) in answers.into_iter().filter(|(store, _)| *store != right) {
            let error = refused(answer, false);
            let said = error.to_string();
            assert!(said.contains(right) && said.contains(store), "{url}: {error}");
            assert!(!format!("{error:?}").contains("hush"), "{url}: {error:?}");
        }
    }
}

#[cfg(feature = "sqlite")]
mod files {
    use std::sync::Arc;
    use std::time::Duration;

    use session_core::store::{Account, RecordKey, SessionRecord, SessionStore, StoreError, Touch};
    use session_store_sqlx::{SqliteStore, StoreOptions};
    use sqlx::Connection as _;
    use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePoolOptions};

    use super::refused;
    use crate::backend::{Backend, REALM, Sqlite, login, now};
    use crate::small_disk::SmallDisk;

    #[tokio::test]
    async fn a_missing_folder_and_a_file_of_something_else_are_refused() {
        let says = |error: StoreError, path: &str| {
            let said = error.to_string();
            assert!(said.contains("correct the URL") && said.starts_with(path), "{error}");
        };
        let path = "/nonexistent/sessions.sqlite";
        says(refused(SqliteStore::connect(&format!("sqlite:{path}")).await, false), path);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("notes.txt");
        std::fs::write(&file, "milk, bread\n".repeat(1000)).unwrap();
        let path = file.to_str().unwrap();
        says(refused(SqliteStore::connect(&format!("sqlite:{path}")).await, false), path);
        assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 1000, "it is left alone");
    }

    #[tokio::test]
    async fn a_database_for_each_connection_is_refused() {
        for url in [
            "",
            "sqlite:",
            "sqlite://",
            "sqlite://?mode=rwc",
            "sqlite:?cache=shared",
            "file:",
            "sqlite:file:",
        ] {
            let error = refused(SqliteStore::connect(url).await, false);
            assert!(error.to_string().contains("no path"), "{url:?}: {error}");
        }
        for options in [SqliteConnectOptions::new(), SqliteConnectOptions::new().filename("")] {
            let pool =
                SqlitePoolOptions::new().max_connections(5).connect_with(options.clone()).await.unwrap();
            let error = refused(SqliteStore::from_pool(pool).await, false);
            assert!(error.to_string().contains("a database of its own"), "{error}");
            let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
            SqliteStore::from_pool(pool).await.unwrap();
        }
        let pool = SqlitePoolOptions::new().max_connections(5).connect("sqlite::memory:").await.unwrap();
        crate::races::fifty_logins_of_one_account(Arc::new(SqliteStore::from_pool(pool).await.unwrap()))
            .await;
    }

    /// As a restore does that renames; whoever has the old file open is alone with it.
    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_that_was_replaced_or_deleted_is_an_error_until_the_store_is_made_again() {
        for on_a_pool in [false, true] {
            for deleted in [false, true] {
                let (backend, backup) = (Sqlite::start().unwrap(), Sqlite::start().unwrap());
                let [file, new] = [&backend, &backup].map(|of| of.file().get_filename().to_owned());
                SqliteStore::connect(&backup.url()).await.unwrap().close().await;
                let options = StoreOptions::default();
                let store =
                    if on_a_pool { backend.on_a_pool(options).await } else { backend.connect(options).await };
                let store = store.unwrap();
                let record = login("ann");
                store.create(REALM, &record, Default::default(), now()).await.unwrap();

                let old = file.with_extension("old");
                std::fs::rename(&file, &old).unwrap();
                if !deleted {
                    std::fs::rename(new, &file).unwrap();
                }
                for attempt in ["at once", "from then on"] {
                    for error in every_call(&*store, &record).await {
                        let said = error.to_string();
                        assert!(
                            !error.is_retryable() && said.contains(file.to_str().unwrap()),
                            "{attempt}: {said}"
                        );
                        assert!(said.contains("replaced or deleted"), "{attempt}: {said}");
                    }
                    // Too late: something may have been written elsewhere meanwhile.
                    std::fs::rename(&old, &file).or_else(|_| std::fs::metadata(&file).map(drop)).unwrap();
                }
                backend.connect(StoreOptions::default()).await.expect("a new store opens what is there");
            }
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_link_that_leads_elsewhere_now_is_a_file_that_was_replaced() {
        let (one, other) = (Sqlite::start().unwrap(), Sqlite::start().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("sessions.sqlite");
        let lead_to = |to: &Sqlite| std::os::unix::fs::symlink(to.file().get_filename(), &link).unwrap();
        SqliteStore::connect(&other.url()).await.unwrap().close().await;
        lead_to(&one);
        let store = SqliteStore::connect(&format!("sqlite:{}", link.display())).await.unwrap();
        std::fs::remove_file(&link).unwrap();
        lead_to(&other);
        let error = store.delete_realm(REALM, crate::MARK).await.unwrap_err();
        assert!(error.to_string().contains("replaced"), "{error}");
    }

    /// What each of them fails with.
    async fn every_call(store: &dyn SessionStore, record: &SessionRecord) -> Vec<StoreError> {
        let (key, now) = (RecordKey { realm: REALM, id: record.id }, now());
        let account = Account { realm: REALM, subject: "ann" };
        let touch = Touch::new(Duration::ZERO, None, 0, Duration::ZERO);
        vec![
            store.read(key, now).await.unwrap_err(),
            store.read_and_touch(key, touch, now).await.unwrap_err(),
            store.create(REALM, &login("ann"), Default::default(), now).await.unwrap_err(),
            store.replace(REALM, record, now).await.unwrap_err(),
            store.delete(key).await.unwrap_err(),
            store.list(account, now).await.unwrap_err(),
            store.delete_account(account, None, crate::MARK, now).await.unwrap_err(),
            store.delete_realm(REALM, crate::MARK).await.unwrap_err(),
            store.delete_expired(now, 100).await.unwrap_err(),
        ]
    }

    #[tokio::test]
    async fn a_full_disk_is_an_error_nothing_is_lost_and_with_room_it_goes_on() {
        let Some(disk) = SmallDisk::mount(1024) else { return };
        let ballast = disk.path().join("ballast");
        std::fs::write(&ballast, vec![0; 512 * 1024]).unwrap();
        let url = format!("sqlite:{}/sessions.sqlite", disk.path().display());
        let store = SqliteStore::connect(&url).await.unwrap();
        let mut stored = Vec::new();
        let error = loop {
            let record = login("ann");
            match store.create(REALM, &record, Default::default(), now()).await {
                Ok(_) => stored.push(record),
                Err(error) => break error,
            }
            assert!(stored.len() < 10_000, "the disk is not full");
        };
        assert!(!error.is_retryable() && error.to_string().contains("disk and its space"), "{error}");
        for record in &stored {
            let key = RecordKey { realm: REALM, id: record.id };
            assert_eq!(store.read(key, now()).await.unwrap().as_ref(), Some(record));
        }
        // Nor does a read that is to be written down fail.
        let touch = Touch::new(Duration::ZERO, None, 0, Duration::ZERO);
        for record in &stored {
            let key = RecordKey { realm: REALM, id: record.id };
            let seen = store.read_and_touch(key, touch, now()).await.unwrap();
            assert_eq!(seen.map(|seen| seen.id), Some(record.id));
        }
        std::fs::remove_file(ballast).unwrap();
        store.create(REALM, &login("ann"), Default::default(), now()).await.unwrap();
        for record in &stored {
            assert!(store.delete(RecordKey { realm: REALM, id: record.id }).await.unwrap());
        }
        store.close().await;
    }

    #[tokio::test]
    async fn a_full_database_still_logs_out() {
        let backend = Sqlite::start().unwrap();
        let file = backend.file().pragma("max_page_count", "20").pragma("synchronous", "OFF");
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(file).await.unwrap();
        let store = SqliteStore::from_pool(pool).await.unwrap();
        let mut stored = Vec::new();
        let error = loop {
            let record = login("ann");
            match store.create(REALM, &record, Default::default(), now()).await {
                Ok(_) => stored.push(record),
                Err(error) => break error,
            }
            assert!(stored.len() < 10_000);
        };
        assert!(!error.is_retryable() && error.to_string().contains("disk"), "{error}");
        for record in &stored {
            let key = RecordKey { realm: REALM, id: record.id };
            assert_eq!(store.read(key, now()).await.unwrap().as_ref(), Some(record));
            assert!(store.delete(key).await.unwrap(), "a logout needs no space");
        }
        store.create(REALM, &login("ann"), Default::default(), now()).await.unwrap();
    }

    #[tokio::test]
    async fn a_writer_of_another_process_is_waited_for_and_then_told() {
        let backend = Sqlite::start().unwrap();
        let store = Arc::new(SqliteStore::connect(&backend.url()).await.unwrap());
        let mut other = SqliteConnection::connect_with(&backend.file()).await.unwrap();
        let transaction = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
        let record = login("ann");
        let error = store.create(REALM, &record, Default::default(), now()).await.unwrap_err();
        assert!(error.is_retryable() && error.to_string().contains("locked"), "{error}");
        let read = store.read(RecordKey { realm: REALM, id: record.id }, now());
        assert_eq!(read.await.unwrap(), None, "readers do not wait");
        let waiting = tokio::spawn({
            let (store, record) = (store.clone(), record.clone());
            async move { store.create(REALM, &record, Default::default(), now()).await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        transaction.commit().await.unwrap();
        waiting.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn closing_leaves_one_file() {
        let backend = Sqlite::start().unwrap();
        let store = SqliteStore::connect_with(&backend.url(), StoreOptions::default()).await.unwrap();
        store.create(REALM, &login("ann"), Default::default(), now()).await.unwrap();
        store.close().await;
        let folder = backend.file().get_filename().parent().unwrap().to_owned();
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1, "the write-ahead log is gone");
        let error = store.delete(RecordKey { realm: REALM, id: login("ann").id }).await.unwrap_err();
        assert!(!error.is_retryable(), "{error}");
    }
}

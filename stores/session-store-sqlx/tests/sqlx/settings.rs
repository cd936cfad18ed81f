//! Servers, roles and pools whose settings make something else of a commit, a read or a comparison.

#[cfg(feature = "mysql")]
mod mysql {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use session_core::store::{Account, Create, RecordKey, SessionStore as _};
    use session_store_sqlx::{MySqlStore, StoreOptions};
    use session_test_servers::{Sql, SqlServer};
    use sqlx::Connection as _;
    use sqlx::mysql::{MySqlConnection, MySqlPoolOptions};

    use crate::backend::{REALM, fresh_table, login, now};

    /// Every setting that the store could trip over.
    static HOSTILE: LazyLock<Option<SqlServer>> = LazyLock::new(|| {
        let server = SqlServer::start(Sql::MariaDb)?;
        server.run(
            "SET GLOBAL autocommit = 0, completion_type = CHAIN, tx_isolation = 'SERIALIZABLE', tx_read_only = 1,
                 sql_safe_updates = 1, sql_select_limit = 1, sql_auto_is_null = 1, sql_big_selects = 0,
                 sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH'",
        );
        Some(server)
    });

    async fn own(server: &SqlServer, options: StoreOptions) -> MySqlStore {
        MySqlStore::connect_with(&server.url(), options).await.unwrap()
    }

    async fn on_a_pool(server: &SqlServer, options: StoreOptions) -> MySqlStore {
        let pool = MySqlPoolOptions::new().max_connections(10).test_before_acquire(false);
        let pool = pool.connect(&server.url()).await.unwrap();
        MySqlStore::from_pool_with(pool, options).await.unwrap()
    }

    session_store_conformance::conformance_tests!({
        let Some(server) = HOSTILE.as_ref() else { return };
        own(server, StoreOptions::default().table(fresh_table())).await
    });

    mod pool {
        session_store_conformance::conformance_tests!({
            let Some(server) = super::HOSTILE.as_ref() else { return };
            let options = session_store_sqlx::StoreOptions::default().table(crate::backend::fresh_table());
            super::on_a_pool(server, options).await
        });
    }

    /// Two stores, each on connections of its own: what one was told is what the other sees, and a third.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_answered_is_committed_and_seen_by_the_others() {
        let Some(server) = HOSTILE.as_ref() else { return };
        let table = fresh_table();
        let options = StoreOptions::default().table(&table);
        let here = on_a_pool(server, options.clone()).await;
        let there = own(server, options.clone()).await;
        for (here, there) in [(&here, &there), (&there, &here), (&here, &here)] {
            let [record, kept, other] = ["ann", "ann", "ann"].map(login);
            for record in [&record, &kept, &other] {
                here.create(REALM, record, Create::default(), now()).await.unwrap();
            }
            let key = RecordKey { realm: REALM, id: record.id };
            // Whatever a read begins, it sees the end of the session.
            for _ in 0..3 {
                assert_eq!(there.read(key, now()).await.unwrap().as_ref(), Some(&record));
            }
            let mut next = record.clone();
            next.version += 1;
            here.replace(REALM, &next, now()).await.unwrap();
            assert_eq!(there.read(key, now()).await.unwrap(), Some(next));
            assert!(here.delete(key).await.unwrap());
            assert_eq!(there.read(key, now()).await.unwrap(), None);
            let account = Account { realm: REALM, subject: "ann" };
            assert_eq!(there.list(account, now()).await.unwrap().len(), 2);
            assert_eq!(
                here.delete_account(account, Some(kept.id), crate::MARK, now()).await.unwrap(),
                [other.id]
            );
            assert_eq!(there.list(account, now()).await.unwrap(), [kept]);
            assert_eq!(here.delete_realm(REALM, crate::MARK).await.unwrap(), 1);
            assert_eq!(rows(server, &table).await, 0, "for somebody who has nothing to do with it");
        }
        assert_eq!(there.delete_expired(now(), 10).await.unwrap(), 0);
    }

    async fn rows(server: &SqlServer, table: &str) -> i64 {
        let mut other = MySqlConnection::connect(&server.url()).await.unwrap();
        let count = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        sqlx::query_scalar(count).fetch_one(&mut other).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_logout_is_committed_whatever_init_connect_says() {
        let Some(server) = SqlServer::start(Sql::MariaDb) else { return };
        server.run("CREATE USER app@localhost IDENTIFIED BY 'x'; GRANT ALL ON sessions.* TO app@localhost");
        server
            .run("SET GLOBAL init_connect = 'SET autocommit = 0, sql_select_limit = 1, completion_type = 1'");
        let url = server.url_of("app:x", "sessions");
        let pool = MySqlPoolOptions::new().max_connections(1).connect(&url).await.unwrap();
        let stores = [MySqlStore::connect(&url).await.unwrap(), MySqlStore::from_pool(pool).await.unwrap()];
        for store in stores {
            let record = login("ann");
            store.create(REALM, &record, Create::default(), now()).await.unwrap();
            assert_eq!(rows(&server, "login_sessions").await, 1);
            store.delete(RecordKey { realm: REALM, id: record.id }).await.unwrap();
            assert_eq!(rows(&server, "login_sessions").await, 0);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_nobody_committed_is_not_read() {
        let Some(server) = SqlServer::shared(Sql::MariaDb) else { return };
        let table = fresh_table();
        // The store is made with a connection that is as it should be.
        let made = AtomicUsize::new(0);
        let pool = MySqlPoolOptions::new().max_connections(20).after_connect(move |db, _| {
            let set = match made.fetch_add(1, Ordering::SeqCst) {
                0 => "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
                _ => "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
            };
            Box::pin(async move { sqlx::Executor::execute(db, set).await.map(|_| ()) })
        });
        let pool = pool.connect(&server.url()).await.unwrap();
        let options = StoreOptions::default().table(&table);
        let store = MySqlStore::from_pool_with(pool, options).await.unwrap();
        let record = login("ann");
        store.create(REALM, &record, Create::default(), now()).await.unwrap();
        let mut other = MySqlConnection::connect(&server.url()).await.unwrap();
        let mut transaction = other.begin().await.unwrap();
        let delete = sqlx::AssertSqlSafe(format!("DELETE FROM {table}"));
        sqlx::raw_sql(delete).execute(&mut *transaction).await.unwrap();
        let key = RecordKey { realm: REALM, id: record.id };
        for read in futures_util::future::join_all((0..20).map(|_| store.read(key, now()))).await {
            assert_eq!(read.unwrap().as_ref(), Some(&record));
        }
    }

    /// The pool is the application's, which relies on its settings.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_pool_keeps_its_settings() {
        let Some(server) = HOSTILE.as_ref() else { return };
        let pool = MySqlPoolOptions::new().max_connections(1).connect(&server.url()).await.unwrap();
        let settings = || async {
            let ask = "SELECT CONCAT_WS(' ', @@autocommit, @@completion_type, @@tx_isolation, @@tx_read_only,
                @@sql_safe_updates, @@sql_select_limit, @@sql_mode, @@in_transaction)";
            let mut db = pool.acquire().await.unwrap();
            let answer: String = sqlx::query_scalar(ask).fetch_one(&mut *db).await.unwrap();
            answer
        };
        let before = settings().await;
        let options = StoreOptions::default().table(fresh_table());
        let store = MySqlStore::from_pool_with(pool.clone(), options).await.unwrap();
        let record = login("ann");
        store.create(REALM, &record, Create::default(), now()).await.unwrap();
        store.read(RecordKey { realm: REALM, id: record.id }, now()).await.unwrap();
        store.delete(RecordKey { realm: REALM, id: record.id }).await.unwrap();
        assert_eq!(settings().await, before);
    }

    #[tokio::test]
    async fn what_a_lax_server_would_cut_short_is_refused() {
        let Some(server) = HOSTILE.as_ref() else { return };
        let store = on_a_pool(server, StoreOptions::default().table(fresh_table())).await;
        let mut record = login("ann");
        record.payload = vec![b' '; 1 << 24];
        let error = store.create(REALM, &record, Create::default(), now()).await.unwrap_err();
        assert!(!error.is_retryable() && error.to_string().contains("16 MB"), "{error}");
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    use std::sync::OnceLock;
    use std::time::Duration;

    use session_core::store::{
        Account, Adopted, Adoption, Bar, Create, RecordKey, SessionRecord, SessionStore as _, Touch,
    };
    use session_store_sqlx::{PostgresStore, StoreOptions};
    use session_test_servers::{Sql, SqlServer};
    use sqlx::postgres::PgPoolOptions;
    use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

    use crate::backend::{REALM, fresh_table, login, now};

    /// Roles with the defaults of the worst day.
    fn url(role: &str) -> Option<String> {
        static ROLES: OnceLock<()> = OnceLock::new();
        let server = SqlServer::shared(Sql::Postgres)?;
        ROLES.get_or_init(|| {
            for (role, isolation) in [("repeats", "repeatable read"), ("serial", "serializable")] {
                server.run(&format!(
                    "CREATE ROLE {role} SUPERUSER LOGIN PASSWORD 'x';
                     ALTER ROLE {role} SET default_transaction_isolation = '{isolation}';
                     ALTER ROLE {role} SET default_transaction_deferrable = on;
                     ALTER ROLE {role} SET standard_conforming_strings = off;
                     ALTER ROLE {role} SET bytea_output = escape;
                     ALTER ROLE {role} SET plan_cache_mode = force_custom_plan;
                     ALTER ROLE {role} SET row_security = off;
                     ALTER ROLE {role} SET transform_null_equals = on;
                     ALTER ROLE {role} SET synchronous_commit = off;
                     ALTER ROLE {role} SET DateStyle = 'SQL, DMY';
                     ALTER ROLE {role} SET TimeZone = 'Asia/Kathmandu';
                     ALTER ROLE {role} SET plpgsql.extra_errors = 'all';
                     ALTER ROLE {role} SET plpgsql.variable_conflict = 'use_column'"
                ));
            }
        });
        Some(server.url_of(&format!("{role}:x"), "sessions"))
    }

    async fn on_a_pool(url: &str, options: StoreOptions) -> PostgresStore {
        let pool = PgPoolOptions::new().max_connections(10).test_before_acquire(false);
        PostgresStore::from_pool_with(pool.connect(url).await.unwrap(), options).await.unwrap()
    }

    mod repeatable_read {
        session_store_conformance::conformance_tests!({
            let Some(url) = super::url("repeats") else { return };
            let options = session_store_sqlx::StoreOptions::default().table(crate::backend::fresh_table());
            session_store_sqlx::PostgresStore::connect_with(&url, options).await.unwrap()
        });
    }

    mod serializable_pool {
        session_store_conformance::conformance_tests!({
            let Some(url) = super::url("serial") else { return };
            let options = session_store_sqlx::StoreOptions::default().table(crate::backend::fresh_table());
            super::on_a_pool(&url, options).await
        });
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_logout_survives_a_crash_where_synchronous_commit_is_off() {
        let Some(mut server) = SqlServer::start(Sql::Postgres) else { return };
        for setting in ["synchronous_commit = off", "wal_writer_delay = 10000"] {
            server.run(&format!("ALTER SYSTEM SET {setting}"));
        }
        server.stop();
        server.restart();
        let (url, options) = (server.url(), StoreOptions::default().announce(false));
        let store = PostgresStore::connect_with(&url, options).await.unwrap();
        let ended = login("ann");
        let mut updated = login("ann");
        for record in [&ended, &updated] {
            store.create(REALM, record, Create::default(), now()).await.unwrap();
        }
        server.run("CHECKPOINT");
        updated.version += 1;
        store.replace(REALM, &updated, now()).await.unwrap();
        assert!(store.delete(RecordKey { realm: REALM, id: ended.id }).await.unwrap());
        server.kill();
        server.restart();
        let read = async |id| store.read(RecordKey { realm: REALM, id }, now()).await.unwrap();
        assert_eq!((read(ended.id).await, read(updated.id).await), (None, Some(updated)));
        let last = login("ann");
        store.create(REALM, &last, Create::default(), now()).await.unwrap();
        server.kill();
        server.restart();
        assert_eq!(read(last.id).await, Some(last));
    }

    /// An application leaves its connections with the `search_path` of some tenant, and with temporary tables.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_store_finds_its_tables_whatever_the_search_path_says() {
        let Some(server) = SqlServer::shared(Sql::Postgres) else { return };
        let table = fresh_table();
        let pool = PgPoolOptions::new().max_connections(1).connect(&server.url()).await.unwrap();
        let options = StoreOptions::default().table(&table);
        let store = PostgresStore::from_pool_with(pool.clone(), options).await.unwrap();
        let [ended, other] = ["ann", "ann"].map(login);
        store.create(REALM, &ended, Create::default(), now()).await.unwrap();
        let tenant = format!(
            "CREATE SCHEMA tenant; CREATE TABLE tenant.{table} (LIKE public.{table});
             CREATE TEMPORARY TABLE {table} (LIKE public.{table}); SET search_path = tenant"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(tenant)).execute(&pool).await.unwrap();
        let key = RecordKey { realm: REALM, id: ended.id };
        assert_eq!(store.read(key, now()).await.unwrap().as_ref(), Some(&ended));
        assert!(store.delete(key).await.unwrap());
        let rows = || server.run(&format!("SELECT count(*) FROM public.{table}")).trim().to_owned();
        for _ in 0..2 {
            store.create(REALM, &other, Create::default(), now()).await.unwrap();
            assert_eq!(rows(), "1");
            touches(&store, &other).await;
            let account = Account { realm: REALM, subject: "ann" };
            assert_eq!(store.delete_account(account, None, crate::MARK, now()).await.unwrap(), [other.id]);
            assert_eq!(rows(), "0");
        }
        store.create(REALM, &other, Create::default(), now()).await.unwrap();
        assert_eq!(store.delete_realm(REALM, crate::MARK).await.unwrap(), 1);
        store.create(REALM, &other, Create::default(), now()).await.unwrap();
        assert_eq!(store.delete_expired(other.ends_at, 10).await.unwrap(), 1);
        assert_eq!(rows(), "0");
        let adoption = Adoption::new(now()).once_until(Some(other.ends_at));
        let adopted = store.adopt(REALM, &other, adoption, now()).await.unwrap();
        assert_eq!(adopted, Adopted::Done { evicted: Vec::new() });
        store.bar(REALM, None, Bar { at: now(), until: other.ends_at }, now()).await.unwrap();
        assert_eq!(rows(), "1");
    }

    async fn touches(store: &PostgresStore, record: &SessionRecord) {
        let (interval, grace) = (Duration::from_secs(60), Duration::ZERO);
        let touch = Touch::new(interval, None, 0, grace);
        let later = now().plus(interval);
        let read = store.read_and_touch(RecordKey { realm: REALM, id: record.id }, touch, later).await;
        assert_eq!(read.unwrap().unwrap().last_seen, later);
    }

    /// One role makes the tables, where `"$user"` leads it, and another one uses them. What is printed is run piece by
    /// piece, as psql does.
    #[tokio::test(flavor = "multi_thread")]
    async fn functions_look_where_they_were_made_whoever_calls_them() {
        let Some(server) = SqlServer::shared(Sql::Postgres) else { return };
        server.run(
            r#"CREATE ROLE keeper LOGIN PASSWORD 'x'; CREATE SCHEMA keeper AUTHORIZATION keeper;
               CREATE ROLE guest LOGIN PASSWORD 'x'; CREATE SCHEMA guest AUTHORIZATION guest;
               ALTER ROLE guest SET search_path = keeper"#,
        );
        for printed in [false, true] {
            let table = fresh_table();
            let options = StoreOptions::default().table(&table);
            let keeper = server.url_of("keeper:x", "sessions");
            if printed {
                let mut db = PgConnection::connect(&keeper).await.unwrap();
                for piece in PostgresStore::schema_sql(&options).unwrap().split("\n\n") {
                    sqlx::raw_sql(AssertSqlSafe(piece)).execute(&mut db).await.unwrap();
                }
            } else {
                PostgresStore::connect_with(&keeper, options.clone()).await.unwrap();
            }
            server.run(&format!(
                "GRANT USAGE ON SCHEMA keeper TO guest; GRANT ALL ON ALL TABLES IN SCHEMA keeper TO guest;
                 CREATE TABLE guest.{table} (LIKE keeper.{table}); GRANT ALL ON guest.{table} TO guest"
            ));
            let guest = server.url_of("guest:x", "sessions");
            let store = PostgresStore::connect_with(&guest, options.migrate(false)).await.unwrap();
            let record = login("ann");
            store.create(REALM, &record, Create::default(), now()).await.unwrap();
            assert_eq!(server.run(&format!("SELECT count(*) FROM keeper.{table}")).trim(), "1");
            touches(&store, &record).await;
            assert_eq!(store.delete_realm(REALM, crate::MARK).await.unwrap(), 1);
        }
    }
}

//! Two servers behind one address, which moves from one to the other; the first one stays up and takes no writes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use session_core::store::{
    Account, Create, Created, RecordKey, SessionLimit, SessionRecord, SessionStore, Touch,
};
use session_store_sqlx::StoreOptions;
use session_test_servers::{Sql, SqlServer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::backend::{REALM, login, now};

macro_rules! on_servers {
    ($($test:ident)*) => {
        #[cfg(feature = "postgres")]
        mod postgres {
            use session_store_sqlx::PostgresStore as Store;
            use session_test_servers::Sql::Postgres as KIND;
            use sqlx::postgres::PgPoolOptions as PoolOptions;
            on_servers!(@ $($test)*);
            on_servers!(@own idle_connections_that_are_silent_cost_one_question);
        }
        #[cfg(feature = "mysql")]
        mod mysql {
            use session_store_sqlx::MySqlStore as Store;
            use session_test_servers::Sql::MariaDb as KIND;
            use sqlx::mysql::MySqlPoolOptions as PoolOptions;
            on_servers!(@ $($test)*);
            on_servers!(@own idle_connections_that_are_silent_cost_one_question);
        }
    };
    // A pool of sqlx is not asked by the store.
    (@own $test:ident) => {
        #[tokio::test(flavor = "multi_thread")] async fn $test() {
            let own = async |url: String, options| Store::connect_with(&url, options).await.unwrap();
            let Some(servers) = super::Servers::start(KIND).await else { return };
            super::$test(&servers, own).await;
        }
    };
    (@ $($test:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread")] async fn $test() {
            let own = async |url: String, options| Store::connect_with(&url, options).await.unwrap();
            let on_a_pool = async |url: String, options| {
                let pool = PoolOptions::new().max_connections(10).min_connections(0);
                Store::from_pool_with(pool.connect(&url).await.unwrap(), options).await.unwrap()
            };
            let Some(servers) = super::Servers::start(KIND).await else { return };
            super::$test(&servers, own).await;
            servers.return_to_the_first().await;
            super::$test(&servers, on_a_pool).await;
        })*
    };
}

on_servers! {
    a_demoted_server_costs_no_write
    a_process_that_only_reads_sees_what_ended_at_the_new_server
    a_server_that_is_read_only_on_purpose_is_read_and_left_in_peace
    a_touch_that_is_refused_costs_no_connection
    writes_that_begin_while_somebody_looks_do_not_fail
    a_server_to_which_connecting_takes_long_is_found
    a_demoted_server_refuses_no_login
}

/// A server, its successor, and the address by which the store knows them.
struct Servers {
    first: SqlServer,
    second: SqlServer,
    port: u16,
    target: watch::Sender<PathBuf>,
    connections: Arc<AtomicUsize>,
    /// How long it takes to be connected.
    delay: watch::Sender<Duration>,
    /// Connections from before it changed are silent for ever.
    silence: watch::Sender<()>,
}

impl Servers {
    async fn start(kind: Sql) -> Option<Self> {
        let (first, second) = (SqlServer::start(kind)?, SqlServer::start(kind)?);
        for server in [&first, &second] {
            server.run(match kind {
                Sql::Postgres => "CREATE ROLE app LOGIN PASSWORD 'x'; GRANT ALL ON SCHEMA public TO app",
                // The administrator of MariaDB writes even where nobody may.
                Sql::MariaDb => {
                    "CREATE USER app@localhost IDENTIFIED BY 'x'; GRANT ALL ON sessions.* TO app@localhost"
                }
            });
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (target, connections) = (watch::Sender::new(first.socket()), Arc::new(AtomicUsize::new(0)));
        let (aim, counter) = (target.subscribe(), Arc::clone(&connections));
        let (delay, silence) = (watch::Sender::new(Duration::ZERO), watch::Sender::new(()));
        let (wait, silenced) = (delay.subscribe(), silence.clone());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let (target, wait) = (aim.borrow().clone(), *wait.borrow());
                let mut silenced = silenced.subscribe();
                tokio::spawn(async move {
                    sleep(wait).await;
                    let mut server = UnixStream::connect(target).await?;
                    tokio::select! {
                        end = copy_bidirectional(&mut client, &mut server) => end,
                        _ = silenced.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Some(Self { first, second, port, target, connections, delay, silence })
    }

    fn url(&self) -> String {
        let url = self.first.url_through(self.port);
        ["root@", "postgres@"].iter().fold(url, |url, user| url.replace(user, "app:x@"))
    }

    fn is_postgres(&self) -> bool {
        self.url().starts_with("postgres:")
    }

    /// The address leads to the second one now. Connections that are open stay.
    fn move_on(&self) {
        self.target.send_replace(self.second.socket());
    }

    fn demote(&self, demoted: bool) {
        if self.is_postgres() {
            self.first.run(match demoted {
                true => "ALTER SYSTEM SET default_transaction_read_only = on",
                false => "ALTER SYSTEM SET default_transaction_read_only = off",
            });
            self.first.run("SELECT pg_reload_conf()");
        } else {
            self.first.run(&format!("SET GLOBAL read_only = {}", u8::from(demoted)));
        }
    }

    async fn return_to_the_first(&self) {
        self.demote(false);
        self.delay.send_replace(Duration::ZERO);
        self.target.send_replace(self.first.socket());
    }

    /// Sessions that both servers have, and a store of ten connections, which has looked at them.
    async fn in_use<S: SessionStore>(
        &self,
        connect: impl AsyncFn(String, StoreOptions) -> S,
    ) -> (S, Vec<SessionRecord>) {
        let records: Vec<_> = (0..12).map(|_| login("ann")).collect();
        let store = connect(self.url(), StoreOptions::default()).await;
        for server in [&self.second, &self.first] {
            self.target.send_replace(server.socket());
            let there = connect(self.url(), StoreOptions::default()).await;
            for record in &records {
                until_ok(|| there.create(REALM, record, Create::default(), now())).await;
            }
        }
        // Reads of sessions would go together, by few connections.
        let ann = Account { realm: REALM, subject: "ann" };
        join_all((0..200).map(|_| store.list(ann, now()))).await;
        (store, records)
    }
}

const TOUCH: Touch = Touch::new(Duration::from_secs(60), None, 0, Duration::ZERO);

fn key(record: &SessionRecord) -> RecordKey<'static> {
    RecordKey { realm: REALM, id: record.id }
}

/// A setting of the server reaches its processes when it does.
async fn until_ok<T, E>(call: impl AsyncFn() -> Result<T, E>) {
    let began = Instant::now();
    while call().await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(60));
        sleep(Duration::from_millis(10)).await;
    }
}

/// Whether a write is refused.
async fn refusing(store: &impl SessionStore) -> Result<(), ()> {
    match store.create(REALM, &login("bob"), Create::default(), now()).await {
        Ok(_) => Err(()),
        Err(error) => {
            assert!(error.is_retryable() && error.to_string().contains("takes no writes"), "{error}");
            Ok(())
        }
    }
}

async fn a_demoted_server_costs_no_write<S: SessionStore>(
    servers: &Servers,
    connect: impl AsyncFn(String, StoreOptions) -> S,
) {
    let (store, records) = servers.in_use(&connect).await;
    servers.demote(true);
    // Nothing writes to it any more, whichever process one asks.
    let there = connect(servers.url(), StoreOptions::default()).await;
    until_ok(async || refusing(&there).await).await;
    servers.move_on();
    let (together, one_by_one) = records.split_at(6);
    let mut failed = Vec::new();
    for answer in join_all(together.iter().map(|record| store.delete(key(record)))).await {
        failed.extend(answer.err());
    }
    for record in one_by_one {
        failed.extend(store.delete(key(record)).await.err());
        store.create(REALM, &login("bob"), Create::default(), now()).await.unwrap();
    }
    assert!(failed.is_empty(), "{failed:?}");
    servers.target.send_replace(servers.second.socket());
    let there = connect(servers.url(), StoreOptions::default()).await;
    for record in &records {
        assert_eq!(there.read(key(record), now()).await.unwrap(), None, "it ended at the new server");
    }
}

async fn a_process_that_only_reads_sees_what_ended_at_the_new_server<S: SessionStore>(
    servers: &Servers,
    connect: impl AsyncFn(String, StoreOptions) -> S,
) {
    let (store, records) = servers.in_use(&connect).await;
    servers.demote(true);
    // It is read, for as long as there is no other.
    for record in &records {
        assert_eq!(store.read(key(record), now()).await.unwrap().as_ref(), Some(record));
    }
    servers.move_on();
    let there = connect(servers.url(), StoreOptions::default()).await;
    for record in &records {
        there.delete(key(record)).await.unwrap();
    }
    let began = Instant::now();
    while store.read(key(&records[0]), now()).await.unwrap().is_some() {
        assert!(began.elapsed() < Duration::from_secs(3), "a demoted server is read");
        sleep(Duration::from_millis(10)).await;
    }
    // And from then on none of the old connections is used.
    let reads = records.iter().cycle().take(200).map(|record| store.read(key(record), now()));
    assert!(join_all(reads).await.into_iter().all(|read| read.unwrap().is_none()));
}

async fn a_server_that_is_read_only_on_purpose_is_read_and_left_in_peace<S: SessionStore>(
    servers: &Servers,
    connect: impl AsyncFn(String, StoreOptions) -> S,
) {
    let (store, records) = servers.in_use(&connect).await;
    servers.demote(true);
    until_ok(async || refusing(&store).await).await;
    let (before, began) = (servers.connections.load(Ordering::SeqCst), Instant::now());
    for record in records.iter().cycle().take(1000) {
        // That their last-seen is due changes nothing.
        let read = store.read_and_touch(key(record), TOUCH, now().plus(TOUCH.interval)).await;
        assert_eq!(read.unwrap().as_ref(), Some(record));
    }
    let opened = servers.connections.load(Ordering::SeqCst) - before;
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    assert!(opened <= seconds + 1, "{opened} connections in {seconds} seconds");
}

async fn a_touch_that_is_refused_costs_no_connection<S: SessionStore>(
    servers: &Servers,
    connect: impl AsyncFn(String, StoreOptions) -> S,
) {
    let (store, records) = servers.in_use(&connect).await;
    let (refuse, no_more) = if servers.is_postgres() {
        let refuse = "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                RAISE EXCEPTION 'as told' USING ERRCODE = '53100'; END $$;
            CREATE TRIGGER fail BEFORE UPDATE ON login_sessions FOR EACH ROW EXECUTE FUNCTION fail()";
        (refuse, "DROP TRIGGER fail ON login_sessions")
    } else {
        let refuse = "CREATE TRIGGER fail BEFORE UPDATE ON login_sessions FOR EACH ROW
            SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1021";
        (refuse, "DROP TRIGGER fail")
    };
    servers.first.run(refuse);
    let before = servers.connections.load(Ordering::SeqCst);
    let began = Instant::now();
    // Long enough for several touches to be tried.
    while began.elapsed() < Duration::from_millis(2500) {
        let reads = records[..5]
            .iter()
            .map(|record| store.read_and_touch(key(record), TOUCH, now().plus(TOUCH.interval)));
        for (read, record) in join_all(reads).await.into_iter().zip(&records) {
            assert_eq!(read.unwrap().as_ref(), Some(record));
        }
    }
    let opened = servers.connections.load(Ordering::SeqCst) - before;
    servers.first.run(no_more);
    assert_eq!(opened, 0, "new connections");
}

/// The store is in use, and the first server takes no writes any more; the address leads to the second one, slowly.
async fn demoted<S: SessionStore>(
    servers: &Servers,
    connect: impl AsyncFn(String, StoreOptions) -> S,
    delay: Duration,
) -> (S, Vec<SessionRecord>) {
    let (store, records) = servers.in_use(&connect).await;
    servers.demote(true);
    let there = connect(servers.url(), StoreOptions::default()).await;
    until_ok(async || refusing(&there).await).await;
    servers.delay.send_replace(delay);
    servers.move_on();
    (store, records)
}

async fn writes_that_begin_while_somebody_looks_do_not_fail<S: SessionStore>(
    servers: &Servers,
    connect: impl AsyncFn(String, StoreOptions) -> S,
) {
    let (store, records) = demoted(servers, connect, Duration::from_millis(300)).await;
    let before = servers.connections.load(Ordering::SeqCst);
    let others = async {
        while servers.connections.load(Ordering::SeqCst) == before {
            tokio::task::yield_now().await;
        }
        join_all(records[1..6].iter().map(|record| store.delete(key(record)))).await
    };
    let (first, others) = tokio::join!(store.delete(key(&records[0])), others);
    for deleted in others.into_iter().chain([first]) {
        assert!(deleted.unwrap());
    }
}

async fn a_server_to_which_connecting_takes_long_is_found<S: SessionStore>(
    servers: &Servers,
    connect: impl AsyncFn(String, StoreOptions) -> S,
) {
    let (store, records) = demoted(servers, connect, Duration::from_millis(1300)).await;
    // Whoever gave up is followed by somebody who hears of it.
    let began = Instant::now();
    while store.delete(key(&records[0])).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(20), "nobody finds the new server");
    }
}

async fn a_demoted_server_refuses_no_login<S: SessionStore>(
    servers: &Servers,
    connect: impl AsyncFn(String, StoreOptions) -> S,
) {
    let (store, _) = demoted(servers, &connect, Duration::ZERO).await;
    let there = connect(servers.url(), StoreOptions::default()).await;
    there.delete_realm(REALM, crate::MARK).await.unwrap();
    let limit = Some(SessionLimit::Refuse(1));
    let login = store.create(REALM, &login("ann"), Create::new(None, limit), now()).await;
    assert!(matches!(login.unwrap(), Created::Done { .. }), "only the old server knows the others");
}

async fn idle_connections_that_are_silent_cost_one_question<S: SessionStore>(
    servers: &Servers,
    connect: impl AsyncFn(String, StoreOptions) -> S,
) {
    let (store, records) = servers.in_use(&connect).await;
    servers.silence.send_replace(());
    // So long are they trusted.
    sleep(Duration::from_millis(1100)).await;
    let read = timeout(Duration::from_secs(2), store.read(key(&records[0]), now())).await;
    assert_eq!(read.expect("core's deadline").unwrap().as_ref(), Some(&records[0]));
}

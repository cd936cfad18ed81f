//! The end of a session, told by one process and heard by another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use session_core::store::{
    Account, Create, Created, Invalidation, RecordKey, Replaces, SessionLimit, SessionRecord, SessionStore,
    StoreError,
};
use session_store_sqlx::{PostgresStore, StoreOptions};
use session_test_servers::{Sql, SqlServer};
use sqlx::postgres::PgPoolOptions;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::backend::{Backend, Postgres, REALM, fresh_table, login, now};

/// How long news may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody who listens.
struct Listener {
    news: mpsc::UnboundedReceiver<Invalidation>,
    task: JoinHandle<Result<(), StoreError>>,
}

impl Listener {
    /// On a table to which nobody else listens.
    async fn start(server: &SqlServer, table: &str, store: Arc<dyn SessionStore>) -> Self {
        let (heard, news) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            store
                .listen(REALM, &move |news| {
                    let _ = heard.send(news);
                })
                .await
        });
        let began = Instant::now();
        while listening(server, table).is_empty() {
            assert!(began.elapsed() < PATIENCE && !task.is_finished(), "nobody listens");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Self { news, task }
    }

    async fn hears(&mut self) -> Invalidation {
        timeout(PATIENCE, self.news.recv()).await.expect("nothing is heard").expect("nobody listens any more")
    }

    /// What ends the listening.
    async fn ends(self) -> StoreError {
        timeout(PATIENCE, self.task).await.expect("it goes on").unwrap().unwrap_err()
    }
}

/// The server's processes that listen for news of this table.
fn listening(server: &SqlServer, table: &str) -> Vec<String> {
    let sql = format!(
        "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN \"{table}\\_%' AND pid <> pg_backend_pid()"
    );
    server.run(&sql).lines().map(str::to_owned).collect()
}

struct Fleet {
    server: &'static SqlServer,
    table: String,
    here: Arc<dyn SessionStore>,
    there: Arc<dyn SessionStore>,
}

impl Fleet {
    async fn start() -> Option<Self> {
        let backend = Postgres::start()?;
        let (options, table) = backend.options();
        let here = backend.connect(options.clone()).await.unwrap();
        let there = backend.connect(options).await.unwrap();
        Some(Self { server: backend.0, table, here, there })
    }

    async fn listen(&self) -> Listener {
        Listener::start(self.server, &self.table, self.there.clone()).await
    }

    async fn log_in(&self, subject: &str, options: Create) -> SessionRecord {
        let record = login(subject);
        let created = self.here.create(REALM, &record, options, now()).await.unwrap();
        assert!(matches!(created, Created::Done { .. }), "{created:?}");
        record
    }

    async fn log_out(&self, record: &SessionRecord) {
        assert!(self.here.delete(RecordKey { realm: REALM, id: record.id }).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_ends_a_session_is_heard_elsewhere() {
    let Some(fleet) = Fleet::start().await else { return };
    let mut listener = fleet.listen().await;
    let plain = Create::default();

    let logged_out = fleet.log_in("ann", plain).await;
    fleet.log_out(&logged_out).await;
    assert_eq!(listener.hears().await, Invalidation::Ended(logged_out.id));

    let before = fleet.log_in("ann", plain).await;
    let replaces = Some(Replaces::IfPresent(before.id));
    let login = fleet.log_in("ann", Create::new(replaces, None)).await;
    assert_eq!(listener.hears().await, Invalidation::Ended(before.id));

    let replaces = Some(Replaces::MustExist { id: login.id, version: login.version });
    let rotated = fleet.log_in("ann", Create::new(replaces, None)).await;
    assert_eq!(listener.hears().await, Invalidation::Ended(login.id));

    let limit = Some(SessionLimit::EvictLeastRecentlySeen(1));
    let newest = fleet.log_in("ann", Create::new(None, limit)).await;
    assert_eq!(listener.hears().await, Invalidation::Ended(rotated.id));

    let kept = fleet.log_in("ann", plain).await;
    let account = Account { realm: REALM, subject: "ann" };
    fleet.here.delete_account(account, Some(kept.id), crate::MARK, now()).await.unwrap();
    assert_eq!(listener.hears().await, Invalidation::Ended(newest.id));

    fleet.here.delete_realm(REALM, crate::MARK).await.unwrap();
    assert_eq!(listener.hears().await, Invalidation::EveryoneEnded);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_realms_and_what_did_not_happen_are_not_heard() {
    let Some(fleet) = Fleet::start().await else { return };
    let mut listener = fleet.listen().await;

    let elsewhere = login("ann");
    fleet.here.create("admins", &elsewhere, Create::default(), now()).await.unwrap();
    fleet.here.delete(RecordKey { realm: "admins", id: elsewhere.id }).await.unwrap();
    fleet.here.delete_realm("admins", crate::MARK).await.unwrap();

    let there = fleet.log_in("ann", Create::default()).await;
    let replaces = Some(Replaces::MustExist { id: there.id, version: 9 });
    let refused = [
        (there.clone(), Create::default(), Created::IdTaken),
        (login("ann"), Create::new(replaces, None), Created::PredecessorChanged),
        (login("ann"), Create::new(None, Some(SessionLimit::Refuse(1))), Created::LimitReached),
    ];
    for (record, options, wanted) in refused {
        assert_eq!(fleet.here.create(REALM, &record, options, now()).await.unwrap(), wanted);
    }
    assert!(!fleet.here.delete(RecordKey { realm: REALM, id: login("ann").id }).await.unwrap());
    let replaces = Some(Replaces::IfPresent(login("ann").id));
    fleet.log_in("bob", Create::new(replaces, None)).await;

    fleet.log_out(&there).await;
    assert_eq!(listener.hears().await, Invalidation::Ended(there.id), "the first news");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_an_error_and_the_next_call_hears_again() {
    let Some(fleet) = Fleet::start().await else { return };
    for _ in 0..2 {
        let mut listener = fleet.listen().await;
        let record = fleet.log_in("ann", Create::default()).await;
        fleet.log_out(&record).await;
        assert_eq!(listener.hears().await, Invalidation::Ended(record.id));
        for pid in listening(fleet.server, &fleet.table) {
            fleet.server.run(&format!("SELECT pg_terminate_backend({pid}, 10000)"));
        }
        let error = listener.ends().await;
        assert!(error.is_retryable() && error.to_string().contains("lost"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_has_fallen_silent_is_noticed() {
    let Some(server) = SqlServer::start(Sql::Postgres) else { return };
    let store = Arc::new(PostgresStore::connect(&server.url()).await.unwrap());
    let listener = Listener::start(&server, "login\\_sessions", store).await;
    server.pause();
    // Time runs while everybody waits.
    tokio::time::pause();
    let error = listener.task.await.unwrap().unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("lost"), "{error}");
    server.resume();
}

/// On a URL and on a pool of the user's, whose connections to the old server are good for nothing any more.
#[tokio::test]
async fn a_demoted_server_is_listened_to_until_the_address_leads_elsewhere() {
    let (Some(first), Some(second)) = (SqlServer::start(Sql::Postgres), SqlServer::start(Sql::Postgres))
    else {
        return;
    };
    // The address is a link to the socket of one of them.
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join(".s.PGSQL.5432");
    let lead_to = |server: &SqlServer| {
        let _ = std::fs::remove_file(&socket);
        std::os::unix::fs::symlink(server.socket(), &socket).unwrap();
    };
    let url = format!("postgres://postgres@localhost/sessions?host={}", folder.path().display());
    let table = "login\\_sessions";
    lead_to(&second);
    PostgresStore::connect(&url).await.unwrap();
    for on_a_pool in [false, true] {
        first.run("ALTER SYSTEM RESET default_transaction_read_only");
        first.run("SELECT pg_reload_conf()");
        lead_to(&first);
        let store = if on_a_pool {
            let pool = PgPoolOptions::new().max_connections(2).connect(&url).await.unwrap();
            PostgresStore::from_pool(pool).await.unwrap()
        } else {
            PostgresStore::connect(&url).await.unwrap()
        };
        let store: Arc<dyn SessionStore> = Arc::new(store);
        let listener = Listener::start(&first, table, store.clone()).await;
        first.run("ALTER SYSTEM SET default_transaction_read_only = on");
        first.run("SELECT pg_reload_conf()");
        for _ in 0..2 {
            after_a_silence().await;
            assert!(!listener.task.is_finished(), "there is no other server");
        }
        lead_to(&second);
        after_a_silence().await;
        let error = listener.ends().await;
        assert!(error.is_retryable() && error.to_string().contains("lost"), "{error}");
        let began = Instant::now();
        while !listening(&first, table).is_empty() {
            assert!(began.elapsed() < PATIENCE, "the connection stays open");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // The store's statements go to the new server, too.
        let record = login("ann");
        store.create(REALM, &record, Create::default(), now()).await.unwrap();
        Listener::start(&second, table, store.clone()).await.task.abort();
    }
}

/// Lets the listener's time run, and then gives it a moment to ask.
async fn after_a_silence() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
    tokio::time::sleep(Duration::from_millis(500)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_of_the_users_listens_too() {
    let Some(backend) = Postgres::start() else { return };
    let (options, table) = backend.options();
    let pool = sqlx::PgPool::connect(&backend.0.url()).await.unwrap();
    let store = PostgresStore::from_pool_with(pool.clone(), options).await.unwrap();
    let store: Arc<dyn SessionStore> = Arc::new(store);
    let mut listener = Listener::start(backend.0, &table, store.clone()).await;
    let record = login("ann");
    store.create(REALM, &record, Create::default(), now()).await.unwrap();
    store.delete(RecordKey { realm: REALM, id: record.id }).await.unwrap();
    assert_eq!(listener.hears().await, Invalidation::Ended(record.id));
    timeout(PATIENCE, pool.close()).await.expect("the pool can be closed");
    listener.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_a_store_tells_what_is_left_and_ends_its_listening() {
    let Some(server) = SqlServer::shared(Sql::Postgres) else { return };
    let table = fresh_table();
    let options = StoreOptions::default().table(&table);
    let here = PostgresStore::connect_with(&server.url(), options.clone()).await.unwrap();
    let there = PostgresStore::connect_with(&server.url(), options).await.unwrap();
    let mut listener = Listener::start(server, &table, Arc::new(there.clone())).await;
    let record = login("ann");
    here.create(REALM, &record, Create::default(), now()).await.unwrap();
    here.delete(RecordKey { realm: REALM, id: record.id }).await.unwrap();
    here.close().await;
    assert_eq!(listener.hears().await, Invalidation::Ended(record.id));
    there.close().await;
    listener.ends().await;
    let began = Instant::now();
    while !listening(server, &table).is_empty() {
        assert!(began.elapsed() < PATIENCE, "the connection stays open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_announcements_neither_listens_nor_tells() {
    let Some(fleet) = Fleet::start().await else { return };
    let options = StoreOptions::default().table(&fleet.table).announce(false);
    let silent = PostgresStore::connect_with(&fleet.server.url(), options).await.unwrap();
    silent.listen(REALM, &|_| panic!("it hears")).await.unwrap();
    let mut listener = fleet.listen().await;
    let [unheard, heard] =
        [fleet.log_in("ann", Create::default()).await, fleet.log_in("ann", Create::default()).await];
    assert!(silent.delete(RecordKey { realm: REALM, id: unheard.id }).await.unwrap());
    silent.close().await;
    fleet.log_out(&heard).await;
    assert_eq!(listener.hears().await, Invalidation::Ended(heard.id), "the first news");
}

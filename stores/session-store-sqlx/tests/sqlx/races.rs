//! Many callers at once, as in a fleet: through two stores that know nothing of each other.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use session_core::store::{
    Account, Create, Created, RecordKey, Replaced, Replaces, SessionLimit, SessionStore,
};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::backend::{Backend, REALM, login, now};
use crate::schema::on_every_database;

on_every_database! {
    fifty_logins_over_two_processes_keep_the_limit
    sixty_four_increments_over_two_processes_all_count
    neighbouring_accounts_log_in_and_out_at_once
    no_rotation_survives_the_end_of_its_realm
}

pub(crate) async fn two_stores<B: Backend>() -> Option<(B, [Arc<dyn SessionStore>; 2])> {
    let backend = B::start()?;
    let (options, _) = backend.options();
    let stores = [backend.connect(options.clone()).await.unwrap(), backend.connect(options).await.unwrap()];
    Some((backend, stores))
}

async fn fifty_logins_over_two_processes_keep_the_limit<B: Backend>() {
    let Some((_backend, [here, there])) = two_stores::<B>().await else { return };
    fifty_logins(&[here, there]).await;
}

pub(crate) async fn fifty_logins_of_one_account(store: Arc<dyn SessionStore>) {
    fifty_logins(&[store]).await;
}

async fn fifty_logins(stores: &[Arc<dyn SessionStore>]) {
    let options = Create::new(None, Some(SessionLimit::EvictLeastRecentlySeen(5)));
    let logins = (0..50).zip(stores.iter().cycle().cloned()).map(|(_, store)| {
        tokio::spawn(async move { store.create(REALM, &login("ann"), options, now()).await.unwrap() })
    });
    let mut evicted = BTreeSet::new();
    for login in join_all(logins).await {
        let Created::Done { evicted: some } = login.unwrap() else { panic!("no login fails") };
        some.into_iter().for_each(|id| assert!(evicted.insert(id), "evicted twice"));
    }
    let left = stores[0].list(Account { realm: REALM, subject: "ann" }, now()).await.unwrap();
    assert_eq!((left.len(), evicted.len()), (5, 45));
    let options = Create::new(None, Some(SessionLimit::Refuse(5)));
    let answer = stores[0].create(REALM, &login("ann"), options, now()).await.unwrap();
    assert_eq!(answer, Created::LimitReached);
}

async fn sixty_four_increments_over_two_processes_all_count<B: Backend>() {
    let Some((_backend, stores)) = two_stores::<B>().await else { return };
    let record = login("ann");
    stores[0].create(REALM, &record, Create::default(), now()).await.unwrap();
    let key = RecordKey { realm: REALM, id: record.id };
    let increments = (0..64).map(|at| {
        let store = stores[at % 2].clone();
        tokio::spawn(async move {
            loop {
                let mut next = store.read(key, now()).await.unwrap().unwrap();
                next.version += 1;
                next.generation += 1;
                match store.replace(REALM, &next, now()).await.unwrap() {
                    Replaced::Done => return,
                    Replaced::Conflict => {}
                    Replaced::Gone => panic!("nobody deleted it"),
                }
            }
        })
    });
    for increment in join_all(increments).await {
        increment.unwrap();
    }
    let counted = stores[0].read(key, now()).await.unwrap().unwrap();
    assert_eq!((counted.generation, counted.version), (64, 64));
}

/// What locks on ranges would make a deadlock of.
async fn neighbouring_accounts_log_in_and_out_at_once<B: Backend>() {
    let Some((_backend, stores)) = two_stores::<B>().await else { return };
    let options = Create::new(None, Some(SessionLimit::EvictLeastRecentlySeen(2)));
    let accounts = (0..32).map(|at| {
        let (store, subject) = (stores[at % 2].clone(), format!("user-{}", at / 2));
        tokio::spawn(async move {
            for _ in 0..5 {
                let record = login(&subject);
                store.create(REALM, &record, options, now()).await.unwrap();
                store.delete(RecordKey { realm: REALM, id: record.id }).await.unwrap();
                store.create(REALM, &login(&subject), options, now()).await.unwrap();
                let account = Account { realm: REALM, subject: &subject };
                store.delete_account(account, None, crate::MARK, now()).await.unwrap();
                store.delete_expired(now(), 10).await.unwrap();
            }
        })
    });
    for account in join_all(accounts).await {
        account.unwrap();
    }
}

async fn no_rotation_survives_the_end_of_its_realm<B: Backend>() {
    let Some((_backend, [here, there])) = two_stores::<B>().await else { return };
    for round in 0..3 {
        let (under_way, mut chains_under_way) = mpsc::channel(6);
        let chains: Vec<_> = (0..6)
            .map(|at| {
                let store = [&here, &there][at % 2].clone();
                // One of them a guest's.
                let subject = (at < 5).then(|| format!("user-{at}"));
                tokio::spawn(rotate_until_gone(store, subject, under_way.clone()))
            })
            .collect();
        for _ in &chains {
            chains_under_way.recv().await.unwrap();
        }
        while let Err(error) = here.delete_realm(REALM, crate::MARK).await {
            assert!(error.is_retryable(), "{error}");
        }
        let ended = timeout(Duration::from_secs(60), join_all(chains)).await;
        ended.expect("a rotation survived").into_iter().for_each(|chain| chain.unwrap());
        assert_eq!(there.delete_realm(REALM, crate::MARK).await.unwrap(), 0, "round {round}");
    }
}

/// One session after the other, each in the place of the last one.
async fn rotate_until_gone(
    store: Arc<dyn SessionStore>,
    subject: Option<String>,
    under_way: mpsc::Sender<()>,
) {
    let session = || login("").with(|record| record.subject = subject.clone());
    let mut record = session();
    store.create(REALM, &record, Create::default(), now()).await.unwrap();
    under_way.send(()).await.unwrap();
    loop {
        let next = session();
        let replaces = Some(Replaces::MustExist { id: record.id, version: record.version });
        match store.create(REALM, &next, Create::new(replaces, None), now()).await {
            // SQLite has no queue for writers: one that never pauses can keep the others out for ever.
            Ok(Created::Done { .. }) => {
                record = next;
                sleep(Duration::from_millis(1)).await;
            }
            Ok(Created::PredecessorGone) => return,
            Ok(other) => panic!("{other:?}"),
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
}

/// The deletion has passed the place of the new session, and has not come to the old one.
#[cfg(feature = "mysql")]
#[tokio::test(flavor = "multi_thread")]
async fn no_rotation_slips_by_the_end_of_its_realm_where_mysql_reads_committed() {
    use session_core::SessionId;
    use session_store_sqlx::MySqlStore;
    use sqlx::Connection as _;

    let Some(backend) = crate::backend::MySql::start() else { return };
    let (options, table) = backend.options();
    let pool = sqlx::mysql::MySqlPoolOptions::new().after_connect(|db, _| {
        Box::pin(async move {
            let set = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
            sqlx::Executor::execute(db, set).await.map(|_| ())
        })
    });
    let pool = pool.connect(&backend.0.url()).await.unwrap();
    let store = MySqlStore::from_pool_with(pool, options).await.unwrap();
    let with_id = |id| login("ann").with(|record| record.id = SessionId::from_bytes([id; SessionId::LEN]));
    let [new, passed, blocked, old] = [0x01, 0x10, 0x80, 0xf0].map(with_id);
    for record in [&passed, &blocked, &old] {
        store.create(REALM, record, Create::default(), now()).await.unwrap();
    }
    let waiting = async |wanted: usize, or: &dyn Fn() -> bool| {
        let sql = format!(
            "SELECT trx_id FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT' AND (trx_query LIKE '%`{table}`%' OR trx_query LIKE '%`{table}\\_locks`%')"
        );
        let began = std::time::Instant::now();
        while backend.0.run(&sql).lines().count() < wanted && !or() {
            assert!(began.elapsed() < Duration::from_secs(60), "nobody waits");
            // That table stays as it was for whoever reads it more often than every 100 ms.
            sleep(Duration::from_millis(200)).await;
        }
    };

    let mut other = sqlx::MySqlConnection::connect(&backend.0.url()).await.unwrap();
    let mut transaction = other.begin().await.unwrap();
    let id = "80".repeat(SessionId::LEN);
    let number = backend.0.run(&format!("SELECT number FROM {table} WHERE id = x'{id}'"));
    let lock = format!("SELECT id FROM {table} WHERE number = {} FOR UPDATE", number.trim());
    sqlx::raw_sql(sqlx::AssertSqlSafe(lock)).execute(&mut *transaction).await.unwrap();
    let deletion = tokio::spawn({
        let store = store.clone();
        async move { store.delete_realm(REALM, crate::MARK).await }
    });
    waiting(1, &|| false).await;
    let replaces = Some(Replaces::MustExist { id: old.id, version: old.version });
    let rotation = tokio::spawn({
        let (store, new) = (store.clone(), new.clone());
        async move { store.create(REALM, &new, Create::new(replaces, None), now()).await }
    });
    waiting(2, &|| rotation.is_finished()).await;
    transaction.rollback().await.unwrap();
    deletion.await.unwrap().unwrap();
    assert_eq!(rotation.await.unwrap().unwrap(), Created::PredecessorGone);
    assert_eq!(store.read(RecordKey { realm: REALM, id: new.id }, now()).await.unwrap(), None);
}

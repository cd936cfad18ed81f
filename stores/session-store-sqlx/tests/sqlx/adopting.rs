//! Sessions of other systems: what several processes make of one, and what is kept of it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use session_core::Timestamp;
use session_core::store::{Account, Adopted, Adoption, Bar, RecordKey, SessionRecord, SessionStore};
#[cfg(any(feature = "postgres", feature = "mysql"))]
use session_core::store::{Create, SessionLimit};
#[cfg(any(feature = "postgres", feature = "mysql"))]
use tokio::time::sleep;

use crate::backend::{Backend, REALM, login, now};
use crate::races::two_stores;
use crate::schema::on_every_database;

on_every_database! {
    a_session_that_ends_while_others_come_is_adopted_once
    a_bar_of_one_process_stops_the_adoptions_of_another
    cleanup_takes_the_marks_and_bars_that_are_over_a_batch_at_a_time
    a_bar_of_a_subject_that_nobody_has_is_refused
}

/// So long marks and bars are kept.
const KEPT: Duration = Duration::from_secs(1000);

/// Of something that was proven now.
fn adoption() -> Adoption {
    Adoption::new(now()).once_until(Some(now().plus(KEPT)))
}

async fn adopt(store: &dyn SessionStore, record: &SessionRecord, adoption: Adoption) -> Adopted {
    assert!(store.can_adopt());
    store.adopt(REALM, record, adoption, now()).await.unwrap()
}

async fn bar(store: &dyn SessionStore, subject: Option<&str>, bar: Bar) {
    store.bar(REALM, subject, bar, now()).await.unwrap();
}

fn is_done(adopted: &Adopted) -> bool {
    matches!(adopted, Adopted::Done { .. })
}

/// Guests have no account to take turns at.
async fn a_session_that_ends_while_others_come_is_adopted_once<B: Backend>() {
    let Some((_backend, stores)) = two_stores::<B>().await else { return };
    for subject in [Some("ann".to_owned()), None] {
        for _ in 0..10 {
            let record = login("").with(|record| record.subject = subject.clone());
            let calls = (0..8).map(|at| {
                let (store, record) = (Arc::clone(&stores[at % 2]), record.clone());
                tokio::spawn(async move {
                    let answer = adopt(&*store, &record, adoption()).await;
                    if is_done(&answer) {
                        store.delete(RecordKey { realm: REALM, id: record.id }).await.unwrap();
                    }
                    answer
                })
            });
            let answers: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
            assert_eq!(answers.iter().filter(|answer| is_done(answer)).count(), 1, "{answers:?}");
        }
    }
}

async fn a_bar_of_one_process_stops_the_adoptions_of_another<B: Backend>() {
    let Some((_backend, [here, there])) = two_stores::<B>().await else { return };
    for round in 0..10 {
        let subject = format!("user-{round}");
        let account = Account { realm: REALM, subject: &subject };
        let arriving = (0..4).map(|_| {
            let (here, record) = (Arc::clone(&here), login(&subject));
            tokio::spawn(async move { adopt(&*here, &record, adoption()).await })
        });
        let arriving: Vec<_> = arriving.collect();
        let proven = now().plus(Duration::from_secs(1));
        bar(&*there, Some(&subject), Bar { at: proven, until: now().plus(KEPT) }).await;
        there.delete_account(account, None, crate::MARK, now()).await.unwrap();
        join_all(arriving).await.into_iter().for_each(|adopted| drop(adopted.unwrap()));
        assert_eq!(here.list(account, now()).await.unwrap(), []);
        let late = Adoption::new(proven);
        assert_eq!(adopt(&*here, &login(&subject), late).await, Adopted::Barred);
    }
}

async fn cleanup_takes_the_marks_and_bars_that_are_over_a_batch_at_a_time<B: Backend>() {
    let Some(backend) = B::start() else { return };
    let (options, table) = backend.options();
    let store = backend.connect(options).await.unwrap();
    let began = now();
    let (soon, late) = (began.plus(Duration::from_secs(10)), began.plus(KEPT));
    let until = |until: Timestamp| Adoption::new(began).once_until(Some(until));
    for number in 0..5 {
        let subject = format!("user-{number}");
        assert!(is_done(&adopt(&*store, &login(&subject), until(soon)).await));
        bar(&*store, Some(&subject), Bar { at: began, until: soon }).await;
    }
    let last = login("last");
    assert!(is_done(&adopt(&*store, &last, until(late)).await));
    bar(&*store, None, Bar { at: began, until: late }).await;

    let rows = format!("SELECT count(*) FROM {table}_adoptions");
    for (now, most, left) in [
        (began, 100, 12),
        (soon, 4, 8),
        (soon, 4, 4),
        (soon, 4, 2),
        (soon.plus(Duration::from_secs(100)), 100, 2),
    ] {
        assert_eq!(store.delete_expired(now, most).await.unwrap(), 0, "no session is over");
        assert_eq!(backend.number(&rows).await, left);
    }
    store.delete(RecordKey { realm: REALM, id: last.id }).await.unwrap();
    let later = Adoption::new(late);
    assert_eq!(adopt(&*store, &last, later).await, Adopted::Barred, "the mark is still there");
    assert_eq!(adopt(&*store, &login("ann"), until(late)).await, Adopted::Barred, "so is the bar");
    assert!(is_done(&adopt(&*store, &login("user-1"), later).await));
}

async fn a_bar_of_a_subject_that_nobody_has_is_refused<B: Backend>() {
    let Some(backend) = B::start() else { return };
    let store = backend.connect(backend.options().0).await.unwrap();
    let nobody = "a".repeat(256);
    let error = store.bar(REALM, Some(&nobody), Bar { at: now(), until: now() }, now()).await.unwrap_err();
    assert!(!error.is_retryable() && error.to_string().contains("255"), "{error}");
}

/// An adoption that has looked for bars, and waits for somebody who holds the session that it is to evict.
#[cfg(any(feature = "postgres", feature = "mysql"))]
async fn a_bar_waits_for_the_adoption(
    store: Arc<dyn SessionStore>,
    hold: impl AsyncFn(),
    let_go: impl AsyncFn(),
    waiting: impl Fn() -> usize,
) {
    let wait_for = async |wanted: usize, or: &dyn Fn() -> bool| {
        let began = std::time::Instant::now();
        while waiting() < wanted && !or() {
            assert!(began.elapsed() < Duration::from_secs(60), "nobody waits");
            // See races.rs.
            sleep(Duration::from_millis(200)).await;
        }
    };
    for (whose, proven) in [(Some("ann"), now()), (None, now().plus(Duration::from_secs(10)))] {
        let (old, new) = (login("ann"), login("ann"));
        store.create(REALM, &old, Create::default(), now()).await.unwrap();
        hold().await;
        let evicting = Adoption::new(proven).limit(Some(SessionLimit::EvictLeastRecentlySeen(1)));
        let (here, record) = (Arc::clone(&store), new.clone());
        let adopting = tokio::spawn(async move { adopt(&*here, &record, evicting).await });
        wait_for(1, &|| adopting.is_finished()).await;
        let there = Arc::clone(&store);
        let barring = tokio::spawn(async move {
            bar(&*there, whose, Bar { at: proven, until: now().plus(KEPT) }).await;
        });
        wait_for(2, &|| barring.is_finished()).await;
        assert!(!barring.is_finished() && !adopting.is_finished(), "{whose:?}");
        let_go().await;
        assert_eq!(adopting.await.unwrap(), Adopted::Done { evicted: vec![old.id] });
        barring.await.unwrap();
        assert_eq!(adopt(&*store, &login("ann"), evicting).await, Adopted::Barred);
        let account = Account { realm: REALM, subject: "ann" };
        assert_eq!(store.delete_account(account, None, crate::MARK, now()).await.unwrap(), [new.id]);
    }
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn a_bar_waits_for_an_adoption_under_way_on_postgres() {
    use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

    let Some(backend) = crate::backend::Postgres::start() else { return };
    let (options, table) = backend.options();
    let store = backend.connect(options).await.unwrap();
    let other = tokio::sync::Mutex::new(PgConnection::connect(&backend.0.url()).await.unwrap());
    let run = async |sql: String| {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *other.lock().await).await.unwrap();
    };
    let waiting = || {
        let sql = format!(
            r#"SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
               AND (query LIKE '%"{table}\_adopt%' OR query LIKE '%"{table}\_bar%')"#
        );
        backend.0.run(&sql).trim().parse().unwrap()
    };
    let hold = async || run(format!("BEGIN; SELECT id FROM {table} FOR UPDATE")).await;
    a_bar_waits_for_the_adoption(store, hold, async || run("ROLLBACK".into()).await, waiting).await;
}

#[cfg(feature = "mysql")]
#[tokio::test(flavor = "multi_thread")]
async fn a_bar_waits_for_an_adoption_under_way_on_mysql() {
    use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection};

    let Some(backend) = crate::backend::MySql::start() else { return };
    let (options, table) = backend.options();
    let store = backend.connect(options).await.unwrap();
    let other = tokio::sync::Mutex::new(MySqlConnection::connect(&backend.0.url()).await.unwrap());
    let run = async |sql: String| {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *other.lock().await).await.unwrap();
    };
    let waiting = || {
        let sql = format!(
            "SELECT trx_id FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'
             AND (trx_query LIKE '%`{table}`%' OR trx_query LIKE '%`{table}\\_locks`%')"
        );
        backend.0.run(&sql).lines().count()
    };
    let hold = async || {
        run("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION".into()).await;
        run(format!("SELECT id FROM {table} FOR UPDATE")).await;
    };
    a_bar_waits_for_the_adoption(store, hold, async || run("ROLLBACK".into()).await, waiting).await;
}

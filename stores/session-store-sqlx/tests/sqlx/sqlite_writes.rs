//! Writes that arrive together share a transaction of SQLite, and each caller learns what came of its own.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{join_all, maybe_done};
use session_core::store::{
    Account, Create, Created, Fence, Mark, RecordKey, Replaced, Replaces, SessionLimit, SessionRecord,
    SessionStore, StoreError, Touch,
};
use session_store_sqlx::{SqliteStore, StoreOptions};
use sqlx::sqlite::SqlitePoolOptions;

use crate::backend::{Backend, REALM, Sqlite, login, now};

/// How a store is made, since one on a pool sends its transactions otherwise.
const STORES: [bool; 2] = [false, true];

async fn store(on_a_pool: bool) -> (Sqlite, Arc<dyn SessionStore>) {
    let backend = Sqlite::start().unwrap();
    let (options, _) = backend.options();
    let store = if on_a_pool { backend.on_a_pool(options).await } else { backend.connect(options).await };
    (backend, store.unwrap())
}

fn key(record: &SessionRecord) -> RecordKey<'_> {
    RecordKey { realm: REALM, id: record.id }
}

fn logins(count: usize) -> Vec<SessionRecord> {
    (0..count).map(|at| login(&format!("user-{at}"))).collect()
}

async fn log_in(store: &dyn SessionStore, records: &[SessionRecord], options: Create) {
    let logins = records.iter().map(|record| store.create(REALM, record, options, now()));
    for created in join_all(logins).await {
        assert_eq!(created.unwrap(), Created::Done { evicted: Vec::new() });
    }
}

/// How many commits are in the write-ahead log: of each the last frame has the size of the file in its header.
fn commits(backend: &Sqlite) -> usize {
    let log = std::fs::read(backend.file().get_filename().with_extension("sqlite-wal")).unwrap();
    let word = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().unwrap());
    let frame = 24 + word(&log[8..]) as usize;
    // Those from before the log was begun anew have another salt.
    let frames = log[32..].chunks_exact(frame).take_while(|frame| frame[8..16] == log[16..24]);
    frames.filter(|frame| word(&frame[4..]) != 0).count()
}

#[tokio::test]
async fn logins_touches_and_logouts_at_once_need_few_commits() {
    let evict = |most| Create::new(None, Some(SessionLimit::EvictLeastRecentlySeen(most)));
    for on_a_pool in STORES {
        let (backend, store) = store(on_a_pool).await;
        for options in [Create::default(), evict(100), evict(1)] {
            let records = logins(64);
            let before = commits(&backend);
            log_in(&*store, &records, options).await;
            assert!(commits(&backend) - before <= 4, "logins, {options:?}");

            let before = commits(&backend);
            let touch = Touch::new(std::time::Duration::from_secs(60), None, 0, std::time::Duration::ZERO);
            let then = now().plus(std::time::Duration::from_secs(90));
            let touches = records.iter().map(|record| store.read_and_touch(key(record), touch, then));
            for (seen, record) in join_all(touches).await.into_iter().zip(&records) {
                assert_eq!(seen.unwrap().unwrap().version, record.version + 1);
            }
            assert!(commits(&backend) - before <= 6, "touches");

            let before = commits(&backend);
            let logouts = records.iter().map(|record| store.delete(key(record)));
            assert!(join_all(logouts).await.into_iter().all(Result::unwrap));
            assert!(commits(&backend) - before <= 4, "logouts");
        }
    }
}

#[tokio::test]
async fn one_caller_pays_one_commit_for_each_write() {
    let (backend, store) = store(false).await;
    let before = commits(&backend);
    for record in logins(5) {
        store.create(REALM, &record, Create::default(), now()).await.unwrap();
        assert!(store.delete(key(&record)).await.unwrap());
    }
    assert_eq!(commits(&backend) - before, 10);
}

/// Everything that can be written, in an order in which the earlier matters to the later.
#[tokio::test]
async fn different_writes_at_once_are_one_commit_in_the_order_of_their_arrival() {
    for on_a_pool in STORES {
        let (backend, store) = store(on_a_pool).await;
        let [first, old, ann, bob, carol] = ["first", "old", "ann", "bob", "carol"].map(login);
        log_in(&*store, &[old.clone(), bob.clone()], Create::default()).await;
        let next = bob.clone().with(|next| next.version += 1);
        let rotated = login("old");
        let replaces = Some(Replaces::MustExist { id: old.id, version: old.version });
        let before = commits(&backend);
        let account = Account { realm: REALM, subject: "ann" };
        // The first goes alone, and the others wait for it.
        let answers = tokio::join!(
            store.create(REALM, &first, Create::default(), now()),
            store.create(REALM, &ann, Create::default(), now()),
            store.replace(REALM, &next, now()),
            store.create(REALM, &rotated, Create::new(replaces, None), now()),
            store.delete(key(&rotated)),
            store.delete_account(account, None, crate::MARK, now()),
            store.delete(key(&ann)),
            store.replace(REALM, &next, now()),
            store.create(REALM, &carol, Create::default(), now()),
        );
        assert_eq!(commits(&backend) - before, 2);
        let done = Created::Done { evicted: Vec::new() };
        assert_eq!(
            [answers.0, answers.1, answers.3, answers.8].map(Result::unwrap),
            [(); 4].map(|()| done.clone())
        );
        assert_eq!([answers.2, answers.7].map(Result::unwrap), [Replaced::Done, Replaced::Conflict]);
        assert_eq!([answers.4, answers.6].map(Result::unwrap), [true, false]);
        assert_eq!(answers.5.unwrap(), [ann.id]);
        for (record, is_there) in
            [(&first, true), (&old, false), (&rotated, false), (&ann, false), (&carol, true)]
        {
            assert_eq!(store.read(key(record), now()).await.unwrap().is_some(), is_there);
        }
        assert_eq!(store.read(key(&bob), now()).await.unwrap(), Some(next));
    }
}

#[tokio::test]
async fn a_refused_login_undoes_only_itself_and_says_why() {
    for on_a_pool in STORES {
        let (_backend, store) = store(on_a_pool).await;
        let (bob, full) = (login("bob"), login("full"));
        log_in(&*store, &[bob.clone(), full.clone()], Create::default()).await;
        let realm = Account { realm: REALM, subject: "bob" };
        let stands = store.fence(realm, crate::MARK, now()).await.unwrap();
        let overtaken = Fence::new(stands.realm(), Some(Mark::from_bytes([9; 16])));
        let limit = Some(SessionLimit::Refuse(1));
        let must = |version| Some(Replaces::MustExist { id: bob.id, version });
        let gone = Some(Replaces::MustExist { id: login("bob").id, version: 0 });
        let wanted = [
            (login("ann"), Create::new(None, limit), None),
            (
                bob.clone().with(|taken| taken.payload = b"{}".to_vec()),
                Create::default(),
                Some(Created::IdTaken),
            ),
            (login("bob"), Create::new(None, limit).behind(Some(overtaken)), Some(Created::Overtaken)),
            (login("carol"), Create::default().behind(Some(stands)), None),
            (login("bob"), Create::new(gone, limit), Some(Created::PredecessorGone)),
            (login("bob"), Create::new(must(7), limit), Some(Created::PredecessorChanged)),
            (login("full"), Create::new(None, limit), Some(Created::LimitReached)),
            (login("full"), Create::new(None, Some(SessionLimit::Refuse(0))), Some(Created::LimitReached)),
            (login("dave"), Create::new(None, limit), None),
            (login("dave"), Create::new(None, limit), Some(Created::LimitReached)),
        ];
        let logins = wanted.iter().map(|(record, options, _)| store.create(REALM, record, *options, now()));
        for (created, (record, _, refusal)) in join_all(logins).await.into_iter().zip(&wanted) {
            let done = Created::Done { evicted: Vec::new() };
            assert_eq!(created.unwrap(), refusal.clone().unwrap_or(done));
            let found = store.read(key(record), now()).await.unwrap();
            assert_eq!(found.is_some_and(|found| found == *record), refusal.is_none());
        }
        for untouched in [bob, full] {
            assert_eq!(store.read(key(&untouched), now()).await.unwrap(), Some(untouched));
        }
    }
}

#[tokio::test]
async fn a_login_at_the_limit_evicts_whatever_comes_with_it() {
    for most in [1, 10] {
        let (_backend, store) = store(false).await;
        let options = |replaces| Create::new(replaces, Some(SessionLimit::EvictLeastRecentlySeen(most)));
        let records: Vec<_> = (0..40).map(|_| login("ann")).collect();
        let logins = records.iter().map(|record| store.create(REALM, record, options(None), now()));
        let mut evicted = Vec::new();
        for created in join_all(logins).await {
            let Created::Done { evicted: some } = created.unwrap() else { panic!("no login fails") };
            evicted.extend(some);
        }
        let left = store.list(Account { realm: REALM, subject: "ann" }, now()).await.unwrap();
        assert_eq!((left.len(), evicted.len()), (most as usize, 40 - most as usize));
        assert!(left.iter().all(|left| !evicted.contains(&left.id)));
        // The predecessor makes room, and is not among the evicted.
        let replaces = Some(Replaces::IfPresent(left[0].id));
        let created = store.create(REALM, &login("ann"), options(replaces), now()).await;
        assert_eq!(created.unwrap(), Created::Done { evicted: Vec::new() });
    }
}

/// What SQLite does when Mallory logs in: at the statement, and not before the commit.
const FAILURES: [&str; 2] = [
    "CREATE TRIGGER fails BEFORE INSERT ON t WHEN NEW.subject = x'6d616c6c6f7279'
     BEGIN SELECT RAISE(ABORT, 'no mallory'); END;",
    "CREATE TABLE parent (id INTEGER PRIMARY KEY);
     CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
     CREATE TRIGGER fails AFTER INSERT ON t WHEN NEW.subject = x'6d616c6c6f7279'
     BEGIN INSERT INTO child VALUES (1); END;",
];

#[tokio::test]
async fn an_error_is_of_the_caller_whose_write_it_was() {
    for (failure, on_a_pool) in FAILURES.iter().flat_map(|failure| STORES.map(|pool| (failure, pool))) {
        let (backend, store) = store(on_a_pool).await;
        backend.run(failure).await;
        let mut records = logins(20);
        records[5] = login("mallory");
        records[19] = login("mallory");
        let logins = records.iter().map(|record| store.create(REALM, record, Create::default(), now()));
        for (created, record) in join_all(logins).await.into_iter().zip(&records) {
            let is_mallory = record.subject.as_deref() == Some("mallory");
            assert_eq!(created.is_err(), is_mallory, "{created:?}");
            assert_eq!(store.read(key(record), now()).await.unwrap().is_none(), is_mallory);
        }
    }
}

#[tokio::test]
async fn what_fails_for_everybody_is_everybodys_error() {
    let (backend, store) = store(false).await;
    backend.run("DROP TABLE t").await;
    let records = logins(10);
    let logins = records.iter().map(|record| store.create(REALM, record, Create::default(), now()));
    for created in join_all(logins).await {
        let error: StoreError = created.unwrap_err();
        assert!(!error.is_retryable() && error.to_string().contains("session table is missing"), "{error}");
    }
}

/// At each moment from its first step on, also while SQLite is at work.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_gives_up_harms_nobody_and_leaves_no_half() {
    for on_a_pool in STORES {
        for gives_up_after in 0..30 {
            let (backend, store) = store(on_a_pool).await;
            let old = logins(3);
            log_in(&*store, &old, Create::default()).await;
            let mut new: Vec<_> = old.iter().map(|old| login(old.subject.as_deref().unwrap())).collect();
            new.extend((0..10).map(|at| login(&format!("other-{at}"))));
            let options = |at: usize| {
                let replaces = old.get(at).map(|old| Replaces::IfPresent(old.id));
                Create::new(replaces, Some(SessionLimit::EvictLeastRecentlySeen(1)))
            };
            // SQLite works in a thread of its own: each may be over whenever it is looked at.
            let logins = new.iter().enumerate();
            let logins =
                logins.map(|(at, record)| maybe_done(store.create(REALM, record, options(at), now())));
            let mut logins: Vec<_> = logins.collect();
            for login in &mut logins {
                login.now_or_never();
            }
            // One flies alone, the next one would fly for the others, the third goes along.
            for _ in 0..gives_up_after {
                for login in logins.iter_mut().take(3) {
                    login.now_or_never();
                }
                tokio::task::yield_now().await;
            }
            let mut rest = logins.split_off(3);
            drop(logins);
            join_all(&mut rest).await;
            for login in &mut rest {
                let created = Pin::new(login).take_output().unwrap();
                assert_eq!(created.unwrap(), Created::Done { evicted: Vec::new() });
            }
            // No transaction is open, neither for another process nor for this one.
            backend.run("BEGIN IMMEDIATE; COMMIT").await;
            for (old, new) in old.iter().zip(&new) {
                let [old, new] = [old, new].map(|record| store.read(key(record), now()));
                let (old, new) = (old.await.unwrap(), new.await.unwrap());
                assert!(old.is_some() != new.is_some(), "a login was made by half");
            }
            for record in &new[3..] {
                assert!(store.read(key(record), now()).await.unwrap().is_some());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_everybody_gave_up_is_left_to_nobody_on_the_only_connection() {
    let backend = Sqlite::start().unwrap();
    for own in [true, false] {
        let store = if own {
            SqliteStore::connect_with(&backend.url(), StoreOptions::default().max_connections(1)).await
        } else {
            let pool =
                SqlitePoolOptions::new().max_connections(1).connect_with(backend.file()).await.unwrap();
            SqliteStore::from_pool(pool).await
        };
        let store = store.unwrap();
        let options = Create::new(None, Some(SessionLimit::EvictLeastRecentlySeen(1)));
        for polls in 1..20 {
            let record = login("ann");
            let mut login = store.create(REALM, &record, options, now());
            for _ in 0..polls {
                if (&mut login).now_or_never().is_some() {
                    break;
                }
            }
            drop(login);
            // Otherwise this one would be in a transaction that nobody ends.
            let next = login_of_bob(&store).await;
            assert!(is_in_the_file(&backend, &next).await, "after {polls} steps");
        }
    }
}

async fn login_of_bob(store: &SqliteStore) -> SessionRecord {
    let record = login("bob");
    store.create(REALM, &record, Create::default(), now()).await.unwrap();
    record
}

/// For whoever opens it now.
async fn is_in_the_file(backend: &Sqlite, record: &SessionRecord) -> bool {
    let fresh = SqliteStore::connect(&backend.url()).await.unwrap();
    let found = fresh.read(key(record), now()).await.unwrap();
    fresh.close().await;
    found.is_some()
}

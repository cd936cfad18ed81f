//! How often PostgreSQL is asked, which a proxy before its socket counts, and how much it reads.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use session_core::store::{
    Account, Adoption, Bar, Create, RecordKey, Replaces, SessionLimit, SessionStore as _, Touch,
};
use session_store_sqlx::{PostgresStore, StoreOptions};
use session_test_servers::{Sql, SqlServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use crate::backend::{REALM, fresh_table, login, now};

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_one_round_trip() {
    let Some(server) = SqlServer::shared(Sql::Postgres) else { return };
    let folder = tempfile::tempdir().unwrap();
    let asked = proxy(&server.socket(), &folder.path().join(".s.PGSQL.5432"));
    let url = format!("postgres://postgres@localhost/sessions?host={}", folder.path().display());
    let options = StoreOptions::default().table(fresh_table()).max_connections(1).announce(false);
    let store = PostgresStore::connect_with(&url, options).await.unwrap();
    let touch = Touch::new(Duration::from_secs(60), Some(Duration::from_secs(3600)), 0, Duration::ZERO);
    let account = Account { realm: REALM, subject: "ann" };
    let limit = Some(SessionLimit::EvictLeastRecentlySeen(2));

    // The first round prepares the statements.
    for round in 0..2 {
        let mut counted = Vec::new();
        let mut before = asked.load(Ordering::SeqCst);
        let mut count = |call: &'static str| {
            let now = asked.load(Ordering::SeqCst);
            counted.push((call, now - before));
            before = now;
        };
        let (first, second, third) = (login("ann"), login("ann"), login("ann"));
        let key = RecordKey { realm: REALM, id: first.id };
        store.create(REALM, &first, Create::new(None, limit), now()).await.unwrap();
        count("login");
        store.read(key, now()).await.unwrap().unwrap();
        count("read");
        store.read_and_touch(key, touch, now()).await.unwrap().unwrap();
        count("read and no touch");
        let then = now().plus(Duration::from_secs(60));
        let mut next = store.read_and_touch(key, touch, then).await.unwrap().unwrap();
        count("read and touch");
        next.version += 1;
        store.replace(REALM, &next, now()).await.unwrap();
        count("compare and swap");
        let replaces = Some(Replaces::MustExist { id: first.id, version: next.version });
        store.create(REALM, &second, Create::new(replaces, limit), now()).await.unwrap();
        count("rotation");
        store.create(REALM, &third, Create::new(None, limit), now()).await.unwrap();
        store.create(REALM, &login("ann"), Create::new(None, limit), now()).await.unwrap();
        count("two logins, the second evicts");
        store.list(account, now()).await.unwrap();
        count("list");
        store.delete(RecordKey { realm: REALM, id: third.id }).await.unwrap();
        count("logout");
        store.delete_account(account, None, crate::MARK, now()).await.unwrap();
        count("revoke all");
        store.delete_expired(now(), 1000).await.unwrap();
        count("cleanup");
        let adoption =
            Adoption::new(now()).once_until(Some(now().plus(Duration::from_secs(60)))).limit(limit);
        let foreign = login("ann");
        store.adopt(REALM, &foreign, adoption, now()).await.unwrap();
        count("adoption");
        store.adopt(REALM, &foreign, adoption, now()).await.unwrap();
        count("adoption of the same");
        store.bar(REALM, Some("bob"), Bar { at: now(), until: now() }, now()).await.unwrap();
        count("bar");
        store.delete(RecordKey { realm: REALM, id: foreign.id }).await.unwrap();
        count("logout of the adopted");
        if round == 1 {
            let wanted = |call| if call == "two logins, the second evicts" { 2 } else { 1 };
            assert!(counted.iter().all(|(call, asked)| *asked == wanted(*call)), "{counted:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_come_together_share_their_questions() {
    let Some(server) = SqlServer::shared(Sql::Postgres) else { return };
    let folder = tempfile::tempdir().unwrap();
    let asked = proxy(&server.socket(), &folder.path().join(".s.PGSQL.5432"));
    let url = format!("postgres://postgres@localhost/sessions?host={}", folder.path().display());
    let options = StoreOptions::default().table(fresh_table()).max_connections(1).announce(false);
    let store = Arc::new(PostgresStore::connect_with(&url, options).await.unwrap());
    let touch = Touch::new(Duration::from_secs(60), Some(Duration::from_secs(3600)), 0, Duration::ZERO);
    let mut records = Vec::new();
    for _ in 0..128 {
        let record = login("ann");
        store.create(REALM, &record, Create::default(), now()).await.unwrap();
        records.push(record);
    }
    let read_all = async || {
        let before = asked.load(Ordering::SeqCst);
        let reads = records.iter().map(|record| {
            let (store, id) = (Arc::clone(&store), record.id);
            tokio::spawn(async move {
                store.read_and_touch(RecordKey { realm: REALM, id }, touch, now()).await.unwrap()
            })
        });
        let reads: Vec<_> = reads.collect();
        let found: Vec<_> = join_all(reads).await.into_iter().map(Result::unwrap).collect();
        assert!(found.iter().zip(&records).all(|(found, record)| found.as_ref() == Some(record)));
        asked.load(Ordering::SeqCst) - before
    };
    // The first round prepares the statements.
    read_all().await;
    let asked = read_all().await;
    println!("{asked} questions for 128 reads");
    assert!(asked <= 32, "{asked} questions for 128 reads");
}

#[tokio::test(flavor = "multi_thread")]
async fn logouts_that_come_together_share_their_announcements() {
    let Some(server) = SqlServer::shared(Sql::Postgres) else { return };
    let folder = tempfile::tempdir().unwrap();
    let asked = proxy(&server.socket(), &folder.path().join(".s.PGSQL.5432"));
    let url = format!("postgres://postgres@localhost/sessions?host={}", folder.path().display());
    let options = StoreOptions::default().table(fresh_table()).max_connections(1);
    let store = PostgresStore::connect_with(&url, options).await.unwrap();
    let mut records = Vec::new();
    for _ in 0..50 {
        let record = login("ann");
        store.create(REALM, &record, Create::default(), now()).await.unwrap();
        records.push(record);
    }
    let before = asked.load(Ordering::SeqCst);
    let logouts = records.iter().map(|record| store.delete(RecordKey { realm: REALM, id: record.id }));
    assert!(join_all(logouts).await.into_iter().all(|deleted| deleted.unwrap()));
    store.close().await;
    let asked = asked.load(Ordering::SeqCst) - before;
    assert!(asked < 60, "{asked} round trips for 50 logouts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cleanup_reads_its_batch_only_whatever_the_planner_believes() {
    let Some(server) = SqlServer::shared(Sql::Postgres) else { return };
    // What it saw when it looked last: nothing, no session that has expired, a few.
    for (expired, alive, spread) in [(0, 0, 1), (0, 20_000, 1), (200, 20_000, 400)] {
        let table = fresh_table();
        let options = StoreOptions::default().table(&table).max_connections(1);
        let store = PostgresStore::connect_with(&server.url(), options).await.unwrap();
        server.run(&format!("ALTER TABLE {table} SET (autovacuum_enabled = off)"));
        server.run(&rows(&table, 0..expired, -500, spread));
        server.run(&rows(&table, expired..alive, 10_000, spread));
        if alive > 0 {
            server.run(&format!("ANALYZE {table}"));
        }
        server.run(&rows(&table, 20_000..60_000, -500, spread));
        assert_eq!(store.delete_expired(now(), 1000).await.unwrap(), 1000);
        // The statistics are there when the connection has ended.
        store.close().await;
        let began = Instant::now();
        let read = loop {
            let read = server.run(&format!(
                "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = '{table}_end'"
            ));
            match read.trim().parse::<u64>().unwrap() {
                0 => assert!(began.elapsed() < Duration::from_secs(60), "it reads nothing"),
                read => break read,
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert!(read < 1500, "{read} entries read for 1000 rows, {expired} of {alive} expired before");
    }
}

/// Sessions that end within `spread` seconds after `end` seconds from now, in no order.
fn rows(table: &str, numbers: Range<u32>, end: i64, spread: u32) -> String {
    let (first, after, end) = (numbers.start, numbers.end, now().unix_seconds() + end);
    format!(
        "INSERT INTO {table} SELECT 0, 0, 0, {end} + n * 7919 % {spread}, decode(md5(n::text), 'hex'), 'ann', '', NULL, '{{}}'
         FROM generate_series({first}, {after} - 1) AS n"
    )
}

/// Passes everything on and counts what asks for an answer: `Sync` and `Query` messages.
pub(crate) fn proxy(to: &Path, at: &Path) -> Arc<AtomicUsize> {
    let (listener, to) = (UnixListener::bind(at).unwrap(), to.to_owned());
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = UnixStream::connect(&to).await.unwrap();
            let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                (client.into_split(), server.into_split());
            tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
            let counter = counter.clone();
            tokio::spawn(async move {
                // The first message has no kind.
                let mut kind = None;
                loop {
                    let mut head = [0; 4];
                    from_client.read_exact(&mut head).await?;
                    let mut body = vec![0; u32::from_be_bytes(head) as usize - 4];
                    from_client.read_exact(&mut body).await?;
                    if matches!(kind, Some(b'S' | b'Q')) {
                        counter.fetch_add(1, Ordering::SeqCst);
                    }
                    to_server.write_all(&[kind.as_slice(), &head, &body].concat()).await?;
                    kind = Some(from_client.read_u8().await?);
                }
                #[allow(unreachable_code)]
                Ok::<_, std::io::Error>(())
            });
        }
    });
    asked
}

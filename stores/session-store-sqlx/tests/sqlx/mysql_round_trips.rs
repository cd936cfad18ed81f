//! How often MySQL is asked, which a proxy before its socket counts.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use session_core::store::{
    Account, Adoption, Bar, Create, Created, Replaces, SessionLimit, SessionStore as _,
};
use session_store_sqlx::{MySqlStore, StoreOptions};
use session_test_servers::{Sql, SqlServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use crate::backend::{REALM, fresh_table, login, now};

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_one_round_trip_and_so_is_a_rotation_and_one_that_evicts() {
    let Some((store, asked, _folder)) = counted().await else { return };
    let limit = Some(SessionLimit::EvictLeastRecentlySeen(2));
    let account = Account { realm: REALM, subject: "ann" };
    let fence = store.fence(account, crate::MARK, now()).await.unwrap();

    let (first, third, fourth) = (login("ann"), login("ann"), login("ann"));
    let second = login("ann").with(|record| record.last_seen = now().minus(Duration::from_secs(10)));
    let rotation = Some(Replaces::MustExist { id: first.id, version: first.version });
    let guest = login("").with(|record| record.subject = None);
    let fenced = Create::new(None, limit).behind(Some(fence));
    for (record, options, ends) in [
        (&first, fenced, vec![]),
        (&second, Create::new(rotation, limit), vec![]),
        (&third, Create::new(None, Some(SessionLimit::Refuse(2))), vec![]),
        (&fourth, Create::new(None, limit), vec![second.id]),
        (&guest, Create::default(), vec![]),
    ] {
        let before = asked.load(Ordering::SeqCst);
        let created = store.create(REALM, record, options, now()).await.unwrap();
        assert_eq!(created, Created::Done { evicted: ends });
        assert_eq!(asked.load(Ordering::SeqCst) - before, 1);
    }
    assert_eq!(store.list(account, now()).await.unwrap().len(), 2);
}

/// Where few accounts are full, the first text looks at nobody who would have to leave. It is undone, and a second one does.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_of_a_full_account_with_a_large_limit_is_three_round_trips() {
    let Some((store, asked, _folder)) = counted().await else { return };
    let limit = Create::new(None, Some(SessionLimit::EvictLeastRecentlySeen(5)));
    let logins: Vec<_> = (0..6)
        .map(|place| {
            login("ann").with(|record| record.last_seen = now().minus(Duration::from_secs(60 - place)))
        })
        .collect();
    for (place, record) in logins.iter().enumerate() {
        let before = asked.load(Ordering::SeqCst);
        let created = store.create(REALM, record, limit, now()).await.unwrap();
        let (evicted, trips) = if place < 5 { (vec![], 1) } else { (vec![logins[0].id], 3) };
        assert_eq!(created, Created::Done { evicted });
        assert_eq!(asked.load(Ordering::SeqCst) - before, trips, "login {place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adoption_is_a_short_transaction() {
    let Some((store, asked, _folder)) = counted().await else { return };
    let limit = Some(SessionLimit::EvictLeastRecentlySeen(2));
    let adoption = Adoption::new(now()).once_until(Some(now().plus(Duration::from_secs(60)))).limit(limit);
    // The first round prepares the statements.
    for round in 0..2 {
        let before = asked.load(Ordering::SeqCst);
        let foreign = login("ann");
        store.adopt(REALM, &foreign, adoption, now()).await.unwrap();
        let adopted = asked.load(Ordering::SeqCst);
        store.adopt(REALM, &foreign, adoption, now()).await.unwrap();
        let again = asked.load(Ordering::SeqCst);
        store.bar(REALM, Some("bob"), Bar { at: now(), until: now() }, now()).await.unwrap();
        let barred = asked.load(Ordering::SeqCst);
        store.delete_expired(now(), 1000).await.unwrap();
        let cleaned = asked.load(Ordering::SeqCst);
        if round == 1 {
            assert_eq!([adopted - before, again - adopted, barred - again, cleaned - barred], [8, 5, 4, 3]);
        }
    }
}

/// By what MariaDB counts for the index.
#[tokio::test]
async fn a_cleanup_reads_only_what_is_over() {
    let Some(server) = SqlServer::shared(Sql::MariaDb) else { return };
    server.run("SET GLOBAL userstat = 1");
    let table = fresh_table();
    let store = MySqlStore::connect_with(&server.url(), StoreOptions::default().table(&table)).await.unwrap();
    for place in 0..200 {
        let ends_at = match place {
            0..3 => now().minus(Duration::from_secs(200)),
            _ => now().plus(Duration::from_secs(1000 * place)),
        };
        let record = login("ann").with(|record| record.ends_at = ends_at);
        store.create(REALM, &record, Create::default(), now()).await.unwrap();
    }
    let rows_read = || {
        let read = format!(
            "SELECT coalesce(sum(rows_read), 0) FROM information_schema.index_statistics \
             WHERE table_name = '{table}' AND index_name = 'by_end'"
        );
        server.run(&read).trim().parse::<u32>().unwrap()
    };
    let before = rows_read();
    assert_eq!(store.delete_expired(now(), 1000).await.unwrap(), 3);
    let read = rows_read() - before;
    assert!((3..=10).contains(&read), "{read} rows of 200 were read for 3");
}

/// A store of one connection, how often its server was asked, and the folder of the socket between them.
async fn counted() -> Option<(MySqlStore, Arc<AtomicUsize>, tempfile::TempDir)> {
    let server = SqlServer::shared(Sql::MariaDb)?;
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("socket");
    let asked = proxy(&server.socket(), &at);
    let url = format!("mysql://root@localhost/sessions?socket={}", at.display());
    let options = StoreOptions::default().table(fresh_table()).max_connections(1);
    Some((MySqlStore::connect_with(&url, options).await.unwrap(), asked, folder))
}

/// Passes everything on and counts what asks for an answer: packets that begin a conversation.
fn proxy(to: &Path, at: &Path) -> Arc<AtomicUsize> {
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
                loop {
                    let mut head = [0; 4];
                    from_client.read_exact(&mut head).await?;
                    let [low, middle, high, number] = head;
                    let mut body = vec![0; u32::from_le_bytes([low, middle, high, 0]) as usize];
                    from_client.read_exact(&mut body).await?;
                    if number == 0 {
                        counter.fetch_add(1, Ordering::SeqCst);
                    }
                    to_server.write_all(&[&head[..], &body].concat()).await?;
                }
                #[allow(unreachable_code)]
                Ok::<_, std::io::Error>(())
            });
        }
    });
    asked
}

//! A process that logs people in, counts and logs out, many at once, is killed in the middle. What it was told is done
//! is found in its file.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;

use session_core::SessionId;
use session_core::store::{Create, Created, RecordKey, Replaced, Replaces, SessionLimit, SessionStore as _};
use session_store_sqlx::SqliteStore;

use crate::backend::{Backend, REALM, Sqlite, login, now};

/// The URL of the store for the process that is killed, which is this test binary, started again for one test.
const STORE: &str = "SESSION_TESTS_SQLITE_KILLED";
const CLIENTS: usize = 32;
/// It is killed when so much was acknowledged.
const ACKNOWLEDGED: usize = 600;
const ROUNDS: usize = 3;

#[derive(Debug, Default)]
struct Remembered {
    /// As acknowledged.
    generation: u64,
    /// A logout or a rotation has begun, and may have happened.
    is_leaving: bool,
    has_left: bool,
}

#[tokio::test]
async fn what_a_killed_process_was_told_is_in_the_file() {
    let backend = Sqlite::start().unwrap();
    for _ in 0..ROUNDS {
        let remembered = tokio::task::spawn_blocking({
            let url = backend.url();
            move || watch_and_kill(&url)
        });
        let remembered = remembered.await.unwrap();
        let store = SqliteStore::connect(&backend.url()).await.unwrap();
        let (mut open, mut left) = (0, 0);
        for (id, Remembered { generation, is_leaving, has_left }) in remembered {
            let found = store.read(RecordKey { realm: REALM, id }, now()).await.unwrap();
            match found {
                Some(found) => {
                    assert!(!has_left, "it has logged out");
                    assert!(found.generation >= generation, "{} of {generation}", found.generation);
                    open += 1;
                }
                None => {
                    assert!(is_leaving, "it has logged in");
                    left += 1;
                }
            }
        }
        assert!(open > 0 && left > 0, "{open} open, {left} left");
        store.close().await;
    }
}

/// What the process said before it was killed.
fn watch_and_kill(url: &str) -> BTreeMap<SessionId, Remembered> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "sqlite_killed::writes_until_it_is_killed", "--nocapture"]).env(STORE, url);
    let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
    let (mut remembered, mut acknowledged) = (BTreeMap::<_, Remembered>::new(), 0);
    let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let [said, id, generation] = words.as_slice() else { continue };
        let Some(id) = SessionId::from_text(id) else { continue };
        let it = remembered.entry(id).or_default();
        match *said {
            "in" => {}
            "counted" => it.generation = generation.parse().unwrap(),
            "leaving" => it.is_leaving = true,
            "left" => it.has_left = true,
            _ => continue,
        }
        acknowledged += 1;
        // What it still said is read to the end of the pipe.
        if acknowledged == ACKNOWLEDGED {
            process.kill().unwrap();
        }
    }
    assert!(!process.wait().unwrap().success());
    assert!(acknowledged >= ACKNOWLEDGED, "it ended by itself");
    // The last line may be cut short, which is no line.
    remembered
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_until_it_is_killed() {
    let Ok(url) = std::env::var(STORE) else { return };
    let store = Arc::new(SqliteStore::connect(&url).await.unwrap());
    let clients: Vec<_> =
        (0..CLIENTS).map(|client| tokio::spawn(log_in_and_out(Arc::clone(&store), client))).collect();
    for client in clients {
        client.await.unwrap();
    }
}

/// Until the process is killed, and at most for a while.
async fn log_in_and_out(store: Arc<SqliteStore>, client: usize) {
    let subject = format!("user-{client}");
    let options = |replaces| Create::new(replaces, Some(SessionLimit::EvictLeastRecentlySeen(100)));
    for round in 0..10_000 {
        let mut record = login(&subject);
        let created = store.create(REALM, &record, options(None), now()).await.unwrap();
        assert_eq!(created, Created::Done { evicted: Vec::new() });
        say("in", record.id, 0);
        record.version += 1;
        record.generation += 1;
        assert_eq!(store.replace(REALM, &record, now()).await.unwrap(), Replaced::Done);
        say("counted", record.id, record.generation);
        say("leaving", record.id, 0);
        if round % 2 == 0 {
            assert!(store.delete(RecordKey { realm: REALM, id: record.id }).await.unwrap());
            say("left", record.id, 0);
            continue;
        }
        let next = login(&subject);
        let replaces = Some(Replaces::MustExist { id: record.id, version: record.version });
        store.create(REALM, &next, options(replaces), now()).await.unwrap();
        say("in", next.id, 0);
        say("left", record.id, 0);
        // It stays; many more would reach the limit.
        if round > 100 {
            say("leaving", next.id, 0);
            store.delete(RecordKey { realm: REALM, id: next.id }).await.unwrap();
        }
    }
}

fn say(what: &str, id: SessionId, generation: u64) {
    // One write each, so that lines of several threads do not mix.
    let line = format!("{what} {} {generation}\n", id.to_text());
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

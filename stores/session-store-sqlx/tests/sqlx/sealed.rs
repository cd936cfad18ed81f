//! Sealed records in a database file: whoever reads it finds no payload, and whoever writes to it moves none.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use session_core::testing::TestRequest;
use session_core::{KeyRing, Outcome, SessionManager, SessionPayload};
use session_store_sqlx::SqliteStore;
use sqlx::{Connection as _, SqliteConnection};

use crate::backend::{Backend as _, Sqlite};

#[derive(Clone, Serialize, Deserialize)]
struct User {
    id: String,
    secret: String,
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.id).into())
    }
}

async fn sessions(backend: &Sqlite, sealed: bool) -> SessionManager<User> {
    let keys = KeyRing::from_secret("0123456789abcdef0123456789abcdef").unwrap();
    let store = SqliteStore::connect(&backend.url()).await.unwrap();
    SessionManager::builder().keys(keys).store(store).seal_records(sealed).build().unwrap()
}

fn cookie(outcome: &Outcome<User>) -> String {
    outcome.changes.set_cookie().unwrap().split(';').next().unwrap().to_owned()
}

async fn log_in(sessions: &SessionManager<User>, id: &str) -> String {
    let user = User { id: id.to_owned(), secret: format!("what only {id} knows") };
    cookie(&sessions.create_session(user, &TestRequest::new("POST", "/")).await.unwrap())
}

async fn secret(sessions: &SessionManager<User>, cookie: &str) -> Option<String> {
    let outcome = sessions.get_session(&TestRequest::new("GET", "/").cookie(cookie)).await.unwrap();
    outcome.map(|outcome| outcome.user().unwrap().secret.clone())
}

/// The bytes of the file and of what SQLite keeps beside it.
fn has(backend: &Sqlite, text: &str) -> bool {
    let file = backend.file().get_filename().to_owned();
    let log = file.with_extension("sqlite-wal");
    [file, log]
        .iter()
        .filter_map(|file| std::fs::read(file).ok())
        .any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}

#[tokio::test]
async fn a_payload_is_nowhere_in_the_file_and_opens_at_its_own_row_only() {
    let backend = Sqlite::start().unwrap();
    let sealed = sessions(&backend, true).await;
    let [ann, eve] = [log_in(&sealed, "ann").await, log_in(&sealed, "eve").await];
    assert_eq!(secret(&sealed, &ann).await.as_deref(), Some("what only ann knows"));
    assert_eq!(sealed.update_account("ann", |user| user.secret.push('!')).await.unwrap(), 1);
    assert_eq!(secret(&sealed, &ann).await.as_deref(), Some("what only ann knows!"));
    assert!(!has(&backend, "what only") && has(&backend, "ann"), "the account is in the clear");

    let mut connection = SqliteConnection::connect_with(&backend.file()).await.unwrap();
    let swapped = sqlx::query(
        "UPDATE login_sessions SET payload = (SELECT other.payload FROM login_sessions AS other WHERE other.subject = x'616e6e')
         WHERE subject = x'657665'",
    );
    assert_eq!(swapped.execute(&mut connection).await.unwrap().rows_affected(), 1);
    assert_eq!(secret(&sealed, &eve).await, None);
    assert_eq!(secret(&sealed, &ann).await.as_deref(), Some("what only ann knows!"));
}

#[tokio::test]
async fn rows_from_before_are_read_and_sealed_with_their_next_write() {
    let backend = Sqlite::start().unwrap();
    let (open, sealed) = (sessions(&backend, false).await, sessions(&backend, true).await);
    let ann = log_in(&open, "ann").await;
    assert!(has(&backend, "what only ann knows"));
    assert_eq!(secret(&sealed, &ann).await.as_deref(), Some("what only ann knows"));
    sealed.update_account("ann", |user| user.secret = "another one".to_owned()).await.unwrap();
    assert!(!has(&backend, "another one"));
    assert_eq!(secret(&sealed, &ann).await.as_deref(), Some("another one"));
    assert_eq!(secret(&open, &ann).await.as_deref(), Some("another one"), "on a node that has not moved yet");
}

//! The one session manager that all three frameworks share, and the store below it.

use std::future::ready;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use session_core::store::{MemoryStore, SessionStore, StoreError};
use session_core::{CookieSettings, KeyRing, SessionEvent, SessionManager, SessionManagerBuilder};
use session_store_redis::RedisStore;
use session_store_sqlx::{MySqlStore, PostgresStore, SqliteStore};

use crate::User;
use crate::app::Shared;
use crate::events::Event;
use crate::options::Store;
use crate::private;

/// A store that is chosen at run time; `None` is stateless.
pub type Chosen = Option<Arc<dyn SessionStore>>;

/// Each session is compared with its account so often. A new role is in open sessions at once; this is for what nobody
/// told them, such as a restart, after which the accounts are as at first.
const COMPARED_EVERY: Duration = Duration::from_secs(60);

/// The embedded database, in the data directory.
const FILE: &str = "sessions.sqlite";

/// Opens the store; makes its tables when they are missing.
///
/// # Errors
/// Says what the store says.
pub async fn open(store: &Store, data_dir: &Path) -> anyhow::Result<Chosen> {
    Ok(match store {
        Store::Stateless => None,
        Store::Memory => Some(Arc::new(MemoryStore::new())),
        Store::Embedded => {
            let file = private_database(data_dir)
                .with_context(|| format!("cannot make the database in {}", data_dir.display()))?;
            Some(Arc::new(SqliteStore::connect(&format!("sqlite:{}", file.display())).await?))
        }
        Store::Url(url) => Some(connect(url).await?),
    })
}

/// The file, for its owner only. SQLite gives the files beside it the same rights. What an earlier version left is
/// narrowed, but for the folder, which may be one that others need.
fn private_database(data_dir: &Path) -> io::Result<PathBuf> {
    private::folder(data_dir)?;
    let file = data_dir.join(FILE);
    match private::new_file(&file) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    for name in [FILE.to_owned(), format!("{FILE}-wal"), format!("{FILE}-shm")] {
        match private::narrow(&data_dir.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(file)
}

async fn connect(url: &str) -> Result<Arc<dyn SessionStore>, StoreError> {
    Ok(match url.split(':').next().unwrap_or_default() {
        "sqlite" => Arc::new(SqliteStore::connect(url).await?),
        "postgres" | "postgresql" => Arc::new(PostgresStore::connect(url).await?),
        "mysql" | "mariadb" => Arc::new(MySqlStore::connect(url).await?),
        _ => Arc::new(RedisStore::connect(url).await?),
    })
}

/// The manager, to be built: the cookie is one for plain http, since the demo serves loopback only.
pub fn builder(keys: KeyRing, store: Chosen, shared: &Arc<Shared>) -> SessionManagerBuilder<User> {
    let (events, accounts) = (Arc::clone(&shared.events), Arc::clone(&shared.accounts));
    let builder = SessionManager::builder()
        .keys(keys)
        .cookie(CookieSettings::development().name("session-demo"))
        .login_page("/")
        .observer(move |event: &SessionEvent| events.record(Event::from(event)));
    match store {
        Some(store) => builder
            .store(store)
            .revalidate_every(COMPARED_EVERY, move |user: Arc<User>| ready(accounts.revalidate(&user))),
        None => builder,
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Name and rights of what is in the folder, and of the folder itself.
    fn rights(folder: &Path) -> Vec<(String, u32)> {
        let of = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let mut rights: Vec<_> =
            entries.map(|entry| (entry.file_name().into_string().unwrap(), of(&entry.path()))).collect();
        rights.push((".".to_owned(), of(folder)));
        rights.sort();
        rights
    }

    #[tokio::test]
    async fn the_database_and_what_sqlite_puts_beside_it_are_for_the_owner_only() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/demo");
        let wanted =
            [(".", 0o700), (FILE, 0o600), ("sessions.sqlite-shm", 0o600), ("sessions.sqlite-wal", 0o600)];
        let wanted = wanted.map(|(name, mode)| (name.to_owned(), mode));
        // A new one, and one that an earlier version made for everybody to read.
        for _ in 0..2 {
            let store = open(&Store::Embedded, &folder).await.unwrap();
            assert_eq!(rights(&folder), wanted);
            for (name, mode) in wanted.iter().filter(|(name, _)| name != ".") {
                fs::set_permissions(folder.join(name), Permissions::from_mode(mode | 0o055)).unwrap();
            }
            drop(store);
        }
    }
}

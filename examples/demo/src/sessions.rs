//! The one session manager that all three frameworks share, and the store below it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use session_core::store::{MemoryStore, SessionStore, StoreError};
use session_core::{CookieSettings, KeyRing, SessionEvent, SessionManager, SessionManagerBuilder};
use session_store_redis::RedisStore;
use session_store_sqlx::{MySqlStore, PostgresStore, SqliteStore};

use crate::User;
use crate::events::{Event, Events};
use crate::options::Store;

/// A store that is chosen at run time; `None` is stateless.
pub type Chosen = Option<Arc<dyn SessionStore>>;

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
            std::fs::create_dir_all(data_dir)
                .with_context(|| format!("cannot make the data directory {}", data_dir.display()))?;
            Some(Arc::new(SqliteStore::connect(&format!("sqlite:{}", data_dir.join(FILE).display())).await?))
        }
        Store::Url(url) => Some(connect(url).await?),
    })
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
pub fn builder(keys: KeyRing, store: Chosen, events: Arc<Events>) -> SessionManagerBuilder<User> {
    let builder = SessionManager::builder()
        .keys(keys)
        .cookie(CookieSettings::development().name("session-demo"))
        .login_page("/")
        .observer(move |event: &SessionEvent| events.record(Event::from(event)));
    match store {
        Some(store) => builder.store(store),
        None => builder,
    }
}

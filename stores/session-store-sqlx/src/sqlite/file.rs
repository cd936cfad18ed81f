//! The file of a database: whether there is one, and whether it is still the one that was opened.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use session_core::store::StoreError;
use sqlx::sqlite::SqliteConnectOptions;

/// What SQLite calls a database that is in no file.
const IN_MEMORY: &str = ":memory:";

/// The file that the connections have open, or none for a database in memory.
pub(super) struct File {
    opened: Option<Opened>,
}

struct Opened {
    path: PathBuf,
    identity: Identity,
    /// Once it is not what is at the path, the store says so until it is made again.
    replaced: AtomicBool,
}

/// Which file it is, whatever its name. Where the system does not say, all are equal; on Windows an open file keeps
/// its name.
#[derive(PartialEq, Eq)]
struct Identity {
    #[cfg(unix)]
    device_and_inode: (u64, u64),
}

impl File {
    /// Of a database that is open.
    pub(super) fn opened(options: &SqliteConnectOptions) -> Self {
        // Absolute, as the program may change its folder; what a link leads to is asked anew each time.
        let path = std::path::absolute(options.get_filename()).ok();
        let opened = path.and_then(|path| {
            let identity = Identity::of(&path).ok()?;
            Some(Opened { path, identity, replaced: AtomicBool::new(false) })
        });
        Self { opened }
    }

    /// Whether the path still leads to the file that is open. Otherwise what is read is not what others read, and what
    /// is written is lost with the last connection.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let Some(opened) = &self.opened else { return Ok(()) };
        let is_replaced = opened.replaced.load(Ordering::Relaxed)
            || match Identity::of(&opened.path) {
                Ok(identity) => identity != opened.identity,
                Err(error) => error.kind() == ErrorKind::NotFound,
            };
        if !is_replaced {
            return Ok(());
        }
        opened.replaced.store(true, Ordering::Relaxed);
        Err(StoreError::permanent(format!(
            "{}: the file was replaced or deleted while it was open; stop every process that uses it, delete the \
             files ending in -wal and -shm beside it, put the file in place and start again",
            opened.path.display()
        )))
    }
}

impl Identity {
    #[cfg(unix)]
    fn of(path: &Path) -> std::io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let file = std::fs::metadata(path)?;
        Ok(Self { device_and_inode: (file.dev(), file.ino()) })
    }

    #[cfg(not(unix))]
    fn of(path: &Path) -> std::io::Result<Self> {
        std::fs::metadata(path).map(|_| Self {})
    }
}

/// Refuses a URL without a path: each connection would have a temporary database of its own.
pub(super) fn check_path(url: &str) -> Result<(), StoreError> {
    let path = url.strip_prefix("sqlite:").unwrap_or(url);
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = path.strip_prefix("file:").unwrap_or(path);
    match path.split('?').next() {
        None | Some("") => Err(StoreError::permanent(
            "the URL has no path: say where the sessions are kept, as in sqlite:sessions.sqlite; for a test \
             sqlite::memory: will do",
        )),
        Some(_) => Ok(()),
    }
}

/// Refuses a pool whose connections have a database each.
pub(super) fn check_pool(options: &SqliteConnectOptions, most: u32) -> Result<(), StoreError> {
    let path = options.get_filename();
    if most < 2 || !(path.as_os_str().is_empty() || path == Path::new(IN_MEMORY)) {
        return Ok(());
    }
    Err(StoreError::permanent(
        "each connection of this pool has a database of its own, in memory: give it a file name, or make its options of \
         the URL sqlite::memory:, or allow it one connection only",
    ))
}

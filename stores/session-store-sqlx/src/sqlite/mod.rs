//! SQLite: one file, many readers, one writer at a time.

mod adopting;
mod dialect;
mod file;
mod login;
mod queue;
mod writer;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use session_core::store::{
    Account, Adopted, Adoption, Bar, Create, Created, Fence, Mark, RecordKey, Replaced, SessionRecord,
    SessionStore, StoreError, Touch,
};
use session_core::{SessionId, Timestamp};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteRow, SqliteSynchronous};
use sqlx::{Error, Sqlite, SqliteConnection};

use self::adopting::Foreign;
use self::dialect::Statements;
use self::file::File;
use self::queue::Queue;
use self::writer::{Answer, Inner, Job, Refused, Step, Stepped, Written};
use crate::address::{self, Kind};
use crate::connections::Connections;
use crate::connections::connect::connect;
use crate::dialect::Dialect as _;
use crate::error::{Fault, connect_error, store_error};
use crate::key;
use crate::login::Login;
use crate::options::StoreOptions;
use crate::record;
use crate::schema;
use crate::statement::Statement;
use crate::store::{Store, count};

/// How long a writer waits for one of another process: less than core's deadline, so that the answer says why.
const BUSY_TIMEOUT: Duration = Duration::from_millis(1500);
/// How long the first connection waits for another process that makes the file.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);

/// Sessions in one SQLite file, for the processes of one machine. Clones share the connections.
///
/// Readers never wait for a writer (WAL). What was acknowledged survives a power failure (`synchronous=FULL`), which costs
/// a sync of the disk; with a pool of your own it is your setting that counts. The file must be on a local disk, not on a
/// network file system.
///
/// # Writers
///
/// Writers of this store take turns; one of another process is waited for up to 1.5 s. Logins, touches, updates and logouts
/// that come while one writes wait for it, and then share one transaction, at most 64 of them, in the order in which they
/// came: the disk is synced once for all. Whoever is alone writes at once and waits for nobody.
///
/// Each caller learns its own outcome, once it is on the disk: a login that is refused, or a statement that fails, undoes
/// nothing of the others. When a caller is dropped (a deadline, a client that hung up), what it asked for is not done if it
/// was still waiting, and later done completely: the others in the transaction carry it on. Only if all of them are
/// dropped it may be rolled back as a whole.
///
/// # Who can read it
///
/// Whoever may read the file, and the two beside it whose names end in `-wal` and `-shm`: payloads, user agents and
/// addresses are in them, as are the ids of sessions, but no token, and nothing that opens a session. Whoever may write
/// to them is anybody. The store makes the file with the rights that the process's `umask` leaves, on most systems
/// readable by every user of the machine; SQLite gives the other two the rights of the first. To narrow that, make the
/// folder for its owner only (`chmod 700`, or `StateDirectoryMode=0700` of systemd), or the file before the store does
/// (`install -m 600 /dev/null sessions.sqlite`), or start the process with `umask 077`. All processes that use the
/// file need to write to the folder, too.
///
/// # Restoring a backup
///
/// Whoever has a file open keeps it when another one is put in its place: logins and logouts would go on into a file
/// that nobody else sees, and SQLite would apply the old `-wal` to the new file. So each call looks first whether the
/// path still leads to the file that is open, by device and inode (a microsecond; on Unix only). If it does not, that call
/// and all later ones fail, until a store is made anew: stop the processes that use the file, delete the two beside it,
/// put the backup in place, start again. A running service takes a backup without a stop through SQLite itself
/// (`sqlite3 sessions.sqlite ".restore backup.sqlite"`), which keeps the file. A copy that writes over the open file
/// (`cp backup.sqlite sessions.sqlite`) damages it, and cannot be noticed. Sessions that ended since the backup live
/// again in any case: end everybody's (`SessionManager::revoke_everyone`) if that matters.
#[derive(Clone)]
pub struct SqliteStore(Arc<Inner>);

impl SqliteStore {
    /// A store with connections of its own, as [`StoreOptions::default`] says. The file and its tables are made if they
    /// are missing, a folder is not.
    ///
    /// The URL is sqlx's: `sqlite:sessions.sqlite`, `sqlite:///var/lib/app/sessions.sqlite`; `sqlite::memory:` lives as
    /// long as the store and is for tests.
    ///
    /// # Errors
    /// When the URL is wrong or has no path, the file cannot be opened, or its tables cannot be made or are of a newer
    /// version.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::connect_with(url, StoreOptions::default()).await
    }

    /// As [`Self::connect`], with options.
    ///
    /// # Errors
    /// As [`Self::connect`], and when an option is out of range.
    pub async fn connect_with(url: &str, options: StoreOptions) -> Result<Self, StoreError> {
        address::check(url, Kind::Sqlite)?;
        file::check_path(url)?;
        let in_memory = url.contains(":memory:") || url.contains("mode=memory");
        let address = SqliteConnectOptions::from_str(url)
            .map_err(connect_error)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let most = options.most_connections()?;
        let made = async {
            let first = first_connection(&address).await.map_err(connect_error)?;
            let file = File::opened(&address);
            let connections = if in_memory {
                Connections::own(address.clone(), 1, Some(first))
            } else {
                Connections::own(address.clone(), most, None)
            };
            Self::made(connections, file, &options).await
        };
        made.await.map_err(|error| error.about(address.get_filename().display()))
    }

    /// A store on a pool of your own, of one file: a pool of several connections to `SqliteConnectOptions::new()`, which are
    /// a database each, is refused. Give it WAL (`SqliteJournalMode::Wal`) and a `busy_timeout` of 1 to 2 seconds.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn from_pool(pool: SqlitePool) -> Result<Self, StoreError> {
        Self::from_pool_with(pool, StoreOptions::default()).await
    }

    /// As [`Self::from_pool`], with options.
    ///
    /// # Errors
    /// As [`Self::connect`], and when an option is out of range.
    pub async fn from_pool_with(pool: SqlitePool, options: StoreOptions) -> Result<Self, StoreError> {
        let address = pool.connect_options();
        file::check_pool(&address, pool.options().get_max_connections())?;
        let made = async {
            drop(pool.acquire().await.map_err(connect_error)?);
            let file = File::opened(&address);
            Self::made(Connections::pool(pool), file, &options).await
        };
        made.await.map_err(|error| error.about(address.get_filename().display()))
    }

    /// What the migrations run, for teams that run their own: safe to run again.
    ///
    /// # Errors
    /// When the table's name is out of range.
    pub fn schema_sql(options: &StoreOptions) -> Result<String, StoreError> {
        Ok(schema::fill(Sqlite::SCHEMA, options.checked_table()?))
    }

    /// Closes the store's own connections, and with the last of them the write-ahead log; calls fail from now on. A
    /// pool of yours stays open.
    pub async fn close(&self) {
        self.0.store.connections.close().await;
    }

    async fn made(
        connections: Connections<Sqlite>,
        file: File,
        options: &StoreOptions,
    ) -> Result<Self, StoreError> {
        let store = Arc::new(Store::open(connections, (), options).await?);
        let sql = Statements::new(&store.tables);
        Ok(Self(Arc::new(Inner { store, file, queue: Queue::new(), sql })))
    }

    /// Statements that are done all or not at all, maybe together with those of others.
    async fn change(
        &self,
        statements: impl IntoIterator<Item = Statement<'_>>,
    ) -> Result<Vec<Stepped>, StoreError> {
        self.write(Job::Change(steps(statements))).await.map(Written::stepped)
    }

    /// The same, alone: others should not wait for it.
    async fn change_much(
        &self,
        statements: impl IntoIterator<Item = Statement<'_>>,
    ) -> Result<Vec<Stepped>, StoreError> {
        self.write(Job::Large(steps(statements))).await.map(Written::stepped)
    }

    async fn write(&self, job: Job) -> Answer {
        let inner = Arc::clone(&self.0);
        let answer = self.0.queue.write(job, |jobs| inner.write_all(jobs)).await;
        let lost = || Err(StoreError::unavailable("the writes of several callers ended without an answer"));
        answer.unwrap_or_else(lost)
    }

    /// The store, if what its connections have open is what others find.
    fn store(&self) -> Result<&Arc<Store<Sqlite>>, StoreError> {
        self.0.file.check()?;
        Ok(&self.0.store)
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("table", &self.0.store.tables.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionStore for SqliteStore {
    async fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        self.store()?.read(key, now).await
    }

    async fn read_and_touch(
        &self,
        key: RecordKey<'_>,
        touch: Touch,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let store = self.store()?;
        let (record, seen) = store.read_to_touch(key, touch, now).await?;
        let Some(seen) = seen else { return Ok(record) };
        Ok(store.touches.outcome(record, &seen, self.replace(key.realm, &seen, now)).await)
    }

    async fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        record::check_sizes(realm, record, Sqlite::LONGEST_PAYLOAD)?;
        let login = Login { store: &*self.0.store, sql: &self.0.sql.login, realm, record, options, now };
        let at_once = &self.0.sql.login_at_once;
        let beside_others = at_once.beside_others(&login);
        for statements in beside_others.into_iter().chain([at_once.in_place_of_others(&login)]) {
            if let Some(created) = login::created(&login, &self.change(statements).await?)? {
                return Ok(created);
            }
        }
        let refused = Refused { realm: realm.to_owned(), record: record.clone(), options, now };
        self.write(Job::Login(Box::new(refused))).await?.created()
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        record::check_sizes(realm, record, Sqlite::LONGEST_PAYLOAD)?;
        let store = &self.0.store;
        if changed(&self.change([store.replace_of(realm, record, now)]).await?) > 0 {
            return Ok(Replaced::Done);
        }
        store.why_not_replaced(realm, record.id, now).await
    }

    async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        Ok(changed(&self.change([self.0.store.delete_of(key)]).await?) > 0)
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        self.store()?.list(account, now).await
    }

    async fn count(&self, realm: &str, now: Timestamp) -> Result<u64, StoreError> {
        self.store()?.count(realm, now).await
    }

    async fn fence(&self, account: Account<'_>, fresh: Mark, _now: Timestamp) -> Result<Fence, StoreError> {
        self.store()?.fence(account, fresh).await
    }

    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        fresh: Mark,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let Account { realm, subject } = account;
        let mark = self.0.sql.login.set_mark(realm, Some((subject, now)), &fresh);
        let delete = Statement::new(&self.0.sql.delete_account).by_account::<Sqlite>(account).bind(keep);
        let stepped = self.change([mark, delete]).await?;
        let rows = stepped.iter().flat_map(|stepped| &stepped.rows);
        let live = rows.filter_map(|row| live_id(row, now).transpose());
        live.collect::<Result<_, _>>().map_err(store_error)
    }

    async fn delete_realm(&self, realm: &str, fresh: Mark) -> Result<u64, StoreError> {
        let mark = self.0.sql.login.set_mark(realm, None, &fresh);
        let delete = Statement::new(&self.0.sql.delete_realm).bind(key::realm(realm));
        self.change_much([mark, delete]).await.map(|stepped| changed(&stepped))
    }

    async fn delete_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let tidy = self.0.sql.login.tidy_marks(now, limit);
        let tidy_adoptions = self.0.sql.adopt.tidy(now, limit);
        let delete = Statement::new(&self.0.sql.delete_expired).bind(now).bind(limit);
        self.change_much([tidy, tidy_adoptions, delete]).await.map(|stepped| count(changed(&stepped)))
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(
        &self,
        realm: &str,
        record: &SessionRecord,
        adoption: Adoption,
        now: Timestamp,
    ) -> Result<Adopted, StoreError> {
        record::check_sizes(realm, record, Sqlite::LONGEST_PAYLOAD)?;
        let foreign = Foreign { realm: realm.to_owned(), record: record.clone(), adoption, now };
        self.write(Job::Adoption(Box::new(foreign))).await?.adopted()
    }

    async fn bar(
        &self,
        realm: &str,
        subject: Option<&str>,
        bar: Bar,
        _now: Timestamp,
    ) -> Result<(), StoreError> {
        self.change([self.0.sql.adopt.bar(realm, subject, bar)?]).await.map(drop)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

fn steps<'a>(statements: impl IntoIterator<Item = Statement<'a>>) -> Vec<Step> {
    statements.into_iter().map(Step::from).collect()
}

/// How many rows the last of the statements changed.
fn changed(stepped: &[Stepped]) -> u64 {
    stepped.last().map_or(0, |stepped| stepped.changed)
}

/// The id in a row of id and end, unless the session had expired.
fn live_id(row: &SqliteRow, now: Timestamp) -> Result<Option<SessionId>, Error> {
    let ends_at = record::int::<Sqlite>(row, 1)?;
    if ends_at <= now.unix_seconds() { Ok(None) } else { record::first_id::<Sqlite>(row).map(Some) }
}

/// Making a file a WAL database needs it alone, and SQLite does not wait for that by itself.
async fn first_connection(options: &SqliteConnectOptions) -> Result<SqliteConnection, Error> {
    let began = Instant::now();
    loop {
        match connect::<Sqlite>(options).await {
            Err(error) if Fault::of(&error) == Fault::Busy && began.elapsed() < FIRST_PATIENCE => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            answer => return answer,
        }
    }
}

//! SQLite: one file, many readers, one writer at a time.

mod file;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use session_core::store::{
    Account, Create, Created, RecordKey, Replaced, Replaces, SessionLimit, SessionRecord, SessionStore,
    StoreError, Touch,
};
use session_core::{SessionId, Timestamp};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteRow, SqliteSynchronous};
use sqlx::{Connection, Error, Row, SqlStr, Sqlite, SqliteConnection};
use tokio::sync::Mutex;

use self::file::File;
use crate::address::{self, Kind};
use crate::connections::{Connections, Done, Engine, Lease, connect, speech};
use crate::error::{Fault, connect_error, store_error};
use crate::{StoreOptions, record, schema};

const SCHEMA: &str = include_str!("schema.sql");
/// How long a writer waits for one of another process: less than core's deadline, so that the answer says why.
const BUSY_TIMEOUT: Duration = Duration::from_millis(1500);
/// How long the first connection waits for another process that makes the file.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);

/// Sessions in one SQLite file, for the processes of one machine. Clones share the connections.
///
/// Readers never wait for a writer (WAL). Writers of this store take turns; one of another process is waited for up to
/// 1.5 s. What was acknowledged survives a power failure (`synchronous=FULL`), which costs a sync of the disk each time;
/// with a pool of your own it is your setting that counts. The file must be on a local disk, not on a network file
/// system.
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

struct Inner {
    connections: Connections<Sqlite>,
    file: File,
    /// SQLite lets one writer in, and the others poll: they rather queue here.
    writer: Mutex<()>,
    table: String,
    sql: Statements,
}

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
        Ok(schema::fill(SCHEMA, options.checked_table()?))
    }

    /// Closes the store's own connections, and with the last of them the write-ahead log; calls fail from now on. A
    /// pool of yours stays open.
    pub async fn close(&self) {
        self.0.connections.close().await;
    }

    async fn made(
        connections: Connections<Sqlite>,
        file: File,
        options: &StoreOptions,
    ) -> Result<Self, StoreError> {
        let table = options.checked_table()?;
        let store = Self(Arc::new(Inner {
            connections,
            file,
            writer: Mutex::new(()),
            table: table.to_owned(),
            sql: Statements::new(table),
        }));
        store.prepare(options.migrates()).await?;
        Ok(store)
    }

    /// The connections, if what they have open is what others find.
    fn connections(&self) -> Result<&Connections<Sqlite>, StoreError> {
        self.0.file.check()?;
        Ok(&self.0.connections)
    }

    /// Brings the tables into being, or makes sure of them.
    async fn prepare(&self, migrate: bool) -> Result<(), StoreError> {
        let mut found = match self.version().await {
            Ok(version) => version,
            Err(error) if migrate && Fault::of(&error) == Fault::Schema => None,
            Err(error) => return Err(connect_error(error)),
        };
        if migrate && found.is_none_or(|version| version < schema::VERSION) {
            found = self.0.connections.write(|db| self.migrate(db)).await.map_err(store_error)?;
        }
        schema::check(found, &self.0.table)?;
        // A table of somebody else's with our name shows here.
        let nobody = RecordKey { realm: "", id: SessionId::from_bytes([0; 16]) };
        self.read(nobody, Timestamp::EPOCH).await.map(|_| ())
    }

    async fn version(&self) -> Result<Option<i64>, Error> {
        let version = self.0.connections.read(|mut db| async move {
            let row = sqlx::query(self.0.sql.version.clone()).fetch_one(&mut *db).await?;
            Ok(db.done(row.try_get(0)?))
        });
        version.await
    }

    /// Answers the version that there is in the end: a newer program may have been faster.
    async fn migrate(&self, mut db: Lease<Sqlite>) -> Result<Done<Sqlite, Option<i64>>, Error> {
        let mut transaction = db.begin_with(IMMEDIATE).await?;
        sqlx::raw_sql(self.0.sql.schema.clone()).execute(&mut *transaction).await?;
        let found = sqlx::query(self.0.sql.version.clone()).fetch_one(&mut *transaction).await?.try_get(0)?;
        transaction.commit().await?;
        Ok(db.done(found))
    }

    /// A login, while nobody else writes.
    async fn create_alone(
        &self,
        db: &mut SqliteConnection,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, Error> {
        let sql = &self.0.sql;
        let mut transaction = db.begin_with(IMMEDIATE).await?;
        let insert = sqlx::query(sql.insert.clone()).bind(realm.as_bytes());
        if record::bind(insert, record).execute(&mut *transaction).await?.rows_affected() == 0 {
            transaction.rollback().await?;
            return Ok(Created::IdTaken);
        }
        if let Some(Replaces::MustExist { id, version }) = options.replaces {
            let found = sqlx::query(sql.live_version.clone())
                .bind(realm.as_bytes())
                .bind(id.as_bytes().as_slice())
                .bind(now.unix_seconds())
                .fetch_optional(&mut *transaction)
                .await?;
            let found = found.map(|row| row.try_get::<i64, _>(0)).transpose()?;
            let refusal = match found.map(i64::cast_unsigned) {
                None => Some(Created::PredecessorGone),
                // The new record itself.
                Some(_) if id == record.id => Some(Created::PredecessorGone),
                Some(found) if found != version => Some(Created::PredecessorChanged),
                Some(_) => None,
            };
            if let Some(refusal) = refusal {
                transaction.rollback().await?;
                return Ok(refusal);
            }
        }
        let replaced = options.replaces.map(Replaces::id).filter(|id| *id != record.id);
        if let Some(id) = replaced {
            let delete =
                sqlx::query(sql.delete.clone()).bind(realm.as_bytes()).bind(id.as_bytes().as_slice());
            delete.execute(&mut *transaction).await?;
        }
        let mut evicted = Vec::new();
        if let (Some(subject), Some(limit)) = (record.subject.as_deref(), options.limit) {
            let (most, statement) = match limit {
                SessionLimit::EvictLeastRecentlySeen(most) => (most.max(1), &sql.evict),
                SessionLimit::Refuse(most) => (most, &sql.excess),
            };
            let excess = sqlx::query(statement.clone())
                .bind(realm.as_bytes())
                .bind(subject.as_bytes())
                .bind(now.unix_seconds())
                .bind(record.id.as_bytes().as_slice())
                .bind(i64::from(most.saturating_sub(1)))
                .fetch_all(&mut *transaction)
                .await?;
            if matches!(limit, SessionLimit::Refuse(_)) && (most == 0 || !excess.is_empty()) {
                transaction.rollback().await?;
                return Ok(Created::LimitReached);
            }
            evicted = excess.iter().map(|row| record::id(row.try_get(0)?)).collect::<Result<_, _>>()?;
        }
        transaction.commit().await?;
        Ok(Created::Done { evicted })
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("table", &self.0.table).finish_non_exhaustive()
    }
}

/// A transaction that would write must lock at once: one that began reading cannot wait for a writer.
const IMMEDIATE: &str = "BEGIN IMMEDIATE";

impl Engine for Sqlite {
    const BEGIN: &'static str = IMMEDIATE;
    /// A file has no other server in its place.
    const IS_READ_ONLY: &'static str = "SELECT 1";
    const CLOSES_AFTER_ERRORS: bool = false;

    speech!(Sqlite);
}

struct Statements {
    schema: SqlStr,
    version: SqlStr,
    read: SqlStr,
    insert: SqlStr,
    live_version: SqlStr,
    excess: SqlStr,
    evict: SqlStr,
    replace: SqlStr,
    delete: SqlStr,
    list: SqlStr,
    delete_account: SqlStr,
    delete_realm: SqlStr,
    delete_expired: SqlStr,
}

/// The sessions of an account ?2 but the new one ?4 and ?5 others, those last seen first.
const EXCESS: &str = r#"SELECT id FROM "{table}" WHERE realm = ?1 AND subject = ?2 AND ends_at > ?3 AND id <> ?4
                        ORDER BY last_seen DESC, authenticated_at DESC, id DESC LIMIT -1 OFFSET ?5"#;

impl Statements {
    fn new(table: &str) -> Self {
        let sql = |template: &str| schema::sql(template, table);
        Self {
            schema: sql(SCHEMA),
            version: sql(r#"SELECT max(version) FROM "{table}_schema""#),
            read: sql(r#"SELECT {columns} FROM "{table}" WHERE realm = ?1 AND id = ?2 AND ends_at > ?3"#),
            insert: sql(r#"INSERT INTO "{table}" (realm, {columns})
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) ON CONFLICT DO NOTHING"#),
            live_version: sql(
                r#"SELECT version FROM "{table}" WHERE realm = ?1 AND id = ?2 AND ends_at > ?3"#,
            ),
            excess: sql(EXCESS),
            evict: sql(&format!(
                r#"DELETE FROM "{{table}}" WHERE realm = ?1 AND id IN ({EXCESS}) RETURNING id"#
            )),
            replace: sql(
                r#"UPDATE "{table}" SET ({columns}) = (?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
                   WHERE realm = ?1 AND id = ?4 AND version = ?2 AND ends_at > ?3"#,
            ),
            delete: sql(r#"DELETE FROM "{table}" WHERE realm = ?1 AND id = ?2"#),
            list: sql(
                r#"SELECT {columns} FROM "{table}" WHERE realm = ?1 AND subject = ?2 AND ends_at > ?3"#,
            ),
            delete_account: sql(
                r#"DELETE FROM "{table}" WHERE realm = ?1 AND subject = ?2 AND id IS NOT ?3 RETURNING id, ends_at"#,
            ),
            delete_realm: sql(r#"DELETE FROM "{table}" WHERE realm = ?1"#),
            delete_expired: sql(r#"DELETE FROM "{table}" WHERE rowid IN (
                       SELECT rowid FROM "{table}" WHERE ends_at <= ?1 ORDER BY ends_at LIMIT ?2)"#),
        }
    }
}

#[async_trait]
impl SessionStore for SqliteStore {
    async fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        let row = self.connections()?.read(|mut db| async move {
            let query = sqlx::query(self.0.sql.read.clone())
                .bind(key.realm.as_bytes())
                .bind(key.id.as_bytes().as_slice())
                .bind(now.unix_seconds());
            let answer = query.fetch_optional(&mut *db).await?;
            Ok(db.done(answer))
        });
        row.await.and_then(|row| row.as_ref().map(record::from_row).transpose()).map_err(store_error)
    }

    async fn read_and_touch(
        &self,
        key: RecordKey<'_>,
        touch: Touch,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let Some(record) = self.read(key, now).await? else { return Ok(None) };
        let touches = &self.0.connections.touches;
        match touch.apply(&record, now).filter(|_| touches.are_worth_trying()) {
            Some(seen) => Ok(touches.outcome(record, &seen, self.replace(key.realm, &seen, now)).await),
            None => Ok(Some(record)),
        }
    }

    async fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        record::check_sizes(realm, record)?;
        let _turn = self.0.writer.lock().await;
        let created = self.connections()?.write(|mut db| async move {
            let answer = self.create_alone(&mut db, realm, record, options, now).await;
            db.finish(answer)
        });
        created.await.map_err(store_error)
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        record::check_sizes(realm, record)?;
        let _turn = self.0.writer.lock().await;
        let replaced = self.connections()?.write(|mut db| async move {
            let query = sqlx::query(self.0.sql.replace.clone())
                .bind(realm.as_bytes())
                .bind(record.version.checked_sub(1).map(u64::cast_signed))
                .bind(now.unix_seconds());
            if record::bind(query, record).execute(&mut *db).await?.rows_affected() > 0 {
                return Ok(db.done(Replaced::Done));
            }
            let live = sqlx::query(self.0.sql.live_version.clone())
                .bind(realm.as_bytes())
                .bind(record.id.as_bytes().as_slice())
                .bind(now.unix_seconds())
                .fetch_optional(&mut *db)
                .await?;
            Ok(db.done(if live.is_some() { Replaced::Conflict } else { Replaced::Gone }))
        });
        replaced.await.map_err(store_error)
    }

    async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        let _turn = self.0.writer.lock().await;
        let deleted = self.connections()?.write(|mut db| async move {
            let query = sqlx::query(self.0.sql.delete.clone())
                .bind(key.realm.as_bytes())
                .bind(key.id.as_bytes().as_slice());
            let deleted = query.execute(&mut *db).await?.rows_affected() > 0;
            Ok(db.done(deleted))
        });
        deleted.await.map_err(store_error)
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        let rows = self.connections()?.read(|mut db| async move {
            let query = sqlx::query(self.0.sql.list.clone())
                .bind(account.realm.as_bytes())
                .bind(account.subject.as_bytes())
                .bind(now.unix_seconds());
            let answer = query.fetch_all(&mut *db).await?;
            Ok(db.done(answer))
        });
        let rows = rows.await.map_err(store_error)?;
        rows.iter().map(record::from_row).collect::<Result<_, _>>().map_err(store_error)
    }

    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let _turn = self.0.writer.lock().await;
        let rows = self.connections()?.write(|mut db| async move {
            let query = sqlx::query(self.0.sql.delete_account.clone())
                .bind(account.realm.as_bytes())
                .bind(account.subject.as_bytes())
                .bind(keep.as_ref().map(|id| id.as_bytes().as_slice()));
            let answer = query.fetch_all(&mut *db).await?;
            Ok(db.done(answer))
        });
        let rows = rows.await.map_err(store_error)?;
        rows.iter()
            .filter_map(|row| live_id(row, now).transpose())
            .collect::<Result<_, _>>()
            .map_err(store_error)
    }

    async fn delete_realm(&self, realm: &str) -> Result<u64, StoreError> {
        let _turn = self.0.writer.lock().await;
        let deleted = self.connections()?.write(|mut db| async move {
            let query = sqlx::query(self.0.sql.delete_realm.clone()).bind(realm.as_bytes());
            let deleted = query.execute(&mut *db).await?.rows_affected();
            Ok(db.done(deleted))
        });
        deleted.await.map_err(store_error)
    }

    async fn delete_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let _turn = self.0.writer.lock().await;
        let deleted = self.connections()?.write(|mut db| async move {
            let query = sqlx::query(self.0.sql.delete_expired.clone()).bind(now.unix_seconds()).bind(limit);
            let deleted = query.execute(&mut *db).await?.rows_affected();
            Ok(db.done(deleted))
        });
        deleted.await.map(crate::count).map_err(store_error)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// The id in a row of id and end, unless the session had expired.
fn live_id(row: &SqliteRow, now: Timestamp) -> Result<Option<SessionId>, Error> {
    let ends_at: i64 = row.try_get(1)?;
    if ends_at <= now.unix_seconds() { Ok(None) } else { record::id(row.try_get(0)?).map(Some) }
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

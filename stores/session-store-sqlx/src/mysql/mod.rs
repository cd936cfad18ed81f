//! MySQL and MariaDB: one statement where they can, else a transaction.

use std::fmt::{self, Write as _};
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use session_core::store::{
    Account, Create, Created, RecordKey, Replaced, Replaces, SessionLimit, SessionRecord, SessionStore,
    StoreError, Touch,
};
use session_core::{SessionId, Timestamp};
use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlRow};
use sqlx::{AssertSqlSafe, Error, MySql, MySqlConnection, Row, SqlStr};

use crate::address::{self, Kind};
use crate::connections::{Connections, Done, Doubt, Engine, Lease, speech};
use crate::error::{Fault, connect_error, store_error};
use crate::lock::Lock;
use crate::{StoreOptions, record, schema};

const SCHEMA: &str = include_str!("schema.sql");
/// Rows of the table of locks.
const SLOTS: i64 = 256;
/// So many deletions go into one round trip.
const TOGETHER: usize = 250;

/// Sessions in MySQL 8 or MariaDB 10.5 or newer. Clones share the connections.
///
/// A read, an update and a logout are one statement; a login is a transaction of six or seven. Logins of one account
/// take turns at one row of a small table of locks. The server needs InnoDB, and a binary log, if any, of the format
/// `ROW` or `MIXED` (the default of both). A user of MySQL with the plugin `caching_sha2_password` needs TLS or a
/// socket: see the features of your `sqlx`.
#[derive(Clone)]
pub struct MySqlStore(Arc<Inner>);

struct Inner {
    connections: Connections<MySql>,
    table: String,
    sql: Statements,
}

impl MySqlStore {
    /// A store with connections of its own, as [`StoreOptions::default`] says; makes its tables if they are missing.
    ///
    /// The URL is sqlx's: `mysql://user:password@host:3306/database`.
    ///
    /// # Errors
    /// When the URL is wrong, the database cannot be reached or refuses the login, or its tables cannot be made or are
    /// of a newer version.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::connect_with(url, StoreOptions::default()).await
    }

    /// As [`Self::connect`], with options.
    ///
    /// # Errors
    /// As [`Self::connect`], and when an option is out of range.
    pub async fn connect_with(url: &str, options: StoreOptions) -> Result<Self, StoreError> {
        address::check(url, Kind::MySql)?;
        let address = MySqlConnectOptions::from_str(url).map_err(connect_error)?;
        let most = options.most_connections()?;
        let place = place(&address);
        Self::made(Connections::own(address, most, None), &options).await.map_err(|error| error.about(place))
    }

    /// A store on a pool of your own.
    ///
    /// sqlx's pool asks for a sign of life before each call (`test_before_acquire`, which you can switch off) and after
    /// it; connections from a URL do neither. Each change is a transaction here, which takes two more round trips: the
    /// pool's settings are yours and stay as they are, `autocommit = 0` for example.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn from_pool(pool: MySqlPool) -> Result<Self, StoreError> {
        Self::from_pool_with(pool, StoreOptions::default()).await
    }

    /// As [`Self::from_pool`], with options.
    ///
    /// # Errors
    /// As [`Self::connect`], and when an option is out of range.
    pub async fn from_pool_with(pool: MySqlPool, options: StoreOptions) -> Result<Self, StoreError> {
        let place = place(&pool.connect_options());
        Self::made(Connections::pool(pool), &options).await.map_err(|error| error.about(place))
    }

    /// What the migrations run, for teams that run their own: safe to run again.
    ///
    /// # Errors
    /// When the table's name is out of range.
    pub fn schema_sql(options: &StoreOptions) -> Result<String, StoreError> {
        Ok(schema::fill(SCHEMA, options.checked_table()?))
    }

    /// Closes the store's own connections; calls fail from now on. A pool of yours stays open.
    pub async fn close(&self) {
        self.0.connections.close().await;
    }

    async fn made(connections: Connections<MySql>, options: &StoreOptions) -> Result<Self, StoreError> {
        let table = options.checked_table()?;
        let store =
            Self(Arc::new(Inner { connections, table: table.to_owned(), sql: Statements::new(table) }));
        store.prepare(options.migrates()).await?;
        Ok(store)
    }

    /// Brings the tables into being, or makes sure of them.
    async fn prepare(&self, migrate: bool) -> Result<(), StoreError> {
        let mut found = match self.version().await {
            Ok(version) => version,
            Err(error) if migrate && Fault::of(&error) == Fault::Schema => None,
            Err(error) => return Err(connect_error(error)),
        };
        if migrate && found.is_none_or(|version| version < schema::VERSION) {
            found = self.0.connections.read(|db| self.migrate(db)).await.map_err(store_error)?;
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
    ///
    /// MySQL commits each change of a table by itself, so a named lock keeps others out, and every step can be taken
    /// again. The lock ends with the connection, at the latest.
    async fn migrate(&self, mut db: Lease<MySql>) -> Result<Done<MySql, Option<i64>>, Error> {
        db.never_reuse();
        MySql::say(&mut db, MySql::SET_UP).await?;
        let locked = sqlx::query(self.0.sql.lock_schema.clone()).fetch_one(&mut *db).await?;
        if locked.try_get::<Option<i64>, _>(0)? != Some(1) {
            return Err(Error::PoolTimedOut);
        }
        sqlx::raw_sql(self.0.sql.schema.clone()).execute(&mut *db).await?;
        let found = sqlx::query(self.0.sql.version.clone()).fetch_one(&mut *db).await?.try_get(0)?;
        // One of the store's own would keep the lock as well.
        sqlx::query(self.0.sql.unlock_schema.clone()).execute(&mut *db).await?;
        Ok(db.done(found))
    }

    async fn find(
        &self,
        key: RecordKey<'_>,
        now: Timestamp,
    ) -> Result<(Option<SessionRecord>, Doubt), StoreError> {
        let row = self.0.connections.read(|mut db| async move {
            let query = sqlx::query(self.0.sql.read.clone())
                .bind(key.realm.as_bytes())
                .bind(key.id.as_bytes().as_slice())
                .bind(now.unix_seconds());
            let row = query.fetch_one(&mut *db).await?;
            let doubt = doubt(&row)?;
            Ok(db.done((row, doubt)).with(doubt))
        });
        let found = row.await.and_then(|(row, doubt)| Ok((record::if_found(&row)?, doubt)));
        found.map_err(store_error)
    }

    /// A login, in the turn of its account. What refuses it is said after something was written: see [`Done`].
    async fn create_in_turn(
        &self,
        transaction: &mut MySqlConnection,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, Error> {
        let sql = &self.0.sql;
        if let Some(subject) = record.subject.as_deref() {
            self.take_turn(transaction, realm, subject).await?;
        }
        let insert = sqlx::query(sql.insert.clone()).bind(realm.as_bytes());
        match record::bind(insert, record).execute(&mut *transaction).await {
            Ok(_) => {}
            Err(Error::Database(error)) if error.is_unique_violation() => {
                return Ok(Created::IdTaken);
            }
            Err(error) => return Err(error),
        }
        if let Some(Replaces::MustExist { id, version }) = options.replaces {
            let found = sqlx::query(sql.live_version_locked.clone())
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
                return Ok(refusal);
            }
        }
        let replaced = options.replaces.map(Replaces::id).filter(|id| *id != record.id);
        if let Some(id) = replaced {
            self.delete_one(transaction, realm, id).await?;
        }
        let mut evicted = Vec::new();
        if let (Some(subject), Some(limit)) = (record.subject.as_deref(), options.limit) {
            let (SessionLimit::EvictLeastRecentlySeen(most) | SessionLimit::Refuse(most)) = limit;
            let excess = sqlx::query(sql.excess.clone())
                .bind(realm.as_bytes())
                .bind(subject.as_bytes())
                .bind(now.unix_seconds())
                .bind(record.id.as_bytes().as_slice())
                .bind(i64::from(most.saturating_sub(1)))
                .fetch_all(&mut *transaction)
                .await?;
            if matches!(limit, SessionLimit::Refuse(_)) && (most == 0 || !excess.is_empty()) {
                return Ok(Created::LimitReached);
            }
            for row in excess {
                let id = record::id(row.try_get(0)?)?;
                if self.delete_one(transaction, realm, id).await? {
                    evicted.push(id);
                }
            }
        }
        Ok(Created::Done { evicted })
    }

    /// Waits until no other login or revocation of the account is under way.
    async fn take_turn(
        &self,
        transaction: &mut MySqlConnection,
        realm: &str,
        subject: &str,
    ) -> Result<(), Error> {
        let slot = Lock::Account(realm, subject).key(&self.0.table).rem_euclid(SLOTS);
        sqlx::query(self.0.sql.take_turn.clone()).bind(slot).fetch_one(transaction).await?;
        Ok(())
    }

    async fn delete_one(
        &self,
        connection: &mut MySqlConnection,
        realm: &str,
        id: SessionId,
    ) -> Result<bool, Error> {
        let query =
            sqlx::query(self.0.sql.delete.clone()).bind(realm.as_bytes()).bind(id.as_bytes().as_slice());
        Ok(query.execute(connection).await?.rows_affected() > 0)
    }

    async fn replace_one(
        &self,
        connection: &mut MySqlConnection,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, Error> {
        let update = record::bind(sqlx::query(self.0.sql.replace.clone()), record)
            .bind(realm.as_bytes())
            .bind(record.id.as_bytes().as_slice())
            .bind(record.version.checked_sub(1).map(u64::cast_signed))
            .bind(now.unix_seconds());
        if update.execute(&mut *connection).await?.rows_affected() > 0 {
            return Ok(Replaced::Done);
        }
        let live = sqlx::query(self.0.sql.live_version.clone())
            .bind(realm.as_bytes())
            .bind(record.id.as_bytes().as_slice())
            .bind(now.unix_seconds())
            .fetch_optional(connection)
            .await?;
        Ok(if live.is_some() { Replaced::Conflict } else { Replaced::Gone })
    }

    /// A replacement that nobody needs: it is tried once, and one that is refused keeps its connection. Every read would
    /// cost one otherwise, for as long as touches are refused.
    async fn write_seen(&self, realm: &str, seen: &SessionRecord, now: Timestamp) -> Result<Replaced, Error> {
        let written = self.0.connections.write_once(|mut db| async move {
            match self.replace_one(&mut db, realm, seen, now).await {
                Ok(replaced) => Ok(db.done(Ok(replaced))),
                Err(error) if Fault::of(&error) == Fault::Conflict => Ok(db.undone(Ok(Replaced::Conflict))),
                Err(error) if Fault::leaves_the_connection(&error) => Ok(db.undone(Err(error))),
                Err(error) => Err(error),
            }
        });
        written.await?
    }

    async fn delete_account_in_turn(
        &self,
        transaction: &mut MySqlConnection,
        account: Account<'_>,
        keep: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, Error> {
        self.take_turn(transaction, account.realm, account.subject).await?;
        let rows = sqlx::query(self.0.sql.account.clone())
            .bind(account.realm.as_bytes())
            .bind(account.subject.as_bytes())
            .fetch_all(&mut *transaction)
            .await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            let id = record::id(row.try_get(0)?)?;
            if Some(id) != keep {
                found.push((id, row.try_get::<i64, _>(1)? > now.unix_seconds()));
            }
        }
        let mut keys = Vec::with_capacity(found.len());
        for (id, _) in &found {
            keys.push((account.realm.as_bytes(), id.as_bytes().as_slice()));
        }
        let deleted = self.delete_by_key(transaction, &keys, "").await?;
        let told = found.iter().zip(deleted).filter(|((_, live), deleted)| *live && *deleted);
        Ok(told.map(|((id, _), _)| *id).collect())
    }

    /// Deletes rows by their primary key, many in one round trip, and says of each whether it was there.
    ///
    /// One `DELETE` of a range would lock every row that it reads, and it reads the whole table when that is small:
    /// logins and revocations would trip over each other.
    async fn delete_by_key(
        &self,
        connection: &mut MySqlConnection,
        keys: &[(&[u8], &[u8])],
        condition: &str,
    ) -> Result<Vec<bool>, Error> {
        let mut deleted = Vec::with_capacity(keys.len());
        for keys in keys.chunks(TOGETHER) {
            let mut text = String::new();
            for (realm, id) in keys {
                let (realm, id) = (Hex(realm), Hex(id));
                let table = &self.0.table;
                // Writing to a string cannot fail.
                let _ = write!(text, "DELETE FROM `{table}` WHERE realm = {realm} AND id = {id}{condition};");
            }
            // Numbers, hexadecimal digits and a checked name.
            let mut answers = sqlx::raw_sql(AssertSqlSafe(text)).execute_many(&mut *connection);
            while let Some(answer) = answers.try_next().await? {
                deleted.push(answer.rows_affected() > 0);
            }
        }
        Ok(deleted)
    }
}

/// Bytes as a literal.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("x'")?;
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("'")
    }
}

/// As errors name it.
fn place(address: &MySqlConnectOptions) -> String {
    let host = match address.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => address.get_host().to_owned(),
    };
    let (user, database) = (address.get_username(), address.get_database());
    address::place(Kind::MySql, user, &host, address.get_port(), database)
}

impl fmt::Debug for MySqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MySqlStore").field("table", &self.0.table).finish_non_exhaustive()
    }
}

impl Engine for MySql {
    /// The session's own variables, wherever they come from: the server, `init_connect`, a role. Without `autocommit` an
    /// `Ok` is no commit; with `sql_select_limit` a revocation misses sessions; a lax `sql_mode` cuts values short.
    const SET_UP: &'static str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE;
        SET SESSION autocommit = 1, completion_type = 0, unique_checks = 1, sql_auto_is_null = 0, sql_big_selects = 1,
            sql_safe_updates = 0, sql_select_limit = 18446744073709551615,
            sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'";
    /// Each statement sees what was committed before it, so what is counted after taking one's turn is what there is;
    /// and no locks on gaps between rows, over which logins of neighbouring accounts would trip.
    ///
    /// A connection of the user's pool may be in a transaction already, because it has no `autocommit`.
    const BEGIN: &'static str = "ROLLBACK AND NO CHAIN NO RELEASE;
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE; START TRANSACTION";
    /// Whatever `completion_type` says.
    const COMMIT: &'static str = "COMMIT AND NO CHAIN NO RELEASE";
    const ROLLBACK: &'static str = "ROLLBACK AND NO CHAIN NO RELEASE";
    const IS_READ_ONLY: &'static str =
        "SELECT CAST(@@GLOBAL.read_only AS CHAR) NOT IN ('0', 'OFF') OR @@GLOBAL.innodb_read_only";
    const BARE_WRITES_ARE_SAFE: bool = false;

    speech!(MySql);
}

/// The end of a realm locks the gaps, too: else a rotation puts its new session where the deletion has been, and ends
/// the old one before the deletion gets there.
const REPEATABLE_READ: &str = "ROLLBACK AND NO CHAIN NO RELEASE;
    SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE; START TRANSACTION";

/// A row even when the session is absent, since the server has something to say in any case: whether it takes no writes
/// (MariaDB 12 has more answers than on and off), and whether a bare `SELECT` stays in a transaction, and so sees for
/// ever what it saw first, or sees what nobody committed. The two know the isolation level by two names, and each reads
/// a comment that the other skips.
const FOUND: &str = "(SELECT (CAST(@@GLOBAL.read_only AS CHAR) NOT IN ('0', 'OFF') OR @@GLOBAL.innodb_read_only) AS read_only,
        (@@autocommit = 0 OR /*!50720 @@transaction_isolation */ /*M!100000 @@tx_isolation */ = 'READ-UNCOMMITTED')
            AS settings) AS server
    LEFT JOIN `{table}` ON ";

struct Statements {
    schema: SqlStr,
    lock_schema: SqlStr,
    unlock_schema: SqlStr,
    version: SqlStr,
    read: SqlStr,
    take_turn: SqlStr,
    insert: SqlStr,
    live_version: SqlStr,
    live_version_locked: SqlStr,
    excess: SqlStr,
    replace: SqlStr,
    delete: SqlStr,
    list: SqlStr,
    account: SqlStr,
    delete_realm: SqlStr,
    expired: SqlStr,
}

impl Statements {
    /// A limit that limits nothing takes the place of `sql_select_limit`, and is what `sql_safe_updates` asks for.
    fn new(table: &str) -> Self {
        let sql = |template: &str| schema::sql(&template.replace("{found}", FOUND), table);
        Self {
            schema: sql(SCHEMA),
            // Names of locks are the server's, not the database's, and 64 characters long at most.
            lock_schema: sql("SELECT GET_LOCK(LEFT(SHA2(CONCAT(DATABASE(), '.{table}'), 256), 60), 30)"),
            unlock_schema: sql("DO RELEASE_LOCK(LEFT(SHA2(CONCAT(DATABASE(), '.{table}'), 256), 60))"),
            version: sql("SELECT MAX(version) FROM `{table}_schema`"),
            read: sql(
                "SELECT {columns}, read_only, settings FROM {found} realm = ? AND id = ? AND ends_at > ?",
            ),
            take_turn: sql("SELECT slot FROM `{table}_locks` WHERE slot = ? FOR UPDATE"),
            insert: sql(
                "INSERT INTO `{table}` (realm, {columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ),
            live_version: sql("SELECT version FROM `{table}` WHERE realm = ? AND id = ? AND ends_at > ?"),
            live_version_locked: sql(
                "SELECT version FROM `{table}` WHERE realm = ? AND id = ? AND ends_at > ? FOR UPDATE",
            ),
            excess: sql(
                "SELECT id FROM `{table}` WHERE realm = ? AND subject = ? AND ends_at > ? AND id <> ?
                 ORDER BY last_seen DESC, authenticated_at DESC, id DESC LIMIT 18446744073709551615 OFFSET ?",
            ),
            replace: sql(
                "UPDATE `{table}` SET id = ?, subject = ?, version = ?, payload = ?, authenticated_at = ?,
                     last_seen = ?, generation = ?, issued_at = ?, expires_at = ?, first_used_at = ?, ends_at = ?,
                     user_agent = ?, ip_address = ?
                 WHERE realm = ? AND id = ? AND version = ? AND ends_at > ?",
            ),
            delete: sql("DELETE FROM `{table}` WHERE realm = ? AND id = ?"),
            list: sql(
                "SELECT {columns}, read_only, settings FROM {found} realm = ? AND subject = ? AND ends_at > ?
                 LIMIT 18446744073709551615",
            ),
            account: sql(
                "SELECT id, ends_at FROM `{table}` WHERE realm = ? AND subject = ? LIMIT 18446744073709551615",
            ),
            delete_realm: sql("DELETE FROM `{table}` WHERE realm = ? LIMIT 18446744073709551615"),
            expired: sql("SELECT realm, id FROM `{table}` WHERE ends_at <= ? ORDER BY ends_at LIMIT ?"),
        }
    }
}

#[async_trait]
impl SessionStore for MySqlStore {
    async fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        Ok(self.find(key, now).await?.0)
    }

    async fn read_and_touch(
        &self,
        key: RecordKey<'_>,
        touch: Touch,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        match self.find(key, now).await? {
            (Some(record), Doubt { read_only: false, .. }) => {
                let touches = &self.0.connections.touches;
                match touch.apply(&record, now).filter(|_| touches.are_worth_trying()) {
                    Some(seen) => {
                        Ok(touches.outcome(record, &seen, self.write_seen(key.realm, &seen, now)).await)
                    }
                    None => Ok(Some(record)),
                }
            }
            (record, _) => Ok(record),
        }
    }

    async fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        check_sizes(realm, record)?;
        let created = self.0.connections.transact(MySql::BEGIN, |mut db| async move {
            let answer = self.create_in_turn(&mut db, realm, record, options, now).await?;
            let done = matches!(answer, Created::Done { .. });
            Ok(if done { db.done(answer) } else { db.undone(answer) })
        });
        created.await.map_err(store_error)
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        check_sizes(realm, record)?;
        let replaced = self.0.connections.write(|mut db| async move {
            let replaced = self.replace_one(&mut db, realm, record, now).await?;
            Ok(db.done(replaced))
        });
        replaced.await.map_err(store_error)
    }

    async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        let deleted = self.0.connections.write(|mut db| async move {
            let deleted = self.delete_one(&mut db, key.realm, key.id).await?;
            Ok(db.done(deleted))
        });
        deleted.await.map_err(store_error)
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        let rows = self.0.connections.read(|mut db| async move {
            let query = sqlx::query(self.0.sql.list.clone())
                .bind(account.realm.as_bytes())
                .bind(account.subject.as_bytes())
                .bind(now.unix_seconds());
            let rows = query.fetch_all(&mut *db).await?;
            let doubt = rows.first().map_or(Ok(Doubt::default()), doubt)?;
            Ok(db.done(rows).with(doubt))
        });
        let rows = rows.await.map_err(store_error)?;
        let records = rows.iter().filter_map(|row| record::if_found(row).transpose());
        records.collect::<Result<_, _>>().map_err(store_error)
    }

    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let deleted = self.0.connections.transact(MySql::BEGIN, |mut db| async move {
            let deleted = self.delete_account_in_turn(&mut db, account, keep, now).await?;
            Ok(db.done(deleted))
        });
        deleted.await.map_err(store_error)
    }

    async fn delete_realm(&self, realm: &str) -> Result<u64, StoreError> {
        let deleted = self.0.connections.transact(REPEATABLE_READ, |mut db| async move {
            let query = sqlx::query(self.0.sql.delete_realm.clone()).bind(realm.as_bytes());
            let deleted = query.execute(&mut *db).await?.rows_affected();
            Ok(db.done(deleted))
        });
        deleted.await.map_err(store_error)
    }

    async fn delete_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.0.connections.read(|mut db| async move {
            let query = sqlx::query(self.0.sql.expired.clone()).bind(now.unix_seconds()).bind(limit);
            let rows = query.fetch_all(&mut *db).await?;
            Ok(db.done(rows))
        });
        let rows = rows.await.map_err(store_error)?;
        if rows.is_empty() {
            return Ok(0);
        }
        let keys = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        let keys: Vec<(&[u8], &[u8])> = keys.collect::<Result<_, Error>>().map_err(store_error)?;
        let still = format!(" AND ends_at <= {}", now.unix_seconds());
        let (keys, still) = (&keys, &still);
        let deleted = self.0.connections.transact(MySql::BEGIN, |mut db| async move {
            let deleted = self.delete_by_key(&mut db, keys, still).await?;
            Ok(db.done(deleted))
        });
        let deleted = deleted.await.map_err(store_error)?;
        Ok(deleted.into_iter().filter(|deleted| *deleted).count())
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// What the row says about server and connection.
fn doubt(row: &MySqlRow) -> Result<Doubt, Error> {
    let is = |column| row.try_get::<i64, _>(column).map(|is| is != 0);
    Ok(Doubt { read_only: is(record::WIDTH)?, settings: is(record::WIDTH + 1)? })
}

/// What the column has no room for: a lax server would cut it short without a word.
fn check_sizes(realm: &str, record: &SessionRecord) -> Result<(), StoreError> {
    record::check_sizes(realm, record)?;
    if record.payload.len() < 1 << 24 {
        return Ok(());
    }
    Err(StoreError::permanent("a payload has room for 16 MB; this session has more"))
}

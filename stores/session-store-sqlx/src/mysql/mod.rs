//! MySQL and MariaDB: one statement where they can, else a transaction.

mod delete_by_key;
mod dialect;
mod usual;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use session_core::store::{
    Account, Adopted, Adoption, Bar, Create, Created, Fence, Mark, RecordKey, Replaced, SessionLimit,
    SessionRecord, SessionStore, StoreError, Touch,
};
use session_core::{SessionId, Timestamp};
use sqlx::mysql::{MySqlConnectOptions, MySqlPool};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Error, MySql, MySqlConnection, SqlSafeStr as _, SqlStr};

use self::delete_by_key::{Key, delete_by_key};
use self::dialect::Statements;
use self::usual::Usual;
use crate::address::{self, Kind};
use crate::adopt::Adopting;
use crate::connections::Connections;
use crate::dialect::Dialect as _;
use crate::engine::Engine as _;
use crate::error::{Fault, connect_error, store_error};
use crate::key;
use crate::lock::Lock;
use crate::login::Login;
use crate::options::StoreOptions;
use crate::record;
use crate::schema;
use crate::statement::Statement;
use crate::store::Store;

/// Rows of the table of locks: those of accounts, and after them those of realms.
const ACCOUNTS: i64 = 256;
const REALMS: i64 = 16;

/// Sessions in MySQL 8 or MariaDB 10.5 or newer. Clones share the connections.
///
/// A read, an update and a logout are one statement; a login is a transaction in one round trip, in three if it evicts and
/// the limit is five or more, and in eight to thirteen if it is refused, evicts several sessions or has a payload of more
/// than 64 KB. Logins of one account take turns at one row of
/// a small table of locks.
///
/// The text of a login carries its values, payload included, and who logs statements logs those: the server
/// (`general_log`, `slow_query_log`), and sqlx for a pool of yours, unless its options say `disable_statement_logging`.
/// The server needs InnoDB, and a binary log, if any, of the format
/// `ROW` or `MIXED` (the default of both). A user of MySQL with the plugin `caching_sha2_password` needs TLS or a
/// socket: see the features of your `sqlx`.
#[derive(Clone)]
pub struct MySqlStore(Arc<Inner>);

struct Inner {
    store: Arc<Store<MySql>>,
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
        // A login is a text with the payload in it.
        let address = MySqlConnectOptions::from_str(url).map_err(connect_error)?.disable_statement_logging();
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
        Ok(schema::fill(MySql::SCHEMA, options.checked_table()?))
    }

    /// Closes the store's own connections; calls fail from now on. A pool of yours stays open.
    pub async fn close(&self) {
        self.0.store.connections.close().await;
    }

    async fn made(connections: Connections<MySql>, options: &StoreOptions) -> Result<Self, StoreError> {
        let store = Arc::new(Store::open(connections, (), options).await?);
        let sql = Statements::new(&store.tables);
        Ok(Self(Arc::new(Inner { store, sql })))
    }

    /// Waits until no other login or revocation of the account is under way.
    async fn take_turn(&self, db: &mut MySqlConnection, realm: &str, subject: &str) -> Result<(), Error> {
        self.lock(db, &self.0.sql.take_turn, self.slot(Lock::Account(realm, subject))).await
    }

    async fn lock(&self, db: &mut MySqlConnection, sql: &SqlStr, slot: i64) -> Result<(), Error> {
        let rows = self.0.store.fetch_on(db, &Statement::new(sql).bind(slot)).await?;
        if rows.is_empty() { Err(Error::RowNotFound) } else { Ok(()) }
    }

    /// The row of the table of locks.
    fn slot(&self, lock: Lock<'_>) -> i64 {
        let key = lock.key(&self.0.store.tables.name);
        match lock {
            Lock::Realm(_) => ACCOUNTS + key.rem_euclid(REALMS),
            _ => key.rem_euclid(ACCOUNTS),
        }
    }

    /// A login in one round trip, or in three where an account with a large limit is full, if it is a usual one: see
    /// `usual.rs`.
    async fn create_at_once(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Option<Created>, Error> {
        let store = &self.0.store;
        let account_slot = record.subject.as_ref().map(|subject| self.slot(Lock::Account(realm, subject)));
        let (table, realm_slot) = (store.tables.name.as_str(), self.slot(Lock::Realm(realm)));
        let is_set_up = store.connections.are_own();
        let evicts = !matches!(options.limit, Some(SessionLimit::EvictLeastRecentlySeen(usual::LARGE..)));
        let usual = Usual { table, realm, record, options, now, is_set_up, evicts, account_slot, realm_slot };
        match self.create_as_usual(&usual).await? {
            None if !evicts => self.create_as_usual(&Usual { evicts: true, ..usual }).await,
            created => Ok(created),
        }
    }

    async fn create_as_usual(&self, usual: &Usual<'_>) -> Result<Option<Created>, Error> {
        let Some(text) = usual.text() else { return Ok(None) };
        let text = &AssertSqlSafe(text).into_sql_str();
        let created = self.0.store.connections.transact_within(|mut db| async move {
            match sqlx::raw_sql(text.clone()).fetch_all(&mut *db).await {
                Ok(rows) => {
                    let evicted = rows.iter().filter_map(|row| MySql::bytes(row, 0).transpose());
                    let evicted = evicted.map(|id| id.and_then(|id| record::id(&id)));
                    let evicted = evicted.collect::<Result<Vec<_>, _>>()?;
                    Ok(db.done(Some(Created::Done { evicted })))
                }
                Err(error) if usual::is_unusual(&error) => {
                    MySql::raw(&mut db, MySql::ROLLBACK).await?;
                    Ok(db.done(None))
                }
                Err(error) => Err(error),
            }
        });
        created.await
    }

    /// A replacement that nobody needs: it is tried once, and one that is refused keeps its connection. Every read would
    /// cost one otherwise, for as long as touches are refused.
    async fn write_seen(&self, realm: &str, seen: &SessionRecord, now: Timestamp) -> Result<Replaced, Error> {
        let store = &self.0.store;
        let written = store.connections.write_once(|mut db| async move {
            match store.replace_on(&mut db, realm, seen, now).await {
                Ok(replaced) => Ok(db.done(Ok(replaced))),
                Err(error) if Fault::of(&error) == Fault::Conflict => Ok(db.undone(Ok(Replaced::Conflict))),
                Err(error) if Fault::leaves_the_connection(&error) => Ok(db.undone(Err(error))),
                Err(error) => Err(error),
            }
        });
        written.await?
    }

    /// Answers the ids of those that had not expired.
    async fn delete_account_on(
        &self,
        db: &mut MySqlConnection,
        account: Account<'_>,
        keep: Option<SessionId>,
        fresh: &Mark,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, Error> {
        self.take_turn(db, account.realm, account.subject).await?;
        let mark = self.0.sql.login.set_mark(account.realm, Some((account.subject, now)), fresh);
        self.0.store.execute_on(db, &mark).await?;
        let select = Statement::new(&self.0.sql.account).by_account::<MySql>(account);
        let (mut found, mut keys) = (Vec::new(), Vec::new());
        for row in self.0.store.fetch_on(db, &select).await? {
            let (id, ends_at) = (record::first_id::<MySql>(&row)?, record::int::<MySql>(&row, 2)?);
            if Some(id) != keep {
                found.push((id, ends_at > now.unix_seconds()));
                keys.push(Key::of(&row)?);
            }
        }
        let deleted = delete_by_key(db, &self.0.store.tables.name, &keys, "").await?;
        let told = found.iter().zip(deleted).filter(|((_, live), deleted)| *live && *deleted);
        Ok(told.map(|((id, _), _)| *id).collect())
    }

    async fn find_expired(&self, now: Timestamp, limit: usize) -> Result<Vec<Key>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let piece = now.unix_seconds().max(0) >> 6;
        let piece = piece.min(i64::from(i32::MAX));
        let select = &Statement::new(&self.0.sql.expired).bind(piece).bind(now).bind(limit);
        let rows = self.0.store.connections.read(|mut db| async move {
            let rows = self.0.store.fetch_on(&mut db, select).await?;
            Ok(db.done(rows))
        });
        rows.await?.iter().map(Key::of).collect()
    }
}

impl fmt::Debug for MySqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MySqlStore").field("table", &self.0.store.tables.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionStore for MySqlStore {
    async fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        self.0.store.read(key, now).await
    }

    async fn read_and_touch(
        &self,
        key: RecordKey<'_>,
        touch: Touch,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let store = &self.0.store;
        let (record, seen) = store.read_to_touch(key, touch, now).await?;
        let Some(seen) = seen else { return Ok(record) };
        Ok(store.touches.outcome(record, &seen, self.write_seen(key.realm, &seen, now)).await)
    }

    async fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let store = &self.0.store;
        record::check_sizes(realm, record, MySql::LONGEST_PAYLOAD)?;
        if let Some(created) = self.create_at_once(realm, record, options, now).await.map_err(store_error)? {
            return Ok(created);
        }
        let login = &Login { store, sql: &self.0.sql.login, realm, record, options, now };
        let created = store.connections.transact(MySql::BEGIN, |mut db| async move {
            if let Some(subject) = &record.subject {
                self.take_turn(&mut db, realm, subject).await?;
            }
            self.lock(&mut db, &self.0.sql.share_realm, self.slot(Lock::Realm(realm))).await?;
            let created = login.create(&mut db).await?;
            let done = matches!(created, Created::Done { .. });
            Ok(if done { db.done(created) } else { db.undone(created) })
        });
        created.await.map_err(store_error)
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.0.store.replace(realm, record, now).await
    }

    async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        self.0.store.delete(key).await
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        self.0.store.list(account, now).await
    }

    async fn count(&self, realm: &str, now: Timestamp) -> Result<u64, StoreError> {
        self.0.store.count(realm, now).await
    }

    async fn fence(&self, account: Account<'_>, fresh: Mark, _now: Timestamp) -> Result<Fence, StoreError> {
        self.0.store.fence(account, fresh).await
    }

    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        fresh: Mark,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let deleted = self.0.store.connections.transact(MySql::BEGIN, |mut db| async move {
            let deleted = self.delete_account_on(&mut db, account, keep, &fresh, now).await?;
            Ok(db.done(deleted))
        });
        deleted.await.map_err(store_error)
    }

    async fn delete_realm(&self, realm: &str, fresh: Mark) -> Result<u64, StoreError> {
        let mark = &self.0.sql.login.set_mark(realm, None, &fresh);
        let store = &self.0.store;
        let delete = &Statement::new(&self.0.sql.delete_realm).bind(key::realm(realm));
        let deleted = store.connections.transact(MySql::BEGIN, |mut db| async move {
            self.lock(&mut db, &self.0.sql.take_turn, self.slot(Lock::Realm(realm))).await?;
            store.execute_on(&mut db, mark).await?;
            let deleted = store.execute_on(&mut db, delete).await?;
            Ok(db.done(deleted))
        });
        deleted.await.map_err(store_error)
    }

    async fn delete_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        self.0.store.execute(&self.0.sql.login.tidy_marks(now, most)).await?;
        self.0.store.execute(&self.0.sql.adopt.tidy(now, most)).await?;
        let expired = self.find_expired(now, limit).await.map_err(store_error)?;
        if expired.is_empty() {
            return Ok(0);
        }
        let (table, expired) = (&self.0.store.tables.name, &expired);
        let still = &format!(" AND ends_at <= {}", now.unix_seconds());
        let deleted = self.0.store.connections.transact(MySql::BEGIN, |mut db| async move {
            let deleted = delete_by_key(&mut db, table, expired, still).await?;
            Ok(db.done(deleted))
        });
        let deleted = deleted.await.map_err(store_error)?;
        Ok(deleted.into_iter().filter(|deleted| *deleted).count())
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
        record::check_sizes(realm, record, MySql::LONGEST_PAYLOAD)?;
        let (store, sql) = (&*self.0.store, &self.0.sql);
        let options = Create::new(None, adoption.limit);
        let login = Login { store, sql: &sql.login, realm, record, options, now };
        let adopting = &Adopting { login, sql: &sql.adopt, adoption };
        let adopted = store.connections.transact(MySql::BEGIN, |mut db| async move {
            self.lock(&mut db, &sql.take_turn, self.slot(Lock::of_adoption(realm, record))).await?;
            self.lock(&mut db, &sql.share_realm, self.slot(Lock::Realm(realm))).await?;
            let adopted = adopting.adopt(&mut db).await?;
            let done = matches!(adopted, Adopted::Done { .. });
            Ok(if done { db.done(adopted) } else { db.undone(adopted) })
        });
        adopted.await.map_err(store_error)
    }

    async fn bar(
        &self,
        realm: &str,
        subject: Option<&str>,
        bar: Bar,
        _now: Timestamp,
    ) -> Result<(), StoreError> {
        let (store, sql) = (&self.0.store, &self.0.sql);
        let bar = &sql.adopt.bar(realm, subject, bar)?;
        let slot = self.slot(subject.map_or(Lock::Realm(realm), |subject| Lock::Account(realm, subject)));
        let barred = store.connections.transact(MySql::BEGIN, |mut db| async move {
            self.lock(&mut db, &sql.take_turn, slot).await?;
            store.execute_on(&mut db, bar).await?;
            Ok(db.done(()))
        });
        barred.await.map_err(store_error)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
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

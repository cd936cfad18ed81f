//! PostgreSQL: one statement, so one round trip, for everything.

mod news;
mod pooler;
mod statement;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use session_core::store::{
    Account, Create, Created, Invalidation, RecordKey, Replaced, Replaces, SessionLimit, SessionRecord,
    SessionStore, StoreError, Touch,
};
use session_core::{SessionId, Timestamp};
use sqlx::postgres::{PgConnectOptions, PgPool, PgRow};
use sqlx::{ConnectOptions as _, Error, Postgres, Row, SqlStr};

use self::news::{Listeners, Outbox};
use self::pooler::{Manners, manners};
use self::statement::{Sending, Statement};
use crate::address::{self, Kind};
use crate::connections::{Connections, Doubt, Engine, speech};
use crate::error::{Fault, connect_error, store_error};
use crate::lock::Lock;
use crate::{StoreOptions, record, schema, touch};

const SCHEMA: &str = include_str!("schema.sql");

/// Sessions in PostgreSQL 12 or newer. Clones share the connections.
///
/// Every call is one round trip, a login with its account index and limit included: that one is a function in the
/// database, made by the migrations. It takes advisory locks (`pg_advisory_xact_lock`) on 64-bit hashes of realm and
/// account; an application that uses such locks itself may now and then share one by chance, which costs a wait.
///
/// Name the primary, not a replica.
///
/// When a session ends, the other processes are told ([`StoreOptions::announce`]). [`SessionStore::listen`] takes a
/// connection: its own if the store was made from a URL, else one of your pool's for as long as it listens.
///
/// # Poolers
///
/// The address may be a pooler (PgBouncer, in any `pool_mode`), with nothing to set, here or there. Whether it shares
/// server connections between transactions is found out when the store is made, with two connections and a dozen
/// round trips. If it does, statements go out unprepared, each as one message: still one round trip, which costs the
/// server more, since it plans each time. The same holds with `statement-cache-capacity=0`.
/// [`StoreOptions::transaction_pooler`] says so without asking. Such statements carry their values as text, payloads
/// included, and who logs statements logs those: the server (`log_min_duration_statement`, the `STATEMENT` line of an
/// error) and sqlx for a pool of yours, unless its options say `disable_statement_logging`. The store's own connections
/// log none. Two things do not work through such a pooler:
///
/// - `LISTEN`. [`SessionStore::listen`] fails with a sentence, so hybrid mode goes on within its bound without news;
///   [`StoreOptions::listen_url`] gives it an address of PostgreSQL itself. What ends here is told in any case.
/// - Startup parameters that the pooler does not know. The store made from a URL sends none; `options=` in the URL is
///   one. A schema of your own is set with `ALTER ROLE .. SET search_path` instead. sqlx itself sends
///   `extra_float_digits`: switch it off for a pool of your own (`PgConnectOptions::extra_float_digits(None)`).
#[derive(Clone)]
pub struct PostgresStore(Arc<Inner>);

struct Inner {
    connections: Connections<Postgres>,
    sending: Sending,
    listeners: Listeners,
    announces: bool,
    outbox: Mutex<Outbox>,
    table: String,
    sql: Statements,
}

impl PostgresStore {
    /// A store with connections of its own, as [`StoreOptions::default`] says; makes its tables if they are missing.
    ///
    /// The URL is sqlx's: `postgres://user:password@host:5432/database`.
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
        let address = address_of(url)?;
        let most = options.most_connections()?;
        let made = async {
            let manners = manners(&address, &options).await?;
            let listeners = Listeners::new(&address, manners, &options)?;
            Self::made(Connections::own(address.clone(), most, None), manners, listeners, &options).await
        };
        made.await.map_err(|error| error.about(place(&address)))
    }

    /// A store on a pool of your own.
    ///
    /// sqlx's pool asks for a sign of life before each call (`test_before_acquire`, which you can switch off) and after
    /// it; connections from a URL do neither.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn from_pool(pool: PgPool) -> Result<Self, StoreError> {
        Self::from_pool_with(pool, StoreOptions::default()).await
    }

    /// As [`Self::from_pool`], with options.
    ///
    /// # Errors
    /// As [`Self::connect`], and when an option is out of range.
    pub async fn from_pool_with(pool: PgPool, options: StoreOptions) -> Result<Self, StoreError> {
        let address = pool.connect_options();
        let made = async {
            let manners = manners(&address, &options).await?;
            let listeners = match options.listens_at() {
                None => Listeners::of_pool(pool.clone(), manners),
                Some(_) => Listeners::new(&address, manners, &options)?,
            };
            Self::made(Connections::pool(pool.clone()), manners, listeners, &options).await
        };
        made.await.map_err(|error| error.about(place(&address)))
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
        self.tell_the_rest().await;
        self.0.connections.close().await;
        self.0.listeners.close().await;
    }

    async fn made(
        connections: Connections<Postgres>,
        manners: Manners,
        listeners: Listeners,
        options: &StoreOptions,
    ) -> Result<Self, StoreError> {
        let table = options.checked_table()?;
        let sending = Sending::unprepared(!manners.keeps_statements);
        let schema = prepare(&connections, &sending, table, options.migrates()).await?;
        let store = Self(Arc::new(Inner {
            connections,
            sending,
            listeners,
            announces: options.announces(),
            outbox: Mutex::default(),
            table: table.to_owned(),
            sql: Statements::new(table, &schema),
        }));
        // A table of somebody else's with our name shows here.
        let nobody = RecordKey { realm: "", id: SessionId::from_bytes([0; 16]) };
        store.read(nobody, Timestamp::EPOCH).await.map(|_| store)
    }

    fn statement<'a>(&'a self, sql: &'a SqlStr) -> Statement<'a> {
        self.0.sending.statement(sql)
    }
}

/// Brings the tables into being, or makes sure of them. Answers the schema that they are in.
async fn prepare(
    connections: &Connections<Postgres>,
    sending: &Sending,
    table: &str,
    migrate: bool,
) -> Result<String, StoreError> {
    let version = schema::sql(VERSION, table);
    let read_version = || {
        connections.read(|mut db| async {
            let row = sending.statement(&version).fetch_one(&mut db).await?;
            if !row.try_get::<bool, _>(2)? {
                connections.write_in_transactions();
            }
            Ok(db.done((row.try_get(0)?, row.try_get(1)?)))
        })
    };
    let (mut found, mut place): (Option<i64>, String) = match read_version().await {
        Ok(found) => found,
        Err(error) if migrate && Fault::of(&error) == Fault::Schema => (None, String::new()),
        Err(error) => return Err(connect_error(error)),
    };
    if migrate && found.is_none_or(|version| version < schema::VERSION) {
        // One message is one transaction: the lock is held until all of it is done.
        let lock = Lock::Schema.key(table);
        let message = format!(
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({lock}); {SCHEMA}"
        );
        let message = schema::sql(&message, table);
        let migrated = connections.write(|mut db| async {
            sqlx::raw_sql(message.clone()).execute(&mut *db).await?;
            Ok(db.done(()))
        });
        migrated.await.map_err(store_error)?;
        // A newer program may have been faster.
        (found, place) = read_version().await.map_err(store_error)?;
    }
    schema::check(found, table)?;
    Ok(place)
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("table", &self.0.table).finish_non_exhaustive()
    }
}

impl Engine for Postgres {
    /// Whether it may write is left to the server: `default_transaction_read_only` is how primaries are fenced off.
    const BEGIN: &'static str = "BEGIN ISOLATION LEVEL READ COMMITTED";
    const IS_READ_ONLY: &'static str =
        "SELECT (current_setting('transaction_read_only') = 'on')::int::bigint";

    speech!(Postgres);
}

/// The version of the tables, and the schema that they are in, ready to be put before a name.
/// The isolation level of a bare statement comes last.
const VERSION: &str = r#"SELECT (SELECT max(version) FROM "{table}_schema"), relnamespace::regnamespace::text,
        current_setting('transaction_isolation') = 'read committed'
    FROM pg_class WHERE oid = '"{table}_schema"'::regclass"#;

/// A row even when the session is absent, since the server has something to say in any case.
const FOUND: &str = r#"(SELECT current_setting('transaction_read_only') = 'on' AS read_only) AS server
    LEFT JOIN "{table}" ON "#;

/// Makes the transaction that changes something wait for the disk, if `synchronous_commit` says that it need not: a
/// logout that was acknowledged must not be undone by a crash.
const DURABLE: &str = "CASE WHEN current_setting('synchronous_commit') = 'off'
    THEN set_config('synchronous_commit', 'on', true) END";

struct Statements {
    read: SqlStr,
    read_and_touch: SqlStr,
    create: SqlStr,
    replace: SqlStr,
    is_live: SqlStr,
    delete: SqlStr,
    list: SqlStr,
    delete_account: SqlStr,
    delete_realm: SqlStr,
    delete_expired: SqlStr,
    notify: SqlStr,
}

impl Statements {
    /// Names carry the schema that they were found in: a connection of the user's pool may be left with another
    /// `search_path`, and a temporary table comes before all.
    fn new(table: &str, schema: &str) -> Self {
        let sql = |template: &str| {
            let template = template.replace("{found}", FOUND).replace("{durable}", DURABLE);
            schema::sql(&template.replace("\"{table}", &format!("{schema}.\"{{table}}")), table)
        };
        Self {
            read: sql(r#"SELECT {columns}, read_only FROM {found} realm = $1 AND id = $2 AND ends_at > $3"#),
            // The function is called only when the time has come, for a token that opens the session, where writing is
            // possible.
            read_and_touch: sql(r#"SELECT {columns}, read_only, CASE WHEN last_seen <= $4 AND NOT read_only
                       AND (generation BETWEEN 0 AND $6 OR generation = $7 AND coalesce(first_used_at > $8, true))
                       AND version BETWEEN 0 AND 9223372036854775806
                       THEN "{table}_touch_v{version}"(realm, id, version, $3, $5) END
                   FROM {found} realm = $1 AND id = $2 AND ends_at > $3"#),
            create: sql(r#"SELECT outcome, evicted, replaced FROM "{table}_create_v{version}"(
                       $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)"#),
            replace: sql(
                r#"UPDATE "{table}" SET ({columns}) = ROW ($4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
                   WHERE realm = $1 AND id = $4 AND version = $2 AND ends_at > $3 RETURNING {durable}"#,
            ),
            is_live: sql(r#"SELECT 1 FROM "{table}" WHERE realm = $1 AND id = $2 AND ends_at > $3"#),
            delete: sql(r#"DELETE FROM "{table}" WHERE realm = $1 AND id = $2 RETURNING {durable}"#),
            list: sql(
                r#"SELECT {columns}, read_only FROM {found} realm = $1 AND subject = $2 AND ends_at > $3"#,
            ),
            delete_account: sql(
                r#"SELECT id FROM "{table}_delete_account_v{version}"($1, $2, $3, $4, $5) AS id"#,
            ),
            delete_realm: sql(r#"SELECT "{table}_delete_realm_v{version}"($1, $2)"#),
            notify: sql(
                "SELECT pg_notify(n.channel, n.payload) FROM unnest($1::text[], $2::text[]) AS n (channel, payload)",
            ),
            delete_expired: sql(r#"SELECT "{table}_delete_expired_v{version}"($1, $2)"#),
        }
    }
}

#[async_trait]
impl SessionStore for PostgresStore {
    async fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        let row = self.0.connections.read(|mut db| async move {
            let query = self
                .statement(&self.0.sql.read)
                .bind(key.realm.as_bytes())
                .bind(key.id.as_bytes().as_slice())
                .bind(now.unix_seconds());
            let row = query.fetch_one(&mut db).await?;
            let doubt = doubt(&row)?;
            Ok(db.done(row).with(doubt))
        });
        row.await.and_then(|row| record::if_found(&row)).map_err(store_error)
    }

    /// A lost touch costs nothing, so whatever keeps the server from writing keeps nobody from reading: what fails, or
    /// takes long, is read again without a touch.
    async fn read_and_touch(
        &self,
        key: RecordKey<'_>,
        touch: Touch,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let touches = &self.0.connections.touches;
        if !touches.are_worth_trying() {
            return self.read(key, now).await;
        }
        let generation = i64::try_from(touch.generation).unwrap_or(i64::MAX);
        let row = self.0.connections.read(|mut db| async move {
            let query = self
                .statement(&self.0.sql.read_and_touch)
                .bind(key.realm.as_bytes())
                .bind(key.id.as_bytes().as_slice())
                .bind(now.unix_seconds())
                .bind(now.minus(touch.interval).unix_seconds())
                .bind(touch.idle_timeout.map(|idle| now.plus(idle).unix_seconds()))
                .bind(generation)
                .bind(generation.saturating_add(1))
                .bind(now.minus(touch.grace).unix_seconds());
            match touch::within_time(query.fetch_one(&mut db)).await.unwrap_or(Err(Error::PoolTimedOut)) {
                Ok(row) => {
                    let doubt = doubt(&row)?;
                    Ok(db.done(Ok(row)).with(doubt))
                }
                // Every read would cost a connection otherwise, for as long as touches are refused.
                Err(error) if Fault::leaves_the_connection(&error) => Ok(db.done(Err(error))),
                Err(error) => Err(error),
            }
        });
        match row.await {
            Ok(Ok(row)) => touched(&row, touch, now).map_err(store_error),
            Ok(Err(error)) | Err(error) => {
                // A touch that lost against another one says nothing of the next.
                if Fault::of(&error) != Fault::Conflict {
                    touches.failed();
                }
                self.read(key, now).await
            }
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
        let table = &self.0.table;
        let account_lock = record.subject.as_deref().map(|subject| Lock::Account(realm, subject).key(table));
        let must_exist = match options.replaces {
            Some(Replaces::MustExist { version, .. }) => Some(version.cast_signed()),
            _ => None,
        };
        let replaces = options.replaces.map(Replaces::id);
        let (limit, refuse) = match options.limit {
            None => (None, false),
            Some(SessionLimit::EvictLeastRecentlySeen(most)) => (Some(i64::from(most)), false),
            Some(SessionLimit::Refuse(most)) => (Some(i64::from(most)), true),
        };
        let row = self.0.connections.write(|mut db| async move {
            let query = self
                .statement(&self.0.sql.create)
                .bind(Lock::Realm(realm).key(table))
                .bind(account_lock)
                .bind(now.unix_seconds())
                .bind(replaces.as_ref().map(|id| id.as_bytes().as_slice()))
                .bind(must_exist.is_some())
                .bind(must_exist)
                .bind(limit)
                .bind(refuse)
                .bind(realm.as_bytes());
            let answer = record::bind(query, record).fetch_one(&mut db).await?;
            Ok(db.done(answer))
        });
        let row = row.await.map_err(store_error)?;
        let created = created(&row).map_err(store_error)?;
        if let Created::Done { evicted } = &created {
            let replaced = replaces.filter(|_| row.try_get(2).unwrap_or(true));
            self.tell_ended(realm, evicted.iter().copied().chain(replaced));
        }
        Ok(created)
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        record::check_sizes(realm, record)?;
        let replaced = self.0.connections.write(|mut db| async move {
            let query = self
                .statement(&self.0.sql.replace)
                .bind(realm.as_bytes())
                .bind(record.version.checked_sub(1).map(u64::cast_signed))
                .bind(now.unix_seconds());
            if record::bind(query, record).execute(&mut db).await? > 0 {
                return Ok(db.done(Replaced::Done));
            }
            let live = self
                .statement(&self.0.sql.is_live)
                .bind(realm.as_bytes())
                .bind(record.id.as_bytes().as_slice())
                .bind(now.unix_seconds())
                .fetch_optional(&mut db)
                .await?;
            Ok(db.done(if live.is_some() { Replaced::Conflict } else { Replaced::Gone }))
        });
        replaced.await.map_err(store_error)
    }

    async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        let deleted = self.0.connections.write(|mut db| async move {
            let query = self
                .statement(&self.0.sql.delete)
                .bind(key.realm.as_bytes())
                .bind(key.id.as_bytes().as_slice());
            let deleted = query.execute(&mut db).await? > 0;
            Ok(db.done(deleted))
        });
        let deleted = deleted.await.map_err(store_error)?;
        self.tell_ended(key.realm, deleted.then_some(key.id));
        Ok(deleted)
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        let rows = self.0.connections.read(|mut db| async move {
            let query = self
                .statement(&self.0.sql.list)
                .bind(account.realm.as_bytes())
                .bind(account.subject.as_bytes())
                .bind(now.unix_seconds());
            let rows = query.fetch_all(&mut db).await?;
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
        let key = Lock::Account(account.realm, account.subject).key(&self.0.table);
        let rows = self.0.connections.write(|mut db| async move {
            let query = self
                .statement(&self.0.sql.delete_account)
                .bind(key)
                .bind(now.unix_seconds())
                .bind(account.realm.as_bytes())
                .bind(account.subject.as_bytes())
                .bind(keep.as_ref().map(|id| id.as_bytes().as_slice()));
            let answer = query.fetch_all(&mut db).await?;
            Ok(db.done(answer))
        });
        let rows = rows.await.map_err(store_error)?;
        let id = |row: &PgRow| record::id(&row.try_get::<Vec<u8>, _>(0)?);
        let ended: Vec<SessionId> = rows.iter().map(id).collect::<Result<_, _>>().map_err(store_error)?;
        self.tell_ended(account.realm, ended.iter().copied());
        Ok(ended)
    }

    async fn delete_realm(&self, realm: &str) -> Result<u64, StoreError> {
        let key = Lock::Realm(realm).key(&self.0.table);
        let deleted = self.0.connections.write(|mut db| async move {
            let query = self.statement(&self.0.sql.delete_realm).bind(key).bind(realm.as_bytes());
            let row = query.fetch_one(&mut db).await?;
            Ok(db.done(row.try_get::<i64, _>(0)?))
        });
        let deleted = deleted.await.map_err(store_error)?;
        self.tell_everyone_ended(realm);
        Ok(deleted.cast_unsigned())
    }

    async fn delete_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let deleted = self.0.connections.write(|mut db| async move {
            let query = self.statement(&self.0.sql.delete_expired).bind(now.unix_seconds()).bind(limit);
            let row = query.fetch_one(&mut db).await?;
            Ok(db.done(row.try_get::<i64, _>(0)?))
        });
        deleted.await.map(i64::cast_unsigned).map(crate::count).map_err(store_error)
    }

    async fn listen(
        &self,
        realm: &str,
        heard: &(dyn Fn(Invalidation) + Send + Sync),
    ) -> Result<(), StoreError> {
        if self.0.announces { self.hear(realm, heard).await } else { Ok(()) }
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// The URL, without what stock poolers refuse: sqlx asks for more digits of floats, and the tables have none.
fn address_of(url: &str) -> Result<PgConnectOptions, StoreError> {
    address::check(url, Kind::Postgres)?;
    let parsed = PgConnectOptions::from_str(url).map_err(connect_error)?;
    // Statements that go out unprepared carry payloads in their text.
    Ok(parsed.extra_float_digits(None).disable_statement_logging())
}

/// As errors name it.
fn place(address: &PgConnectOptions) -> String {
    let host = match address.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => address.get_host().to_owned(),
    };
    let (user, database) = (address.get_username(), address.get_database());
    address::place(Kind::Postgres, user, &host, address.get_port(), database)
}

/// What the row says about the server.
fn doubt(row: &PgRow) -> Result<Doubt, Error> {
    Ok(Doubt { read_only: row.try_get(record::WIDTH)?, settings: false })
}

/// The record as it stands after the touch, if there was one.
fn touched(row: &PgRow, touch: Touch, now: Timestamp) -> Result<Option<SessionRecord>, Error> {
    let Some(record) = record::if_found(row)? else { return Ok(None) };
    let moved = row.try_get::<Option<bool>, _>(record::WIDTH + 1)? == Some(true);
    Ok(Some(if moved { touch.apply(&record, now).unwrap_or(record) } else { record }))
}

/// What the function says that it did.
fn created(row: &PgRow) -> Result<Created, Error> {
    Ok(match row.try_get::<i32, _>(0)? {
        0 => {
            let evicted: Vec<Vec<u8>> = row.try_get(1)?;
            Created::Done { evicted: evicted.iter().map(|id| record::id(id)).collect::<Result<_, _>>()? }
        }
        1 => Created::IdTaken,
        2 => Created::LimitReached,
        3 => Created::PredecessorGone,
        4 => Created::PredecessorChanged,
        _ => return Err(Error::Decode("the function that creates sessions has an unknown outcome".into())),
    })
}

//! A store in SQL, whatever the database: what the three have in common.

use std::collections::HashMap;
use std::error::Error as _;
use std::fmt;
use std::sync::Arc;

#[cfg(any(feature = "sqlite", feature = "mysql"))]
use session_core::store::Touch;
use session_core::store::{Account, RecordKey, Replaced, SessionRecord, StoreError, Together};
use session_core::{SessionId, Timestamp};
use sqlx::{Error, SqlStr};

use crate::connections::Connections;
use crate::connections::lease::Doubt;
use crate::dialect::Dialect;
use crate::engine::Later;
use crate::error::store_error;
use crate::key;
use crate::options::StoreOptions;
use crate::record;
use crate::schema::Tables;
use crate::statement::Statement;
use crate::touch::Touches;

pub(crate) struct Store<DB: Dialect> {
    pub(crate) connections: Connections<DB>,
    reads: Together<String, (SessionId, Timestamp), Found>,
    pub(crate) tables: Tables,
    pub(crate) touches: Touches,
    sending: DB::Sending,
    pub(crate) sql: Statements,
}

/// What there is of a session, and how much that is worth. Whoever shares an answer shares its error.
type Found = Result<(Option<SessionRecord>, Doubt), Arc<StoreError>>;

/// Those that are the same for all, but for the words of a [`Dialect`].
pub(crate) struct Statements {
    read: SqlStr,
    /// Of 2, 4, 8 .. sessions: few statements, so that a connection has prepared all of them soon.
    read_many: Vec<SqlStr>,
    list: SqlStr,
    live_version: SqlStr,
    replace: SqlStr,
    delete: SqlStr,
    count: SqlStr,
    /// The marks of a realm and of an account.
    pub(crate) marks: SqlStr,
    /// Makes a mark if there is none.
    pub(crate) make_mark: SqlStr,
}

/// A question is for at most 2 to the power of this many sessions.
const SIZES: u32 = 5;
pub(crate) const MOST_TOGETHER: usize = 1 << SIZES;

/// Whose hash it is comes with others of that hash, which nobody asks for.
fn read_of_many<DB: Dialect>(count: usize) -> String {
    let (hash, value) = DB::HASH_OF_ID;
    format!("{{select}} {hash} IN ({}) AND realm = ? AND ends_at > ?", vec![value; count].join(", "))
}

impl Statements {
    fn new<DB: Dialect>(tables: &Tables) -> Self {
        let sql = |template: &str| tables.sql::<DB>(template);
        Self {
            read: sql("{select} {by_id} AND ends_at > ?"),
            read_many: (1..=SIZES).map(|size| sql(&read_of_many::<DB>(1 << size))).collect(),
            list: sql("{select} {by_account} AND ends_at > ? {unlimited}"),
            live_version: sql(r#"SELECT version FROM "{table}" WHERE {by_id} AND ends_at > ?"#),
            replace: sql(r#"UPDATE "{table}" SET {assignments}
                   WHERE {by_id} AND version = ? AND ends_at > ? {durable}"#),
            delete: sql(r#"DELETE FROM "{table}" WHERE {by_id} {durable}"#),
            count: sql(r#"SELECT count(*) FROM "{table}" WHERE realm = ? AND ends_at > ?"#),
            marks: sql("SELECT subject, mark {from_marks} realm = ? AND subject IN (?, ?) {unlimited}"),
            make_mark: sql(
                r#"INSERT INTO "{table}_marks" (realm, subject, mark, kept_until) VALUES (?, ?, ?, ?) {or_keep}"#,
            ),
        }
    }
}

impl<DB: Dialect> Store<DB> {
    /// Brings the tables into being, or makes sure of them.
    pub(crate) async fn open(
        connections: Connections<DB>,
        sending: DB::Sending,
        options: &StoreOptions,
    ) -> Result<Self, StoreError> {
        let tables = Tables::prepare(&connections, &sending, options).await?;
        let sql = Statements::new::<DB>(&tables);
        let reads = Together::new(MOST_TOGETHER);
        let store = Self { connections, reads, tables, touches: Touches::default(), sending, sql };
        // A table of somebody else's with our name shows here.
        let nobody = SessionId::from_bytes([0; SessionId::LEN]);
        store.find(&store.read_of("", nobody, Timestamp::EPOCH)).await.map(|_| store)
    }

    pub(crate) async fn read(
        self: &Arc<Self>,
        key: RecordKey<'_>,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        Ok(self.look_up(key, now).await?.0)
    }

    /// Together with whatever else is read just now.
    async fn look_up(
        self: &Arc<Self>,
        key: RecordKey<'_>,
        now: Timestamp,
    ) -> Result<(Option<SessionRecord>, Doubt), StoreError> {
        let realm = key.realm.to_owned();
        let (store, of) = (Arc::clone(self), realm.clone());
        let ask = |keys| async move { store.look_up_all(&of, keys).await };
        match self.reads.read(&realm, (key.id, now), ask).await {
            Some(Ok((record, doubt))) => Ok((record.filter(|record| now < record.ends_at), doubt)),
            Some(Err(error)) => Err(as_told_to_all(error)),
            None => {
                Err(StoreError::unavailable("the database answered a question for others alone: try again"))
            }
        }
    }

    async fn look_up_all(&self, realm: &str, keys: Vec<(SessionId, Timestamp)>) -> Vec<Found> {
        let ids: Vec<SessionId> = keys.iter().map(|(id, _)| *id).collect();
        // Whose clock is ahead leaves out what is over for them.
        let now = keys.iter().map(|(_, now)| *now).min().unwrap_or(Timestamp::EPOCH);
        match self.rows(&self.read_of_all(realm, &ids, now)).await {
            Ok((rows, doubt)) => {
                let found: HashMap<SessionId, Found> =
                    rows.iter().filter_map(|row| found::<DB>(row, doubt)).collect();
                let absent = || Ok((None, doubt));
                ids.iter().map(|id| found.get(id).cloned().unwrap_or_else(absent)).collect()
            }
            Err(error) => {
                let error = Arc::new(store_error(error));
                ids.iter().map(|_| Err(Arc::clone(&error))).collect()
            }
        }
    }

    /// The last one fills the places that are left.
    pub(crate) fn read_of_all<'a>(
        &'a self,
        realm: &'a str,
        ids: &[SessionId],
        now: Timestamp,
    ) -> Statement<'a> {
        let size = usize::try_from(ids.len().max(1).next_power_of_two().trailing_zeros()).unwrap_or_default();
        let (&[first, ..], Some(last)) = (ids, ids.last()) else {
            return self.read_of(realm, SessionId::from_bytes([0; SessionId::LEN]), now);
        };
        let Some(sql) = size.checked_sub(1).and_then(|size| self.sql.read_many.get(size)) else {
            return self.read_of(realm, first, now);
        };
        let places = ids.iter().chain(std::iter::repeat(last)).take(1 << size);
        let hashes =
            places.fold(Statement::new(sql), |statement, id| DB::bind_hash(statement, realm, id.as_bytes()));
        hashes.bind(key::realm(realm)).bind(now)
    }

    /// The record, and as it has to be written if it is time to write down that it was seen.
    #[cfg(any(feature = "sqlite", feature = "mysql"))]
    pub(crate) async fn read_to_touch(
        self: &Arc<Self>,
        key: RecordKey<'_>,
        touch: Touch,
        now: Timestamp,
    ) -> Result<(Option<SessionRecord>, Option<SessionRecord>), StoreError> {
        let (record, doubt) = self.look_up(key, now).await?;
        let seen = record.as_ref().filter(|_| !doubt.read_only).and_then(|record| touch.apply(record, now));
        Ok((record, seen.filter(|_| self.touches.are_worth_trying())))
    }

    fn read_of<'a>(&'a self, realm: &'a str, id: SessionId, now: Timestamp) -> Statement<'a> {
        Statement::new(&self.sql.read).by_id::<DB>(realm, id).bind(now)
    }

    pub(crate) async fn list(
        &self,
        account: Account<'_>,
        now: Timestamp,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let statement = Statement::new(&self.sql.list).by_account::<DB>(account).bind(now);
        self.find(&statement).await
    }

    pub(crate) async fn count(&self, realm: &str, now: Timestamp) -> Result<u64, StoreError> {
        let statement = &Statement::new(&self.sql.count).bind(key::realm(realm)).bind(now);
        let rows = self.connections.read(|mut db| async move {
            let rows = self.fetch_on(&mut db, statement).await?;
            Ok(db.done(rows))
        });
        let rows = rows.await.map_err(store_error)?;
        let row = rows.first().ok_or(Error::RowNotFound).map_err(store_error)?;
        record::int::<DB>(row, 0).map(i64::cast_unsigned).map_err(store_error)
    }

    async fn find(&self, statement: &Statement<'_>) -> Result<Vec<SessionRecord>, StoreError> {
        let (rows, _) = self.rows(statement).await.map_err(store_error)?;
        let records = rows.iter().filter_map(|row| record::from_row::<DB>(row).transpose());
        records.collect::<Result<_, _>>().map_err(store_error)
    }

    /// The rows of a read, and how much they are worth.
    async fn rows(&self, statement: &Statement<'_>) -> Result<(Vec<DB::Row>, Doubt), Error> {
        let rows = self.connections.read(|mut db| async move {
            let rows = self.fetch_on(&mut db, statement).await?;
            let doubt = rows.first().map_or(Ok(Doubt::default()), |row| DB::doubt(row, record::WIDTH))?;
            Ok(db.done((rows, doubt)).with(doubt))
        });
        rows.await
    }

    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        record::check_sizes(realm, record, DB::LONGEST_PAYLOAD)?;
        let replaced = self.connections.write(|mut db| async move {
            let replaced = self.replace_on(&mut db, realm, record, now).await?;
            Ok(db.done(replaced))
        });
        replaced.await.map_err(store_error)
    }

    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) async fn replace_on(
        &self,
        db: &mut DB::Connection,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, Error> {
        if self.execute_on(db, &self.replace_of(realm, record, now)).await? > 0 {
            return Ok(Replaced::Done);
        }
        let live = self.live_of(realm, record.id, now);
        Ok(not_replaced(!self.fetch_on(db, &live).await?.is_empty()))
    }

    /// The statement that replaces one session.
    pub(crate) fn replace_of<'a>(
        &'a self,
        realm: &'a str,
        record: &'a SessionRecord,
        now: Timestamp,
    ) -> Statement<'a> {
        let replace = DB::bind_hashes(Statement::new(&self.sql.replace), realm, record);
        record::bind(replace, record)
            .by_id::<DB>(realm, record.id)
            .bind(record.version.checked_sub(1).map(u64::cast_signed))
            .bind(now)
    }

    fn live_of<'a>(&'a self, realm: &'a str, id: SessionId, now: Timestamp) -> Statement<'a> {
        Statement::new(&self.sql.live_version).by_id::<DB>(realm, id).bind(now)
    }

    /// What became of a session that [`Self::replace_of`] did not change.
    #[cfg(feature = "sqlite")]
    pub(crate) async fn why_not_replaced(
        &self,
        realm: &str,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let live = &self.live_of(realm, id, now);
        let rows = self.connections.read(|mut db| async move {
            let rows = self.fetch_on(&mut db, live).await?;
            Ok(db.done(rows))
        });
        rows.await.map(|rows| not_replaced(!rows.is_empty())).map_err(store_error)
    }

    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        Ok(self.execute(&self.delete_of(key)).await? > 0)
    }

    /// The statement that deletes one session.
    pub(crate) fn delete_of<'a>(&'a self, key: RecordKey<'a>) -> Statement<'a> {
        Statement::new(&self.sql.delete).by_key::<DB>(key)
    }

    /// A change of one statement. Answers how many rows it changed.
    pub(crate) async fn execute(&self, statement: &Statement<'_>) -> Result<u64, StoreError> {
        let changed = self.connections.write(|mut db| async move {
            let changed = self.execute_on(&mut db, statement).await?;
            Ok(db.done(changed))
        });
        changed.await.map_err(store_error)
    }

    /// A change of one statement. Answers its rows.
    #[cfg(feature = "postgres")]
    pub(crate) async fn fetch(&self, statement: &Statement<'_>) -> Result<Vec<DB::Row>, StoreError> {
        let rows = self.connections.write(|mut db| async move {
            let rows = self.fetch_on(&mut db, statement).await?;
            Ok(db.done(rows))
        });
        rows.await.map_err(store_error)
    }

    pub(crate) fn execute_on<'a>(
        &'a self,
        db: &'a mut DB::Connection,
        statement: &'a Statement<'_>,
    ) -> Later<'a, u64> {
        DB::execute(db, statement, &self.sending)
    }

    pub(crate) fn fetch_on<'a>(
        &'a self,
        db: &'a mut DB::Connection,
        statement: &'a Statement<'_>,
    ) -> Later<'a, Vec<DB::Row>> {
        DB::fetch(db, statement, &self.sending)
    }
}

fn not_replaced(is_live: bool) -> Replaced {
    if is_live { Replaced::Conflict } else { Replaced::Gone }
}

/// The session of a row. What is wrong with one row is an error of that session only.
fn found<DB: Dialect>(row: &DB::Row, doubt: Doubt) -> Option<(SessionId, Found)> {
    let id = DB::bytes(row, 0).ok().flatten().and_then(|id| record::id(&id).ok())?;
    let record = record::from_row::<DB>(row).map_err(|error| Arc::new(store_error(error)));
    Some((id, record.map(|record| (record, doubt))))
}

/// An error that several callers get.
pub(crate) fn as_told_to_all(error: Arc<StoreError>) -> StoreError {
    let told = error.to_string();
    let own = if error.is_retryable() { StoreError::unavailable(told) } else { StoreError::permanent(told) };
    if error.source().is_some() { own.with_source(Cause(error)) } else { own }
}

/// What caused an error that several callers have.
#[derive(Debug)]
struct Cause(Arc<StoreError>);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.source().map_or(Ok(()), |cause| fmt::Display::fmt(cause, f))
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()?.source()
    }
}

/// Rows as a call counts them.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) fn count(rows: u64) -> usize {
    usize::try_from(rows).unwrap_or(usize::MAX)
}

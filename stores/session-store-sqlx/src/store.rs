//! A store in SQL, whatever the database: what the three have in common.

#[cfg(any(feature = "sqlite", feature = "mysql"))]
use session_core::store::Touch;
use session_core::store::{Account, RecordKey, Replaced, SessionRecord, StoreError};
use session_core::{SessionId, Timestamp};
use sqlx::{Error, SqlStr};

use crate::connections::Connections;
use crate::connections::lease::Doubt;
use crate::dialect::Dialect;
use crate::engine::Later;
use crate::error::store_error;
use crate::options::StoreOptions;
use crate::record;
use crate::schema::Tables;
use crate::statement::Statement;
use crate::touch::Touches;

pub(crate) struct Store<DB: Dialect> {
    pub(crate) connections: Connections<DB>,
    pub(crate) tables: Tables,
    pub(crate) touches: Touches,
    sending: DB::Sending,
    pub(crate) sql: Statements,
}

/// Those that are the same for all, but for the words of a [`Dialect`].
pub(crate) struct Statements {
    read: SqlStr,
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

impl Statements {
    fn new<DB: Dialect>(tables: &Tables) -> Self {
        let sql = |template: &str| tables.sql::<DB>(template);
        Self {
            read: sql("{select} realm = ? AND id = ? AND ends_at > ?"),
            list: sql("{select} realm = ? AND subject = ? AND ends_at > ? {unlimited}"),
            live_version: sql(r#"SELECT version FROM "{table}" WHERE realm = ? AND id = ? AND ends_at > ?"#),
            replace: sql(r#"UPDATE "{table}" SET {assignments}
                   WHERE realm = ? AND id = ? AND version = ? AND ends_at > ? {durable}"#),
            delete: sql(r#"DELETE FROM "{table}" WHERE realm = ? AND id = ? {durable}"#),
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
        let store = Self { connections, tables, touches: Touches::default(), sending, sql };
        // A table of somebody else's with our name shows here.
        let nobody = RecordKey { realm: "", id: SessionId::from_bytes([0; 18]) };
        store.read(nobody, Timestamp::EPOCH).await.map(|_| store)
    }

    pub(crate) async fn read(
        &self,
        key: RecordKey<'_>,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        Ok(self.find(&self.read_of(key, now)).await?.0.pop())
    }

    /// The record, and as it has to be written if it is time to write down that it was seen.
    #[cfg(any(feature = "sqlite", feature = "mysql"))]
    pub(crate) async fn read_to_touch(
        &self,
        key: RecordKey<'_>,
        touch: Touch,
        now: Timestamp,
    ) -> Result<(Option<SessionRecord>, Option<SessionRecord>), StoreError> {
        let (mut records, doubt) = self.find(&self.read_of(key, now)).await?;
        let record = records.pop();
        let seen = record.as_ref().filter(|_| !doubt.read_only).and_then(|record| touch.apply(record, now));
        Ok((record, seen.filter(|_| self.touches.are_worth_trying())))
    }

    fn read_of<'a>(&'a self, key: RecordKey<'a>, now: Timestamp) -> Statement<'a> {
        Statement::new(&self.sql.read).bind(key.realm).bind(key.id).bind(now)
    }

    pub(crate) async fn list(
        &self,
        account: Account<'_>,
        now: Timestamp,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let statement = Statement::new(&self.sql.list).bind(account.realm).bind(account.subject).bind(now);
        Ok(self.find(&statement).await?.0)
    }

    pub(crate) async fn count(&self, realm: &str, now: Timestamp) -> Result<u64, StoreError> {
        let statement = &Statement::new(&self.sql.count).bind(realm).bind(now);
        let rows = self.connections.read(|mut db| async move {
            let rows = self.fetch_on(&mut db, statement).await?;
            Ok(db.done(rows))
        });
        let rows = rows.await.map_err(store_error)?;
        let row = rows.first().ok_or(Error::RowNotFound).map_err(store_error)?;
        record::int::<DB>(row, 0).map(i64::cast_unsigned).map_err(store_error)
    }

    async fn find(&self, statement: &Statement<'_>) -> Result<(Vec<SessionRecord>, Doubt), StoreError> {
        let rows = self.connections.read(|mut db| async move {
            let rows = self.fetch_on(&mut db, statement).await?;
            let doubt = rows.first().map_or(Ok(Doubt::default()), |row| DB::doubt(row, record::WIDTH))?;
            Ok(db.done((rows, doubt)).with(doubt))
        });
        let (rows, doubt) = rows.await.map_err(store_error)?;
        let records = rows.iter().filter_map(|row| record::from_row::<DB>(row).transpose());
        Ok((records.collect::<Result<_, _>>().map_err(store_error)?, doubt))
    }

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

    pub(crate) async fn replace_on(
        &self,
        db: &mut DB::Connection,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, Error> {
        let update = record::bind(Statement::new(&self.sql.replace), record)
            .bind(realm)
            .bind(record.id)
            .bind(record.version.checked_sub(1).map(u64::cast_signed))
            .bind(now);
        if self.execute_on(db, &update).await? > 0 {
            return Ok(Replaced::Done);
        }
        let live = Statement::new(&self.sql.live_version).bind(realm).bind(record.id).bind(now);
        let is_live = !self.fetch_on(db, &live).await?.is_empty();
        Ok(if is_live { Replaced::Conflict } else { Replaced::Gone })
    }

    pub(crate) async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        Ok(self.execute(&self.delete_of(key)).await? > 0)
    }

    /// The statement that deletes one session.
    pub(crate) fn delete_of<'a>(&'a self, key: RecordKey<'a>) -> Statement<'a> {
        Statement::new(&self.sql.delete).bind(key.realm).bind(key.id)
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

/// Rows as a call counts them.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) fn count(rows: u64) -> usize {
    usize::try_from(rows).unwrap_or(usize::MAX)
}

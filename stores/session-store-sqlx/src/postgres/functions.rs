//! The functions of `schema.sql`: how they are called, and what they answer.

use std::fmt::{self, Write as _};

use session_core::store::{
    Account, Create, Created, Mark, RecordKey, Replaces, SessionLimit, SessionRecord, Touch,
};
use session_core::{SessionId, Timestamp};
use sqlx::postgres::PgRow;
use sqlx::{Error, Postgres, Row as _, SqlStr};

use crate::engine::Engine as _;
use crate::fence;
use crate::key;
use crate::lock::Lock;
use crate::record;
use crate::schema::Tables;
use crate::statement::Statement;

pub(super) struct Functions {
    table: String,
    read_and_touch: SqlStr,
    touch_many: SqlStr,
    create: SqlStr,
    delete_account: SqlStr,
    delete_realm: SqlStr,
    delete_expired: SqlStr,
}

impl Functions {
    pub(super) fn new(tables: &Tables) -> Self {
        let sql = |template: &str| tables.sql::<Postgres>(template);
        Self {
            table: tables.name.clone(),
            // The function is called only when the time has come, where writing is possible.
            read_and_touch: sql(r#"SELECT {columns}, read_only, CASE WHEN last_seen <= $4 AND NOT read_only
                       AND version BETWEEN 0 AND 9223372036854775806
                       THEN "{table}_touch_v{version}"(realm, id, version, details, $3, $5, $6, $7) END
                   {found} hashtextextended(encode(id, 'hex'), realm) = hashtextextended(encode($2, 'hex'), $1)
                       AND realm = $1 AND id = $2 AND ends_at > $3"#),
            // What is bound has no type for arrays.
            touch_many: sql(
                r#"SELECT id FROM "{table}_touch_many_v{version}"($1, convert_from($2, 'UTF8')::bytea[],
                       convert_from($3, 'UTF8')::bigint[], convert_from($4, 'UTF8')::bigint[],
                       convert_from($5, 'UTF8')::bigint[]) AS id"#,
            ),
            create: sql(r#"SELECT "{table}_create_v{version}"(
                       $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)"#),
            delete_account: sql(
                r#"SELECT id FROM "{table}_delete_account_v{version}"($1, $2, $3, $4, $5, $6, $7, $8) AS id"#,
            ),
            delete_realm: sql(r#"SELECT "{table}_delete_realm_v{version}"($1, $2, $3, $4)"#),
            delete_expired: sql(r#"SELECT "{table}_delete_expired_v{version}"($1, $2)"#),
        }
    }

    pub(super) fn read_and_touch<'a>(
        &'a self,
        key: RecordKey<'a>,
        touch: Touch,
        now: Timestamp,
    ) -> Statement<'a> {
        let generation = i64::try_from(touch.generation).unwrap_or(i64::MAX);
        Statement::new(&self.read_and_touch)
            .bind(key::realm(key.realm))
            .bind(key.id)
            .bind(now)
            .bind(now.minus(touch.interval))
            .bind(touch.idle_timeout.map(|idle| now.plus(idle)))
            .bind(generation)
            .bind(now.minus(touch.grace))
    }

    /// Writes those as they are after their touch. Answers the ids of those that were as they are before it.
    pub(super) fn touch_many<'a>(
        &'a self,
        realm: &str,
        seen: impl Iterator<Item = &'a SessionRecord> + Clone,
    ) -> Statement<'a> {
        let numbers = |number: fn(&SessionRecord) -> i64| array(seen.clone().map(number));
        Statement::new(&self.touch_many)
            .bind(key::realm(realm))
            .bind(array(seen.clone().map(|record| Hex(record.id))))
            .bind(numbers(|record| record.version.cast_signed()))
            .bind(numbers(|record| record.last_seen.unix_seconds()))
            .bind(numbers(|record| record.ends_at.unix_seconds()))
    }

    pub(super) fn create<'a>(
        &'a self,
        realm: &'a str,
        record: &'a SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Statement<'a> {
        let account = record.subject.as_deref().map(|subject| self.lock(Lock::Account(realm, subject)));
        let must_exist = match options.replaces {
            Some(Replaces::MustExist { version, .. }) => Some(version.cast_signed()),
            _ => None,
        };
        let (limit, refuse) = room(options.limit);
        let statement = Statement::new(&self.create)
            .bind(self.lock(Lock::Realm(realm)))
            .bind(account)
            .bind(now)
            .bind(options.replaces.map(Replaces::id))
            .bind(must_exist.is_some())
            .bind(must_exist)
            .bind(limit)
            .bind(refuse)
            .bind(options.fence.map(|fence| fence.realm().as_bytes().to_vec()))
            .bind(options.fence.and_then(|fence| fence.account()).map(|mark| mark.as_bytes().to_vec()))
            .bind(realm)
            .bind(key::realm(realm));
        record::bind(statement, record)
    }

    pub(super) fn delete_account<'a>(
        &'a self,
        account: Account<'a>,
        keep: Option<SessionId>,
        fresh: &'a Mark,
        now: Timestamp,
    ) -> Statement<'a> {
        Statement::new(&self.delete_account)
            .bind(self.lock(Lock::Account(account.realm, account.subject)))
            .bind(now)
            .bind(account.realm)
            .bind(key::realm(account.realm))
            .bind(account.subject)
            .bind(keep)
            .bind(&fresh.as_bytes()[..])
            .bind(fence::kept_until(now))
    }

    pub(super) fn delete_realm<'a>(&'a self, realm: &'a str, fresh: &'a Mark) -> Statement<'a> {
        let statement = Statement::new(&self.delete_realm).bind(self.lock(Lock::Realm(realm))).bind(realm);
        statement.bind(key::realm(realm)).bind(&fresh.as_bytes()[..])
    }

    pub(super) fn delete_expired(&self, now: Timestamp, limit: usize) -> Statement<'_> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        Statement::new(&self.delete_expired).bind(now).bind(limit)
    }

    fn lock(&self, lock: Lock<'_>) -> i64 {
        lock.key(&self.table)
    }
}

/// How many sessions an account may have, and whether one more is refused.
pub(super) fn room(limit: Option<SessionLimit>) -> (Option<i64>, bool) {
    match limit {
        None => (None, false),
        Some(SessionLimit::EvictLeastRecentlySeen(most)) => (Some(i64::from(most)), false),
        Some(SessionLimit::Refuse(most)) => (Some(i64::from(most)), true),
    }
}

/// An array as the server reads it.
fn array(values: impl Iterator<Item = impl fmt::Display>) -> Option<Vec<u8>> {
    let mut text = String::from("{");
    for value in values {
        // Writing to a string cannot fail.
        let _ = write!(text, "{value},");
    }
    if text.ends_with(',') {
        text.pop();
    }
    text.push('}');
    Some(text.into_bytes())
}

/// An id in an array, where a backslash is written as two.
struct Hex(SessionId);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r"\\x")?;
        self.0.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The row of a function that answers one.
pub(super) fn one(mut rows: Vec<PgRow>) -> Result<PgRow, Error> {
    rows.pop().ok_or(Error::RowNotFound)
}

/// How many sessions a function deleted.
pub(super) fn number(rows: Vec<PgRow>) -> Result<u64, Error> {
    record::int::<Postgres>(&one(rows)?, 0).map(i64::cast_unsigned)
}

/// The record as it stands after the touch, if there was one.
pub(super) fn touched(row: &PgRow, touch: Touch, now: Timestamp) -> Result<Option<SessionRecord>, Error> {
    let Some(record) = record::from_row::<Postgres>(row)? else { return Ok(None) };
    let moved = row.try_get::<Option<bool>, _>(record::WIDTH + 1)? == Some(true);
    Ok(Some(if moved { touch.apply(&record, now).unwrap_or(record) } else { record }))
}

/// What a login or an adoption answers: see the functions.
pub(super) fn answer(rows: Vec<PgRow>) -> Result<Vec<u8>, Error> {
    Ok(Postgres::bytes(&one(rows)?, 0)?.unwrap_or_default())
}

/// What a login did, and whether it ended the predecessor.
pub(super) fn created(answer: &[u8]) -> Result<(Created, bool), Error> {
    let created = match answer {
        [0, replaced, evicted @ ..] => {
            let evicted = evicted.chunks(SessionId::LEN).map(record::id).collect::<Result<_, _>>()?;
            return Ok((Created::Done { evicted }, *replaced != 0));
        }
        [1, ..] => Created::IdTaken,
        [2, ..] => Created::LimitReached,
        [3, ..] => Created::PredecessorGone,
        [4, ..] => Created::PredecessorChanged,
        [5, ..] => Created::Overtaken,
        _ => return Err(Error::Decode("the function that creates sessions has an unknown outcome".into())),
    };
    Ok((created, false))
}

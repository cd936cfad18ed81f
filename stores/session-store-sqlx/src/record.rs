//! A record as a row.

use std::net::IpAddr;

use session_core::store::{SessionRecord, StoreError};
use session_core::{SessionId, Timestamp};
use sqlx::query::Query;
use sqlx::{ColumnIndex, Database, Decode, Encode, Row, Type};

/// The columns in the order of [`from_row`] and [`bind`].
pub(crate) const COLUMNS: &str = "id, subject, version, payload, authenticated_at, last_seen, generation, issued_at, \
                                  expires_at, first_used_at, ends_at, user_agent, ip_address";

/// How many they are: where what else a statement answers begins.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) const WIDTH: usize = 13;

/// The record in the row of an outer join, if one was found.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) fn if_found<'r, R>(row: &'r R) -> Result<Option<SessionRecord>, sqlx::Error>
where
    R: Row,
    usize: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    if sqlx::ValueRef::is_null(&row.try_get_raw(0)?) {
        return Ok(None);
    }
    from_row(row).map(Some)
}

/// The record in a row of [`COLUMNS`].
pub(crate) fn from_row<'r, R>(row: &'r R) -> Result<SessionRecord, sqlx::Error>
where
    R: Row,
    usize: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let at = |column: usize| row.try_get::<i64, _>(column).map(Timestamp::from_unix_seconds);
    let count = |column: usize| row.try_get::<i64, _>(column).map(i64::cast_unsigned);
    // Owned: PostgreSQL without prepared statements writes bytes as text.
    let bytes = |column: usize| row.try_get::<Option<Vec<u8>>, _>(column);
    let id = id(&row.try_get::<Vec<u8>, _>(0)?)?;
    let mut record = SessionRecord::new(id, row.try_get(3)?, at(4)?, at(8)?);
    record.subject = bytes(1)?.map(text).transpose()?;
    record.version = count(2)?;
    record.last_seen = at(5)?;
    record.generation = count(6)?;
    record.issued_at = at(7)?;
    record.first_used_at = row.try_get::<Option<i64>, _>(9)?.map(Timestamp::from_unix_seconds);
    record.ends_at = at(10)?;
    record.user_agent = bytes(11)?.map(text).transpose()?;
    record.ip_address = bytes(12)?.map(address).transpose()?;
    Ok(record)
}

/// A statement that takes its values one after the other.
pub(crate) trait Bind: Sized {
    fn int(self, value: Option<i64>) -> Self;
    fn bytes(self, value: Option<&[u8]>) -> Self;
}

impl<DB> Bind for Query<'_, DB, DB::Arguments>
where
    DB: Database,
    i64: for<'t> Encode<'t, DB> + Type<DB>,
    Option<i64>: for<'t> Encode<'t, DB>,
    for<'t> &'t [u8]: Type<DB>,
    for<'t> Option<&'t [u8]>: Encode<'t, DB>,
{
    fn int(self, value: Option<i64>) -> Self {
        self.bind(value)
    }

    fn bytes(self, value: Option<&[u8]>) -> Self {
        self.bind(value)
    }
}

/// Binds the values of [`COLUMNS`].
pub(crate) fn bind<B: Bind>(statement: B, record: &SessionRecord) -> B {
    statement
        .bytes(Some(record.id.as_bytes()))
        .bytes(record.subject.as_deref().map(str::as_bytes))
        .int(Some(record.version.cast_signed()))
        .bytes(Some(&record.payload))
        .int(Some(record.authenticated_at.unix_seconds()))
        .int(Some(record.last_seen.unix_seconds()))
        .int(Some(record.generation.cast_signed()))
        .int(Some(record.issued_at.unix_seconds()))
        .int(Some(record.expires_at.unix_seconds()))
        .int(record.first_used_at.map(Timestamp::unix_seconds))
        .int(Some(record.ends_at.unix_seconds()))
        .bytes(record.user_agent.as_deref().map(str::as_bytes))
        .bytes(record.ip_address.map(octets).as_deref())
}

/// Refuses what the columns have no room for: a lax server would cut it short without a word.
pub(crate) fn check_sizes(realm: &str, record: &SessionRecord) -> Result<(), StoreError> {
    let fits = |text: Option<&str>, most: usize| text.is_none_or(|text| text.len() <= most);
    if fits(Some(realm), 255)
        && fits(record.subject.as_deref(), 255)
        && fits(record.user_agent.as_deref(), 1024)
    {
        return Ok(());
    }
    Err(StoreError::permanent(
        "realm and subject have room for 255 bytes, the user agent for 1024; this session has more",
    ))
}

pub(crate) fn id(bytes: &[u8]) -> Result<SessionId, sqlx::Error> {
    bytes.try_into().map(SessionId::from_bytes).map_err(|_| garbage("a session id is not 16 bytes long"))
}

fn text(bytes: Vec<u8>) -> Result<String, sqlx::Error> {
    String::from_utf8(bytes).map_err(|_| garbage("a text is not UTF-8"))
}

fn address(bytes: Vec<u8>) -> Result<IpAddr, sqlx::Error> {
    let v4 = <[u8; 4]>::try_from(bytes.as_slice()).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes.as_slice()).map(IpAddr::from))
        .map_err(|_| garbage("an IP address is neither 4 nor 16 bytes long"))
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn garbage(what: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(what.into())
}

//! A record as a row.

use std::net::IpAddr;

use session_core::store::{SessionRecord, StoreError};
use session_core::{SessionId, Timestamp};
use sqlx::Error;

use crate::details;
use crate::dialect::Dialect;
use crate::engine::Engine;
use crate::error::garbage;
use crate::statement::Statement;

/// The columns in the order of [`from_row`] and [`bind`].
pub(crate) const COLUMNS: &str =
    "id, subject, version, payload, last_seen, ends_at, user_agent, ip_address, details";

/// How many they are: where what else a statement answers begins.
pub(crate) const WIDTH: usize = 9;

/// What a login was given is small; more is a mistake.
const LONGEST_TERMS: usize = (1 << 16) - 1;

/// As an `UPDATE` writes them, after the hashes.
pub(crate) fn assignments<DB: Dialect>() -> String {
    let columns = DB::HASHES.split(", ").chain(COLUMNS.split(", ")).filter(|column| !column.is_empty());
    columns.map(|column| format!("{column} = ?")).collect::<Vec<_>>().join(", ")
}

/// As an `INSERT` writes them, after the realm and the hashes.
pub(crate) fn places<DB: Dialect>() -> String {
    let count = 1 + DB::HASHES.matches(',').count() + WIDTH;
    vec!["?"; count].join(", ")
}

/// The record in a row of [`COLUMNS`]. `None`: the outer join found none.
pub(crate) fn from_row<DB: Engine>(row: &DB::Row) -> Result<Option<SessionRecord>, Error> {
    let Some(id) = DB::bytes(row, 0)? else { return Ok(None) };
    let at = |column: usize| int::<DB>(row, column).map(Timestamp::from_unix_seconds);
    let bytes = |column: usize| DB::bytes(row, column);
    let (payload, details) = (bytes(3)?.ok_or_else(missing)?, bytes(8)?.ok_or_else(missing)?);
    let (last_seen, ends_at) = (at(4)?, at(5)?);
    let mut record = SessionRecord::new(self::id(&id)?, payload, last_seen, ends_at);
    details::decode(&details, &mut record)?;
    record.subject = bytes(1)?.map(text).transpose()?;
    record.version = int::<DB>(row, 2)?.cast_unsigned();
    record.last_seen = last_seen;
    record.ends_at = ends_at;
    record.user_agent = bytes(6)?.map(text).transpose()?;
    record.ip_address = bytes(7)?.map(address).transpose()?;
    Ok(Some(record))
}

/// Binds the values of [`COLUMNS`].
pub(crate) fn bind<'a>(statement: Statement<'a>, record: &'a SessionRecord) -> Statement<'a> {
    statement
        .bind(record.id)
        .bind(record.subject.as_deref())
        .bind(record.version.cast_signed())
        .bind(record.payload.as_slice())
        .bind(record.last_seen)
        .bind(record.ends_at)
        .bind(record.user_agent.as_deref())
        .bind(record.ip_address.map(octets))
        .bind(Some(details::encode(record)))
}

/// Refuses what the columns have no room for: a lax server would cut it short without a word.
pub(crate) fn check_sizes(
    realm: &str,
    record: &SessionRecord,
    longest_payload: usize,
) -> Result<(), StoreError> {
    let fits = |text: Option<&str>, most: usize| text.is_none_or(|text| text.len() <= most);
    let (subject, user_agent) = (record.subject.as_deref(), record.user_agent.as_deref());
    if !(fits(Some(realm), 255) && fits(subject, 255) && fits(user_agent, 1024)) {
        return Err(StoreError::permanent(
            "realm and subject have room for 255 bytes, the user agent for 1024; this session has more",
        ));
    }
    if record.payload.len() > longest_payload {
        return Err(StoreError::permanent("a payload has room for 16 MB; this session has more"));
    }
    if record.terms.as_ref().is_some_and(|terms| terms.to_bytes().len() > LONGEST_TERMS) {
        return Err(StoreError::permanent(
            "what a login was given has room for 64 KB; this session has more",
        ));
    }
    Ok(())
}

/// A number that is in every row.
pub(crate) fn int<DB: Engine>(row: &DB::Row, column: usize) -> Result<i64, Error> {
    DB::int(row, column)?.ok_or_else(missing)
}

/// The session whose id comes first in the row.
pub(crate) fn first_id<DB: Engine>(row: &DB::Row) -> Result<SessionId, Error> {
    id(&DB::bytes(row, 0)?.ok_or_else(missing)?)
}

pub(crate) fn id(bytes: &[u8]) -> Result<SessionId, Error> {
    bytes.try_into().map(SessionId::from_bytes).map_err(|_| garbage("a session id is not 18 bytes long"))
}

fn text(bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|_| garbage("a text is not UTF-8"))
}

fn address(bytes: Vec<u8>) -> Result<IpAddr, Error> {
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

fn missing() -> Error {
    garbage("a value is missing")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(realm: usize, subject: usize, user_agent: usize, payload: usize) -> bool {
        let now = Timestamp::from_unix_seconds(1_800_000_000);
        let id = SessionId::from_bytes([7; SessionId::LEN]);
        let record = SessionRecord::new(id, vec![b' '; payload], now, now).with(|record| {
            record.subject = Some("s".repeat(subject));
            record.user_agent = Some("u".repeat(user_agent));
        });
        let checked = check_sizes(&"r".repeat(realm), &record, 9);
        assert!(checked.as_ref().err().is_none_or(|error| !error.is_retryable()));
        checked.is_ok()
    }

    #[test]
    fn what_the_columns_have_no_room_for_is_refused_and_never_cut_short() {
        assert!(fits(255, 255, 1024, 9));
        for longer in [fits(256, 1, 1, 1), fits(1, 256, 1, 1), fits(1, 1, 1025, 1), fits(1, 1, 1, 10)] {
            assert!(!longer);
        }
    }
}

//! Deletes rows one by one, many in one round trip.

use std::fmt::{self, Write as _};

use futures_util::TryStreamExt as _;
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, Error, MySqlConnection, Row as _};

/// So many deletions go into one round trip.
const TOGETHER: usize = 250;

pub(super) struct Key {
    /// What the index has of it.
    pub(super) lookup: i64,
    pub(super) id: Vec<u8>,
}

impl Key {
    /// In a row of id and lookup.
    pub(super) fn of(row: &MySqlRow) -> Result<Self, Error> {
        Ok(Self { id: row.try_get(0)?, lookup: row.try_get(1)? })
    }
}

/// Says of each whether it was there.
///
/// One `DELETE` of a range would lock every row that it reads, and it reads the whole table when that is small:
/// logins and revocations would trip over each other.
pub(super) async fn delete_by_key(
    db: &mut MySqlConnection,
    table: &str,
    keys: &[Key],
    condition: &str,
) -> Result<Vec<bool>, Error> {
    let mut deleted = Vec::with_capacity(keys.len());
    for keys in keys.chunks(TOGETHER) {
        let mut text = String::new();
        for Key { lookup, id } in keys {
            let id = Hex(id);
            // Writing to a string cannot fail.
            let _ = write!(text, "DELETE FROM `{table}` WHERE lookup = {lookup} AND id = {id}{condition};");
        }
        // Numbers, hexadecimal digits and a checked name.
        let mut answers = sqlx::raw_sql(AssertSqlSafe(text)).execute_many(&mut *db);
        while let Some(answer) = answers.try_next().await? {
            deleted.push(answer.rows_affected() > 0);
        }
    }
    Ok(deleted)
}

/// Bytes as a literal.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("x'")?;
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("'")
    }
}

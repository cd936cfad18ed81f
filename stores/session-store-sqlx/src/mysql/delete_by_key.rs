//! Deletes rows by their primary key, many in one round trip.

use std::fmt::{self, Write as _};

use futures_util::TryStreamExt as _;
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, Error, MySqlConnection, Row as _};

/// So many deletions go into one round trip.
const TOGETHER: usize = 250;

pub(super) struct Key {
    pub(super) realm: Vec<u8>,
    pub(super) id: Vec<u8>,
}

impl Key {
    /// In a row of realm and id.
    pub(super) fn of(row: &MySqlRow) -> Result<Self, Error> {
        Ok(Self { realm: row.try_get(0)?, id: row.try_get(1)? })
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
        for Key { realm, id } in keys {
            let (realm, id) = (Hex(realm), Hex(id));
            // Writing to a string cannot fail.
            let _ = write!(text, "DELETE FROM `{table}` WHERE realm = {realm} AND id = {id}{condition};");
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

//! The version of the tables, and the SQL with a table's name in it.

use std::sync::Arc;

use session_core::store::StoreError;
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::record::COLUMNS;

/// What this program knows. Every change of a `schema.sql` makes it one more. The functions of an older version
/// stay, for programs that still run while a newer one is rolled out.
pub(crate) const VERSION: i64 = 3;

/// A statement with `{table}` (a checked name) and `{columns}` filled in.
pub(crate) fn sql(template: &str, table: &str) -> SqlStr {
    let text: Arc<str> = fill(template, table).into();
    AssertSqlSafe(text).into_sql_str()
}

pub(crate) fn fill(template: &str, table: &str) -> String {
    template
        .replace("{table}", table)
        .replace("{columns}", COLUMNS)
        .replace("{version}", &VERSION.to_string())
}

/// Whether this program can work with tables of version `found`. `None`: there is no version.
pub(crate) fn check(found: Option<i64>, table: &str) -> Result<(), StoreError> {
    match found {
        Some(VERSION) => Ok(()),
        Some(newer) if newer > VERSION => Err(StoreError::permanent(format!(
            "the table {table} has schema version {newer} and this program knows {VERSION}: a newer program migrated \
             it; update this one"
        ))),
        _ => Err(StoreError::permanent(format!(
            "the table {table} has no schema version {VERSION} and migrations are off: switch them on, or run the \
             store's schema_sql"
        ))),
    }
}

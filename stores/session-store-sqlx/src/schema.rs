//! The tables: whether they are there, and the SQL with their name in it.

use std::sync::Arc;

use session_core::store::StoreError;
use sqlx::{AssertSqlSafe, Error, SqlSafeStr, SqlStr};

use crate::connections::Connections;
use crate::dialect::{Dialect, Found};
use crate::error::{Fault, connect_error, store_error};
use crate::options::StoreOptions;
use crate::record::{self, COLUMNS};
use crate::statement::Statement;

/// What this program knows. Every change of a `schema.sql` makes it one more. Versions before this one were never
/// released: their tables are dropped, and their sessions with them.
const VERSION: i64 = 7;

/// The tables of a store.
pub(crate) struct Tables {
    /// The name of the first one, which needs no quoting.
    pub(crate) name: String,
    /// See [`Found::schema`].
    schema: String,
}

impl Tables {
    /// Brings them into being, or makes sure of them.
    pub(crate) async fn prepare<DB: Dialect>(
        connections: &Connections<DB>,
        sending: &DB::Sending,
        options: &StoreOptions,
    ) -> Result<Self, StoreError> {
        let (name, migrate) = (options.checked_table()?, options.migrates());
        let version = spelled::<DB>(DB::VERSION, name, "");
        let version = Statement::new(&version);
        let mut found = match look(connections, sending, &version).await {
            Ok(found) => found,
            Err(error) if migrate && Fault::of(&error) == Fault::Schema => Found::default(),
            Err(error) => return Err(connect_error(error)),
        };
        if migrate && found.version.is_none_or(|version| version < VERSION) {
            let migrated = DB::migrate(connections, sending, name, &version);
            found = migrated.await.map_err(store_error)?;
        }
        check(found.version, name)?;
        Ok(Self { name: name.to_owned(), schema: found.schema })
    }

    /// A statement, with the words of the database and the names of the tables filled in.
    pub(crate) fn sql<DB: Dialect>(&self, template: &str) -> SqlStr {
        let template = template
            .replace("{select}", "SELECT {columns}{from}")
            .replace("{from_marks}", &DB::FROM.replace("{what}", "{table}_marks"))
            .replace("{from}", &DB::FROM.replace("{what}", "{table}"))
            .replace("{or_keep}", DB::OR_KEEP)
            .replace("{assignments}", &record::assignments::<DB>())
            .replace("{places}", &record::places::<DB>())
            .replace("{hashes}", DB::HASHES)
            .replace("{by_id}", DB::BY_ID)
            .replace("{by_account}", DB::BY_ACCOUNT)
            .replace("{counted}", DB::COUNTED)
            .replace("{unlimited}", DB::UNLIMITED)
            .replace("{durable}", DB::DURABLE);
        spelled::<DB>(&template, &self.name, &self.schema)
    }
}

fn spelled<DB: Dialect>(template: &str, table: &str, schema: &str) -> SqlStr {
    // A connection of the user's pool may be left with another `search_path`, and a temporary table comes before all.
    let text = DB::spelled(template.to_owned()).replace("\"{table}", &format!("{schema}\"{{table}}"));
    sql(&text, table)
}

/// A statement with a checked name filled in.
pub(crate) fn sql(template: &str, table: &str) -> SqlStr {
    let text: Arc<str> = fill(template, table).into();
    AssertSqlSafe(text).into_sql_str()
}

/// A text with a checked name filled in.
pub(crate) fn fill(template: &str, table: &str) -> String {
    template
        .replace("{table}", table)
        .replace("{columns}", COLUMNS)
        .replace("{version}", &VERSION.to_string())
}

/// What the statement for the version finds.
pub(crate) async fn look<DB: Dialect>(
    connections: &Connections<DB>,
    sending: &DB::Sending,
    version: &Statement<'_>,
) -> Result<Found, Error> {
    let found = connections.read(|mut db| async move {
        let found = DB::found(&DB::fetch(&mut db, version, sending).await?, connections)?;
        Ok(db.done(found))
    });
    found.await
}

/// Whether this program can work with tables of version `found`. `None`: there is no version.
fn check(found: Option<i64>, table: &str) -> Result<(), StoreError> {
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

//! What differs between the databases in what they say of the store's tables.

use std::future::Future;

use sqlx::Error;

use crate::connections::Connections;
use crate::connections::lease::Doubt;
use crate::engine::Engine;
use crate::statement::Statement;

/// The words in which statements differ. `{table}`, `{columns}` and `{version}` are filled in.
pub(crate) trait Dialect: Engine {
    /// The file `schema.sql`.
    const SCHEMA: &'static str;
    /// Answers what [`Self::found`] reads.
    const VERSION: &'static str = r#"SELECT max(version) FROM "{table}_schema""#;
    /// Between the columns of a `SELECT` and its condition, where `{what}` is the table: answers behind the columns what
    /// [`Self::doubt`] reads.
    const FROM: &'static str = r#" FROM "{what}" WHERE"#;
    /// After an `INSERT` that is to change nothing if the mark is there.
    const OR_KEEP: &'static str = "ON CONFLICT DO NOTHING";
    /// After a `SELECT` that may answer any number of rows.
    const UNLIMITED: &'static str = "";
    /// After a change that must be on the disk when it is done.
    const DURABLE: &'static str = "";
    /// For how long a payload there is room.
    const LONGEST_PAYLOAD: usize = usize::MAX;

    /// Spells a statement whose names stand in double quotes, and whose values are `?`.
    fn spelled(sql: String) -> String {
        sql
    }

    /// Makes the tables, or makes them newer. Answers what `version` finds in the end: several programs may be at it, and
    /// a newer one may have been faster.
    fn migrate(
        connections: &Connections<Self>,
        sending: &Self::Sending,
        table: &str,
        version: &Statement<'_>,
    ) -> impl Future<Output = Result<Found, Error>> + Send;

    /// What the answer to [`Self::VERSION`] says.
    fn found(rows: &[Self::Row], _: &Connections<Self>) -> Result<Found, Error> {
        let row = rows.first().ok_or(Error::RowNotFound)?;
        Ok(Found { version: Self::int(row, 0)?, schema: String::new() })
    }

    /// What a row says about server and connection, from this column on.
    fn doubt(_: &Self::Row, _at: usize) -> Result<Doubt, Error> {
        Ok(Doubt::default())
    }
}

/// Tables of this name.
#[derive(Default)]
pub(crate) struct Found {
    /// `None`: there is none.
    pub(crate) version: Option<i64>,
    /// What has to be put before the name: a schema and a dot, or nothing.
    pub(crate) schema: String,
}

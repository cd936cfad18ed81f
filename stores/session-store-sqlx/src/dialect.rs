//! What differs between the databases in what they say of the store's tables.

use std::future::Future;

use session_core::SessionId;
use session_core::store::{Account, RecordKey, SessionRecord};
use sqlx::Error;

use crate::connections::Connections;
use crate::connections::lease::Doubt;
use crate::engine::Engine;
use crate::key;
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
    /// Where the hashes of a session's id and of its account are kept, if they are columns: written before the others.
    const HASHES: &'static str = "lookup, account, ";
    /// Finds a session: see [`Self::bind_hash`], after which realm and id are bound.
    const BY_ID: &'static str = "lookup = ? AND realm = ? AND id = ?";
    /// The hash of an id, in the table and as a value.
    const HASH_OF_ID: (&'static str, &'static str) = ("lookup", "?");
    /// Finds the sessions of an account: see [`Self::bind_account`].
    const BY_ACCOUNT: &'static str = "account = ? AND realm = ? AND subject = ?";
    /// Whether a session counts towards the limit.
    const COUNTED: &'static str = "substr(details, 1, 1) < x'80'";
    /// After an `INSERT` that is to change nothing if the mark is there.
    const OR_KEEP: &'static str = "ON CONFLICT DO NOTHING";
    /// After a `SELECT` that may answer any number of rows.
    const UNLIMITED: &'static str = "";
    /// After a change that must be on the disk when it is done.
    const DURABLE: &'static str = "";
    /// For how long a payload there is room.
    const LONGEST_PAYLOAD: usize = usize::MAX;

    /// Binds the hash of a subject.
    fn bind_account<'a>(statement: Statement<'a>, realm: &str, subject: &'a str) -> Statement<'a> {
        statement.bind(key::account(realm, subject))
    }

    /// Binds the hash of an id.
    fn bind_hash<'a>(statement: Statement<'a>, realm: &str, name: &[u8]) -> Statement<'a> {
        statement.bind(key::hash(realm, name))
    }

    /// Binds the values of [`Self::HASHES`].
    fn bind_hashes<'a>(statement: Statement<'a>, realm: &str, record: &SessionRecord) -> Statement<'a> {
        let subject = record.subject.as_ref().map(|subject| key::account(realm, subject));
        statement.bind(key::hash(realm, record.id.as_bytes())).bind(subject)
    }

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

impl<'a> Statement<'a> {
    /// The values of `{by_id}`.
    pub(crate) fn by_id<DB: Dialect>(self, realm: &'a str, id: SessionId) -> Self {
        DB::bind_hash(self, realm, id.as_bytes()).bind(key::realm(realm)).bind(id)
    }

    pub(crate) fn by_key<DB: Dialect>(self, key: RecordKey<'a>) -> Self {
        self.by_id::<DB>(key.realm, key.id)
    }

    /// The values of `{by_account}`.
    pub(crate) fn by_account<DB: Dialect>(self, account: Account<'a>) -> Self {
        let Account { realm, subject } = account;
        DB::bind_account(self, realm, subject).bind(key::realm(realm)).bind(subject)
    }
}

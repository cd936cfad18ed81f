//! A statement and its values, for a server connection of our own or for one that a pooler shares out.
//!
//! Of our own it is a prepared statement: parsed and planned once. A pooler in transaction mode hands the server
//! connection to somebody else after each `Sync`, and what was prepared goes with it. sqlx has a `Sync` between
//! preparing and executing, of an unnamed statement, too, so none of its prepared statements is safe there: at best they
//! are missing, at worst they are somebody else's. So the statement goes out as one message of the simple protocol, with
//! its values as literals. It is parsed and planned each time, in one round trip, and nothing is left behind.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::TryStreamExt as _;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Either, Error, Execute, Executor as _, PgConnection, Postgres, SqlStr};

use crate::record::Bind;

/// What must hold of the one transaction that the message is, whatever the server's defaults: what our statements
/// expect of it, and how bytes are written.
const PREAMBLE: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL bytea_output = 'hex'; ";

/// How statements are sent.
#[derive(Debug, Default)]
pub(super) struct Sending {
    unprepared: AtomicBool,
}

impl Sending {
    pub(super) fn unprepared(yes: bool) -> Self {
        Self { unprepared: AtomicBool::new(yes) }
    }

    /// A statement, whose values are bound in the order of `$1`, `$2` and so on.
    pub(super) fn statement<'a>(&'a self, sql: &'a SqlStr) -> Statement<'a> {
        Statement { sending: self, sql, values: Vec::new() }
    }
}

pub(super) struct Statement<'a> {
    sending: &'a Sending,
    sql: &'a SqlStr,
    values: Vec<Value<'a>>,
}

/// One for each type that our statements take.
pub(super) enum Value<'a> {
    Int(Option<i64>),
    Bool(bool),
    Bytes(Option<Vec<u8>>),
    Texts(&'a [String]),
}

impl<'a> Statement<'a> {
    pub(super) fn bind(mut self, value: impl Into<Value<'a>>) -> Self {
        self.values.push(value.into());
        self
    }

    pub(super) async fn execute(self, db: &mut PgConnection) -> Result<u64, Error> {
        Ok(self.run(db).await?.affected)
    }

    pub(super) async fn fetch_all(self, db: &mut PgConnection) -> Result<Vec<PgRow>, Error> {
        Ok(self.run(db).await?.rows)
    }

    /// Of the statements that answer with one row at most.
    pub(super) async fn fetch_optional(self, db: &mut PgConnection) -> Result<Option<PgRow>, Error> {
        Ok(self.run(db).await?.rows.pop())
    }

    pub(super) async fn fetch_one(self, db: &mut PgConnection) -> Result<PgRow, Error> {
        self.fetch_optional(db).await?.ok_or(Error::RowNotFound)
    }

    async fn run(self, db: &mut PgConnection) -> Result<Answer, Error> {
        if !self.sending.unprepared.load(Ordering::Relaxed) {
            match answer(db, self.prepared()).await {
                // It was not executed. Most likely somebody began to share the connection. An application that lets go
                // of all prepared statements on a pool of its own (DISCARD ALL) is answered the same: from now on the
                // store is slower there, and as right.
                Err(error) if is_of_others(&error) => {
                    self.sending.unprepared.store(true, Ordering::Relaxed);
                }
                answer => return answer,
            }
        }
        let answer = answer(db, sqlx::raw_sql(AssertSqlSafe(self.literal()))).await;
        answer.map_err(|error| if has_code(&error, ABORTED) { start_over() } else { error })
    }

    fn prepared(&self) -> sqlx::query::Query<'_, Postgres, sqlx::postgres::PgArguments> {
        let query = sqlx::query(self.sql.clone());
        self.values.iter().fold(query, |query, value| match value {
            Value::Int(value) => query.bind(*value),
            Value::Bool(value) => query.bind(*value),
            Value::Bytes(value) => query.bind(value.as_deref()),
            Value::Texts(value) => query.bind(*value),
        })
    }

    /// Each `$n` replaced by the literal of its value, but for one in quotes: in the name of a schema.
    fn literal(&self) -> String {
        let mut text = PREAMBLE.to_owned();
        let mut rest = self.sql.as_str();
        while let Some(at) = rest.find(['$', '"', '\'']) {
            let (before, from) = rest.split_at(at);
            text.push_str(before);
            rest = match from.strip_prefix('$') {
                Some(after) => self.write_value(after, &mut text),
                None => copy_quoted(from, &mut text),
            };
        }
        text.push_str(rest);
        text
    }

    /// The value that the number after a `$` stands for. Answers what comes after the number.
    fn write_value<'s>(&self, after: &'s str, text: &mut String) -> &'s str {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = after.split_at(digits);
        let value = number.parse::<usize>().ok().and_then(|number| self.values.get(number.wrapping_sub(1)));
        match value {
            Some(value) => value.write_to(text),
            // The server says what is wrong with it.
            None => {
                text.push('$');
                text.push_str(number);
            }
        }
        rest
    }
}

/// What begins with a quote, up to the next one of its kind. Answers what comes after it. (A quote that is doubled ends
/// one such piece and begins the next.)
fn copy_quoted<'s>(from: &'s str, text: &mut String) -> &'s str {
    let mut quotes = from.match_indices(|character| from.starts_with(character));
    let end = quotes.nth(1).map_or(from.len(), |(at, quote)| at + quote.len());
    let (quoted, rest) = from.split_at(end);
    text.push_str(quoted);
    rest
}

impl Value<'_> {
    /// Digits, hexadecimal digits and words of ours: nothing in it could end the literal.
    fn write_to(&self, sql: &mut String) {
        let _ = match self {
            Self::Int(None) => write!(sql, "NULL::bigint"),
            Self::Int(Some(number)) => write!(sql, "'{number}'::bigint"),
            Self::Bool(truth) => write!(sql, "{truth}"),
            Self::Bytes(None) => write!(sql, "NULL::bytea"),
            Self::Bytes(Some(bytes)) => write!(sql, "{}", bytes_literal(bytes)),
            Self::Texts(texts) => {
                let texts = texts
                    .iter()
                    .map(|text| format!("convert_from({}, 'UTF8')", bytes_literal(text.as_bytes())));
                write!(sql, "ARRAY[{}]::text[]", texts.collect::<Vec<_>>().join(", "))
            }
        };
    }
}

/// An `E` string, which means the same whatever `standard_conforming_strings` is.
fn bytes_literal(bytes: &[u8]) -> String {
    let mut literal = String::with_capacity(2 * bytes.len() + 14);
    literal.push_str(r"E'\\x");
    for byte in bytes {
        let _ = write!(literal, "{byte:02x}");
    }
    literal.push_str("'::bytea");
    literal
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&[u8]> for Value<'_> {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(Some(value.to_vec()))
    }
}

impl From<Option<&[u8]>> for Value<'_> {
    fn from(value: Option<&[u8]>) -> Self {
        Self::Bytes(value.map(<[u8]>::to_vec))
    }
}

impl<'a> From<&'a [String]> for Value<'a> {
    fn from(value: &'a [String]) -> Self {
        Self::Texts(value)
    }
}

impl Bind for Statement<'_> {
    fn int(self, value: Option<i64>) -> Self {
        self.bind(value)
    }

    fn bytes(self, value: Option<&[u8]>) -> Self {
        self.bind(value)
    }
}

#[derive(Default)]
struct Answer {
    rows: Vec<PgRow>,
    affected: u64,
}

async fn answer<'q>(db: &mut PgConnection, query: impl Execute<'q, Postgres> + 'q) -> Result<Answer, Error> {
    let mut parts = db.fetch_many(query);
    let mut answer = Answer::default();
    // To the end: an error may follow a row.
    while let Some(part) = parts.try_next().await? {
        match part {
            Either::Left(done) => answer.affected += done.rows_affected(),
            Either::Right(row) => answer.rows.push(row),
        }
    }
    Ok(answer)
}

/// The transaction failed before, and takes no statement any more.
const ABORTED: &str = "25P02";

/// The prepared statement is not there (26000), or there is another one of that name (42P05).
fn is_of_others(error: &Error) -> bool {
    has_code(error, "26000") || has_code(error, "42P05")
}

fn has_code(error: &Error, wanted: &str) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == wanted)
}

/// As if the connection were lost: the transaction is, nothing of it happened, and the next one is sent unprepared.
fn start_over() -> Error {
    Error::Protocol("a prepared statement was gone, and the transaction with it".to_owned())
}

#[cfg(test)]
mod tests {
    use sqlx::SqlSafeStr as _;

    use super::*;

    #[test]
    fn literals_are_digits_and_words_whatever_the_values() {
        let sql = "SELECT $1, $2, $3, $10, $4, $5, $6, $7, $8, $9".into_sql_str();
        let texts = ["a'b".to_owned(), "\\".to_owned()];
        let statement = Sending::default();
        let statement = statement
            .statement(&sql)
            .bind(i64::MIN)
            .bind(None::<i64>)
            .bind(true)
            .bind(b"'; DROP TABLE x; --".as_slice())
            .bind(None::<&[u8]>)
            .bind(b"".as_slice())
            .bind(texts.as_slice())
            .bind([].as_slice() as &[String])
            .bind(false)
            .bind(10);
        assert_eq!(
            statement.literal().strip_prefix(PREAMBLE).unwrap(),
            r"SELECT '-9223372036854775808'::bigint, NULL::bigint, true, '10'::bigint, E'\\x273b2044524f50205441424c4520783b202d2d'::bytea, NULL::bytea, E'\\x'::bytea, ARRAY[convert_from(E'\\x612762'::bytea, 'UTF8'), convert_from(E'\\x5c'::bytea, 'UTF8')]::text[], ARRAY[]::text[], false"
        );
    }

    #[test]
    fn placeholders_in_names_and_strings_are_none() {
        for (sql, wanted) in [
            (
                r#"SELECT $1 FROM "a$1"."t" WHERE a = $2"#,
                r#"SELECT '7'::bigint FROM "a$1"."t" WHERE a = true"#,
            ),
            (r#""a""$1""""'$2".t, $2"#, r#""a""$1""""'$2".t, true"#),
            (r#"'"$1''"' || "$1'", $1"#, r#"'"$1''"' || "$1'", '7'::bigint"#),
            ("$3 $0 $ $$1", "$3 $0 $ $'7'::bigint"),
            (r#"$1"$1"#, r#"'7'::bigint"$1"#),
            ("größe$2ß\"ü$1\"", "größetrueß\"ü$1\""),
            ("", ""),
        ] {
            let text = AssertSqlSafe(sql).into_sql_str();
            let sending = Sending::default();
            let statement = sending.statement(&text).bind(7).bind(true);
            assert_eq!(statement.literal().strip_prefix(PREAMBLE), Some(wanted), "{sql}");
        }
    }
}

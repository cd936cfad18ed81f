//! How a statement goes out, to a server connection of our own or to one that a pooler shares out.
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
use sqlx::{AssertSqlSafe, Either, Error, Execute, Executor as _, PgConnection, Postgres};

use crate::statement::{Statement, Value};

/// What must hold of the one transaction that the message is, whatever the server's defaults: what our statements
/// expect of it, and how bytes are written.
const PREAMBLE: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL bytea_output = 'hex'; ";

/// How statements are sent.
#[derive(Debug, Default)]
pub(crate) struct Sending {
    unprepared: AtomicBool,
}

impl Sending {
    pub(super) fn unprepared(yes: bool) -> Self {
        Self { unprepared: AtomicBool::new(yes) }
    }

    pub(super) async fn run(
        &self,
        db: &mut PgConnection,
        statement: &Statement<'_>,
    ) -> Result<Answer, Error> {
        if !self.unprepared.load(Ordering::Relaxed) {
            match answer(db, statement.prepared()).await {
                // It was not executed. Most likely somebody began to share the connection. An application that lets go
                // of all prepared statements on a pool of its own (DISCARD ALL) is answered the same: from now on the
                // store is slower there, and as right.
                Err(error) if is_of_others(&error) => {
                    self.unprepared.store(true, Ordering::Relaxed);
                }
                answer => return answer,
            }
        }
        let answer = answer(db, sqlx::raw_sql(AssertSqlSafe(literal(statement)))).await;
        answer.map_err(|error| if has_code(&error, ABORTED) { start_over() } else { error })
    }
}

#[derive(Default)]
pub(super) struct Answer {
    pub(super) rows: Vec<PgRow>,
    pub(super) affected: u64,
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

/// Each `$n` replaced by the literal of its value, but for one in quotes: in the name of a schema.
fn literal(statement: &Statement<'_>) -> String {
    let mut text = PREAMBLE.to_owned();
    let mut rest = statement.sql.as_str();
    while let Some(at) = rest.find(['$', '"', '\'']) {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        rest = match from.strip_prefix('$') {
            Some(after) => write_value(after, &statement.values, &mut text),
            None => copy_quoted(from, &mut text),
        };
    }
    text.push_str(rest);
    text
}

/// The value that the number after a `$` stands for. Answers what comes after the number.
fn write_value<'s>(after: &'s str, values: &[Value<'_>], text: &mut String) -> &'s str {
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = after.split_at(digits);
    let value = number.parse::<usize>().ok().and_then(|number| values.get(number.wrapping_sub(1)));
    match value {
        Some(value) => write_literal(value, text),
        // The server says what is wrong with it.
        None => {
            text.push('$');
            text.push_str(number);
        }
    }
    rest
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

/// Digits, hexadecimal digits and words of ours: nothing in it could end the literal.
fn write_literal(value: &Value<'_>, sql: &mut String) {
    let _ = match value {
        Value::Int(None) => write!(sql, "NULL::bigint"),
        Value::Int(Some(number)) => write!(sql, "'{number}'::bigint"),
        Value::Bool(truth) => write!(sql, "{truth}"),
        Value::Bytes(None) => write!(sql, "NULL::bytea"),
        Value::Bytes(Some(bytes)) => write!(sql, "{}", bytes_literal(bytes)),
    };
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
        let sql = "SELECT $1, $2, $3, $8, $4, $5, $6, $7".into_sql_str();
        let statement = Statement::new(&sql)
            .bind(i64::MIN)
            .bind(None::<i64>)
            .bind(true)
            .bind(b"'; DROP TABLE x; --".as_slice())
            .bind(None::<Vec<u8>>)
            .bind(b"".as_slice())
            .bind(false)
            .bind(10);
        assert_eq!(
            literal(&statement).strip_prefix(PREAMBLE).unwrap(),
            r"SELECT '-9223372036854775808'::bigint, NULL::bigint, true, '10'::bigint, E'\\x273b2044524f50205441424c4520783b202d2d'::bytea, NULL::bytea, E'\\x'::bytea, false"
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
            let statement = Statement::new(&text).bind(7).bind(true);
            assert_eq!(literal(&statement).strip_prefix(PREAMBLE), Some(wanted), "{sql}");
        }
    }
}

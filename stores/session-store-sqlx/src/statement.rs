//! A statement and its values.

use std::borrow::Cow;

use session_core::{SessionId, Timestamp};
use sqlx::query::Query;
use sqlx::{Database, Encode, SqlStr, Type};

/// A statement, whose values are bound in the order of its placeholders.
pub(crate) struct Statement<'a> {
    pub(crate) sql: &'a SqlStr,
    pub(crate) values: Vec<Value<'a>>,
}

/// One for each type that our statements take.
pub(crate) enum Value<'a> {
    Int(Option<i64>),
    Bool(bool),
    Bytes(Option<Cow<'a, [u8]>>),
}

impl<'a> Statement<'a> {
    pub(crate) fn new(sql: &'a SqlStr) -> Self {
        Self { sql, values: Vec::new() }
    }

    pub(crate) fn bind(mut self, value: impl Into<Value<'a>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// As sqlx prepares it, once for each connection.
    pub(crate) fn prepared<DB: Database>(&self) -> Query<'static, DB, DB::Arguments>
    where
        for<'t> Option<i64>: Encode<'t, DB> + Type<DB>,
        for<'t> bool: Encode<'t, DB> + Type<DB>,
        for<'t> Option<&'t [u8]>: Encode<'t, DB> + Type<DB>,
    {
        prepared(self.sql.clone(), self.values.iter())
    }
}

/// [`Statement::prepared`], of a text and the values for it.
pub(crate) fn prepared<'a, DB: Database>(
    sql: SqlStr,
    values: impl Iterator<Item = &'a Value<'a>>,
) -> Query<'static, DB, DB::Arguments>
where
    for<'t> Option<i64>: Encode<'t, DB> + Type<DB>,
    for<'t> bool: Encode<'t, DB> + Type<DB>,
    for<'t> Option<&'t [u8]>: Encode<'t, DB> + Type<DB>,
{
    values.fold(sqlx::query(sql), |query, value| match value {
        Value::Int(value) => query.bind(*value),
        Value::Bool(value) => query.bind(*value),
        Value::Bytes(value) => query.bind(value.as_deref()),
    })
}

impl Value<'_> {
    /// For a statement that outlives the call.
    #[cfg(feature = "sqlite")]
    pub(crate) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Int(value) => Value::Int(value),
            Self::Bool(value) => Value::Bool(value),
            Self::Bytes(value) => Value::Bytes(value.map(|bytes| Cow::Owned(bytes.into_owned()))),
        }
    }
}

macro_rules! values {
    ($($from:ty: $value:ident => $make:expr;)*) => {$(
        impl<'a> From<$from> for Value<'a> {
            fn from($value: $from) -> Self {
                $make
            }
        }
    )*};
}

// Texts are kept as bytes.
values! {
    i64: number => Self::Int(Some(number));
    Option<i64>: number => Self::Int(number);
    Timestamp: at => Self::Int(Some(at.unix_seconds()));
    Option<Timestamp>: at => Self::Int(at.map(Timestamp::unix_seconds));
    bool: truth => Self::Bool(truth);
    &'a [u8]: bytes => Self::Bytes(Some(Cow::Borrowed(bytes)));
    Option<Vec<u8>>: bytes => Self::Bytes(bytes.map(Cow::Owned));
    &'a str: text => Some(text).into();
    Option<&'a str>: text => Self::Bytes(text.map(|text| Cow::Borrowed(text.as_bytes())));
    SessionId: id => Some(id).into();
    Option<SessionId>: id => id.map(|id| id.as_bytes().to_vec()).into();
}

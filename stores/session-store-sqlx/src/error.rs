//! What a driver's error means for who called.

use session_core::store::StoreError;
use sqlx::error::DatabaseError;

/// Why the database did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is gone. Another one may work.
    Dead,
    /// The transaction lost against another one and was rolled back: repeating it is safe.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "mysql")),
        allow(dead_code, reason = "a file has one writer at a time")
    )]
    Conflict,
    /// The statement needs a transaction in read committed, and did nothing in the one that it got.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "PostgreSQL's functions say so"))]
    Isolation,
    /// The server takes no writes: a replica, or one that was demoted. It did nothing.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "mysql")),
        allow(dead_code, reason = "a file is no server")
    )]
    ReadOnly,
    /// Overloaded, starting, stopping, locked: later it may work.
    Busy,
    /// There is no such database.
    NoDatabase,
    /// The login was refused.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "mysql")),
        allow(dead_code, reason = "a file has none")
    )]
    Login,
    /// The user may not do that.
    Forbidden,
    /// The table, one of its columns or a function is missing.
    Schema,
    /// No space left, or the disk fails.
    Disk,
    /// A value in the table is nothing that a store wrote.
    Garbage,
    /// The settings are wrong: a URL, a certificate.
    Settings,
    /// The store was closed, or the pool that it was given.
    Closed,
    /// Anything else.
    Other,
}

impl Fault {
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        use sqlx::Error as E;
        match error {
            E::Database(error) => Self::of_database(error.as_ref()),
            E::Io(_) | E::Protocol(_) | E::WorkerCrashed | E::BeginFailed => Self::Dead,
            E::PoolTimedOut => Self::Busy,
            E::Configuration(_) | E::Tls(_) => Self::Settings,
            E::PoolClosed => Self::Closed,
            E::RowNotFound | E::ColumnNotFound(_) | E::ColumnDecode { .. } | E::Decode(_) => Self::Garbage,
            E::ColumnIndexOutOfBounds { .. } | E::TypeNotFound { .. } => Self::Schema,
            _ => Self::Other,
        }
    }

    #[allow(unused_variables, reason = "each driver is a feature")]
    fn of_database(error: &dyn DatabaseError) -> Self {
        #[cfg(feature = "postgres")]
        if let Some(error) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
            return Self::of_sqlstate(error.code());
        }
        #[cfg(feature = "mysql")]
        if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
            return Self::of_mysql(error.number());
        }
        #[cfg(feature = "sqlite")]
        if let Some(error) = error.try_downcast_ref::<sqlx::sqlite::SqliteError>() {
            return Self::of_sqlite(error.code().and_then(|code| code.parse().ok()), error.message());
        }
        Self::Other
    }

    /// PostgreSQL, appendix "Error Codes".
    #[cfg(feature = "postgres")]
    fn of_sqlstate(code: &str) -> Self {
        match code {
            // Terminated by an administrator, a crash, or after being idle, or in a transaction, for too long.
            "57P01" | "57P02" | "57P05" | "25P03" | "25P04" => Self::Dead,
            "40001" | "40P01" => Self::Conflict,
            // What the functions of schema.sql raise.
            "25004" => Self::Isolation,
            "25006" => Self::ReadOnly,
            // Starting or stopping, cancelled, a lock.
            "57P03" | "57014" | "55P03" => Self::Busy,
            "3D000" => Self::NoDatabase,
            "42501" => Self::Forbidden,
            "42P01" | "42703" | "42883" | "3F000" => Self::Schema,
            "53100" | "58030" => Self::Disk,
            _ if code.starts_with("08") => Self::Dead,
            _ if code.starts_with("28") => Self::Login,
            _ if code.starts_with("53") => Self::Busy,
            _ => Self::Other,
        }
    }

    /// The "Server Error Message Reference" of MySQL and MariaDB's list of error codes.
    #[cfg(feature = "mysql")]
    fn of_mysql(number: u16) -> Self {
        match number {
            // Killed, shut down, or idle for too long.
            1053 | 1079 | 1152 | 1153 | 1158..=1161 | 1927 | 3169 | 4031 => Self::Dead,
            1020 | 1213 => Self::Conflict,
            // --read-only and its like, a transaction that only reads, innodb_read_only.
            1290 | 1792 | 1836 | 1874 => Self::ReadOnly,
            // Too many connections or resources, a lock, a node of a cluster that is not ready.
            1040 | 1041 | 1047 | 1203 | 1205 | 1226 | 1317 | 1969 | 3024 => Self::Busy,
            1049 => Self::NoDatabase,
            1045 | 1251 | 1698 | 1820 | 1862 => Self::Login,
            1044 | 1142 | 1143 | 1227 | 1370 => Self::Forbidden,
            1054 | 1146 | 1305 => Self::Schema,
            1021 | 1026 | 1030 | 1114 => Self::Disk,
            _ => Self::Other,
        }
    }

    /// SQLite, "Result and Error Codes".
    #[cfg(feature = "sqlite")]
    fn of_sqlite(code: Option<i32>, message: &str) -> Self {
        match code.map(|code| code & 0xff) {
            // SQLITE_BUSY, SQLITE_LOCKED.
            Some(5 | 6) => Self::Busy,
            // SQLITE_PERM, SQLITE_READONLY, SQLITE_AUTH.
            Some(3 | 8 | 23) => Self::Forbidden,
            // SQLITE_CANTOPEN, SQLITE_NOTADB.
            Some(14 | 26) => Self::NoDatabase,
            // SQLITE_IOERR, SQLITE_CORRUPT, SQLITE_FULL.
            Some(10 | 11 | 13) => Self::Disk,
            // SQLITE_ERROR and SQLITE_SCHEMA.
            Some(1 | 17) if message.starts_with("no such") || message.contains("has no column") => {
                Self::Schema
            }
            _ => Self::Other,
        }
    }

    /// Whether the server refused a statement, and listens for the next one.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) fn leaves_the_connection(error: &sqlx::Error) -> bool {
        matches!(error, sqlx::Error::Database(_)) && Self::of(error) != Self::Dead
    }

    /// Whether the same call can succeed later without a change.
    fn is_retryable(self) -> bool {
        matches!(self, Self::Dead | Self::Conflict | Self::Isolation | Self::ReadOnly | Self::Busy)
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Dead => "the connection to the database was lost; the next call opens another one",
            Self::Conflict => "the database kept rolling back against other transactions; try again",
            Self::Isolation => {
                "the database ran a statement in an isolation level in which limits do not hold; try again"
            }
            Self::ReadOnly => {
                "the database takes no writes: it is a replica, or was demoted; let the address lead to the primary"
            }
            Self::Busy => "the database is overloaded, starting, stopping or locked; try again",
            Self::NoDatabase => {
                "the database does not exist or cannot be opened; make it, or correct the URL"
            }
            Self::Login => "the database refused the login; correct user and password",
            Self::Forbidden => {
                "the database user may not do that; grant it the right, or run the store's schema_sql as another user \
                 and switch migrations off"
            }
            Self::Schema => {
                "the session table is missing or is not one of this crate; switch migrations on, run the store's \
                 schema_sql, or choose another table name"
            }
            Self::Disk => "the database cannot write or read its files; look at the disk and its space",
            Self::Garbage => "the session table holds something that no store wrote; delete that row",
            Self::Settings => "the database cannot be reached with these settings; correct them",
            Self::Closed => {
                "the session store, or the pool it was given, was closed; close it after the last call"
            }
            Self::Other => "the database refused a statement of the session store",
        }
    }
}

/// A value in the table is nothing that a store wrote.
pub(crate) fn garbage(what: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(what.into())
}

/// The error as callers see it. The driver's own words stay in the source: they can quote values.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    let fault = Fault::of(&error);
    let make = if fault.is_retryable() { StoreError::unavailable } else { StoreError::permanent };
    make(fault.advice()).with_source(error)
}

/// An error while a store is made: what cannot be reached now may be reached later.
pub(crate) fn connect_error(error: sqlx::Error) -> StoreError {
    let advice = match error {
        sqlx::Error::Io(_) => {
            "the database cannot be reached; start it, or correct host, port or socket in the URL"
        }
        sqlx::Error::PoolTimedOut => {
            "the database cannot be reached: it did not answer in time; start it, or correct host and port in the URL"
        }
        sqlx::Error::Configuration(_) => {
            return StoreError::permanent("the URL cannot be read; correct it").with_source(error);
        }
        // "Protocol violation": at this moment a pooler that does not like what it was sent.
        sqlx::Error::Database(ref refusal) if refusal.code().is_some_and(|code| code == "08P01") => {
            return StoreError::permanent(
                "the database's address refused the connection: a pooler, most likely, and the source has its words; if \
                 it is a startup parameter, leave that out (`options` in the URL; in a pool of your own \
                 `extra_float_digits`, by PgConnectOptions::extra_float_digits(None)) or have the pooler ignore it \
                 (ignore_startup_parameters of PgBouncer)",
            )
            .with_source(error);
        }
        _ => return store_error(error),
    };
    StoreError::unavailable(advice).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PostgreSQL 15, appendix A.
    #[cfg(feature = "postgres")]
    #[test]
    fn each_sqlstate_is_the_fault_that_it_means() {
        for (codes, fault) in [
            (&["57P01", "57P02", "57P05", "25P03", "25P04", "08006", "08P01"][..], Fault::Dead),
            (&["40001", "40P01"], Fault::Conflict),
            (&["25004"], Fault::Isolation),
            (&["25006"], Fault::ReadOnly),
            (&["57P03", "57014", "55P03", "53200", "53300"], Fault::Busy),
            (&["3D000"], Fault::NoDatabase),
            (&["28000", "28P01"], Fault::Login),
            (&["42501"], Fault::Forbidden),
            (&["42P01", "42703", "42883", "3F000"], Fault::Schema),
            (&["53100", "58030"], Fault::Disk),
            (&["22012", "23505", "42601"], Fault::Other),
        ] {
            codes.iter().for_each(|code| assert_eq!(Fault::of_sqlstate(code), fault, "{code}"));
        }
    }

    /// MySQL's and MariaDB's numbers.
    #[cfg(feature = "mysql")]
    #[test]
    fn each_error_number_of_mysql_is_the_fault_that_it_means() {
        for (numbers, fault) in [
            (&[1053, 1079, 1152, 1153, 1158, 1161, 1927, 3169, 4031][..], Fault::Dead),
            (&[1020, 1213], Fault::Conflict),
            (&[1290, 1792, 1836, 1874], Fault::ReadOnly),
            (&[1040, 1041, 1047, 1203, 1205, 1226, 1317, 1969, 3024], Fault::Busy),
            (&[1049], Fault::NoDatabase),
            (&[1045, 1251, 1698, 1820, 1862], Fault::Login),
            (&[1044, 1142, 1143, 1227, 1370], Fault::Forbidden),
            (&[1054, 1146, 1305], Fault::Schema),
            (&[1021, 1026, 1030, 1114], Fault::Disk),
            (&[1062, 1064, 1157, 1162], Fault::Other),
        ] {
            numbers.iter().for_each(|number| assert_eq!(Fault::of_mysql(*number), fault, "{number}"));
        }
    }

    #[test]
    fn what_can_succeed_later_without_a_change_says_so() {
        let retryable = [Fault::Dead, Fault::Conflict, Fault::Isolation, Fault::ReadOnly, Fault::Busy];
        let permanent = [
            Fault::NoDatabase,
            Fault::Login,
            Fault::Forbidden,
            Fault::Schema,
            Fault::Disk,
            Fault::Garbage,
            Fault::Settings,
            Fault::Closed,
            Fault::Other,
        ];
        assert!(retryable.into_iter().all(Fault::is_retryable));
        assert!(!permanent.into_iter().any(Fault::is_retryable));
    }
}

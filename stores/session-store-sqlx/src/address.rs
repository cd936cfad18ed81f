//! Addresses: whether a URL is of the database that the store serves, and how errors name it.

use session_core::store::StoreError;

/// What a URL can lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    MySql,
    Sqlite,
    Redis,
}

impl Kind {
    fn of(scheme: &str) -> Option<Self> {
        Some(match scheme.to_ascii_lowercase().as_str() {
            "postgres" | "postgresql" => Self::Postgres,
            "mysql" | "mariadb" => Self::MySql,
            "sqlite" | "file" => Self::Sqlite,
            "redis" | "rediss" | "redis-cluster" | "redis+unix" | "unix" | "valkey" | "valkeys" => {
                Self::Redis
            }
            _ => return None,
        })
    }

    /// The store that serves it, and what its URLs look like.
    fn store(self) -> &'static str {
        match self {
            Self::Postgres => "PostgresStore (postgres://user:password@host:5432/database)",
            Self::MySql => "MySqlStore (mysql://user:password@host:3306/database)",
            Self::Sqlite => "SqliteStore (sqlite:sessions.sqlite)",
            Self::Redis => "RedisStore of session-store-redis (redis://host:6379)",
        }
    }

    #[cfg(any(feature = "postgres", feature = "mysql"))]
    fn scheme(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
            Self::Sqlite => "sqlite",
            Self::Redis => "redis",
        }
    }
}

/// Refuses a URL of another database, which a driver would take for one of its own. Quotes at most its scheme: there
/// may be a password in it.
pub(crate) fn check(url: &str, wanted: Kind) -> Result<(), StoreError> {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme);
    let found = scheme.and_then(Kind::of);
    let wanted_store = wanted.store();
    match found {
        Some(found) if found == wanted => Ok(()),
        Some(found) => Err(StoreError::permanent(format!(
            "a URL of {}:// is for {}; this is {wanted_store}",
            scheme.unwrap_or_default(),
            found.store(),
        ))),
        // A path will do.
        None if wanted == Kind::Sqlite && !url.contains("://") => Ok(()),
        None => Err(StoreError::permanent(format!("this is no URL of a database for {wanted_store}"))),
    }
}

/// An address as errors name it: without password and parameters.
///
/// What comes before the first slash of a URL is the host, so a password with a slash that was not escaped
/// (`app:7/secret@host/database`) leads to a host `app` and a database `secret@host/database`. Only a plain name is
/// quoted, therefore.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) fn place(kind: Kind, user: &str, host: &str, port: u16, database: Option<&str>) -> String {
    let scheme = kind.scheme();
    let database = database.filter(|name| name.chars().all(is_plain)).unwrap_or_default();
    // A folder has no port, but the name of a socket in it can have one.
    if host.starts_with('/') {
        return format!("{scheme}://{user}@localhost/{database} at {host}");
    }
    format!("{scheme}://{user}@{host}:{port}/{database}")
}

/// What names of databases are made of, and nothing that ends a password in a URL.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn is_plain(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_another_database_names_its_store_and_no_password() {
        for (url, kind) in [
            ("postgres://me:secret@host/db", Kind::Postgres),
            ("postgresql://me:secret@host/db", Kind::Postgres),
            ("mysql://me:secret@host/db", Kind::MySql),
            ("MariaDB://me:secret@host/db", Kind::MySql),
            ("sqlite:secret.sqlite", Kind::Sqlite),
            ("redis://:secret@host", Kind::Redis),
            ("rediss://:secret@host", Kind::Redis),
        ] {
            for wanted in [Kind::Postgres, Kind::MySql, Kind::Sqlite] {
                match check(url, wanted) {
                    Ok(()) => assert_eq!(kind, wanted, "{url}"),
                    Err(error) => {
                        let error = error.to_string();
                        assert_ne!(kind, wanted, "{url}");
                        assert!(error.contains(kind.store()) && error.contains(wanted.store()), "{error}");
                        assert!(!error.contains("secret"), "{error}");
                    }
                }
            }
        }
    }

    #[cfg(any(feature = "postgres", feature = "mysql"))]
    #[test]
    fn a_place_has_a_plain_name_of_a_database_or_none() {
        let place = |host, database| place(Kind::Postgres, "me", host, 5432, database);
        for name in ["sessions", "my-app_2.0", "größe", "a$b"] {
            assert_eq!(place("db", Some(name)), format!("postgres://me@db:5432/{name}"));
            assert_eq!(place("/run", Some(name)), format!("postgres://me@localhost/{name} at /run"));
        }
        for name in ["secret@db/x", "secret@db", "se/cret", "a:secret", "a secret"] {
            assert_eq!(place("db", Some(name)), "postgres://me@db:5432/");
            assert_eq!(place("/run", Some(name)), "postgres://me@localhost/ at /run");
        }
        assert_eq!(place("db", None), "postgres://me@db:5432/");
    }

    #[test]
    fn what_is_no_url_is_refused_but_for_a_path() {
        for url in ["", "no url", "host:5432/secret", "http://me:secret@host", "/tmp/secret"] {
            for wanted in [Kind::Postgres, Kind::MySql] {
                let error = check(url, wanted).unwrap_err().to_string();
                assert!(error.contains(wanted.store()) && !error.contains("secret"), "{error}");
            }
        }
        for path in ["sessions.sqlite", "/var/lib/sessions.sqlite", r"C:\sessions.sqlite", "sqlite::memory:"]
        {
            assert!(check(path, Kind::Sqlite).is_ok(), "{path}");
        }
        assert!(check("http://host/sessions.sqlite", Kind::Sqlite).is_err());
    }
}

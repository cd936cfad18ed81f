//! What the three stores can be told.

use std::fmt;

use session_core::store::StoreError;

/// Room for the suffixes of index and function names below PostgreSQL's 63 bytes.
const LONGEST_TABLE_NAME: usize = 40;

/// Settings of a store. [`StoreOptions::default`] is right for most.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    table: String,
    migrate: bool,
    max_connections: u32,
    announces: bool,
    transaction_pooler: bool,
    listens_at: Option<Url>,
}

/// May have a password in it.
#[derive(Clone)]
struct Url(
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "only PostgreSQL can be listened to"))]
    String,
);

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            table: "login_sessions".to_owned(),
            migrate: true,
            max_connections: 10,
            announces: true,
            transaction_pooler: false,
            listens_at: None,
        }
    }
}

impl StoreOptions {
    /// Name of the table, and the beginning of the names of what belongs to it. Default `login_sessions`.
    ///
    /// 1 to 40 of `a` to `z`, `0` to `9` and `_`, no digit first; anything else is an error when the store is made.
    /// It lives where the connection's defaults point: the database of the URL, on PostgreSQL the first schema of its
    /// `search_path`. Two applications on one database need two names, two managers of one application do not: their
    /// realms keep them apart.
    #[must_use]
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.table = name.into();
        self
    }

    /// Whether the store makes and updates its tables when it is made. Default `true`.
    ///
    /// Any number of processes may do so at once. With `false` they must be there already (each store prints its
    /// `schema_sql`), and the database user needs no right but to read and write them (and on PostgreSQL to execute
    /// its functions).
    #[must_use]
    pub fn migrate(mut self, migrate: bool) -> Self {
        self.migrate = migrate;
        self
    }

    /// How many connections a store made from a URL may have open, at least 1. Default 10.
    ///
    /// They are opened when needed and closed after ten idle minutes. An in-memory SQLite database has one only. No
    /// effect on a pool of your own.
    #[must_use]
    pub fn max_connections(mut self, most: u32) -> Self {
        self.max_connections = most;
        self
    }

    /// Whether the end of a session is told to the other processes, and heard from them. Default `true`; PostgreSQL only,
    /// the other databases cannot push.
    ///
    /// It serves managers that keep records for a while (hybrid mode): they learn of a logout elsewhere at once, not
    /// when their bound is over. It costs one statement in the background (`NOTIFY`, which writes nothing) for all
    /// sessions that ended while the last one was under way, and a connection for each realm that is listened to: one
    /// beyond [`Self::max_connections`], or one of your pool's. Switch it off when nobody keeps records.
    #[must_use]
    pub fn announce(mut self, announce: bool) -> Self {
        self.announces = announce;
        self
    }

    /// Says that the address is a pooler that shares server connections between transactions, such as PgBouncer with
    /// `pool_mode = transaction` or `statement`. Default `false`: the store finds out when it is made. PostgreSQL only.
    ///
    /// Saying so saves the two connections and dozen round trips of finding out, and is certain where that is not quite:
    /// behind a balancer in front of several poolers, or one that is to become such a pooler while the store is in use.
    ///
    /// Statements carry their values in their text there, payloads included, and who logs statements logs those: the
    /// server (`log_min_duration_statement`, the `STATEMENT` line of an error), the pooler, and sqlx for a pool of yours,
    /// unless its options say `disable_statement_logging`.
    #[must_use]
    pub fn transaction_pooler(mut self, is_one: bool) -> Self {
        self.transaction_pooler = is_one;
        self
    }

    /// Where to listen to what ends in other processes, if the store's own address is a pooler in transaction mode,
    /// through which nobody can listen. Default: the store's own address or pool. PostgreSQL only.
    ///
    /// A URL of PostgreSQL itself, or of a pooler in session mode, that leads to the same database. Each realm that is
    /// listened to takes a connection there, for as long as it is.
    #[must_use]
    pub fn listen_url(mut self, url: impl Into<String>) -> Self {
        self.listens_at = Some(Url(url.into()));
        self
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn is_transaction_pooler(&self) -> bool {
        self.transaction_pooler
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn listens_at(&self) -> Option<&str> {
        self.listens_at.as_ref().map(|url| url.0.as_str())
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn announces(&self) -> bool {
        self.announces
    }

    pub(crate) fn migrates(&self) -> bool {
        self.migrate
    }

    pub(crate) fn most_connections(&self) -> Result<usize, StoreError> {
        match usize::try_from(self.max_connections) {
            Ok(most @ 1..=10_000) => Ok(most),
            _ => Err(StoreError::permanent("max_connections must be 1 to 10000")),
        }
    }

    /// The name, once it is known to need no quoting anywhere.
    pub(crate) fn checked_table(&self) -> Result<&str, StoreError> {
        let name = self.table.as_str();
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let sound = (1..=LONGEST_TABLE_NAME).contains(&name.len())
            && name.bytes().all(plain)
            && !name.starts_with(|first: char| first.is_ascii_digit());
        if sound {
            return Ok(name);
        }
        Err(StoreError::permanent(format!(
            "{name:?} cannot name the session table: use 1 to {LONGEST_TABLE_NAME} of a to z, 0 to 9 and _, with no \
             digit first"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_names_need_no_quoting() {
        for name in ["login_sessions", "_s", "s2", &"s".repeat(40)] {
            assert!(StoreOptions::default().table(name).checked_table().is_ok(), "{name}");
        }
        for name in ["", "2s", "Sessions", "a.b", "a b", "a\"b", "a;b", "sessión", "a`", &"s".repeat(41)] {
            let error = StoreOptions::default().table(name).checked_table().unwrap_err();
            assert!(!error.is_retryable(), "{name}");
        }
    }
}

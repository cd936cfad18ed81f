//! The usual login in one round trip: a text of all its statements, values included. Where few accounts reach the limit, it
//! ends nobody, and a second text does if the account turns out to be full.
//!
//! A procedure would need a right that the store's user may not have, and a schema that tools can run which know nothing
//! of delimiters. A text has neither problem, and no `IF` either: whatever is not as usual (the id is taken, the account
//! full, the predecessor gone, several sessions to evict) makes the `INSERT` fail, because its realm is then absent. The
//! rest of the text is not run, nothing has happened, and the login is made step by step, which finds out what it was.

use std::fmt::Write as _;

use session_core::store::{Account, Create, Fence, Replaces, SessionLimit, SessionRecord};
use session_core::{SessionId, Timestamp};
use sqlx::{Error, MySql};

use super::delete_by_key::Hex;
use crate::dialect::Dialect as _;
use crate::engine::Engine as _;
use crate::key;
use crate::record::{self, COLUMNS};
use crate::statement::{Statement, Value};

/// A limit that few accounts reach: a login that would is not a usual one.
pub(super) const LARGE: u32 = 5;
/// In a text, bytes take twice the room, and a server takes 16 MB at once.
const LONGEST: usize = 1 << 16;

/// A login.
pub(super) struct Usual<'a> {
    pub(super) table: &'a str,
    pub(super) realm: &'a str,
    pub(super) record: &'a SessionRecord,
    pub(super) options: Create,
    pub(super) now: Timestamp,
    /// The connection is as `SET_UP` says, and in no transaction.
    pub(super) is_set_up: bool,
    /// It ends whom there is no room for. Otherwise a login of a full account is not a usual one.
    pub(super) evicts: bool,
    /// The rows of the table of locks: see the schema.
    pub(super) account_slot: Option<i64>,
    pub(super) realm_slot: i64,
}

impl Usual<'_> {
    /// The statements, of which one answers the id of the evicted session or nothing. `None`: the login is not a usual
    /// one, as can be seen already.
    ///
    /// What a statement costs is its beginning, so there are few, in three steps: the locks; what is to be found behind
    /// them, which only a later statement sees; the changes.
    pub(super) fn text(&self) -> Option<String> {
        let replaces = self.options.replaces.map(Replaces::id);
        let refuses_all = self.options.limit == Some(SessionLimit::Refuse(0));
        if self.record.payload.len() > LONGEST || replaces == Some(self.record.id) || refuses_all {
            return None;
        }
        let begin = if self.is_set_up { "START TRANSACTION" } else { MySql::BEGIN };
        let mut text = format!("{begin}; ");
        self.take_turns(&mut text);
        self.check_predecessor(&mut text);
        self.look(&mut text);
        self.insert(&mut text);
        self.delete(&mut text);
        text.push_str(MySql::COMMIT);
        Some(text)
    }

    /// First the account's, as everybody does. Here and below a limit takes the place of `sql_select_limit`.
    fn take_turns(&self, to: &mut String) {
        let (table, realm_slot) = (self.table, self.realm_slot);
        to.push_str("SELECT ");
        // Writing to a string cannot fail, here and below.
        if let Some(slot) = self.account_slot {
            let _ = write!(to, "(SELECT count(*) FROM `{table}_locks` WHERE slot = {slot} FOR UPDATE) AND ");
        }
        let _ = write!(
            to,
            "(SELECT count(*) FROM `{table}_locks` WHERE slot = {realm_slot} LOCK IN SHARE MODE), NULL, NULL \
             INTO @session_store_go, @session_store_lookup, @session_store_id FROM DUAL LIMIT 1; "
        );
    }

    /// Whether the fence holds and there is room, or who has to leave it.
    fn look(&self, to: &mut String) {
        let fence = self.fence().map(|fence| format!(" AND {fence}")).unwrap_or_default();
        let go = format!("SELECT @session_store_go{fence}");
        let subject = self.subject().filter(|_| !self.record.uncounted);
        let (Some(subject), Some(limit)) = (subject, self.options.limit) else {
            if !fence.is_empty() {
                let _ = write!(to, "{go} INTO @session_store_go FROM DUAL LIMIT 1; ");
            }
            return;
        };
        let (table, others) = (self.table, self.others(subject));
        let _ = match limit {
            SessionLimit::EvictLeastRecentlySeen(most) if self.evicts => write!(
                to,
                "{go} AND count(*) < 2, max(lookup), max(id) \
                 INTO @session_store_go, @session_store_lookup, @session_store_id \
                 FROM (SELECT lookup, id FROM `{table}` WHERE {others} \
                 ORDER BY last_seen DESC, substr(details, 2, 5) DESC, id DESC LIMIT 2 OFFSET {}) AS excess LIMIT 1; ",
                most.saturating_sub(1)
            ),
            SessionLimit::Refuse(most) | SessionLimit::EvictLeastRecentlySeen(most) => write!(
                to,
                "{go} AND count(*) < {most} INTO @session_store_go FROM `{table}` WHERE {others} LIMIT 1; "
            ),
        };
    }

    fn fence(&self) -> Option<String> {
        let fence = self.options.fence?;
        let (table, realm, subject) = (self.table, Hex(self.realm.as_bytes()), self.subject());
        let subject = Hex(subject.unwrap_or_default().as_bytes());
        let of_realm = Hex(&fence.realm().as_bytes()[..]).to_string();
        let of_account = self.mark_of_account(fence);
        Some(format!(
            "(SELECT count(CASE WHEN subject = '' AND mark = {of_realm} THEN 1 END) = 1 AND {of_account} \
             FROM `{table}_marks` WHERE realm = {realm} AND subject IN ('', {subject}))"
        ))
    }

    /// Whether the account's mark is that of the fence.
    fn mark_of_account(&self, fence: Fence) -> String {
        let mark = fence.account().map(|mark| format!("AND mark = {}", Hex(&mark.as_bytes()[..])));
        let wanted = u8::from(mark.is_some());
        format!("count(CASE WHEN subject <> '' {} THEN 1 END) = {wanted}", mark.unwrap_or_default())
    }

    fn check_predecessor(&self, to: &mut String) {
        let Some(Replaces::MustExist { id, version }) = self.options.replaces else { return };
        let (table, by_id, now) = (self.table, self.by_id(id), self.now.unix_seconds());
        let version = version.cast_signed();
        let _ = write!(
            to,
            "SELECT @session_store_go AND count(*) INTO @session_store_go FROM `{table}` \
             WHERE {by_id} AND version = {version} AND ends_at > {now} FOR UPDATE; "
        );
    }

    /// The sessions of the account that count beside the new one.
    fn others(&self, subject: &str) -> String {
        let account = Account { realm: self.realm, subject };
        let by_account = key::account(account.realm, account.subject);
        let (realm, subject) = (key::realm(self.realm), Hex(subject.as_bytes()));
        let (now, counted) = (self.now.unix_seconds(), MySql::COUNTED);
        let left =
            self.options.replaces.map(|replaces| format!(" AND id <> {}", Hex(replaces.id().as_bytes())));
        format!(
            "account = {by_account} AND realm = {realm} AND subject = {subject} AND ends_at > {now} AND {counted}{}",
            left.unwrap_or_default()
        )
    }

    /// A realm that is absent is an error: nobody's `sql_mode` makes another value of it in an `INSERT` of one row.
    fn insert(&self, to: &mut String) {
        let (table, hashes, realm) = (self.table, MySql::HASHES, key::realm(self.realm));
        let _ = write!(
            to,
            "INSERT INTO `{table}` (realm, {hashes}{COLUMNS}) VALUES (IF(@session_store_go, {realm}, NULL)"
        );
        let sql = sqlx::SqlStr::from_static("");
        let values = MySql::bind_hashes(Statement::new(&sql), self.realm, self.record);
        for value in &record::bind(values, self.record).values {
            let _ = match value {
                Value::Int(Some(number)) => write!(to, ", {number}"),
                Value::Bytes(Some(bytes)) => write!(to, ", {}", Hex(bytes)),
                Value::Bool(truth) => write!(to, ", {truth}"),
                Value::Int(None) | Value::Bytes(None) => write!(to, ", NULL"),
            };
        }
        to.push_str("); ");
    }

    /// Ends the predecessor, and whom there is no room for. Who ended by themselves meanwhile was not evicted.
    fn delete(&self, to: &mut String) {
        let table = self.table;
        if let Some(id) = self.options.replaces.map(Replaces::id) {
            let _ = write!(to, "DELETE FROM `{table}` WHERE {} LIMIT 1; ", self.by_id(id));
        }
        if self.evicts && matches!(self.options.limit, Some(SessionLimit::EvictLeastRecentlySeen(_))) {
            let _ = write!(
                to,
                "DELETE FROM `{table}` WHERE lookup = @session_store_lookup AND id = @session_store_id LIMIT 1; \
                 SELECT IF(ROW_COUNT() = 1, @session_store_id, NULL); "
            );
        }
    }

    fn by_id(&self, id: SessionId) -> String {
        let (lookup, realm) = (key::hash(self.realm, id.as_bytes()), key::realm(self.realm));
        format!("lookup = {lookup} AND realm = {realm} AND id = {}", Hex(id.as_bytes()))
    }

    fn subject(&self) -> Option<&str> {
        self.record.subject.as_deref()
    }
}

/// Whether it is what a login that is not a usual one ends with: the realm was absent, or the id taken.
pub(super) fn is_unusual(error: &Error) -> bool {
    let Error::Database(error) = error else { return false };
    let number = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>().map(|error| error.number());
    matches!(number, Some(1048 | 1062))
}

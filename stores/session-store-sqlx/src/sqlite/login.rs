//! A login as at most two statements, which can be sent at once: they find out themselves whether there is to be a
//! session. One that is refused has changed nothing, and is made once more, step by step, to learn why.

use session_core::SessionId;
use session_core::store::{Created, Mark, Replaces, SessionLimit, StoreError};
use sqlx::{SqlStr, Sqlite};

use super::writer::Stepped;
use crate::dialect::Dialect as _;
use crate::error::store_error;
use crate::fence::REALM;
use crate::key;
use crate::login::{Login, excess};
use crate::record;
use crate::schema::Tables;
use crate::statement::{Statement, Value};

/// What a login may ask for, in the order of the bits of a place in [`Statements::insert`].
const CONDITIONS: [&str; 3] = [
    // Nothing has overtaken it.
    r#"(SELECT mark FROM "{table}_marks" WHERE realm = ? AND subject = ?) = ?
       AND (SELECT mark FROM "{table}_marks" WHERE realm = ? AND subject = ?) IS ?"#,
    // Its predecessor is as it was read.
    r#"EXISTS (SELECT 1 FROM "{table}" WHERE {by_id} AND version = ? AND ends_at > ?)"#,
    // There is room for it.
    "? > 0 AND NOT EXISTS ({excess})",
];

/// Follows an insert. `changes()` is how many rows that made.
const END: &str = r#"DELETE FROM "{table}" WHERE changes() = 1 AND {by_id}"#;
/// The same, with those for whom there is no room. A predecessor that is none is `NULL`.
const EVICT: &str = r#"DELETE FROM "{table}" WHERE changes() = 1
                       AND rowid IN (SELECT rowid FROM "{table}" WHERE {by_id} UNION ALL SELECT * FROM ({excess}))
                       RETURNING id"#;

/// A limit that few accounts reach.
const LARGE: u32 = 5;

pub(super) struct Statements {
    /// With each choice of [`CONDITIONS`].
    insert: Vec<SqlStr>,
    end: SqlStr,
    evict: SqlStr,
}

impl Statements {
    pub(super) fn new(tables: &Tables) -> Self {
        // Neither the new one nor its predecessor.
        let excess = &excess("rowid", "NOT IN (?, ?)");
        let sql = |template: &str| tables.sql::<Sqlite>(&template.replace("{excess}", excess));
        let insert = (0..1 << CONDITIONS.len()).map(|chosen| sql(&insert_if(chosen))).collect();
        Self { insert, end: sql(END), evict: sql(EVICT) }
    }

    /// A login that ends nobody: the usual one, and only where that is likely. It needs no transaction.
    pub(super) fn beside_others<'a>(&'a self, login: &'a Login<'a, Sqlite>) -> Option<Vec<Statement<'a>>> {
        let (subject, SessionLimit::EvictLeastRecentlySeen(most)) = login.limit()? else { return None };
        let is_likely = most >= LARGE && login.options.replaces.is_none();
        is_likely.then(|| self.insert(login, Some(room(login, subject, most))).into_iter().collect())
    }

    /// A login that ends whom it replaces and whoever there is no room for.
    pub(super) fn in_place_of_others<'a>(&'a self, login: &'a Login<'a, Sqlite>) -> Vec<Statement<'a>> {
        let (mut free, mut delete) = (None, None);
        match login.limit() {
            Some((subject, SessionLimit::Refuse(most))) => free = Some(room(login, subject, most)),
            Some((subject, SessionLimit::EvictLeastRecentlySeen(most))) => {
                let evict = Statement::new(&self.evict);
                let mut evict = match login.predecessor() {
                    Some(id) => evict.by_id::<Sqlite>(login.realm, id),
                    None => evict.bind(None::<i64>).bind(None::<i64>).bind(None::<SessionId>),
                };
                evict.values.extend(beyond(login, subject, most));
                delete = Some(evict);
            }
            None => {}
        }
        let end = |id| Statement::new(&self.end).by_id::<Sqlite>(login.realm, id);
        let delete = delete.or_else(|| login.predecessor().map(end));
        self.insert(login, free).into_iter().chain(delete).collect()
    }

    fn insert<'a>(&'a self, login: &'a Login<'a, Sqlite>, room: Option<Values<'a>>) -> Option<Statement<'a>> {
        let conditions = [fence(login), predecessor(login), room];
        let is_chosen = |(place, values): (usize, &Option<_>)| usize::from(values.is_some()) << place;
        let chosen: usize = conditions.iter().enumerate().map(is_chosen).sum();
        let insert = Statement::new(self.insert.get(chosen)?).bind(key::realm(login.realm));
        let mut insert = record::bind(Sqlite::bind_hashes(insert, login.realm, login.record), login.record);
        insert.values.extend(conditions.into_iter().flatten().flatten());
        Some(insert)
    }
}

fn insert_if(chosen: usize) -> String {
    let conditions = CONDITIONS.iter().enumerate().filter(|(place, _)| chosen & (1 << place) != 0);
    // Without any, SQLite would take `ON` for a part of the `SELECT`.
    let conditions: String = conditions.map(|(_, condition)| format!(" AND {condition}")).collect();
    format!(
        r#"INSERT INTO "{{table}}" (realm, {{hashes}}{{columns}}) SELECT {{places}} WHERE true{conditions}
           ON CONFLICT DO NOTHING"#
    )
}

type Values<'a> = Vec<Value<'a>>;

fn fence<'a>(login: &'a Login<'a, Sqlite>) -> Option<Values<'a>> {
    let fence = login.options.fence?;
    let (realm, subject) = (login.realm, login.record.subject.as_deref());
    let mark = |mark: Mark| Some(mark.as_bytes().to_vec());
    let of_realm = [realm.into(), REALM.into(), mark(fence.realm()).into()];
    let of_account = [realm.into(), subject.into(), fence.account().and_then(mark).into()];
    Some(of_realm.into_iter().chain(of_account).collect())
}

fn predecessor<'a>(login: &'a Login<'a, Sqlite>) -> Option<Values<'a>> {
    let Some(Replaces::MustExist { id, version }) = login.options.replaces else { return None };
    let as_read = [version.cast_signed().into(), login.now.into()];
    Some(by_id(login.realm, id).into_iter().chain(as_read).collect())
}

/// The values of `{by_id}`.
fn by_id(realm: &str, id: SessionId) -> [Value<'_>; 3] {
    [key::hash(realm, id.as_bytes()).into(), key::realm(realm).into(), id.into()]
}

fn room<'a>(login: &Login<'a, Sqlite>, subject: &'a str, most: u32) -> Values<'a> {
    let mut values = vec![i64::from(most).into()];
    values.extend(beyond(login, subject, most));
    values
}

/// The values of [`excess`].
fn beyond<'a>(login: &Login<'a, Sqlite>, subject: &'a str, most: u32) -> Values<'a> {
    let (new, others) = (login.record.id, i64::from(most.saturating_sub(1)));
    let spared = login.predecessor().unwrap_or(new);
    let (account, realm) = (key::account(login.realm, subject), key::realm(login.realm));
    let of_account = [account.into(), realm.into(), subject.into()];
    let beyond = [login.now.into(), new.into(), spared.into(), others.into()];
    of_account.into_iter().chain(beyond).collect()
}

/// What the statements say. `None`: there is no session.
pub(super) fn created(login: &Login<'_, Sqlite>, stepped: &[Stepped]) -> Result<Option<Created>, StoreError> {
    if stepped.first().is_none_or(|insert| insert.changed == 0) {
        return Ok(None);
    }
    let ended = stepped.iter().flat_map(|stepped| &stepped.rows).map(record::first_id::<Sqlite>);
    let ended: Vec<SessionId> = ended.collect::<Result<_, _>>().map_err(store_error)?;
    let evicted = ended.into_iter().filter(|id| Some(*id) != login.predecessor()).collect();
    Ok(Some(Created::Done { evicted }))
}

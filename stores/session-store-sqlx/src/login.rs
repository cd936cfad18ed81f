//! The rules of a login, for databases in which there is no function for it.

use session_core::store::{Account, Create, Created, Mark, RecordKey, Replaces, SessionLimit, SessionRecord};
use session_core::{SessionId, Timestamp};
use sqlx::{Error, SqlStr};

use crate::dialect::Dialect;
use crate::fence;
use crate::key;
use crate::record;
use crate::schema::Tables;
use crate::statement::Statement;
use crate::store::Store;

/// The words in which the statements of a login differ.
pub(crate) trait LoginDialect: Dialect {
    /// After an `INSERT` that is to do nothing if the id is taken; where there is no such word that is an error.
    const OR_NOTHING: &'static str = "";
    /// After a `SELECT` that keeps others away from what it finds.
    const LOCKED: &'static str = "";
    /// After an `INSERT` that is to replace the mark if there is one.
    const OR_RENEW: &'static str;
    /// Takes marks away that are no longer kept.
    const TIDY_MARKS: &'static str;
    /// Deletes the sessions of `{excess}` and answers their ids, where one statement can. Else they are deleted one by
    /// one.
    const EVICT: Option<&'static str> = None;
}

/// The statements of a login.
pub(crate) struct Statements {
    insert: SqlStr,
    fence: SqlStr,
    set_mark: SqlStr,
    tidy_marks: SqlStr,
    predecessor: SqlStr,
    excess: SqlStr,
    /// Answers the same as `excess`, and may have deleted them: see [`LoginDialect::EVICT`].
    evict: SqlStr,
}

/// `{what}` of the sessions of an account that are `{others}`, those last seen first, without so many. When they were
/// created is in their details.
const EXCESS: &str = r#"SELECT {what} FROM "{table}" WHERE {by_account} AND ends_at > ? AND id {others} AND {counted}
                        ORDER BY last_seen DESC, substr(details, 2, 5) DESC, id DESC {unlimited} OFFSET ?"#;

pub(crate) fn excess(what: &str, others: &str) -> String {
    EXCESS.replace("{what}", what).replace("{others}", others)
}

/// By the places of their rows.
fn evict(delete: &str) -> String {
    delete.replace("{excess}", &excess("rowid", "<> ?"))
}

impl Statements {
    pub(crate) fn new<DB: LoginDialect>(tables: &Tables) -> Self {
        let sql = |template: &str| {
            let template = template
                .replace("{or_nothing}", DB::OR_NOTHING)
                .replace("{locked}", DB::LOCKED)
                .replace("{or_renew}", DB::OR_RENEW);
            tables.sql::<DB>(&template)
        };
        Self {
            insert: sql(r#"INSERT INTO "{table}" (realm, {hashes}{columns}) VALUES ({places}) {or_nothing}"#),
            fence: sql(
                r#"SELECT subject, mark FROM "{table}_marks" WHERE realm = ? AND subject IN (?, ?) {unlimited}"#,
            ),
            set_mark: sql(
                r#"INSERT INTO "{table}_marks" (realm, subject, mark, kept_until) VALUES (?, ?, ?, ?) {or_renew}"#,
            ),
            tidy_marks: sql(DB::TIDY_MARKS),
            predecessor: sql(r#"SELECT version FROM "{table}" WHERE {by_id} AND ends_at > ? {locked}"#),
            excess: sql(&excess("id", "<> ?")),
            evict: sql(&DB::EVICT.map_or_else(|| excess("id", "<> ?"), evict)),
        }
    }
}

impl Statements {
    /// Makes `fresh` the mark of an account, for a day, or of the realm.
    pub(crate) fn set_mark<'a>(
        &'a self,
        realm: &'a str,
        account: Option<(&'a str, Timestamp)>,
        fresh: &'a Mark,
    ) -> Statement<'a> {
        let (subject, until) = account
            .map_or((fence::REALM, fence::FOR_EVER), |(subject, now)| (subject, fence::kept_until(now)));
        Statement::new(&self.set_mark).bind(realm).bind(subject).bind(&fresh.as_bytes()[..]).bind(until)
    }

    /// Takes away at most `limit` marks that nobody needs any more.
    pub(crate) fn tidy_marks(&self, now: Timestamp, limit: i64) -> Statement<'_> {
        Statement::new(&self.tidy_marks).bind(now).bind(limit)
    }
}

/// A login on its way. Whoever calls [`Self::create`] has begun a transaction in which no other login and no
/// revocation of the account can come in between, and commits it only if the answer is [`Created::Done`].
pub(crate) struct Login<'a, DB: LoginDialect> {
    pub(crate) store: &'a Store<DB>,
    pub(crate) sql: &'a Statements,
    pub(crate) realm: &'a str,
    pub(crate) record: &'a SessionRecord,
    pub(crate) options: Create,
    pub(crate) now: Timestamp,
}

impl<'a, DB: LoginDialect> Login<'a, DB> {
    /// Writes before it answers: a server that takes no writes refuses it then, and says nothing from what it knows.
    pub(crate) async fn create(&self, db: &mut DB::Connection) -> Result<Created, Error> {
        // Before the record: whoever ends everybody's sessions takes the realm's mark first, too.
        let holds = self.fence_holds(db).await?;
        if !self.insert(db).await? {
            return Ok(Created::IdTaken);
        }
        if !holds {
            return Ok(Created::Overtaken);
        }
        if let Some(refusal) = self.check_predecessor(db).await? {
            return Ok(refusal);
        }
        if let Some(id) = self.predecessor() {
            self.delete(db, id).await?;
        }
        self.make_room(db).await
    }

    /// The session that ends with this login.
    pub(crate) fn predecessor(&self) -> Option<SessionId> {
        self.options.replaces.map(Replaces::id).filter(|id| *id != self.record.id)
    }

    /// The account and how many sessions it may have, if the new one counts.
    pub(crate) fn limit(&self) -> Option<(&'a str, SessionLimit)> {
        let subject = self.record.subject.as_deref().filter(|_| !self.record.uncounted);
        subject.zip(self.options.limit)
    }

    /// Whether nothing has overtaken the login.
    async fn fence_holds(&self, db: &mut DB::Connection) -> Result<bool, Error> {
        let Some(fence) = self.options.fence else { return Ok(true) };
        let subject = self.record.subject.as_deref();
        let rows =
            self.store.fetch_on(db, &self.store.fence_of(&self.sql.fence, self.realm, subject)).await?;
        let (realm, account) = fence::marks::<DB>(&rows)?;
        Ok(fence.holds(realm, account))
    }

    /// Whether the id was free.
    pub(crate) async fn insert(&self, db: &mut DB::Connection) -> Result<bool, Error> {
        let insert = Statement::new(&self.sql.insert).bind(key::realm(self.realm));
        let insert = record::bind(DB::bind_hashes(insert, self.realm, self.record), self.record);
        match self.store.execute_on(db, &insert).await {
            Ok(inserted) => Ok(inserted > 0),
            Err(Error::Database(error)) if error.is_unique_violation() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Why there is to be no login, if its predecessor has to be there and is not as it was read.
    async fn check_predecessor(&self, db: &mut DB::Connection) -> Result<Option<Created>, Error> {
        let Some(Replaces::MustExist { id, version }) = self.options.replaces else { return Ok(None) };
        let select = Statement::new(&self.sql.predecessor).by_id::<DB>(self.realm, id).bind(self.now);
        let rows = self.store.fetch_on(db, &select).await?;
        let found = rows.first().map(|row| record::int::<DB>(row, 0)).transpose()?;
        Ok(match found.map(i64::cast_unsigned) {
            None => Some(Created::PredecessorGone),
            // The new record itself.
            Some(_) if id == self.record.id => Some(Created::PredecessorGone),
            Some(found) if found != version => Some(Created::PredecessorChanged),
            Some(_) => None,
        })
    }

    /// Ends those for whom there is no room beside the new session, or says that there is none.
    pub(crate) async fn make_room(&self, db: &mut DB::Connection) -> Result<Created, Error> {
        let Some((subject, limit)) = self.limit() else {
            return Ok(Created::Done { evicted: Vec::new() });
        };
        let (most, sql, refuses) = match limit {
            SessionLimit::EvictLeastRecentlySeen(most) => (most, &self.sql.evict, false),
            SessionLimit::Refuse(most) => (most, &self.sql.excess, true),
        };
        let others = i64::from(most.saturating_sub(1));
        let account = Account { realm: self.realm, subject };
        let excess = Statement::new(sql).by_account::<DB>(account).bind(self.now);
        let excess = self.store.fetch_on(db, &excess.bind(self.record.id).bind(others)).await?;
        if refuses && (most == 0 || !excess.is_empty()) {
            return Ok(Created::LimitReached);
        }
        let mut evicted = Vec::new();
        for id in excess.iter().map(record::first_id::<DB>) {
            let id = id?;
            if DB::EVICT.is_some() || self.delete(db, id).await? {
                evicted.push(id);
            }
        }
        Ok(Created::Done { evicted })
    }

    async fn delete(&self, db: &mut DB::Connection, id: SessionId) -> Result<bool, Error> {
        let key = RecordKey { realm: self.realm, id };
        Ok(self.store.execute_on(db, &self.store.delete_of(key)).await? > 0)
    }
}

//! The rules of an adoption, for databases in which there is no function for it.

use session_core::Timestamp;
use session_core::store::{Adopted, Adoption, Bar, Created, StoreError};
use sqlx::{Error, SqlStr};

use crate::adoption::{ANY_TIME, Barred};
use crate::key;
use crate::login::{Login, LoginDialect};
use crate::schema::Tables;
use crate::statement::Statement;

/// The words in which the statements of an adoption differ.
pub(crate) trait AdoptDialect: LoginDialect {
    /// After an `INSERT` that is to leave the later times if there is such a row.
    const OR_RAISE: &'static str;
    /// Takes marks and bars away that are no longer kept.
    const TIDY_ADOPTIONS: &'static str;
}

pub(crate) struct Statements {
    bar: SqlStr,
    bars: SqlStr,
    tidy: SqlStr,
}

impl Statements {
    pub(crate) fn new<DB: AdoptDialect>(tables: &Tables) -> Self {
        let sql = |template: &str| tables.sql::<DB>(&template.replace("{or_raise}", DB::OR_RAISE));
        Self {
            bar: sql(
                r#"INSERT INTO "{table}_adoptions" (realm, name, proven_until, kept_until) VALUES (?, ?, ?, ?) {or_raise}"#,
            ),
            bars: sql(r#"SELECT proven_until FROM "{table}_adoptions"
                   WHERE realm = ? AND name IN (?, ?, ?) AND proven_until >= ? AND kept_until > ? LIMIT 1"#),
            tidy: sql(DB::TIDY_ADOPTIONS),
        }
    }

    /// Bars the way of an account, or of everybody.
    pub(crate) fn bar(
        &self,
        realm: &str,
        subject: Option<&str>,
        bar: Bar,
    ) -> Result<Statement<'_>, StoreError> {
        Ok(self.keep(realm, Barred::of(subject)?, bar.at.unix_seconds(), bar.until))
    }

    fn keep(&self, realm: &str, barred: Barred<'_>, proven_until: i64, until: Timestamp) -> Statement<'_> {
        Statement::new(&self.bar)
            .bind(key::realm(realm))
            .bind(Some(barred.name()))
            .bind(proven_until)
            .bind(until)
    }

    /// Takes away at most `limit` marks and bars that are over.
    pub(crate) fn tidy(&self, now: Timestamp, limit: i64) -> Statement<'_> {
        Statement::new(&self.tidy).bind(now).bind(limit)
    }
}

/// An adoption on its way. Whoever calls [`Self::adopt`] has begun a transaction in which no login, revocation or bar of
/// the account, no bar of the realm and no other adoption of this session can come in between, and commits it only if the
/// answer is [`Adopted::Done`].
pub(crate) struct Adopting<'a, DB: AdoptDialect> {
    pub(crate) login: Login<'a, DB>,
    pub(crate) sql: &'a Statements,
    pub(crate) adoption: Adoption,
}

impl<DB: AdoptDialect> Adopting<'_, DB> {
    /// Writes before it answers, as [`Login::create`] does.
    pub(crate) async fn adopt(&self, db: &mut DB::Connection) -> Result<Adopted, Error> {
        if !self.login.insert(db).await? {
            return Ok(Adopted::IdTaken);
        }
        if self.is_barred(db).await? {
            return Ok(Adopted::Barred);
        }
        let Created::Done { evicted } = self.login.make_room(db).await? else {
            return Ok(Adopted::LimitReached);
        };
        if let Some(until) = self.adoption.once_until {
            let this = Barred::Session(self.login.record.id);
            let mark = self.sql.keep(self.login.realm, this, ANY_TIME, until);
            self.login.store.execute_on(db, &mark).await?;
        }
        Ok(Adopted::Done { evicted })
    }

    async fn is_barred(&self, db: &mut DB::Connection) -> Result<bool, Error> {
        let Login { store, realm, record, now, .. } = &self.login;
        let account = record.subject.as_deref().map_or(Barred::Realm, Barred::Account);
        let names = [Barred::Realm, account, Barred::Session(record.id)].map(Barred::name);
        let bars = Statement::new(&self.sql.bars).bind(key::realm(realm));
        let bars = names.into_iter().fold(bars, |bars, name| bars.bind(Some(name)));
        let rows = store.fetch_on(db, &bars.bind(self.adoption.proven_at).bind(*now)).await?;
        Ok(!rows.is_empty())
    }
}

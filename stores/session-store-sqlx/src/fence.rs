//! The marks that say whether a login was overtaken: those of accounts, and the realm's, whose subject is empty.

use session_core::Timestamp;
use session_core::store::{Account, Fence, Mark, StoreError};
use sqlx::{Error, SqlStr};

use crate::connections::lease::Doubt;
use crate::dialect::Dialect;
use crate::error::{garbage, store_error};
use crate::statement::Statement;
use crate::store::Store;

/// The subject of the realm's own mark: that of an account has at least one byte.
pub(crate) const REALM: &str = "";
/// The realm's mark is never taken away.
pub(crate) const FOR_EVER: i64 = i64::MAX;

/// Until when the mark of an account is kept that is set now.
pub(crate) fn kept_until(now: Timestamp) -> i64 {
    now.unix_seconds().saturating_add_unsigned(Fence::SECONDS)
}

impl<DB: Dialect> Store<DB> {
    /// One statement, unless the realm has no mark yet.
    pub(crate) async fn fence(&self, account: Account<'_>, fresh: Mark) -> Result<Fence, StoreError> {
        if let Some(fence) = self.find_fence(account).await? {
            return Ok(fence);
        }
        let make = Statement::new(&self.sql.make_mark).bind(account.realm).bind(REALM);
        self.execute(&make.bind(&fresh.as_bytes()[..]).bind(FOR_EVER)).await?;
        let gone = || StoreError::unavailable("the realm's mark was taken away while it was read; try again");
        self.find_fence(account).await?.ok_or_else(gone)
    }

    async fn find_fence(&self, account: Account<'_>) -> Result<Option<Fence>, StoreError> {
        let statement = &self.fence_of(&self.sql.marks, account.realm, Some(account.subject));
        let marks = self.connections.read(|mut db| async move {
            let rows = self.fetch_on(&mut db, statement).await?;
            let doubt = rows.first().map_or(Ok(Doubt::default()), |row| DB::doubt(row, 2))?;
            Ok(db.done(marks::<DB>(&rows)).with(doubt))
        });
        let (realm, account) = marks.await.and_then(|marks| marks).map_err(store_error)?;
        Ok(realm.map(|realm| Fence::new(realm, account)))
    }

    /// A statement that answers the marks of a realm and of an account.
    pub(crate) fn fence_of<'a>(
        &self,
        sql: &'a SqlStr,
        realm: &'a str,
        subject: Option<&'a str>,
    ) -> Statement<'a> {
        Statement::new(sql).bind(realm).bind(REALM).bind(subject.unwrap_or(REALM))
    }
}

/// The mark of the realm and that of the account.
pub(crate) fn marks<DB: Dialect>(rows: &[DB::Row]) -> Result<(Option<Mark>, Option<Mark>), Error> {
    let (mut realm, mut account) = (None, None);
    for row in rows {
        // The outer join found none.
        let Some(subject) = DB::bytes(row, 0)? else { continue };
        let mark = DB::bytes(row, 1)?.and_then(|mark| <[u8; 16]>::try_from(mark).ok());
        let mark = mark.ok_or_else(|| garbage("the mark of an account is not 16 bytes long"))?;
        let place = if subject.is_empty() { &mut realm } else { &mut account };
        *place = Some(Mark::from_bytes(mark));
    }
    Ok((realm, account))
}

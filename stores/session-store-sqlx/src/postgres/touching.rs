//! Reading with a touch, alone or with others.
//!
//! Alone it is one statement, which reads and touches. Callers that arrive together share two: a read of all their
//! sessions, and one that touches those that are due, as [`Touch::apply`] says. Each row is touched as it was read, or
//! not at all, and one that somebody else holds is skipped: two processes never wait for each other. An answer goes out
//! when the database has committed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use session_core::store::{RecordKey, Seen, SessionRecord, StoreError, Together, Touch};
use session_core::{SessionId, Timestamp};
use sqlx::postgres::PgRow;
use sqlx::{Error, Postgres};

use super::functions::{self, Functions};
use crate::connections::lease::{Doubt, Lease};
use crate::dialect::Dialect as _;
use crate::error::Fault;
use crate::record;
use crate::statement::Statement;
use crate::store::{MOST_TOGETHER, Store};
use crate::touch;

pub(super) struct Touching {
    store: Arc<Store<Postgres>>,
    functions: Arc<Functions>,
    /// By realm.
    together: Together<String, Asked, Outcome>,
    /// Of those that were seen not long ago a plain read is enough.
    pub(super) seen: Seen,
}

/// What one caller asks for.
#[derive(Clone, Copy)]
struct Asked {
    id: SessionId,
    touch: Touch,
    now: Timestamp,
}

/// What came of it.
#[derive(Clone)]
enum Outcome {
    /// The record as it stands.
    Is(Option<SessionRecord>),
    /// One of the others may be to blame.
    GoAlone,
    /// It is read without a touch.
    Read,
}

/// The sessions that are there. `None`: the row is none that a store wrote.
type Records = HashMap<SessionId, Option<SessionRecord>>;
/// What is to be written of those whose time has come.
type Due = BTreeMap<SessionId, SessionRecord>;

impl Touching {
    pub(super) fn new(store: Arc<Store<Postgres>>, functions: Arc<Functions>) -> Self {
        Self { store, functions, together: Together::new(MOST_TOGETHER), seen: Seen::default() }
    }

    /// A lost touch costs nothing, so whatever keeps the server from writing keeps nobody from reading: what fails, or
    /// takes long, is read again without a touch.
    pub(super) async fn read_and_touch(
        self: &Arc<Self>,
        key: RecordKey<'_>,
        touch: Touch,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let (store, seen) = (&self.store, &self.seen);
        if !store.touches.are_worth_trying() {
            return store.read(key, now).await;
        }
        if seen.is_recent(key.id, now, touch.interval) {
            let record = store.read(key, now).await?;
            if record.as_ref().is_none_or(|record| touch.apply(record, now).is_none()) {
                return Ok(record);
            }
        }
        let asked = Asked { id: key.id, touch, now };
        let outcome = match self.together(key.realm, asked).await {
            Outcome::GoAlone => self.alone(key.realm, asked).await,
            outcome => outcome,
        };
        let Outcome::Is(record) = outcome else { return store.read(key, now).await };
        record.iter().for_each(|record| seen.note(record.id, record.last_seen));
        Ok(record)
    }

    async fn together(self: &Arc<Self>, realm: &str, asked: Asked) -> Outcome {
        let realm = realm.to_owned();
        let (touching, of) = (Arc::clone(self), realm.clone());
        let ask = |all| async move { touching.touch_all(&of, all).await };
        self.together.read(&realm, asked, ask).await.unwrap_or(Outcome::GoAlone)
    }

    async fn touch_all(&self, realm: &str, all: Vec<Asked>) -> Vec<Outcome> {
        // Others may have failed while these waited.
        if !self.store.touches.are_worth_trying() {
            return vec![Outcome::Read; all.len()];
        }
        if let [asked] = *all {
            return vec![self.alone(realm, asked).await];
        }
        match self.touch_many(realm, &all).await {
            Ok(records) => all.iter().map(|asked| asked.of(&records)).collect(),
            Err(error) if is_of_one(&error) => vec![Outcome::GoAlone; all.len()],
            Err(_) => {
                self.store.touches.failed();
                vec![Outcome::Read; all.len()]
            }
        }
    }

    async fn alone(&self, realm: &str, Asked { id, touch, now }: Asked) -> Outcome {
        let statement = self.functions.read_and_touch(RecordKey { realm, id }, touch, now);
        match self.fetch_touching(&statement).await.and_then(|row| functions::touched(&row, touch, now)) {
            Ok(record) => Outcome::Is(record),
            Err(error) => {
                // A touch that lost against another one says nothing of the next.
                if Fault::of(&error) != Fault::Conflict {
                    self.store.touches.failed();
                }
                Outcome::Read
            }
        }
    }

    /// What the server refused comes as an answer: every read would cost a connection otherwise, for as long as touches
    /// are refused.
    async fn fetch_touching(&self, statement: &Statement<'_>) -> Result<PgRow, Error> {
        let row = self.store.connections.read(|mut db| async move {
            let rows = touch::within_time(self.store.fetch_on(&mut db, statement)).await;
            match rows.unwrap_or(Err(Error::PoolTimedOut)).and_then(functions::one) {
                Ok(row) => {
                    let doubt = Postgres::doubt(&row, record::WIDTH)?;
                    Ok(db.done(Ok(row)).with(doubt))
                }
                Err(error) if Fault::leaves_the_connection(&error) => Ok(db.done(Err(error))),
                Err(error) => Err(error),
            }
        });
        row.await?
    }

    /// The sessions as they then stand.
    async fn touch_many(&self, realm: &str, all: &[Asked]) -> Result<Records, Error> {
        let ids: Vec<SessionId> = all.iter().map(|asked| asked.id).collect();
        // Whose clock is ahead leaves out what is over for them.
        let now = all.iter().map(|asked| asked.now).min().unwrap_or(Timestamp::EPOCH);
        let read = &self.store.read_of_all(realm, &ids, now);
        let records = self.store.connections.read(|mut db| async move {
            let rows = touch::within_time(self.store.fetch_on(&mut db, read)).await;
            let rows = rows.unwrap_or(Err(Error::PoolTimedOut))?;
            let doubt =
                rows.first().map_or(Ok(Doubt::default()), |row| Postgres::doubt(row, record::WIDTH))?;
            let records = records(&rows);
            let due = if doubt.read_only { Due::new() } else { due(all, &records) };
            let touched = self.touch_due(&mut db, realm, &due).await;
            let records = match touched {
                Ok(touched) => Ok(seen(records, due, &touched)),
                Err(error) if Fault::leaves_the_connection(&error) => Err(error),
                Err(error) => return Err(error),
            };
            Ok(db.done(records).with(doubt))
        });
        records.await?
    }

    /// The ids of those that it has touched.
    async fn touch_due(
        &self,
        db: &mut Lease<Postgres>,
        realm: &str,
        due: &Due,
    ) -> Result<Vec<SessionId>, Error> {
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let statement = self.functions.touch_many(realm, due.values());
        let rows = touch::within_time(self.store.fetch_on(db, &statement)).await;
        rows.unwrap_or(Err(Error::PoolTimedOut))?.iter().map(record::first_id::<Postgres>).collect()
    }
}

impl Asked {
    /// Who asked for a row that cannot be read learns from a statement of its own what is wrong with it.
    fn of(self, records: &Records) -> Outcome {
        match records.get(&self.id) {
            Some(Some(record)) => {
                Outcome::Is(Some(record.clone()).filter(|record| self.now < record.ends_at))
            }
            Some(None) => Outcome::GoAlone,
            None => Outcome::Is(None),
        }
    }
}

fn records(rows: &[PgRow]) -> Records {
    let record = |row| {
        let id = record::first_id::<Postgres>(row).ok()?;
        Some((id, record::from_row::<Postgres>(row).ok().flatten()))
    };
    rows.iter().filter_map(record).collect()
}

/// What is to be written of each session, in the order of ids. Several may ask for one: the latest of them is written.
fn due(all: &[Asked], records: &Records) -> Due {
    let mut due = Due::new();
    for Asked { id, touch, now } in all {
        let record = records.get(id).and_then(Option::as_ref).filter(|record| *now < record.ends_at);
        let Some(seen) = record.and_then(|record| touch.apply(record, *now)) else { continue };
        if due.get(id).is_none_or(|other| other.last_seen < seen.last_seen) {
            due.insert(*id, seen);
        }
    }
    due
}

fn seen(mut records: Records, mut due: Due, touched: &[SessionId]) -> Records {
    let seen = touched.iter().filter_map(|id| Some((*id, due.remove(id)?)));
    records.extend(seen.map(|(id, record)| (id, Some(record))));
    records
}

/// Whether what the server refused may be one session's fault: the others are touched without it.
fn is_of_one(error: &Error) -> bool {
    matches!(Fault::of(error), Fault::Conflict | Fault::Other)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const AT: i64 = 1_800_000_000;

    fn asked(id: SessionId, generation: u64, at: i64) -> Asked {
        let touch = Touch::new(Duration::from_secs(60), None, generation, Duration::ZERO);
        Asked { id, touch, now: Timestamp::from_unix_seconds(AT + at) }
    }

    fn records_of(record: SessionRecord) -> Records {
        Records::from([(record.id, Some(record))])
    }

    fn record() -> SessionRecord {
        let at = Timestamp::from_unix_seconds;
        SessionRecord::new(SessionId::from_bytes([7; SessionId::LEN]), Vec::new(), at(AT), at(AT + 1000))
            .with(|record| record.generation = 3)
    }

    #[test]
    fn a_session_that_several_ask_for_is_written_once_by_a_token_that_opens_it() {
        let record = record();
        let (id, records) = (record.id, records_of(record));
        let all =
            [asked(id, 3, 70), asked(id, 3, 90), asked(id, 1, 95), asked(id, 3, 59), asked(id, 3, 1000)];
        let due = due(&all, &records);
        assert_eq!(due.values().map(|seen| seen.last_seen.unix_seconds() - AT).collect::<Vec<_>>(), [90]);
        let records = seen(records, due, &[id]);
        let outcomes = all.map(|asked| match asked.of(&records) {
            Outcome::Is(record) => record.map(|record| record.last_seen.unix_seconds() - AT),
            _ => panic!("it is known"),
        });
        assert_eq!(outcomes, [Some(90), Some(90), Some(90), Some(90), None]);
    }

    #[test]
    fn what_somebody_else_changed_meanwhile_is_as_it_was_read_and_what_is_garbage_is_nobody_elses_matter() {
        let record = record();
        let (id, other) = (record.id, SessionId::from_bytes([8; SessionId::LEN]));
        let mut records = records_of(record.clone());
        let all = [asked(id, 3, 70), asked(other, 0, 70)];
        assert!(matches!(all[1].of(&records), Outcome::Is(None)));
        records.insert(other, None);
        let due = due(&all, &records);
        let records = seen(records, due, &[]);
        assert!(matches!(all[0].of(&records), Outcome::Is(Some(found)) if found == record));
        assert!(matches!(all[1].of(&records), Outcome::GoAlone));
    }
}

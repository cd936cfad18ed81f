//! What is written when it is a caller's turn: everybody's changes in one transaction, so that they share its sync.

use std::mem;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use session_core::Timestamp;
use session_core::store::{Adopted, Create, Created, SessionRecord, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{
    AssertSqlSafe, Connection as _, Either, Error, Executor as _, SqlSafeStr as _, SqlStr, Sqlite,
    SqliteConnection,
};

use super::adopting::Foreign;
use super::dialect::Statements;
use super::file::File;
use super::queue::{self, Queue};
use crate::connections::lease::Lease;
use crate::engine::Engine as _;
use crate::error::{Fault, store_error};
use crate::login::Login;
use crate::statement::{Statement, Value, prepared};
use crate::store::{Store, as_told_to_all};

/// So many changes of a kind are sent to SQLite at once: each time is two changes of the thread.
const LARGEST: usize = 16;

/// What the clones of a store share.
pub(super) struct Inner {
    pub(super) store: Arc<Store<Sqlite>>,
    pub(super) file: File,
    /// SQLite lets one writer in, and the others poll: they rather queue here, and share its transaction.
    pub(super) queue: Queue<Job, Answer>,
    pub(super) sql: Statements,
}

/// What a caller wants to be written.
pub(super) enum Job {
    /// Statements that are done all or not at all.
    Change(Vec<Step>),
    /// The same, of which some take long.
    Large(Vec<Step>),
    /// A login that could not be made at once: step by step it is found out why.
    Login(Box<Refused>),
    /// A session of another system.
    Adoption(Box<Foreign>),
}

/// A statement that may be done for its caller by another one.
pub(super) struct Step {
    sql: SqlStr,
    values: Vec<Value<'static>>,
}

/// What a statement did.
pub(super) struct Stepped {
    /// How many rows it changed.
    pub(super) changed: u64,
    pub(super) rows: Vec<SqliteRow>,
}

/// See [`Login`].
pub(super) struct Refused {
    pub(super) realm: String,
    pub(super) record: SessionRecord,
    pub(super) options: Create,
    pub(super) now: Timestamp,
}

pub(super) enum Written {
    /// What each statement did.
    Change(Vec<Stepped>),
    Login(Created),
    Adoption(Adopted),
}

impl Written {
    pub(super) fn stepped(self) -> Vec<Stepped> {
        match self {
            Self::Change(stepped) => stepped,
            Self::Login(_) | Self::Adoption(_) => Vec::new(),
        }
    }

    pub(super) fn created(self) -> Result<Created, StoreError> {
        match self {
            Self::Login(created) => Ok(created),
            _ => Err(StoreError::permanent("a login was answered as something else")),
        }
    }

    pub(super) fn adopted(self) -> Result<Adopted, StoreError> {
        match self {
            Self::Adoption(adopted) => Ok(adopted),
            _ => Err(StoreError::permanent("an adoption was answered as something else")),
        }
    }
}

pub(super) type Answer = Result<Written, StoreError>;

impl queue::Job for Job {
    fn goes_alone(&self) -> bool {
        !matches!(self, Self::Change(_))
    }
}

impl Job {
    fn steps(&self) -> &[Step] {
        match self {
            Self::Change(steps) | Self::Large(steps) => steps,
            Self::Login(_) | Self::Adoption(_) => &[],
        }
    }
}

impl From<Statement<'_>> for Step {
    fn from(statement: Statement<'_>) -> Self {
        let sql = statement.sql.clone();
        Self { sql, values: statement.values.into_iter().map(Value::into_owned).collect() }
    }
}

impl Inner {
    /// Does what some callers want, and answers each.
    pub(super) async fn write_all(self: Arc<Self>, jobs: Vec<Job>) -> Vec<Answer> {
        match jobs.as_slice() {
            [Job::Login(refused)] => {
                return vec![self.log_in_step_by_step(refused).await.map(Written::Login)];
            }
            [Job::Adoption(foreign)] => return vec![self.adopt(foreign).await.map(Written::Adoption)],
            _ => {}
        }
        let changes: Vec<_> = jobs.iter().map(Job::steps).collect();
        match self.change(&changes).await {
            Ok(stepped) => stepped.into_iter().map(|stepped| Ok(Written::Change(stepped))).collect(),
            Err(Failed::Statement(_)) if changes.len() > 1 => self.one_by_one(&changes).await,
            Err(error) => to_all(error.told(), changes.len()),
        }
    }

    /// As nothing was done: whose statement it was that failed gets the error, and the others what they want.
    async fn one_by_one(&self, changes: &[&[Step]]) -> Vec<Answer> {
        let mut answers = Vec::new();
        for change in changes {
            let stepped = self.change(&[change]).await.map_err(Failed::told);
            answers.push(stepped.map(|stepped| Written::Change(stepped.into_iter().flatten().collect())));
        }
        answers
    }

    /// What each statement of each change did, all in one transaction.
    async fn change(&self, changes: &[&[Step]]) -> Result<Vec<Vec<Stepped>>, Failed> {
        self.file.check().map_err(Failed::Before)?;
        let runs = &runs(changes);
        let stepped = self.store.connections.write(|mut db| async move {
            let stepped = transact(&mut db, runs).await;
            // A single statement leaves no transaction behind.
            if is_single(runs) { Ok(db.done(stepped?)) } else { db.finish(stepped) }
        });
        let mut stepped = stepped.await.map_err(Failed::of)?.into_iter();
        Ok(changes.iter().map(|change| stepped.by_ref().take(change.len()).collect()).collect())
    }

    async fn adopt(&self, foreign: &Foreign) -> Result<Adopted, StoreError> {
        self.file.check()?;
        foreign.adopt(&self.store, &self.sql.login, &self.sql.adopt).await
    }

    async fn log_in_step_by_step(&self, refused: &Refused) -> Result<Created, StoreError> {
        self.file.check()?;
        let Refused { realm, record, options, now } = refused;
        let (store, sql) = (&*self.store, &self.sql.login);
        let login = &Login { store, sql, realm, record, options: *options, now: *now };
        let created = store.connections.write(|mut db| async move {
            let created = log_in(&mut db, login).await;
            db.finish(created)
        });
        created.await.map_err(store_error)
    }
}

/// Why nothing was written.
enum Failed {
    /// It was not begun.
    Before(StoreError),
    /// SQLite refused a statement, which may be that of one caller.
    Statement(Error),
    /// Whatever the statements are.
    Everybody(Error),
}

impl Failed {
    fn of(error: Error) -> Self {
        let is_of_a_statement = matches!(error, Error::Database(_)) && Fault::of(&error) != Fault::Busy;
        if is_of_a_statement { Self::Statement(error) } else { Self::Everybody(error) }
    }

    fn told(self) -> StoreError {
        match self {
            Self::Before(error) => error,
            Self::Statement(error) | Self::Everybody(error) => store_error(error),
        }
    }
}

fn to_all(error: StoreError, count: usize) -> Vec<Answer> {
    if count == 1 {
        return vec![Err(error)];
    }
    let error = Arc::new(error);
    (0..count).map(|_| Err(as_told_to_all(Arc::clone(&error)))).collect()
}

/// A login, while nobody else writes.
async fn log_in(db: &mut SqliteConnection, login: &Login<'_, Sqlite>) -> Result<Created, Error> {
    let mut transaction = db.begin_with(Sqlite::BEGIN).await?;
    let created = login.create(&mut transaction).await?;
    match created {
        Created::Done { .. } => transaction.commit().await?,
        _ => transaction.rollback().await?,
    }
    Ok(created)
}

/// Statements that are sent at once.
struct Run<'a> {
    sql: String,
    steps: Vec<&'a Step>,
}

/// Changes of a kind that follow each other go at once, by numbers that are powers of two: few texts, so that a
/// connection has prepared all of them soon.
fn runs<'a>(changes: &[&'a [Step]]) -> Vec<Run<'a>> {
    changes.chunk_by(|one, next| are_alike(one, next)).flat_map(pieces).map(Run::of).collect()
}

fn are_alike(one: &[Step], other: &[Step]) -> bool {
    let is_same = |(one, other): (&Step, &Step)| std::ptr::eq(one.sql.as_str(), other.sql.as_str());
    one.len() == other.len() && one.iter().zip(other).all(is_same)
}

fn pieces<T>(mut all: &[T]) -> Vec<&[T]> {
    let mut pieces = Vec::new();
    while let Some(bits) = all.len().checked_ilog2() {
        let (piece, rest) = all.split_at(LARGEST.min(1 << bits));
        pieces.push(piece);
        all = rest;
    }
    pieces
}

impl<'a> Run<'a> {
    fn of(changes: &[&'a [Step]]) -> Self {
        let steps: Vec<&Step> = changes.iter().copied().flatten().collect();
        let texts: Vec<&str> = steps.iter().map(|step| step.sql.as_str()).collect();
        Self { sql: texts.join(";\n"), steps }
    }

    async fn perform(&self, db: &mut SqliteConnection) -> Result<Vec<Stepped>, Error> {
        self.send(db, self.sql.clone(), self.steps.len()).await
    }

    /// A transaction that is sent at once.
    async fn transact(&self, db: &mut SqliteConnection) -> Result<Vec<Stepped>, Error> {
        let sql = format!("{};\n{};\n{}", Sqlite::BEGIN, self.sql, Sqlite::COMMIT);
        let stepped = self.send(db, sql, self.steps.len() + 2).await?;
        Ok(stepped.into_iter().skip(1).take(self.steps.len()).collect())
    }

    async fn send(
        &self,
        db: &mut SqliteConnection,
        sql: String,
        statements: usize,
    ) -> Result<Vec<Stepped>, Error> {
        let values = self.steps.iter().flat_map(|step| &step.values);
        let mut told = db.fetch_many(prepared(AssertSqlSafe(sql).into_sql_str(), values));
        let (mut stepped, mut rows) = (Vec::with_capacity(statements), Vec::new());
        while let Some(one) = told.try_next().await? {
            match one {
                Either::Right(row) => rows.push(row),
                Either::Left(done) => {
                    stepped.push(Stepped { changed: done.rows_affected(), rows: mem::take(&mut rows) });
                }
            }
        }
        // A thread that ends says nothing.
        if stepped.len() == statements { Ok(stepped) } else { Err(Error::WorkerCrashed) }
    }
}

fn is_single(runs: &[Run<'_>]) -> bool {
    matches!(runs, [run] if run.steps.len() == 1)
}

/// On the disk when it is done.
async fn transact(db: &mut Lease<Sqlite>, runs: &[Run<'_>]) -> Result<Vec<Stepped>, Error> {
    match runs {
        [run] if is_single(runs) => run.perform(db).await,
        // Otherwise a caller who gave up would leave the transaction to whoever uses the connection next.
        [run] if db.ends_with_its_call() => run.transact(db).await,
        _ => {
            let mut transaction = db.begin_with(Sqlite::BEGIN).await?;
            let mut stepped = Vec::new();
            for run in runs {
                stepped.extend(run.perform(&mut transaction).await?);
            }
            transaction.commit().await?;
            Ok(stepped)
        }
    }
}

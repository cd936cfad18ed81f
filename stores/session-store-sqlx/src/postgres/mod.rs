//! PostgreSQL: one statement, so one round trip, for everything.

mod address;
mod adopting;
mod dialect;
mod functions;
mod invalidations;
mod listeners;
mod pooler;
mod sending;
mod touching;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use session_core::store::{
    Account, Adopted, Adoption, Bar, Create, Created, Fence, Invalidation, Mark, RecordKey, Replaced,
    Replaces, SessionRecord, SessionStore, StoreError, Touch,
};
use session_core::{SessionId, Timestamp};
use sqlx::Postgres;
use sqlx::postgres::PgPool;

use self::address::{address_of, place};
use self::adopting::{Adopting, adopted};
use self::functions::Functions;
use self::invalidations::{Outbox, channel};
use self::listeners::Listeners;
use self::pooler::{Manners, manners};
use self::sending::Sending;
use self::touching::Touching;
use crate::connections::Connections;
use crate::dialect::Dialect as _;
use crate::error::store_error;
use crate::options::StoreOptions;
use crate::record;
use crate::schema;
use crate::store::{Store, count};

/// Sessions in PostgreSQL 12 or newer. Clones share the connections.
///
/// Reads that arrive together go together: at most four statements are under way, of up to 32 sessions each. So do
/// touches ([`SessionStore::read_and_touch`] of a session whose time has come), in two statements for up to 32: each
/// caller gets its own answer, when the database has committed.
///
/// Every call is one round trip, a login with its account index and limit included: that one is a function in the
/// database, made by the migrations. It takes advisory locks (`pg_advisory_xact_lock`) on 64-bit hashes of realm and
/// account; an application that uses such locks itself may now and then share one by chance, which costs a wait.
///
/// Name the primary, not a replica.
///
/// When a session ends, the other processes are told ([`StoreOptions::announce`]). [`SessionStore::listen`] takes a
/// connection: its own if the store was made from a URL, else one of your pool's for as long as it listens.
///
/// # Poolers
///
/// The address may be a pooler (PgBouncer, in any `pool_mode`), with nothing to set, here or there. Whether it shares
/// server connections between transactions is found out when the store is made, with two connections and a dozen
/// round trips. If it does, statements go out unprepared, each as one message: still one round trip, which costs the
/// server more, since it plans each time. The same holds with `statement-cache-capacity=0`.
/// [`StoreOptions::transaction_pooler`] says so without asking. Such statements carry their values as text, payloads
/// included, and who logs statements logs those: the server (`log_min_duration_statement`, the `STATEMENT` line of an
/// error) and sqlx for a pool of yours, unless its options say `disable_statement_logging`. The store's own connections
/// log none. Two things do not work through such a pooler:
///
/// - `LISTEN`. [`SessionStore::listen`] fails with a sentence, so hybrid mode goes on within its bound without news;
///   [`StoreOptions::listen_url`] gives it an address of PostgreSQL itself. What ends here is told in any case.
/// - Startup parameters that the pooler does not know. The store made from a URL sends none; `options=` in the URL is
///   one. A schema of your own is set with `ALTER ROLE .. SET search_path` instead. sqlx itself sends
///   `extra_float_digits`: switch it off for a pool of your own (`PgConnectOptions::extra_float_digits(None)`).
#[derive(Clone)]
pub struct PostgresStore(Arc<Inner>);

struct Inner {
    store: Arc<Store<Postgres>>,
    functions: Arc<Functions>,
    adopting: Adopting,
    listeners: Listeners,
    /// `None`: it neither tells nor listens.
    outbox: Option<Arc<Outbox>>,
    touching: Arc<Touching>,
}

impl PostgresStore {
    /// A store with connections of its own, as [`StoreOptions::default`] says; makes its tables if they are missing.
    ///
    /// The URL is sqlx's: `postgres://user:password@host:5432/database`.
    ///
    /// # Errors
    /// When the URL is wrong, the database cannot be reached or refuses the login, or its tables cannot be made or are
    /// of a newer version.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::connect_with(url, StoreOptions::default()).await
    }

    /// As [`Self::connect`], with options.
    ///
    /// # Errors
    /// As [`Self::connect`], and when an option is out of range.
    pub async fn connect_with(url: &str, options: StoreOptions) -> Result<Self, StoreError> {
        let address = address_of(url)?;
        let most = options.most_connections()?;
        let made = async {
            let manners = manners(&address, &options).await?;
            let listeners = Listeners::new(&address, manners, &options)?;
            Self::made(Connections::own(address.clone(), most, None), manners, listeners, &options).await
        };
        made.await.map_err(|error| error.about(place(&address)))
    }

    /// A store on a pool of your own.
    ///
    /// sqlx's pool asks for a sign of life before each call (`test_before_acquire`, which you can switch off) and after
    /// it; connections from a URL do neither.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn from_pool(pool: PgPool) -> Result<Self, StoreError> {
        Self::from_pool_with(pool, StoreOptions::default()).await
    }

    /// As [`Self::from_pool`], with options.
    ///
    /// # Errors
    /// As [`Self::connect`], and when an option is out of range.
    pub async fn from_pool_with(pool: PgPool, options: StoreOptions) -> Result<Self, StoreError> {
        let address = pool.connect_options();
        let made = async {
            let manners = manners(&address, &options).await?;
            let listeners = match options.listens_at() {
                None => Listeners::of_pool(pool.clone(), manners),
                Some(_) => Listeners::new(&address, manners, &options)?,
            };
            Self::made(Connections::pool(pool.clone()), manners, listeners, &options).await
        };
        made.await.map_err(|error| error.about(place(&address)))
    }

    /// What the migrations run, for teams that run their own: safe to run again.
    ///
    /// # Errors
    /// When the table's name is out of range.
    pub fn schema_sql(options: &StoreOptions) -> Result<String, StoreError> {
        Ok(schema::fill(Postgres::SCHEMA, options.checked_table()?))
    }

    /// Closes the store's own connections; calls fail from now on. A pool of yours stays open.
    pub async fn close(&self) {
        if let Some(outbox) = &self.0.outbox {
            outbox.send_waiting().await;
        }
        self.0.store.connections.close().await;
        self.0.listeners.close().await;
    }

    async fn made(
        connections: Connections<Postgres>,
        manners: Manners,
        listeners: Listeners,
        options: &StoreOptions,
    ) -> Result<Self, StoreError> {
        let sending = Sending::unprepared(!manners.keeps_statements);
        let store = Arc::new(Store::open(connections, sending, options).await?);
        let functions = Arc::new(Functions::new(&store.tables));
        let adopting = Adopting::new(&store.tables);
        let outbox = options.announces().then(|| Arc::new(Outbox::new(store.clone())));
        let touching = Arc::new(Touching::new(store.clone(), functions.clone()));
        Ok(Self(Arc::new(Inner { store, functions, adopting, listeners, outbox, touching })))
    }

    /// Tells other processes, in the background.
    fn tell(&self, realm: &str, ended: impl IntoIterator<Item = Invalidation>) {
        if let Some(outbox) = &self.0.outbox {
            outbox.tell(realm, ended);
        }
    }

    fn tell_ended(&self, realm: &str, ended: impl IntoIterator<Item = SessionId>) {
        self.tell(realm, ended.into_iter().map(Invalidation::Ended));
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("table", &self.0.store.tables.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionStore for PostgresStore {
    async fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        self.0.store.read(key, now).await
    }

    async fn read_and_touch(
        &self,
        key: RecordKey<'_>,
        touch: Touch,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        self.0.touching.read_and_touch(key, touch, now).await
    }

    async fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        record::check_sizes(realm, record, Postgres::LONGEST_PAYLOAD)?;
        let rows = self.0.store.fetch(&self.0.functions.create(realm, record, options, now)).await?;
        let (created, replaced) =
            functions::answer(rows).and_then(|answer| functions::created(&answer)).map_err(store_error)?;
        if let Created::Done { evicted } = &created {
            self.0.touching.seen.note(record.id, record.last_seen);
            let replaced = options.replaces.map(Replaces::id).filter(|_| replaced);
            self.tell_ended(realm, evicted.iter().copied().chain(replaced));
        }
        Ok(created)
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.0.store.replace(realm, record, now).await
    }

    async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        let deleted = self.0.store.delete(key).await?;
        self.tell_ended(key.realm, deleted.then_some(key.id));
        Ok(deleted)
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        self.0.store.list(account, now).await
    }

    async fn count(&self, realm: &str, now: Timestamp) -> Result<u64, StoreError> {
        self.0.store.count(realm, now).await
    }

    async fn fence(&self, account: Account<'_>, fresh: Mark, _now: Timestamp) -> Result<Fence, StoreError> {
        self.0.store.fence(account, fresh).await
    }

    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        fresh: Mark,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let rows = self.0.store.fetch(&self.0.functions.delete_account(account, keep, &fresh, now)).await?;
        let ended = rows.iter().map(record::first_id::<Postgres>).collect::<Result<Vec<_>, _>>();
        let ended = ended.map_err(store_error)?;
        self.tell_ended(account.realm, ended.iter().copied());
        Ok(ended)
    }

    async fn delete_realm(&self, realm: &str, fresh: Mark) -> Result<u64, StoreError> {
        let rows = self.0.store.fetch(&self.0.functions.delete_realm(realm, &fresh)).await?;
        let deleted = functions::number(rows).map_err(store_error)?;
        self.tell(realm, [Invalidation::EveryoneEnded]);
        Ok(deleted)
    }

    async fn delete_expired(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let rows = self.0.store.fetch(&self.0.functions.delete_expired(now, limit)).await?;
        functions::number(rows).map(count).map_err(store_error)
    }

    fn can_adopt(&self) -> bool {
        true
    }

    async fn adopt(
        &self,
        realm: &str,
        record: &SessionRecord,
        adoption: Adoption,
        now: Timestamp,
    ) -> Result<Adopted, StoreError> {
        record::check_sizes(realm, record, Postgres::LONGEST_PAYLOAD)?;
        let rows = self.0.store.fetch(&self.0.adopting.adopt(realm, record, adoption, now)).await?;
        let adopted = adopted(rows).map_err(store_error)?;
        if let Adopted::Done { evicted } = &adopted {
            self.0.touching.seen.note(record.id, record.last_seen);
            self.tell_ended(realm, evicted.iter().copied());
        }
        Ok(adopted)
    }

    async fn bar(
        &self,
        realm: &str,
        subject: Option<&str>,
        bar: Bar,
        _now: Timestamp,
    ) -> Result<(), StoreError> {
        self.0.store.fetch(&self.0.adopting.bar(realm, subject, bar)?).await.map(drop)
    }

    async fn listen(
        &self,
        realm: &str,
        heard: &(dyn Fn(Invalidation) + Send + Sync),
    ) -> Result<(), StoreError> {
        match self.0.outbox {
            Some(_) => self.0.listeners.listen(&channel(&self.0.store.tables.name, realm), heard).await,
            None => Ok(()),
        }
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

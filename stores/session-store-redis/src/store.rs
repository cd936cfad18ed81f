//! The store: what each operation of the contract asks of Redis.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::ConnectionManager;
use redis::{Client, Value};
use session_core::store::{
    Account, Adopted, Adoption, Bar, Create, Created, Fence, Invalidation, Mark, RecordKey, Replaced,
    Replaces, Seen, SessionRecord, SessionStore, StoreError, Touch,
};
use session_core::{Place, SessionId, Timestamp};

use crate::adoption::{adopt, bar_account, bar_realm};
use crate::answer;
use crate::argument::{self, KEPT_BEYOND_END, duration, number, seconds, time_to_live};
#[cfg(feature = "cluster")]
use crate::cluster::Cluster;
use crate::connect::connect;
use crate::count::count;
use crate::error::{store_error, unexpected};
use crate::keys::{Base, Prefix, rest_of, shard_of};
use crate::link::{Link, Repeat};
use crate::reads::Reads;
use crate::record::{decode, encode, version_bytes};
use crate::script::{self, Script};
use crate::subscriber::Subscriber;
use crate::sweep::{end_epochs, sweep};

/// How long a read waits for last-seen to be written: Redis can hold back changes while it answers reads.
const TOUCH_PATIENCE: Duration = Duration::from_millis(500);
/// Sessions in Redis or Valkey. Clones share the connections.
///
/// Calls must be made within a tokio runtime that has I/O and time enabled.
#[derive(Clone)]
pub struct RedisStore {
    link: Link,
    reads: Arc<Reads>,
    prefix: Prefix,
    seen: Arc<Seen>,
    /// `None` when the user made the connection, and gave nothing to make another one with.
    subscriber: Option<Arc<Subscriber>>,
}

impl RedisStore {
    /// Connects, and checks that the server is one that can be used.
    ///
    /// | address | what |
    /// |---|---|
    /// | `redis://[user:password@]host[:port][/database]` | one server; `redis+unix:///path` for its socket |
    /// | `rediss://..` | the same over TLS (feature `tls`), checked against the machine's root certificates |
    /// | `redis-cluster://[user:password@]host:port,host:port` | a cluster (feature `cluster`); some of its nodes |
    /// | `rediss-cluster://..` | the same over TLS (features `cluster` and `tls`) |
    ///
    /// `valkey` may stand for `redis`. Two connections are made, to each node of a cluster two, one for reads and one for
    /// scripts, and every request uses them; they come back by themselves after a failure. While a server is down, calls fail within half a second.
    ///
    /// A warning is logged when the server may evict keys under memory pressure, and when it is a replica: see the
    /// crate's documentation.
    ///
    /// # Errors
    /// Permanent: an address that cannot be used, a feature that is off, a wrong password, a server older than
    /// Redis 6.2, a cluster behind a `redis://` address. Unavailable: nobody answers. Each names the address, without
    /// user and password.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let (link, subscriber) = connect(url).await?;
        Ok(Self { subscriber: Some(Arc::new(subscriber)), ..Self::new(link) })
    }

    /// Begins every key with `prefix`. Default: `session`. Programs with the same prefix, realm and keys share their
    /// sessions. Shorter is cheaper: it is part of the key of every session.
    ///
    /// # Errors
    /// Permanent: the prefix is empty or contains a brace.
    pub fn key_prefix(mut self, prefix: impl Into<String>) -> Result<Self, StoreError> {
        self.prefix = Prefix::new(prefix.into())?;
        Ok(self)
    }

    /// Hears through connections of `client` which sessions were ended elsewhere. Only a store made from a connection of
    /// your own needs this: with it, [`listen`](SessionStore::listen) can push. Of a cluster, any node will do.
    #[must_use]
    pub fn listening_through(mut self, client: Client) -> Self {
        self.subscriber = Some(Arc::new(Subscriber::new(vec![client])));
        self
    }

    fn new(link: Link) -> Self {
        let reads = Arc::new(Reads::new(link.clone()));
        Self { link, reads, prefix: Prefix::default(), seen: Arc::default(), subscriber: None }
    }

    async fn run(
        &self,
        script: &Script,
        base: &Base,
        arguments: &[&[u8]],
        repeat: Repeat,
    ) -> Result<Value, StoreError> {
        self.link.run(script, base, arguments, repeat).await.map_err(store_error)
    }

    /// What the script that touches answers; `None` when Redis did not run it to its end, or not in time.
    async fn touch(&self, base: &Base, id: SessionId, touch: Touch, now: Timestamp) -> Option<Value> {
        let arguments: [&[u8]; 8] = [
            rest_of(&id),
            &seconds(now),
            &duration(touch.interval),
            &touch.idle_timeout.map_or_else(|| number(-1), duration),
            &number(KEPT_BEYOND_END.as_millis()),
            &number(touch.generation >> 28),
            &number(touch.generation & ((1 << 28) - 1)),
            &duration(touch.grace),
        ];
        let answer = self.link.run(&script::TOUCH, base, &arguments, Repeat::Spared);
        let answer = tokio::time::timeout(TOUCH_PATIENCE, answer).await.ok()?;
        answer.inspect_err(|error| tracing::debug!(%error, "last-seen of a session was not written")).ok()
    }
}

/// Uses a connection of your own, made for instance with your own certificates, proxy or credentials provider. It is not
/// made anew when its server becomes a replica, and reads wait where Redis holds back changes: see the crate's
/// documentation on failures.
impl From<ConnectionManager> for RedisStore {
    fn from(manager: ConnectionManager) -> Self {
        Self::new(Link::managed(manager))
    }
}

/// Uses a cluster connection of your own. Build its client with `retries(0)`: what this crate may send again it
/// sends again itself. With retries of its own the client repeats writes whose outcome is unknown, so that an update
/// can count twice. It is not made anew where the driver has lost every node and finds none again, as can happen when a
/// whole cluster starts again (redis 1.8). Do not let it read from replicas: a primary that became one would go on being read.
/// Where Redis holds back changes, reads wait, too, since they share this connection.
#[cfg(feature = "cluster")]
impl From<redis::cluster_async::ClusterConnection> for RedisStore {
    fn from(connection: redis::cluster_async::ClusterConnection) -> Self {
        let connection = || Cluster::of_the_user(connection.clone());
        Self::new(Link::cluster(connection(), connection()))
    }
}

#[async_trait]
impl SessionStore for RedisStore {
    /// One `MGET` of the realm's epoch and the record, together with others that are read just now.
    async fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        let found = self.reads.read(self.prefix.realm(key.realm), key.id).await.map_err(store_error)?;
        let record = found.map(|bytes| decode(key.id, &bytes)).transpose()?;
        Ok(record.filter(|record| now < record.ends_at))
    }

    /// One command: the script that touches, or a plain read when this process knows that nothing is due. A plain read
    /// follows a script that Redis refuses, whatever the reason, or holds back for half a second.
    async fn read_and_touch(
        &self,
        key: RecordKey<'_>,
        touch: Touch,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>, StoreError> {
        if self.seen.is_recent(key.id, now, touch.interval) {
            let record = self.read(key, now).await?;
            let is_due = |record: &SessionRecord| {
                now >= record.last_seen.plus(touch.interval) && touch.is_by_a_good_token(record, now)
            };
            if !record.as_ref().is_some_and(is_due) {
                return Ok(record);
            }
        }
        let record = match self.touch(&self.prefix.shard_of(key.realm, key.id), key.id, touch, now).await {
            Some(Value::BulkString(bytes)) => decode(key.id, &bytes)?,
            Some(Value::Nil) => return Ok(None),
            Some(_) => return Err(unexpected("touch")),
            None => return self.read(key, now).await,
        };
        self.seen.note(key.id, record.last_seen);
        Ok(Some(record))
    }

    async fn create(
        &self,
        realm: &str,
        record: &SessionRecord,
        options: Create,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let base = self.prefix.shard_of(realm, record.id);
        let replaced = options.replaces.map(Replaces::id);
        check_place(record, replaced)?;
        let required = match options.replaces {
            Some(Replaces::MustExist { version, .. }) => version_bytes(version),
            Some(Replaces::IfPresent(_)) | None => Vec::new(),
        };
        let (limit, evicts) = argument::limit(options.limit);
        let arguments: [&[u8]; 9] = [
            rest_of(&record.id),
            &encode(record)?,
            &time_to_live(record.ends_at, now),
            &seconds(now),
            &limit,
            evicts,
            replaced.as_ref().map_or(&[], rest_of),
            &required,
            &argument::marks(options.fence),
        ];
        let answer = self.run(&script::CREATE, &base, &arguments, Repeat::Never).await?;
        let created = answer::created(&answer, base.shard)?;
        if matches!(created, Created::Done { .. }) {
            self.seen.note(record.id, record.last_seen);
        }
        Ok(created)
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let base = self.prefix.shard_of(realm, record.id);
        check_place(record, None)?;
        let before = record.version.checked_sub(1).map(version_bytes);
        let arguments: [&[u8]; 5] = [
            rest_of(&record.id),
            &encode(record)?,
            &time_to_live(record.ends_at, now),
            &seconds(now),
            before.as_ref().map_or(&[], |version| version),
        ];
        let answer = self.run(&script::REPLACE, &base, &arguments, Repeat::Never).await?;
        answer::replaced(&answer)
    }

    async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        let base = self.prefix.shard_of(key.realm, key.id);
        let answer = self.run(&script::DELETE, &base, &[rest_of(&key.id)], Repeat::Never).await?;
        Ok(answer::count(&answer, "delete")? > 0)
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        let (base, place) = self.prefix.account(account);
        let arguments: [&[u8]; 2] = [&place, account.subject.as_bytes()];
        let answer = self.run(&script::LIST, &base, &arguments, Repeat::Once).await?;
        let mut records = answer::listed(answer, base.shard)?;
        records.retain(|record| now < record.ends_at);
        Ok(records)
    }

    /// A pass over all keys of the server (of a cluster: of every node), 500 at a time, and a command for every 64 sessions
    /// that are found in a shard: a second or two for a million keys, in steps of well below a millisecond of the server's
    /// time. Meanwhile it keeps the ids, about 35 bytes a session. Sessions that begin or end while it counts, and those of
    /// a slot that moves, may be counted or not.
    async fn count(&self, realm: &str, now: Timestamp) -> Result<u64, StoreError> {
        count(&self.link, &self.prefix.realm(realm), now).await.map_err(store_error)
    }

    /// One command. It writes when the realm has no mark, which [a day](Fence::SECONDS) without a login or a revocation
    /// can bring about; and makes the marks live for another day when less than half of one is left.
    async fn fence(&self, account: Account<'_>, fresh: Mark, _now: Timestamp) -> Result<Fence, StoreError> {
        let (base, _) = self.prefix.account(account);
        let arguments: [&[u8]; 3] = [account.subject.as_bytes(), fresh.as_bytes(), &argument::marks_live()];
        answer::fence(&self.run(&script::FENCE, &base, &arguments, Repeat::Once).await?)
    }

    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        fresh: Mark,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let (base, place) = self.prefix.account(account);
        let arguments: [&[u8]; 6] = [
            &place,
            account.subject.as_bytes(),
            // What is in another shard is none of the account's.
            keep.as_ref().filter(|id| shard_of(**id) == base.shard).map_or(&[], rest_of),
            &seconds(now),
            fresh.as_bytes(),
            &argument::marks_live(),
        ];
        let answer = self.run(&script::DELETE_ACCOUNT, &base, &arguments, Repeat::Never).await?;
        answer::ended(&answer, base.shard)
    }

    /// Ends every session of the realm in one step for each of its 256 shards, whatever their number, then removes what is
    /// left of them in the background. Answers how many it has removed after at most a second; the rest is removed
    /// uncounted. Where a shard cannot be ended the others are, and the error says to repeat it.
    async fn delete_realm(&self, realm: &str, _fresh: Mark) -> Result<u64, StoreError> {
        let realm = self.prefix.realm(realm);
        if end_epochs(&self.link, &realm).await.map_err(store_error)? {
            Ok(sweep(self.link.clone(), realm).await)
        } else {
            Ok(0)
        }
    }

    /// Answers 0: Redis removes expired records by itself, from a minute after their end on, as its sampling finds them.
    async fn delete_expired(&self, _now: Timestamp, _limit: usize) -> Result<usize, StoreError> {
        Ok(0)
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
        let base = self.prefix.shard_of(realm, record.id);
        check_place(record, None)?;
        let adopted = adopt(&self.link, &base, record, adoption, now).await?;
        if matches!(adopted, Adopted::Done { .. }) {
            self.seen.note(record.id, record.last_seen);
        }
        Ok(adopted)
    }

    /// One command; for the whole realm one for each of its 256 shards. Where a shard cannot be reached the others are
    /// barred, and the error says to repeat it.
    async fn bar(
        &self,
        realm: &str,
        subject: Option<&str>,
        bar: Bar,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match subject {
            Some(subject) => {
                let (base, _) = self.prefix.account(Account { realm, subject });
                bar_account(&self.link, &base, subject, bar, now).await
            }
            None => bar_realm(&self.link, &self.prefix.realm(realm), bar, now).await,
        }
    }

    /// Subscribes to the realm's channel, on a connection of its own that ends with this call. A store made from a
    /// connection of your own answers `Ok` unless it is [listening through](RedisStore::listening_through) a client.
    async fn listen(
        &self,
        realm: &str,
        heard: &(dyn Fn(Invalidation) + Send + Sync),
    ) -> Result<(), StoreError> {
        match &self.subscriber {
            Some(subscriber) => Err(subscriber.listen(&self.prefix.realm(realm).channel(), heard).await),
            None => Ok(()),
        }
    }

    /// A timer of tokio.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// An account's sessions are in its shard, where each promise is kept in one step.
fn check_place(record: &SessionRecord, replaced: Option<SessionId>) -> Result<(), StoreError> {
    let (place, account) = (record.id.place(), record.subject.as_deref().map(Place::of));
    if account.is_some_and(|account| account != place) || replaced.is_some_and(|id| id.place() != place) {
        return Err(StoreError::permanent(
            "a session must have an id of its account's place, and can take the place of one there only: make it with \
             SessionId::new(Place::of(subject), ..)",
        ));
    }
    Ok(())
}

impl std::fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisStore")
            .field("link", &self.link)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

//! The store: what each operation of the contract asks of Redis.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use redis::aio::ConnectionManager;
use redis::{Client, RedisResult, Value};
use session_core::store::{
    Account, Create, Created, Invalidation, RecordKey, Replaced, Replaces, SessionLimit, SessionRecord,
    SessionStore, StoreError, Touch,
};
use session_core::{SessionId, Timestamp};

use crate::connect::connect;
use crate::error::{store_error, unexpected};
use crate::keys::{Base, Prefix, bucket_of};
use crate::link::{Link, Repeat};
use crate::reads::Reads;
use crate::record::{decode, encode};
use crate::script::{self, Script};
use crate::seen::Seen;
use crate::subscriber::Subscriber;

/// Redis keeps a record so much longer than it is good: clocks may differ, and ours decides.
const KEPT_BEYOND_END: Duration = Duration::from_secs(60);
/// How many keys one step of a sweep looks at: well below a millisecond of the server's time.
const SWEEP_STEP: u32 = 500;
/// How long a read waits for last-seen to be written: Redis can hold back changes while it answers reads.
const TOUCH_PATIENCE: Duration = Duration::from_millis(500);
/// How long `delete_realm` counts what it ended before it answers.
const SWEEP_ANSWER: Duration = Duration::from_secs(1);

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
            id.as_bytes(),
            &seconds(now),
            &number(duration(touch.interval)),
            &touch.idle_timeout.map_or_else(|| number(-1), |idle| number(duration(idle))),
            &number(KEPT_BEYOND_END.as_millis()),
            &number(touch.generation >> 28),
            &number(touch.generation & ((1 << 28) - 1)),
            &number(duration(touch.grace)),
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
/// can count twice. Do not let it read from replicas: a primary that became one would go on being read.
/// Where Redis holds back changes, reads wait, too, since they share this connection.
#[cfg(feature = "cluster")]
impl From<redis::cluster_async::ClusterConnection> for RedisStore {
    fn from(connection: redis::cluster_async::ClusterConnection) -> Self {
        Self::new(Link::cluster(connection.clone(), connection))
    }
}

#[async_trait]
impl SessionStore for RedisStore {
    /// One `MGET` of the realm's epoch and the record, together with others that are read just now.
    async fn read(&self, key: RecordKey<'_>, now: Timestamp) -> Result<Option<SessionRecord>, StoreError> {
        let found = self.reads.read(&self.prefix.realm(key.realm), key.id).await.map_err(store_error)?;
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
        let record = match self.touch(&self.prefix.realm(key.realm), key.id, touch, now).await {
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
        let base = self.prefix.realm(realm);
        let replaced = options.replaces.map(Replaces::id);
        let required = match options.replaces {
            Some(Replaces::MustExist { version, .. }) => version.to_be_bytes().to_vec(),
            Some(Replaces::IfPresent(_)) | None => Vec::new(),
        };
        let (limit, evicts) = match options.limit {
            None => (-1, "0"),
            Some(SessionLimit::Refuse(most)) => (i64::from(most), "0"),
            Some(SessionLimit::EvictLeastRecentlySeen(most)) => (i64::from(most), "1"),
        };
        let arguments: [&[u8]; 8] = [
            record.id.as_bytes(),
            &encode(record)?,
            &time_to_live(record, now),
            &seconds(now),
            replaced.as_ref().map_or(&[], |id| id.as_bytes()),
            &required,
            &number(limit),
            evicts.as_bytes(),
        ];
        let answer = self.run(&script::CREATE, &base, &arguments, Repeat::Never).await?;
        match verdict(&answer) {
            Some((b'D', evicted)) => {
                self.seen.note(record.id, record.last_seen);
                Ok(Created::Done { evicted: ids_in(evicted) })
            }
            Some((b'T', _)) => Ok(Created::IdTaken),
            Some((b'L', _)) => Ok(Created::LimitReached),
            Some((b'G', _)) => Ok(Created::PredecessorGone),
            Some((b'C', _)) => Ok(Created::PredecessorChanged),
            _ => Err(unexpected("create")),
        }
    }

    async fn replace(
        &self,
        realm: &str,
        record: &SessionRecord,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let base = self.prefix.realm(realm);
        let before = record.version.checked_sub(1).map(u64::to_be_bytes);
        let arguments: [&[u8]; 5] = [
            record.id.as_bytes(),
            &encode(record)?,
            &time_to_live(record, now),
            &seconds(now),
            before.as_ref().map_or(&[], |version| version),
        ];
        let answer = self.run(&script::REPLACE, &base, &arguments, Repeat::Never).await?;
        match verdict(&answer) {
            Some((b'D', _)) => Ok(Replaced::Done),
            Some((b'C', _)) => Ok(Replaced::Conflict),
            Some((b'G', _)) => Ok(Replaced::Gone),
            Some((b'S', _)) => Err(StoreError::permanent(
                "a session cannot move to another account: log in as the other account instead",
            )),
            Some((b'U', _)) => Err(StoreError::permanent(
                "a session in Redis is in a layout that this program does not know and does not overwrite: deploy \
                 the newer version of session-store-redis everywhere, or revoke the session",
            )),
            _ => Err(unexpected("replace")),
        }
    }

    async fn delete(&self, key: RecordKey<'_>) -> Result<bool, StoreError> {
        let base = self.prefix.realm(key.realm);
        match self.run(&script::DELETE, &base, &[key.id.as_bytes()], Repeat::Never).await? {
            Value::Int(deleted) => Ok(deleted > 0),
            _ => Err(unexpected("delete")),
        }
    }

    async fn list(&self, account: Account<'_>, now: Timestamp) -> Result<Vec<SessionRecord>, StoreError> {
        let base = self.prefix.realm(account.realm);
        let arguments: [&[u8]; 2] = [&bucket_of(account.subject), account.subject.as_bytes()];
        let Value::Array(found) = self.run(&script::LIST, &base, &arguments, Repeat::Once).await? else {
            return Err(unexpected("list"));
        };
        let mut records = Vec::with_capacity(found.len() / 2);
        for pair in found.chunks(2) {
            let [Value::BulkString(id), Value::BulkString(bytes)] = pair else {
                return Err(unexpected("list"));
            };
            let Some(&id) = ids_in(id).first() else { return Err(unexpected("list")) };
            records.push(decode(id, bytes)?);
        }
        records.retain(|record| now < record.ends_at);
        Ok(records)
    }

    async fn delete_account(
        &self,
        account: Account<'_>,
        keep: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, StoreError> {
        let base = self.prefix.realm(account.realm);
        let arguments: [&[u8]; 4] = [
            &bucket_of(account.subject),
            account.subject.as_bytes(),
            keep.as_ref().map_or(&[], |id| id.as_bytes()),
            &seconds(now),
        ];
        match self.run(&script::DELETE_ACCOUNT, &base, &arguments, Repeat::Never).await? {
            Value::BulkString(ended) => Ok(ids_in(&ended)),
            _ => Err(unexpected("delete_account")),
        }
    }

    /// Ends every session of the realm in one step, whatever their number, then removes what is left of them in the
    /// background. Answers how many it has removed after at most a second; the rest is removed uncounted.
    async fn delete_realm(&self, realm: &str) -> Result<u64, StoreError> {
        let base = self.prefix.realm(realm);
        match self.run(&script::END_EPOCH, &base, &[], Repeat::Once).await? {
            Value::Int(0) => return Ok(0),
            Value::Int(_) => {}
            _ => return Err(unexpected("delete_realm")),
        }
        let swept = Arc::new(AtomicU64::new(0));
        // A task of its own: a caller that gives up does not stop it. What it cannot remove Redis removes in time.
        let sweep = tokio::spawn(sweep(self.link.clone(), base, swept.clone()));
        let _ = tokio::time::timeout(SWEEP_ANSWER, sweep).await;
        Ok(swept.load(Ordering::Relaxed))
    }

    /// Answers 0: Redis removes expired records by itself, from a minute after their end on, as its sampling finds them.
    async fn delete_expired(&self, _now: Timestamp, _limit: usize) -> Result<usize, StoreError> {
        Ok(0)
    }

    /// Subscribes to the realm's channel, on a connection of its own that ends with this call. A store made from a
    /// connection of your own answers `Ok` unless it is [listening through](RedisStore::listening_through) a client.
    async fn listen(
        &self,
        realm: &str,
        heard: &(dyn Fn(Invalidation) + Send + Sync),
    ) -> Result<(), StoreError> {
        match &self.subscriber {
            Some(subscriber) => Err(subscriber.listen(&self.prefix.realm(realm), heard).await),
            None => Ok(()),
        }
    }

    /// A timer of tokio.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Removes the records of earlier epochs, a few at a time.
async fn sweep(link: Link, base: Base, swept: Arc<AtomicU64>) -> RedisResult<()> {
    let pattern = base.pattern();
    let mut cursor = b"0".to_vec();
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(SWEEP_STEP);
        let found = link.send(scan, &base, Repeat::Once).await?;
        let (next, keys): (Vec<u8>, Vec<Vec<u8>>) = redis::from_redis_value(found)?;
        let ids: Vec<&[u8]> = keys.iter().filter_map(|key| base.id_in(key)).collect();
        if !ids.is_empty() {
            let answer = link.run(&script::SWEEP, &base, &ids, Repeat::Once).await?;
            swept.fetch_add(redis::from_redis_value(answer)?, Ordering::Relaxed);
        }
        if next == b"0" {
            return Ok(());
        }
        cursor = next;
    }
}

impl std::fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisStore")
            .field("link", &self.link)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// Milliseconds from now, by the clock that was passed in: the server's may be wrong.
fn time_to_live(record: &SessionRecord, now: Timestamp) -> Vec<u8> {
    number((record.ends_at.remaining(now) + KEPT_BEYOND_END).as_millis())
}

fn seconds(time: Timestamp) -> Vec<u8> {
    number(time.unix_seconds())
}

/// Whole seconds, at most as many as time has.
fn duration(duration: Duration) -> i64 {
    Timestamp::EPOCH.plus(duration).unix_seconds()
}

fn number(number: impl ToString) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// The letter that a script answers, and what follows it.
fn verdict(answer: &Value) -> Option<(u8, &[u8])> {
    match answer {
        Value::BulkString(bytes) => bytes.split_first().map(|(letter, rest)| (*letter, rest)),
        _ => None,
    }
}

pub(crate) fn ids_in(bytes: &[u8]) -> Vec<SessionId> {
    let ids = bytes.chunks_exact(16).filter_map(|id| id.try_into().ok());
    ids.map(SessionId::from_bytes).collect()
}

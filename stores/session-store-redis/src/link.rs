//! The connection: what is sent again after a failure, and what never is.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::future::join;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, RedisResult, Value};

use crate::error::{is_no_script, is_not_done, needs_new_connection, stale_replica};
use crate::info::Role;
use crate::keys::{Base, Realm};
use crate::patience::CONNECT;
use crate::renewal::Renewal;
use crate::script::Script;
use crate::watch::Watch;

#[cfg(feature = "cluster")]
use crate::cluster::Cluster;

/// How often a command that was turned away is sent.
const ATTEMPTS: u32 = 3;

/// What may be done with a command whose outcome is unknown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It only reads, and no script is needed: once more.
    Read,
    /// It changes nothing, or the same again: once more.
    Once,
    /// Its outcome stays unknown.
    Never,
    /// It is not needed: whatever turns it away, something else does as well.
    Spared,
}

#[derive(Clone)]
pub(crate) enum Link {
    Single(Arc<Single>),
    #[cfg(feature = "cluster")]
    Cluster(Arc<Both<Cluster>>),
}

/// Reads have a connection of their own: Redis can hold back changes while it answers reads (`CLIENT PAUSE .. WRITE`, as
/// failovers and shutdowns do), and then also holds back whatever follows on the same connection. Scripts count as changes.
pub(crate) struct Both<T> {
    pub(crate) reads: T,
    pub(crate) changes: T,
}

impl<T> Both<T> {
    fn of(&self, repeat: Repeat) -> &T {
        if repeat == Repeat::Read { &self.reads } else { &self.changes }
    }
}

/// One server.
pub(crate) struct Single {
    connections: Both<Connection>,
    /// How to make other connections; `None` when the user made this one.
    renewal: Option<Renewal<Client>>,
}

struct Connection {
    manager: RwLock<ConnectionManager>,
    watch: Watch,
}

impl Link {
    pub(crate) fn connect_lazily(client: Client) -> RedisResult<Self> {
        let connections =
            Both { reads: Connection::new(manager(&client)?), changes: Connection::new(manager(&client)?) };
        let renewal = Some(Renewal::with(client));
        Ok(Self::Single(Arc::new(Single { connections, renewal })))
    }

    pub(crate) fn managed(manager: ConnectionManager) -> Self {
        let connections = Both { reads: Connection::new(manager.clone()), changes: Connection::new(manager) };
        Self::Single(Arc::new(Single { connections, renewal: None }))
    }

    #[cfg(feature = "cluster")]
    pub(crate) fn cluster(reads: Cluster, changes: Cluster) -> Self {
        Self::Cluster(Arc::new(Both { reads, changes }))
    }

    /// Runs a script; a server that does not know it yet, or no more, is given it.
    pub(crate) async fn run(
        &self,
        script: &Script,
        base: &Base,
        arguments: &[&[u8]],
        repeat: Repeat,
    ) -> RedisResult<Value> {
        match self.send(script.by_hash(base, arguments), base, repeat).await {
            Err(error) if is_no_script(&error) => {
                self.send(script.in_full(base, arguments), base, repeat).await
            }
            answer => answer,
        }
    }

    /// Sends a command to the server that has the shard.
    pub(crate) async fn send(&self, command: Cmd, base: &Base, repeat: Repeat) -> RedisResult<Value> {
        let mut repeats = u32::from(matches!(repeat, Repeat::Read | Repeat::Once));
        let mut attempt = 1;
        loop {
            let error = match self.send_once(&command, base, repeat).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let again = attempt < ATTEMPTS && repeat != Repeat::Spared && is_not_done(&error);
            let repeated = !again && repeats > 0 && error.is_io_error() && !error.is_timeout();
            if !again && !repeated {
                return Err(error);
            }
            repeats -= u32::from(repeated);
            tokio::time::sleep(Duration::from_millis(5) * attempt).await;
            attempt += 1;
        }
    }

    /// Whether the shards of a realm are on several servers.
    pub(crate) fn is_spread(&self) -> bool {
        !matches!(self, Self::Single(_))
    }

    /// A shard on each of the servers, by which it is reached.
    pub(crate) async fn nodes(&self, realm: &Realm) -> RedisResult<Vec<Base>> {
        match self {
            Self::Single(_) => Ok(vec![realm.shard(0)]),
            #[cfg(feature = "cluster")]
            Self::Cluster(_) => {
                let mut slots = redis::cmd("CLUSTER");
                slots.arg("SLOTS");
                let ranges = self.send(slots, &realm.shard(0), Repeat::Once).await?;
                Ok(crate::slots::one_on_each(&ranges, realm))
            }
        }
    }

    /// Takes other connections, if it makes them itself.
    pub(crate) fn renew(&self) {
        match self {
            Self::Single(single) => {
                single.renew();
            }
            // Each of its connections is looked after.
            #[cfg(feature = "cluster")]
            Self::Cluster(_) => {}
        }
    }

    #[cfg_attr(
        not(feature = "cluster"),
        expect(unused_variables, reason = "a single server has every shard")
    )]
    async fn send_once(&self, command: &Cmd, base: &Base, repeat: Repeat) -> RedisResult<Value> {
        match self {
            Self::Single(single) => single.send(command, repeat).await,
            #[cfg(feature = "cluster")]
            Self::Cluster(connections) => connections.of(repeat).send(command, base).await,
        }
    }
}

impl Single {
    async fn send(&self, command: &Cmd, repeat: Repeat) -> RedisResult<Value> {
        let connection = self.connections.of(repeat);
        // A server that is no primary refuses a change by itself: there is no script that answers before it writes.
        if repeat == Repeat::Never {
            self.ask(connection, command).await
        } else {
            self.read(connection, command).await
        }
    }

    async fn ask(&self, connection: &Connection, command: &Cmd) -> RedisResult<Value> {
        let answer = connection.send(command).await;
        // The manager replaces a connection that broke. One that works but leads to the wrong place is replaced here.
        if answer.as_ref().is_err_and(needs_new_connection) {
            self.renew();
        }
        answer
    }

    /// Sends what a replica answers, too. Once a second the question whether the server is one goes along. Then the
    /// connection is made anew, for the address may lead elsewhere by now, and what answers there is taken.
    async fn read(&self, connection: &Connection, command: &Cmd) -> RedisResult<Value> {
        let (now, watch) = (Instant::now(), &connection.watch);
        let is_due = watch.is_due(now);
        if !is_due && watch.is_stale(now) {
            return Err(stale_replica());
        }
        if watch.is_silent(now) {
            self.renew();
        }
        if !is_due {
            return self.ask(connection, command).await;
        }
        let (role, answer) = join(connection.role(), self.ask(connection, command)).await;
        let Some(role) = role else { return answer };
        watch.note(role, now);
        if role != Role::Primary && self.renew() {
            return self.ask(connection, command).await;
        }
        if watch.is_stale(now) { Err(stale_replica()) } else { answer }
    }

    /// Whether other connections take the place of these.
    fn renew(&self) -> bool {
        let Some(client) = self.renewal.as_ref().and_then(Renewal::begin) else { return false };
        let (Ok(reads), Ok(changes)) = (manager(client), manager(client)) else { return false };
        self.connections.reads.becomes(reads);
        self.connections.changes.becomes(changes);
        true
    }
}

impl Connection {
    fn new(manager: ConnectionManager) -> Self {
        Self { manager: RwLock::new(manager), watch: Watch::default() }
    }

    fn becomes(&self, manager: ConnectionManager) {
        *self.manager.write().unwrap_or_else(PoisonError::into_inner) = manager;
        self.watch.starts_again();
    }

    async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        let mut manager = self.manager.read().unwrap_or_else(PoisonError::into_inner).clone();
        let answer = manager.send_packed_command(command).await;
        self.watch.hears();
        answer.and_then(Value::extract_error)
    }

    /// `None` to those who may not ask.
    async fn role(&self) -> Option<Role> {
        let mut info = redis::cmd("INFO");
        info.arg("replication");
        Role::of(&redis::from_redis_value::<String>(self.send(&info).await.ok()?).ok()?)
    }
}

/// Connects when first used. Fails fast while the server is down: core has a deadline, and a request that fails at
/// once is better than one that fails late.
fn manager(client: &Client) -> RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(None)
        .set_number_of_retries(1)
        .set_min_delay(Duration::from_millis(50))
        .set_max_delay(Duration::from_millis(200))
        .set_pipeline_buffer_size(1024);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Single(_) => "Single",
            #[cfg(feature = "cluster")]
            Self::Cluster(_) => "Cluster",
        })
    }
}

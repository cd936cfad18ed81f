//! The connection: what is sent again after a failure, and what never is.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::future::join;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, RedisResult, Value};

use crate::error::{is_no_script, is_not_done, needs_new_connection, stale_replica};
use crate::keys::Base;
use crate::script::Script;
use crate::watch::{Role, Watch};

#[cfg(feature = "cluster")]
use redis::cluster_async::ClusterConnection;
#[cfg(feature = "cluster")]
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};

/// How often a command that was turned away is sent.
const ATTEMPTS: u32 = 3;
/// A connection that is of no use is replaced at most so often.
const RENEWAL: Duration = Duration::from_millis(250);

/// What may be done with a command whose outcome is unknown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
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
    Cluster(ClusterConnection),
}

/// One server.
pub(crate) struct Single {
    manager: RwLock<ConnectionManager>,
    /// How to make another connection; `None` when the user made this one.
    renewal: Option<Renewal>,
    watch: Watch,
}

struct Renewal {
    client: Client,
    last: Mutex<Instant>,
}

impl Link {
    pub(crate) fn connect_lazily(client: Client) -> RedisResult<Self> {
        let manager = manager(&client)?;
        let renewal = Some(Renewal { client, last: Mutex::new(Instant::now()) });
        Ok(Self::Single(Arc::new(Single { manager: RwLock::new(manager), renewal, watch: Watch::default() })))
    }

    pub(crate) fn managed(manager: ConnectionManager) -> Self {
        let manager = RwLock::new(manager);
        Self::Single(Arc::new(Single { manager, renewal: None, watch: Watch::default() }))
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

    /// Sends a command to the server that has the realm.
    pub(crate) async fn send(&self, command: Cmd, base: &Base, repeat: Repeat) -> RedisResult<Value> {
        let mut repeats = u32::from(repeat == Repeat::Once);
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

    #[cfg_attr(
        not(feature = "cluster"),
        expect(unused_variables, reason = "a single server has every realm")
    )]
    async fn send_once(&self, command: &Cmd, base: &Base, repeat: Repeat) -> RedisResult<Value> {
        match self {
            // A server that is no primary refuses a change by itself.
            Self::Single(single) if repeat == Repeat::Never => single.send(command).await,
            Self::Single(single) => single.read(command).await,
            #[cfg(feature = "cluster")]
            Self::Cluster(connection) => {
                let mut connection = connection.clone();
                connection.route_command(command.clone(), primary_of(base)).await?.extract_error()
            }
        }
    }
}

/// The primary of the realm's slot, also on a connection that reads from replicas.
#[cfg(feature = "cluster")]
fn primary_of(base: &Base) -> RoutingInfo {
    let route = Route::new(base.slot(), SlotAddr::Master);
    RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(route))
}

impl Single {
    fn manager(&self) -> ConnectionManager {
        self.manager.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        let answer = self.manager().send_packed_command(command).await.and_then(Value::extract_error);
        // The manager replaces a connection that broke. One that works but leads to the wrong place is replaced here.
        if answer.as_ref().is_err_and(needs_new_connection) {
            self.renew();
        }
        answer
    }

    /// Sends what a replica answers, too. Once a second the question whether the server is one goes along. Then the
    /// connection is made anew, for the address may lead elsewhere by now, and what answers there is taken.
    async fn read(&self, command: &Cmd) -> RedisResult<Value> {
        let now = Instant::now();
        let (role, answer) = match self.watch.is_due(now) {
            true => join(self.role(), self.send(command)).await,
            false if self.watch.is_stale(now) => return Err(stale_replica()),
            false => return self.send(command).await,
        };
        let Some(role) = role else { return answer };
        self.watch.note(role, now);
        if role != Role::Primary && self.renew() {
            return self.send(command).await;
        }
        if self.watch.is_stale(now) { Err(stale_replica()) } else { answer }
    }

    /// `None` to those who may not ask.
    async fn role(&self) -> Option<Role> {
        let mut info = redis::cmd("INFO");
        info.arg("replication");
        let answer = self.manager().send_packed_command(&info).await.ok()?;
        Role::of(&redis::from_redis_value::<String>(answer).ok()?)
    }

    /// Whether another connection takes the place of this one.
    fn renew(&self) -> bool {
        let Some(renewal) = &self.renewal else { return false };
        let mut last = renewal.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() < RENEWAL {
            return false;
        }
        let Ok(manager) = manager(&renewal.client) else { return false };
        *last = Instant::now();
        *self.manager.write().unwrap_or_else(PoisonError::into_inner) = manager;
        self.watch.starts_again();
        true
    }
}

/// Connects when first used. Fails fast while the server is down: core has a deadline, and a request that fails at
/// once is better than one that fails late.
fn manager(client: &Client) -> RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(Duration::from_secs(1)))
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

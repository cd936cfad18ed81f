//! A connection to a cluster, and another one where it has lost its way.

use std::sync::{PoisonError, RwLock};

use redis::cluster::{ClusterClient, ClusterConfig};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::{Cmd, ErrorKind, RedisResult, Value};

use crate::keys::Base;
use crate::patience::LOST;
use crate::renewal::Renewal;

/// The driver looks after its nodes, and asks those that it has for the others. When it has lost all of them, as when the
/// whole cluster starts again, it can stay without any for good (redis 1.8). Then a new one takes its place.
pub(crate) struct Cluster {
    connection: RwLock<ClusterConnection>,
    /// `None` when the user made the connection.
    renewal: Option<Renewal<ClusterClient>>,
}

impl Cluster {
    pub(crate) async fn connect(client: ClusterClient) -> RedisResult<Self> {
        let connection = client.get_async_connection().await?;
        Ok(Self { connection: RwLock::new(connection), renewal: Some(Renewal::with(client)) })
    }

    pub(crate) fn of_the_user(connection: ClusterConnection) -> Self {
        Self { connection: RwLock::new(connection), renewal: None }
    }

    /// What one of its nodes says of the cluster.
    pub(crate) async fn info(&self) -> RedisResult<String> {
        redis::cmd("CLUSTER").arg("INFO").query_async(&mut self.connection()).await
    }

    pub(crate) async fn send(&self, command: &Cmd, base: &Base) -> RedisResult<Value> {
        let answer = self.connection().route_command(command.clone(), primary_of(base)).await;
        if answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::ClusterConnectionNotFound) {
            self.renew();
        }
        answer?.extract_error()
    }

    fn connection(&self) -> ClusterConnection {
        self.connection.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The new one connects by itself, and lets commands wait until it has.
    fn renew(&self) {
        if let Some(client) = self.renewal.as_ref().and_then(Renewal::begin) {
            // The only setting of the client that this would take away.
            let config = ClusterConfig::new().set_response_timeout(LOST);
            let connection = client.get_pending_async_connection_with_config(config);
            *self.connection.write().unwrap_or_else(PoisonError::into_inner) = connection;
        }
    }
}

/// The primary of the shard's slot, also on a connection that reads from replicas.
fn primary_of(base: &Base) -> RoutingInfo {
    let route = Route::new(base.slot(), SlotAddr::Master);
    RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(route))
}

//! From an address to a connection, and whether what answers there can be used.

use redis::io::tcp::{TcpSettings, socket2};
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo, ServerErrorKind};
use session_core::store::StoreError;

use crate::address::Address;
#[cfg(feature = "cluster")]
use crate::cluster::Cluster;
use crate::error::{connect_error, store_error};
use crate::info::check;
use crate::link::Link;
use crate::patience::{CONNECT, LOST};
use crate::subscriber::Subscriber;

const CLUSTER_IS_OFF: &str =
    "the address is that of a Redis cluster: turn on the feature `cluster` of session-store-redis";

pub(crate) async fn connect(url: &str) -> Result<(Link, Subscriber), StoreError> {
    let address = Address::parse(url)?;
    let place = address.place();
    to(address).await.map_err(|error| error.about(place))
}

async fn to(address: Address) -> Result<(Link, Subscriber), StoreError> {
    if address.tls {
        prepare_tls()?;
    }
    // Before anybody is asked: it is as true when nobody answers.
    if address.cluster && !cfg!(feature = "cluster") {
        return Err(StoreError::permanent(CLUSTER_IS_OFF));
    }
    let nodes = address.nodes.iter().map(|node| settings(node)).collect::<Result<Vec<_>, _>>()?;
    let clients =
        nodes.iter().cloned().map(Client::open).collect::<Result<Vec<_>, _>>().map_err(store_error)?;
    let is_cluster = ask(&clients).await?;
    let link = match clients.as_slice() {
        [client] if !address.cluster => connect_single(client.clone(), is_cluster)?,
        _ => connect_cluster(nodes, is_cluster).await?,
    };
    Ok((link, Subscriber::new(clients)))
}

/// Asks the first server that answers whether it is one that can be used, and of a cluster.
async fn ask(clients: &[Client]) -> Result<Option<bool>, StoreError> {
    let mut last = StoreError::permanent("the address of Redis names no server");
    for client in clients {
        match info(client).await {
            Ok(info) => return info.as_deref().map_or(Ok(None), check),
            // Another node would say the same.
            Err(error) if !error.is_retryable() => return Err(error),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// What a server says about itself; `None` to those who may not ask.
async fn info(client: &Client) -> Result<Option<String>, StoreError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(CONNECT));
    let answer = async {
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        redis::cmd("INFO").query_async(&mut connection).await
    };
    match answer.await {
        Ok(info) => Ok(Some(info)),
        Err(error) if error.kind() == ServerErrorKind::NoPerm.into() => Ok(None),
        Err(error) => Err(connect_error(error)),
    }
}

fn connect_single(client: Client, is_cluster: Option<bool>) -> Result<Link, StoreError> {
    if is_cluster == Some(true) {
        return Err(StoreError::permanent(
            "this Redis is a node of a cluster: use an address that begins with redis-cluster:// (feature `cluster`)",
        ));
    }
    Link::connect_lazily(client).map_err(store_error)
}

#[cfg(feature = "cluster")]
async fn connect_cluster(nodes: Vec<ConnectionInfo>, is_cluster: Option<bool>) -> Result<Link, StoreError> {
    if is_cluster == Some(false) {
        return Err(StoreError::permanent(
            "this Redis is not part of a cluster: use an address that begins with redis:// or rediss://",
        ));
    }
    // A key that has moved ahead of its slot is read where it is.
    let reads = cluster(nodes.clone(), 1).await?;
    check_cluster(&reads.info().await.map_err(store_error)?)?;
    // What may be sent again is sent again by `Link`. And a script must not follow a key: at the other node it would take
    // for absent what has not moved yet.
    let changes = cluster(nodes, 0).await?;
    Ok(Link::cluster(reads, changes))
}

#[cfg(feature = "cluster")]
async fn cluster(nodes: Vec<ConnectionInfo>, retries: u32) -> Result<Cluster, StoreError> {
    let client = redis::cluster::ClusterClient::builder(nodes)
        .connection_timeout(CONNECT)
        .response_timeout(LOST)
        .tcp_settings(tcp_settings())
        .retries(retries)
        .min_retry_wait(1)
        .max_retry_wait(10)
        .build()
        .map_err(store_error)?;
    Cluster::connect(client).await.map_err(store_error)
}

#[cfg(feature = "cluster")]
fn check_cluster(state: &str) -> Result<(), StoreError> {
    if crate::info::field(state, "cluster_state").is_some_and(|state| state != "ok") {
        return Err(StoreError::unavailable(
            "the Redis cluster is not ready: see CLUSTER INFO on its nodes; it may still be electing or lack slots",
        ));
    }
    Ok(())
}

#[cfg(not(feature = "cluster"))]
async fn connect_cluster(_nodes: Vec<ConnectionInfo>, _is_cluster: Option<bool>) -> Result<Link, StoreError> {
    Err(StoreError::permanent(CLUSTER_IS_OFF))
}

fn settings(node: &str) -> Result<ConnectionInfo, StoreError> {
    let info = node.into_connection_info().map_err(store_error)?;
    Ok(info.set_tcp_settings(tcp_settings()))
}

fn tcp_settings() -> TcpSettings {
    let settings = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(socket2::TcpKeepalive::new().with_time(LOST).with_interval(CONNECT));
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let settings = settings.set_user_timeout(LOST);
    settings
}

#[cfg(feature = "tls")]
fn prepare_tls() -> Result<(), StoreError> {
    use rustls::crypto::{CryptoProvider, ring};
    // rustls asks for a choice once per process; the program's own stays.
    if CryptoProvider::get_default().is_none() {
        let _ = ring::default_provider().install_default();
    }
    Ok(())
}

#[cfg(not(feature = "tls"))]
fn prepare_tls() -> Result<(), StoreError> {
    Err(StoreError::permanent("the address asks for TLS: turn on the feature `tls` of session-store-redis"))
}

#[cfg(all(test, feature = "cluster"))]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_that_is_not_ready_may_become_so() {
        assert!(check_cluster("cluster_state:fail\r\n").is_err_and(|error| error.is_retryable()));
        assert!(check_cluster("cluster_state:ok\r\n").is_ok());
    }
}

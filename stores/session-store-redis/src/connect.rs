//! From an address to a connection, and whether what answers there can be used.

use std::time::Duration;

use redis::io::tcp::{TcpSettings, socket2};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ServerErrorKind,
};
use session_core::store::StoreError;

use crate::error::{connect_error, store_error};
use crate::link::Link;
use crate::subscriber::Subscriber;
use crate::watch::Role;

/// A server that does not acknowledge packets for so long is taken for lost.
pub(crate) const LOST: Duration = Duration::from_secs(5);
pub(crate) const CONNECT: Duration = Duration::from_secs(1);
/// With `SET .. PX`, `HRANDFIELD`, and scripts that may call them.
const OLDEST: (u32, u32) = (6, 2);
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
            Ok(info) => return check(info),
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
    let client = redis::cluster::ClusterClient::builder(nodes)
        .connection_timeout(CONNECT)
        .response_timeout(LOST)
        .tcp_settings(tcp_settings())
        // What may be sent again is sent again by `Link`.
        .retries(0)
        .build()
        .map_err(store_error)?;
    let mut reads = client.get_async_connection().await.map_err(store_error)?;
    let state = redis::cmd("CLUSTER").arg("INFO").query_async::<String>(&mut reads).await;
    check_cluster(&state.map_err(store_error)?)?;
    let changes = client.get_async_connection().await.map_err(store_error)?;
    Ok(Link::cluster(reads, changes))
}

#[cfg(feature = "cluster")]
fn check_cluster(state: &str) -> Result<(), StoreError> {
    if field(state, "cluster_state").is_some_and(|state| state != "ok") {
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

/// What an address says.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    /// As it was written, for errors.
    scheme: String,
    cluster: bool,
    tls: bool,
    nodes: Vec<String>,
}

/// The store that serves a URL of a SQL database.
fn store_of_another(url: &str) -> Option<&'static str> {
    Some(match url.split(':').next()? {
        "postgres" | "postgresql" => "PostgresStore",
        "mysql" | "mariadb" => "MySqlStore",
        "sqlite" => "SqliteStore",
        _ => return None,
    })
}

impl Address {
    fn parse(url: &str) -> Result<Self, StoreError> {
        let wrong = |what: &str| StoreError::permanent(format!("the address of Redis {what}"));
        if let Some(store) = store_of_another(url) {
            return Err(wrong(&format!(
                "is one of another database: {store} of session-store-sqlx serves it"
            )));
        }
        let (scheme, rest) = url.split_once("://").ok_or_else(|| {
            wrong("must begin with redis://, rediss://, redis+unix://, redis-cluster:// or rediss-cluster://")
        })?;
        let written = scheme.to_owned();
        let (cluster, scheme) =
            scheme.strip_suffix("-cluster").map_or((false, scheme), |scheme| (true, scheme));
        let tls = match scheme {
            "redis" | "valkey" | "redis+unix" | "valkey+unix" | "unix" => false,
            "rediss" | "valkeys" => true,
            _ => {
                return Err(wrong(
                    "has an unknown scheme: use redis, rediss, redis+unix, redis-cluster or rediss-cluster",
                ));
            }
        };
        if !cluster {
            return Ok(Self { scheme: written, cluster, tls, nodes: vec![url.to_owned()] });
        }
        let (credentials, hosts) = match rest.rsplit_once('@') {
            Some((credentials, hosts)) => (format!("{credentials}@"), hosts),
            None => (String::new(), rest),
        };
        let hosts = hosts.trim_end_matches('/').split(',').map(str::trim);
        let nodes: Vec<String> = hosts
            .map(|host| if host.is_empty() { None } else { Some(format!("{scheme}://{credentials}{host}")) })
            .collect::<Option<_>>()
            .ok_or_else(|| wrong("names no node of the cluster: redis-cluster://host:port,host:port"))?;
        Ok(Self { scheme: written, cluster, tls, nodes })
    }

    /// As errors name it: without user and password, which are easily mistaken for each other. Only its scheme where it
    /// cannot be told for certain what is host and what is password.
    fn place(&self) -> String {
        let nodes: Option<Vec<_>> = self.nodes.iter().map(|node| host_in(node)).collect();
        format!("{}://{}", self.scheme, nodes.map_or_else(|| "..".into(), |nodes| nodes.join(",")))
    }
}

/// The host and port of a server, or the path of its socket.
fn host_in(node: &str) -> Option<String> {
    let info = node.into_connection_info().ok()?;
    // A password that has one of these letters unescaped ends the host too early.
    let is_cut = || node.split_once("://").and_then(|(_, rest)| rest.split_once(['/', '?', '#']));
    match info.addr() {
        ConnectionAddr::Unix(path) => Some(path.display().to_string()),
        _ if is_cut().is_some_and(|(_, after)| after.contains('@')) => None,
        address => Some(address.to_string()),
    }
}

/// Whether the server, by what it says about itself, is of a cluster.
fn check(info: Option<String>) -> Result<Option<bool>, StoreError> {
    let Some(info) = info else { return Ok(None) };
    if let Some(version) = field(&info, "redis_version").filter(|version| is_too_old(version)) {
        let (major, minor) = OLDEST;
        return Err(StoreError::permanent(format!(
            "this Redis is version {version}: {major}.{minor} or later is needed"
        )));
    }
    if let Some(policy) = field(&info, "maxmemory_policy").filter(|policy| *policy != "noeviction")
        && field(&info, "maxmemory").is_some_and(|maxmemory| maxmemory != "0")
    {
        tracing::warn!(
            policy,
            "Redis may evict sessions and account indexes when memory is short: set maxmemory-policy to noeviction"
        );
    }
    if matches!(Role::of(&info), Some(Role::Replica { .. })) {
        tracing::warn!(
            "this Redis is a replica: nobody can log in or out through it; use the address of the primary"
        );
    }
    Ok(field(&info, "cluster_enabled").map(|enabled| enabled == "1"))
}

pub(crate) fn field<'i>(info: &'i str, name: &str) -> Option<&'i str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn is_too_old(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) < OLDEST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_named_by_some_of_its_nodes() {
        let address = Address::parse("redis-cluster://me:p%40ss@a:1,b:2/").unwrap();
        assert_eq!(address.nodes, ["redis://me:p%40ss@a:1", "redis://me:p%40ss@b:2"]);
        assert!(address.cluster && !address.tls);
        let address = Address::parse("rediss-cluster://a:1").unwrap();
        assert!(address.cluster && address.tls);
        assert_eq!(address.nodes, ["rediss://a:1"]);
    }

    #[test]
    fn an_address_is_named_without_its_password() {
        for (url, place) in [
            ("redis://localhost", "redis://localhost:6379"),
            ("redis://me:secret@a:1/2", "redis://a:1"),
            ("valkey://secret@a:1?protocol=resp3", "valkey://a:1"),
            ("redis://:s%2Fecret@[::1]:1", "redis://::1:1"),
            ("redis+unix:///run/redis.sock?user=me&pass=secret", "redis+unix:///run/redis.sock"),
            ("redis-cluster://me:secret@a:1, b:2/", "redis-cluster://a:1,b:2"),
            ("redis-cluster://me:secret@a:1,b:port", "redis-cluster://.."),
            ("redis://:secret@a:port", "redis://.."),
            ("redis://:secret", "redis://.."),
            ("redis://secret/and@a:1", "redis://.."),
            ("redis://me:1234#secret@a:1", "redis://.."),
            ("redis://secret?@a:1", "redis://.."),
        ] {
            assert_eq!(Address::parse(url).unwrap().place(), place, "{url}");
        }
    }

    #[test]
    fn what_is_no_address_is_told_without_quoting_it() {
        for url in
            ["", "localhost:6379", "http://:secret@a", "redis-cluster://", "redis-cluster://:secret@a:1,,b:2"]
        {
            let error = Address::parse(url).unwrap_err();
            assert!(!error.is_retryable() && !error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_url_of_another_database_names_the_right_store_and_no_password() {
        for (url, store) in [
            ("postgres://me:secret@a/b", "PostgresStore"),
            ("postgresql://me:secret@a/b", "PostgresStore"),
            ("mysql://me:secret@a/b", "MySqlStore"),
            ("mariadb://me:secret@a/b", "MySqlStore"),
            ("sqlite:secret.sqlite", "SqliteStore"),
        ] {
            let error = Address::parse(url).unwrap_err();
            assert!(!error.is_retryable() && error.to_string().contains(store), "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn old_servers_are_told() {
        for (version, too_old) in [
            ("6.0.16", true),
            ("5.0", true),
            ("6.2.0", false),
            ("7.0.15", false),
            ("8.2", false),
            ("x", false),
        ] {
            assert_eq!(is_too_old(version), too_old, "{version}");
        }
        assert!(
            check(Some("# Server\r\nredis_version:6.0.16\r\n".into()))
                .is_err_and(|error| !error.is_retryable())
        );
        assert_eq!(check(None).unwrap(), None);
        assert_eq!(check(Some("cluster_enabled:1\r\n".into())).unwrap(), Some(true));
    }

    #[cfg(feature = "cluster")]
    #[test]
    fn a_cluster_that_is_not_ready_may_become_so() {
        assert!(check_cluster("cluster_state:fail\r\n").is_err_and(|error| error.is_retryable()));
        assert!(check_cluster("cluster_state:ok\r\n").is_ok());
    }
}

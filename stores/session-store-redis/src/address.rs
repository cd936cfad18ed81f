//! What an address of Redis says, and how errors name it.

use redis::{ConnectionAddr, IntoConnectionInfo};
use session_core::store::StoreError;

/// What an address says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// As it was written, for errors.
    scheme: String,
    pub(crate) cluster: bool,
    pub(crate) tls: bool,
    /// One, or some of a cluster.
    pub(crate) nodes: Vec<String>,
}

impl Address {
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        if let Some(store) = store_of_another(url) {
            return Err(wrong(&format!(
                "is one of another database: {store} of session-store-sqlx serves it"
            )));
        }
        let (written, rest) = url.split_once("://").ok_or_else(|| {
            wrong("must begin with redis://, rediss://, redis+unix://, redis-cluster:// or rediss-cluster://")
        })?;
        let (scheme, cluster) =
            written.strip_suffix("-cluster").map_or((written, false), |scheme| (scheme, true));
        let tls = has_tls(scheme)?;
        let nodes = if cluster { nodes_in(scheme, rest)? } else { vec![url.to_owned()] };
        Ok(Self { scheme: written.to_owned(), cluster, tls, nodes })
    }

    /// As errors name it: without user and password, which are easily mistaken for each other. Only its scheme where it
    /// cannot be told for certain what is host and what is password.
    pub(crate) fn place(&self) -> String {
        let nodes: Option<Vec<_>> = self.nodes.iter().map(|node| host_in(node)).collect();
        format!("{}://{}", self.scheme, nodes.map_or_else(|| "..".into(), |nodes| nodes.join(",")))
    }
}

fn has_tls(scheme: &str) -> Result<bool, StoreError> {
    match scheme {
        "redis" | "valkey" | "redis+unix" | "valkey+unix" | "unix" => Ok(false),
        "rediss" | "valkeys" => Ok(true),
        _ => Err(wrong(
            "has an unknown scheme: use redis, rediss, redis+unix, redis-cluster or rediss-cluster",
        )),
    }
}

/// The address of each node of a cluster: what is behind its scheme has the credentials once.
fn nodes_in(scheme: &str, rest: &str) -> Result<Vec<String>, StoreError> {
    let (credentials, hosts) = match rest.rsplit_once('@') {
        Some((credentials, hosts)) => (format!("{credentials}@"), hosts),
        None => (String::new(), rest),
    };
    let hosts = hosts.trim_end_matches('/').split(',').map(str::trim);
    hosts
        .map(|host| if host.is_empty() { None } else { Some(format!("{scheme}://{credentials}{host}")) })
        .collect::<Option<_>>()
        .ok_or_else(|| wrong("names no node of the cluster: redis-cluster://host:port,host:port"))
}

fn wrong(what: &str) -> StoreError {
    StoreError::permanent(format!("the address of Redis {what}"))
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

/// The store that serves a URL of a SQL database.
fn store_of_another(url: &str) -> Option<&'static str> {
    Some(match url.split(':').next()? {
        "postgres" | "postgresql" => "PostgresStore",
        "mysql" | "mariadb" => "MySqlStore",
        "sqlite" => "SqliteStore",
        _ => return None,
    })
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
}

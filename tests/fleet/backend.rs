//! The stores that several processes can share.

use std::sync::OnceLock;

use session_test_servers::{Redis, RedisCluster, Sql, SqlServer};
use tempfile::TempDir;

/// One kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backend {
    Postgres,
    MariaDb,
    Redis,
    RedisCluster,
    Sqlite,
}

impl Backend {
    /// The URL of the one that all tests share. `None`: its server is not installed, and that was said.
    pub(super) fn url(self) -> Option<String> {
        static FOLDER: OnceLock<TempDir> = OnceLock::new();
        Some(match self {
            Self::Postgres => SqlServer::shared(Sql::Postgres)?.url(),
            Self::MariaDb => SqlServer::shared(Sql::MariaDb)?.url(),
            Self::Redis => Redis::shared()?.url(),
            Self::RedisCluster => RedisCluster::shared()?.url(),
            Self::Sqlite => {
                let folder = FOLDER.get_or_init(|| TempDir::with_prefix("session-fleet-").unwrap());
                format!("sqlite:{}", folder.path().join("sessions.sqlite").display())
            }
        })
    }
}

/// Stamps one test per case and backend: `counting::postgres::parallel_updates_all_count` and so on. A case is a
/// function `async fn name(fleet: &Fleet)`.
macro_rules! on_each_backend {
    ($($case:ident)+) => {
        on_each_backend!(@ postgres Postgres, $($case)+);
        on_each_backend!(@ mariadb MariaDb, $($case)+);
        on_each_backend!(@ redis Redis, $($case)+);
        on_each_backend!(@ redis_cluster RedisCluster, $($case)+);
        on_each_backend!(@ sqlite Sqlite, $($case)+);
    };
    (@ $module:ident $backend:ident, $($case:ident)+) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $case() {
                    use crate::fleet::{backend::Backend, fleet::Fleet};
                    if let Some(fleet) = Fleet::shared(Backend::$backend) {
                        super::$case(fleet).await;
                    }
                }
            )+
        }
    };
}

pub(super) use on_each_backend;

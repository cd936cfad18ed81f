//! The stores that several processes can share.

use std::sync::OnceLock;

use session_test_servers::{Folder, PgBouncer, Redis, RedisCluster, Sql, SqlServer};

/// One kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Postgres,
    /// PostgreSQL behind a pooler that shares its connections.
    PgBouncer,
    MariaDb,
    Redis,
    RedisCluster,
    Sqlite,
}

impl Backend {
    /// The URL of the one that all tests share. `None`: its server is not installed, and that was said.
    pub(crate) fn url(self) -> Option<String> {
        static FOLDER: OnceLock<Folder> = OnceLock::new();
        Some(match self {
            Self::Postgres => SqlServer::shared(Sql::Postgres)?.url(),
            Self::PgBouncer => PgBouncer::shared()?.url(),
            Self::MariaDb => SqlServer::shared(Sql::MariaDb)?.url(),
            Self::Redis => Redis::shared()?.url(),
            Self::RedisCluster => RedisCluster::shared()?.url(),
            Self::Sqlite => {
                let folder = FOLDER.get_or_init(Folder::new);
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
        on_each_backend!(@ pgbouncer PgBouncer, $($case)+);
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

/// A server of a test's own, to do harm to.
pub(super) trait Mortal: Send + 'static {
    fn url(&self) -> String;
    /// As a crash does.
    fn kill(&mut self);
    /// In good order.
    fn stop(&mut self);
    /// On the data that it has; returns when it answers.
    fn restart(&mut self);
    fn pause(&mut self);
    fn resume(&mut self);
}

macro_rules! mortal {
    ($server:ty) => {
        impl Mortal for $server {
            fn url(&self) -> String {
                <$server>::url(self)
            }

            fn kill(&mut self) {
                <$server>::kill(self);
            }

            fn stop(&mut self) {
                <$server>::stop(self);
            }

            fn restart(&mut self) {
                <$server>::restart(self);
            }

            fn pause(&mut self) {
                <$server>::pause(self);
            }

            fn resume(&mut self) {
                <$server>::resume(self);
            }
        }
    };
}

mortal!(SqlServer);
mortal!(Redis);
mortal!(RedisCluster);

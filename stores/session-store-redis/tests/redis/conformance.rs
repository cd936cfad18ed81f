//! The contract, clause by clause. What `delete_expired` would do Redis does by itself: see `operations.rs` and
//! `keys.rs`.

mod single {
    use crate::support::{Server, needs_redis};

    session_store_conformance::conformance_tests!(expires_by_itself: {
        needs_redis!();
        Server::shared().store().await
    });
}

#[cfg(feature = "cluster")]
mod cluster {
    use crate::support::{Cluster, needs_redis};

    session_store_conformance::conformance_tests!(expires_by_itself: {
        needs_redis!();
        Cluster::shared().store().await
    });
}

//! The store in memory keeps the contract of every store, also behind a pointer.

session_store_conformance::conformance_tests!(session_core::store::MemoryStore::new());

mod behind_a_pointer {
    session_store_conformance::conformance_tests!(std::sync::Arc::new(
        session_core::store::MemoryStore::new()
    ));
}

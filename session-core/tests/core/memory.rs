//! The store in memory keeps the contract of every store.

session_store_conformance::conformance_tests!(session_core::store::MemoryStore::new());

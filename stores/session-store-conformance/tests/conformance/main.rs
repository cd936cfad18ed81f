//! The kit: a good store passes every case, and a broken one fails the case that names what is wrong.

mod memory {
    session_store_conformance::conformance_tests!(session_core::store::MemoryStore::new());
}

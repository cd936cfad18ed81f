//! The contract of [`SessionStore`](session_core::store::SessionStore) as tests, for stores of any make.
//!
//! The prose of the trait is the contract; here every clause of it has its cases, one function each, whose name says
//! what must hold. Add this crate to your store's `dev-dependencies`, and in a test:
//!
//! ```
//! # use session_core::store::MemoryStore as MyStore;
//! session_store_conformance::conformance_tests!(MyStore::new());
//! ```
//!
//! That makes a `#[test]` of each case, each on a tokio runtime of its own. The expression makes the store: it may be a
//! block, may `.await`, and may `return` where the server that it needs is missing. Every case has a realm of its own
//! with random ids, so all of them can run at once against one database that holds other things, too.
//!
//! | | |
//! |---|---|
//! | `conformance_tests!(store)` | everything |
//! | `conformance_tests!(expires_by_itself: store)` | all but `delete_expired_*`: for a database that removes by itself what has expired |
//! | `conformance_tests!(store => a_case another_case)` | these alone |
//!
//! The cases of `delete_expired`, which knows no realms, need a store without other expired records.
//!
//! [`cases`] lists them all, with what a wrong store does.
//!
//! # What is not tested
//!
//! - Clause 11, cost: look at your database's plan with a million sessions in it.
//! - Clause 13, errors and deadlines: they need a server that fails, and only you know how to make yours.
//! - What only your store can write: garbage in a record, tables of another version, two processes that migrate at once,
//!   what a restart of the server keeps.
//! - That news arrives: it need not.
//! - Inside one call of the store there is no place to stop. What can interleave there is left to cases that start the
//!   calls together, some a hundred times; they find a window of a few microseconds most of the time, not always.

#![deny(dead_code, reason = "a case that the list does not name is run by nobody")]
#![allow(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::panic,
    reason = "every public function is a test, named by its clause, and fails by panicking"
)]

mod bench;
mod clauses;
mod list;
mod managed;
mod races;

use std::future::Future;

pub use list::cases;

/// Makes a `#[test]` of each case, each against a store of its own: see the page of the crate.
#[macro_export]
macro_rules! conformance_tests {
    (expires_by_itself: $store:expr) => {
        $crate::for_all_cases! { $crate::tests_of, but_cleanup $store; }
    };
    ($store:expr) => {
        $crate::for_all_cases! { $crate::tests_of, everything $store; }
    };
    ($store:expr => $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                $crate::run(async {
                    let store = $store;
                    $crate::cases::$case(std::sync::Arc::new(store)).await;
                });
            }
        )*
    };
}

/// From the list of cases to tests.
#[doc(hidden)]
#[macro_export]
macro_rules! tests_of {
    ($which:ident $store:expr; $($set:ident $clause:literal $wrong:literal { $($case:ident)* })*) => {
        $($crate::tests_of! { @ $which $set $store => $($case)* })*
    };
    (@ but_cleanup cleanup $store:expr => $($case:ident)*) => {};
    (@ $which:ident $set:ident $store:expr => $($case:ident)*) => {
        $crate::conformance_tests! { $store => $($case)* }
    };
}

/// Runs one test on a runtime of its own.
pub fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(test);
}

//! The cases.

mod session;

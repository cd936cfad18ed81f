//! Only a place for the tests.

//! What each fuzz target does with its input. A target is a function of a file here and a program of three lines in
//! `fuzz_targets/`.

#![forbid(unsafe_code)]

mod cookie;
mod foreign;
#[cfg(feature = "heads")]
mod heads;
mod next;
mod record;
mod sealed;
mod settings;
mod token;
mod world;

pub use cookie::cookie;
pub use foreign::foreign;
#[cfg(feature = "heads")]
pub use heads::heads;
pub use next::next;
pub use record::record;
pub use sealed::sealed;
pub use settings::settings;
pub use token::token;

// How records are written is private to the stores, and needs no driver: these are the stores' own files, which find what
// they import below.
#[allow(dead_code, unreachable_pub)]
#[path = "../../stores/session-store-sqlx/src/details.rs"]
mod details;
#[allow(dead_code, unreachable_pub)]
#[path = "../../stores/session-store-redis/src/record/mod.rs"]
mod redis_record;

extern crate self as sqlx;

/// Of sqlx.
#[derive(Debug)]
pub struct Error(pub String);

mod error {
    pub(crate) fn garbage(what: &str) -> crate::Error {
        crate::Error(what.to_owned())
    }
}

mod keys {
    pub(crate) type Epoch = [u8; 4];
}

//! Login sessions for any Rust web framework.

pub mod adapter;
mod clock;
mod cookie;
mod data;
mod engine;
mod error;
mod event;
mod guard;
#[cfg(any(doc, doctest))]
pub mod guide;
mod id;
mod lifetimes;
mod manager;
mod mode;
mod payload;
mod request;
mod response;
mod revalidation;
mod service;
mod session;
mod sparing;
mod status;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod time;
mod token;

pub use clock::{Clock, RandomSource, SystemClock, SystemRandom};
pub use cookie::{CookieSettings, SameSite};
pub use error::{ConfigError, ErrorKind, SessionError};
pub use event::{EventKind, SessionEvent, SessionObserver};
pub use guard::{Authenticated, Fresh, Guard, MaybeAuthenticated};
pub use id::SessionId;
pub use lifetimes::Lifetimes;
pub use manager::{Outcome, SessionManager, SessionManagerBuilder};
pub use mode::{Destroyed, ReplayPolicy};
pub use payload::SessionPayload;
pub use request::{CrossOrigin, ReturnTo, TrustedProxies, checked_next};
pub use response::SessionToken;
pub use revalidation::Revalidation;
pub use session::Session;
pub use status::{Device, SessionMetadata, SessionStatus};
pub use time::Timestamp;
pub use token::{Key, KeyRing, SigningAlgorithm, TokenForm};

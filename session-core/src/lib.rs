//! Login sessions for any Rust web framework.

mod clock;
mod error;
mod id;
mod lifetimes;
mod payload;
mod request;
mod response;
pub mod store;
mod time;
mod token;

pub use clock::{Clock, RandomSource, SystemClock, SystemRandom};
pub use error::{ConfigError, ErrorKind, SessionError};
pub use id::SessionId;
pub use lifetimes::Lifetimes;
pub use payload::SessionPayload;
pub use request::{Headers, RequestHead};
pub use response::{HeaderChange, PlainResponse};
pub use time::Timestamp;
pub use token::{Key, KeyRing, SigningAlgorithm, TokenForm};

//! Login sessions for any Rust web framework.

pub mod adapter;
mod clock;
mod cookie;
mod ended;
mod error;
mod event;
mod few;
mod guard;
mod id;
mod lifetimes;
mod manager;
mod payload;
mod request;
mod response;
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
pub use guard::{Authenticated, Fresh, Guard, IntoInner, MaybeAuthenticated};
pub use id::SessionId;
pub use lifetimes::Lifetimes;
pub use manager::{Outcome, ReplayPolicy, Revalidation, SessionManager, SessionManagerBuilder};
pub use payload::SessionPayload;
pub use request::{CrossOrigin, ReturnTo, TrustedProxies, checked_next};
pub use response::SessionToken;
pub use session::{Destroyed, Session};
pub use status::{Device, SessionMetadata, SessionStatus};
pub use time::Timestamp;
pub use token::{Key, KeyRing, SigningAlgorithm, TokenForm};

//! Login sessions for any Rust web framework: log in, stay logged in, see your devices, log out everywhere.
//!
//! A session says who is behind a request. Its payload is your own `serde` type; the browser holds a signed cookie,
//! which is not encrypted unless you [say so](TokenForm::Sealed). On **axum**, **actix-web** or **Rocket** take the adapter crate:
//! [session-axum](https://docs.rs/session-axum), [session-actix](https://docs.rs/session-actix),
//! [session-rocket](https://docs.rs/session-rocket). Each begins with a program to paste. This crate decides, they
//! translate, so all three behave alike:
//!
//! ```no_run
//! # use std::borrow::Cow;
//! # use serde::{Deserialize, Serialize};
//! # use session_core::{KeyRing, Session, SessionError, SessionManager, SessionPayload};
//! #[derive(Clone, Serialize, Deserialize)]
//! struct User { user_id: String, role: String }
//!
//! impl SessionPayload for User {
//!     // The account.
//!     fn subject(&self) -> Option<Cow<'_, str>> { Some((&self.user_id).into()) }
//! }
//!
//! # fn manager() -> Result<SessionManager<User>, session_core::ConfigError> {
//! let keys = KeyRing::from_env()?; // JWT_SECRET
//! let sessions = SessionManager::<User>::builder().keys(keys).build()?;
//! # Ok(sessions) }
//!
//! # async fn example(session: Session<User>, user: User) -> Result<(), SessionError> {
//! // In a login handler, after the password check; later; in a logout handler:
//! session.create(user).await?;
//! session.update(|user| user.role = "editor".into()).await?;
//! session.destroy().await?;
//! # Ok(()) }
//! ```
//!
//! # Three modes
//!
//! | mode | chosen by | the cookie holds | a request that uses it costs | a logout is effective |
//! |---|---|---|---|---|
//! | stateless | nothing, the default | the payload | no I/O | in this process at once; elsewhere a copied token is good up to its absolute lifetime |
//! | tracked | [`.store(..)`](SessionManagerBuilder::store) | a reference | one round trip to the store | everywhere, at once |
//! | hybrid | and [`.hybrid(bound)`](SessionManagerBuilder::hybrid) | a reference | nothing, if read less than the bound ago | here at once, elsewhere within the bound |
//!
//! Lists of devices and revoking others need a store. [Choosing a mode](guide::modes) has the rest.
//!
//! # The life of a session
//!
//! | | who decides | what happens |
//! |---|---|---|
//! | login | your handler: [`create`](Session::create) | a new session id, always; the session that the request showed ends |
//! | use | a [guard](Guard) in a handler's signature | [`Authenticated`] answers 401, or sends a browser to your [login page](SessionManagerBuilder::login_page) |
//! | change | your handler: [`update`](Session::update) | with a store no parallel change is lost |
//! | refresh | the session, in the last 30 minutes of its 24 hours | a new token, unless [`revalidate`](SessionManagerBuilder::revalidate) says that the account is disabled; never past 30 days |
//! | re-authentication | [`Fresh`] asks for it, your handler does it: [`reauthenticate`](Session::reauthenticate) | a new session id; all times start again |
//! | logout | your handler: [`destroy`](Session::destroy), [`revoke_others`](Session::revoke_others), [`revoke_all`](Session::revoke_all); an administrator: [`revoke_account`](SessionManager::revoke_account) | the session is over, also for requests under way |
//!
//! Beside the login: [`Flows`] for what must survive a redirect to an identity provider and back, [`Flash`] for a message
//! to the next page.
//!
//! # Where to go
//!
//! * [`guide`]: [modes](guide::modes), [lifetimes](guide::lifetimes), [guards](guide::guards),
//!   [recipes](guide::recipes), [testing](guide::testing), [deployment](guide::deployment); [writing a store](guide::store),
//!   [writing an adapter](guide::adapter); how this compares [with others](guide::comparison); what it [costs](guide::performance);
//!   [moving here](guide::moving) with everybody logged in.
//! * [`SessionManagerBuilder`]: every setting, with its default. [`ErrorKind`]: every refusal, with its status.
//! * [`store`]: `MemoryStore`, and the contract of a store. SQL: [session-store-sqlx](https://docs.rs/session-store-sqlx);
//!   Redis: [session-store-redis](https://docs.rs/session-store-redis).
//! * [`adapter`]: for servers and frameworks without an adapter crate. `testing` (with the feature of that name): for
//!   the tests of applications.
//!
//! # Features
//!
//! None is on by default. `asymmetric`: EdDSA, ES256 and RS256 keys. `http`: adapters for what builds on the crate
//! `http` 1. `testing`: a manual clock, logged-in cookies, a store that fails when told to.

#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]

pub mod adapter;
mod attempt;
mod clock;
mod cookie;
mod data;
mod engine;
mod error;
mod event;
mod few;
mod flash;
mod flow;
mod foreign;
mod guard;
// As doctests they need the testing kit.
#[cfg(any(all(doc, not(doctest)), all(doctest, feature = "testing")))]
pub mod guide;
mod id;
mod lifetimes;
mod login;
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
mod terms;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod time;
mod token;

pub use attempt::Attempt;
pub use clock::{Clock, RandomSource, SystemClock, SystemRandom};
pub use cookie::{CookieSettings, SameSite};
pub use error::{ConfigError, ErrorKind, SessionError};
pub use event::{EventKind, SessionEvent, SessionObserver};
pub use flash::Flash;
pub use flow::{Flow, FlowState, Flows, PostedFields, Relay};
pub use foreign::{Foreign, ForeignCookies};
pub use guard::{Authenticated, Fresh, Guard, Level, MaybeAuthenticated, NotImpersonated, Pending, Visitor};
pub use id::{Place, SessionId};
pub use lifetimes::Lifetimes;
pub use login::Login;
pub use manager::{Outcome, SessionManager, SessionManagerBuilder};
pub use mode::{Destroyed, ReplayPolicy};
pub use payload::SessionPayload;
pub use request::{ClientAddress, CrossOrigin, ReturnTo, TrustedProxies, checked_next};
pub use response::SessionToken;
pub use revalidation::Revalidation;
pub use session::{Session, Stopped};
pub use status::{Device, SessionMetadata, SessionStatus};
pub use time::Timestamp;
pub use token::{Key, KeyRing, SigningAlgorithm, TokenForm};

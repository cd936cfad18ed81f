//! Reads session cookies that other systems made, so that a service can move here and **nobody has to log in again**.
//!
//! Each reader takes the other system's secret and the request's cookies, and answers who it is and what the cookie
//! proves: nothing more. It is for [session-core](https://docs.rs/session-core), and a plain library otherwise: no I/O, no
//! clock, no framework.
//!
//! ```
//! # #[cfg(feature = "auth-js")] {
//! use serde::Deserialize;
//! use session_import::{AuthJs, Cookies, Timestamp};
//!
//! #[derive(Deserialize)]
//! struct Token { sub: String }
//!
//! # fn example(header: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
//! let reader = AuthJs::new(std::env::var("AUTH_SECRET")?); // once, at the start
//!
//! let now = Timestamp::from(std::time::SystemTime::now());
//! let session = reader.read::<Token>(&Cookies::from_header(header), now)?;
//! if let Some(session) = session {
//!     println!("account {}, from {}", session.payload.sub, session.cookie);
//! }
//! # Ok(()) }
//! # }
//! ```
//!
//! The [guides](guide) show the whole way from Auth.js, express-session and Django.
//!
//! # The systems
//!
//! None of the features is on by default: switch on the system that you come from.
//!
//! | feature | reader | made by | protected by | id | time of login | made at | ends at |
//! |---|---|---|---|---|---|---|---|
//! | `auth-js` | `AuthJs` | Auth.js 5 | encrypted | | | last visit | yes |
//! | `next-auth` | `NextAuth` | NextAuth 4 | encrypted | | | last visit | yes |
//! | `iron-session` | `IronSession` | iron-session 8 | encrypted | | | with `ttl` | yes, unless `ttl: 0` |
//! | `better-auth` | `BetterAuth` | better-auth 1, cookie cache | signed; `jwe` encrypted | the token | yes | yes | yes |
//! | `better-auth` | `BetterAuth::reference` | better-auth 1, session token | signed | the token | your table | your table | your table |
//! | `express-session` | `ExpressSession` | express-session 1 | signed | the session id | | | the record, if it tells |
//! | `cookie-session` | `CookieSession` | cookie-session 2 | signed | | | | |
//! | `django` | `Django` | Django 4 and 5, `signed_cookies` | signed | | | last change | yes |
//! | `django` | `Django::reference` | Django 4 and 5, `db`, `cached_db` | nothing: a random key | the key | | last change | your table |
//! | `flask` | `Flask` | Flask 2 and 3 | signed | | | last change | yes |
//! | `rails` | `Rails` | Rails 5.2 and later, cookie store, JSON | encrypted | `session_id` | | | with `expire_after` |
//!
//! Where a cell is empty, the system does not tell, and neither does the reader. **Without an id** a copied cookie is as
//! good as the original, and a logout there does not end it; nothing that changes at each visit (`iat`, `exp`, `jti`, the
//! ciphertext) can stand in for one. **Made at the last visit** is no login: someone who logged in weeks ago has a cookie
//! of a minute ago.
//!
//! # What holds for each reader
//!
//! * A cookie that is damaged, of somebody else, too long, or expired is `Ok(None)`, and nothing tells one from the other.
//! * Several cookies of one name that are genuine and of different accounts are [refused](ImportError::Ambiguous): a
//!   sibling subdomain can plant its own beside the user's. [`CookiePrefix`] says whether it could.
//! * Lengths are checked before any work. Signatures are compared in constant time, and nothing is decrypted by CBC,
//!   decompressed (up to 64 KiB) or parsed before it is authenticated, but the shape of the token itself.
//! * Secrets of before the last rotation: `old_secret`. An empty secret is [an error](ImportError::EmptySecret).
//! * No error and no `Debug` holds a secret, an id or what is in a cookie.
//! * [`cookies`](ForeignSession::cookies) lists what is to be cleared. Clear it when your own session is there.
//!
//! The cryptography is RustCrypto's. Every format was read from the library's source and tested against cookies that the
//! real library made; the versions are in `tests/import/vectors` in the repository.

// What no feature uses is found with all of them on.
#![cfg_attr(
    not(all(
        feature = "auth-js",
        feature = "better-auth",
        feature = "cookie-session",
        feature = "django",
        feature = "express-session",
        feature = "flask",
        feature = "iron-session",
        feature = "next-auth",
        feature = "rails",
    )),
    allow(dead_code, unused_imports, unused_macros)
)]

mod cookies;
mod error;
// Only for the fuzz targets, whose build says so, and for a test that does the same by chance.
#[cfg(any(fuzzing, test))]
pub mod fuzz;
// Only in the documentation.
#[cfg(any(doc, doctest))]
pub mod guide;
mod parts;
mod reader;
mod session;
mod settings;

#[cfg(feature = "auth-js")]
mod auth_js;
#[cfg(feature = "better-auth")]
mod better_auth;
#[cfg(feature = "cookie-session")]
mod cookie_session;
#[cfg(feature = "django")]
mod django;
#[cfg(feature = "express-session")]
mod express_session;
#[cfg(feature = "flask")]
mod flask;
#[cfg(feature = "iron-session")]
mod iron_session;
#[cfg(feature = "next-auth")]
mod next_auth;
#[cfg(feature = "rails")]
mod rails;

pub use cookies::Cookies;
pub use error::ImportError;
pub use session::{CookiePrefix, ForeignCookie, ForeignSession, Reference};
pub use session_core::Timestamp;

#[cfg(feature = "auth-js")]
pub use auth_js::AuthJs;
#[cfg(feature = "better-auth")]
pub use better_auth::BetterAuth;
#[cfg(feature = "cookie-session")]
pub use cookie_session::CookieSession;
#[cfg(feature = "django")]
pub use django::Django;
#[cfg(feature = "express-session")]
pub use express_session::ExpressSession;
#[cfg(feature = "flask")]
pub use flask::Flask;
#[cfg(feature = "iron-session")]
pub use iron_session::IronSession;
#[cfg(feature = "next-auth")]
pub use next_auth::NextAuth;
#[cfg(feature = "rails")]
pub use rails::Rails;

//! Login sessions for [Rocket](rocket): log in, stay logged in, see your devices, log out everywhere.
//!
//! ```no_run
//! use rocket::response::Redirect;
//! use rocket::{get, post, routes};
//! use serde::{Deserialize, Serialize};
//! use session_rocket::{Authenticated, KeyRing, Rejection, Session, SessionFairing, SessionManager, SessionPayload};
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct User { user_id: String }
//! impl SessionPayload for User { fn subject(&self) -> Option<&str> { Some(&self.user_id) } }
//!
//! #[post("/login")]
//! async fn login(session: Session<User>) -> Result<Redirect, Rejection> {
//!     session.create(User { user_id: "alice".into() }).await?; // check a password first
//!     Ok(Redirect::to("/me"))
//! }
//!
//! #[get("/me")]
//! fn me(user: Authenticated<User>) -> String { user.user_id.clone() } // 401 without a session
//!
//! #[post("/logout")]
//! async fn logout(session: Session<User>) -> Result<Redirect, Rejection> {
//!     session.destroy().await?;
//!     Ok(Redirect::to("/"))
//! }
//!
//! #[rocket::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sessions = SessionManager::<User>::builder().keys(KeyRing::from_env()?).build()?;
//!     rocket::build()
//!         .mount("/", routes![login, me, logout])
//!         .mount("/session", session_rocket::routes(&sessions))
//!         .attach(SessionFairing::new(sessions))
//!         .launch().await?;
//!     Ok(())
//! }
//! ```
//!
//! Where to go next: [`SessionFairing`] says what it does to responses and error pages; [`Session`],
//! [`Authenticated`], [`MaybeAuthenticated`] and [`Fresh`] are what a handler can ask for, [`Extract`] is for guards
//! of your own; [`routes()`] are ready-made for a browser front end; [`SessionManager::builder`] has every setting.
//! The examples `basic`, `login` and `store` run as they are.
//!
//! # What is particular to Rocket
//!
//! - A request guard cannot choose its answer, so a refused one is answered by error catchers for 303, 401, 403, 409,
//!   500, 501 and 503 that the fairing registers; see [`SessionFairing`].
//! - `Option<Authenticated<U>>` would take an outage for an anonymous visitor: use [`MaybeAuthenticated`].
//! - A form field `_method` overrides the method of a POST, so do not post forms to the session routes.
//! - Rocket drops header lines that are not UTF-8 and the authority of a target in absolute form.

mod extract;
mod fairing;
mod routes;
#[cfg(test)]
mod tests;
mod translate;

pub use session_core as core;

pub use extract::{Authenticated, Extract, Fresh, MaybeAuthenticated, Rejection, Session};
pub use fairing::SessionFairing;
pub use routes::routes;
pub use session_core::{
    ConfigError, CookieSettings, ErrorKind, Guard, KeyRing, Lifetimes, SessionError, SessionManager,
    SessionPayload, SessionStatus,
};
pub use translate::{Head, respond};

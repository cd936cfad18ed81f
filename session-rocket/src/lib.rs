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
//! impl SessionPayload for User { fn subject(&self) -> Option<Cow<'_, str>> { Some((&self.user_id).into()) } }
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
//! * [`SessionFairing`] gives sessions to every route. Attach it after fairings that register error catchers.
//! * Handlers ask for a [`Session`], for somebody who is logged in ([`Authenticated`], [`MaybeAuthenticated`]) or
//!   has just logged in ([`Fresh`]), or for a [`Guard`] of your own in [`Extract`].
//! * [`routes`](routes()) answer a browser front end: status, refresh, logout, list of devices.
//! * [`SessionManager::builder`] has the settings; with a [`store`](core::store) a logout works everywhere at once.
//!
//! The behaviour is that of [`session_core`], the same for every framework, but for what Rocket does to requests: a
//! form field `_method` overrides the method of a POST, a header line that is not UTF-8 is invisible, and so is the
//! authority of a target in absolute form. Prefer [`MaybeAuthenticated`] to `Option<Authenticated<U>>`, which takes
//! an outage for an anonymous visitor.
//!
//! # Testing
//!
//! Rocket's [local clients](rocket::local) log in as browsers do: `Client::tracked` keeps the session's cookie, and
//! `.cookie((sessions.cookie_name(), token))` shows one on any client. Where a request has a `Cookie` header line, that
//! alone is read.
//!
//! ```
//! # use rocket::{local::blocking::Client, routes, get, post};
//! # use serde::{Deserialize, Serialize};
//! # use session_rocket::{Authenticated, KeyRing, Rejection, Session, SessionFairing, SessionManager, SessionPayload};
//! # #[derive(Clone, Serialize, Deserialize)] struct User { user_id: String }
//! # impl SessionPayload for User { fn subject(&self) -> Option<Cow<'_, str>> { Some((&self.user_id).into()) } }
//! # #[post("/login")] async fn login(session: Session<User>) -> Result<(), Rejection> {
//! #     session.create(User { user_id: "alice".into() }).await?; Ok(()) }
//! # #[get("/me")] fn me(user: Authenticated<User>) -> String { user.user_id.clone() }
//! # let keys = KeyRing::from_secret("the secret of this test, thirty-two bytes or more").unwrap();
//! # let sessions = SessionManager::<User>::builder().keys(keys).build().unwrap();
//! # let app = rocket::build().mount("/", routes![login, me]).attach(SessionFairing::new(sessions));
//! let client = Client::tracked(app).unwrap();
//! client.post("/login").dispatch();
//! assert_eq!(client.get("/me").dispatch().into_string().as_deref(), Some("alice"));
//! ```

mod extract;
mod fairing;
#[cfg(any(doc, doctest))]
pub mod guide;
mod head;
mod per_request;
mod respond;
mod routes;

pub use session_core as core;

pub use extract::{
    Authenticated, Extract, Fresh, MaybeAuthenticated, Rejection, Session, extract, is_missing,
};
pub use fairing::SessionFairing;
pub use head::Head;
pub use respond::respond;
pub use routes::routes;
pub use session_core::{
    ConfigError, CookieSettings, ErrorKind, Guard, KeyRing, Lifetimes, SessionError, SessionManager,
    SessionPayload, SessionStatus,
};

//! Login sessions for [actix-web](actix_web): sign in, stay signed in, see your devices, sign out everywhere.
//!
//! ```no_run
//! use actix_web::{App, HttpServer, web::{Form, Json, Redirect, get, post}};
//! use serde::{Deserialize, Serialize};
//! use session_actix::{Authenticated, KeyRing, Rejection, Session, SessionManager, SessionMiddleware, SessionPayload};
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct User { user_id: String }
//!
//! impl SessionPayload for User {
//!     fn subject(&self) -> Option<Cow<'_, str>> { Some((&self.user_id).into()) }
//! }
//!
//! async fn login(session: Session<User>, user: Form<User>) -> Result<Redirect, Rejection> {
//!     session.create(user.into_inner()).await?; // after you have checked a password
//!     Ok(Redirect::to("/me").see_other())
//! }
//!
//! async fn me(user: Authenticated<User>) -> Json<User> {
//!     Json(user.into_inner()) // 401 without a session
//! }
//!
//! #[actix_web::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sessions = SessionManager::<User>::builder().keys(KeyRing::from_env()?).build()?;
//!     let app = move || {
//!         App::new()
//!             .route("/login", post().to(login))
//!             .route("/me", get().to(me))
//!             .service(session_actix::routes("/session", &sessions))
//!             .wrap(SessionMiddleware::new(sessions.clone()))
//!     };
//!     Ok(HttpServer::new(app).bind("127.0.0.1:3000")?.run().await?)
//! }
//! ```
//!
//! * [`SessionMiddleware`] goes around the app, scope or resource that uses sessions.
//! * Handlers ask for a [`Session`], for somebody who is logged in ([`Authenticated`], [`MaybeAuthenticated`]) or
//!   has just logged in ([`Fresh`]), or for a [`Guard`] of your own in [`Extract`].
//! * [`routes`] answers a browser front end: status, refresh, logout, list of devices.
//! * [`SessionManager::builder`] has the settings; with a [`store`](core::store) a logout works everywhere at once.
//!
//! Session metadata names the address of the connection's peer, whatever `X-Forwarded-For` says; proxies of your own
//! are [trusted by configuration](core::TrustedProxies).
//!
//! The behaviour is that of [`session_core`], the same for every framework.

mod extract;
#[cfg(any(doc, doctest))]
pub mod guide;
mod middleware;
mod routes;
mod translate;

pub use session_core as core;
pub use session_core::{
    ConfigError, CookieSettings, ErrorKind, Guard, KeyRing, Lifetimes, SessionError, SessionManager,
    SessionPayload, SessionStatus,
};

pub use extract::{
    Authenticated, Extract, Extracting, Fresh, MaybeAuthenticated, Rejection, Session, extract,
};
pub use middleware::{SessionFuture, SessionMiddleware, SessionService};
pub use routes::routes;
pub use translate::{Head, respond};

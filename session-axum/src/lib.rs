//! Login sessions for [axum]: sign in, stay signed in, see your devices, sign out everywhere.
//!
//! ```no_run
//! use axum::{Form, Json, Router, response::Redirect, routing::{get, post}};
//! use serde::{Deserialize, Serialize};
//! use session_axum::{Authenticated, KeyRing, Rejection, Session, SessionLayer, SessionManager, SessionPayload};
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct User { user_id: String }
//!
//! impl SessionPayload for User {
//!     fn subject(&self) -> Option<Cow<'_, str>> { Some((&self.user_id).into()) }
//! }
//!
//! async fn login(session: Session<User>, Form(user): Form<User>) -> Result<Redirect, Rejection> {
//!     session.create(user).await?; // after you have checked a password
//!     Ok(Redirect::to("/me"))
//! }
//!
//! async fn me(user: Authenticated<User>) -> Json<User> {
//!     Json(user.into_inner()) // 401 without a session
//! }
//!
//! async fn logout(session: Session<User>) -> Result<Redirect, Rejection> {
//!     session.destroy().await?;
//!     Ok(Redirect::to("/"))
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sessions = SessionManager::<User>::builder().keys(KeyRing::from_env()?).build()?;
//!     let app = Router::new()
//!         .route("/login", post(login))
//!         .route("/me", get(me))
//!         .route("/logout", post(logout))
//!         .merge(session_axum::routes("/session", &sessions))
//!         .layer(SessionLayer::new(sessions));
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     Ok(axum::serve(listener, app).await?)
//! }
//! ```
//!
//! * [`SessionLayer`] goes around the routes that use sessions.
//! * Handlers ask for a [`Session`], for somebody who is logged in ([`Authenticated`], [`MaybeAuthenticated`]) or
//!   has just logged in ([`Fresh`]), or for a [`Guard`] of your own in [`Extract`].
//! * [`routes`] answers a browser front end: status, refresh, logout, list of devices.
//! * A handler that returns [`Rejection`] can use `?` on every operation of a session.
//! * [`SessionManager::builder`] has the settings; with a [`store`](core::store) a logout works everywhere at once.
//!
//! Session metadata names the client's address if the server is started with
//! [`into_make_service_with_connect_info::<SocketAddr>()`](axum::Router::into_make_service_with_connect_info).
//!
//! The behaviour is that of [`session_core`], the same for every framework. The examples `basic`, `login` and `store`
//! run as they are.

mod extract;
#[cfg(any(doc, doctest))]
pub mod guide;
mod layer;
mod routes;
mod translate;

pub use session_core as core;
pub use session_core::{
    ConfigError, CookieSettings, ErrorKind, Guard, KeyRing, Lifetimes, SessionError, SessionManager,
    SessionPayload, SessionStatus,
};

pub use extract::{Authenticated, Extract, Fresh, MaybeAuthenticated, Rejection, Session, extract};
pub use layer::{SessionFuture, SessionLayer, SessionService};
pub use routes::routes;
pub use translate::{head, respond};

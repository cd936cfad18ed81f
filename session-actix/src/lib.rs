//! Login sessions for [actix-web](actix_web): a signed cookie, or a session in a store behind it.
//!
//! Wrap the [`SessionMiddleware`] around the app and name in a handler's signature what it needs: a [`Session`] to log in
//! and out, an [`Authenticated`] user (401, or a redirect to the login page), a [`MaybeAuthenticated`] one, a login
//! that is [`Fresh`]. The [`routes`] tell a browser front end how its session stands.
//!
//! ```no_run
//! use actix_web::{App, HttpServer, Responder, get, post, web};
//! use serde::{Deserialize, Serialize};
//! use session_actix::{
//!     Authenticated, KeyRing, Rejection, Session, SessionManager, SessionMiddleware, SessionPayload, routes,
//! };
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct User {
//!     user_id: String,
//! }
//!
//! impl SessionPayload for User {
//!     fn subject(&self) -> Option<&str> {
//!         Some(&self.user_id)
//!     }
//! }
//!
//! #[post("/login")]
//! async fn login(session: Session<User>, name: String) -> Result<impl Responder, Rejection> {
//!     session.create(User { user_id: name }).await?; // after checking a password
//!     Ok(web::Redirect::to("/me").see_other())
//! }
//!
//! #[get("/me")]
//! async fn me(user: Authenticated<User>) -> impl Responder {
//!     web::Json(user.into_inner())
//! }
//!
//! #[post("/logout")]
//! async fn logout(session: Session<User>) -> Result<impl Responder, Rejection> {
//!     session.destroy().await?;
//!     Ok(web::Redirect::to("/").see_other())
//! }
//!
//! #[actix_web::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sessions = SessionManager::<User>::builder().keys(KeyRing::from_env()?).build()?;
//!     let app = move || {
//!         App::new()
//!             .service((login, me, logout))
//!             .service(routes("/session", &sessions))
//!             .wrap(SessionMiddleware::new(sessions.clone()))
//!     };
//!     HttpServer::new(app).bind("127.0.0.1:3000")?.run().await?;
//!     Ok(())
//! }
//! ```
//!
//! Everything that is decided is decided in [`core`], and equal on axum and Rocket: settings are described at
//! [`core::SessionManagerBuilder`], operations at [`core::Session`], guards of your own at [`core::Guard`].

mod extract;
mod head;
mod middleware;
mod response;
mod routes;

pub use session_core as core;
pub use session_core::{
    ConfigError, CookieSettings, ErrorKind, Guard, KeyRing, Lifetimes, SessionError, SessionManager,
    SessionPayload,
};

pub use extract::{Authenticated, Extract, Fresh, MaybeAuthenticated, Rejection, Session};
pub use head::Head;
pub use middleware::{ResponseFuture, SessionMiddleware, SessionService};
pub use routes::routes;

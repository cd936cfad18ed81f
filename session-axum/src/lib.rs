//! Login sessions for [axum](https://docs.rs/axum): log in, stay logged in, see your devices, log out everywhere.
//!
//! ```no_run
//! use std::borrow::Cow;
//!
//! use axum::{Form, Json, Router, http::StatusCode, response::Redirect, routing::{get, post}};
//! use serde::{Deserialize, Serialize};
//! use session_axum::{Authenticated, KeyRing, Rejection, Session, SessionLayer, SessionManager, SessionPayload};
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct User { user_id: String, name: String } // what the session knows: signed, not encrypted
//!
//! impl SessionPayload for User {
//!     fn subject(&self) -> Option<Cow<'_, str>> { Some((&self.user_id).into()) } // the account
//! }
//!
//! #[derive(Deserialize)]
//! struct Credentials { name: String, password: String }
//!
//! /// Yours: find the account by its name, and verify the password against the hash stored with it (crate `argon2`).
//! /// As it stands, nobody gets in.
//! async fn check(_credentials: &Credentials) -> Option<User> { None }
//!
//! async fn login(session: Session<User>, Form(form): Form<Credentials>) -> Result<Result<Redirect, StatusCode>, Rejection> {
//!     let Some(user) = check(&form).await else { return Ok(Err(StatusCode::UNAUTHORIZED)) };
//!     session.create(user).await?;
//!     Ok(Ok(Redirect::to("/me")))
//! }
//!
//! async fn me(user: Authenticated<User>) -> Json<User> { Json(user.into_inner()) } // 401 without a login
//!
//! async fn logout(session: Session<User>) -> Result<Redirect, Rejection> {
//!     session.destroy().await?;
//!     Ok(Redirect::to("/"))
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut sessions = SessionManager::<User>::builder().keys(KeyRing::from_env()?); // JWT_SECRET
//!     if std::env::var_os("PLAIN_HTTP").is_some() {
//!         sessions = sessions.development(); // on your machine only: a cookie that plain http may carry
//!     }
//!     let sessions = sessions.build()?;
//!     let app = Router::new()
//!         .route("/login", post(login))
//!         .route("/me", get(me))
//!         .route("/logout", post(logout))
//!         .merge(session_axum::routes("/session", &sessions)) // for a browser front end
//!         .layer(SessionLayer::new(sessions));
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     Ok(axum::serve(listener, app).await?)
//! }
//! ```
//!
//! Run it with `JWT_SECRET="$(openssl rand -base64 48)" PLAIN_HTTP=1 cargo run`. Without `PLAIN_HTTP` the cookie needs https.
//!
//! # In a handler
//!
//! | to | call | |
//! |---|---|---|
//! | log in | [`session.create(user)`](core::Session::create) | a new session id, and the cookie with the response |
//! | change the user in the session | [`session.update(\|user\| ..)`](core::Session::update) | |
//! | log out | [`session.destroy()`](core::Session::destroy) | clears the cookie |
//! | list the account's devices | [`session.list()`](core::Session::list) | with a store; so are the next two |
//! | end one, or all others | [`revoke(id)`](core::Session::revoke), [`revoke_others()`](core::Session::revoke_others) | |
//! | log out everywhere | [`session.revoke_all()`](core::Session::revoke_all) | |
//! | ask for the password again | [`session.reauthenticate()`](core::Session::reauthenticate) | after you have checked it; then [`Fresh`] passes |
//!
//! * [`Session`] is for everybody; [`Authenticated`] for somebody who is logged in; [`MaybeAuthenticated`] for both;
//!   [`Fresh`] for a recent login; [`extractor!`] makes an extractor of a [`Guard`] of your own.
//! * [`Flows`] keeps what must survive a redirect to an identity provider and back, [`Flash`] a message for the next page.
//! * A handler that returns [`Rejection`] can use `?` on every operation.
//! * [`SessionLayer`] goes around the routes that use sessions, [`routes`] answers a browser front end: status, refresh,
//!   logout, list of devices. [`SessionManager::builder`] has the settings.
//! * Lists of devices show the client's address if the server is started with
//!   [`into_make_service_with_connect_info::<SocketAddr>()`](axum::Router::into_make_service_with_connect_info).
//!
//! # When it does not compile, or answers 500
//!
//! `#[axum::debug_handler]` (axum's feature `macros`) names the argument that a `Handler` error is about. A 500 has its reason
//! in the log, target `session`, if the program shows a log: `tracing_subscriber::fmt::init()` at the start of `main`.
//!
//! | rustc or the log says | because | do |
//! |---|---|---|
//! | ``the trait bound `fn(Form<Credentials>, Session<User>) -> ... {login}: Handler<_, _>` is not satisfied`` | an extractor stands after the one that reads the body | `Session` and guards first, `Form` or `Json` last |
//! | ``the trait bound `fn(Option<Authenticated<User>>) -> ... {me}: Handler<_, _>` is not satisfied`` | a guard is not optional | [`MaybeAuthenticated<User>`](MaybeAuthenticated), which does not take an outage for a stranger |
//! | ``the trait bound `fn(AdminOnly) -> impl Future<Output = String> {admin}: Handler<_, _>` is not satisfied`` | a guard of your own is no extractor yet | `session_axum::extractor!(AdminOnly);` beside it, or [`Extract<AdminOnly>`](Extract) |
//! | ``the trait bound `fn(Session<User>) -> impl Future<Output = ...> {logout}: Handler<_, _>` is not satisfied`` | the handler returns `SessionError`, which is of no framework | return [`Rejection`] |
//! | ``expected `Session<User>`, found `session_axum::Session<User>` ``, in `Guard::check` | a guard is written for all frameworks and gets core's session | `use session_axum::core;` and `session: core::Session<User>` (the path that rustc proposes is private) |
//! | `` `User` cannot be the payload of a session `` | the type has no [`SessionPayload`] | the five lines above |
//! | `INTERNAL_ERROR: no session for the payload app::User: the request passed no session layer, middleware or fairing` | the route is not below the layer | `.layer(SessionLayer::new(..))` after the last `.route(..)`: it is for routes added before |
//! | `INTERNAL_ERROR: no session for the payload app::User: the layers here are for app::Admin` | the layer is of a manager for another payload | one layer for each manager |
//! | `INTERNAL_ERROR: two session managers use the cookie __Host-session in one request` | two managers, one cookie | build one manager and clone it, or give one another [cookie name](CookieSettings::name) |
//!
//! # Testing
//!
//! The feature `testing` brings [`core::testing`]: switch it on in `[dev-dependencies]`. A logged-in cookie needs no
//! login route:
//!
//! ```
//! # use std::borrow::Cow;
//! # use axum::{Json, Router, routing::get};
//! # use serde::{Deserialize, Serialize};
//! # use session_axum::{Authenticated, KeyRing, SessionLayer, SessionManager, SessionPayload};
//! # #[derive(Clone, Serialize, Deserialize)] struct User { user_id: String, name: String }
//! # impl SessionPayload for User { fn subject(&self) -> Option<Cow<'_, str>> { Some((&self.user_id).into()) } }
//! # async fn me(user: Authenticated<User>) -> Json<User> { Json(user.into_inner()) }
//! use axum::{body::Body, http::{Request, header::COOKIE}};
//! use session_axum::core::testing::logged_in_cookie;
//! use tower::ServiceExt as _; // tower 0.5 with the feature `util`
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = KeyRing::from_secret("the secret of this test, 32 bytes or more")?;
//! let sessions = SessionManager::builder().keys(keys).build()?;
//! let app = Router::new().route("/me", get(me)).layer(SessionLayer::new(sessions.clone()));
//!
//! let alice = User { user_id: "1".into(), name: "alice".into() };
//! let cookie = logged_in_cookie(&sessions, alice).await?;
//! let request = Request::get("/me").header(COOKIE, cookie).body(Body::empty())?;
//! assert_eq!(app.clone().oneshot(request).await?.status(), 200);
//!
//! let stranger = Request::get("/me").body(Body::empty())?;
//! assert_eq!(app.oneshot(stranger).await?.status(), 401);
//! # Ok(()) }
//! ```
//!
//! # Where to go
//!
//! * The examples `basic`, `login` (a login page, guards, a step that asks for the password again) and `store` (a list of
//!   devices) run as they are.
//! * [Guides](https://docs.rs/session-core/latest/session_core/guide/): modes, lifetimes, guards, testing, deployment.
//! * Coming from elsewhere: [the Next.js module](guide::from_next_js),
//!   [tower-sessions and axum-login](guide::from_tower_sessions), [axum_session](guide::from_axum_session).
//! * [`core`]: all of [`session_core`], whose behaviour is the same for every framework.

mod extract;
#[cfg(any(doc, doctest))]
pub mod guide;
mod layer;
mod routes;
mod translate;

pub use session_core as core;
pub use session_core::{
    ConfigError, CookieSettings, ErrorKind, Flow, Guard, KeyRing, Lifetimes, SessionError, SessionManager,
    SessionPayload, SessionStatus,
};

pub use extract::{
    Authenticated, Extract, Flash, Flows, Fresh, Level, MaybeAuthenticated, NotImpersonated, Pending,
    Rejection, Session, Visitor, extract,
};
pub use layer::{SessionFuture, SessionLayer, SessionService};
pub use routes::routes;
pub use translate::{head, respond};

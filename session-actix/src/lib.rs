//! Login sessions for [actix-web](https://docs.rs/actix-web): log in, stay logged in, see your devices, log out everywhere.
//!
//! ```no_run
//! use std::borrow::Cow;
//!
//! use actix_web::{App, Either, HttpResponse, HttpServer, web::{Form, Json, Redirect, get, post}};
//! use serde::{Deserialize, Serialize};
//! use session_actix::{Authenticated, KeyRing, Rejection, Session, SessionManager, SessionMiddleware, SessionPayload};
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
//! async fn login(session: Session<User>, form: Form<Credentials>) -> Result<Either<Redirect, HttpResponse>, Rejection> {
//!     let Some(user) = check(&form).await else { return Ok(Either::Right(HttpResponse::Unauthorized().finish())) };
//!     session.create(user).await?;
//!     Ok(Either::Left(Redirect::to("/me").see_other()))
//! }
//!
//! async fn me(user: Authenticated<User>) -> Json<User> { Json(user.into_inner()) } // 401 without a login
//!
//! async fn logout(session: Session<User>) -> Result<Redirect, Rejection> {
//!     session.destroy().await?;
//!     Ok(Redirect::to("/").see_other())
//! }
//!
//! #[actix_web::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut sessions = SessionManager::<User>::builder().keys(KeyRing::from_env()?); // JWT_SECRET
//!     if std::env::var_os("PLAIN_HTTP").is_some() {
//!         sessions = sessions.development(); // on your machine only: a cookie that plain http may carry
//!     }
//!     let sessions = sessions.build()?;
//!     let app = move || {
//!         App::new()
//!             .route("/login", post().to(login))
//!             .route("/me", get().to(me))
//!             .route("/logout", post().to(logout))
//!             .service(session_actix::routes("/session", &sessions)) // for a browser front end
//!             .wrap(SessionMiddleware::new(sessions.clone()))
//!     };
//!     Ok(HttpServer::new(app).bind("127.0.0.1:3000")?.run().await?)
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
//! * [`SessionMiddleware`] goes around the app, scope or resource that uses sessions, [`routes`] answers a browser front end:
//!   status, refresh, logout, list of devices. [`SessionManager::builder`] has the settings.
//! * Lists of devices show the address of the connection's peer, whatever `X-Forwarded-For` says; proxies of your own
//!   are [trusted by configuration](core::TrustedProxies).
//!
//! # When it does not compile, or answers 500
//!
//! A 500 has its reason in the log, target `session`, if the program shows a log: `tracing_subscriber::fmt::init()` at the
//! start of `main`.
//!
//! | rustc or the log says | because | do |
//! |---|---|---|
//! | ``the trait bound `AdminOnly: FromRequest` is not satisfied`` | a guard of your own is no extractor yet | `session_actix::extractor!(AdminOnly);` beside it, or [`Extract<AdminOnly>`](Extract) |
//! | ``the trait bound `SessionError: ResponseError` is not satisfied`` | the handler returns `SessionError`, which is of no framework | return [`Rejection`] |
//! | ``expected `Session<User>`, found `session_actix::Session<User>` ``, in `Guard::check` | a guard is written for all frameworks and gets core's session | `use session_actix::core;` and `session: core::Session<User>` (the path that rustc proposes is private) |
//! | `` `User` cannot be the payload of a session `` | the type has no [`SessionPayload`] | the five lines above |
//! | ``cannot move out of `middleware`, a captured variable in an `Fn` closure`` | each worker makes its own app | build the manager once, outside, and `.wrap(SessionMiddleware::new(sessions.clone()))` inside |
//! | nothing: `Option<Authenticated<User>>` compiles | actix-web makes `None` of every error, also of a 503 | [`MaybeAuthenticated<User>`](MaybeAuthenticated), which does not take an outage for a stranger |
//! | `INTERNAL_ERROR: no session for the payload app::User: the request passed no session layer, middleware or fairing` | the route is not inside the middleware | `.wrap(..)` the app, scope or resource that has the route |
//! | `INTERNAL_ERROR: no session for the payload app::User: the layers here are for app::Admin` | the middleware is of a manager for another payload | one middleware for each manager |
//! | `INTERNAL_ERROR: two session managers use the cookie __Host-session in one request` | two managers, one cookie | build one manager and clone it, or give one another [cookie name](CookieSettings::name) |
//!
//! The order of a handler's arguments is free: `Session` may stand before or after the body.
//!
//! # Testing
//!
//! The feature `testing` brings [`core::testing`]: switch it on in `[dev-dependencies]`. A logged-in cookie needs no
//! login route:
//!
//! ```
//! # use std::borrow::Cow;
//! # use actix_web::{App, web::{Json, get}};
//! # use serde::{Deserialize, Serialize};
//! # use session_actix::{Authenticated, KeyRing, SessionManager, SessionMiddleware, SessionPayload};
//! # #[derive(Clone, Serialize, Deserialize)] struct User { user_id: String, name: String }
//! # impl SessionPayload for User { fn subject(&self) -> Option<Cow<'_, str>> { Some((&self.user_id).into()) } }
//! # async fn me(user: Authenticated<User>) -> Json<User> { Json(user.into_inner()) }
//! use actix_web::{http::header::COOKIE, test};
//! use session_actix::core::testing::logged_in_cookie;
//!
//! # #[actix_web::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = KeyRing::from_secret("the secret of this test, 32 bytes or more")?;
//! let sessions = SessionManager::builder().keys(keys).build()?;
//! let middleware = SessionMiddleware::new(sessions.clone());
//! let app = test::init_service(App::new().route("/me", get().to(me)).wrap(middleware)).await;
//!
//! let alice = User { user_id: "1".into(), name: "alice".into() };
//! let cookie = logged_in_cookie(&sessions, alice).await?;
//! let request = test::TestRequest::get().uri("/me").insert_header((COOKIE, cookie)).to_request();
//! assert_eq!(test::call_service(&app, request).await.status(), 200);
//!
//! let stranger = test::TestRequest::get().uri("/me").to_request();
//! assert_eq!(test::call_service(&app, stranger).await.status(), 401);
//! # Ok(()) }
//! ```
//!
//! # Where to go
//!
//! * The examples `basic`, `login` (a login page, guards, a step that asks for the password again) and `store` (a list of
//!   devices) run as they are.
//! * [Guides](https://docs.rs/session-core/latest/session_core/guide/): modes, lifetimes, guards, testing, deployment.
//! * Coming from elsewhere: [actix-session and actix-identity](guide::from_actix_session).
//! * [`core`]: all of [`session_core`], whose behaviour is the same for every framework.

mod extract;
#[cfg(any(doc, doctest))]
pub mod guide;
mod middleware;
mod routes;
mod translate;

pub use session_core as core;
pub use session_core::{
    ConfigError, CookieSettings, ErrorKind, Flow, Guard, KeyRing, Lifetimes, SessionError, SessionManager,
    SessionPayload, SessionStatus,
};

pub use extract::{
    Authenticated, Extract, Extracting, Flash, Flows, Fresh, Level, MaybeAuthenticated, NotImpersonated,
    Pending, Rejection, Session, Visitor, extract,
};
pub use middleware::{SessionFuture, SessionMiddleware, SessionService};
pub use routes::routes;
pub use translate::{Head, respond};

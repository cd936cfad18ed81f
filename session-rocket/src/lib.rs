//! Login sessions for [Rocket](https://docs.rs/rocket): log in, stay logged in, see your devices, log out everywhere.
//!
//! ```no_run
//! use std::borrow::Cow;
//!
//! use rocket::{FromForm, form::Form, get, http::Status, post, response::Redirect, routes};
//! use serde::{Deserialize, Serialize};
//! use session_rocket::{Authenticated, KeyRing, Rejection, Session, SessionFairing, SessionManager, SessionPayload};
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct User { user_id: String, name: String } // what the session knows: signed, not encrypted
//!
//! impl SessionPayload for User {
//!     fn subject(&self) -> Option<Cow<'_, str>> { Some((&self.user_id).into()) } // the account
//! }
//!
//! #[derive(FromForm)]
//! struct Credentials { name: String, password: String }
//!
//! /// Yours: find the account by its name, and verify the password against the hash stored with it (crate `argon2`).
//! /// As it stands, nobody gets in.
//! async fn check(_credentials: &Credentials) -> Option<User> { None }
//!
//! #[post("/login", data = "<form>")]
//! async fn login(session: Session<User>, form: Form<Credentials>) -> Result<Result<Redirect, Status>, Rejection> {
//!     let Some(user) = check(&form).await else { return Ok(Err(Status::Unauthorized)) };
//!     session.create(user).await?;
//!     Ok(Ok(Redirect::to("/me")))
//! }
//!
//! #[get("/me")]
//! fn me(user: Authenticated<User>) -> String { user.name.clone() } // 401 without a login
//!
//! #[post("/logout")]
//! async fn logout(session: Session<User>) -> Result<Redirect, Rejection> {
//!     session.destroy().await?;
//!     Ok(Redirect::to("/"))
//! }
//!
//! #[rocket::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut sessions = SessionManager::<User>::builder().keys(KeyRing::from_env()?); // JWT_SECRET
//!     if std::env::var_os("PLAIN_HTTP").is_some() {
//!         sessions = sessions.development(); // on your machine only: a cookie that plain http may carry
//!     }
//!     let sessions = sessions.build()?;
//!     rocket::build()
//!         .mount("/", routes![login, me, logout])
//!         .mount("/session", session_rocket::routes(&sessions)) // for a browser front end
//!         .attach(SessionFairing::new(sessions))
//!         .launch().await?;
//!     Ok(())
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
//!   [`Fresh`] for a recent login; [`extractor!`] makes a request guard of a [`Guard`] of your own.
//! * [`Flows`] keeps what must survive a redirect to an identity provider and back, [`Flash`] a message for the next page.
//! * A handler that returns [`Rejection`] can use `?` on every operation. A catcher of your own finds a guard's refusal
//!   with [`Rejection::of`].
//! * [`SessionFairing`] gives sessions to every route. Attach it after fairings that register error catchers.
//!   [`routes`](routes()) answer a browser front end: status, refresh, logout, list of devices.
//!   [`SessionManager::builder`] has the settings.
//!
//! What Rocket does to requests holds here, too: a form field `_method` overrides the method of a POST, a header line that is
//! not UTF-8 is invisible, and so is the authority of a target in absolute form.
//!
//! # When it does not compile, or does not launch
//!
//! Where the launch is refused, the reason is a line above it in Rocket's log. A 500 has its reason in the log of `tracing`,
//! target `session`: `tracing_subscriber::fmt::init()` at the start of `main` shows it.
//!
//! | rustc or Rocket says | because | do |
//! |---|---|---|
//! | ``the trait bound `AdminOnly: FromRequest<'_>` is not satisfied`` | a guard of your own is no request guard yet | `session_rocket::extractor!(AdminOnly);` beside it, or [`Extract<AdminOnly>`](Extract) |
//! | ``the trait bound `SessionError: Responder<'_, '_>` is not satisfied`` | the handler returns `SessionError`, which is of no framework | return [`Rejection`] |
//! | ``expected `Session<User>`, found `session_rocket::Session<User>` ``, in `Guard::check` | a guard is written for all frameworks and gets core's session | `use session_rocket::core;` and `session: core::Session<User>` (the path that rustc proposes is private) |
//! | `` `User` cannot be the payload of a session `` | the type has no [`SessionPayload`] | the five lines above |
//! | nothing: `Option<Authenticated<User>>` compiles | Rocket makes `None` of every error, also of a 503 | [`MaybeAuthenticated<User>`](MaybeAuthenticated), which does not take an outage for a stranger |
//! | `sentinel(s) aborted`; above it `INTERNAL_ERROR: no session for the payload app::User: the request passed no session layer, middleware or fairing` | a route has a guard of this payload, and nobody attached its fairing | `.attach(SessionFairing::new(sessions))`, of a manager for `User` |
//! | `launch fairing(s) failed`; above it `INTERNAL_ERROR: two session managers use the cookie __Host-session in one request` | two fairings whose managers have one cookie | attach each manager once, or give one another [cookie name](CookieSettings::name) |
//!
//! # Testing
//!
//! The feature `testing` brings [`core::testing`]: switch it on in `[dev-dependencies]`. A logged-in cookie needs no
//! login route:
//!
//! ```
//! # use std::borrow::Cow;
//! # use rocket::{get, routes};
//! # use serde::{Deserialize, Serialize};
//! # use session_rocket::{Authenticated, KeyRing, SessionFairing, SessionManager, SessionPayload};
//! # #[derive(Clone, Serialize, Deserialize)] struct User { user_id: String, name: String }
//! # impl SessionPayload for User { fn subject(&self) -> Option<Cow<'_, str>> { Some((&self.user_id).into()) } }
//! # #[get("/me")] fn me(user: Authenticated<User>) -> String { user.name.clone() }
//! use rocket::{http::Header, local::asynchronous::Client};
//! use session_rocket::core::testing::logged_in_cookie;
//!
//! # #[rocket::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = KeyRing::from_secret("the secret of this test, 32 bytes or more")?;
//! let sessions = SessionManager::builder().keys(keys).build()?;
//! let app = rocket::build().mount("/", routes![me]).attach(SessionFairing::new(sessions.clone()));
//! let client = Client::untracked(app).await?;
//!
//! let alice = User { user_id: "1".into(), name: "alice".into() };
//! let cookie = logged_in_cookie(&sessions, alice).await?;
//! let answer = client.get("/me").header(Header::new("Cookie", cookie)).dispatch().await;
//! assert_eq!(answer.into_string().await.as_deref(), Some("alice"));
//!
//! let stranger = client.get("/me").dispatch().await;
//! assert_eq!(stranger.status().code, 401);
//! # Ok(()) }
//! ```
//!
//! `Client::tracked` keeps the session's cookie as a browser does, and `.cookie((sessions.cookie_name(), token))` shows one on
//! any client. Where a request has a `Cookie` header line, that alone is read.
//!
//! # Where to go
//!
//! * The examples `basic`, `login` (a login page, guards, a step that asks for the password again) and `store` (a list of
//!   devices) run as they are.
//! * [Guides](https://docs.rs/session-core/latest/session_core/guide/): modes, lifetimes, guards, testing, deployment.
//! * Coming from elsewhere: [rocket_flex_session](guide::from_rocket_flex_session).
//! * [`core`]: all of [`session_core`], whose behaviour is the same for every framework.

mod extract;
mod fairing;
#[cfg(any(doc, doctest))]
pub mod guide;
mod head;
mod per_request;
mod routes;

pub use session_core as core;

pub use extract::{
    Authenticated, Extract, Extracted, Flash, Flows, Fresh, Level, MaybeAuthenticated, NotImpersonated,
    Pending, Rejection, Session, Visitor, extract, is_missing,
};
pub use fairing::SessionFairing;
pub use head::Head;
pub use per_request::respond;
pub use routes::routes;
pub use session_core::{
    ConfigError, CookieSettings, ErrorKind, Flow, Guard, KeyRing, Lifetimes, SessionError, SessionManager,
    SessionPayload, SessionStatus,
};

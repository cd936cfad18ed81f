//! A login page, a page for administrators, and a step that asks for the password again.
//!
//! ```text
//! export JWT_SECRET=$(openssl rand -base64 32)
//! cargo run -p session-axum --example login
//! ```
//!
//! Open <http://127.0.0.1:3000/account>: the browser is sent to the login page and, as `alice` with `wonderland` or
//! `bob` with `builder`, back to where it wanted to go. Only alice gets to see <http://127.0.0.1:3000/admin>.

use std::borrow::Cow;

use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::{Deserialize, Serialize};
use session_axum::core::{self, checked_next};
use session_axum::{
    Authenticated, Extract, Fresh, Guard, KeyRing, MaybeAuthenticated, Rejection, Session, SessionError,
    SessionLayer, SessionManager, SessionPayload,
};
use tokio::net::TcpListener;

#[derive(Clone, Serialize, Deserialize)]
struct User {
    user_id: String,
    username: String,
    role: String,
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.user_id).into())
    }
}

/// A guard of our own: the same code on every framework.
struct AdminOnly(core::Authenticated<User>);

impl Guard for AdminOnly {
    type Payload = User;

    async fn check(session: core::Session<User>) -> Result<Self, SessionError> {
        let user = core::Authenticated::check(session.clone()).await?;
        if user.role == "admin" { Ok(Self(user)) } else { Err(session.forbidden("not an administrator")) }
    }
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

#[derive(Deserialize)]
struct Password {
    password: String,
}

/// Where the browser wanted to go.
#[derive(Deserialize)]
struct Next {
    next: Option<String>,
}

impl Next {
    /// Only to a path of ours: an attacker can write the link to the login page.
    fn path(&self) -> String {
        self.next.as_deref().and_then(checked_next).unwrap_or("/account").to_owned()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();
    let sessions = SessionManager::<User>::builder()
        .keys(KeyRing::from_env()?)
        .development()
        .login_page("/login")
        .build()?;
    let app = Router::new()
        .route("/", get(home))
        .route("/login", get(login_page))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/account", get(account))
        .route("/admin", get(admin))
        .route("/email", post(change_email))
        .route("/reauthenticate", post(reauthenticate))
        .layer(SessionLayer::new(sessions));
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, app).await?)
}

async fn home(visitor: MaybeAuthenticated<User>) -> String {
    match visitor.user() {
        Some(user) => format!("Hello, {}.\n", user.username),
        None => "Hello, stranger.\n".to_owned(),
    }
}

async fn login_page() -> Html<&'static str> {
    Html(LOGIN_PAGE)
}

async fn login(
    session: Session<User>,
    Query(next): Query<Next>,
    Form(form): Form<Credentials>,
) -> Result<Response, Rejection> {
    let Some(user) = check_password(&form.username, &form.password) else {
        return Ok((StatusCode::UNAUTHORIZED, "Wrong name or password.\n").into_response());
    };
    session.create(user).await?;
    Ok(Redirect::to(&next.path()).into_response())
}

async fn logout(session: Session<User>) -> Result<Redirect, Rejection> {
    session.destroy().await?;
    Ok(Redirect::to("/"))
}

/// A browser without a session is sent to the login page; a script gets a 401.
async fn account(_user: Authenticated<User>) -> Html<&'static str> {
    Html(ACCOUNT_PAGE)
}

async fn admin(Extract(AdminOnly(user)): Extract<AdminOnly>) -> String {
    format!("The administrator is {}.\n", user.username)
}

/// Needs a login or a password check in the last minute: 403 `REAUTHENTICATION_REQUIRED` otherwise.
async fn change_email(user: Fresh<User, 60>) -> String {
    format!("{} may change the email address now.\n", user.username)
}

async fn reauthenticate(
    user: Authenticated<User>,
    Form(form): Form<Password>,
) -> Result<Response, Rejection> {
    if check_password(&user.username, &form.password).is_none() {
        return Ok((StatusCode::UNAUTHORIZED, "Wrong password.\n").into_response());
    }
    user.session().reauthenticate().await?;
    Ok(Redirect::to("/account").into_response())
}

/// A stand-in: your application looks the account up and verifies a password hash (Argon2) here.
fn check_password(username: &str, password: &str) -> Option<User> {
    let (user_id, role) = match (username, password) {
        ("alice", "wonderland") => ("1", "admin"),
        ("bob", "builder") => ("2", "user"),
        _ => return None,
    };
    Some(User { user_id: user_id.into(), username: username.into(), role: role.into() })
}

/// The form goes to the address of the page, and `next` with it.
const LOGIN_PAGE: &str = r#"<!doctype html>
<title>Log in</title>
<form method="post">
  <label>Name <input name="username" autocomplete="username" autofocus></label>
  <label>Password <input name="password" type="password" autocomplete="current-password"></label>
  <button>Log in</button>
</form>
"#;

const ACCOUNT_PAGE: &str = r#"<!doctype html>
<title>Account</title>
<form method="post" action="/email"><button>Change my email address</button></form>
<form method="post" action="/reauthenticate">
  <label>Password <input name="password" type="password" autocomplete="current-password"></label>
  <button>Confirm that it is me</button>
</form>
<form method="post" action="/logout"><button>Log out</button></form>
"#;

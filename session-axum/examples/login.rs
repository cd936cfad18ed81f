//! A login page that brings you back to where you were going, a page for administrators, and one that asks for your
//! password again when you logged in more than a minute ago.
//!
//! ```sh
//! JWT_SECRET=$(openssl rand -base64 48) cargo run -p session-axum --example login
//! ```
//!
//! Then open <http://127.0.0.1:3000/admin>. The accounts are alice/wonderland (an administrator) and bob/builder.

use std::error::Error;

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
#[serde(rename_all = "camelCase")]
struct User {
    user_id: String,
    username: String,
    role: String,
}

impl SessionPayload for User {
    fn subject(&self) -> Option<&str> {
        Some(&self.user_id)
    }
}

/// A guard of our own. It names no framework: the same lines work in all three.
struct AdminOnly(core::Authenticated<User>);

impl Guard for AdminOnly {
    type Payload = User;

    fn check(session: core::Session<User>) -> Result<Self, SessionError> {
        let user = core::Authenticated::check(session.clone())?;
        if user.role == "admin" { Ok(Self(user)) } else { Err(session.forbidden("not an administrator")) }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sessions = SessionManager::<User>::builder()
        .keys(KeyRing::from_env()?)
        .development()
        // Browsers that ask for a page without a session are sent here; everybody else gets 401.
        .login_page("/login")
        .build()?;
    let app = Router::new()
        .route("/", get(home))
        .route("/login", get(login_page).post(login))
        .route("/logout", post(logout))
        .route("/account", get(account))
        .route("/admin", get(admin))
        .route("/keys", get(keys))
        .route("/confirm", get(confirm_page).post(confirm))
        .layer(SessionLayer::new(sessions));
    axum::serve(TcpListener::bind("127.0.0.1:3000").await?, app).await?;
    Ok(())
}

async fn home(user: MaybeAuthenticated<User>) -> Html<String> {
    Html(match user.user() {
        Some(user) => format!("<p>Hello, {}.</p>{MENU}", user.username),
        None => "<p>Hello, whoever you are. <a href='/login'>Log in</a></p>".to_owned(),
    })
}

async fn login_page() -> Html<&'static str> {
    Html(LOGIN_FORM)
}

/// The form posts to the address it was shown at, so `next` is still in the query.
async fn login(
    session: Session<User>,
    Query(query): Query<Next>,
    Form(form): Form<Credentials>,
) -> Result<Response, Rejection> {
    let Some(user) = check_password(&form.username, &form.password) else {
        return Ok((StatusCode::UNAUTHORIZED, Html(LOGIN_FORM)).into_response());
    };
    session.create(user).await?;
    // Never go where a stranger's link says without this check.
    Ok(Redirect::to(checked_next(&query.next).unwrap_or("/")).into_response())
}

async fn logout(session: Session<User>) -> Result<Redirect, Rejection> {
    session.destroy().await?;
    Ok(Redirect::to("/"))
}

async fn account(user: Authenticated<User>) -> String {
    format!("You are {}, number {}.\n", user.username, user.user_id)
}

async fn admin(Extract(AdminOnly(user)): Extract<AdminOnly>) -> String {
    format!("You are {}, and you may do anything.\n", user.username)
}

/// 403 `REAUTHENTICATION_REQUIRED` a minute after the login: `/confirm` helps.
async fn keys(user: Fresh<User, 60>) -> String {
    format!("Here are the keys, {}.\n", user.username)
}

async fn confirm_page(_: Authenticated<User>) -> Html<&'static str> {
    Html(CONFIRM_FORM)
}

async fn confirm(user: Authenticated<User>, Form(form): Form<Confirmation>) -> Result<Response, Rejection> {
    if check_password(&user.username, &form.password).is_none() {
        return Ok((StatusCode::UNAUTHORIZED, Html(CONFIRM_FORM)).into_response());
    }
    user.session().reauthenticate().await?;
    Ok(Redirect::to("/keys").into_response())
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

#[derive(Deserialize)]
struct Confirmation {
    password: String,
}

/// Stands in for your table of users and a password hash such as Argon2.
fn check_password(username: &str, password: &str) -> Option<User> {
    let (user_id, role) = match (username, password) {
        ("alice", "wonderland") => ("1", "admin"),
        ("bob", "builder") => ("2", "user"),
        _ => return None,
    };
    Some(User { user_id: user_id.into(), username: username.into(), role: role.into() })
}

const LOGIN_FORM: &str = "<form method='post'>
<input name='username' autocomplete='username' placeholder='User name' required>
<input name='password' type='password' autocomplete='current-password' placeholder='Password' required>
<button>Log in</button></form>";

const CONFIRM_FORM: &str = "<form method='post'>
<input name='password' type='password' autocomplete='current-password' placeholder='Your password again' required>
<button>Confirm</button></form>";

const MENU: &str = "<p><a href='/account'>Account</a> <a href='/admin'>Administration</a>
<a href='/keys'>Keys</a> <a href='/confirm'>Confirm your password</a></p>
<form method='post' action='/logout'><button>Log out</button></form>";

//! The Rust side of a login that is shared with a Next.js application. All of it is under `/rust`, where that
//! application sends what browsers ask of it (`proxy.ts`).

use std::borrow::Cow;

use axum::extract::Query;
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use serde::{Deserialize, Serialize};
use session_axum::core::{CrossOrigin, SessionManagerBuilder, TokenForm, checked_next};
use session_axum::{
    Authenticated, ConfigError, Fresh, KeyRing, Rejection, Session, SessionLayer, SessionManager,
    SessionPayload,
};

/// `type User` of `lib/session.ts`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Names the account.
    pub user_id: String,
    /// For people.
    pub username: String,
    /// `admin` or `user`.
    pub role: String,
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.user_id).into())
    }
}

/// The settings that fit those of `lib/session.ts`, for browsers that see the application at `origin`.
///
/// # Errors
/// When `origin` is none.
pub fn sessions(keys: KeyRing, origin: &str) -> Result<SessionManagerBuilder<User>, ConfigError> {
    Ok(SessionManager::builder()
        .keys(keys)
        .token_form(TokenForm::Plain)
        // Behind Next.js `Host` is this service's own. Browsers without Sec-Fetch-Site show `Origin`, which is not.
        .cross_origin(CrossOrigin::default().trust(origin)?)
        // A page of the other side, on the same origin.
        .login_page("/login"))
}

/// The routes.
pub fn router(sessions: SessionManager<User>) -> Router {
    Router::new()
        .route("/rust/login", post(login))
        .route("/rust/logout", post(logout))
        .route("/rust/refresh", post(refresh))
        .route("/rust/me", get(me))
        .route("/rust/account", get(account))
        .merge(session_axum::routes("/rust/session", &sessions))
        .layer(SessionLayer::new(sessions))
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
    #[serde(default)]
    next: String,
}

async fn login(session: Session<User>, Form(form): Form<Credentials>) -> Result<Redirect, Rejection> {
    let next = checked_next(&form.next).unwrap_or("/rust/me");
    match check_password(&form) {
        Some(user) => {
            session.create(user).await?;
            Ok(Redirect::to(next))
        }
        None => Ok(Redirect::to("/login?error=wrong")),
    }
}

async fn logout(session: Session<User>) -> Result<Redirect, Rejection> {
    session.destroy().await?;
    Ok(Redirect::to("/"))
}

async fn refresh(session: Session<User>) -> Result<Redirect, Rejection> {
    session.refresh().await?;
    Ok(Redirect::to("/rust/me"))
}

#[derive(Deserialize)]
struct Asked {
    tab: Option<String>,
}

async fn me(user: Authenticated<User>, Query(asked): Query<Asked>) -> Html<String> {
    let tab = asked.tab.as_deref().filter(|tab| tab.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    Html(PAGE.replace("{who}", &escaped(&user.username)).replace("{tab}", tab.unwrap_or("none")))
}

/// Only for those who logged in lately, on whichever side.
async fn account(user: Fresh<User, 300>) -> Json<User> {
    Json(user.into_inner())
}

/// A stand-in, as `lib/accounts.ts` is.
fn check_password(form: &Credentials) -> Option<User> {
    let user = |id: &str, name: &str, role: &str| User {
        user_id: id.to_owned(),
        username: name.to_owned(),
        role: role.to_owned(),
    };
    match (&*form.username, &*form.password) {
        ("alice", "wonderland") => Some(user("u-1", "alice", "admin")),
        ("bob", "builder") => Some(user("u-2", "bob", "user")),
        _ => None,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<title>One login, two languages</title>
<h1>You, by Rust</h1>
<p id="rust-who">{who}</p>
<p>Tab: <span id="tab">{tab}</span></p>
<form action="/rust/refresh" method="post"><button id="refresh">Refresh</button></form>
<form action="/rust/logout" method="post"><button id="logout">Log out</button></form>
<p><a href="/me">You, by Next.js</a></p>
"#;

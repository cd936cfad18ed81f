//! A login page, a page for administrators, and a step that asks for the password again.
//!
//! ```text
//! export JWT_SECRET=$(openssl rand -base64 32)
//! cargo run -p session-rocket --example login
//! ```
//!
//! Open <http://127.0.0.1:3000/account>: the browser is sent to the login page and, as `alice` with `wonderland` or
//! `bob` with `builder`, back to where it wanted to go. Only alice gets to see <http://127.0.0.1:3000/admin>.

use std::borrow::Cow;

use rocket::form::{Form, FromForm};
use rocket::http::uri::Origin;
use rocket::response::{Redirect, content::RawHtml, status::Unauthorized};
use rocket::{Config, get, post, routes};
use serde::{Deserialize, Serialize};
use session_rocket::core::{self, checked_next};
use session_rocket::{
    Authenticated, Extract, Fresh, Guard, KeyRing, MaybeAuthenticated, Rejection, Session, SessionError,
    SessionFairing, SessionManager, SessionPayload,
};

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

#[derive(FromForm)]
struct Credentials {
    username: String,
    password: String,
}

#[derive(FromForm)]
struct Password {
    password: String,
}

/// Where the browser wanted to go.
#[derive(FromForm)]
struct Next {
    next: Option<String>,
}

impl Next {
    /// Only to a path of ours: an attacker can write the link to the login page. And only where Rocket's `Redirect`
    /// goes: it is stricter than its router.
    fn path(&self) -> String {
        let next = self.next.as_deref().and_then(checked_next).filter(|next| Origin::parse(next).is_ok());
        next.unwrap_or("/account").to_owned()
    }
}

#[rocket::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();
    let sessions = SessionManager::<User>::builder()
        .keys(KeyRing::from_env()?)
        .development()
        .login_page("/login")
        .build()?;
    let app = rocket::custom(Config::figment().merge(("port", 3000)))
        .mount("/", routes![home, login_page, login, logout, account, admin, change_email, reauthenticate])
        .attach(SessionFairing::new(sessions));
    app.launch().await?;
    Ok(())
}

#[get("/")]
async fn home(visitor: MaybeAuthenticated<User>) -> String {
    match visitor.user() {
        Some(user) => format!("Hello, {}.\n", user.username),
        None => "Hello, stranger.\n".to_owned(),
    }
}

#[get("/login")]
async fn login_page() -> RawHtml<&'static str> {
    RawHtml(LOGIN_PAGE)
}

#[post("/login?<next..>", data = "<form>")]
async fn login(
    session: Session<User>,
    next: Next,
    form: Form<Credentials>,
) -> Result<Result<Redirect, Unauthorized<&'static str>>, Rejection> {
    let Some(user) = check_password(&form.username, &form.password) else {
        return Ok(Err(Unauthorized("Wrong name or password.\n")));
    };
    session.create(user).await?;
    Ok(Ok(Redirect::to(next.path())))
}

#[post("/logout")]
async fn logout(session: Session<User>) -> Result<Redirect, Rejection> {
    session.destroy().await?;
    Ok(Redirect::to("/"))
}

/// A browser without a session is sent to the login page; a script gets a 401.
#[get("/account")]
async fn account(_user: Authenticated<User>) -> RawHtml<&'static str> {
    RawHtml(ACCOUNT_PAGE)
}

#[get("/admin")]
async fn admin(admin: Extract<AdminOnly>) -> String {
    let Extract(AdminOnly(user)) = admin;
    format!("The administrator is {}.\n", user.username)
}

/// Needs a login or a password check in the last minute: 403 `REAUTHENTICATION_REQUIRED` otherwise.
#[post("/email")]
async fn change_email(user: Fresh<User, 60>) -> String {
    format!("{} may change the email address now.\n", user.username)
}

#[post("/reauthenticate", data = "<form>")]
async fn reauthenticate(
    user: Authenticated<User>,
    form: Form<Password>,
) -> Result<Result<Redirect, Unauthorized<&'static str>>, Rejection> {
    if check_password(&user.username, &form.password).is_none() {
        return Ok(Err(Unauthorized("Wrong password.\n")));
    }
    user.session().reauthenticate().await?;
    Ok(Ok(Redirect::to("/account")))
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

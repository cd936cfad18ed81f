//! Log in, see who you are, log out. The cookie holds everything; there is no store.
//!
//! ```text
//! export JWT_SECRET=$(openssl rand -base64 32)
//! cargo run -p session-rocket --example basic
//!
//! curl -c jar -d 'username=alice&password=wonderland' http://127.0.0.1:3000/login
//! curl -b jar http://127.0.0.1:3000/me
//! curl -b jar -c jar -X POST http://127.0.0.1:3000/logout
//! ```

use std::borrow::Cow;

use rocket::form::{Form, FromForm};
use rocket::response::{Redirect, status::Unauthorized};
use rocket::serde::json::Json;
use rocket::{Config, get, post, routes};
use serde::{Deserialize, Serialize};
use session_rocket::{
    Authenticated, KeyRing, Rejection, Session, SessionFairing, SessionManager, SessionPayload,
};

#[derive(Clone, Serialize, Deserialize)]
struct User {
    user_id: String,
    username: String,
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.user_id).into())
    }
}

#[derive(FromForm)]
struct Credentials {
    username: String,
    password: String,
}

#[rocket::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();
    // `development` is for plain http; leave it out behind https.
    let sessions = SessionManager::<User>::builder().keys(KeyRing::from_env()?).development().build()?;
    let app = rocket::custom(Config::figment().merge(("port", 3000)))
        .mount("/", routes![login, me, logout])
        .attach(SessionFairing::new(sessions));
    app.launch().await?;
    Ok(())
}

#[post("/login", data = "<form>")]
async fn login(
    session: Session<User>,
    form: Form<Credentials>,
) -> Result<Result<Redirect, Unauthorized<&'static str>>, Rejection> {
    let Some(user) = check_password(&form) else {
        return Ok(Err(Unauthorized("Wrong name or password.\n")));
    };
    session.create(user).await?;
    Ok(Ok(Redirect::to("/me")))
}

#[get("/me")]
async fn me(user: Authenticated<User>) -> Json<User> {
    Json(user.into_inner())
}

#[post("/logout")]
async fn logout(session: Session<User>) -> Result<Redirect, Rejection> {
    session.destroy().await?;
    Ok(Redirect::to("/"))
}

/// A stand-in: your application looks the account up and verifies a password hash (Argon2) here.
fn check_password(form: &Credentials) -> Option<User> {
    let known = form.username == "alice" && form.password == "wonderland";
    known.then(|| User { user_id: "1".into(), username: "alice".into() })
}

//! Log in, see who you are, log out. The cookie holds everything; there is no store.
//!
//! ```text
//! export JWT_SECRET=$(openssl rand -base64 32)
//! cargo run -p session-actix --example basic
//!
//! curl -c jar -d 'username=alice&password=wonderland' http://127.0.0.1:3000/login
//! curl -b jar http://127.0.0.1:3000/me
//! curl -b jar -c jar -X POST http://127.0.0.1:3000/logout
//! ```

use std::borrow::Cow;

use actix_web::web::{Form, Json, Redirect, get, post};
use actix_web::{App, Either, HttpResponse, HttpServer};
use serde::{Deserialize, Serialize};
use session_actix::{
    Authenticated, KeyRing, Rejection, Session, SessionManager, SessionMiddleware, SessionPayload,
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

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();
    // `development` is for plain http; leave it out behind https.
    let sessions = SessionManager::<User>::builder().keys(KeyRing::from_env()?).development().build()?;
    let app = move || {
        App::new()
            .route("/login", post().to(login))
            .route("/me", get().to(me))
            .route("/logout", post().to(logout))
            .wrap(SessionMiddleware::new(sessions.clone()))
    };
    Ok(HttpServer::new(app).bind("127.0.0.1:3000")?.run().await?)
}

async fn login(
    session: Session<User>,
    form: Form<Credentials>,
) -> Result<Either<Redirect, HttpResponse>, Rejection> {
    let Some(user) = check_password(&form) else {
        return Ok(Either::Right(HttpResponse::Unauthorized().body("Wrong name or password.\n")));
    };
    session.create(user).await?;
    Ok(Either::Left(Redirect::to("/me").see_other()))
}

async fn me(user: Authenticated<User>) -> Json<User> {
    Json(user.into_inner())
}

async fn logout(session: Session<User>) -> Result<Redirect, Rejection> {
    session.destroy().await?;
    Ok(Redirect::to("/").see_other())
}

/// A stand-in: your application looks the account up and verifies a password hash (Argon2) here.
fn check_password(form: &Credentials) -> Option<User> {
    let known = form.username == "alice" && form.password == "wonderland";
    known.then(|| User { user_id: "1".into(), username: "alice".into() })
}

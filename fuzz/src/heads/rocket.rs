//! The app on Rocket.

use rocket::config::LogLevel;
use rocket::http::uri::Origin;
use rocket::http::{Header, Method};
use rocket::local::asynchronous::Client;
use rocket::{Config, get, post, routes};
use session_rocket::{
    Authenticated, Flash, Fresh, MaybeAuthenticated, Rejection, Session, SessionFairing, SessionManager,
};

use super::{Answer, Framework, Head, PEER, block_on};
use crate::world::User;

type Outcome = Result<&'static str, Rejection>;

pub(super) struct Rocket(Client);

impl Rocket {
    pub(super) fn new(sessions: &SessionManager<User>) -> Self {
        let config = Config { log_level: LogLevel::Off, ..Config::debug_default() };
        let rocket = rocket::custom(config)
            .mount("/", routes![me, maybe, fresh, take_flash, set_flash, login, again, logout, visits])
            .mount("/session", session_rocket::routes(sessions))
            .attach(SessionFairing::new(sessions.clone()));
        Self(block_on(Client::untracked(rocket)).expect("it ignites"))
    }
}

impl Framework for Rocket {
    fn send(&self, head: &Head) -> Option<Answer> {
        let target = Origin::parse(&head.target).ok()?;
        let method: Method = head.method.parse().ok()?;
        block_on(async {
            let mut request = self.0.req(method, target).remote(PEER);
            for (name, value) in &head.headers {
                request.add_header(Header::new(name.clone(), value.clone()));
            }
            let response = request.dispatch().await;
            let status = response.status().code;
            let lines = response.headers().iter();
            let lines: Vec<_> =
                lines.map(|header| (header.name().to_string(), header.value().to_owned())).collect();
            let body = response.into_bytes().await.unwrap_or_default();
            let lines = lines.iter().map(|(name, value)| (&**name, value.as_bytes()));
            Some(Answer::new(status, lines, body))
        })
    }
}

#[get("/me")]
fn me(user: Authenticated<User>) -> String {
    user.user_id.clone()
}

#[get("/maybe")]
fn maybe(user: MaybeAuthenticated<User>) -> String {
    user.user().map_or_else(|| "nobody".to_owned(), |user| user.user_id.clone())
}

#[get("/fresh")]
fn fresh(user: Fresh<User, 300>) -> String {
    user.user_id.clone()
}

#[get("/flash")]
fn take_flash(flash: Flash<User>) -> Result<String, Rejection> {
    Ok(flash.take::<String>()?.unwrap_or_default())
}

#[post("/flash")]
fn set_flash(flash: Flash<User>) -> Outcome {
    flash.set("saved")?;
    Ok("set")
}

#[post("/login")]
async fn login(session: Session<User>) -> Outcome {
    session.create(User::named("carol")).await?;
    Ok("in")
}

#[post("/again")]
async fn again(session: Session<User>) -> Outcome {
    session.reauthenticate().await?;
    Ok("again")
}

#[post("/logout")]
async fn logout(session: Session<User>) -> Outcome {
    session.destroy().await?;
    Ok("out")
}

#[post("/visits")]
async fn visits(session: Session<User>) -> Result<String, Rejection> {
    Ok(session.update(|user| user.note.push('.')).await?.note.clone())
}

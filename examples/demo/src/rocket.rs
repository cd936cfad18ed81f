//! The demo on Rocket.

use std::convert::Infallible;
use std::io::Cursor;

use rocket::config::{Ident, LogLevel, Shutdown as RocketShutdown};
use rocket::data::{Capped, Data, ToByteUnit as _};
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use rocket::response::{self, Responder, Response};
use rocket::shield::Shield;
use rocket::{Build, Config, Request, Rocket, State, catch, catchers, get, post, routes};
use session_rocket::{Authenticated, Head, Rejection, Session, SessionFairing, SessionManager};

use crate::forms::FORMS;
use crate::guard::Admin;
use crate::login::{Body, MAX_BODY};
use crate::serve::Shutdown;
use crate::{Answer, App, Asked, User};

/// Serves until `shutdown`. Rocket binds its port itself, so the listener that held it free makes way.
///
/// # Errors
/// When the port was taken in between, or Rocket refuses to launch.
pub async fn serve(
    listener: std::net::TcpListener,
    app: App,
    sessions: SessionManager<User>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let config = Config {
        address: address.ip(),
        port: address.port(),
        ident: Ident::none(),
        log_level: LogLevel::Off,
        cli_colors: false,
        shutdown: RocketShutdown { ctrlc: false, signals: Default::default(), ..Default::default() },
        ..Config::default()
    };
    let forms = |rocket, path| Rocket::<Build>::mount(rocket, path, routes![form]);
    let rocket = FORMS.into_iter().fold(rocket::custom(config), forms);
    let rocket = rocket
        .mount("/", routes![home, login, logout, me, admin, events, visits, healthz, asset])
        .mount("/session", session_rocket::routes(&sessions))
        .register("/", catchers![elsewhere])
        .attach(SessionFairing::new(sessions))
        // The answers bring their own headers, the same on all three.
        .attach(Shield::new())
        .manage(app)
        .ignite()
        .await?;
    let handle = rocket.shutdown();
    tokio::spawn(async move {
        shutdown.requested().await;
        handle.notify();
    });
    drop(listener);
    rocket.launch().await?;
    Ok(())
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Asked {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(Self::of(&Head(request)))
    }
}

session_rocket::extractor!(Admin);

#[get("/")]
async fn home(app: &State<App>, session: Result<Session<User>, Rejection>, asked: Asked) -> Answer {
    app.home(session.map(Into::into).map_err(|refusal| refusal.0), &asked).await
}

#[post("/login", data = "<data>")]
async fn login(app: &State<App>, session: Session<User>, asked: Asked, data: Data<'_>) -> Answer {
    app.login(&session, &asked, read(&data.open(MAX_BODY.bytes()).into_bytes().await)).await
}

/// Mounted at the path of each form.
#[post("/", data = "<data>")]
async fn form(app: &State<App>, session: Session<User>, asked: Asked, data: Data<'_>) -> Answer {
    app.form(&session, &asked, read(&data.open(MAX_BODY.bytes()).into_bytes().await)).await
}

fn read(bytes: &std::io::Result<Capped<Vec<u8>>>) -> Body<'_> {
    match bytes {
        Ok(bytes) if bytes.is_complete() => Body::Complete(bytes),
        Ok(_) => Body::TooLarge,
        Err(_) => Body::Broken,
    }
}

#[post("/logout")]
async fn logout(app: &State<App>, session: Session<User>, asked: Asked) -> Answer {
    app.logout(&session, &asked).await
}

#[get("/api/me")]
fn me(app: &State<App>, user: Authenticated<User>) -> Answer {
    app.me(&user)
}

#[get("/api/admin")]
fn admin(app: &State<App>, admin: Result<Admin, Rejection>, asked: Asked) -> Answer {
    app.admin(admin.as_ref().map_err(|refusal| refusal.0.clone()), &asked)
}

#[get("/api/events")]
fn events(app: &State<App>, user: Authenticated<User>) -> Answer {
    app.events(&user)
}

#[post("/api/visits")]
async fn visits(app: &State<App>, session: Session<User>) -> Answer {
    app.visits(&session).await
}

#[get("/healthz")]
fn healthz(app: &State<App>) -> Answer {
    app.healthz()
}

#[get("/assets/<name>")]
fn asset(app: &State<App>, name: &str, asked: Asked) -> Answer {
    app.asset(name, &asked)
}

#[catch(404)]
fn elsewhere(request: &Request<'_>) -> Option<Answer> {
    let app = request.rocket().state::<App>()?;
    Some(app.elsewhere(&Asked::of(&Head(request))))
}

impl<'r> Responder<'r, 'static> for Answer {
    fn respond_to(self, _request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        response.status(Status::new(self.status));
        for (name, value) in self.headers {
            response.raw_header(name, value);
        }
        response.sized_body(self.body.len(), Cursor::new(self.body)).ok()
    }
}

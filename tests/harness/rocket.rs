//! The app on Rocket.

use std::io::Cursor;
use std::net::{Ipv4Addr, SocketAddr};

use futures_util::{Stream, stream};
use rocket::config::{LogLevel, Shutdown};
use rocket::fairing::AdHoc;
use rocket::http::uri::Origin;
use rocket::http::{ContentType, Status};
use rocket::response::stream::ByteStream;
use rocket::response::{self, Responder, Response};
use rocket::{Build, Config, Request, get, post, routes};
use session_core::adapter::PlainResponse;
use session_rocket::{
    Authenticated, Extract, Flash, Flows, Fresh, Level, MaybeAuthenticated, NotImpersonated, Pending,
    Rejection, Session, SessionFairing, Visitor, respond,
};
use tokio::sync::oneshot;

use super::app::{self, Admin, Answer, App, Away, CHUNKS, Teapot, User, Vip};
use super::oidc::{self, Oidc};
use super::{Framework, Server};

pub(crate) struct Rocket;

type Outcome = Result<Answer, Rejection>;

impl Framework for Rocket {
    const NAME: &'static str = "Rocket";
    const PANIC_CLOSES: bool = false;
    const SHIELDED: bool = true;

    async fn serve(app: App) -> Server {
        let world = app.world.clone();
        let (started, start) = oneshot::channel();
        let started = std::sync::Mutex::new(Some(started));
        let rocket = build(app).attach(AdHoc::on_liftoff("tell the port", move |rocket| {
            Box::pin(async move {
                if let Some(started) = started.lock().unwrap().take() {
                    let _ = started.send(rocket.config().port);
                }
            })
        }));
        let rocket = rocket.ignite().await.unwrap();
        let shutdown = rocket.shutdown();
        tokio::spawn(async move { rocket.launch().await.map(drop) });
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, start.await.unwrap()));
        Server::new(address, world, move || shutdown.notify())
    }
}

fn build(app: App) -> rocket::Rocket<Build> {
    let shutdown = Shutdown {
        ctrlc: false,
        signals: [].into(),
        grace: 0,
        mercy: 0,
        force: false,
        ..Shutdown::default()
    };
    let config = Config { port: 0, log_level: LogLevel::Off, shutdown, ..Config::debug_default() };
    let rocket = rocket::custom(config)
        .mount(
            "/",
            routes![
                login,
                logout,
                me,
                page,
                maybe,
                fresh,
                vip,
                reauthenticate,
                visits,
                update_big,
                open,
                cached,
                streamed,
                error,
                login_then_error,
                panics,
                login_then_panic,
                ws,
                begin_flow,
                take_flow,
                flash,
                act,
                pending,
                level2,
                myself,
                visitor,
                begin_oidc,
                oidc_callback,
                oidc_posted
            ],
        )
        .mount("/nested/inner", routes![me])
        .mount("/session", session_rocket::routes(&app.users))
        .mount("/nested/session", session_rocket::routes(&app.users))
        .attach(SessionFairing::new(app.users));
    match app.admins {
        Some(admins) => {
            rocket.mount("/", routes![login_admin, admin, both]).attach(SessionFairing::new(admins))
        }
        None => rocket,
    }
}

#[post("/login", data = "<body>")]
async fn login(session: Session<User>, body: Vec<u8>) -> Outcome {
    Ok(app::login(&session, &body).await?)
}

#[post("/logout")]
async fn logout(session: Session<User>) -> Outcome {
    Ok(app::logout(&session).await?)
}

#[get("/me")]
fn me(user: Authenticated<User>) -> Answer {
    app::me(&user)
}

#[get("/page")]
fn page(user: Authenticated<User>) -> Answer {
    app::me(&user)
}

#[get("/maybe")]
fn maybe(user: MaybeAuthenticated<User>) -> Answer {
    app::maybe(&user)
}

#[get("/fresh")]
fn fresh(user: Fresh<User, 300>) -> Answer {
    app::fresh(&user)
}

#[get("/vip")]
fn vip(vip: Extract<Vip>) -> Answer {
    app::vip(&vip)
}

#[post("/reauthenticate")]
async fn reauthenticate(session: Session<User>) -> Outcome {
    Ok(app::reauthenticate(&session).await?)
}

#[post("/visits")]
async fn visits(session: Session<User>) -> Outcome {
    Ok(app::visits(&session).await?)
}

#[post("/update-big")]
async fn update_big(session: Session<User>) -> Outcome {
    Ok(app::update_big(&session).await?)
}

#[get("/open")]
fn open() -> Answer {
    app::open()
}

#[get("/cached")]
fn cached(user: Authenticated<User>) -> Answer {
    app::cached(&user)
}

#[get("/stream")]
fn streamed(_user: Authenticated<User>) -> ByteStream<impl Stream<Item = &'static str>> {
    ByteStream(stream::iter(CHUNKS))
}

#[get("/error")]
fn error(_user: MaybeAuthenticated<User>) -> Result<Answer, Teapot> {
    Err(Teapot)
}

#[post("/login-then-error", data = "<body>")]
async fn login_then_error(
    session: Session<User>,
    body: Vec<u8>,
) -> Result<Result<Answer, Rejection>, Teapot> {
    match app::login(&session, &body).await {
        Ok(_) => Err(Teapot),
        Err(error) => Ok(Err(Rejection(error))),
    }
}

#[get("/panic")]
fn panics(_user: MaybeAuthenticated<User>) -> Answer {
    panic!("a handler that panics, as the test wants")
}

#[post("/login-then-panic", data = "<body>")]
async fn login_then_panic(session: Session<User>, body: Vec<u8>) -> Outcome {
    app::login(&session, &body).await?;
    panic!("a handler that panics, as the test wants")
}

#[get("/ws")]
fn ws(user: Authenticated<User>) -> Answer {
    app::ws(&user)
}

#[post("/flow")]
async fn begin_flow(flows: Flows<Away>, flash: Flash<User>) -> Outcome {
    Ok(app::begin_flow(&flows, &flash).await?)
}

#[post("/flow/take", data = "<state>")]
async fn take_flow(flows: Flows<Away>, state: Vec<u8>) -> Outcome {
    Ok(app::take_flow(&flows, &state).await?)
}

#[post("/act", data = "<what>")]
async fn act(session: Session<User>, what: Vec<u8>) -> Outcome {
    Ok(app::act(&session, &what).await?)
}

#[get("/pending")]
fn pending(user: Pending<User>) -> Answer {
    app::named(&user)
}

#[get("/level2")]
fn level2(user: Level<User, 2>) -> Answer {
    app::named(&user)
}

#[get("/myself")]
fn myself(user: NotImpersonated<User>) -> Answer {
    app::named(&user)
}

#[get("/visitor")]
fn visitor(user: Visitor<User>) -> Answer {
    app::named(&user)
}

#[get("/flash")]
fn flash(flash: Flash<User>) -> Outcome {
    Ok(app::flash(&flash)?)
}

#[get("/oidc")]
async fn begin_oidc(flows: Flows<Oidc>, uri: &Origin<'_>) -> Result<Plain, Rejection> {
    Ok(Plain(oidc::begin(&flows, query(uri)).await?))
}

#[get("/oidc/callback")]
async fn oidc_callback(flows: Flows<Oidc>, uri: &Origin<'_>) -> Result<Plain, Rejection> {
    Ok(Plain(oidc::callback(&flows, query(uri)).await?))
}

#[post("/oidc/callback", data = "<body>")]
async fn oidc_posted(flows: Flows<Oidc>, body: Vec<u8>) -> Result<Plain, Rejection> {
    Ok(Plain(oidc::posted(&flows, &body).await?))
}

fn query<'a>(uri: &'a Origin<'_>) -> &'a str {
    uri.query().map_or("", |query| query.as_str())
}

#[post("/admin/login")]
async fn login_admin(session: Session<Admin>) -> Outcome {
    Ok(app::login_admin(&session).await?)
}

#[get("/admin/me")]
fn admin(user: Authenticated<Admin>) -> Answer {
    app::admin(&user)
}

#[get("/both")]
fn both(user: MaybeAuthenticated<User>, admin: MaybeAuthenticated<Admin>) -> Answer {
    app::both(&user, &admin)
}

/// An answer that has been made already.
struct Plain(PlainResponse);

impl<'r> Responder<'r, 'static> for Plain {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        Ok(respond(request, self.0))
    }
}

impl<'r> Responder<'r, 'static> for Answer {
    fn respond_to(self, _request: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        response
            .raw_header("content-type", self.content_type)
            .sized_body(self.body.len(), Cursor::new(self.body));
        if let Some(value) = self.cache_control {
            response.raw_header("cache-control", value);
        }
        response.ok()
    }
}

impl<'r> Responder<'r, 'static> for Teapot {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        (Status::new(Self::STATUS), (ContentType::Plain, Self::BODY)).respond_to(request)
    }
}

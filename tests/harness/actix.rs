//! The app on actix-web.

use std::convert::Infallible;
use std::fmt;
use std::net::TcpListener;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, ServiceConfig, get, post};
use actix_web::{Error, HttpRequest, HttpResponse, HttpServer, Responder, ResponseError};
use futures_util::stream;
use session_actix::{
    Authenticated, Extract, Flash, Flows, Fresh, Level, MaybeAuthenticated, NotImpersonated, Pending,
    Rejection, Session, SessionManager, SessionMiddleware, Visitor, respond, routes,
};

use super::app::{self, Admin, Answer, App, Away, CHUNKS, Teapot, User, Vip};
use super::oidc::{self, Oidc};
use super::{Framework, Server};

pub(crate) struct Actix;

type Outcome = Result<Answer, Rejection>;
/// An answer that has been made already.
type Plain = Result<HttpResponse, Rejection>;

impl Framework for Actix {
    const NAME: &'static str = "actix-web";
    const PANIC_CLOSES: bool = true;
    const SHIELDED: bool = false;

    async fn serve(app: App) -> Server {
        let App { users, admins, world } = app;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let factory = move || {
            actix_web::App::new()
                .configure(|config| user_routes(config, &users))
                .configure(|config| admin_routes(config, admins.as_ref()))
                .wrap(SessionMiddleware::new(users.clone()))
        };
        let server = HttpServer::new(factory).workers(1).disable_signals().listen(listener).unwrap().run();
        let handle = server.handle();
        tokio::spawn(server);
        // The command is sent at once; nobody waits for the worker to end.
        Server::new(address, world, move || drop(handle.stop(false)))
    }
}

fn user_routes(config: &mut ServiceConfig, users: &SessionManager<User>) {
    config
        .route("/login", post().to(login))
        .route("/logout", post().to(logout))
        .route("/me", get().to(me))
        .route("/page", get().to(me))
        .route("/maybe", get().to(maybe))
        .route("/fresh", get().to(fresh))
        .route("/vip", get().to(vip))
        .route("/reauthenticate", post().to(reauthenticate))
        .route("/visits", post().to(visits))
        .route("/update-big", post().to(update_big))
        .route("/open", get().to(open))
        .route("/cached", get().to(cached))
        .route("/stream", get().to(streamed))
        .route("/error", get().to(error))
        .route("/login-then-error", post().to(login_then_error))
        .route("/panic", get().to(panic))
        .route("/login-then-panic", post().to(login_then_panic))
        .route("/ws", get().to(ws))
        .route("/flow", post().to(begin_flow))
        .route("/flow/take", post().to(take_flow))
        .route("/flash", get().to(flash))
        .route("/act", post().to(act))
        .route("/pending", get().to(pending))
        .route("/level2", get().to(level2))
        .route("/myself", get().to(myself))
        .route("/visitor", get().to(visitor))
        .route("/oidc", get().to(begin_oidc))
        .route("/oidc/callback", get().to(oidc_callback))
        .route("/oidc/callback", post().to(oidc_posted))
        .service(routes("/session", users))
        .service(
            web::scope("/nested")
                .service(web::scope("/inner").route("/me", get().to(me)))
                .service(routes("/session", users)),
        );
}

/// Behind the others: a scope without a path takes everything that is left.
fn admin_routes(config: &mut ServiceConfig, admins: Option<&SessionManager<Admin>>) {
    let Some(admins) = admins else { return };
    let scope = web::scope("")
        .route("/admin/login", post().to(login_admin))
        .route("/admin/me", get().to(admin))
        .route("/both", get().to(both));
    config.service(scope.wrap(SessionMiddleware::new(admins.clone())));
}

async fn login(session: Session<User>, body: Bytes) -> Outcome {
    Ok(app::login(&session, &body).await?)
}

async fn logout(session: Session<User>) -> Outcome {
    Ok(app::logout(&session).await?)
}

async fn me(user: Authenticated<User>) -> Answer {
    app::me(&user)
}

async fn maybe(user: MaybeAuthenticated<User>) -> Answer {
    app::maybe(&user)
}

async fn fresh(user: Fresh<User, 300>) -> Answer {
    app::fresh(&user)
}

async fn vip(Extract(vip): Extract<Vip>) -> Answer {
    app::vip(&vip)
}

async fn reauthenticate(session: Session<User>) -> Outcome {
    Ok(app::reauthenticate(&session).await?)
}

async fn visits(session: Session<User>) -> Outcome {
    Ok(app::visits(&session).await?)
}

async fn update_big(session: Session<User>) -> Outcome {
    Ok(app::update_big(&session).await?)
}

async fn open() -> Answer {
    app::open()
}

async fn cached(user: Authenticated<User>) -> Answer {
    app::cached(&user)
}

async fn streamed(_user: Authenticated<User>) -> HttpResponse {
    let chunks = CHUNKS.map(|chunk| Ok::<_, Infallible>(Bytes::from_static(chunk.as_bytes())));
    HttpResponse::Ok().content_type("application/octet-stream").streaming(stream::iter(chunks))
}

async fn error(_user: MaybeAuthenticated<User>) -> Result<Answer, Teapot> {
    Err(Teapot)
}

async fn login_then_error(session: Session<User>, body: Bytes) -> Result<Answer, Error> {
    app::login(&session, &body).await.map_err(Rejection)?;
    Err(Teapot.into())
}

async fn panic(_user: MaybeAuthenticated<User>) -> Answer {
    panic!("a handler that panics, as the test wants")
}

async fn login_then_panic(session: Session<User>, body: Bytes) -> Outcome {
    app::login(&session, &body).await?;
    panic!("a handler that panics, as the test wants")
}

async fn ws(user: Authenticated<User>) -> Answer {
    app::ws(&user)
}

async fn begin_flow(flows: Flows<Away>, flash: Flash<User>) -> Outcome {
    Ok(app::begin_flow(&flows, &flash).await?)
}

async fn take_flow(flows: Flows<Away>, state: Bytes) -> Outcome {
    Ok(app::take_flow(&flows, &state).await?)
}

async fn flash(flash: Flash<User>) -> Outcome {
    Ok(app::flash(&flash)?)
}

async fn act(session: Session<User>, what: Bytes) -> Outcome {
    Ok(app::act(&session, &what).await?)
}

async fn pending(user: Pending<User>) -> Answer {
    app::named(&user)
}

async fn level2(user: Level<User, 2>) -> Answer {
    app::named(&user)
}

async fn myself(user: NotImpersonated<User>) -> Answer {
    app::named(&user)
}

async fn visitor(user: Visitor<User>) -> Answer {
    app::named(&user)
}

async fn begin_oidc(flows: Flows<Oidc>, request: HttpRequest) -> Plain {
    Ok(respond(oidc::begin(&flows, request.query_string()).await?))
}

async fn oidc_callback(flows: Flows<Oidc>, request: HttpRequest) -> Plain {
    Ok(respond(oidc::callback(&flows, request.query_string()).await?))
}

async fn oidc_posted(flows: Flows<Oidc>, body: Bytes) -> Plain {
    Ok(respond(oidc::posted(&flows, &body).await?))
}

async fn login_admin(session: Session<Admin>) -> Outcome {
    Ok(app::login_admin(&session).await?)
}

async fn admin(user: Authenticated<Admin>) -> Answer {
    app::admin(&user)
}

async fn both(user: MaybeAuthenticated<User>, admin: MaybeAuthenticated<Admin>) -> Answer {
    app::both(&user, &admin)
}

impl Responder for Answer {
    type Body = BoxBody;

    fn respond_to(self, _request: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        response.content_type(self.content_type);
        if let Some(value) = self.cache_control {
            response.insert_header(("cache-control", value));
        }
        response.body(self.body)
    }
}

impl fmt::Display for Teapot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::BODY)
    }
}

impl ResponseError for Teapot {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(Self::STATUS).unwrap()
    }
}

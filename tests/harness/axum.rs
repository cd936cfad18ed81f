//! The app on axum.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::RawQuery;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream;
use session_axum::{
    Authenticated, Extract, Flash, Flows, Fresh, Level, MaybeAuthenticated, NotImpersonated, Pending,
    Rejection, Session, SessionLayer, Visitor, respond, routes,
};

use super::app::{self, Admin, Answer, App, Away, CHUNKS, Teapot, User, Vip};
use super::oidc::{self, Oidc};
use super::{Framework, Server};

pub(crate) struct Axum;

type Outcome = Result<Answer, Rejection>;
/// An answer that has been made already.
type Plain = Result<Response, Rejection>;

impl Framework for Axum {
    const NAME: &'static str = "axum";
    const PANIC_CLOSES: bool = true;
    const SHIELDED: bool = false;

    async fn serve(app: App) -> Server {
        let world = app.world.clone();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = router(app).into_make_service_with_connect_info::<SocketAddr>();
        let task = tokio::spawn(async move { axum::serve(listener, service).await });
        Server::new(address, world, move || task.abort())
    }
}

fn router(app: App) -> Router {
    let router = Router::new()
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/me", get(me))
        .route("/page", get(me))
        .route("/maybe", get(maybe))
        .route("/fresh", get(fresh))
        .route("/vip", get(vip))
        .route("/reauthenticate", post(reauthenticate))
        .route("/visits", post(visits))
        .route("/update-big", post(update_big))
        .route("/open", get(open))
        .route("/cached", get(cached))
        .route("/stream", get(streamed))
        .route("/error", get(error))
        .route("/login-then-error", post(login_then_error))
        .route("/panic", get(panic))
        .route("/login-then-panic", post(login_then_panic))
        .route("/ws", get(ws))
        .route("/flow", post(begin_flow))
        .route("/flow/take", post(take_flow))
        .route("/flash", get(flash))
        .route("/act", post(act))
        .route("/pending", get(pending))
        .route("/level2", get(level2))
        .route("/myself", get(myself))
        .route("/visitor", get(visitor))
        .route("/oidc", get(begin_oidc))
        .route("/oidc/callback", get(oidc_callback).post(oidc_posted))
        .merge(routes("/session", &app.users))
        .nest(
            "/nested",
            Router::new()
                .nest("/inner", Router::new().route("/me", get(me)))
                .merge(routes("/session", &app.users)),
        );
    let router = match app.admins {
        Some(admins) => router
            .route("/admin/login", post(login_admin))
            .route("/admin/me", get(admin))
            .route("/both", get(both))
            .layer(SessionLayer::new(admins)),
        None => router,
    };
    router.layer(SessionLayer::new(app.users))
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

async fn streamed(_user: Authenticated<User>) -> impl IntoResponse {
    let body = Body::from_stream(stream::iter(CHUNKS.map(Ok::<_, Infallible>)));
    ([(header::CONTENT_TYPE, "application/octet-stream")], body)
}

async fn error(_user: MaybeAuthenticated<User>) -> Result<Answer, Teapot> {
    Err(Teapot)
}

async fn login_then_error(session: Session<User>, body: Bytes) -> Result<Answer, Response> {
    app::login(&session, &body).await.map_err(|error| Rejection(error).into_response())?;
    Err(Teapot.into_response())
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

async fn begin_oidc(flows: Flows<Oidc>, RawQuery(query): RawQuery) -> Plain {
    Ok(respond(oidc::begin(&flows, &query.unwrap_or_default()).await?))
}

async fn oidc_callback(flows: Flows<Oidc>, RawQuery(query): RawQuery) -> Plain {
    Ok(respond(oidc::callback(&flows, &query.unwrap_or_default()).await?))
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

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = ([(header::CONTENT_TYPE, self.content_type)], self.body).into_response();
        if let Some(value) = self.cache_control {
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(value));
        }
        response
    }
}

impl IntoResponse for Teapot {
    fn into_response(self) -> Response {
        (StatusCode::from_u16(Self::STATUS).unwrap(), Self::BODY).into_response()
    }
}

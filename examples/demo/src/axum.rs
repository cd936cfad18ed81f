//! The demo on axum.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body as AxumBody, Bytes, to_bytes};
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use session_axum::{Authenticated, Rejection, Session, SessionLayer, SessionManager, head};

use crate::forms::FORMS;
use crate::guard::Admin;
use crate::login::{Body, MAX_BODY};
use crate::serve::Shutdown;
use crate::{Answer, App, Asked, User};

/// Serves until `shutdown`.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: std::net::TcpListener,
    app: App,
    sessions: SessionManager<User>,
    shutdown: Shutdown,
) -> anyhow::Result<()> {
    let forms = FORMS.into_iter().fold(Router::new(), |router, path| router.route(path, post(form)));
    let router = forms
        .route("/", get(home))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/api/me", get(me))
        .route("/api/admin", get(admin))
        .route("/api/events", get(events))
        .route("/api/visits", post(visits))
        .route("/healthz", get(healthz))
        .route("/assets/{name}", get(asset))
        .merge(session_axum::routes("/session", &sessions))
        .fallback(elsewhere)
        .method_not_allowed_fallback(elsewhere)
        .layer(SessionLayer::new(sessions))
        .with_state(app)
        .into_make_service_with_connect_info::<SocketAddr>();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    Ok(axum::serve(listener, router).with_graceful_shutdown(shutdown.requested()).await?)
}

session_axum::extractor!(Admin);

async fn home(State(app): State<App>, session: Result<Session<User>, Rejection>, asked: Asked) -> Answer {
    app.home(session.map(Into::into).map_err(|refusal| refusal.0), &asked).await
}

async fn login(State(app): State<App>, session: Session<User>, asked: Asked, body: AxumBody) -> Answer {
    app.login(&session, &asked, read(&to_bytes(body, MAX_BODY + 1).await)).await
}

async fn form(State(app): State<App>, session: Session<User>, asked: Asked, body: AxumBody) -> Answer {
    app.form(&session, &asked, read(&to_bytes(body, MAX_BODY + 1).await)).await
}

fn read(bytes: &Result<Bytes, axum::Error>) -> Body<'_> {
    match bytes {
        Ok(bytes) if bytes.len() <= MAX_BODY => Body::Complete(bytes),
        Ok(_) => Body::TooLarge,
        Err(error) if is_too_large(error) => Body::TooLarge,
        Err(_) => Body::Broken,
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.to_string().contains("length limit"))
}

async fn logout(State(app): State<App>, session: Session<User>, asked: Asked) -> Answer {
    app.logout(&session, &asked).await
}

async fn me(State(app): State<App>, user: Authenticated<User>) -> Answer {
    app.me(&user)
}

async fn admin(State(app): State<App>, admin: Result<Admin, Rejection>, asked: Asked) -> Answer {
    app.admin(admin.as_ref().map_err(|refusal| refusal.0.clone()), &asked)
}

async fn events(State(app): State<App>, user: Authenticated<User>) -> Answer {
    app.events(&user)
}

async fn visits(State(app): State<App>, session: Session<User>) -> Answer {
    app.visits(&session).await
}

async fn healthz(State(app): State<App>) -> Answer {
    app.healthz()
}

async fn asset(State(app): State<App>, Path(name): Path<String>, asked: Asked) -> Answer {
    app.asset(&name, &asked)
}

async fn elsewhere(State(app): State<App>, asked: Asked) -> Answer {
    app.elsewhere(&asked)
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&head(parts)))
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(AxumBody::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

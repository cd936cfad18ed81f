//! The demo on actix-web.

use std::convert::Infallible;
use std::future::{Ready, ready};

use actix_web::body::BoxBody;
use actix_web::dev;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Path, Payload};
use actix_web::{App as ActixApp, FromRequest, HttpRequest, HttpResponse, HttpServer, Responder, web};
use session_actix::{Authenticated, Head, Rejection, Session, SessionManager, SessionMiddleware};

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
    let server = HttpServer::new(move || {
        ActixApp::new()
            .app_data(Data::new(app.clone()))
            .route("/", web::get().to(home))
            .route("/", web::head().to(home))
            .route("/login", web::post().to(login))
            .route("/logout", web::post().to(logout))
            .configure(|app| {
                for path in FORMS {
                    app.route(path, web::post().to(form));
                }
            })
            .route("/api/me", web::get().to(me))
            .route("/api/me", web::head().to(me))
            .route("/api/admin", web::get().to(admin))
            .route("/api/admin", web::head().to(admin))
            .route("/api/events", web::get().to(events))
            .route("/api/events", web::head().to(events))
            .route("/api/visits", web::post().to(visits))
            .route("/healthz", web::get().to(healthz))
            .route("/healthz", web::head().to(healthz))
            .route("/assets/{name}", web::get().to(asset))
            .route("/assets/{name}", web::head().to(asset))
            .service(session_actix::routes("/session", &sessions))
            .default_service(web::to(elsewhere))
            .wrap(SessionMiddleware::new(sessions.clone()))
    })
    .workers(2)
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    tokio::spawn(async move {
        shutdown.requested().await;
        handle.stop(true).await;
    });
    Ok(server.await?)
}

session_actix::extractor!(Admin);

async fn home(app: Data<App>, session: Result<Session<User>, Rejection>, asked: Asked) -> Answer {
    app.home(session.map(Into::into).map_err(|refusal| refusal.0), &asked).await
}

async fn login(app: Data<App>, session: Session<User>, asked: Asked, body: Payload) -> Answer {
    app.login(&session, &asked, read(&body.to_bytes_limited(MAX_BODY).await)).await
}

async fn form(app: Data<App>, session: Session<User>, asked: Asked, body: Payload) -> Answer {
    app.form(&session, &asked, read(&body.to_bytes_limited(MAX_BODY).await)).await
}

fn read<Broken, TooLarge>(bytes: &Result<Result<Bytes, Broken>, TooLarge>) -> Body<'_> {
    match bytes {
        Ok(Ok(bytes)) => Body::Complete(bytes),
        Ok(Err(_)) => Body::Broken,
        Err(_) => Body::TooLarge,
    }
}

async fn logout(app: Data<App>, session: Session<User>, asked: Asked) -> Answer {
    app.logout(&session, &asked).await
}

async fn me(app: Data<App>, user: Authenticated<User>) -> Answer {
    app.me(&user)
}

async fn admin(app: Data<App>, admin: Result<Admin, Rejection>, asked: Asked) -> Answer {
    app.admin(admin.as_ref().map_err(|refusal| refusal.0.clone()), &asked)
}

async fn events(app: Data<App>, user: Authenticated<User>) -> Answer {
    app.events(&user)
}

async fn visits(app: Data<App>, session: Session<User>) -> Answer {
    app.visits(&session).await
}

async fn healthz(app: Data<App>) -> Answer {
    app.healthz()
}

async fn asset(app: Data<App>, name: Path<String>, asked: Asked) -> Answer {
    app.asset(&name, &asked)
}

async fn elsewhere(app: Data<App>, asked: Asked) -> Answer {
    app.elsewhere(&asked)
}

impl FromRequest for Asked {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(Ok(Self::of(&Head(request))))
    }
}

impl Responder for Answer {
    type Body = BoxBody;

    fn respond_to(self, _request: &HttpRequest) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        for header in self.headers.iter().map(|(name, value)| (*name, &**value)) {
            response.insert_header(header);
        }
        response.body(self.body)
    }
}

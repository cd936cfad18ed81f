use actix_http::Request;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::test::{TestRequest, init_service};
use actix_web::web::{ServiceConfig, get};
use actix_web::{App, Error};
use session_actix::{Authenticated, SessionMiddleware};
use tokio::runtime::Runtime;

use super::{READ_ON_ACTIX, UNUSED_ON_ACTIX, User, counted, headers, runtime, sessions};

fn routes(app: &mut ServiceConfig) {
    app.route("/bare", get().to(async || "ok")).route("/read", get().to(read));
}

async fn read(user: Authenticated<User>) -> &'static str {
    if user.role == "admin" { "ok" } else { "no" }
}

fn of<S, B>(runtime: &Runtime, app: &S, path: &str, headers: &[(&'static str, String)]) -> i64
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    counted(runtime, || {
        let request = TestRequest::get().uri(path);
        let request = headers.iter().fold(request, |to, (name, value)| to.insert_header((*name, &**value)));
        let request = request.to_request();
        // The middleware works before the future is polled.
        async move { assert_eq!(app.call(request).await.unwrap().status(), 200) }
    })
}

/// Of a request to `path` within the middleware, over one to a bare route.
fn over_bare(path: &str) -> i64 {
    let (runtime, sessions) = (runtime(), sessions());
    let headers = runtime.block_on(headers(&sessions));
    let bare = runtime.block_on(init_service(App::new().configure(routes)));
    let app = App::new().configure(routes).wrap(SessionMiddleware::new(sessions));
    let app = runtime.block_on(init_service(app));
    of(&runtime, &app, path, &headers) - of(&runtime, &bare, "/bare", &headers)
}

#[test]
fn a_request_that_uses_no_session() {
    assert_eq!(over_bare("/bare"), UNUSED_ON_ACTIX);
}

#[test]
fn a_request_that_reads_the_user() {
    assert_eq!(over_bare("/read"), READ_ON_ACTIX);
}

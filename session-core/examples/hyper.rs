//! Sessions in a server of your own: bare hyper, and core alone.
//!
//! ```sh
//! JWT_SECRET=$(openssl rand -base64 48) cargo run -p session-core --features http --example hyper
//! curl -c jar -b jar -X POST http://127.0.0.1:3000/login
//! curl -b jar http://127.0.0.1:3000/me
//! ```

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::SocketAddr;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, server};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use session_core::adapter::{HttpHead, PlainResponse, RequestHead, ResponseChanges, routes};
use session_core::{KeyRing, SessionError, SessionManager, SessionPayload};
use tokio::net::TcpListener;

type Answer = Response<Full<Bytes>>;

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    user_id: String,
    username: String,
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.user_id).into())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = SessionManager::<User>::builder().keys(KeyRing::from_env()?).development().build()?;
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        let sessions = sessions.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| serve(&sessions, request, peer));
            let connection =
                server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                eprintln!("connection with {peer}: {error}");
            }
        });
    }
}

async fn serve(
    sessions: &SessionManager<User>,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Result<Answer, Infallible> {
    let (uri, peer) = (request.uri(), Some(peer.ip()));
    let head = HttpHead { method: request.method(), uri, headers: request.headers(), peer };
    Ok(answer(sessions, &head).await.unwrap_or_else(|error| plain(error.to_response())))
}

async fn answer(sessions: &SessionManager<User>, head: &HttpHead<'_>) -> Result<Answer, SessionError> {
    match (head.method(), head.uri.path()) {
        ("POST", "/login") => {
            // Check a password here.
            let user = User { user_id: "1".into(), username: "alice".into() };
            let outcome = sessions.create_session(user, head).await?;
            Ok(changed(text("welcome\n"), outcome.changes))
        }
        ("GET", "/me") => match sessions.get_session(head).await? {
            Some(outcome) => {
                let name = outcome.user().map(|user| user.username.clone()).unwrap_or_default();
                Ok(changed(text(&format!("{name}\n")), outcome.changes))
            }
            None => Ok(text("nobody is logged in\n")),
        },
        ("POST", "/logout") => Ok(changed(text("bye\n"), sessions.destroy_session(head).await?)),
        (method, path) => match path.strip_prefix("/session") {
            Some(rest) => Ok(session_route(sessions, head, method, rest).await),
            None => Ok(text("POST /login, GET /me, POST /logout, GET /session\n")),
        },
    }
}

/// The session routes, by the seam that the adapters use: receive, answer, close.
async fn session_route(
    sessions: &SessionManager<User>,
    head: &HttpHead<'_>,
    method: &str,
    path: &str,
) -> Answer {
    let slot = sessions.slot();
    let response = plain(routes::answer(&slot.receive(head), method, path).await);
    let changes = slot.close(response.headers());
    changed(response, changes)
}

fn changed(mut response: Answer, changes: ResponseChanges) -> Answer {
    changes.apply(response.headers_mut());
    response
}

fn plain(answer: PlainResponse) -> Answer {
    Response::from(answer).map(Full::from)
}

fn text(body: &str) -> Answer {
    Response::new(Full::from(body.to_owned()))
}

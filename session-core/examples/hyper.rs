//! Sessions in a server of your own: bare hyper, and core alone.
//!
//! ```sh
//! JWT_SECRET=$(openssl rand -base64 48) cargo run -p session-core --example hyper
//! curl -c jar -b jar -X POST http://127.0.0.1:3000/login
//! curl -b jar http://127.0.0.1:3000/me
//! ```

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, server};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use session_core::{
    KeyRing, SessionError, SessionManager, SessionPayload,
    adapter::{HeaderChange, Headers, PlainResponse, RequestHead, ResponseChanges, routes},
};
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

/// What the session layer sees of a request.
struct Head<'a> {
    request: &'a Request<Incoming>,
    peer: IpAddr,
}

impl Headers for Head<'_> {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.request.headers().get_all(name).iter().map(HeaderValue::as_bytes)
    }
}

impl RequestHead for Head<'_> {
    fn method(&self) -> &str {
        self.request.method().as_str()
    }

    fn target(&self) -> &str {
        self.request.uri().path_and_query().map_or("/", |target| target.as_str())
    }

    fn authority(&self) -> Option<&str> {
        self.request.uri().authority().map(|authority| authority.as_str())
    }

    fn peer(&self) -> Option<IpAddr> {
        Some(self.peer)
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
    let head = Head { request: &request, peer: peer.ip() };
    Ok(answer(sessions, &head).await.unwrap_or_else(|error| plain(error.to_response())))
}

async fn answer(sessions: &SessionManager<User>, head: &Head<'_>) -> Result<Answer, SessionError> {
    match (head.method(), head.request.uri().path()) {
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
async fn session_route(sessions: &SessionManager<User>, head: &Head<'_>, method: &str, path: &str) -> Answer {
    let session = sessions.slot();
    session.receive(head);
    let response = plain(routes::answer(&session, method, path).await);
    let changes = session.close(&ResponseHeaders(&response));
    changed(response, changes)
}

struct ResponseHeaders<'r>(&'r Answer);

impl Headers for ResponseHeaders<'_> {
    fn header<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0.headers().get_all(name).iter().map(HeaderValue::as_bytes)
    }
}

fn changed(mut response: Answer, changes: ResponseChanges) -> Answer {
    for change in changes {
        let (name, value) = match &change {
            HeaderChange::Set(name, value) | HeaderChange::Append(name, value) => (*name, value),
        };
        // Core's headers are ASCII.
        let Ok(value) = HeaderValue::from_str(value) else { continue };
        let name = HeaderName::from_static(name);
        if let HeaderChange::Set(..) = change {
            response.headers_mut().insert(name, value);
        } else {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn plain(answer: PlainResponse) -> Answer {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(*name, &**value);
    }
    response.body(Full::from(answer.body)).unwrap_or_default()
}

fn text(body: &str) -> Answer {
    Response::new(Full::from(body.to_owned()))
}

//! The app on actix-web.

use std::pin::Pin;

use actix_web::App;
use actix_web::body::to_bytes;
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::test::{TestRequest, init_service, try_call_service};
use actix_web::web::{get, post};
use session_actix::{
    Authenticated, Flash, Fresh, MaybeAuthenticated, Rejection, Session, SessionManager, SessionMiddleware,
    routes,
};

use super::{Answer, Framework, Head, PEER, block_on};
use crate::world::User;

type Outcome = Result<&'static str, Rejection>;
type Answering = Pin<Box<dyn Future<Output = Answer>>>;

pub(super) struct Actix(Box<dyn Fn(TestRequest) -> Answering>);

impl Actix {
    pub(super) fn new(sessions: &SessionManager<User>) -> Self {
        let app = App::new()
            .route("/me", get().to(async |user: Authenticated<User>| user.user_id.clone()))
            .route("/maybe", get().to(maybe))
            .route("/fresh", get().to(async |user: Fresh<User, 300>| user.user_id.clone()))
            .route("/flash", get().to(take_flash))
            .route("/flash", post().to(set_flash))
            .route("/login", post().to(login))
            .route("/again", post().to(again))
            .route("/logout", post().to(logout))
            .route("/visits", post().to(visits))
            .service(routes("/session", sessions))
            .wrap(SessionMiddleware::new(sessions.clone()));
        let service = std::rc::Rc::new(block_on(init_service(app)));
        Self(Box::new(move |request| {
            let service = std::rc::Rc::clone(&service);
            Box::pin(async move {
                let response = match try_call_service(&*service, request.to_request()).await {
                    Ok(response) => response.into_parts().1.map_into_boxed_body(),
                    Err(error) => error.error_response(),
                };
                let (head, body) = response.into_parts();
                let body = to_bytes(body).await.unwrap().to_vec();
                let headers = head.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
                Answer::new(head.status().as_u16(), headers, body)
            })
        }))
    }
}

impl Framework for Actix {
    fn send(&self, head: &Head) -> Option<Answer> {
        head.target.parse::<actix_web::http::Uri>().ok()?;
        let method = Method::from_bytes(head.method.as_bytes()).ok()?;
        let mut request = TestRequest::with_uri(&head.target).method(method).peer_addr(PEER);
        for (name, value) in &head.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            request = request.append_header((name, HeaderValue::from_bytes(value.as_bytes()).ok()?));
        }
        Some(block_on((self.0)(request)))
    }
}

async fn maybe(user: MaybeAuthenticated<User>) -> String {
    user.user().map_or_else(|| "nobody".to_owned(), |user| user.user_id.clone())
}

async fn take_flash(flash: Flash<User>) -> Result<String, Rejection> {
    Ok(flash.take::<String>()?.unwrap_or_default())
}

async fn set_flash(flash: Flash<User>) -> Outcome {
    flash.set("saved")?;
    Ok("set")
}

async fn login(session: Session<User>) -> Outcome {
    session.create(User::named("carol")).await?;
    Ok("in")
}

async fn again(session: Session<User>) -> Outcome {
    session.reauthenticate().await?;
    Ok("again")
}

async fn logout(session: Session<User>) -> Outcome {
    session.destroy().await?;
    Ok("out")
}

async fn visits(session: Session<User>) -> Result<String, Rejection> {
    Ok(session.update(|user| user.note.push('.')).await?.note.clone())
}

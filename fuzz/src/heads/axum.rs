//! The app on axum.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::routing::{get, post};
use session_axum::{
    Authenticated, Flash, Fresh, MaybeAuthenticated, Rejection, Session, SessionLayer, SessionManager, routes,
};
use tower::ServiceExt as _;

use super::{Answer, Framework, Head, PEER, block_on};
use crate::world::User;

type Outcome = Result<&'static str, Rejection>;

pub(super) struct Axum(Router);

impl Axum {
    pub(super) fn new(sessions: &SessionManager<User>) -> Self {
        let router = Router::new()
            .route("/me", get(async |user: Authenticated<User>| user.user_id.clone()))
            .route("/maybe", get(maybe))
            .route("/fresh", get(async |user: Fresh<User, 300>| user.user_id.clone()))
            .route("/flash", get(take_flash).post(set_flash))
            .route("/login", post(login))
            .route("/again", post(again))
            .route("/logout", post(logout))
            .route("/visits", post(visits))
            .merge(routes("/session", sessions))
            .layer(SessionLayer::new(sessions.clone()));
        Self(router)
    }
}

impl Framework for Axum {
    fn send(&self, head: &Head) -> Option<Answer> {
        let mut request =
            Request::builder().method(&*head.method).uri(&head.target).extension(ConnectInfo(PEER));
        for (name, value) in &head.headers {
            request = request.header(name, value.as_bytes());
        }
        let request = request.body(Body::empty()).ok()?;
        block_on(async {
            let Ok(response) = self.0.clone().oneshot(request).await;
            let (parts, body) = response.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
            let headers = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
            Some(Answer::new(parts.status.as_u16(), headers, body))
        })
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

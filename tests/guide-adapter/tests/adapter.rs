//! What the guide says that an adapter must do, asked of the one that it builds.

use std::borrow::Cow;

use poem::http::StatusCode;
use poem::test::{TestClient, TestResponse};
use poem::{Endpoint, EndpointExt, Route, get, handler, post};
use serde::{Deserialize, Serialize};
use session_core::store::MemoryStore;
use session_core::testing::FaultyStore;
use session_core::{KeyRing, SessionManager, SessionPayload};
use session_poem::{Authenticated, MaybeAuthenticated, Rejection, Session, SessionMiddleware, routes};

#[derive(Clone, Serialize, Deserialize)]
struct User {
    user_id: String,
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.user_id).into())
    }
}

#[handler]
async fn login(session: Session<User>) -> Result<StatusCode, Rejection> {
    session.create(User { user_id: "ann".into() }).await?;
    Ok(StatusCode::IM_A_TEAPOT)
}

#[handler]
async fn me(user: Authenticated<User>, _twice: MaybeAuthenticated<User>) -> String {
    user.user_id.clone()
}

#[handler]
async fn logout(session: Session<User>) -> Result<(), Rejection> {
    session.destroy().await?;
    Ok(())
}

#[handler]
fn nothing() -> &'static str {
    "ok"
}

fn app(store: &FaultyStore) -> TestClient<impl Endpoint + use<>> {
    let keys = KeyRing::from_secret("a secret of at least thirty-two bytes").unwrap();
    let sessions =
        SessionManager::<User>::builder().keys(keys).development().store(store.clone()).build().unwrap();
    let app = Route::new()
        .at("/login", post(login))
        .at("/me", get(me))
        .at("/logout", post(logout))
        .at("/nothing", get(nothing))
        .nest("/session", routes(&sessions))
        .with(SessionMiddleware(sessions.clone()))
        .with(SessionMiddleware(sessions));
    TestClient::new(app)
}

fn cookie(response: &TestResponse) -> String {
    let line = response.0.headers().get("set-cookie").unwrap().to_str().unwrap();
    line.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_login_a_use_and_a_logout() {
    let client = app(&FaultyStore::new(MemoryStore::new()));
    client.get("/me").send().await.assert_status(StatusCode::UNAUTHORIZED);
    let response = client.post("/login").send().await;
    response.assert_status(StatusCode::IM_A_TEAPOT);
    let cookie = cookie(&response);
    let response = client.get("/me").header("cookie", &cookie).send().await;
    response.assert_status_is_ok();
    response.assert_text("ann").await;
    client.post("/logout").header("cookie", &cookie).send().await.assert_status_is_ok();
    client.get("/me").header("cookie", &cookie).send().await.assert_status(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn two_extractors_and_two_middlewares_are_one_store_call_and_a_route_without_them_none() {
    let store = FaultyStore::new(MemoryStore::new());
    let client = app(&store);
    let cookie = cookie(&client.post("/login").send().await);
    let before = store.calls().len();
    client.get("/me").header("cookie", &cookie).send().await.assert_status_is_ok();
    assert_eq!(store.calls().len(), before + 1);
    let response = client.get("/nothing").header("cookie", &cookie).send().await;
    assert!(response.0.headers().get("vary").is_none());
    assert_eq!(store.calls().len(), before + 1);
}

#[tokio::test]
async fn the_session_routes_see_the_path_as_it_was_sent() {
    let client = app(&FaultyStore::new(MemoryStore::new()));
    let cookie = cookie(&client.post("/login").send().await);
    for (path, status) in [
        ("/session", 200),
        ("/session/", 200),
        ("/session/list", 200),
        ("/session/list/abc", 405),
        ("/session/list/a%2Fb", 404),
    ] {
        let response = client.get(path).header("cookie", &cookie).send().await;
        assert_eq!(response.0.status().as_u16(), status, "{path}");
    }
    let foreign =
        client.post("/session/refresh").header("cookie", &cookie).header("sec-fetch-site", "cross-site");
    foreign.send().await.assert_status(StatusCode::FORBIDDEN);
}

//! Passkeys: nobody has a password. What a ceremony must remember between its two requests is kept in a flow: for ten
//! minutes, for this browser, once.

mod problem;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::response::Html;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use session_axum::core::store::MemoryStore;
use session_axum::{Flow, Flows, KeyRing, SessionLayer, SessionManager, SessionPayload, routes};
use webauthn_rs::prelude::{
    CreationChallengeResponse, Passkey, PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, RequestChallengeResponse, Url, Uuid, Webauthn, WebauthnBuilder,
};

use problem::Problem;

#[derive(Clone, Serialize, Deserialize)]
struct User {
    user_id: Uuid,
    name: String,
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some(self.user_id.to_string().into())
    }
}

/// Between the two requests of a registration.
#[derive(Serialize, Deserialize)]
struct Registration {
    user: User,
    ceremony: PasskeyRegistration,
}

impl Flow for Registration {
    type Payload = User;
    const NAME: &'static str = "passkey-registration";
}

/// Between the two requests of a login.
#[derive(Serialize, Deserialize)]
struct Login {
    name: String,
    ceremony: PasskeyAuthentication,
}

impl Flow for Login {
    type Payload = User;
    const NAME: &'static str = "passkey-login";
}

/// Names the account at the beginning of a ceremony.
#[derive(Deserialize)]
struct Named {
    name: String,
}

/// What the browser's script gets, to ask the authenticator with.
#[derive(Serialize)]
struct Begun<O> {
    state: String,
    options: O,
}

/// What it has to say then.
#[derive(Deserialize)]
struct Answered<C> {
    state: String,
    credential: C,
}

/// A passkey is the account's credential: keep it as you would a password's hash.
struct Account {
    user: User,
    passkeys: Vec<Passkey>,
}

struct App {
    webauthn: Webauthn,
    /// A stand-in for your database.
    accounts: Mutex<HashMap<String, Account>>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).map_or(Ok(3000), |port| port.parse())?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    // Passkeys belong to a domain: `localhost` is one, `127.0.0.1` is none.
    let origin = Url::parse(&format!("http://localhost:{}", listener.local_addr()?.port()))?;
    println!("{origin}");
    Ok(axum::serve(listener, router(&origin)?).await?)
}

fn router(origin: &Url) -> Result<Router, Box<dyn std::error::Error>> {
    let sessions = SessionManager::<User>::builder()
        .keys(KeyRing::from_env()?)
        // A ceremony is too large for a cookie, and the server alone must have it.
        .store(MemoryStore::new())
        // Cookies without Secure, for plain http. Leave this line out in production.
        .development()
        .build()?;
    let webauthn = WebauthnBuilder::new("localhost", origin)?.rp_name("Passkeys").build()?;
    let app = App { webauthn, accounts: Mutex::default() };
    Ok(Router::new()
        .route("/", get(|| async { Html(include_str!("page.html")) }))
        .route("/register/begin", post(begin_registration))
        .route("/register/finish", post(finish_registration))
        .route("/login/begin", post(begin_login))
        .route("/login/finish", post(finish_login))
        .with_state(Arc::new(app))
        .merge(routes("/session", &sessions))
        .layer(SessionLayer::new(sessions)))
}

async fn begin_registration(
    State(app): State<Arc<App>>,
    flows: Flows<Registration>,
    Json(Named { name }): Json<Named>,
) -> Result<Json<Begun<CreationChallengeResponse>>, Problem> {
    if app.is_taken(&name) {
        return Err(Problem::NameTaken);
    }
    let user = User { user_id: Uuid::new_v4(), name };
    let (options, ceremony) =
        app.webauthn.start_passkey_registration(user.user_id, &user.name, &user.name, None)?;
    let state = flows.begin(Registration { user, ceremony }).await?.to_string();
    Ok(Json(Begun { state, options }))
}

async fn finish_registration(
    State(app): State<Arc<App>>,
    flows: Flows<Registration>,
    Json(answered): Json<Answered<RegisterPublicKeyCredential>>,
) -> Result<(), Problem> {
    // First of all: whatever comes of the answer, there is no second one.
    let Registration { user, ceremony } = flows.take(&answered.state).await?;
    let passkey = app.webauthn.finish_passkey_registration(&answered.credential, &ceremony)?;
    app.open_account(user.clone(), passkey)?;
    log_in(&flows, user).await
}

async fn begin_login(
    State(app): State<Arc<App>>,
    flows: Flows<Login>,
    Json(Named { name }): Json<Named>,
) -> Result<Json<Begun<RequestChallengeResponse>>, Problem> {
    let passkeys = app.passkeys(&name).ok_or(Problem::Refused)?;
    let (options, ceremony) = app.webauthn.start_passkey_authentication(&passkeys)?;
    let state = flows.begin(Login { name, ceremony }).await?.to_string();
    Ok(Json(Begun { state, options }))
}

async fn finish_login(
    State(app): State<Arc<App>>,
    flows: Flows<Login>,
    Json(answered): Json<Answered<PublicKeyCredential>>,
) -> Result<(), Problem> {
    let Login { name, ceremony } = flows.take(&answered.state).await?;
    let result = app.webauthn.finish_passkey_authentication(&answered.credential, &ceremony)?;
    let user = app.change(&name, |account| {
        // Keeps the counter, which tells of a copied key.
        for passkey in &mut account.passkeys {
            passkey.update_credential(&result);
        }
        account.user.clone()
    });
    log_in(&flows, user.ok_or(Problem::Refused)?).await
}

/// `hwk` (RFC 8176): the user has a key, and proved it.
async fn log_in<F: Flow<Payload = User>>(flows: &Flows<F>, user: User) -> Result<(), Problem> {
    flows.session().create(user).methods(["hwk"]).await?;
    Ok(())
}

impl App {
    fn is_taken(&self, name: &str) -> bool {
        self.change(name, |_| ()).is_some()
    }

    fn passkeys(&self, name: &str) -> Option<Vec<Passkey>> {
        self.change(name, |account| account.passkeys.clone())
    }

    fn change<T>(&self, name: &str, change: impl FnOnce(&mut Account) -> T) -> Option<T> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).get_mut(name).map(change)
    }

    /// The name may have been taken during the ceremony.
    fn open_account(&self, user: User, passkey: Passkey) -> Result<(), Problem> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.contains_key(&user.name) {
            return Err(Problem::NameTaken);
        }
        accounts.insert(user.name.clone(), Account { user, passkeys: vec![passkey] });
        Ok(())
    }
}

//! A login with an OpenID provider, as an application writes it (OpenID Connect Core 1.0, section 3.1, with PKCE): the same
//! for all three frameworks.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use base64_simd::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::{Deserialize, Serialize};
use session_core::adapter::PlainResponse;
use session_core::{Flow, Flows, Relay, SessionError, Timestamp, checked_next};
use sha2::{Digest as _, Sha256};

use super::User;
use crate::wire::{Connection, Request, Response};

/// What must survive the visit to the provider.
#[derive(Serialize, Deserialize)]
pub(crate) struct Oidc {
    verifier: String,
    nonce: String,
    next: String,
}

impl Flow for Oidc {
    type Payload = User;
    const NAME: &'static str = "oidc";
}

/// The application as a client of the provider: [data](session_core::SessionManagerBuilder::data) of the manager.
pub(crate) struct Client {
    pub(crate) provider: SocketAddr,
    /// The application's own name, as browsers have it.
    host: &'static str,
    /// Known as soon as it listens.
    port: OnceLock<u16>,
}

/// What an ID token says, as far as it is used.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    nonce: String,
    auth_time: i64,
    #[serde(default)]
    amr: Vec<String>,
}

type Outcome = Result<PlainResponse, SessionError>;

/// `GET /oidc?next=..&response_mode=..`: sends the browser to the provider.
pub(crate) async fn begin(flows: &Flows<Oidc>, query: &str) -> Outcome {
    let client: &Arc<Client> = flows.session().data()?;
    let asked = Parameters::of(query);
    let (verifier, nonce) = (random(), random());
    let challenge = URL_SAFE_NO_PAD.encode_to_string(Sha256::digest(&verifier));
    let next = checked_next(asked.get("next")).unwrap_or("/").to_owned();
    let state = flows.begin(Oidc { verifier, nonce: nonce.clone(), next }).await?;
    let query = encoded(&[
        ("client_id", "app"),
        ("response_type", "code"),
        ("response_mode", asked.get("response_mode")),
        ("scope", "openid"),
        ("redirect_uri", &client.redirect_uri()),
        ("state", &state),
        ("nonce", &nonce),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    Ok(see_other(format!("{}/auth?{query}", client.issuer())))
}

/// `GET /oidc/callback?code=..&state=..`: the provider sends the browser back.
pub(crate) async fn callback(flows: &Flows<Oidc>, query: &str) -> Outcome {
    let answer = Parameters::of(query);
    log_in(flows, |name| answer.get(name)).await
}

/// `POST /oidc/callback`: the same with `response_mode=form_post`.
pub(crate) async fn posted(flows: &Flows<Oidc>, body: &[u8]) -> Outcome {
    match flows.relay(body)? {
        Relay::Again(page) => Ok(page),
        Relay::Here(fields) => log_in(flows, |name| fields.get(name).unwrap_or_default()).await,
    }
}

async fn log_in<'a>(flows: &Flows<Oidc>, answer: impl Fn(&str) -> &'a str) -> Outcome {
    let flow = flows.take(answer("state")).await?;
    let session = flows.session();
    let client: &Arc<Client> = session.data()?;
    // RFC 9207: the answer of another provider is not taken for this one's.
    if answer("iss") != client.issuer() || !answer("error").is_empty() {
        return Err(session.forbidden("the provider did not log anybody in"));
    }
    let id_token = client.exchange(answer("code"), &flow.verifier).await;
    let id_token = id_token.ok_or_else(|| session.forbidden("the provider does not take the code"))?;
    let claims = client.read(&id_token).await.map_err(|error| session.forbidden(error.to_string()))?;
    if claims.nonce != flow.nonce {
        return Err(session.forbidden("the ID token is for another login"));
    }
    let login = session.create(User::named(&claims.sub));
    login.authenticated_at(Timestamp::from_unix_seconds(claims.auth_time)).methods(claims.amr).await?;
    Ok(see_other(flow.next))
}

impl Client {
    pub(crate) fn new(provider: SocketAddr, host: &'static str) -> Self {
        Self { provider, host, port: OnceLock::new() }
    }

    pub(crate) fn listens(&self, address: SocketAddr) {
        self.port.set(address.port()).expect("one server for each client");
    }

    fn issuer(&self) -> String {
        format!("http://{}", self.provider)
    }

    fn redirect_uri(&self) -> String {
        let port = self.port.get().expect("an application that listens");
        format!("http://{}:{port}/oidc/callback", self.host)
    }

    /// A code for an ID token, unless the provider refuses.
    async fn exchange(&self, code: &str, verifier: &str) -> Option<String> {
        let body = encoded(&[
            ("grant_type", "authorization_code"),
            ("client_id", "app"),
            ("redirect_uri", &self.redirect_uri()),
            ("code", code),
            ("code_verifier", verifier),
        ]);
        let request = Request::post("/token").header("Content-Type", "application/x-www-form-urlencoded");
        let answer = self.ask(request.body(body)).await;
        (answer.status == 200).then(|| answer.json()["id_token"].as_str().unwrap().to_owned())
    }

    /// What an ID token says, if it is the provider's, for this application and of now.
    async fn read(&self, id_token: &str) -> Result<Claims, jsonwebtoken::errors::Error> {
        let keys: JwkSet = serde_json::from_slice(&self.ask(Request::get("/jwks")).await.body)?;
        let kid = decode_header(id_token)?.kid.unwrap_or_default();
        let key = DecodingKey::from_jwk(keys.find(&kid).expect("the provider's own key"))?;
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_issuer(&[self.issuer()]);
        rules.set_audience(&["app"]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        Ok(decode(id_token, &key, &rules)?.claims)
    }

    async fn ask(&self, request: Request) -> Response {
        let mut connection = Connection::open(self.provider).await.expect("the provider");
        connection.exchange(&request).await.expect("an answer of the provider")
    }
}

/// The parameters of a query. One that is missing is empty.
struct Parameters(HashMap<String, String>);

impl Parameters {
    fn of(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
    query.finish()
}

/// 256 random bits, in 43 characters (RFC 7636, section 4.1).
fn random() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("random bytes");
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

fn see_other(location: String) -> PlainResponse {
    PlainResponse { status: 303, headers: vec![("location", location.into())], body: Vec::new() }
}

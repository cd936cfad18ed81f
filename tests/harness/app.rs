//! The app that all three frameworks serve. What it does is here; their files only translate.
//!
//! | request | what it does |
//! |---|---|
//! | `POST /login` | body `name=alice`: logs her in; `name=guest` is a guest |
//! | `POST /logout` | logs out |
//! | `GET /me` `/page` `/nested/inner/me` | needs a user: JSON |
//! | `GET /maybe` | the user's name, or `nobody` |
//! | `GET /fresh` | needs a login within 300 s |
//! | `GET /vip` | a guard of the application: needs `alice` |
//! | `POST /reauthenticate` | a new id and new clocks |
//! | `POST /visits` | adds one to a counter in the payload |
//! | `POST /update-big` | puts 5000 bytes into the payload |
//! | `GET /open` | ignores the session |
//! | `GET /cached` | needs a user; sets a `Cache-Control` of its own |
//! | `GET /stream` | needs a user; streams a body in chunks |
//! | `GET /error` | reads the session, then fails with 418 in the framework's own way |
//! | `POST /login-then-error` | logs in, then fails so |
//! | `GET /panic` `POST /login-then-panic` | the same, with a panic |
//! | `GET /ws` | needs a user: where a WebSocket handshake would go |
//! | `/session/**` `/nested/session/**` | the session routes |
//! | `POST /flow` | begins a flow and leaves a flash; the body is the state |
//! | `POST /flow/take` | body: a state; what the flow carries |
//! | `GET /flash` | the flash, or `nothing` |
//! | `POST /act` | body: what is to happen around a login, see `act` |
//! | `GET /pending` `/level2` `/myself` `/visitor` | the guards `Pending`, `Level<2>`, `NotImpersonated`, `Visitor` |
//! | `GET /oidc` `GET` or `POST /oidc/callback` | a login with an OpenID provider: `oidc.rs` |
//! | `POST /admin/login` `GET /admin/me` `/both` | a second manager, if there is one |

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use session_core::{
    Authenticated, Flash, Flow, Flows, Fresh, Guard, MaybeAuthenticated, Session, SessionError,
    SessionManager, SessionPayload, Stopped,
};

use super::World;

/// What a framework serves.
pub(crate) struct App {
    pub(crate) users: SessionManager<User>,
    pub(crate) admins: Option<SessionManager<Admin>>,
    pub(crate) world: World,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    pub(crate) user_id: String,
    pub(crate) name: String,
    pub(crate) visits: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) note: String,
}

impl User {
    pub(crate) fn named(name: &str) -> Self {
        Self { user_id: format!("u-{name}"), name: name.to_owned(), visits: 0, note: String::new() }
    }
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        (self.name != "guest").then(|| (&self.user_id).into())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Admin {
    pub(crate) admin_id: String,
}

impl SessionPayload for Admin {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.admin_id).into())
    }
}

/// An answer in plain data.
pub(crate) struct Answer {
    pub(crate) content_type: &'static str,
    pub(crate) cache_control: Option<&'static str>,
    pub(crate) body: Vec<u8>,
}

type Outcome = Result<Answer, SessionError>;

impl Answer {
    fn text(body: impl Into<String>) -> Self {
        Self {
            content_type: "text/plain; charset=utf-8",
            cache_control: None,
            body: body.into().into_bytes(),
        }
    }

    fn json(body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).unwrap();
        Self { content_type: "application/json", cache_control: None, body }
    }
}

/// The application's own error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Teapot;

impl Teapot {
    pub(crate) const STATUS: u16 = 418;
    pub(crate) const BODY: &'static str = "short and stout";
}

/// Only alice passes.
#[derive(Debug)]
pub(crate) struct Vip(Authenticated<User>);

impl Guard for Vip {
    type Payload = User;

    async fn check(session: Session<User>) -> Result<Self, SessionError> {
        let user = Authenticated::check(session.clone()).await?;
        if user.name == "alice" { Ok(Self(user)) } else { Err(session.forbidden("not alice")) }
    }
}

/// What the app keeps while somebody is away.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Away {
    verifier: String,
}

impl Flow for Away {
    type Payload = User;
    const NAME: &'static str = "away";
}

/// What a stream sends, chunk by chunk.
pub(crate) const CHUNKS: [&str; 3] = ["one ", "two ", "three"];

pub(crate) async fn login(session: &Session<User>, body: &[u8]) -> Outcome {
    let name =
        body.strip_prefix(b"name=").and_then(|name| std::str::from_utf8(name).ok()).unwrap_or("nameless");
    session.create(User::named(name)).await?;
    Ok(Answer::text(format!("hello {name}")))
}

pub(crate) async fn logout(session: &Session<User>) -> Outcome {
    session.destroy().await?;
    Ok(Answer::text("bye"))
}

pub(crate) fn me(user: &User) -> Answer {
    Answer::json(user)
}

pub(crate) fn maybe(user: &MaybeAuthenticated<User>) -> Answer {
    Answer::text(user.user().map_or("nobody", |user| &user.name))
}

pub(crate) fn fresh(user: &Fresh<User, 300>) -> Answer {
    Answer::text(format!("fresh {}", user.name))
}

pub(crate) fn vip(vip: &Vip) -> Answer {
    Answer::text(format!("welcome {}", vip.0.name))
}

pub(crate) async fn reauthenticate(session: &Session<User>) -> Outcome {
    session.reauthenticate().await?;
    Ok(Answer::text("hello again"))
}

pub(crate) async fn visits(session: &Session<User>) -> Outcome {
    let user = session.update(|user| user.visits += 1).await?;
    Ok(Answer::text(user.visits.to_string()))
}

pub(crate) async fn update_big(session: &Session<User>) -> Outcome {
    let user = session.update(|user| user.note = "x".repeat(5000)).await?;
    Ok(Answer::text(user.note.len().to_string()))
}

pub(crate) fn open() -> Answer {
    Answer::text("ok")
}

pub(crate) fn cached(_user: &User) -> Answer {
    Answer { cache_control: Some("private, max-age=60"), ..Answer::text("cached") }
}

pub(crate) fn ws(user: &User) -> Answer {
    Answer::text(format!("a socket for {}", user.name))
}

pub(crate) async fn begin_flow(flows: &Flows<Away>, flash: &Flash<User>) -> Outcome {
    let state = flows.begin(Away { verifier: "the verifier".to_owned() }).await?;
    flash.set("on the way")?;
    Ok(Answer::text(state.as_str()))
}

pub(crate) async fn take_flow(flows: &Flows<Away>, state: &[u8]) -> Outcome {
    let flow = flows.take(std::str::from_utf8(state).unwrap_or_default()).await?;
    Ok(Answer::text(flow.verifier))
}

pub(crate) fn flash(flash: &Flash<User>) -> Outcome {
    Ok(Answer::text(flash.take::<String>()?.unwrap_or_else(|| "nothing".to_owned())))
}

pub(crate) async fn act(session: &Session<User>, what: &[u8]) -> Outcome {
    let said = match what {
        b"log in for now" => session.create(User::named("alice")).remember(false).await.map(|_| "for now"),
        b"first factor" => {
            session.create(User::named("alice")).level(0).methods(["pwd"]).await.map(|_| "one")
        }
        b"second factor" => session.complete(["otp"]).await.map(|_| "two"),
        b"step up" => session.step_up(["hwk"], 2).await.map(|_| "three"),
        b"visit" => session.visit(|| User::named("guest")).await.map(|_| "welcome"),
        b"look as bob" => session.impersonate(User::named("bob")).await.map(|_| "as bob"),
        b"back" => session.stop_impersonating().await.map(|stopped| match stopped {
            Stopped::Restored => "restored",
            _ => "logged out",
        }),
        _ => Ok("what?"),
    };
    said.map(Answer::text)
}

pub(crate) fn named(user: &User) -> Answer {
    Answer::text(&user.name)
}

pub(crate) async fn login_admin(session: &Session<Admin>) -> Outcome {
    session.create(Admin { admin_id: "root".to_owned() }).await?;
    Ok(Answer::text("hello root"))
}

pub(crate) fn admin(admin: &Admin) -> Answer {
    Answer::json(admin)
}

pub(crate) fn both(user: &MaybeAuthenticated<User>, admin: &MaybeAuthenticated<Admin>) -> Answer {
    let user = user.user().map_or("nobody", |user| &user.name);
    let admin = admin.user().map_or("nobody", |admin| &admin.admin_id);
    Answer::text(format!("{user} and {admin}"))
}

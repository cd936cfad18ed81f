//! The fairing: it keeps the manager, closes sessions, and answers for guards that refused.

use rocket::catcher::{BoxFuture, Catcher};
use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::http::Status;
use rocket::response::Responder;
use rocket::{Build, Request, Response, Rocket};
use session_core::{SessionManager, SessionPayload};

use crate::Rejection;
use crate::per_request::{Attached, Managers, NOSNIFF, cached, close, lock};

/// Gives the routes of an application the sessions of one manager. Attach one for each manager; Rocket refuses to
/// launch when two have the same cookie or the same payload, and its log says so.
///
/// A request that asks for no session gets no header. The answer to any other, be it a handler's, a stream or an
/// error page, gets the cookie, `Cache-Control` and `Vary`. After a panic no cookie is sent.
///
/// A request guard cannot choose its answer, so the fairing registers error catchers at `/` for the statuses of
/// refusals: 303, 401, 403, 409, 500, 501 and 503. Where you have one for such a status at `/`, or any at a longer
/// base, yours stays in charge and finds the answer in [`Rejection::of`](crate::Rejection::of). Errors that no guard
/// of ours left go on to your default catcher or to Rocket's.
#[derive(Clone, Debug)]
pub struct SessionFairing<U: SessionPayload>(SessionManager<U>);

impl<U: SessionPayload> SessionFairing<U> {
    /// A fairing for the sessions of `manager`.
    #[must_use]
    pub fn new(manager: SessionManager<U>) -> Self {
        Self(manager)
    }
}

#[rocket::async_trait]
impl<U: SessionPayload> Fairing for SessionFairing<U> {
    fn info(&self) -> Info {
        Info { name: "Session", kind: Kind::Ignite | Kind::Response }
    }

    async fn on_ignite(&self, mut rocket: Rocket<Build>) -> fairing::Result {
        if rocket.state::<Managers>().is_none() {
            rocket = rocket.manage(Managers::default());
        }
        let clash = rocket.state::<Managers>().and_then(|managers| lock(managers).reserve(&self.0).err());
        let Some(error) = clash else {
            return Ok(register_catchers(rocket.manage(Attached(self.0.clone()))));
        };
        log::error!("{error}");
        Err(rocket)
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let here = cached(request);
        here.nosniff.then(|| response.set_raw_header(NOSNIFF, "nosniff"));
        if let Some(slot) = here.slots.get::<U>() {
            close(&slot, response);
        }
    }
}

/// Every status with which a guard can refuse.
const STATUSES: [u16; 7] = [303, 401, 403, 409, 500, 501, 503];

fn register_catchers(rocket: Rocket<Build>) -> Rocket<Build> {
    let taken = |code| rocket.catchers().any(|known| known.code == Some(code) && known.base == "/");
    // Catcher::new does not take 303.
    let catcher = |code| Catcher { code: Some(code), ..Catcher::new(None, refused) };
    let catchers: Vec<_> = STATUSES.into_iter().filter(|&code| !taken(code)).map(catcher).collect();
    rocket.register("/", catchers)
}

fn refused<'r>(status: Status, request: &'r Request<'_>) -> BoxFuture<'r> {
    if let Some(refusal) = Rejection::of(request).filter(|refusal| refusal.0.status() == status.code) {
        return Box::pin(async { refusal.respond_to(request) });
    }
    let default = request.rocket().catchers().find(|known| known.code.is_none() && known.base == "/");
    let default = default.cloned().unwrap_or_default();
    Box::pin(async move { default.handler.handle(status, request).await })
}

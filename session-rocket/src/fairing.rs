//! The fairing: it keeps the manager, closes sessions, and answers for refused guards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rocket::catcher::{self, Catcher};
use rocket::fairing::{self, Fairing, Info, Kind};
use rocket::http::Status;
use rocket::{Build, Phase, Request, Response, Rocket};
use session_core::{Session, SessionError, SessionManager, SessionPayload, Slots};

use crate::translate::{NOSNIFF, close};
use crate::{Rejection, respond};

/// Gives sessions to the handlers of a Rocket application.
///
/// Attach one for each manager. Managers whose payload or cookie is the same cannot be told apart: Rocket refuses to
/// launch, and its log says why.
///
/// - A request that asks for no session gets no header. Otherwise the cookie, `Cache-Control` and `Vary` are set on
///   whatever response leaves: a handler's, a stream, an error catcher's.
/// - A guard that refuses is answered by error catchers at `/` for the statuses that core uses. A catcher of your own
///   for such a status at `/`, or any one at a longer base, stays in charge; [`Rejection::of`] gives it core's answer.
///   Other errors of these statuses go to your default catcher or to Rocket's, as without the fairing.
/// - After a panic of a handler no cookie is sent.
#[derive(Debug)]
pub struct SessionFairing<U: SessionPayload> {
    manager: SessionManager<U>,
    /// Of two fairings with the same manager one does the work.
    active: AtomicBool,
}

impl<U: SessionPayload> SessionFairing<U> {
    /// A fairing for the sessions of `manager`.
    #[must_use]
    pub fn new(manager: SessionManager<U>) -> Self {
        Self { manager, active: AtomicBool::new(false) }
    }
}

/// Every manager of the application.
#[derive(Default)]
struct Managers(Mutex<Slots>);

/// The manager for the payload `U`.
struct Attached<U: SessionPayload>(SessionManager<U>);

pub(crate) fn is_attached<P: Phase>(rocket: &Rocket<P>) -> bool {
    rocket.state::<Managers>().is_some()
}

pub(crate) fn attached<U: SessionPayload, P: Phase>(rocket: &Rocket<P>) -> Option<&SessionManager<U>> {
    rocket.state::<Attached<U>>().map(|attached| &attached.0)
}

/// What is known in one request.
#[derive(Default)]
pub(crate) struct PerRequest {
    pub(crate) slots: Slots,
    /// Why a guard refused.
    pub(crate) refused: Option<SessionError>,
    /// The response wants the header `X-Content-Type-Options`.
    pub(crate) nosniff: bool,
}

impl PerRequest {
    pub(crate) fn of<'a>(request: &'a Request<'_>) -> MutexGuard<'a, Self> {
        lock(request.local_cache(Mutex::default))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The session of this request for the payload `U`, made when somebody first asks.
pub(crate) fn session<U: SessionPayload>(request: &Request<'_>) -> Result<Session<U>, SessionError> {
    let manager = attached(request.rocket()).ok_or_else(session_core::no_layer::<U>)?;
    session_of(request, manager)
}

pub(crate) fn session_of<U: SessionPayload>(
    request: &Request<'_>,
    manager: &SessionManager<U>,
) -> Result<Session<U>, SessionError> {
    let slots = &mut PerRequest::of(request).slots;
    match slots.enter(manager)? {
        Some(session) => Ok(session),
        None => slots.get().ok_or_else(session_core::no_layer::<U>),
    }
}

#[rocket::async_trait]
impl<U: SessionPayload> Fairing for SessionFairing<U> {
    fn info(&self) -> Info {
        Info { name: "Session", kind: Kind::Ignite | Kind::Response }
    }

    async fn on_ignite(&self, rocket: Rocket<Build>) -> fairing::Result {
        let rocket = if is_attached(&rocket) { rocket } else { rocket.manage(Managers::default()) };
        let twin = attached::<U, _>(&rocket).is_some();
        let entered = rocket.state().map(|Managers(slots)| lock(slots).enter(&self.manager));
        match entered {
            Some(Err(error)) => {
                log::error!("{error}");
                Err(rocket)
            }
            Some(Ok(Some(_))) if twin => {
                log::error!(
                    "two session managers have the payload {}, so no guard could tell them apart: give one of them a \
                     payload type of its own",
                    std::any::type_name::<U>()
                );
                Err(rocket)
            }
            Some(Ok(Some(_))) => {
                self.active.store(true, Ordering::Relaxed);
                Ok(register_catchers(rocket.manage(Attached(self.manager.clone()))))
            }
            Some(Ok(None)) | None => Ok(rocket),
        }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        if !self.active.load(Ordering::Relaxed) {
            return;
        }
        let mut here = PerRequest::of(request);
        if std::mem::take(&mut here.nosniff) {
            response.set_raw_header(NOSNIFF, "nosniff");
        }
        if let Some(session) = here.slots.get::<U>() {
            close(&session, response);
        }
    }
}

/// Every status with which a guard can refuse.
const STATUSES: [u16; 7] = [303, 401, 403, 409, 500, 501, 503];

fn register_catchers(rocket: Rocket<Build>) -> Rocket<Build> {
    let taken = |code| rocket.catchers().any(|known| known.code == Some(code) && known.base == "/");
    let catchers: Vec<Catcher> = STATUSES.into_iter().filter(|&code| !taken(code)).map(catcher).collect();
    rocket.register("/", catchers)
}

fn catcher(code: u16) -> Catcher {
    // Catcher::new does not take 303.
    let mut catcher = Catcher::new(None, Refusals);
    catcher.code = Some(code);
    catcher.name = Some("session".into());
    catcher
}

/// Answers for guards that refused.
#[derive(Clone)]
struct Refusals;

#[rocket::async_trait]
impl catcher::Handler for Refusals {
    async fn handle<'r>(&self, status: Status, request: &'r Request<'_>) -> catcher::Result<'r> {
        let answer = Rejection::of(request).map(|Rejection(error)| error.to_response());
        if let Some(answer) = answer.filter(|answer| answer.status == status.code) {
            return Ok(respond(request, answer));
        }
        let own = request.rocket().catchers().find(|known| known.code.is_none() && known.base == "/");
        match own {
            Some(own) => own.handler.handle(status, request).await,
            None => Catcher::default().handler.handle(status, request).await,
        }
    }
}

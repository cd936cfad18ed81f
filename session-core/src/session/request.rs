//! One request: received once, opened at most once, closed with the response. The three views of it are
//! [`Slot`](super::Slot), [`Incoming`](super::Incoming) and [`Session`](super::Session).

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::state::{Outgoing, State};
use crate::engine::Engine;
use crate::error::{Challenge, ErrorKind, SessionError};
use crate::foreign::{ForeignCookies, Shows, Sources};
use crate::mode::{Current, Intent, Named, Opened, Present, Verified};
use crate::payload::SessionPayload;
use crate::request::{Received, RequestHead};
use crate::service::Operation;
use crate::terms::USUAL_LEVEL;
use crate::time::Timestamp;
use crate::token::Tries;

pub(crate) struct Request<U: SessionPayload> {
    pub(crate) engine: Arc<Engine<U>>,
    arrived: OnceLock<Arrived<U>>,
    /// Held while opening and during every operation.
    turn: futures_util::lock::Mutex<()>,
    state: Mutex<State<U>>,
}

/// What came with the request.
struct Arrived<U> {
    received: Received,
    shown: Verified<U>,
    /// Where sessions of other systems are adopted.
    shows: Option<Box<Shows<U>>>,
}

/// Has the turn.
pub(crate) struct Turn<'a, U> {
    pub(crate) op: Operation<'a, U>,
    _guard: futures_util::lock::MutexGuard<'a, ()>,
}

impl<U: SessionPayload> Request<U> {
    pub(crate) fn new(engine: &Arc<Engine<U>>) -> Arc<Self> {
        Arc::new(Self {
            engine: Arc::clone(engine),
            arrived: OnceLock::new(),
            turn: futures_util::lock::Mutex::new(()),
            state: Mutex::new(State::new()),
        })
    }

    /// Takes what is needed from the request, and reads its tokens; a second call changes nothing.
    pub(super) fn receive(&self, head: &impl RequestHead) {
        self.arrived.get_or_init(|| {
            let Engine { rules, mode, service, sources, .. } = &*self.engine;
            if let Some(sources) = sources {
                return self.receive_all(sources, head);
            }
            let mut shown = Verified::NONE;
            let received = rules.receive(head, |tokens| shown = mode.verify(service, tokens));
            Arrived { received, shown, shows: None }
        });
    }

    /// Also what it shows of other systems.
    #[cold]
    fn receive_all(&self, sources: &Sources<U>, head: &impl RequestHead) -> Arrived<U> {
        let Engine { rules, mode, service, .. } = &*self.engine;
        let (mut shown, mut carried) = (Verified::NONE, Vec::new());
        let received = rules.receive(head, |tokens| {
            let tries = Tries::new();
            let mut take = |token: &&[u8]| match sources.carried(token, service.now(), &tries) {
                Some(found) => {
                    carried.push(found);
                    false
                }
                None => true,
            };
            shown = mode.verify(service, &mut tokens.filter(|token| take(token)));
        });
        let is_bare = received.is_bearer || received.cross_origin.is_some() || sources.read.is_none();
        let cookies = if is_bare { None } else { ForeignCookies::of(head) };
        Arrived { received, shown, shows: Shows::new(cookies, carried) }
    }

    /// What it shows of other systems.
    pub(super) fn shows(&self) -> Option<&Shows<U>> {
        self.arrived.get()?.shows.as_deref()
    }

    pub(crate) fn received(&self) -> Option<&Received> {
        self.arrived.get().map(|arrived| &arrived.received)
    }

    /// The turn for an operation. Those of one request run one after the other.
    pub(crate) async fn turn(&self) -> Turn<'_, U> {
        let guard = self.turn.lock().await;
        self.turn_of(guard)
    }

    fn turn_of<'a>(&'a self, guard: futures_util::lock::MutexGuard<'a, ()>) -> Turn<'a, U> {
        Turn { op: Operation::new(&self.engine.service, self.received()), _guard: guard }
    }

    pub(super) async fn open_for(&self, intent: Intent) -> Result<(), SessionError> {
        if let Some(guard) = self.turn.try_lock() {
            return self.open_in(&self.turn_of(guard), intent).await;
        }
        // Whoever has the turn may have it for long, and have opened the session before.
        if let Some(outcome) = self.outcome() {
            return outcome;
        }
        let turn = self.turn().await;
        self.open_in(&turn, intent).await
    }

    /// The way of most requests without a store. The caller holds the turn.
    fn open_at_once(&self, intent: Intent) -> bool {
        let Some(arrived) = self.arrived.get().filter(|arrived| arrived.received.cross_origin.is_none())
        else {
            return false;
        };
        let mut state = self.state();
        let current = match state.opened {
            None => self.engine.mode.open_at_once(&self.engine.service, &arrived.shown, intent),
            Some(_) => None,
        };
        let Some(current) = current else { return false };
        state.opens(arrived.shown.named(), current);
        true
    }

    pub(crate) async fn open_in(&self, turn: &Turn<'_, U>, intent: Intent) -> Result<(), SessionError> {
        if let Some(outcome) = self.outcome() {
            return outcome;
        }
        if self.open_at_once(intent) {
            return Ok(());
        }
        match self.admitted() {
            // In a box, since it is 2 KB, which every handler's future would have with it.
            Ok(arrived) => Box::pin(self.find(&turn.op, arrived, intent)).await,
            Err(error) => {
                self.state().opened = Some(Err(error.clone()));
                Err(error)
            }
        }
    }

    async fn find(
        &self,
        op: &Operation<'_, U>,
        arrived: &Arrived<U>,
        intent: Intent,
    ) -> Result<(), SessionError> {
        let Arrived { shown, shows, .. } = arrived;
        let Opened { named, mut outcome } = self.engine.mode.open(op, shown, possible(op, intent)).await;
        if let (Some(shows), Err(error)) = (shows, &outcome)
            && intent != Intent::Peek
            && may_adopt(error, shown)
        {
            outcome = match Box::pin(self.adopt_shown(op, shows)).await {
                Ok(Some(effect)) => Ok(effect),
                Ok(None) => outcome,
                Err(error) => Err(error),
            };
        }
        let mut state = self.state();
        state.named = named;
        // Nothing is lost where the response has left: only a login must be sent.
        let outcome = outcome.map(|effect| drop(state.apply(effect)));
        state.opened = Some(outcome.clone());
        outcome
    }

    /// Asks the store for a session that was opened without it. For any other this is [`open_for`](Self::open_for).
    pub(super) async fn recheck(&self, open: Intent, ask: Intent) -> Result<(), SessionError> {
        self.open_for(open).await?;
        if self.current().is_none_or(|current| current.recent_at.is_none()) {
            return Ok(());
        }
        let turn = self.turn().await;
        self.recheck_in(&turn, ask).await
    }

    pub(super) async fn recheck_in(&self, turn: &Turn<'_, U>, ask: Intent) -> Result<(), SessionError> {
        let Some(current) = self.current() else { return Ok(()) };
        let asked = self.engine.mode.recheck(&turn.op, &current, possible(&turn.op, ask)).await;
        let mut state = self.state();
        match asked {
            Ok(Some(effect)) => drop(state.apply(effect)),
            Ok(None) => {}
            Err(denied) => return Err(state.denied(denied)),
        }
        Ok(())
    }

    /// The session, opened if nobody did.
    pub(super) async fn opened_in(
        &self,
        turn: &Turn<'_, U>,
        intent: Intent,
    ) -> Result<Current<U>, SessionError> {
        self.open_in(turn, intent).await?;
        self.current().ok_or_else(|| self.refusal())
    }

    /// What a login or a logout finds. Handlers behind an extractor have opened the session; for others the tokens are
    /// looked at now.
    pub(super) fn present(&self, turn: &Turn<'_, U>, received: &Received) -> Present<U> {
        if self.outcome().is_none() {
            let named = self.arrived.get().map_or(Named::NONE, |arrived| arrived.shown.tell(&turn.op));
            self.state().named = named;
        }
        let mut present = self.shown();
        if let Some(tracked) = self.engine.mode.tracked() {
            tracked.name_parked(&turn.op, received.parked(), &mut present.named);
        }
        if let Outgoing::Send(parked) = &self.state().parked {
            present.named.also(parked.claims);
        }
        present
    }

    /// What a login or a logout does to the cookie of a token that waits: both sessions end.
    pub(super) fn unparked(&self, received: &Received) -> Outgoing {
        let state = self.state();
        let has_one = matches!(state.parked, Outgoing::Send(_)) || received.parked().next().is_some();
        let acts = state.current.as_ref().is_some_and(|current| current.actor().is_some());
        if has_one || acts { Outgoing::Clear } else { Outgoing::Nothing }
    }

    pub(super) fn shown(&self) -> Present<U> {
        let state = self.state();
        Present { current: state.current.clone(), named: state.named.clone() }
    }

    /// Refuses a request from another origin, before anything else is looked at.
    pub(crate) fn admit(&self) -> Result<&Received, SessionError> {
        self.admitted().map(|arrived| &arrived.received)
    }

    fn admitted(&self) -> Result<&Arrived<U>, SessionError> {
        let Some(arrived) = self.arrived.get() else {
            return Err(self.error(ErrorKind::Misuse).detail(
                "the session was used before its slot received the request: call Slot::receive(&head) first",
            ));
        };
        let Received { cross_origin, client, .. } = &arrived.received;
        match cross_origin {
            None => Ok(arrived),
            Some(refusal) => Err(self.engine.service.refuse_origin(client, refusal)),
        }
    }

    /// Refuses what only a store can do; a request from another origin learns not even that.
    pub(crate) fn require_store(&self) -> Result<(), SessionError> {
        self.admit()?;
        match self.engine.mode.tracked() {
            Some(_) => Ok(()),
            None => Err(self.error(ErrorKind::StoreRequired)),
        }
    }

    /// What opening it answered, if somebody did.
    pub(crate) fn outcome(&self) -> Option<Result<(), SessionError>> {
        self.state().opened.clone()
    }

    /// Why nobody is logged in, as the answer to a request that needs somebody.
    pub(crate) fn refusal(&self) -> SessionError {
        let (outcome, reason, is_pending) = {
            let state = self.state();
            let is_pending = state.current.as_ref().is_some_and(Current::is_pending);
            (state.opened.clone(), state.reason(), is_pending)
        };
        let error = match outcome {
            Some(Err(error)) => error,
            _ if is_pending => self.incomplete(),
            _ => self.error(reason),
        };
        match self.received().and_then(|received| received.login_redirect.clone()) {
            Some(location) if error.kind().is_unauthenticated() => error.redirect_to(location),
            _ => error,
        }
    }

    /// The login waits for its second factor.
    pub(super) fn incomplete(&self) -> SessionError {
        self.error(ErrorKind::LoginIncomplete).level(USUAL_LEVEL)
    }

    pub(crate) fn not_closed(&self) -> Result<(), SessionError> {
        if self.state().closed { Err(self.response_left()) } else { Ok(()) }
    }

    pub(super) fn response_left(&self) -> SessionError {
        self.error(ErrorKind::ResponseSent)
            .detail("the response has left, so no cookie can follow it: do this before you answer")
    }

    pub(crate) fn is_bearer(&self) -> bool {
        self.received().is_some_and(|received| received.is_bearer)
    }

    pub(crate) fn challenge(&self) -> Challenge {
        self.received().map_or(Challenge::None, |received| received.challenge)
    }

    pub(crate) fn error(&self, kind: ErrorKind) -> SessionError {
        SessionError::new(kind, self.now()).challenged(self.challenge())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.engine.service.now()
    }

    pub(super) fn current(&self) -> Option<Current<U>> {
        self.state().current.clone()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State<U>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether no session of ours lives. One whose payload this program cannot read may live elsewhere, while a deploy is
/// rolled out.
fn may_adopt<U>(error: &SessionError, shown: &Verified<U>) -> bool {
    let kind = error.kind();
    kind.is_unauthenticated() && !(kind == ErrorKind::Invalid && shown.has_usable())
}

/// There is no cookie to carry a refresh that a native client did not ask for.
fn possible<U: SessionPayload>(op: &Operation<'_, U>, intent: Intent) -> Intent {
    match intent {
        Intent::Use if op.is_bearer() => Intent::UseAsIs,
        intent => intent,
    }
}

//! What must survive a redirect to somebody else and back.

mod places;
mod proof;
mod relay;
mod state;

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use relay::{PostedFields, Relay};
pub use state::FlowState;

use self::proof::{Kind, Proof, subject_hash};
use crate::error::{ErrorKind, SessionError};
use crate::guard::Guard;
use crate::id::SessionId;
use crate::payload::SessionPayload;
use crate::session::Session;

/// How long a flow can be taken.
pub(crate) const FLOW_LIFETIME: Duration = Duration::from_secs(600);

/// What a flow carries to its other end: a type of your own, such as the PKCE verifier, the nonce and the way back of an
/// OAuth login.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no flow",
    label = "this type does not implement `Flow`",
    note = "implement `session_core::Flow` for it: the payload of the manager, and a name; it must also be \
            `serde::Serialize`, `serde::Deserialize`, `Send`, `Sync` and `'static`"
)]
pub trait Flow: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The payload of the manager to which it belongs.
    type Payload: SessionPayload;

    /// Names it among the manager's flows. Nothing that was begun under one name is taken under another.
    const NAME: &'static str;

    /// The fields that [`relay`](Flows::relay) passes on from a provider's POST: what OAuth, OpenID Connect and SAML send.
    const POSTED: &'static [&'static str] = &[
        "state",
        "code",
        "id_token",
        "iss",
        "user",
        "error",
        "error_description",
        "SAMLResponse",
        "RelayState",
    ];
}

/// Flows: what must survive a redirect to somebody else and back, for ten minutes, in this browser, once. For OAuth
/// state, PKCE, passkey ceremonies, magic links and wizards. A flow needs no login and ends none.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use session_core::{Flow, Flows, SessionError};
/// # #[derive(Clone, Serialize, Deserialize)]
/// # struct User { user_id: String }
/// # impl session_core::SessionPayload for User { fn subject(&self) -> Option<std::borrow::Cow<'_, str>> { Some((&self.user_id).into()) } }
///
/// #[derive(Serialize, Deserialize)]
/// struct GitHub { verifier: String, next: String }
///
/// impl Flow for GitHub {
///     type Payload = User;
///     const NAME: &'static str = "github";
/// }
///
/// async fn start(flows: Flows<GitHub>) -> Result<String, SessionError> {
///     let state = flows.begin(GitHub { verifier: "random".into(), next: "/".into() }).await?;
///     Ok(format!("https://github.com/login/oauth/authorize?state={state}"))
/// }
///
/// async fn callback(flows: Flows<GitHub>, state: &str) -> Result<GitHub, SessionError> {
///     flows.take(state).await // then the code for a token, `flows.session().create(..)`, and a 303
/// }
/// ```
///
/// # Where it is
/// With a store the truth is a record in a realm of its own, `<realm>/flows`, which lists, limits and counts of sessions
/// never see; beginning is one round trip, taking two. The browser holds a cookie that proves where the flow began.
/// **Without a store** the cookie holds what the flow carries, sealed, at most 512 bytes as JSON, and "once" holds in this
/// process: another node, or this one after a restart, takes a copied cookie again.
///
/// Each flow has a cookie of its own: `__Host-`, Secure, HttpOnly, SameSite=Lax, whatever the session's is. A browser keeps
/// four, below 4 KiB together, and the oldest gives way. Beside them it keeps one that a page of another site made it
/// begin (`Sec-Fetch-Site: cross-site`), which gives way only to the next of that kind. Where a browser does not say so
/// (plain http, older Safari), a flow counts as begun here.
///
/// # Who is logged in
/// A flow that begins while somebody is logged in is taken while they are: otherwise one account's identity would be linked to
/// another. Both look at the session for that, so a session cookie with `SameSite=Strict`, which does not arrive with
/// the way back, takes none of those.
pub struct Flows<F: Flow> {
    session: Session<F::Payload>,
}

impl<F: Flow> Flows<F> {
    /// The session of this request, to log in once the flow is taken. Opened when something asks: an extractor of
    /// [`Session`] beside this one opens it first, and so refuses what [`relay`](Self::relay) is there for.
    #[must_use]
    pub fn session(&self) -> &Session<F::Payload> {
        &self.session
    }

    /// Begins a flow. The state is for whoever sends the browser back.
    ///
    /// # Errors
    /// `PayloadTooLarge` over 512 bytes of JSON without a store, or 16 KiB with one; `StoreUnavailable`; `CrossOrigin`;
    /// `ResponseSent`; `Misuse` for what is no JSON, for a manager
    /// [without secret keys](crate::SessionManagerBuilder::sealing_keys) and on a request with a bearer token.
    pub async fn begin(&self, flow: F) -> Result<FlowState, SessionError> {
        let request = &self.session.0;
        request.require_browser()?;
        let subject = self.subject().await?;
        let (state, data) = (self.new_state()?, self.encoded(&flow)?);
        let (id, ends_at) = (self.id(Kind::Bound, &state), request.now().plus(FLOW_LIFETIME));
        let turn = request.turn().await;
        let data = request.engine.mode.begin_flow(&turn.op, id, data, ends_at).await?;
        self.keep(&Proof { id, ends_at, subject, data }, request.form().is_cross_site)?;
        Ok(state)
    }

    /// Takes a flow that this browser began less than ten minutes ago: once. Whoever only knows the state takes nothing
    /// and ends nothing.
    ///
    /// A callback that comes twice fails the second time: a browser navigation is then sent to the
    /// [login page](crate::SessionManagerBuilder::login_page), once, if there is one. Answer the first with a 303.
    ///
    /// # Errors
    /// `FlowNotFound`; `StoreUnavailable`; `CrossOrigin`; `ResponseSent`.
    pub async fn take(&self, state: &str) -> Result<F, SessionError> {
        let request = &self.session.0;
        request.admit()?;
        request.not_closed()?;
        let id = self.checked_id(Kind::Bound, state)?;
        let (cookie, proof) =
            self.find(id).ok_or_else(|| self.not_found("this browser has no cookie of that flow"))?;
        if proof.subject.is_some() && self.subject().await? != proof.subject {
            return Err(self.not_found("the flow began while somebody else was logged in"));
        }
        let turn = request.turn().await;
        let data = request.engine.mode.take_flow(&turn.op, id, proof.data, proof.ends_at).await?;
        self.clear(&cookie.suffix)?;
        let flow = self.decoded(data)?;
        self.found()?;
        Ok(flow)
    }

    /// Begins a flow that any browser may take, such as the one that opens a link in a mail. Send the state to where only
    /// the right person reads it.
    ///
    /// # Errors
    /// As [`begin`](Self::begin), but on any request; `StoreRequired`.
    pub async fn begin_unbound(&self, flow: F) -> Result<FlowState, SessionError> {
        let request = &self.session.0;
        request.require_store()?;
        let (state, data) = (self.new_state()?, self.encoded(&flow)?);
        let (id, ends_at) = (self.id(Kind::Unbound, &state), request.now().plus(FLOW_LIFETIME));
        let turn = request.turn().await;
        request.engine.mode.begin_flow(&turn.op, id, data, ends_at).await?;
        Ok(state)
    }

    /// Takes a flow that was begun [unbound](Self::begin_unbound): only in a POST, since mail scanners open every link.
    /// Let the link show a page with a button that posts the state.
    ///
    /// # Errors
    /// `FlowNotFound`; `StoreRequired`; `StoreUnavailable`; `CrossOrigin`; `Misuse` in another request than a POST.
    pub async fn take_unbound(&self, state: &str) -> Result<F, SessionError> {
        let request = &self.session.0;
        request.require_store()?;
        if !request.form().is_post {
            return Err(request.error(ErrorKind::Misuse).detail(
                "take_unbound was called in a request that is no POST: let the link show a page with a button that \
                 posts the state, since mail scanners open every link",
            ));
        }
        let id = self.checked_id(Kind::Unbound, state)?;
        let turn = request.turn().await;
        let taken = request.engine.mode.take_flow(&turn.op, id, Vec::new(), request.now()).await?;
        self.decoded(taken)
    }

    /// Who is logged in, for comparing.
    async fn subject(&self) -> Result<Option<[u8; 16]>, SessionError> {
        let subject = self.session.open_subject().await?;
        Ok(subject.map(|subject| subject_hash(&self.session.0.engine.service.realm, &subject)))
    }

    fn new_state(&self) -> Result<FlowState, SessionError> {
        let request = &self.session.0;
        let state = FlowState::random(&*request.engine.service.random);
        state.map_err(|error| request.error(ErrorKind::Randomness).source_is(error))
    }

    fn id(&self, kind: Kind, state: &str) -> SessionId {
        proof::id(kind, &self.session.0.engine.service.realm, F::NAME, state)
    }

    fn checked_id(&self, kind: Kind, state: &str) -> Result<SessionId, SessionError> {
        if state::is_state(state) {
            return Ok(self.id(kind, state));
        }
        Err(self.not_found("the state is none of ours"))
    }

    /// The error of serde could quote the flow.
    fn encoded(&self, flow: &F) -> Result<Vec<u8>, SessionError> {
        let json = serde_json::to_vec(flow);
        json.map_err(|_| self.session.0.error(ErrorKind::Misuse).detail("the flow cannot be written as JSON"))
    }

    fn decoded(&self, taken: Option<Vec<u8>>) -> Result<F, SessionError> {
        let data = taken.ok_or_else(|| self.not_found("the flow was taken already, or is over"))?;
        serde_json::from_slice(&data)
            .map_err(|_| self.not_found("the flow does not decode into this program's type"))
    }
}

impl<F: Flow> Guard for Flows<F> {
    type Payload = F::Payload;
    const OPENS: bool = false;

    async fn check(session: Session<F::Payload>) -> Result<Self, SessionError> {
        Ok(Self { session })
    }
}

impl<F: Flow> Clone for Flows<F> {
    fn clone(&self) -> Self {
        Self { session: self.session.clone() }
    }
}

impl<F: Flow> fmt::Debug for Flows<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Flows").field(&F::NAME).finish()
    }
}

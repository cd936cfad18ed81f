//! The sessions of one request, by payload type: what an adapter keeps in its framework's request extensions.

use std::any::{Any, type_name};
use std::sync::Arc;

use crate::error::{ErrorKind, SessionError};
use crate::few::Few;
use crate::manager::SessionManager;
use crate::payload::SessionPayload;
use crate::request::RequestHead;
use crate::session::{Incoming, Request, Slot};
use crate::time::Timestamp;

/// The open slots of one request: one for each manager whose layer it passed.
#[derive(Clone, Default)]
pub struct Slots(Few<Arc<dyn Entry>, 1>);

/// A request, whatever its payload is.
trait Entry: Any + Send + Sync {
    fn cookie(&self) -> &Arc<str>;

    /// The type's name, for the error of a handler that asks for another.
    fn payload(&self) -> &'static str;
}

impl<U: SessionPayload> Entry for Request<U> {
    fn cookie(&self) -> &Arc<str> {
        &self.engine.rules.cookie
    }

    fn payload(&self) -> &'static str {
        type_name::<U>()
    }
}

impl Slots {
    /// A slot for `manager`, or `None` when its layer was passed already: then there is nothing to do.
    ///
    /// # Errors
    /// `Misuse` when another manager uses the same cookie name.
    pub fn enter<U: SessionPayload>(
        &mut self,
        manager: &SessionManager<U>,
    ) -> Result<Option<Slot<U>>, SessionError> {
        let cookie = &manager.0.rules.cookie;
        if let Some(twin) = self.0.iter().find(|entry| entry.cookie() == cookie) {
            let same = slot::<U>(twin).is_some_and(|slot| Arc::ptr_eq(&slot.0.engine, &manager.0));
            return if same { Ok(None) } else { Err(two_managers(cookie, manager.0.service.now())) };
        }
        let slot = manager.slot();
        self.0.push(Arc::clone(&slot.0) as Arc<dyn Entry>);
        Ok(Some(slot))
    }

    /// A slot for `manager`, where two for one payload are a mistake, too: for frameworks that look before they start.
    ///
    /// # Errors
    /// As [`enter`](Self::enter); `Misuse` when another manager has the payload `U`.
    pub fn reserve<U: SessionPayload>(&mut self, manager: &SessionManager<U>) -> Result<(), SessionError> {
        let is_taken = self.get::<U>().is_some();
        self.enter(manager)?;
        let twins = || format!("two session managers for one payload type: {}", type_name::<U>());
        let error = || SessionError::new(ErrorKind::Misuse, manager.0.service.now()).detail(twins());
        if is_taken { Err(error()) } else { Ok(()) }
    }

    /// The slot whose payload is `U`; of several the one of the innermost layer.
    #[must_use]
    pub fn get<U: SessionPayload>(&self) -> Option<Slot<U>> {
        self.0.iter().rev().find_map(slot)
    }

    /// Finds the slot for the payload `U` and gives it the request, which is not borrowed from then on.
    ///
    /// # Errors
    /// `Misuse` when the request passed no layer for this payload.
    pub fn receive<U: SessionPayload>(&self, head: &impl RequestHead) -> Result<Incoming<U>, SessionError> {
        let slot = self.get::<U>().ok_or_else(|| self.other_payloads::<U>())?;
        Ok(slot.received(head))
    }

    /// No layer for `U`, but perhaps for others: a mistake in a type is the usual reason.
    fn other_payloads<U>(&self) -> SessionError {
        let there: Vec<&str> = self.0.iter().map(|entry| entry.payload()).collect();
        if there.is_empty() {
            no_layer::<U>()
        } else {
            missing::<U>(&format!("the layers here are for {}", there.join(", ")))
        }
    }
}

fn slot<U: SessionPayload>(entry: &Arc<dyn Entry>) -> Option<Slot<U>> {
    let entry = Arc::clone(entry);
    let entry: Arc<dyn Any + Send + Sync> = entry;
    entry.downcast::<Request<U>>().ok().map(Slot)
}

fn two_managers(cookie: &str, at: Timestamp) -> SessionError {
    SessionError::new(ErrorKind::Misuse, at).detail(format!(
        "two session managers use the cookie {cookie} in one request: give one of them another cookie name"
    ))
}

/// The answer where no session layer, middleware or fairing is in place for the payload `U`.
#[must_use]
pub fn no_layer<U>() -> SessionError {
    missing::<U>("the request passed no session layer, middleware or fairing")
}

fn missing<U>(what_is_there: &str) -> SessionError {
    let at = std::time::SystemTime::now().into();
    SessionError::new(ErrorKind::Misuse, at).detail(format!(
        "no session for the payload {}: {what_is_there}; add the one of its manager around this handler",
        type_name::<U>()
    ))
}

impl std::fmt::Debug for Slots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|entry| entry.cookie())).finish()
    }
}

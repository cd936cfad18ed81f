//! Looking through another user's eyes, and coming back.

use super::Session;
use super::request::Request;
use super::state::Outgoing;
use crate::error::{ErrorKind, SessionError};
use crate::login::{Login, LoginOptions};
use crate::mode::{Current, Intent, Named};
use crate::payload::SessionPayload;
use crate::response::SessionToken;

/// Where [`Session::stop_impersonating`] has led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stopped {
    /// Back to the session of whoever acted, with the login time that it had.
    Restored,
    /// To nobody: that session is over, or the browser does not show its cookie. All cookies are cleared.
    LoggedOut,
}

impl<U: SessionPayload> Session<U> {
    /// Acts as another user, for support: a session of theirs in the place of this one, which waits in a second cookie,
    /// `<name>-actor`, with the attributes of the session's. Whether this user may do that is for the handler to decide,
    /// behind a guard.
    ///
    /// Such a session lives only as long as the one that it came from, which every request asks the store for (one round
    /// trip more, in hybrid mode, too): a logout, the end by an administrator, an eviction or a timeout of that one ends
    /// it. It ends by itself when the waiting token would, or [`at_most`](Login::at_most) after now. The user finds it
    /// in the list of devices, with [`actor`](crate::Device::actor), and can end it. It does not count towards the
    /// session limit. Every event of it names both (RFC 8693 section 4.1, `act`).
    ///
    /// Meanwhile [`Fresh`](crate::Fresh), [`Level`](crate::Level), [`reauthenticate`](Self::reauthenticate),
    /// [`step_up`](Self::step_up) and the end of the user's other sessions are refused; guard what else must not be done
    /// in somebody's name, such as a change of password, with [`NotImpersonated`](crate::NotImpersonated). A logout ends
    /// both sessions, as does another login.
    ///
    /// # Errors
    /// `StoreRequired` without a store. `Forbidden` for a guest, for one who acts as somebody already, for oneself, for a
    /// user without a subject, and with a bearer token, whose client keeps no second cookie. `Misuse` with
    /// [`methods`](Login::methods) or a [`level`](Login::level): nobody was verified. Else as
    /// [`create`](Self::create). `StoreUnavailable`, too, when another request has just replaced this one's token: a
    /// later attempt succeeds.
    pub fn impersonate(&self, user: U) -> Login<'_, SessionToken> {
        Login::new(move |options| async move {
            let turn = self.0.turn().await;
            self.0.not_closed()?;
            let (tracked, current) = self.0.tracked_in(&turn).await?;
            self.0.may_impersonate(&current, &user, &options)?;
            let held = self.0.state().held();
            let Some((own, held)) = current.record.as_deref().zip(held) else { return Err(self.0.refusal()) };
            let (login, parked) = tracked.impersonate(&turn.op, user, options, own, &held).await?;
            self.0.install(&turn, login, Outgoing::Send(parked)).await
        })
    }

    /// Ends a session in which somebody acts as its user, and goes back to their own. Without the waiting cookie there is
    /// no way back: whoever has stolen the one session does not get the other. Where the session that acts is over
    /// already (a second click, its end by the user or by the clock) the waiting cookie leads back all the same.
    ///
    /// Three round trips.
    ///
    /// # Errors
    /// `StoreRequired` without a store; `Forbidden` where nobody acts as the user; `Invalid` for a session whose payload
    /// this program cannot read; `StoreUnavailable`; `CrossOrigin`; `ResponseSent`. No session at all is no error: it is
    /// `LoggedOut`.
    pub async fn stop_impersonating(&self) -> Result<Stopped, SessionError> {
        let turn = self.0.turn().await;
        self.0.not_closed()?;
        let received = self.0.admit()?;
        let tracked = self.0.engine.mode.require_store(&turn.op)?;
        let acted = match self.0.opened_in(&turn, Intent::Use).await {
            Ok(current) if current.actor().is_none() => {
                return Err(self.0.error(ErrorKind::Forbidden).detail("nobody acts as this user"));
            }
            Ok(current) => Some(current),
            Err(error) if error.kind().is_unauthenticated() && error.kind() != ErrorKind::Invalid => None,
            Err(error) => return Err(error),
        };
        let mut parked = Named::NONE;
        tracked.name_parked(&turn.op, received.parked(), &mut parked);
        let Some((own, issued)) = tracked.restore(&turn.op, acted.as_ref(), parked).await? else {
            return self.0.destroy_in(&turn).await.map(|_| Stopped::LoggedOut);
        };
        let installed = self.0.state().install(own, issued, Outgoing::Clear);
        installed.map(|()| Stopped::Restored).map_err(|_| self.0.response_left())
    }
}

impl<U: SessionPayload> Request<U> {
    fn may_impersonate(
        &self,
        current: &Current<U>,
        user: &U,
        options: &LoginOptions,
    ) -> Result<(), SessionError> {
        let subject = user.subject();
        self.check_subject(subject.as_deref())?;
        if options.level.is_some() || !options.methods.is_empty() {
            return Err(self
                .error(ErrorKind::Misuse)
                .detail("acting as somebody verifies nobody: leave methods and level out"));
        }
        let problem = if self.is_bearer() {
            "the request has a bearer token, and its client keeps no second cookie to come back by"
        } else if current.actor().is_some() {
            "somebody acts as this user already: stop that first"
        } else if current.is_guest() || subject.is_none() {
            "a guest is nobody, and nobody can act as one"
        } else if current.account() == subject.as_deref() {
            "that is the user's own account"
        } else {
            return Ok(());
        };
        Err(self.error(ErrorKind::Forbidden).detail(problem))
    }

    /// Refuses what nobody may do in another one's name.
    pub(super) fn in_own_name(&self, current: &Current<U>) -> Result<(), SessionError> {
        match current.actor() {
            None => Ok(()),
            Some(_) => Err(self.acted()),
        }
    }

    pub(crate) fn acted(&self) -> SessionError {
        self.error(ErrorKind::Forbidden)
            .detail("somebody acts as this user, and may not do that in their name")
    }
}

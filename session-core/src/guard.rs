//! What a handler asks for in its signature: the session, a user, a recent login.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{ErrorKind, SessionError};
use crate::payload::SessionPayload;
use crate::session::Session;

/// A condition on the session, checked before the handler runs. Write your own once and use it in all three
/// frameworks: each adapter extracts any guard.
///
/// ```
/// use session_core::{Authenticated, Guard, Session, SessionError, SessionPayload};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Serialize, Deserialize)]
/// # struct User { user_id: String, role: String }
/// # impl SessionPayload for User { fn subject(&self) -> Option<std::borrow::Cow<'_, str>> { Some((&self.user_id).into()) } }
///
/// struct AdminOnly(Authenticated<User>);
///
/// impl Guard for AdminOnly {
///     type Payload = User;
///
///     async fn check(session: Session<User>) -> Result<Self, SessionError> {
///         let user = Authenticated::check(session.clone()).await?;
///         if user.role == "admin" { Ok(Self(user)) } else { Err(session.forbidden("not an admin")) }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no guard",
    label = "this type does not implement `Guard`",
    note = "implement `session_core::Guard` for it, or take `Session<U>`, `Authenticated<U>`, `MaybeAuthenticated<U>`, \
            `Fresh<U, SECONDS>` or another one of your framework's adapter"
)]
pub trait Guard: Sized + Send + 'static {
    /// The payload of the manager whose sessions it guards.
    type Payload: SessionPayload;

    /// Whether the session is opened before it is checked. `false` for a guard that needs none: its request costs no
    /// store call, and its response says nothing of a session.
    const OPENS: bool = true;

    /// Judges a session, opened if [`OPENS`](Self::OPENS) says so. What it needs beside the session is in
    /// [`Session::data`](crate::Session::data).
    ///
    /// # Errors
    /// The answer to a request that does not pass.
    fn check(session: Session<Self::Payload>) -> impl Future<Output = Result<Self, SessionError>> + Send;
}

/// A guard that holds a user and their session: what all of them have.
macro_rules! of_a_user {
    ($(#[$doc:meta])* pub struct $name:ident<U $(, const $number:ident: $type:ty)?>;) => {
        of_a_user!($(#[$doc])* $name [U: SessionPayload $(, const $number: $type)?] [U $(, $number)?]);
    };
    ($(#[$doc:meta])* $name:ident [$($generics:tt)*] [$($arguments:tt)*]) => {
        $(#[$doc])*
        pub struct $name<$($generics)*> {
            user: Arc<U>,
            session: Session<U>,
        }

        impl<$($generics)*> $name<$($arguments)*> {
            /// The session.
            #[must_use]
            pub fn session(&self) -> &Session<U> {
                &self.session
            }

            /// The user, owned: a copy, since the session keeps its own.
            #[must_use]
            pub fn into_inner(self) -> U {
                U::clone(&self.user)
            }
        }

        impl<$($generics)*> Deref for $name<$($arguments)*> {
            type Target = U;

            fn deref(&self) -> &U {
                &self.user
            }
        }

        /// Shows the session, and nothing of the user.
        impl<$($generics)*> fmt::Debug for $name<$($arguments)*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.session).finish()
            }
        }
    };
}

/// The session, whoever is or is not logged in, guests included: fails only when the answer is not known (503) or the request may
/// not ask (403).
impl<U: SessionPayload> Guard for Session<U> {
    type Payload = U;

    async fn check(session: Session<U>) -> Result<Self, SessionError> {
        match session.0.outcome() {
            Some(Err(error)) if !error.kind().is_unauthenticated() => Err(error),
            Some(_) => Ok(session),
            None => Err(session
                .0
                .error(ErrorKind::Misuse)
                .detail("a guard was checked before the session was opened")),
        }
    }
}

of_a_user! {
    /// Somebody is logged in: 401 otherwise, or for a browser navigation a redirect to the configured login page.
    /// Dereferences to the user.
    ///
    /// A guest is not logged in: a payload whose [`subject`](SessionPayload::subject) is `None` is answered as no session
    /// is, with `SESSION_NOT_FOUND`. Take [`Session`] for what guests may do as well.
    pub struct Authenticated<U>;
}

impl<U: SessionPayload> Guard for Authenticated<U> {
    type Payload = U;

    async fn check(session: Session<U>) -> Result<Self, SessionError> {
        Ok(Self { user: session.require_user()?, session })
    }
}

/// Whoever is logged in, if anybody. Empty only for the reasons of a 401, a guest among them: an outage (503) or a
/// request from another origin (403) is an error, not an anonymous visitor.
pub struct MaybeAuthenticated<U: SessionPayload> {
    user: Option<Arc<U>>,
    session: Session<U>,
}

impl<U: SessionPayload> MaybeAuthenticated<U> {
    /// The user, if somebody is logged in.
    #[must_use]
    pub fn user(&self) -> Option<&U> {
        self.user.as_deref()
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session<U> {
        &self.session
    }

    /// The user, owned, if somebody is logged in.
    #[must_use]
    pub fn into_inner(self) -> Option<U> {
        self.user.as_deref().cloned()
    }
}

impl<U: SessionPayload> Guard for MaybeAuthenticated<U> {
    type Payload = U;

    async fn check(session: Session<U>) -> Result<Self, SessionError> {
        let session = Session::check(session).await?;
        Ok(Self { user: session.logged_in(), session })
    }
}

of_a_user! {
    /// Somebody logged in less than `SECONDS` ago (ASVS 7.5.1): 403 `REAUTHENTICATION_REQUIRED` otherwise, and 401 where
    /// nobody is logged in, as for [`Authenticated`]. Always asks the store, in hybrid mode as well. Dereferences to the user,
    /// as the store has it then.
    pub struct Fresh<U, const SECONDS: u64>;
}

impl<U: SessionPayload, const SECONDS: u64> Guard for Fresh<U, SECONDS> {
    type Payload = U;

    async fn check(session: Session<U>) -> Result<Self, SessionError> {
        session.require_fresh(Duration::from_secs(SECONDS)).await?;
        // Only now: the user as the store has it.
        Ok(Self { user: session.require_user()?, session })
    }
}

of_a_user! {
    /// Somebody with a session, logged in or a guest: 401 otherwise, and for a login that waits for its second factor.
    /// Dereferences to the payload. Whoever has none gets one by [`Session::visit`].
    pub struct Visitor<U>;
}

impl<U: SessionPayload> Guard for Visitor<U> {
    type Payload = U;

    async fn check(session: Session<U>) -> Result<Self, SessionError> {
        match session.user() {
            Some(user) => Ok(Self { user, session }),
            None => Err(session.0.refusal()),
        }
    }
}

of_a_user! {
    /// A login that waits for its second factor ([level](crate::Login::level) 0): for the page that asks for it, and for
    /// nothing else. 401 where nobody is logged in, 403 where the login is complete. Dereferences to the user.
    pub struct Pending<U>;
}

impl<U: SessionPayload> Pending<U> {
    /// [`Session::update`] for a login that waits, which that refuses: to note which code was sent where, for instance. Wrong
    /// codes are counted by account, in your database: another login would begin another count.
    ///
    /// # Errors
    /// As [`Session::update`], but for `LoginIncomplete`.
    pub async fn update(&self, change: impl FnMut(&mut U) + Send) -> Result<Arc<U>, SessionError> {
        self.session.update_if(change, |_, current| Ok(current)).await
    }
}

impl<U: SessionPayload> Guard for Pending<U> {
    type Payload = U;

    async fn check(session: Session<U>) -> Result<Self, SessionError> {
        if let Some(user) = session.pending_user() {
            return Ok(Self { user, session });
        }
        session.require_user()?;
        Err(session.forbidden("the login waits for no second step"))
    }
}

of_a_user! {
    /// Somebody whose login is of [level](crate::Login::level) `LEVEL` or more: 403 `STEP_UP_REQUIRED` otherwise, and 401
    /// where nobody is logged in, as for [`Authenticated`]. Always asks the store, in hybrid mode as well. Dereferences to
    /// the user, as the store has it then. The level is raised by [`Session::step_up`].
    pub struct Level<U, const LEVEL: u8>;
}

impl<U: SessionPayload, const LEVEL: u8> Guard for Level<U, LEVEL> {
    type Payload = U;

    async fn check(session: Session<U>) -> Result<Self, SessionError> {
        session.require_level(LEVEL).await?;
        // Only now: the user as the store has it.
        Ok(Self { user: session.require_user()?, session })
    }
}

of_a_user! {
    /// Somebody is logged in as themselves: 403 `FORBIDDEN` while somebody [acts as the user](Session::impersonate), and 401
    /// where nobody is logged in, as for [`Authenticated`]. For what must not be done in another one's name: a new password,
    /// a new second factor, an order. Costs nothing more. Dereferences to the user.
    pub struct NotImpersonated<U>;
}

impl<U: SessionPayload> Guard for NotImpersonated<U> {
    type Payload = U;

    async fn check(session: Session<U>) -> Result<Self, SessionError> {
        let user = session.require_user()?;
        if session.actor().is_some() { Err(session.0.acted()) } else { Ok(Self { user, session }) }
    }
}

/// Shows the session, and nothing of the user.
impl<U: SessionPayload> fmt::Debug for MaybeAuthenticated<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MaybeAuthenticated").field(&self.session).finish()
    }
}

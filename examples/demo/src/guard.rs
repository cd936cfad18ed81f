//! The demo's own condition on a session, written once for all three frameworks.

use std::ops::Deref;

use session_core::{Authenticated, Guard, Session, SessionError};

use crate::User;
use crate::user::Role;

/// An administrator is logged in: 403 `FORBIDDEN` for other users, and without a session as [`Authenticated`].
#[derive(Debug)]
pub struct Admin(Authenticated<User>);

impl Guard for Admin {
    type Payload = User;

    async fn check(session: Session<User>) -> Result<Self, SessionError> {
        let user = Authenticated::check(session.clone()).await?;
        match user.role {
            Role::Admin => Ok(Self(user)),
            Role::User => Err(session.forbidden("the user has not the role admin")),
        }
    }
}

impl Deref for Admin {
    type Target = User;

    fn deref(&self) -> &User {
        &self.0
    }
}

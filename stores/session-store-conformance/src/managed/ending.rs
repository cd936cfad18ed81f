//! How a session ends while somebody uses it.

use session_core::{SessionError, SessionManager};

use super::service::{ANN, User, request};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A logout with the cookie of the session, in a handler behind a guard: the session is opened first.
    Destroy,
    RevokeAccount,
    RevokeEveryone,
}

impl Ending {
    pub(crate) async fn run(self, node: &SessionManager<User>, cookie: &str) -> Result<(), SessionError> {
        match self {
            Self::Destroy => {
                let incoming = node.slot().receive(&request(cookie));
                // A logout is answered the same whether there was a session or not.
                let _ = incoming.open().await;
                incoming.session().destroy().await.map(drop)
            }
            Self::RevokeAccount => node.revoke_account(ANN).await.map(drop),
            Self::RevokeEveryone => node.revoke_everyone().await.map(drop),
        }
    }

    /// The call of the store that ends the session.
    pub(crate) fn call(self) -> &'static str {
        match self {
            Self::Destroy => "delete",
            Self::RevokeAccount => "delete_account",
            Self::RevokeEveryone => "delete_realm",
        }
    }
}

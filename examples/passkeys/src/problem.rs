//! What can go wrong, as an answer.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use session_axum::{Rejection, SessionError};
use webauthn_rs::prelude::WebauthnError;

pub(crate) enum Problem {
    /// The session's own: a flow that was taken already is 400 `FLOW_NOT_FOUND`.
    Session(SessionError),
    NameTaken,
    /// No such account, or not its passkey: nobody is told which.
    Refused,
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl From<WebauthnError> for Problem {
    fn from(_: WebauthnError) -> Self {
        Self::Refused
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Self::Session(error) => Rejection(error).into_response(),
            Self::NameTaken => (StatusCode::CONFLICT, "That name is taken.").into_response(),
            Self::Refused => (StatusCode::UNAUTHORIZED, "No such passkey.").into_response(),
        }
    }
}

//! What the next page says after a form was sent. It travels as a flash: a name, and the page has the words.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What was done, or why it was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the words are the documentation")]
pub enum Notice {
    LoggedIn,
    CodeAsked,
    LoggedOut,
    WrongCode,
    TooManyCodes,
    KeyMade,
    CodesOn,
    CodesOff,
    LookingAs,
    Back,
    /// In so many open sessions, too.
    RoleChanged(u64),
    /// So many sessions were ended.
    NotMe(u64),
}

impl Notice {
    /// For the person.
    #[must_use]
    pub fn text(self) -> Cow<'static, str> {
        match self {
            Self::LoggedIn => "You are logged in.".into(),
            Self::CodeAsked => "The password is right. Now the code.".into(),
            Self::LoggedOut => "You are logged out, on all three frameworks.".into(),
            Self::WrongCode => "That code is not right, or was used before. Try the next one.".into(),
            Self::TooManyCodes => "Too many wrong codes. Log in again in five minutes.".into(),
            Self::KeyMade => "Here is a key. Add it to your authenticator app.".into(),
            Self::CodesOn => "From now on a login asks for a code, too.".into(),
            Self::CodesOff => "From now on your password is enough.".into(),
            Self::LookingAs => "You see what they see.".into(),
            Self::Back => "You are yourself again.".into(),
            Self::RoleChanged(sessions) => format!("The role is changed, {}.", in_sessions(sessions)).into(),
            Self::NotMe(sessions) => format!(
                "{} of your account ended. Whoever it was may know your password: change it. (This demo cannot.)",
                ended(sessions)
            )
            .into(),
        }
    }

    /// Whether something went wrong.
    #[must_use]
    pub fn is_problem(self) -> bool {
        matches!(self, Self::WrongCode | Self::TooManyCodes)
    }
}

fn in_sessions(sessions: u64) -> String {
    match sessions {
        0 => "and nobody is logged in there".into(),
        1 => "in one open session, too".into(),
        _ => format!("in {sessions} open sessions, too"),
    }
}

fn ended(sessions: u64) -> String {
    match sessions {
        1 => "One other session".into(),
        _ => format!("{sessions} other sessions"),
    }
}

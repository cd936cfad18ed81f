//! Who is logged in, as the session carries it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use session_core::SessionPayload;

/// The payload of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The account. Names may change, this does not.
    pub user_id: String,
    /// What the user types to log in.
    pub username: String,
    /// Where mail goes.
    pub email: String,
    /// What the account may do.
    pub role: Role,
    /// When this session's login happened, RFC 3339.
    pub last_login: String,
    /// How often the counter of the page was pressed in this session.
    pub visits: u64,
}

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything, `/api/admin` included.
    Admin,
    /// Everything else.
    User,
}

impl Role {
    /// The name, as in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
        }
    }

    /// The role with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Admin, Self::User].into_iter().find(|role| role.as_str() == name)
    }
}

impl SessionPayload for User {
    fn subject(&self) -> Option<Cow<'_, str>> {
        Some((&self.user_id).into())
    }
}

/// What `/api/me` tells of a user: all but what it counts.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicUser<'a> {
    user_id: &'a str,
    username: &'a str,
    email: &'a str,
    role: Role,
    last_login: &'a str,
}

impl<'a> From<&'a User> for PublicUser<'a> {
    fn from(user: &'a User) -> Self {
        let User { user_id, username, email, role, last_login, visits: _ } = user;
        Self { user_id, username, email, role: *role, last_login }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> User {
        User {
            user_id: "u-1".into(),
            username: "alice".into(),
            email: "alice@example.com".into(),
            role: Role::Admin,
            last_login: "2026-11-24T05:00:00Z".into(),
            visits: 3,
        }
    }

    #[test]
    fn the_public_view_has_exactly_the_five_fields() {
        assert_eq!(
            serde_json::to_string(&PublicUser::from(&alice())).unwrap(),
            r#"{"userId":"u-1","username":"alice","email":"alice@example.com","role":"admin","lastLogin":"2026-11-24T05:00:00Z"}"#,
        );
    }

    #[test]
    fn a_session_carries_the_counter_too() {
        let json = serde_json::to_string(&alice()).unwrap();
        assert!(json.ends_with(r#","visits":3}"#), "{json}");
        assert_eq!(serde_json::from_str::<User>(&json).unwrap(), alice());
    }
}

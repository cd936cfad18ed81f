//! The user's own data in a session.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::SessionError;

/// What a session carries: your own type, and the account it belongs to.
///
/// The type must serialize to a JSON object whose top level has none of the reserved claim names
/// `iss aud sub exp nbf iat jti sid auth_time gen amr acr act ends_by at_most unremembered`; login says so otherwise.
///
/// It must read back what it wrote, as the same account. So each payload is decoded once before it is stored or signed,
/// and one that fails is `Misuse` with the name of the field: a float that is not finite (JSON has `null` for it; an
/// `Option` reads that as `None`), `skip_serializing_if` without `default`, or a float in a flattened, untagged or
/// internally tagged type, if any crate of the program switches on `arbitrary_precision` of serde_json.
///
/// ```
/// use std::borrow::Cow;
///
/// use serde::{Deserialize, Serialize};
/// use session_core::SessionPayload;
///
/// #[derive(Clone, Serialize, Deserialize)]
/// #[serde(rename_all = "camelCase")]
/// struct User {
///     user_id: String,
///     role: String,
/// }
///
/// impl SessionPayload for User {
///     fn subject(&self) -> Option<Cow<'_, str>> {
///         Some((&self.user_id).into())
///     }
/// }
/// ```
///
/// # When the type changes
/// A field that is added with `#[serde(default)]`, or removed, needs nothing more. For any other change there is
/// [`upgrade`](Self::upgrade): without it, a session whose payload no longer decodes is `SESSION_INVALID`, and a warning
/// in the log (target `session`) says so.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the payload of a session",
    label = "this type does not implement `SessionPayload`",
    note = "implement `SessionPayload` for it: five lines that name its account; it must also be `Clone`, \
            `serde::Serialize`, `serde::Deserialize`, `Send`, `Sync` and `'static`"
)]
pub trait SessionPayload: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The account by which sessions are listed and revoked: 1 to 255 bytes without NUL, compared as bytes. A number
    /// is one with `Some(self.id.to_string().into())`.
    ///
    /// `None` for a guest, whose session is never listed or revoked together with others. A guest is not logged in:
    /// [`Authenticated`](crate::Authenticated), [`Fresh`](crate::Fresh) and what builds on them answer 401.
    fn subject(&self) -> Option<Cow<'_, str>>;

    /// What the [session routes](crate::adapter::routes::answer) tell the browser of the user: by default all of it. To keep
    /// something back, answer a struct of your own that borrows the rest.
    ///
    /// ```
    /// # use std::borrow::Cow;
    /// # use serde::{Deserialize, Serialize};
    /// # use session_core::SessionPayload;
    /// #[derive(Clone, Serialize, Deserialize)]
    /// struct User {
    ///     name: String,
    ///     risk_score: u8,
    /// }
    ///
    /// impl SessionPayload for User {
    ///     fn subject(&self) -> Option<Cow<'_, str>> {
    ///         Some((&self.name).into())
    ///     }
    ///
    ///     fn public(&self) -> impl Serialize {
    ///         #[derive(Serialize)]
    ///         struct Public<'a> {
    ///             name: &'a str,
    ///         }
    ///         Public { name: &self.name }
    ///     }
    /// }
    /// ```
    ///
    /// Without a store the whole payload is in the cookie, which is signed and not encrypted: whoever holds it can read
    /// it. Only with a store does this keep a secret from the browser.
    fn public(&self) -> impl Serialize {
        self
    }

    /// Reads a payload that an earlier version of the program wrote and that no longer decodes, so that a deploy that
    /// changes the type logs nobody out. `old` is the JSON without the reserved claims. Default: `None`, it is no session.
    ///
    /// The account must be the same: with a store, a payload with another subject than the record is `SESSION_INVALID`. The
    /// new form is written with the next [`update`](crate::Session::update), and without a store with the next refresh. While a deploy is
    /// rolled out, nodes with the old program cannot read what new ones wrote.
    fn upgrade(old: serde_json::Value) -> Option<Self> {
        let _ = old;
        None
    }
}

/// Whether every store can keep it.
pub(crate) fn is_subject(subject: &str) -> bool {
    (1..=255).contains(&subject.len()) && !subject.contains('\0')
}

pub(crate) fn no_subject(misuse: SessionError) -> SessionError {
    misuse.detail("a subject must be 1 to 255 bytes long and without NUL")
}

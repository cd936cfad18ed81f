//! The user's own data in a session.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a session carries: your own type, and the account it belongs to.
///
/// The type must serialize to a JSON object whose top level has none of the reserved claim names
/// `iss aud sub exp nbf iat jti sid auth_time gen`; login says so otherwise.
///
/// It must read back what it wrote, as the same account. So each payload is decoded once before it is stored or signed,
/// and one that fails is `Misuse` with the name of the field: a float that is not finite (JSON has `null` for it; an
/// `Option` reads that as `None`), `skip_serializing_if` without `default`, or a float in a flattened, untagged or
/// internally tagged type, if any crate of the program switches on `arbitrary_precision` of serde_json.
///
/// ```
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
///     fn subject(&self) -> Option<&str> {
///         Some(&self.user_id)
///     }
/// }
/// ```
pub trait SessionPayload: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The account by which sessions are listed and revoked: 1 to 255 bytes without NUL, compared as bytes.
    /// `None` for a guest, whose session is never listed or revoked together with others. A guest is not logged in:
    /// [`Authenticated`](crate::Authenticated), [`Fresh`](crate::Fresh) and what builds on them answer 401.
    fn subject(&self) -> Option<&str>;
}

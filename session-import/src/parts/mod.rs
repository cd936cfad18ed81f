//! What several readers need.

#[cfg(any(feature = "auth-js", feature = "better-auth", feature = "iron-session", feature = "next-auth"))]
pub(crate) mod cbc;
#[cfg(any(feature = "django", feature = "flask"))]
pub(crate) mod inflate;
#[cfg(any(feature = "auth-js", feature = "better-auth", feature = "next-auth"))]
pub(crate) mod jwe;
pub(crate) mod mac;
pub(crate) mod times;

//! Past the signature, too, no bytes are a panic: what `fuzz/` looks for by coverage, here by chance and by shape.

use proptest::prelude::*;

use super::*;

const TARGETS: &[fn(&[u8])] = &[
    #[cfg(feature = "auth-js")]
    auth_js,
    #[cfg(feature = "better-auth")]
    better_auth,
    #[cfg(feature = "cookie-session")]
    cookie_session,
    #[cfg(feature = "django")]
    django,
    #[cfg(feature = "express-session")]
    express_session,
    #[cfg(feature = "flask")]
    flask,
    #[cfg(feature = "iron-session")]
    iron_session,
    #[cfg(feature = "next-auth")]
    next_auth,
    #[cfg(feature = "rails")]
    rails,
];

/// What the readers look for behind a signature, with values that it must not have.
fn payload() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "iat",
        "exp",
        "nbf",
        "sub",
        "cookie",
        "expires",
        "_rails",
        "message",
        "pur",
        "session",
        "token",
        "createdAt",
        "expiresAt",
        "updatedAt",
        "signature",
        "session_id",
        "_session_expiry",
    ]);
    let value = prop::sample::select(vec![
        "null",
        "-1",
        "1e400",
        "1e308",
        "9223372036854775808",
        "-9223372036854775808",
        "\"\"",
        "[]",
        "{}",
        "\"x\"",
        "\"0000-00-00T00:00:00Z\"",
        "\"9999-12-31T23:59:60.999+23:59\"",
        "{\"expires\":\"\"}",
        "{\"message\":\"e30=\"}",
    ]);
    prop::collection::vec((name, value), 0..5).prop_map(|fields| {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_bytes_are_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        TARGETS.iter().for_each(|target| target(&bytes));
    }

    #[test]
    fn no_token_of_some_shape_is_a_panic(text in "[A-Za-z0-9_.:*~%=;-]{0,120}") {
        TARGETS.iter().for_each(|target| target(text.as_bytes()));
    }

    #[test]
    fn no_payload_is_a_panic(text in payload()) {
        TARGETS.iter().for_each(|target| target(text.as_bytes()));
    }
}

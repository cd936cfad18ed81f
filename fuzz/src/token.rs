//! Tokens of each form: what opens was signed by us, says what the session says, and comes back alike.
//!
//! The first byte says which manager reads it and how the rest becomes a token: as it is, signed with our own key, or
//! sealed with it, since without that no input gets past the signature. A form more is a manager more in [`FORMS`].

use std::sync::LazyLock;

use serde_json::Value;
use session_core::testing::{TestRequest, logged_in_cookie};
use session_core::{Outcome, SessionManager, TokenForm};

use crate::world::{NOW, User, assert_header_value, manager, ready, sealed, signed, within};

const LEEWAY: f64 = 60.0;
const PLAIN_HEADER: &[u8] = br#"{"alg":"HS256"}"#;
const FORMS: [TokenForm; 3] = [TokenForm::Typed, TokenForm::Plain, TokenForm::Sealed];
/// Of the first byte.
const SEALED: u8 = 8;

struct World {
    forms: Vec<(TokenForm, SessionManager<User>)>,
    /// As the typed form writes it, and the sealed one.
    headers: [Vec<u8>; 2],
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let forms = FORMS.map(|form| (form, manager().token_form(form).build().unwrap()));
    let headers = [0, 2].map(|form: usize| {
        let cookie = ready(logged_in_cookie(&forms[form].1, User::named("alice"))).unwrap();
        let header = cookie.split_once('=').unwrap().1.split('.').next().unwrap();
        base64_simd::URL_SAFE_NO_PAD.decode_to_vec(header).unwrap()
    });
    World { forms: forms.into(), headers }
});

pub fn token(input: &[u8]) {
    let world = &*WORLD;
    let Some((&how, rest)) = input.split_first() else { return };
    let (form, sessions) = &world.forms[usize::from(how >> 4) % world.forms.len()];
    let (header, claims) = match how & 3 {
        0 => return raw(sessions, rest),
        1 => (&*world.headers[usize::from(how & SEALED != 0)], rest),
        2 => (PLAIN_HEADER, rest),
        // A header of the input's own.
        _ => match rest.iter().position(|&byte| byte == b'\n') {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => return,
        },
    };
    let token = if how & SEALED == 0 { signed(header, claims) } else { sealed(header, claims) };
    let Some(outcome) = opened(sessions, token.as_bytes()) else { return };
    let user = outcome.user().unwrap();
    check_header(*form, header, how & SEALED != 0);
    check_claims(header, claims, &outcome, &user);
    let request = request(sessions, token.as_bytes());
    // Near the end of its absolute lifetime there is nothing to gain, and so no newer token.
    let refreshed = ready(sessions.refresh_session(&request)).expect("what opens can be refreshed");
    if let Some(newer) = refreshed.token {
        let again = opened(sessions, newer.expose().as_bytes()).expect("what we wrote opens");
        assert_eq!(again.user().unwrap(), user);
    }
}

fn request(sessions: &SessionManager<User>, token: &[u8]) -> TestRequest {
    let name = format!("{}=", sessions.cookie_name());
    TestRequest::new("GET", "/me").header("cookie", [name.as_bytes(), token].concat())
}

fn opened(sessions: &SessionManager<User>, token: &[u8]) -> Option<Outcome<User>> {
    let request = request(sessions, token);
    let outcome = within(64 * 1024 + 8 * token.len(), || ready(sessions.get_session(&request))).unwrap();
    outcome.inspect(|outcome| outcome.changes.set_cookies().for_each(assert_header_value))
}

/// Nobody but us can sign, and no input has been seen before.
fn raw(sessions: &SessionManager<User>, token: &[u8]) {
    assert!(opened(sessions, token).is_none(), "opened a token that nobody signed");
}

/// Whatever a node writes, all nodes read typed and sealed tokens, and nothing else but where plain ones are asked for.
fn check_header(form: TokenForm, header: &[u8], is_sealed: bool) {
    let header: Value = serde_json::from_slice(header).expect("a header in JSON");
    let names =
        |known: &[&str]| header.as_object().unwrap().keys().all(|name| known.contains(&name.as_str()));
    if is_sealed {
        assert_eq!((&header["alg"], &header["enc"]), (&"dir".into(), &"A256GCM".into()));
        assert!(
            names(&["alg", "enc", "typ", "kid"])
                && header["kid"].is_string()
                && has_type(&header, "session+jwe")
        );
        return;
    }
    assert_eq!(header["alg"], "HS256");
    assert!(names(&["alg", "typ", "kid"]));
    if has_type(&header, "session+jwt") {
        assert!(header["kid"].is_string());
    } else {
        assert_eq!(form, TokenForm::Plain, "a token that does not say what it is");
    }
}

fn has_type(header: &Value, expected: &str) -> bool {
    header.get("typ").is_some_and(|typ| typ.as_str().unwrap().to_ascii_lowercase().ends_with(expected))
}

/// What the session says is what a parser without any rules of ours reads.
fn check_claims(header: &[u8], claims: &[u8], outcome: &Outcome<User>, user: &User) {
    let header: Value = serde_json::from_slice(header).expect("a header in JSON");
    // A number that no float holds, in a claim that nobody reads.
    let Ok(claims) = serde_json::from_slice::<Value>(claims) else { return };
    assert_eq!(claims["userId"], user.user_id.as_str());
    assert_eq!(claims.get("note").map_or("", |note| note.as_str().unwrap()), user.note);
    assert!(claims.get("act").is_none());
    let at = |name: &str| claims.get(name).map(|value| value.as_f64().expect("a number"));
    let now = NOW as f64;
    let (iat, exp) = (at("iat").expect("iat"), at("exp").expect("exp"));
    assert!(exp > now && iat <= now + LEEWAY + 1.0, "iat {iat}, exp {exp}");
    for name in ["nbf", "auth_time"] {
        assert!(at(name).is_none_or(|at| at <= now + LEEWAY + 1.0), "{name}");
    }
    assert!(at("ends_by").is_none_or(|end| end > now));
    if has_type(&header, "session+jwt") || has_type(&header, "session+jwe") {
        assert_eq!(claims["aud"], "__Host-session");
        assert!(claims["sid"].is_string() && at("auth_time").is_some());
    }
    let status = outcome.status();
    assert!(status.is_valid && status.expires_at.is_some());
    // A refresh that was due has moved it on.
    let refreshed = outcome.changes.set_cookie().is_some();
    assert!(refreshed || status.expires_at.unwrap().unix_seconds() as f64 <= exp);
}

//! For fuzzing alone: whatever is read of these bytes, nothing panics. Each function gives a reader the bytes as a `Cookie`
//! header, as the value of its cookie, and past the signature as what was signed.

use serde_json::Value;

use crate::Timestamp;
use crate::cookies::Cookies;
use crate::session::Opened;

#[cfg(test)]
mod tests;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The bytes as header, and as the value of each of these cookies.
fn each<'a>(names: &[&'a str], bytes: &'a [u8], read: impl Fn(&Cookies<'_>)) {
    read(&Cookies::from_header(bytes));
    read(&Cookies::from_pairs(names.iter().map(|name| (name.as_bytes(), bytes))));
}

/// Past the signature: the payload is anything.
fn payload(bytes: &[u8]) {
    let reference = crate::settings::Cookie::new("any").reference(String::new(), Vec::new());
    if let Some(opened) = Opened::new(bytes.to_vec()).at(NOW) {
        let twice = vec![opened.clone(), opened.clone()];
        drop(crate::reader::one(twice, "/sub"));
        drop(opened.into_session::<Value>(reference));
    }
}

/// Auth.js 5.
#[cfg(feature = "auth-js")]
pub fn auth_js(bytes: &[u8]) {
    let names = ["__Secure-authjs.session-token", "__Secure-authjs.session-token.0"];
    each(&names, bytes, |cookies| drop(crate::AuthJs::new(SECRET).read::<Value>(cookies, NOW)));
    drop(crate::parts::jwe::claims(bytes.to_vec(), NOW));
    payload(bytes);
}

/// NextAuth 4.
#[cfg(feature = "next-auth")]
pub fn next_auth(bytes: &[u8]) {
    let names = ["__Secure-next-auth.session-token", "__Secure-next-auth.session-token.0"];
    each(&names, bytes, |cookies| drop(crate::NextAuth::new(SECRET).read::<Value>(cookies, NOW)));
    payload(bytes);
}

/// iron-session 8.
#[cfg(feature = "iron-session")]
pub fn iron_session(bytes: &[u8]) {
    let reader = crate::IronSession::new("app", SECRET);
    each(&["app"], bytes, |cookies| drop(reader.read::<Value>(cookies, NOW)));
    payload(bytes);
}

/// better-auth 1, the token and the copy in each form.
#[cfg(feature = "better-auth")]
pub fn better_auth(bytes: &[u8]) {
    let reader = crate::BetterAuth::new(SECRET);
    each(&["__Secure-better-auth.session_token"], bytes, |cookies| drop(reader.reference(cookies)));
    crate::better_auth::fuzz(bytes, SECRET.as_bytes(), NOW);
    payload(bytes);
}

/// express-session 1: the cookie, and the record.
#[cfg(feature = "express-session")]
pub fn express_session(bytes: &[u8]) {
    let reader = crate::ExpressSession::new(SECRET);
    each(&["connect.sid"], bytes, |cookies| drop(reader.reference(cookies)));
    let reference = crate::settings::Cookie::new("any").reference(String::new(), Vec::new());
    drop(reader.record::<Value>(reference, bytes, NOW));
}

/// cookie-session 2.
#[cfg(feature = "cookie-session")]
pub fn cookie_session(bytes: &[u8]) {
    let reader = crate::CookieSession::new(SECRET);
    each(&["session", "session.sig"], bytes, |cookies| drop(reader.read::<Value>(cookies, NOW)));
    payload(bytes);
}

/// Django: the cookie, and what is signed.
#[cfg(feature = "django")]
pub fn django(bytes: &[u8]) {
    let reader = crate::Django::new(SECRET);
    each(&["sessionid"], bytes, |cookies| {
        drop(reader.read::<Value>(cookies, NOW));
        drop(reader.reference(cookies));
    });
    crate::django::fuzz(&String::from_utf8_lossy(bytes));
    drop(crate::parts::inflate::inflate(bytes));
    payload(bytes);
}

/// Flask.
#[cfg(feature = "flask")]
pub fn flask(bytes: &[u8]) {
    let reader = crate::Flask::new(SECRET);
    each(&["session"], bytes, |cookies| drop(reader.read::<Value>(cookies, NOW)));
    drop(crate::parts::inflate::inflate(bytes));
    payload(bytes);
}

/// Rails: the cookie, and what is in its message. Making the reader takes a millisecond, so it is made once.
#[cfg(feature = "rails")]
pub fn rails(bytes: &[u8]) {
    use std::sync::LazyLock;
    static READER: LazyLock<crate::Rails> = LazyLock::new(|| crate::Rails::new("_app_session", SECRET));
    each(&["_app_session"], bytes, |cookies| drop(READER.read::<Value>(cookies, NOW)));
    drop(READER.opened(bytes.to_vec()));
    payload(bytes);
}

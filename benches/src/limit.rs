//! The limit: the same tokens, read and written by hand for this one payload, with every check of the real path and
//! nothing else. A library that knows neither payload nor framework is compared with it.

use std::collections::HashSet;
use std::sync::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use base64_simd::{Out, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use memchr::memchr_iter;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use session_core::{CrossOrigin, adapter::RequestHead};
use sha2::Sha256;

use crate::workload::{COOKIE, User};

const MAX_TOKEN: usize = 4096;
const MAX_TIME: u64 = 253_402_300_799;
const LEEWAY: u64 = 60;
const MAX_AGE: u64 = 24 * 3600;
const ABSOLUTE: u64 = 30 * 24 * 3600;
const THRESHOLD: u64 = 1800;

pub struct Limit {
    /// Keys can change while the service runs.
    key: RwLock<Key>,
    cross_origin: CrossOrigin,
    ended: (AtomicUsize, RwLock<HashSet<[u8; 18]>>),
}

struct Key {
    header: String,
    mac: Hmac<Sha256>,
}

/// Who is logged in.
pub struct Opened {
    pub user: User,
    sid: [u8; 18],
    exp: u64,
    auth_time: u64,
    /// The workload's tokens are never due.
    pub refresh_due: bool,
}

/// Claims and payload in one plain struct, which is what a library cannot have.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Read<'a> {
    user_id: String,
    username: String,
    email: String,
    role: String,
    last_login: String,
    sid: &'a str,
    iat: u64,
    exp: u64,
    #[serde(rename = "auth_time")]
    auth_time: u64,
    aud: &'a str,
    nbf: Option<u64>,
    r#gen: Option<IgnoredAny>,
    #[serde(rename = "iss")]
    _iss: Option<IgnoredAny>,
    #[serde(rename = "sub")]
    _sub: Option<IgnoredAny>,
    #[serde(rename = "jti")]
    _jti: Option<IgnoredAny>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    user_id: &'a str,
    username: &'a str,
    email: &'a str,
    role: &'a str,
    last_login: &'a str,
    sid: &'a str,
    iat: u64,
    exp: u64,
    #[serde(rename = "auth_time")]
    auth_time: u64,
    aud: &'a str,
}

impl Limit {
    #[must_use]
    pub fn new(secret: &str, kid: &str) -> Self {
        let header = format!(r#"{{"typ":"session+jwt","alg":"HS256","kid":"{kid}"}}"#);
        let key = Key {
            header: URL_SAFE_NO_PAD.encode_to_string(header),
            mac: Hmac::new_from_slice(secret.as_bytes()).expect("any length will do"),
        };
        Self { key: RwLock::new(key), cross_origin: CrossOrigin::default(), ended: Default::default() }
    }

    /// Reads one token.
    pub fn verify(&self, token: &[u8], now: u64) -> Option<Opened> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let mut dots = memchr_iter(b'.', token);
        let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else { return None };
        self.authenticate(&token[..first], &token[..second], &token[second + 1..])?;
        let mut room = [const { std::mem::MaybeUninit::uninit() }; MAX_TOKEN];
        let json =
            URL_SAFE_NO_PAD.decode(&token[first + 1..second], Out::from_uninit_slice(&mut room)).ok()?;
        self.judge(serde_json::from_str(std::str::from_utf8(json).ok()?).ok()?, now)
    }

    fn authenticate(&self, header: &[u8], signed: &[u8], signature: &[u8]) -> Option<()> {
        let mut room = [0; 32];
        if URL_SAFE_NO_PAD.decoded_length(signature).ok()? != room.len() {
            return None;
        }
        URL_SAFE_NO_PAD.decode(signature, Out::from_slice(&mut room)).ok()?;
        let key = self.key.read().ok()?;
        if header != key.header.as_bytes() {
            return None;
        }
        let mut mac = key.mac.clone();
        mac.update(signed);
        mac.verify_slice(&room).ok()
    }

    fn judge(&self, read: Read<'_>, now: u64) -> Option<Opened> {
        let Read { iat, exp, auth_time, .. } = read;
        let latest = now + LEEWAY;
        let times = [iat, exp, auth_time, read.nbf.unwrap_or(0)];
        let timely = times.iter().all(|&time| time <= MAX_TIME)
            && iat.max(auth_time).max(read.nbf.unwrap_or(0)) <= latest
            && now < exp.min(auth_time + ABSOLUTE);
        if !timely || read.aud != COOKIE || read.r#gen.is_some() {
            return None;
        }
        let mut sid = [0; 18];
        if read.sid.len() != 24
            || URL_SAFE_NO_PAD.decode(read.sid.as_bytes(), Out::from_slice(&mut sid)).is_err()
        {
            return None;
        }
        if self.ended.0.load(Ordering::Acquire) > 0 && self.ended.1.read().ok()?.contains(&sid) {
            return None;
        }
        let Read { user_id, username, email, role, last_login, .. } = read;
        let user = User { user_id, username, email, role, last_login };
        let end = exp.min(auth_time + ABSOLUTE);
        let refresh_due = end - now < THRESHOLD && (now + MAX_AGE).min(auth_time + ABSOLUTE) > end;
        Some(Opened { user, sid, exp, auth_time, refresh_due })
    }

    /// Finds the cookie and reads it: of several good ones the newest login.
    pub fn open(&self, head: &impl RequestHead) -> Option<Opened> {
        self.cross_origin.check(head).ok()?;
        let now = now();
        let mut newest: Option<Opened> = None;
        for line in head.header("cookie") {
            let mut start = 0;
            for end in memchr_iter(b';', line).chain([line.len()]) {
                let pair = line[start..end].trim_ascii_start();
                start = end + 1;
                let Some(value) =
                    pair.strip_prefix(COOKIE.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
                else {
                    continue;
                };
                let opened = self.verify(value.trim_ascii_end(), now);
                newest = match (newest, opened) {
                    (Some(known), Some(other)) if other.auth_time > known.auth_time => Some(other),
                    (known, other) => known.or(other),
                };
            }
        }
        newest
    }

    /// Writes the token of a changed payload.
    pub fn issue(&self, opened: &Opened) -> Option<String> {
        self.token(opened, now(), 0, 0).map(|(token, _)| token)
    }

    /// Writes the Set-Cookie line of a changed payload.
    pub fn set_cookie(&self, opened: &Opened) -> Option<String> {
        use std::fmt::Write as _;
        let now = now();
        let (mut line, token) = self.token(opened, now, COOKIE.len() + 1, 80)?;
        if COOKIE.len() + token > MAX_TOKEN {
            return None;
        }
        write!(line, "; Max-Age={}; Path=/; HttpOnly; Secure; SameSite=Lax", opened.exp.saturating_sub(now))
            .ok()?;
        Some(line)
    }

    /// A token behind `before` bytes for the cookie's name, with room for `after`, and its own length.
    fn token(&self, opened: &Opened, now: u64, before: usize, after: usize) -> Option<(String, usize)> {
        let mut sid = [0; 24];
        let _ = URL_SAFE_NO_PAD.encode(&opened.sid, Out::from_slice(&mut sid));
        let mut json = Vec::with_capacity(1024);
        let User { user_id, username, email, role, last_login } = &opened.user;
        let (sid, aud) = (std::str::from_utf8(&sid).ok()?, COOKIE);
        let (exp, auth_time) = (opened.exp, opened.auth_time);
        let claims =
            Written { user_id, username, email, role, last_login, sid, iat: now, exp, auth_time, aud };
        serde_json::to_writer(&mut json, &claims).ok()?;

        let key = self.key.read().ok()?;
        let length = key.header.len() + URL_SAFE_NO_PAD.encoded_length(json.len()) + 45;
        let mut token = String::with_capacity(before + length + after);
        if before > 0 {
            token.push_str(COOKIE);
            token.push('=');
        }
        token.push_str(&key.header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_append(&json, &mut token);
        let mut mac = key.mac.clone();
        mac.update(&token.as_bytes()[before..]);
        token.push('.');
        URL_SAFE_NO_PAD.encode_append(mac.finalize().into_bytes(), &mut token);
        (length <= MAX_TOKEN).then_some((token, length))
    }
}

#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

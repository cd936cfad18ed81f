//! What tokens must and must not do, clause by clause.

#[cfg(feature = "asymmetric")]
mod asymmetric;
mod forged;
mod interop;
mod jsonwebtoken;
mod own;
mod payloads;
mod plain;
mod properties;
mod rotation;
mod seal;
mod sealed;

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, Mac};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Sha256, Sha384, Sha512};

use super::payload::IssueError;
use super::{Claims, Codec, KeyRing, Refused, Sealing, TokenForm, Tries, base64};
use crate::clock::SystemRandom;
use crate::id::SessionId;
use crate::time::Timestamp;

const REALM: &str = "__Host-session";
const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// The header that `jose` writes.
const JOSE: &str = r#"{"alg":"HS256"}"#;
const NOW: i64 = 1_800_000_000;
const LEEWAY: i64 = 60;
const ABSOLUTE: i64 = 30 * 86_400;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    user_id: String,
    role: String,
}

fn ada() -> User {
    User { user_id: "ada".to_owned(), role: "admin".to_owned() }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn now() -> Timestamp {
    at(NOW)
}

fn claims() -> Claims {
    Claims {
        sid: SessionId::from_bytes(*b"0123456789abcdefgh"),
        generation: None,
        issued_at: now(),
        expires_at: at(NOW + 86_400),
        authenticated_at: at(NOW - 10),
        ends_by: None,
    }
}

fn reference(generation: u64) -> Claims {
    Claims { generation: Some(generation), ..claims() }
}

fn ring() -> KeyRing {
    KeyRing::from_secret(SECRET).unwrap()
}

fn codec() -> Codec {
    codec_of(ring(), TokenForm::Typed)
}

fn plain() -> Codec {
    codec_of(ring(), TokenForm::Plain)
}

fn sealed() -> Codec {
    codec_of(ring(), TokenForm::Sealed)
}

/// Each reads what its own ring sealed, as with the defaults.
fn codec_of(ring: KeyRing, form: TokenForm) -> Codec {
    let seconds = |n: i64| Duration::from_secs(n.unsigned_abs());
    let sealing = Arc::new(Sealing::new(ring.clone(), REALM));
    Codec::new(ring, REALM.to_owned(), None, form, seconds(LEEWAY), seconds(ABSOLUTE)).sealed_by(sealing)
}

impl Codec {
    /// Signs or seals whatever can be written, read back or not.
    fn issue<U: Serialize>(&self, claims: &Claims, payload: &U) -> Result<String, IssueError> {
        let json = self.write(claims, None, payload, false)?;
        match self.form {
            TokenForm::Sealed => self.seal(json, &SystemRandom),
            form => self.sign(&json, form),
        }
    }

    /// As of a request with nothing else.
    fn verify<U: DeserializeOwned>(&self, token: &[u8], now: Timestamp) -> Result<(Claims, U), Refused> {
        self.verify_with(token, now, &Tries::new(), |_| None).map(|read| (read.claims, read.user))
    }

    fn verify_reference(&self, token: &[u8], now: Timestamp) -> Result<Claims, Refused> {
        self.verify_reference_in(token, now, &Tries::new())
    }
}

fn verify(codec: &Codec, token: &str) -> Result<(Claims, User), Refused> {
    codec.verify(token.as_bytes(), now())
}

/// A token with exactly this header and these claims, signed with HS256 and our secret.
fn by_hand(header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
    by_hand_as("HS256", header, claims)
}

fn by_hand_as(algorithm: &str, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
    let signed = format!("{}.{}", base64::encode(header), base64::encode(claims));
    let signature = mac(algorithm, &signed);
    format!("{signed}.{}", base64::encode(signature))
}

fn mac(algorithm: &str, signed: &str) -> Vec<u8> {
    fn of<M: Mac + hmac::digest::KeyInit>(signed: &str) -> Vec<u8> {
        let mut mac = <M as Mac>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(signed.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }
    match algorithm {
        "HS384" => of::<Hmac<Sha384>>(signed),
        "HS512" => of::<Hmac<Sha512>>(signed),
        _ => of::<Hmac<Sha256>>(signed),
    }
}

fn our_header() -> String {
    format!(r#"{{"typ":"session+jwt","alg":"HS256","kid":"{}"}}"#, ring().signing_kid())
}

/// Good claims, with one of them replaced by `value` as JSON, or left out.
fn claims_with(name: &str, value: Option<&str>) -> String {
    let (iat, exp, auth_time) = (NOW.to_string(), (NOW + 60).to_string(), (NOW - 10).to_string());
    let mut members = vec![
        ("userId", r#""ada""#),
        ("role", r#""admin""#),
        ("sid", r#""MDEyMzQ1Njc4OWFiY2RlZmdo""#),
        ("iat", &iat),
        ("exp", &exp),
        ("auth_time", &auth_time),
        ("aud", r#""__Host-session""#),
    ];
    members.retain(|member| member.0 != name);
    members.extend(value.map(|value| (name, value)));
    let members: Vec<_> = members.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
    format!("{{{}}}", members.join(","))
}

fn good_claims() -> String {
    claims_with("", None)
}

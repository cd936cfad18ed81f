//! Session tokens: JWS compact (RFC 7515) with claims (RFC 7519), written and read by the rules of RFC 8725.
//!
//! [`Codec`] is the whole of it for the rest of the crate. It decides whether a token is ours and what it says,
//! not whether its session lives: a token whose `exp` is over is returned like any other.

mod algorithm;
#[cfg(feature = "asymmetric")]
mod asymmetric;
mod base64;
mod claim;
mod envelope;
mod header;
mod jwk;
mod key;
mod mac;
mod material;
mod name;
mod own;
mod payload;
mod plain;
#[cfg(feature = "asymmetric")]
mod public_key;
mod ring;
mod seal;
mod split;
#[cfg(test)]
mod tests;
mod tries;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use base64_simd::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use serde_json::value::RawValue;

pub use self::algorithm::SigningAlgorithm;
use self::base64::Buffer;
use self::claim::{Found, Named, id_from, their_sid};
use self::envelope::Envelope;
pub(crate) use self::envelope::MAX_TOKEN_LEN;
use self::header::Kind;
pub use self::key::Key;
use self::own::Own;
use self::payload::payload_json;
pub(crate) use self::payload::{IssueError, record_json};
pub use self::ring::KeyRing;
pub(crate) use self::seal::{Purpose, SealError, Sealing, is_sealed};
use self::split::{place_of_fault, split};
pub(crate) use self::tries::Tries;
use crate::clock::RandomSource;
use crate::error::ErrorKind;
use crate::id::SessionId;
use crate::lifetimes::{Start, Times};
use crate::payload::SessionPayload;
use crate::terms::{Terms, USUAL_LEVEL};
use crate::time::Timestamp;

/// The claims of a reference but for the audience, in one allocation.
const USUAL_REFERENCE_LEN: usize = 160;

/// How a token says what it is. The default is [`Typed`](Self::Typed).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenForm {
    /// With `typ: session+jwt` and the key's name in the header (RFC 8725 section 3.11): a token that was made
    /// for another purpose, under whatever key, is never taken for a session.
    #[default]
    Typed,
    /// As `new SignJWT(..).setProtectedHeader({ alg: "HS256" })` of `jose` writes it, so that a Next.js
    /// application and this one accept each other's cookies. Stateless sessions only; typed tokens are read too.
    ///
    /// Danger: this reads **anything that the secret ever signed** and that decodes into the payload, such as
    /// the token of a password-reset link. Keep a secret for sessions alone, and move to [`Typed`](Self::Typed)
    /// when the other side is gone.
    ///
    /// Of tokens that others wrote, `iat` and `exp` are required; `exp` counts up to `iat` plus the absolute
    /// lifetime; without `auth_time` the login was at `iat`; without `sid` a logout ends that one token, and a `sid` may
    /// be any text: refresh and update leave it as it is, re-authentication and login give another. Dates may have a
    /// fraction, rounded so that nothing lasts longer. Top-level claims that the payload leaves out are kept by refresh,
    /// update and re-authentication, not by a login, and not in a store that
    /// [adopts](crate::SessionManagerBuilder::adopt_tokens) the session. `acr` is the
    /// [level](crate::Login::level), as a decimal in a string; more than `"1"` counts only beside an `aud` that
    /// is our realm, since other issuers mean other things by it. A token with `act` is refused.
    Plain,
    /// For a payload that the browser, its extensions and proxies must not read: a JWE in compact form (RFC 7516), `dir`
    /// with A256GCM, `typ: session+jwe` and the key's name in the header. Claims and checks are those of
    /// [`Typed`](Self::Typed); the cookie is some 15 bytes longer, and must fit into 4096 as any. `GET /session`
    /// still shows what [`SessionPayload::public`](crate::SessionPayload::public) gives.
    ///
    /// **Keys.** Each realm's is derived from a secret of the ring ([`keys`](crate::SessionManagerBuilder::keys), or
    /// [`sealing_keys`](crate::SessionManagerBuilder::sealing_keys) where that has key pairs) by HKDF-SHA256 (RFC 5869),
    /// without salt, `info` being `session-core sealed\0session+jwe\0<realm>`, 32 bytes. They rotate as the ring does.
    /// **A key seals at most 2^32 tokens**, since nonces are random and of 96 bits (NIST SP 800-38D section 8.3), and
    /// each login, refresh and update seals one: at a hundred a second promote another key within 16 months.
    ///
    /// **Moving here and back** logs nobody out, also while old and new nodes run side by side: in every form, typed and
    /// sealed tokens are read, and the next refresh or update writes the form that is set. With `sealing_keys` of
    /// their own, sealed tokens are read in this form only, so that a secret for flashes makes no session elsewhere: on
    /// the way back they are logged out. A token that is damaged, was sealed for something else or by somebody else
    /// is refused with one and the same error and event.
    ///
    /// **With a store** the cookie holds a reference, in which there is nothing to hide, so it stays signed whatever the
    /// form; [`seal_records`](crate::SessionManagerBuilder::seal_records) seals the payload there.
    Sealed,
}

/// What a token says about its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Which session.
    pub(crate) sid: SessionId,
    /// Which generation of a tracked session; `None` when the token carries the payload itself.
    pub(crate) generation: Option<u64>,
    /// When the token was made.
    pub(crate) issued_at: Timestamp,
    /// When it ends.
    pub(crate) expires_at: Timestamp,
    /// When the user logged in.
    pub(crate) authenticated_at: Timestamp,
    /// When the session ends at the latest, whatever the settings say. A token that refers to a record leaves it to that.
    pub(crate) ends_by: Option<Timestamp>,
}

impl Claims {
    pub(crate) fn start(&self) -> Start {
        Start { authenticated_at: self.authenticated_at, ends_by: self.ends_by }
    }

    pub(crate) fn times(&self) -> Times {
        Times { start: self.start(), issued_at: self.issued_at, expires_at: self.expires_at, last_seen: None }
    }
}

/// What a token says that carries its payload.
#[derive(Debug, PartialEq)]
pub(crate) struct Carried<U> {
    pub(crate) claims: Claims,
    pub(crate) terms: Option<Arc<Terms>>,
    pub(crate) user: U,
}

/// A token that opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// `TokenInvalid`, or `Invalid` for a good token that is not for this mode or this payload.
    pub(crate) kind: ErrorKind,
    /// For logs.
    pub(crate) reason: &'static str,
    /// What it says, when it is well signed and for our audience.
    pub(crate) claims: Option<Claims>,
}

/// Writes and reads the tokens of one manager.
pub(crate) struct Codec {
    ring: KeyRing,
    audience: String,
    issuer: Option<String>,
    /// What every token's JSON ends with: `aud` and `iss`.
    tail: String,
    form: TokenForm,
    /// What opens sealed tokens, where they are read at all.
    sealing: Option<Arc<Sealing>>,
    /// In the plain form: the field of the payload that is the claim `sub`.
    sub_field: Option<String>,
    leeway: Duration,
    absolute_lifetime: Duration,
}

impl Codec {
    /// `leeway` is for times that lie in the future (`iat`, `nbf`, `auth_time`); `exp` has none.
    pub(crate) fn new(
        ring: KeyRing,
        audience: String,
        issuer: Option<String>,
        form: TokenForm,
        leeway: Duration,
        absolute_lifetime: Duration,
    ) -> Self {
        let tail = tail(&audience, issuer.as_deref());
        Self { ring, audience, issuer, tail, form, sealing: None, sub_field: None, leeway, absolute_lifetime }
    }

    /// Reads tokens that these keys sealed, and writes them where the form says so.
    pub(crate) fn sealed_by(self, sealing: Arc<Sealing>) -> Self {
        Self { sealing: Some(sealing), ..self }
    }

    /// Whether tokens that carry their payload are sealed.
    pub(crate) fn seals(&self) -> bool {
        self.form == TokenForm::Sealed
    }

    /// Keeps this field of the payload in the claim `sub`, too.
    pub(crate) fn with_sub_field(mut self, field: Option<String>) -> Self {
        self.sub_field = field;
        self
    }

    /// A token that carries the payload `user`, once it was read back. The generation in `claims` is left out.
    ///
    /// # Errors
    /// A payload that no token can carry, or that does not read back; see [`IssueError`].
    pub(crate) fn issue_for<U: SessionPayload>(
        &self,
        claims: &Claims,
        terms: Option<&Terms>,
        user: &U,
        random: &dyn RandomSource,
    ) -> Result<String, IssueError> {
        let json = self.write(claims, terms, user, user.subject().is_none())?;
        self.read_back(&json, user)?;
        match self.form {
            TokenForm::Sealed => self.seal(json, random),
            form => self.sign(&json, form),
        }
    }

    /// A token that refers to a record: always typed, and the same for the same claims and key. Without a
    /// generation it is that of generation 0.
    ///
    /// # Errors
    /// [`IssueError::Signing`], or an audience or issuer so long that no token has room for it.
    pub(crate) fn issue_reference(&self, claims: &Claims) -> Result<String, IssueError> {
        let claims = Claims { generation: claims.generation.or(Some(0)), ..*claims };
        let mut json = Vec::with_capacity(USUAL_REFERENCE_LEN + self.tail.len());
        json.push(b'{');
        self.append_claims(&mut json, &claims, None).map_err(IssueError::Serialize)?;
        self.sign(&json, TokenForm::Typed)
    }

    /// Reads a token that carries its payload. Expired ones are returned: judge them by the lifetimes.
    ///
    /// # Errors
    /// See [`Refused`].
    pub(crate) fn verify_in<U: SessionPayload>(
        &self,
        token: &[u8],
        now: Timestamp,
        tries: &Tries,
    ) -> Result<Carried<U>, Refused> {
        self.verify_with(token, now, tries, U::upgrade)
    }

    fn verify_with<U: DeserializeOwned>(
        &self,
        token: &[u8],
        now: Timestamp,
        tries: &Tries,
        upgrade: impl FnOnce(Value) -> Option<U>,
    ) -> Result<Carried<U>, Refused> {
        let Carried { claims, terms, user } = self.read(token, now, self.form, tries, upgrade)?;
        if claims.generation.is_some() {
            return Err(unusable("the token refers to a record, and here is no store", claims));
        }
        match user {
            Some(user) => Ok(Carried { claims, terms, user }),
            None => Err(unusable("the payload is of another shape", claims)),
        }
    }

    /// Reads a token that refers to a record. Expired ones are returned: judge them by the record.
    ///
    /// # Errors
    /// See [`Refused`].
    pub(crate) fn verify_reference_in(
        &self,
        token: &[u8],
        now: Timestamp,
        tries: &Tries,
    ) -> Result<Claims, Refused> {
        let Carried { claims, .. } =
            self.read::<IgnoredAny>(token, now, TokenForm::Typed, tries, |_| None)?;
        if claims.generation.is_none() {
            return Err(unusable("the token carries a payload, and here is a store", claims));
        }
        Ok(claims)
    }

    /// What a token with this payload says.
    fn write<U: Serialize>(
        &self,
        claims: &Claims,
        terms: Option<&Terms>,
        payload: &U,
        is_guest: bool,
    ) -> Result<Vec<u8>, IssueError> {
        let mut json = payload_json(payload)?;
        let beside = match self.form {
            TokenForm::Plain => self.write_beside(&json, terms, is_guest)?,
            TokenForm::Typed | TokenForm::Sealed => Vec::new(),
        };
        json.pop();
        if json.len() > 1 {
            json.push(b',');
        }
        json.extend_from_slice(&beside);
        let claims = Claims { generation: None, ..*claims };
        self.append_claims(&mut json, &claims, terms).map_err(IssueError::Serialize)?;
        Ok(json)
    }

    /// What a plain token says for the other side, with a comma behind each member.
    fn write_beside(
        &self,
        payload: &[u8],
        terms: Option<&Terms>,
        is_guest: bool,
    ) -> Result<Vec<u8>, IssueError> {
        let mut json = Vec::new();
        let left_out = terms.and_then(|terms| terms.left_out.as_deref());
        if self.sub_field.is_none() && left_out.is_none() {
            return Ok(json);
        }
        let payload = std::str::from_utf8(payload).map_err(IssueError::serialize)?;
        if let Some(field) = &self.sub_field {
            let has_one =
                plain::append_sub(&mut json, payload, field, is_guest).map_err(IssueError::Serialize)?;
            if !has_one {
                return Err(IssueError::NoSub(field.clone()));
            }
        }
        if let Some(left_out) = left_out {
            plain::append_left_out(&mut json, payload, left_out, self.sub_field.is_some())
                .map_err(IssueError::Serialize)?;
        }
        Ok(json)
    }

    /// Reads as [`Self::verify_in`] will.
    fn read_back<U: SessionPayload>(&self, json: &[u8], user: &U) -> Result<(), IssueError> {
        let json = std::str::from_utf8(json).map_err(IssueError::serialize)?;
        match split::<U>(json, &mut self.nothing_found()) {
            Ok(read) => payload::same_subject(user, &read),
            Err(_) => Err(IssueError::Unreadable(place_of_fault::<U>(json, &mut self.nothing_found()))),
        }
    }

    fn sign(&self, json: &[u8], form: TokenForm) -> Result<String, IssueError> {
        let key = self.ring.signing();
        let header = match form {
            TokenForm::Plain => key.plain_header(),
            TokenForm::Typed | TokenForm::Sealed => key.header(),
        };
        let signature_room = base64::encoded_len(key.algorithm().signature_len()) + 2;
        let mut token =
            String::with_capacity(header.len() + base64::encoded_len(json.len()) + signature_room);
        token.push_str(header);
        token.push('.');
        base64::append(json, &mut token);
        key.append_signature(&mut token).map_err(|_| IssueError::Signing)?;
        short_enough(token)
    }

    fn seal(&self, json: Vec<u8>, random: &dyn RandomSource) -> Result<String, IssueError> {
        let sealing = self.sealing.as_ref().ok_or(IssueError::Signing)?;
        let sealed = sealing.seal(Purpose::Session, random, json);
        short_enough(sealed.map_err(|error| match error {
            SealError::NoKey => IssueError::Signing,
            SealError::Randomness(error) => IssueError::Randomness(error),
        })?)
    }

    fn append_claims(
        &self,
        json: &mut Vec<u8>,
        claims: &Claims,
        terms: Option<&Terms>,
    ) -> serde_json::Result<()> {
        match self.their_sid(claims.sid, terms) {
            Some(theirs) => {
                json.extend_from_slice(br#""sid":"#);
                json.extend_from_slice(theirs.get().as_bytes());
            }
            None => {
                json.extend_from_slice(br#""sid":""#);
                URL_SAFE_NO_PAD.encode_append(claims.sid.as_bytes(), json);
                json.push(b'"');
            }
        }
        json.extend_from_slice(br#","iat":"#);
        serde_json::to_writer(&mut *json, &claims.issued_at.unix_seconds())?;
        json.extend_from_slice(br#","exp":"#);
        serde_json::to_writer(&mut *json, &claims.expires_at.unix_seconds())?;
        json.extend_from_slice(br#","auth_time":"#);
        serde_json::to_writer(&mut *json, &claims.authenticated_at.unix_seconds())?;
        if let Some(generation) = claims.generation {
            json.extend_from_slice(br#","gen":"#);
            serde_json::to_writer(&mut *json, &generation)?;
        }
        if let Some(terms) = terms {
            append_terms(json, terms)?;
        }
        json.extend_from_slice(self.tail.as_bytes());
        Ok(())
    }

    /// The id in the form of the other side, if it began the session.
    fn their_sid<'a>(&self, sid: SessionId, terms: Option<&'a Terms>) -> Option<&'a RawValue> {
        let left_out = terms?.left_out.as_deref().filter(|_| self.form == TokenForm::Plain)?;
        their_sid(left_out, sid)
    }

    /// What a token says; the payload is `None` when it is neither a `U` nor what `upgrade` makes one of.
    fn read<U: DeserializeOwned>(
        &self,
        token: &[u8],
        now: Timestamp,
        form: TokenForm,
        tries: &Tries,
        upgrade: impl FnOnce(Value) -> Option<U>,
    ) -> Result<Carried<Option<U>>, Refused> {
        let envelope = match Envelope::open(token) {
            Ok(envelope) => envelope,
            Err(reason) => return self.read_sealed(token, reason, now, upgrade),
        };
        let plain = form == TokenForm::Plain;
        let kind = envelope.authenticate(&self.ring.read(), plain, tries).map_err(refused)?;

        let mut buffer = Buffer::<MAX_TOKEN_LEN>::new();
        let json = buffer.decode(envelope.claims).ok_or(refused("the claims are not base64url"))?;
        if kind == Kind::Session
            && let Some((claims, user)) = self.read_own(json)
        {
            return Ok(Carried { claims: self.timely(claims, None, now)?, terms: None, user: Some(user) });
        }
        self.read_any(json, envelope.signed, kind, now, upgrade)
    }

    /// The same of what has not three parts, for which `otherwise` is the reason. Whatever is wrong with a sealed one, no
    /// more is said of it.
    fn read_sealed<U: DeserializeOwned>(
        &self,
        token: &[u8],
        otherwise: &'static str,
        now: Timestamp,
        upgrade: impl FnOnce(Value) -> Option<U>,
    ) -> Result<Carried<Option<U>>, Refused> {
        let sealing = self.sealing.as_ref().filter(|_| has_five_parts(token)).ok_or(refused(otherwise))?;
        let mut buffer = Buffer::<MAX_TOKEN_LEN>::new();
        let json = sealing.open_in(Purpose::Session, token, &mut buffer);
        let json = json.ok_or(refused("the token does not open"))?;
        if let Some((claims, user)) = self.read_own(json) {
            return Ok(Carried { claims: self.timely(claims, None, now)?, terms: None, user: Some(user) });
        }
        self.read_any(json, token, Kind::Session, now, upgrade)
    }

    /// The usual token of ours. `None` is for [`read_any`](Self::read_any) to judge.
    fn read_own<U: DeserializeOwned>(&self, json: &mut [u8]) -> Option<(Claims, U)> {
        let own = Own::at_the_end_of(json, self.tail.as_bytes())?;
        let user = own.payload(json, |payload| {
            let mut found = self.nothing_found();
            split(payload, &mut found).ok().filter(|_| !found.has_claims() && !found.repeats_a_name())
        });
        let Own { sid, generation, issued_at, expires_at, authenticated_at, .. } = own;
        let claims = Claims { sid, generation, issued_at, expires_at, authenticated_at, ends_by: None };
        Some((claims, user?))
    }

    /// Every other one.
    fn read_any<U: DeserializeOwned>(
        &self,
        json: &[u8],
        signed: &[u8],
        kind: Kind,
        now: Timestamp,
        upgrade: impl FnOnce(Value) -> Option<U>,
    ) -> Result<Carried<Option<U>>, Refused> {
        let json = std::str::from_utf8(json).map_err(|_| refused("the claims are not UTF-8"))?;
        let with_sub = match &self.sub_field {
            Some(field) if kind == Kind::Plain => plain::with_sub_as(json, field),
            _ => Some(Cow::Borrowed(json)),
        };
        let json = &*with_sub.ok_or(refused("`sub` is another account than the payload's"))?;
        let mut found = self.nothing_found().of_plain(kind == Kind::Plain);
        let payload = split(json, &mut found).ok();
        if payload.is_some() {
            let claims = self.judge(&found, signed, kind, now)?;
            return Ok(Carried { claims, terms: found.terms(), user: payload });
        }
        // The reading may have stopped half way: once more, for the claims and for a payload of an earlier type.
        found = self.nothing_found().of_plain(kind == Kind::Plain);
        let old = split(json, &mut found).map_err(|_| refused("the claims are malformed"))?;
        let claims = self.judge(&found, signed, kind, now)?;
        Ok(Carried { claims, terms: found.terms(), user: upgrade(old) })
    }

    fn nothing_found<'de>(&self) -> Found<'de, '_> {
        Found::new(&self.audience, self.issuer.as_deref())
    }

    /// Whether what a well signed token says makes sense here and now.
    fn judge(
        &self,
        found: &Found<'_, '_>,
        signed: &[u8],
        kind: Kind,
        now: Timestamp,
    ) -> Result<Claims, Refused> {
        if found.repeats_a_name() {
            return Err(refused("a claim is there twice"));
        }
        let plain = kind == Kind::Plain;
        if !found.aud.unwrap_or(plain) {
            return Err(refused("the token is for another audience"));
        }
        if self.issuer.is_some() && found.iss != Some(true) {
            return Err(refused("the token is from another issuer"));
        }
        let claims = match kind {
            Kind::Plain => self.plain_claims(found, signed),
            _ => typed_claims(found),
        };
        self.timely(claims.ok_or(refused("a claim is missing"))?, found.nbf, now)
    }

    /// Nothing that a token says lies in the future.
    fn timely(&self, claims: Claims, nbf: Option<Timestamp>, now: Timestamp) -> Result<Claims, Refused> {
        let latest = now.plus(self.leeway);
        let times = [Some(claims.issued_at), Some(claims.authenticated_at), nbf];
        if times.into_iter().flatten().any(|time| time > latest) {
            return Err(Refused { claims: Some(claims), ..refused("the token is from the future") });
        }
        Ok(claims)
    }

    fn plain_claims(&self, found: &Found<'_, '_>, signed: &[u8]) -> Option<Claims> {
        let issued_at = found.iat?;
        Some(Claims {
            sid: found.sid.map_or_else(|| id_of(signed), Named::id),
            generation: found.generation,
            issued_at,
            expires_at: found.exp?.min(issued_at.plus(self.absolute_lifetime)),
            authenticated_at: found.auth_time.unwrap_or(issued_at),
            ends_by: found.ends_by,
        })
    }
}

fn typed_claims(found: &Found<'_, '_>) -> Option<Claims> {
    Some(Claims {
        sid: found.sid?.ours()?,
        generation: found.generation,
        issued_at: found.iat?,
        expires_at: found.exp?,
        authenticated_at: found.auth_time?,
        ends_by: found.ends_by,
    })
}

/// The id of a token without one: a hash of what is signed. The signature stays out of it, because ECDSA has
/// two for one message, and the second one must not be another session.
fn id_of(signed: &[u8]) -> SessionId {
    id_from(&[signed])
}

/// As a JWE has them, within the limit.
fn has_five_parts(token: &[u8]) -> bool {
    token.len() <= MAX_TOKEN_LEN && memchr::memchr_iter(b'.', token).count() == 4
}

fn short_enough(token: String) -> Result<String, IssueError> {
    if token.len() > MAX_TOKEN_LEN { Err(IssueError::TooLong(token.len())) } else { Ok(token) }
}

/// What a login was given beyond the usual, each as a claim.
#[cold]
fn append_terms(json: &mut Vec<u8>, terms: &Terms) -> serde_json::Result<()> {
    if let Some(ends_by) = terms.ends_by {
        json.extend_from_slice(br#","ends_by":"#);
        serde_json::to_writer(&mut *json, &ends_by.unix_seconds())?;
    }
    if let Some(at_most) = terms.at_most {
        json.extend_from_slice(br#","at_most":"#);
        serde_json::to_writer(&mut *json, &at_most.as_secs())?;
    }
    if !terms.is_remembered {
        json.extend_from_slice(br#","unremembered":true"#);
    }
    if terms.level != USUAL_LEVEL {
        json.extend_from_slice(br#","acr":"#);
        serde_json::to_writer(&mut *json, &terms.level.to_string())?;
    }
    if !terms.methods.is_empty() {
        json.extend_from_slice(br#","amr":"#);
        serde_json::to_writer(&mut *json, &terms.methods)?;
    }
    Ok(())
}

fn tail(audience: &str, issuer: Option<&str>) -> String {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    match issuer {
        Some(issuer) => format!(r#","aud":{},"iss":{}}}"#, text(audience), text(issuer)),
        None => format!(r#","aud":{}}}"#, text(audience)),
    }
}

const fn refused(reason: &'static str) -> Refused {
    Refused { kind: ErrorKind::TokenInvalid, reason, claims: None }
}

const fn unusable(reason: &'static str, claims: Claims) -> Refused {
    Refused { kind: ErrorKind::Invalid, reason, claims: Some(claims) }
}

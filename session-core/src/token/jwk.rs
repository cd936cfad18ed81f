//! Keys from JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037).

use serde::Deserialize;

use super::base64;
use super::key::{Key, SigningAlgorithm};
use crate::ConfigError;

impl Key {
    /// A key from a JWK in JSON.
    ///
    /// | `kty` | gives |
    /// |---|---|
    /// | `oct` | a symmetric key for its `alg`, HS256 if it names none |
    /// | `OKP` with Ed25519, `EC` with P-256 | a key that verifies; with `d`, one that signs too |
    /// | `RSA` | a key that verifies; convert a private one to PEM and use `Key::rs256_pem` |
    ///
    /// All but `oct` need the feature `asymmetric`. The `kid` is taken when there is one. Names that we do not
    /// know are ignored, as RFC 7517 section 4 has it.
    ///
    /// # Errors
    /// Anything else; an `alg` that does not fit the key; a `use` other than `sig`; `key_ops` without `verify`;
    /// a private part that does not belong to the public one; a key that is too short.
    pub fn from_jwk(json: &str) -> Result<Self, ConfigError> {
        let no_jwk = || ConfigError::new("this is no JWK: a JSON object with `kty` and the key's parameters");
        // A derived struct would read a JSON list as well.
        if !json.trim_start().starts_with('{') {
            return Err(no_jwk());
        }
        // The JSON parser's message may quote the key, so it is not kept.
        let jwk: Jwk = serde_json::from_str(json).map_err(|_| no_jwk())?;
        jwk.check_purpose()?;
        let key = match jwk.kty.as_str() {
            "oct" => jwk.symmetric(),
            "OKP" | "EC" | "RSA" => jwk.asymmetric(),
            other => Err(ConfigError::new(format!("`kty` is oct, OKP, EC or RSA, not {other:?}"))),
        }?;
        match jwk.kid {
            Some(kid) => key.with_kid(kid),
            None => Ok(key),
        }
    }
}

/// The members that matter to us. A repeated one is an error.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    kid: Option<String>,
    k: Option<String>,
    #[cfg(feature = "asymmetric")]
    crv: Option<String>,
    #[cfg(feature = "asymmetric")]
    x: Option<String>,
    #[cfg(feature = "asymmetric")]
    y: Option<String>,
    #[cfg(feature = "asymmetric")]
    n: Option<String>,
    #[cfg(feature = "asymmetric")]
    e: Option<String>,
    #[cfg(feature = "asymmetric")]
    d: Option<String>,
}

impl Jwk {
    fn check_purpose(&self) -> Result<(), ConfigError> {
        if self.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return Err(ConfigError::new(
                "this JWK is not for signatures: its `use` must be `sig` or absent",
            ));
        }
        let verifies = |ops: &Vec<String>| ops.iter().any(|op| op == "verify" || op == "sign");
        if !self.key_ops.as_ref().is_none_or(verifies) {
            return Err(ConfigError::new("this JWK is not for signatures: its `key_ops` must have `verify`"));
        }
        Ok(())
    }

    fn symmetric(&self) -> Result<Key, ConfigError> {
        let algorithm = match self.alg.as_deref() {
            None | Some("HS256") => SigningAlgorithm::Hs256,
            Some("HS384") => SigningAlgorithm::Hs384,
            Some("HS512") => SigningAlgorithm::Hs512,
            Some(other) => return Err(wrong_alg(other, "HS256, HS384 or HS512")),
        };
        Key::symmetric(algorithm, &bytes("k", self.k.as_deref())?)
    }

    #[cfg(not(feature = "asymmetric"))]
    fn asymmetric(&self) -> Result<Key, ConfigError> {
        Err(ConfigError::new(format!(
            "a JWK with `kty` {:?} needs the feature `asymmetric` of session-core",
            self.kty
        )))
    }
}

fn bytes(name: &str, value: Option<&str>) -> Result<Vec<u8>, ConfigError> {
    value
        .and_then(base64::to_vec)
        .ok_or_else(|| ConfigError::new(format!("the JWK's `{name}` must be base64url without padding")))
}

fn wrong_alg(alg: &str, wanted: &str) -> ConfigError {
    ConfigError::new(format!("the JWK's `alg` is {alg:?} and must be {wanted} for this `kty`"))
}

#[cfg(feature = "asymmetric")]
mod asymmetric {
    use jsonwebtoken::EncodingKey;

    use super::super::asymmetric::PublicKey;
    use super::{Jwk, Key, SigningAlgorithm, bytes, wrong_alg};
    use crate::ConfigError;

    /// PKCS#8 around an Ed25519 seed (RFC 8410 section 7).
    const ED25519_PKCS8: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    /// PKCS#8 around a P-256 scalar (RFC 5915, RFC 5958), without the public part.
    const P256_PKCS8: &[u8] =
        b"\x30\x41\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\
        \xce\x3d\x03\x01\x07\x04\x27\x30\x25\x02\x01\x01\x04\x20";

    impl Jwk {
        pub(super) fn asymmetric(&self) -> Result<Key, ConfigError> {
            match self.kty.as_str() {
                "OKP" => self.ed25519(),
                "EC" => self.p256(),
                _ => self.rsa(),
            }
        }

        fn ed25519(&self) -> Result<Key, ConfigError> {
            self.check_alg(&["EdDSA", "Ed25519"])?;
            self.check_curve("Ed25519")?;
            let public = PublicKey::ed25519(bytes("x", self.x.as_deref())?)?;
            match self.private(ED25519_PKCS8)? {
                Some(der) => of_pair(SigningAlgorithm::EdDsa, EncodingKey::from_ed_der(&der), &public),
                None => Key::public(public),
            }
        }

        fn p256(&self) -> Result<Key, ConfigError> {
            self.check_alg(&["ES256"])?;
            self.check_curve("P-256")?;
            let (x, y) = (bytes("x", self.x.as_deref())?, bytes("y", self.y.as_deref())?);
            if x.len() != 32 || y.len() != 32 {
                return Err(ConfigError::new("the JWK's `x` and `y` must be 32 bytes each"));
            }
            let public = PublicKey::p256([vec![4], x, y].concat())?;
            match self.private(P256_PKCS8)? {
                Some(der) => of_pair(SigningAlgorithm::Es256, EncodingKey::from_ec_der(&der), &public),
                None => Key::public(public),
            }
        }

        fn rsa(&self) -> Result<Key, ConfigError> {
            self.check_alg(&["RS256"])?;
            if self.d.is_some() {
                return Err(ConfigError::new(
                    "a private RSA key comes as a PKCS#8 PEM: convert the JWK and use Key::rs256_pem",
                ));
            }
            let (n, e) = (bytes("n", self.n.as_deref())?, bytes("e", self.e.as_deref())?);
            Key::public(PublicKey::rsa(&n, &e)?)
        }

        fn check_alg(&self, legal: &[&str]) -> Result<(), ConfigError> {
            match self.alg.as_deref() {
                Some(alg) if !legal.contains(&alg) => Err(wrong_alg(alg, legal.first().unwrap_or(&""))),
                _ => Ok(()),
            }
        }

        fn check_curve(&self, wanted: &str) -> Result<(), ConfigError> {
            if self.crv.as_deref() == Some(wanted) {
                return Ok(());
            }
            Err(ConfigError::new(format!("the JWK's `crv` must be {wanted} for this `kty`")))
        }

        /// `d` in PKCS#8, whose beginning is the same for all keys of a kind.
        fn private(&self, prefix: &[u8]) -> Result<Option<Vec<u8>>, ConfigError> {
            let Some(d) = &self.d else { return Ok(None) };
            let d = bytes("d", Some(d))?;
            if d.len() != 32 {
                return Err(ConfigError::new("the JWK's `d` must be 32 bytes"));
            }
            Ok(Some([prefix, &d].concat()))
        }
    }

    fn of_pair(
        algorithm: SigningAlgorithm,
        key: EncodingKey,
        public: &PublicKey,
    ) -> Result<Key, ConfigError> {
        let key = Key::pair(algorithm, key)?;
        if key.kid() != public.kid() {
            return Err(ConfigError::new("the JWK's private part does not belong to its public part"));
        }
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 64 bytes.
    const K: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0-Pw";

    fn oct(members: &str) -> Result<Key, ConfigError> {
        Key::from_jwk(&format!(r#"{{"kty":"oct","k":"{K}"{members}}}"#))
    }

    #[test]
    fn an_oct_jwk_is_a_symmetric_key_for_its_alg() {
        for (members, algorithm) in [
            ("", SigningAlgorithm::Hs256),
            (r#","alg":"HS256""#, SigningAlgorithm::Hs256),
            (r#","alg":"HS384""#, SigningAlgorithm::Hs384),
            (r#","alg":"HS512","use":"sig""#, SigningAlgorithm::Hs512),
        ] {
            assert_eq!(oct(members).unwrap().algorithm(), algorithm);
        }
        let bytes: Vec<u8> = (0..64).collect();
        assert_eq!(oct("").unwrap().kid(), Key::hs256(bytes).unwrap().kid());
        assert_eq!(oct(r#","kid":"named","other":1"#).unwrap().kid(), "named");
    }

    #[test]
    fn an_oct_jwk_that_contradicts_itself_is_refused() {
        for members in [
            r#","alg":"RS256""#,
            r#","alg":"none""#,
            r#","alg":"hs256""#,
            r#","use":"enc""#,
            r#","key_ops":["encrypt"]"#,
            r#","kid":"""#,
            r#","k":"AAAA""#,
        ] {
            assert!(oct(members).is_err(), "{members}");
        }
    }

    #[test]
    fn a_list_of_the_same_values_is_no_jwk() {
        let list = format!(r#"["oct",null,null,null,null,"{K}"{}]"#, ",null".repeat(6));
        for list in [list.clone(), format!(" {list}")] {
            assert!(Key::from_jwk(&list).unwrap_err().to_string().contains("object"));
        }
    }

    #[test]
    fn what_is_no_jwk_is_an_error_that_does_not_quote_it() {
        for json in [
            "",
            "secret",
            "[]",
            r#"{"kty":"secret"}"#,
            r#"{"k":"secret"}"#,
            r#"{"kty":"oct","k":"c2VjcmV0"}"#,
        ] {
            let error = Key::from_jwk(json).unwrap_err();
            assert!(!format!("{error:?}").contains("c2Vj"), "{error:?}");
        }
        let padded = format!(r#"{{"kty":"oct","k":"{K}=="}}"#);
        assert!(Key::from_jwk(&padded).unwrap_err().to_string().contains("base64url"));
    }
}

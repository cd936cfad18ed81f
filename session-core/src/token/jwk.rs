//! Keys from JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037).

use jsonwebtoken::jwk::{AlgorithmParameters, CommonParameters, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily};
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

use super::material::Material;
use super::{base64, mac};
use crate::error::ConfigError;

/// Of a JWK all that `jsonwebtoken` reads, and two members that it does not. A repeated one is an error.
#[derive(Deserialize)]
struct Written {
    /// As text: `Ed25519` (RFC 9864) it takes for unknown.
    alg: Option<String>,
    /// It knows public keys only.
    d: Option<String>,
    #[serde(flatten)]
    jwk: Jwk,
}

impl Drop for Written {
    /// The JSON itself is the caller's.
    fn drop(&mut self) {
        self.d.zeroize();
    }
}

/// The key, and its name where it has one. What is taken, and what is refused: see [`Key::from_jwk`](crate::Key::from_jwk).
pub(super) fn read(json: &str) -> Result<(Box<dyn Material>, Option<String>), ConfigError> {
    // The JSON parser's message may quote the key, so it is not kept.
    let mut written: Written = serde_json::from_str(json)
        .map_err(|_| ConfigError::new("this is no JWK: a JSON object with `kty` and the key's parameters"))?;
    check_purpose(&written.jwk.common)?;
    let material = match &mut written.jwk.algorithm {
        AlgorithmParameters::OctetKey(key) => {
            symmetric(written.alg.as_deref(), &Zeroizing::new(std::mem::take(&mut key.value)))?
        }
        AlgorithmParameters::Other(_) => {
            return Err(ConfigError::new(
                "this is no JWK that we know: `kty` is oct, OKP, EC or RSA, with all parameters of its kind",
            ));
        }
        _ => asymmetric(&written)?,
    };
    Ok((material, written.jwk.common.key_id.take()))
}

fn check_purpose(common: &CommonParameters) -> Result<(), ConfigError> {
    if !matches!(common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return Err(ConfigError::new("this JWK is not for signatures: its `use` must be `sig` or absent"));
    }
    let verifies = |op: &KeyOperations| matches!(op, KeyOperations::Verify | KeyOperations::Sign);
    if !common.key_operations.as_ref().is_none_or(|ops| ops.iter().any(verifies)) {
        return Err(ConfigError::new("this JWK is not for signatures: its `key_ops` must have `verify`"));
    }
    Ok(())
}

fn symmetric(alg: Option<&str>, k: &str) -> Result<Box<dyn Material>, ConfigError> {
    let algorithm = match alg {
        None => Algorithm::HS256,
        Some(alg) => match alg.parse::<Algorithm>() {
            Ok(algorithm) if algorithm.family() == AlgorithmFamily::Hmac => algorithm,
            _ => return Err(wrong_alg(alg, "HS256, HS384 or HS512")),
        },
    };
    mac::keyed(algorithm, &Zeroizing::new(bytes("k", k)?))
}

fn bytes(name: &str, value: &str) -> Result<Vec<u8>, ConfigError> {
    base64::to_vec(value)
        .ok_or_else(|| ConfigError::new(format!("the JWK's `{name}` must be base64url without padding")))
}

fn wrong_alg(alg: &str, wanted: &str) -> ConfigError {
    ConfigError::new(format!("the JWK's `alg` is {alg:?} and must be {wanted} for this `kty`"))
}

#[cfg(feature = "asymmetric")]
use self::asymmetric::asymmetric;

#[cfg(not(feature = "asymmetric"))]
fn asymmetric(_: &Written) -> Result<Box<dyn Material>, ConfigError> {
    Err(ConfigError::new("a JWK that is not `oct` needs the feature `asymmetric` of session-core"))
}

#[cfg(feature = "asymmetric")]
mod asymmetric {
    use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve};
    use jsonwebtoken::{Algorithm, EncodingKey};
    use zeroize::Zeroizing;

    use super::super::asymmetric::{pair, public};
    use super::super::material::Material;
    use super::super::public_key::PublicKey;
    use super::{Written, bytes, wrong_alg};
    use crate::error::ConfigError;

    type Made = Result<Box<dyn Material>, ConfigError>;

    /// PKCS#8 around an Ed25519 seed (RFC 8410 section 7).
    const ED25519_PKCS8: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    /// PKCS#8 around a P-256 scalar (RFC 5915, RFC 5958), without the public part.
    const P256_PKCS8: &[u8] =
        b"\x30\x41\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\
        \xce\x3d\x03\x01\x07\x04\x27\x30\x25\x02\x01\x01\x04\x20";

    pub(super) fn asymmetric(written: &Written) -> Made {
        match &written.jwk.algorithm {
            AlgorithmParameters::OctetKeyPair(key) => ed25519(written, &key.curve, &key.x),
            AlgorithmParameters::EllipticCurve(key) => p256(written, &key.curve, [&key.x, &key.y]),
            AlgorithmParameters::RSA(key) => rsa(written, &key.n, &key.e),
            _ => Err(ConfigError::new("this is no asymmetric JWK that we know")),
        }
    }

    fn ed25519(written: &Written, curve: &EllipticCurve, x: &str) -> Made {
        if written.alg.as_deref() != Some("Ed25519") {
            written.check_alg(Algorithm::EdDSA)?;
        }
        check_curve(curve, &EllipticCurve::Ed25519, "Ed25519")?;
        let key = PublicKey::ed25519(bytes("x", x)?)?;
        match written.private(ED25519_PKCS8)? {
            Some(der) => of_pair(EncodingKey::from_ed_der(&der), &key),
            None => public(key),
        }
    }

    fn p256(written: &Written, curve: &EllipticCurve, [x, y]: [&String; 2]) -> Made {
        written.check_alg(Algorithm::ES256)?;
        check_curve(curve, &EllipticCurve::P256, "P-256")?;
        let (x, y) = (bytes("x", x)?, bytes("y", y)?);
        if x.len() != 32 || y.len() != 32 {
            return Err(ConfigError::new("the JWK's `x` and `y` must be 32 bytes each"));
        }
        let key = PublicKey::p256([vec![4], x, y].concat())?;
        match written.private(P256_PKCS8)? {
            Some(der) => of_pair(EncodingKey::from_ec_der(&der), &key),
            None => public(key),
        }
    }

    fn rsa(written: &Written, n: &str, e: &str) -> Made {
        written.check_alg(Algorithm::RS256)?;
        if written.d.is_some() {
            return Err(ConfigError::new(
                "a private RSA key comes as a PKCS#8 PEM: convert the JWK and use Key::rs256_pem",
            ));
        }
        public(PublicKey::rsa(&bytes("n", n)?, &bytes("e", e)?)?)
    }

    fn check_curve(curve: &EllipticCurve, wanted: &EllipticCurve, name: &str) -> Result<(), ConfigError> {
        if curve == wanted {
            return Ok(());
        }
        Err(ConfigError::new(format!("the JWK's `crv` must be {name} for this `kty`")))
    }

    fn of_pair(private: EncodingKey, public: &PublicKey) -> Made {
        let key = pair(public.algorithm, private)?;
        if key.fingerprint() != public.kid {
            return Err(ConfigError::new("the JWK's private part does not belong to its public part"));
        }
        Ok(key)
    }

    impl Written {
        fn check_alg(&self, wanted: Algorithm) -> Result<(), ConfigError> {
            match self.alg.as_deref() {
                Some(alg) if alg.parse().ok() != Some(wanted) => Err(wrong_alg(alg, &format!("{wanted:?}"))),
                _ => Ok(()),
            }
        }

        /// `d` in PKCS#8, whose beginning is the same for all keys of a kind.
        fn private(&self, prefix: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, ConfigError> {
            let Some(d) = &self.d else { return Ok(None) };
            let d = Zeroizing::new(bytes("d", d)?);
            if d.len() != 32 {
                return Err(ConfigError::new("the JWK's `d` must be 32 bytes"));
            }
            Ok(Some(Zeroizing::new([prefix, &d].concat())))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::error::ConfigError;
    use crate::token::algorithm::SigningAlgorithm;
    use crate::token::key::Key;

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

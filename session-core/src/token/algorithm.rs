//! How keys sign, in the words of our public API: it names no type of `jsonwebtoken`.

use std::fmt;

use jsonwebtoken::Algorithm;

/// How a key signs. It belongs to the key: what a token's header says never chooses it (RFC 8725 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SigningAlgorithm {
    /// HMAC with SHA-256, the default.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// Ed25519 (RFC 8037). Keys need the feature `asymmetric`.
    EdDsa,
    /// ECDSA on P-256 with SHA-256. Keys need the feature `asymmetric`.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256. Keys need the feature `asymmetric`.
    Rs256,
}

impl SigningAlgorithm {
    /// The name in a token's header, `alg` (RFC 7518 section 3.1, RFC 8037 section 3.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// The one that `jsonwebtoken` calls so; `None` for one that we do not sign with.
    pub(super) fn of(algorithm: Algorithm) -> Option<Self> {
        Some(match algorithm {
            Algorithm::HS256 => Self::Hs256,
            Algorithm::HS384 => Self::Hs384,
            Algorithm::HS512 => Self::Hs512,
            Algorithm::EdDSA => Self::EdDsa,
            Algorithm::ES256 => Self::Es256,
            Algorithm::RS256 => Self::Rs256,
            _ => return None,
        })
    }

    /// How long a signature is, in bytes; with RSA, the usual length.
    pub(super) const fn signature_len(self) -> usize {
        match self {
            Self::Hs256 => 32,
            Self::Hs384 => 48,
            Self::Hs512 | Self::EdDsa | Self::Es256 => 64,
            Self::Rs256 => 256,
        }
    }

    /// Whether the key that checks tokens can make them too.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

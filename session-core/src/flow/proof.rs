//! What names a flow, and what a browser holds to show that it began one.

use base64_simd::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::id::SessionId;
use crate::time::Timestamp;

/// Who may take a flow.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// The browser that began it.
    Bound,
    /// Whoever has the state.
    Unbound,
}

/// What a flow's cookie says, sealed.
pub(super) struct Proof {
    /// Says realm, name, kind and state: it is made of them.
    pub(super) id: SessionId,
    pub(super) ends_at: Timestamp,
    /// Who was logged in when it began.
    pub(super) subject: Option<[u8; 16]>,
    /// Without a store, what it carries.
    pub(super) data: Vec<u8>,
}

impl Proof {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.id.as_bytes().to_vec();
        bytes.extend_from_slice(&self.ends_at.unix_seconds().to_be_bytes());
        bytes.push(self.subject.is_some().into());
        bytes.extend_from_slice(self.subject.as_ref().map_or(&[], <[u8; 16]>::as_slice));
        bytes.extend_from_slice(&self.data);
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk()?;
        let (ends_at, rest) = rest.split_first_chunk()?;
        let (has_subject, rest) = rest.split_first()?;
        let (subject, data) = match has_subject {
            0 => (None, rest),
            _ => rest.split_first_chunk().map(|(subject, data)| (Some(*subject), data))?,
        };
        let ends_at = Timestamp::from_unix_seconds(i64::from_be_bytes(*ends_at));
        Some(Self { id: SessionId::from_bytes(*id), ends_at, subject, data: data.to_vec() })
    }
}

/// The name under which a flow is kept. Of nothing but the state, of which it does not tell.
pub(super) fn id(kind: Kind, realm: &str, name: &str, state: &str) -> SessionId {
    let kind: &str = match kind {
        Kind::Bound => "bound",
        Kind::Unbound => "unbound",
    };
    SessionId::from_bytes(hash(&["session flow", kind, realm, name, state]))
}

/// The account, for comparing.
pub(super) fn subject_hash(realm: &str, subject: &str) -> [u8; 16] {
    hash(&["session flow subject", realm, subject])
}

/// What the cookie's name has of it.
pub(super) fn place(id: SessionId) -> String {
    let hash: [u8; 16] = hash(&["session flow cookie", &id.to_text()]);
    format!("flow-{}", URL_SAFE_NO_PAD.encode_to_string(hash.get(..9).unwrap_or_default()))
}

/// Each part behind its length, so that no two lists of parts are one text.
fn hash<const N: usize>(parts: &[&str]) -> [u8; N] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let mut short = [0; N];
    short.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_read_as_it_was_written() {
        for subject in [None, Some([3; 16])] {
            let id = SessionId::from_bytes([7; 18]);
            let proof = Proof { id, ends_at: Timestamp::from_unix_seconds(9), subject, data: b"{}".to_vec() };
            let read = Proof::from_bytes(&proof.to_bytes()).unwrap();
            assert_eq!((read.id, read.ends_at, read.subject), (id, proof.ends_at, subject));
            assert_eq!(read.data, b"{}");
        }
        for short in [0, 15, 16, 24] {
            assert!(Proof::from_bytes(&[1; 40][..short]).is_none());
        }
        assert!(Proof::from_bytes(&[1; 40]).is_none(), "a subject that is cut off");
    }

    #[test]
    fn realm_name_kind_and_state_each_make_another_flow() {
        let flow = |kind, realm, name, state| id(kind, realm, name, state);
        let one = flow(Kind::Bound, "ab", "c", "s");
        for other in [
            flow(Kind::Unbound, "ab", "c", "s"),
            flow(Kind::Bound, "a", "bc", "s"),
            flow(Kind::Bound, "ab", "d", "s"),
            flow(Kind::Bound, "ab", "c", "t"),
        ] {
            assert_ne!(one, other);
            assert_ne!(place(one), place(other));
        }
        assert_eq!(one, flow(Kind::Bound, "ab", "c", "s"));
    }
}

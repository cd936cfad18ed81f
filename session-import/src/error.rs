//! Why nothing was read, where that is not simply "there is no session".

/// A cookie that is genuine, or a reader, that cannot be used. A cookie that is damaged, of somebody else or expired is no
/// error: it reads as no session, and nothing tells one from the other.
///
/// `Debug` and `Display` hold no secret and nothing of what a cookie holds but names of fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Several cookies of one name are genuine and of different accounts, or there are too many of them to tell. Do not
    /// choose: a sibling subdomain can plant a cookie beside the user's own. Log nobody in.
    #[error("several session cookies of one name, and not of one account: no session is taken from them")]
    Ambiguous,
    /// A secret of the reader is empty, as from a variable that is not set. Anybody could make cookies for it.
    #[error("a secret of this reader is empty: nothing is read with it")]
    EmptySecret,
    /// The cookie or record is genuine, and what it holds is not of the type that was asked for.
    #[error("the session is genuine, but its payload is not as expected, at `{path}`")]
    Payload {
        /// Where in the payload, as names of fields; `.` for all of it.
        path: String,
    },
}

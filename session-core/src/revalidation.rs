//! The question that a refresh asks the application: may this account go on?

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// What becomes of a session that is about to be refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Revalidation<U> {
    /// The account is as the session knows it.
    Keep,
    /// The account has changed: the session goes on with this payload. The subject must be the same.
    Replace(U),
    /// Nobody can tell right now: no refresh this time, the next request asks again.
    Defer,
    /// The account is disabled: the session ends here.
    End,
}

pub(crate) type Revalidate<U> =
    Box<dyn Fn(Arc<U>) -> Pin<Box<dyn Future<Output = Revalidation<U>> + Send>> + Send + Sync>;

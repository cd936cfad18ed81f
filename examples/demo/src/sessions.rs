//! The one session manager that all three frameworks share.

use std::sync::Arc;

use session_core::store::MemoryStore;
use session_core::{ConfigError, CookieSettings, KeyRing, SessionEvent, SessionManager};

use crate::User;
use crate::events::{Event, Events};
use crate::options::Store;

/// Builds it: the cookie is one for plain http, since the demo serves loopback only.
///
/// # Errors
/// As [`session_core::SessionManagerBuilder::build`].
pub fn build(keys: KeyRing, store: Store, events: Arc<Events>) -> Result<SessionManager<User>, ConfigError> {
    let builder = SessionManager::builder()
        .keys(keys)
        .cookie(CookieSettings::development().name("session-demo"))
        .login_page("/")
        .observer(move |event: &SessionEvent| events.record(Event::from(event)));
    match store {
        Store::Memory => builder.store(MemoryStore::new()).build(),
        Store::Stateless => builder.build(),
    }
}

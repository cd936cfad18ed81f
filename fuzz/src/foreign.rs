//! Cookies and records of other systems, whatever is in them: nothing is opened that nobody signed, and no panic.

use session_import::fuzz::{
    auth_js, better_auth, cookie_session, django, express_session, flask, iron_session, next_auth, rails,
};

use crate::world::within;

const READERS: [fn(&[u8]); 9] =
    [auth_js, better_auth, cookie_session, django, express_session, flask, iron_session, next_auth, rails];

/// The first byte says which system.
pub fn foreign(input: &[u8]) {
    let Some((&which, bytes)) = input.split_first() else { return };
    let read = READERS[usize::from(which) % READERS.len()];
    // A compressed one may grow to a hundred and twenty-eight times what it was, up to the readers' own limit.
    within(4 * 1024 * 1024, || read(bytes));
}

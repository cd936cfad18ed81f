//! Cookie lines: whose session is opened, read by another parser.

use std::sync::LazyLock;

use session_core::testing::{ManualClock, TestRequest, logged_in_cookie};
use session_core::{SessionManager, Timestamp};

use crate::world::{NOW, User, assert_header_value, expand, manager, manager_at, pairs, ready, within};

const NAME: &str = "__Host-session";
/// So many cookies with our name are looked at.
const MOST: usize = 16;
/// Longer ones are no cookies.
const LONGEST: usize = 4096;

struct World {
    sessions: SessionManager<User>,
    /// The tokens that open, and whom.
    good: Vec<(String, &'static str)>,
    words: Vec<(&'static str, String)>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let sessions = manager().build().unwrap();
    let long_ago = ManualClock::at(Timestamp::from_unix_seconds(NOW - 7 * 86_400));
    let old = manager_at(long_ago).build().unwrap();
    let other = manager().realm("another").build().unwrap();
    let token = |sessions: &SessionManager<User>, name: &str| {
        let cookie = ready(logged_in_cookie(sessions, User::named(name))).unwrap();
        cookie.split_once('=').unwrap().1.to_owned()
    };
    let good: Vec<_> = ["alice", "bob", "guest"].map(|name| (token(&sessions, name), name)).into();
    let mut words: Vec<_> = good.iter().map(|(token, name)| (*name, token.clone())).collect();
    words.extend([
        ("old", token(&old, "carol")),
        ("other", token(&other, "dave")),
        ("name", NAME.to_owned()),
    ]);
    World { sessions, good, words }
});

/// Each line of the input is a Cookie line.
pub fn cookie(input: &[u8]) {
    let world = &*WORLD;
    let text = expand(input, &world.words);
    let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    let request = lines.iter().fold(TestRequest::new("GET", "/me"), |head, line| head.header("cookie", line));

    let shown = pairs(&lines);
    let ours = shown.iter().filter(|(name, value)| *name == NAME.as_bytes() && value.len() <= LONGEST);
    let opens: Vec<_> = ours
        .take(MOST)
        .filter_map(|(_, value)| world.good.iter().find(|(token, _)| token.as_bytes() == *value))
        .map(|(_, name)| *name)
        .collect();

    let outcome = within(32 * 1024, || ready(world.sessions.get_session(&request)));
    let opened = outcome.unwrap().map(|outcome| {
        outcome.changes.set_cookies().for_each(assert_header_value);
        outcome.user().unwrap().user_id.clone()
    });
    match opened {
        Some(user) => assert!(opens.contains(&&*user), "{user} without a token, of {opens:?}"),
        None => assert!(opens.is_empty(), "nobody, with the tokens of {opens:?}"),
    }
}

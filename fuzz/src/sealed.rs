//! Sealed cookies: flows and flashes. Only what we sealed opens, for what it was sealed, byte for byte.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use session_core::adapter::Slot;
use session_core::testing::TestRequest;
use session_core::{Flash, Flow, Flows, SessionManager};

use crate::world::{User, expand, manager, pairs, ready, within};

const FLASH: &str = "__Host-session-flash";
const MESSAGE: &str = "saved";

#[derive(Debug, Serialize, Deserialize)]
struct Away {
    next: String,
}

impl Flow for Away {
    type Payload = User;
    const NAME: &'static str = "away";
}

struct World {
    flash: String,
    flow_name: String,
    flow: String,
    state: String,
    words: Vec<(&'static str, String)>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let sessions = manager().build().unwrap();
    let (slot, flash) = guarded::<Flash<User>>(&sessions, &TestRequest::new("POST", "/"));
    flash.set(MESSAGE).unwrap();
    let (_, flash) = set_cookie(&slot);
    let (slot, flows) = guarded::<Flows<Away>>(&sessions, &TestRequest::new("POST", "/"));
    let state = ready(flows.begin(Away { next: "/".to_owned() })).unwrap().as_str().to_owned();
    let (flow_name, flow) = set_cookie(&slot);
    let words = vec![
        ("flash", flash.clone()),
        ("flashname", FLASH.to_owned()),
        ("flow", flow.clone()),
        ("flowname", flow_name.clone()),
    ];
    World { flash, flow_name, flow, state, words }
});

fn guarded<G: session_core::Guard<Payload = User>>(
    sessions: &SessionManager<User>,
    head: &TestRequest,
) -> (Slot<User>, G) {
    let slot = sessions.slot();
    let guard = ready(slot.receive(head).extract::<G>()).unwrap();
    (slot, guard)
}

fn set_cookie(slot: &Slot<User>) -> (String, String) {
    let changes = slot.close(&());
    let (name, rest) = changes.set_cookie().unwrap().split_once('=').unwrap();
    (name.to_owned(), rest.split(';').next().unwrap().to_owned())
}

/// Up to the first line feed: places in the sealed cookies to change, each two bytes and what to change them with. Then
/// Cookie lines.
pub fn sealed(input: &[u8]) {
    let world = &*WORLD;
    let end = memchr::memchr(b'\n', input).unwrap_or(0);
    let (changes, lines) = (&input[..end], &input[(end + 1).min(input.len())..]);
    let mut words = world.words.clone();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]]));
        for word in [0, 2] {
            let mut bytes = std::mem::take(&mut words[word].1).into_bytes();
            let at = at % bytes.len();
            // It stays ASCII.
            bytes[at] = (bytes[at] ^ change[2]) & 0x7f;
            words[word].1 = String::from_utf8(bytes).unwrap();
        }
    }
    let text = expand(lines, &words);
    let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    let request = lines.iter().fold(TestRequest::new("GET", "/"), |head, line| head.header("cookie", line));
    let shown = pairs(&lines);
    let has = |name: &str, value: &str| shown.contains(&(name.as_bytes(), value.as_bytes()));

    // One that was taken is taken in this process: each input has its own.
    let sessions = manager().build().unwrap();
    let (_slot, flash) = guarded::<Flash<User>>(&sessions, &request);
    if let Ok(Some(message)) = within(64 * 1024, || flash.take::<String>()) {
        assert!(has(FLASH, &world.flash), "a message out of nothing: {message:?}");
        assert_eq!(message, MESSAGE);
    }
    let (_slot, flows) = guarded::<Flows<Away>>(&sessions, &request);
    if let Ok(flow) = within(64 * 1024, || ready(flows.take(&world.state))) {
        assert!(has(&world.flow_name, &world.flow), "a flow out of nothing: {flow:?}");
        assert_eq!(flow.next, "/");
        let (_slot, again) = guarded::<Flows<Away>>(&sessions, &request);
        assert!(ready(again.take(&world.state)).is_err(), "a flow was taken twice");
    }
}

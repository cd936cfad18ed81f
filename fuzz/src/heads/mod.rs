//! Whole request heads, one after the other, on three frameworks at once: they answer alike, but for what HTTP does not
//! leave to us (the contract's "framework limits": unknown methods, doubled and trailing slashes, percent-encoded paths,
//! header lines beyond UTF-8, heads without a Host, what no route of the application takes).

mod actix;
mod axum;
mod rocket;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::LazyLock;

use session_core::store::{Mark, SessionStore as _};
use session_core::testing::{FaultyStore, ManualClock, TestRequest};
use session_core::{SessionManager, Timestamp, TrustedProxies};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

use crate::world::{Counted, NOW, User, assert_header_value, expand, manager_at, ready};

/// A proxy, so that what it tells counts.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 4711);
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"];
/// What the application serves, beside the routes under `/session`.
const ROUTES: [&str; 9] = [
    "GET /me",
    "GET /maybe",
    "GET /fresh",
    "GET /flash",
    "POST /flash",
    "POST /login",
    "POST /again",
    "POST /logout",
    "POST /visits",
];
/// What a client sees of a response, beside status and body.
const COMPARED: [&str; 8] = [
    "allow",
    "cache-control",
    "content-type",
    "location",
    "retry-after",
    "set-cookie",
    "www-authenticate",
    "vary",
];
const MOST_REQUESTS: usize = 4;

/// A request that every framework's own type can hold.
#[derive(Debug)]
struct Head {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
}

#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// What one framework serves: its own store, clock and source of random bytes, which go the same way as the others'.
#[derive(Clone)]
struct World {
    sessions: SessionManager<User>,
    store: FaultyStore,
    random: Counted,
}

/// One of the three; `None` for a head that it cannot take.
trait Framework {
    fn send(&self, head: &Head) -> Option<Answer>;
}

struct Frameworks {
    worlds: Vec<World>,
    all: Vec<Box<dyn Framework>>,
}

static WORDS: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| World::new().seed());

thread_local! {
    static RUNTIME: (Runtime, LocalSet) = (Builder::new_current_thread().build().unwrap(), LocalSet::new());
    /// Never dropped: actix-web does not like to be when the thread ends.
    static FRAMEWORKS: &'static Frameworks = {
        let worlds = vec![World::new(), World::new(), World::new()];
        let all: Vec<Box<dyn Framework>> = vec![
            Box::new(axum::Axum::new(&worlds[0].sessions)),
            Box::new(actix::Actix::new(&worlds[1].sessions)),
            Box::new(rocket::Rocket::new(&worlds[2].sessions)),
        ];
        Box::leak(Box::new(Frameworks { worlds, all }))
    };
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with(|(runtime, local)| local.block_on(runtime, future))
}

/// Requests, parted by an empty line: `METHOD target`, then a header on each line.
pub fn heads(input: &[u8]) {
    let Ok(text) = String::from_utf8(expand(input, &WORDS)) else { return };
    let heads: Vec<_> = text.split("\n\n").take(MOST_REQUESTS).map_while(Head::parse).collect();
    if heads.is_empty() {
        return;
    }
    FRAMEWORKS.with(|frameworks| {
        frameworks.worlds.iter().for_each(|world| drop(world.seed()));
        for head in &heads {
            let answers: Option<Vec<_>> =
                frameworks.all.iter().map(|framework| framework.send(head)).collect();
            let Some(answers) = answers else { return };
            let seen: Vec<_> = answers.into_iter().map(|answer| answer.seen(head)).collect();
            assert_eq!(seen[0], seen[1], "axum and actix-web, {head:#?}");
            assert_eq!(seen[0], seen[2], "axum and Rocket, {head:#?}");
            assert!(seen[0].status < 500, "{:?}, {head:#?}", seen[0]);
            seen[0].headers.iter().for_each(|(_, value)| assert_header_value(value));
        }
    });
}

impl Head {
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let (method, target) = lines.next()?.split_once(' ')?;
        let path = target.split('?').next()?;
        let is_ours = METHODS.contains(&method)
            && target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
            && path.starts_with('/')
            && !path.contains("//")
            && !path.contains('%')
            && (path == "/" || !path.ends_with('/'));
        let mut headers: Vec<_> = lines.take(32).filter_map(header).collect();
        if !headers.iter().any(|(name, _)| name == "host") {
            headers.push(("host".to_owned(), "example.test".to_owned()));
        }
        // A body is not sent, and so not announced; two hosts are no request.
        headers.retain(|(name, _)| !matches!(&**name, "content-length" | "transfer-encoding" | "expect"));
        let hosts = headers.iter().filter(|(name, _)| name == "host").count();
        (is_ours && hosts == 1).then(|| Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers,
        })
    }

    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Under the prefix core answers everything; elsewhere what no route takes is the framework's business.
    fn is_of_a_session_route(&self) -> bool {
        self.path() == "/session" || self.path().starts_with("/session/")
    }

    fn has_a_route(&self) -> bool {
        self.is_of_a_session_route() || ROUTES.contains(&&*format!("{} {}", self.method, self.path()))
    }
}

/// A header line as every server would hand it on: the name in lower case, the value without the blanks around it.
fn header(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    let value = value.trim_matches([' ', '\t']);
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let is_value = value.bytes().all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f));
    (is_name && is_value).then(|| (name.to_ascii_lowercase(), value.to_owned()))
}

impl Answer {
    fn new<'a>(status: u16, headers: impl Iterator<Item = (&'a str, &'a [u8])>, body: Vec<u8>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), text(value))).collect();
        Self { status, headers, body: text(&body) }
    }

    /// What the contract speaks of.
    fn seen(mut self, head: &Head) -> Self {
        self.headers.retain(|(name, _)| COMPARED.contains(&&**name));
        self.headers.sort_by(|(left, _), (right, _)| left.cmp(right));
        if head.method == "HEAD" {
            self.body.clear();
        }
        if !head.has_a_route() {
            self.headers.retain(|(name, _)| name == "set-cookie");
            return Self { status: 0, headers: self.headers, body: String::new() };
        }
        self
    }
}

impl World {
    fn new() -> Self {
        let (store, random) = (FaultyStore::default(), Counted::default());
        let proxies =
            TrustedProxies::new(["10.0.0.0/8"]).unwrap().prefix_header("x-forwarded-prefix").unwrap();
        let sessions = manager_at(ManualClock::at(Timestamp::from_unix_seconds(NOW)))
            .random(random.clone())
            .store(store.clone())
            .trusted_proxies(proxies)
            .bearer(true)
            .login_page("/login")
            .build()
            .unwrap();
        Self { sessions, store, random }
    }

    /// Alice with two devices, Bob with one, whatever was there before. Answers their tokens.
    fn seed(&self) -> Vec<(&'static str, String)> {
        self.random.reset();
        for realm in ["__Host-session", "__Host-session/flows"] {
            ready(self.store.delete_realm(realm, Mark::from_bytes([1; 16]))).unwrap();
        }
        let login = |word, name| {
            let head = TestRequest::new("POST", "/login").header("user-agent", word);
            let outcome = ready(self.sessions.create_session(User::named(name), &head)).unwrap();
            (word, outcome.token.unwrap().expose().to_owned())
        };
        vec![
            login("alice", "alice"),
            login("phone", "alice"),
            login("bob", "bob"),
            ("name", "__Host-session".to_owned()),
        ]
    }
}

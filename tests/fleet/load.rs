//! People who log in, read, count, log out and ask for what needs no session, all at once, and who remember exactly
//! what they were told. Beside them, households whose members share a session.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::history::{History, Judged};
use super::households;
use crate::wire::{Connection, Request, Response};

/// So many people, and for each node one more who only asks for what needs no session.
const PEOPLE: usize = 24;
/// What one of them does with a session before it is over.
const VISITS: usize = 6;
/// Of a client that is told to come back later; a browser would wait for a second.
const PAUSE: Duration = Duration::from_millis(50);
/// So often is asked who has a session, when all is well again.
const QUESTIONS: usize = 200;
/// Of a client that only asks for what needs no session.
const REST: Duration = Duration::from_millis(20);
/// What a busy machine may add to an answer's time.
const TOLERANCE: Duration = Duration::from_secs(4);
/// For whatever the test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A load on a fleet. Whoever is told something wrong fails the test.
pub(super) struct Load {
    shared: Arc<Shared>,
    people: JoinSet<Remembered>,
    households: JoinSet<()>,
    open: JoinSet<()>,
}

pub(super) struct Shared {
    nodes: [SocketAddr; 3],
    /// Longest time that an answer may take.
    limit: Duration,
    figures: Mutex<Figures>,
    /// Of those who use one session at the same time.
    pub(super) history: History,
    over: AtomicBool,
}

/// A request to a node, and when it was asked and answered.
pub(super) struct Visit {
    pub(super) began: Instant,
    pub(super) ended: Instant,
    /// `None`: it is not available just now, and says so as it should.
    pub(super) answer: Option<Response>,
}

/// What was seen since [`Load::begin`].
#[derive(Clone, Debug)]
pub(super) struct Figures {
    pub(super) requests: u64,
    pub(super) unavailable: u64,
    /// The longest that anybody waited for an answer that says so.
    pub(super) longest_unavailable: Duration,
    pub(super) longest: Duration,
    /// Answers to those who need no session.
    pub(super) open: u64,
    pub(super) longest_open: Duration,
    /// Writes that were acknowledged.
    pub(super) written: u64,
    /// When the store was said to be well again, and how long after that each node took to acknowledge a write.
    well: Instant,
    recovered: [Option<Duration>; 3],
}

/// What somebody was told, to be compared with what is true in the end.
#[derive(Default)]
pub(super) struct Remembered {
    sessions: Vec<Known>,
    ended: Vec<String>,
}

/// A session that somebody was given.
struct Known {
    name: String,
    cookie: String,
    /// Updates that were acknowledged, and those of which nobody knows.
    counted: u64,
    unknown: u64,
}

/// What was true as it was told.
#[derive(Default)]
pub(super) struct Compared {
    pub(super) open: u64,
    /// Updates of the open ones.
    pub(super) counted: u64,
    pub(super) ended: u64,
}

/// One of the people.
struct Person {
    shared: Arc<Shared>,
    number: usize,
    requests: usize,
    remembered: Remembered,
}

impl Load {
    /// Starts with everybody at once. `deadline` is that of the nodes for one call of the store.
    pub(super) fn start(nodes: [SocketAddr; 3], deadline: Duration) -> Self {
        // A request makes two calls, of which the first can succeed just before its deadline.
        let limit = 2 * deadline + TOLERANCE;
        let figures = Mutex::new(Figures::new());
        let (history, over) = (History::default(), AtomicBool::new(false));
        let shared = Arc::new(Shared { nodes, limit, figures, history, over });
        let (mut people, mut open) = (JoinSet::new(), JoinSet::new());
        for number in 0..PEOPLE {
            let shared = Arc::clone(&shared);
            people
                .spawn(Person { shared, number, requests: number, remembered: Remembered::default() }.live());
        }
        for node in nodes {
            open.spawn(ask_for_what_is_open(Arc::clone(&shared), node));
        }
        let households = households::move_in(&shared);
        Self { shared, people, households, open }
    }

    /// Forgets the figures so far.
    pub(super) fn begin(&self) {
        *self.shared.figures() = Figures::new();
    }

    pub(super) fn figures(&self) -> Figures {
        self.shared.figures().clone()
    }

    /// Waits until the figures show something. Fails as soon as anybody fails.
    pub(super) async fn until(&mut self, what: &str, shown: impl Fn(&Figures) -> bool) {
        let start = Instant::now();
        while !shown(&self.shared.figures()) {
            assert!(start.elapsed() < PATIENCE, "waited in vain until {what}: {:?}", self.figures());
            assert!(self.people.try_join_next().is_none_or(|ended| ended.map(drop).is_err_and(rethrow)));
            assert!(self.households.try_join_next().is_none_or(|ended| ended.is_err_and(rethrow)));
            assert!(self.open.try_join_next().is_none_or(|ended| ended.is_err_and(rethrow)));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Says that the store is well from now on, and waits until every node has acknowledged a write that came later.
    /// Answers how long the last one took.
    pub(super) async fn recovered(&mut self) -> Duration {
        {
            let mut figures = self.shared.figures();
            (figures.well, figures.recovered) = (Instant::now(), [None; 3]);
        }
        self.until("every node has recovered", |figures| figures.recovered.iter().all(Option::is_some)).await;
        self.figures().recovered.into_iter().flatten().max().unwrap_or_default()
    }

    /// Ends the load and answers what everybody remembers, and what was told to those who share a session.
    pub(super) async fn end(self) -> (Vec<Remembered>, Result<Judged, String>) {
        self.shared.over.store(true, Ordering::Relaxed);
        self.open.join_all().await;
        self.households.join_all().await;
        (self.people.join_all().await, self.shared.history.judge())
    }
}

/// Continues a panic of one of the people as the test's own.
fn rethrow(error: tokio::task::JoinError) -> bool {
    std::panic::resume_unwind(error.into_panic())
}

impl Shared {
    fn figures(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap()
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    async fn ask(&self, node: SocketAddr, request: &Request) -> (Response, Instant, Duration) {
        let began = Instant::now();
        let answer = async { Connection::open(node).await?.exchange(request).await }.await;
        let what = || format!("{} {}", request.method, request.target);
        let answer = answer.unwrap_or_else(|broken| panic!("{broken:?} instead of an answer to {}", what()));
        let took = began.elapsed();
        assert!(took <= self.limit, "{} took {took:?}, more than {:?}:\n{answer}", what(), self.limit);
        (answer, began, took)
    }

    /// Asks that node, counted from zero and on and on, and waits a little if it is not available.
    pub(super) async fn visit(&self, node: usize, request: &Request) -> Visit {
        let node = node % self.nodes.len();
        let (answer, began, took) = self.ask(self.nodes[node], request).await;
        let ended = began + took;
        let is_unavailable = answer.status == 503;
        {
            let mut figures = self.figures();
            figures.requests += 1;
            figures.longest = figures.longest.max(took);
            if is_unavailable {
                figures.unavailable += 1;
                figures.longest_unavailable = figures.longest_unavailable.max(took);
            } else if request.method == "POST" {
                figures.written += 1;
                if began >= figures.well && figures.recovered[node].is_none() {
                    figures.recovered[node] = Some(figures.well.elapsed());
                }
            }
        }
        if !is_unavailable {
            return Visit { began, ended, answer: Some(answer) };
        }
        let answer = answer.expect_error(503, "STORE_UNAVAILABLE").expect_no_cookie();
        assert_eq!(answer.header("retry-after"), Some("1"), "in\n{answer}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "in\n{answer}");
        tokio::time::sleep(PAUSE).await;
        Visit { began, ended, answer: None }
    }
}

impl Figures {
    fn new() -> Self {
        Self {
            requests: 0,
            unavailable: 0,
            longest_unavailable: Duration::ZERO,
            longest: Duration::ZERO,
            open: 0,
            longest_open: Duration::ZERO,
            written: 0,
            well: Instant::now(),
            recovered: [None; 3],
        }
    }
}

/// Requests that have nothing to do with sessions, one after the other: each is answered as if nothing had happened.
async fn ask_for_what_is_open(shared: Arc<Shared>, node: SocketAddr) {
    while !shared.is_over() {
        let (answer, _, took) =
            shared.ask(node, &Request::get("/open").cookie("__Host-session=whatever")).await;
        assert_eq!(answer.expect(200).expect_no_cookie().text(), "ok");
        {
            let mut figures = shared.figures();
            figures.open += 1;
            figures.longest_open = figures.longest_open.max(took);
        }
        tokio::time::sleep(REST).await;
    }
}

impl Person {
    /// Session after session. Every second one is ended, the others are left open.
    async fn live(mut self) -> Remembered {
        let mut count = 0;
        while !self.shared.is_over() {
            count += 1;
            let Some(mut known) = self.log_in(format!("p{}-{count}", self.number)).await else { continue };
            for _ in 0..VISITS {
                self.read(&known).await;
                self.count(&mut known).await;
            }
            if count % 2 == 0 {
                self.log_out(known).await;
            } else {
                self.remembered.sessions.push(known);
            }
        }
        self.remembered
    }

    /// `None`: nobody knows whether there is a session, and nobody has its cookie.
    async fn log_in(&mut self, name: String) -> Option<Known> {
        let answer = self.ask(Request::post("/login").body(format!("name={name}"))).await?.expect(200);
        assert!(!is_clearing(&answer), "a login that clears:\n{answer}");
        let cookie = format!("__Host-session={}", answer.cookie_value());
        Some(Known { name, cookie, counted: 0, unknown: 0 })
    }

    async fn read(&mut self, known: &Known) {
        if let Some(answer) = self.ask(Request::get("/me").cookie(&known.cookie)).await {
            known.agrees(&answer.expect(200).expect_no_cookie());
        }
    }

    async fn count(&mut self, known: &mut Known) {
        let Some(answer) = self.ask(Request::post("/visits").cookie(&known.cookie)).await else {
            known.unknown += 1;
            return;
        };
        let visits: u64 = answer.expect(200).expect_no_cookie().text().parse().unwrap();
        let possible = known.counted + 1..=known.counted + 1 + known.unknown;
        assert!(possible.contains(&visits), "{visits} visits where {possible:?} are possible");
        // What is known now is known for all that came before.
        known.unknown -= visits - known.counted - 1;
        known.counted = visits;
    }

    /// After an answer that says neither yes nor no, the session is in either state.
    async fn log_out(&mut self, known: Known) {
        if let Some(answer) = self.ask(Request::post("/logout").cookie(&known.cookie)).await {
            let answer = answer.expect(200);
            assert!(is_clearing(&answer), "a logout that leaves the cookie:\n{answer}");
            self.remembered.ended.push(known.cookie);
        }
    }

    /// Asks the next node. `None`: it is not available just now.
    async fn ask(&mut self, request: Request) -> Option<Response> {
        self.requests += 1;
        self.shared.visit(self.requests, &request).await.answer
    }
}

impl Known {
    /// The answer to `GET /me` is no other's, and counts what it must.
    fn agrees(&self, answer: &Response) {
        let me = answer.json();
        assert_eq!(me["name"], *self.name);
        let visits = me["visits"].as_u64().unwrap();
        let possible = self.counted..=self.counted + self.unknown;
        assert!(
            possible.contains(&visits),
            "{visits} visits of {} where {possible:?} are possible",
            self.name
        );
    }
}

fn is_clearing(answer: &Response) -> bool {
    answer.header("set-cookie").is_some_and(|line| line.contains("Max-Age=0"))
}

/// Compares what people were told with what is true: every session that was given is open, with all that was counted,
/// and every one that was ended is refused.
pub(super) async fn compare(nodes: [SocketAddr; 3], remembered: &[Remembered]) -> Compared {
    let mut node = nodes.iter().cycle();
    let mut ask = async |cookie: &str| {
        let request = Request::get("/me").cookie(cookie);
        // A node of a cluster may lose sight of the others once more on a busy machine: that is no answer yet.
        for _ in 0..QUESTIONS {
            let mut connection = Connection::open(*node.next().unwrap()).await.unwrap();
            let answer = connection.exchange(&request).await.unwrap().expect_no_cookie();
            if answer.status != 503 {
                return answer;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("for too long nobody could say whose session it is");
    };
    let mut compared = Compared::default();
    for remembered in remembered {
        for known in &remembered.sessions {
            known.agrees(&ask(&known.cookie).await.expect(200));
            compared.open += 1;
            compared.counted += known.counted;
        }
        for cookie in &remembered.ended {
            ask(cookie).await.expect_error(401, "SESSION_NOT_FOUND");
            compared.ended += 1;
        }
    }
    compared
}

//! Three nodes, and who visits them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use session_core::store::{Account, SessionRecord, SessionStore as _};
use session_core::{Clock as _, SessionManager, testing::ManualClock};
use session_demo::{options::Store, sessions};

use super::backend::Backend;
use super::node::{Node, Settings};
use crate::harness::{Actix, Axum, Browser, Framework as _, Rocket, User, World};

/// Of a store that no test does harm to: longer than the busiest machine makes it wait.
pub(super) const PATIENT: Duration = Duration::from_secs(20);

/// What the nodes of a fleet have in common.
pub(super) struct Options {
    /// For each call of the store.
    pub(super) deadline: Duration,
    /// The staleness bound of hybrid mode, if that is on.
    pub(super) hybrid: Option<Duration>,
    /// Whether each node looks after the store, and listens to what ends elsewhere.
    pub(super) maintained: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { deadline: PATIENT, hybrid: None, maintained: false }
    }
}

/// One node for each framework, in this order: axum, actix-web, Rocket.
pub(super) struct Fleet {
    pub(super) nodes: [Node; 3],
    settings: Settings,
    world: World,
}

impl Fleet {
    /// The fleet that all tests share which do no harm to this store. Each has accounts of its own.
    pub(super) fn shared(backend: Backend) -> Option<&'static Self> {
        static FLEETS: [OnceLock<Fleet>; 6] = [const { OnceLock::new() }; 6];
        let url = backend.url()?;
        Some(FLEETS[backend as usize].get_or_init(|| Self::start(&url, Options::default())))
    }

    /// A fleet with a realm of its own in the store at `url`.
    pub(super) fn start(url: &str, options: Options) -> Self {
        let Options { deadline, hybrid, maintained } = options;
        static REALMS: AtomicU32 = AtomicU32::new(0);
        let world = World::new();
        let settings = Settings {
            framework: String::new(),
            store: url.to_owned(),
            realm: format!("fleet-{}", REALMS.fetch_add(1, Ordering::Relaxed)),
            now: world.clock.now().unix_seconds(),
            deadline,
            hybrid,
            maintained,
        };
        let starting = [Axum::NAME, Actix::NAME, Rocket::NAME]
            .map(|framework| Node::start(&Settings { framework: framework.to_owned(), ..settings.clone() }));
        Self { nodes: starting.map(|node| node.ready()), settings, world }
    }

    pub(super) fn addresses(&self) -> [SocketAddr; 3] {
        self.nodes.each_ref().map(|node| node.address)
    }

    /// Lets time pass on all nodes.
    pub(super) fn advance(&self, by: Duration) {
        self.world.clock.advance(by);
        self.nodes.iter().for_each(|node| node.advance(by));
    }

    /// A browser without cookies. It visits the first node until it is told otherwise.
    pub(super) fn browser(&self) -> Browser {
        Browser::new(self.nodes[0].address, &self.world.clock)
    }

    /// A browser in which `name` has just logged in, at this node.
    pub(super) async fn logged_in(&self, name: &str, node: usize) -> Browser {
        let mut browser = self.browser();
        self.visit(&mut browser, node).log_in(name).await;
        browser
    }

    /// Cookies do not know ports: the same browser goes from node to node.
    pub(super) fn visit<'a>(&self, browser: &'a mut Browser, node: usize) -> &'a mut Browser {
        browser.server = self.nodes[node % self.nodes.len()].address;
        browser
    }

    /// The manager of one more node, within this process, on a clock of its own that shows the same time.
    pub(super) async fn member(&self) -> (SessionManager<User>, ManualClock) {
        let world = World::new();
        let users = world.stateless().store(self.store().await).realm(&self.settings.realm);
        (users.store_deadline(self.settings.deadline).build().unwrap(), world.clock)
    }

    /// What the store holds of an account, past all managers.
    pub(super) async fn records_of(&self, name: &str) -> Vec<SessionRecord> {
        let user = User::named(name);
        let account = Account { realm: &self.settings.realm, subject: &user.user_id };
        self.store().await.list(account, self.world.clock.now()).await.unwrap()
    }

    async fn store(&self) -> std::sync::Arc<dyn session_core::store::SessionStore> {
        let store = Store::Url(self.settings.store.clone());
        sessions::open(&store, Path::new("")).await.unwrap().expect("a store")
    }
}
